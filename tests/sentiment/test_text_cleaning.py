"""Plain text out of any text: markup, entities, invisible characters, forms of letters, length."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MLOps.sentiment.text_cleaning import CleanText, clean_text

# A rocket, a thumb with its skin, a family of three, a heart.
EMOJI = "\U0001f680 \U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f"

CASES = {
    "tags": ("<p>Shares <b>ro</b>se.</p>", "Shares rose."),
    "tag with attributes": ("up <a href=\"x\" title='y'>here</a>!", "up here!"),
    "comparison is no tag": ("a < b and c > d, 3<4", "a < b and c > d, 3<4"),
    "an open tag is text": ("up <b 5%", "up <b 5%"),
    "heart is no tag": ("I <3 stocks", "I <3 stocks"),
    "comment": ("one<!-- <b --> two", "one two"),
    "arrow is no comment": ("a --> b", "a --> b"),
    "script": ("a<script>if (x<y) {'</p>'}</script>b", "a b"),
    "style left open": ("a<style>b", "a"),
    "capitals": ("a<SCRIPT>x</Script >b", "a b"),
    "doctype": ("<!DOCTYPE html><html>a</html>", "a"),
    "cdata": ("<![CDATA[a <i>b</i>]]>", "a b"),
    "entities": ("AT&amp;T &lt; 5&nbsp;&euro; &#8212; &#x27;ok&#39;", "AT&T < 5 € — 'ok'"),
    "escaped markup": ("&lt;p&gt;up&lt;/p&gt;", "up"),
    "escaped twice": ("Meagher &amp;amp; Flom &amp;lt;p&amp;gt;", "Meagher & Flom"),
    "unknown entity": ("R&D; &nosuch;", "R&D; &nosuch;"),
    "zero width": ("wo\u200brd\ufeff s\u00adoft", "word soft"),
    "direction": ("a\u202eb\u2066c", "abc"),
    "controls": ("a\x00b\x07\x7f", "ab"),
    "odd white space": ("\u00a0a\u2003b\u3000\tc\r\n", "a b c"),
    "half a surrogate pair": ("up \ud83d now", "up now"),
    "composed": ("cafe\u0301", "café"),
    "emoji": (f"up {EMOJI}", f"up {EMOJI}"),
    "a joiner elsewhere": ("a\u200db", "ab"),
    "Windows-1252 read as Latin-1": ("don\x92t \x93go\x94", "don\u2019t \u201cgo\u201d"),
    "nothing": (" <p>&nbsp;\u200b</p>\n", ""),
    "empty": ("", ""),
}


@pytest.mark.parametrize(("raw", "clean"), CASES.values(), ids=CASES.keys())
def test_gives_plain_text(raw: str, clean: str) -> None:
    assert clean_text(raw, 1000) == CleanText((clean,) if clean else (), is_cut=False)


@pytest.mark.parametrize("raw", ["a\n\nb", "a\r\n \r\nb", "<p>a</p><p>b</p>", "a<br><br/>b", "a\u2029b"])
def test_keeps_paragraphs_apart(raw: str) -> None:
    assert clean_text(raw, 1000).paragraphs == ("a", "b")
    assert clean_text(raw, 1000).text == "a b"


@pytest.mark.parametrize("raw", ["a\nb", "a\r\nb", "a<br>b"])
def test_a_line_break_ends_no_paragraph(raw: str) -> None:
    assert clean_text(raw, 1000).paragraphs == ("a b",)


def test_cuts_between_words() -> None:
    assert clean_text("one two three", 13) == CleanText(("one two three",), is_cut=False)
    assert clean_text("one two three", 12) == CleanText(("one two",), is_cut=True)
    assert clean_text("one two three", 7) == CleanText(("one two",), is_cut=True)
    assert clean_text("<b>abcdef", 4) == CleanText(("abcd",), is_cut=True)


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_can_be_stored_and_stands_in_one_form(raw: str) -> None:
    text = clean_text(raw, 100).text
    assert len(text) <= 100
    assert text == unicodedata.normalize("NFC", text)
    assert text == " ".join(text.split())
    text.encode()


LONG = 1_000_000
HARD = {
    "one letter": "a" * LONG,
    "open tags": "<" * LONG,
    "one endless tag": "<" + "a" * LONG,
    "open scripts": "<script>" * (LONG // 8),
    "open comments": "<!--" * (LONG // 4),
    "open quotes": '<a "' * (LONG // 4),
    "white space": "a" + " " * LONG + "b",
    "ampersands": "&" * LONG,
    "endless reference": "&#" + "9" * LONG + ";",
    "endless hexadecimal reference": "&#x" + "f" * LONG + ";",
    "marks on one letter": "a" + "\u0301\u0316" * (LONG // 2),
    "joiners": "\u200d" * LONG,
    "sentences": "Shares <b>rose</b> &amp; fell. \U0001f680" * (LONG // 35),
}


@pytest.mark.parametrize("raw", HARD.values(), ids=HARD.keys())
def test_a_megabyte_is_no_burden(raw: str) -> None:
    """Anything that is not linear here would not end while one waits."""
    assert len(clean_text(raw, 5000).text) <= 5000
