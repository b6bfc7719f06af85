"""Text of unknown origin to plain text: no markup, no invisible characters, one form of each letter.

Every step is linear in the text's length, whatever the text is.
"""

import html
import re
import unicodedata
from dataclasses import dataclass

# Scores of sentences are kept under sentences.RULES_VERSION: raise it too when other text comes out of this module.
_MARK = re.compile(r"<!--|-->|<!\[CDATA\[|\]\]>|<(?P<tag>/?[A-Za-z][^\s<>/]*+)[^<>]*+>|<[!?][A-Za-z][^<>]*+>")
_HIDING = {"<!--": "-->", "script": "/script", "style": "/style"}
_INLINE = "a abbr b bdi bdo big cite code data del dfn em font i img ins kbd mark q s samp small span strike strong sub"
_INLINE += " sup time tt u var wbr"
_BLOCK = "article aside blockquote body dd div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 head header hr html li"
_BLOCK += " main nav ol p pre section table td th title tr ul"
_GAPS = dict.fromkeys(_INLINE.split(), "") | dict.fromkeys(_BLOCK.split(), "\n\n") | {"br": "\n"}
_ESCAPES = 2  # feeds and archives often hold ``&amp;amp;``
_ENDLESS_REFERENCE = re.compile(r"&#(?:[0-9]{8,}+|[xX][0-9a-fA-F]{8,}+);?")
# What Windows-1252 means by the bytes that Latin-1 calls C1 controls.
_C1 = {code: bytes([code]).decode("cp1252", errors="ignore") for code in range(0x80, 0xA0)}
_EMOJI = "\u2190-\u2bff\ufe0f\U0001f000-\U0001faff"
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200c\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_LOOSE_JOINER = re.compile(f"(?<![{_EMOJI}])\u200d|\u200d(?![{_EMOJI}])")
_MAX_MARKS = 30  # on one letter: Unicode's Stream-Safe Text Format (UAX #15); sorting more takes quadratic time


@dataclass(frozen=True)
class CleanText:
    """What is left of a text.

    Attributes
    ----------
    paragraphs : tuple of str
        One line each, none empty; empty if there was nothing to read.
    is_cut : bool
        The text was longer than it may be.
    """

    paragraphs: tuple[str, ...]
    is_cut: bool

    @property
    def text(self) -> str:
        """All of it on one line; the empty string if there was nothing to read."""
        return " ".join(self.paragraphs)


def clean_text(raw: str, max_characters: int) -> CleanText:
    """`raw` as plain text in Unicode's NFC.

    HTML tags, comments, scripts and styles go, and entities become their characters, also where they
    came escaped, once or twice; a blank line, ``<br><br>`` or a block tag ends a paragraph, any other
    white space is one space. Control, zero-width and direction characters and halves of surrogate
    pairs go. Emoji stay, and the joiners within them. C1 controls, which come of Windows-1252 read as
    Latin-1, become what they were meant to be. Letters garbled in another way stay as they are:
    guessing would change good text too.

    Parameters
    ----------
    raw : str
        Any text, of any length.
    max_characters : int
        Characters (code points) that may stay; a longer text is cut before the last word that
        does not fit.
    """
    text = _without_markup(raw)
    for _ in range(_ESCAPES):
        text = _without_markup(html.unescape(_ENDLESS_REFERENCE.sub("", text)))
    text = text.translate(_C1)
    text = _LOOSE_JOINER.sub("", _INVISIBLE.sub("", text))
    text = unicodedata.normalize("NFC", _with_few_marks(text))
    text = re.sub(r"\s++", _gap, text).strip()
    is_cut = len(text) > max_characters
    if is_cut:
        text = _cut(text, max_characters)
    return CleanText(tuple(text.split("\n")) if text else (), is_cut)


def _without_markup(text: str) -> str:
    """Drop tags, and what comments, scripts and styles hide; one left open hides the rest, as in a browser."""
    if "<" not in text:
        return text
    kept: list[str] = []
    start, hidden_until = 0, ""
    for mark in _MARK.finditer(text):
        kind = (mark["tag"] or mark.group()).lower()
        if hidden_until:
            if kind == hidden_until or mark.group().endswith(hidden_until):
                hidden_until, start = "", mark.end()
        elif kind != "-->":
            kept += [text[start : mark.start()], _GAPS.get(kind.lstrip("/"), " ")]
            hidden_until, start = _HIDING.get(kind, ""), mark.end()
    if not hidden_until:
        kept.append(text[start:])
    return "".join(kept)


def _with_few_marks(text: str) -> str:
    if text.isascii():
        return text
    kept, run = [], 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run <= _MAX_MARKS:
            kept.append(character)
    return "".join(kept)


def _gap(white: re.Match[str]) -> str:
    lines = white.group().replace("\r\n", "\n").replace("\r", "\n").replace("\u2029", "\n\n")
    return "\n" if lines.count("\n") > 1 else " "


def _cut(text: str, max_characters: int) -> str:
    """At the last white space that fits; within the word where it has none."""
    end = max(text.rfind(" ", 0, max_characters + 1), text.rfind("\n", 0, max_characters + 1))
    return text[: end if end > 0 else max_characters].rstrip()
