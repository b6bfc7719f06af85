"""The sentences of an article: where they end, which are left out, and that no text takes long."""

import pytest

from MLOps.sentiment.sentences import RULES_VERSION, SentenceReader, split_sentences
from MLOps.settings.compose import compose_settings
from MLOps.settings.score_news import ReadingSettings, ScoreNewsSettings

MEGABYTE = 1_000_000
PLAIN = ReadingSettings(
    max_sentences=9,
    max_characters=2_000,
    max_sentence_characters=60,
    boilerplate_phrases=("share this with",),
    boilerplate_sentences=("^read more",),
)
ARTICLE = (
    """<p>Mr. Smith of Apple Inc. said: &ldquo;It&amp;#8217;s over.&rdquo; The U.S. fell 2.5%...\x00</p>
<script>x()</script>Caf\u0065\u0301 &lt;b&gt;wins&lt;/b&gt; \x93prize\x94! Share this with friends.<br><br>Read more.
"They voted."?Then what? 5. 10. \u597d\u3002 \U0001f468\u200d\U0001f469 And a sentence without an end goes on """
    + "and on " * 9
)
"""What cleaning, splitting and cutting each change."""
GOLDEN: dict[int, tuple[str, ...]] = {
    1: (
        "Banks & more",
        "Mr. Smith of Apple Inc. said: \u201cIt\u2019s over.\u201d",
        "The U.S. fell 2.5%...",
        "Caf\xe9 wins \u201cprize\u201d!",
        "friends.",
        '"They voted."?',
        "Then what?",
        "\u597d\u3002",
        "\U0001f468\u200d\U0001f469 And a sentence without an end goes on and on and on and",
    ),
}
"""Sentences of `ARTICLE` by RULES_VERSION."""


@pytest.fixture(scope="module")
def shipped() -> ReadingSettings:
    return compose_settings(ScoreNewsSettings, "score_news").reading


@pytest.fixture(scope="module")
def reader(shipped: ReadingSettings) -> SentenceReader:
    return SentenceReader(shipped)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Shares fell. Bonds rose.", ["Shares fell.", "Bonds rose."]),
        ("It fell 2.5 percent to $3.4 billion. Why?", ["It fell 2.5 percent to $3.4 billion.", "Why?"]),
        ("Mr. Smith met Dr. Jones on Jan. 5 at No. 10.", ["Mr. Smith met Dr. Jones on Jan. 5 at No. 10."]),
        ("He joined Apple Inc. The price rose.", ["He joined Apple Inc.", "The price rose."]),
        ("Apple Inc. Chief Tim Cook spoke.", ["Apple Inc. Chief Tim Cook spoke."]),
        ("The U.S. Senate voted in the U.S. It passed.", ["The U.S. Senate voted in the U.S.", "It passed."]),
        ("J. K. Rowling won. So did I.", ["J. K. Rowling won.", "So did I."]),
        ('"It is over." Then he left.', ['"It is over."', "Then he left."]),
        ('He said: "Sell now!" she recalled.', ['He said: "Sell now!" she recalled.']),
        ("Well... maybe. (Or not.) Yes!", ["Well... maybe.", "(Or not.)", "Yes!"]),
        ('"They voted."?Before that they spoke.', ['"They voted."?', "Before that they spoke."]),
        ("\u597d\u3002\u6b21\uff01", ["\u597d\u3002", "\u6b21\uff01"]),
        ("no stop at all", ["no stop at all"]),
        ("", []),
    ],
)
def test_sentence_ends_where_a_reader_ends_it(text: str, expected: list[str]) -> None:
    assert list(split_sentences(text)) == expected


@pytest.mark.parametrize(
    "boilerplate",
    [
        "Follow us on Facebook, on Twitter @BBCNewsEnts, or on Instagram at bbcnewsents.",
        "Sign up for our weekly newsletter and get breaking updates by messaging us here.",
        "Subscribe, choose the community that you most identify with and we'll send you the news that matters.",
        "Read more: How the deal was done.",
        "READ MORE: Who votes for Geert Wilders?",
        "Click here to sign up!",
        "This site uses cookies to improve your experience.",
        "The Associated Press contributed to this report.",
        "If you have a story suggestion email entertainment.news@bbc.co.uk.",
        "Share this slide: Learn more.",
        "The views expressed in this article are the author's own and do not necessarily reflect our policy.",
        "Copyright 2017 The Publisher. All rights reserved.",
    ],
)
def test_boilerplate_is_left_out(reader: SentenceReader, boilerplate: str) -> None:
    assert reader.read("", f"{boilerplate} The bank failed.").sentences[-1:] == ("The bank failed.",)
    assert len(reader.read("", f"The bank failed. {boilerplate}").sentences) == 1


@pytest.mark.parametrize(
    "sentence",
    [
        "Many workers had signed up for a scheme that failed.",
        "He posted the news on Facebook and shares fell.",
        "Children were eager to follow her path.",
        "They ate almond cookies while the market fell.",
        "Investors want to learn more about the losses.",
        "Copyright law comes above family protection laws, the court said.",
        "Readers subscribed to the share offer in large numbers.",
    ],
)
def test_news_that_resembles_boilerplate_stays(reader: SentenceReader, sentence: str) -> None:
    assert reader.read("", sentence).sentences == (sentence,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MOSCOW, March 25. /TASS/. The rouble fell.", "The rouble fell."),
        ("Media playback is not supported on this device The striker was hurt.", "The striker was hurt."),
        ("The plant will close. Source:-Al Jazeera and news agencies", "The plant will close."),
        ("Growth slowed. (China Daily European Weekly 01/27/2017 page22)", "Growth slowed."),
    ],
)
def test_phrase_is_cut_out_of_its_sentence(reader: SentenceReader, text: str, expected: str) -> None:
    assert reader.read("", text).sentences == (expected,)


def test_title_comes_first_then_the_first_sentences_of_the_body(shipped: ReadingSettings) -> None:
    reader = SentenceReader(shipped.model_copy(update={"max_sentences": 3}))
    article = reader.read("A title. In two parts", "A title. In two parts\n\nOne is here. Two is here. Three is here.")
    assert article.has_title
    assert article.sentences == ("A title. In two parts", "A title.", "In two parts")
    article = reader.read("", "One is here. Two is here. Three is here. Four is here.")
    assert not article.has_title
    assert article.sentences == ("One is here.", "Two is here.", "Three is here.")


def test_body_that_repeats_the_title_says_it_once(reader: SentenceReader) -> None:
    assert reader.read("Bank fails", "Bank fails\n\nIt owed much.").sentences == ("Bank fails", "It owed much.")


@pytest.mark.parametrize("nothing", ["", " \n\t ", "... !!", "- -", "<p></p>", "\x00\u200b", "5. 10. 2016."])
def test_text_that_says_nothing_has_no_sentence(reader: SentenceReader, nothing: str) -> None:
    assert reader.read(nothing, nothing).sentences == ()


def test_markup_entities_and_emoji_are_read_as_a_browser_shows_them(reader: SentenceReader) -> None:
    article = reader.read("<h1>Profits &amp; losses</h1>", "<p>It fell.</p><script>x()</script><p>Sad \U0001f622</p>")
    assert article.sentences == ("Profits & losses", "It fell.", "Sad \U0001f622")


def test_emoji_alone_says_something(reader: SentenceReader) -> None:
    assert reader.read("", "\U0001f680\U0001f680").sentences == ("\U0001f680\U0001f680",)


def test_sentence_without_an_end_is_cut(shipped: ReadingSettings) -> None:
    reader = SentenceReader(shipped.model_copy(update={"max_sentence_characters": 50}))
    assert reader.read("", "word " * 100).sentences == (("word " * 10).strip(),)


def test_other_sentences_of_the_same_text_need_another_version_of_the_rules() -> None:
    """A failure means that kept scores belong to other sentences: raise RULES_VERSION and add a line to GOLDEN."""
    assert SentenceReader(PLAIN).read("Banks &amp; more", ARTICLE).sentences == GOLDEN[RULES_VERSION]


@pytest.mark.parametrize(
    "piece", ["a", ".", ". ", "A. ", '"', '.")', "x@", "<", "READ MORE ", "The bank failed. ", "/t"]
)
def test_megabyte_of_anything_is_read_in_steps_that_grow_with_it(reader: SentenceReader, piece: str) -> None:
    """Were a step quadratic, this would take minutes or more, and the run would be stopped."""
    article = reader.read(piece * (MEGABYTE // len(piece)), piece * (MEGABYTE // len(piece)))
    assert len(article.sentences) <= 8
    assert all(len(sentence) <= 1000 for sentence in article.sentences)
