"""The sentences of an article: its title, then the first ones of its body, without what every article carries."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from MLOps.sentiment.text_cleaning import clean_text
from MLOps.settings.score_news import ReadingSettings

RULES_VERSION = 1
"""Raised when this code or text_cleaning.py reads other sentences by the same settings; scores are kept under it."""
_CLOSERS = "\"'\u2019\u201d\u00bb)\\]"
_OPENERS = "\"'\u2018\u201c\u00ab([\u2014\u2013- "
# `"?` is how a closing quotation mark and a dash reached some archives; the next sentence follows without a space.
_END = re.compile(
    rf"(?<![.!?\u2026])[.!?\u2026]++[{_CLOSERS}]*+(?:\s++|(?<=[\"\u201d])\??\s*+(?=[A-Z]))"
    "|[\u3002\uff01\uff1f]++[\u300d\u300f\u201d]*+"  # Chinese and Japanese write no space
)
_TITLES = "mr mrs ms dr prof gen sen rep gov lt col capt sgt cpl cmdr adm maj st rev hon pres fr sr jr messrs mt ft"
_TITLES += " vs v no nos fig approx est dept jan feb mar apr jun jul aug sept sep oct nov dec e.g i.e"
_NEVER_LAST = frozenset(_TITLES.split())
"""Abbreviations, without their full stop, that do not end a sentence whatever follows."""
_SUFFIXES = "inc corp co ltd llc plc bros etc al a.m p.m ph.d ave blvd"
_AT_TIMES_LAST = frozenset(_SUFFIXES.split())
"""Abbreviations that may end one; so may initials such as U.S."""
_FIRST_WORDS = (
    "the a an this that these those it its he his she her they their we our you your i in on at for from with"
)
_FIRST_WORDS += " by as if when while after before since but and so yet however although though there here what who"
_FIRST_WORDS += " why how now then meanwhile also according no not some many most"
_BEGINNERS = frozenset(_FIRST_WORDS.split())
"""Words that begin a sentence where an abbreviation leaves it open."""
_INITIALS = re.compile(r"(?:[A-Za-z]\.)*[A-Za-z]")


@dataclass(frozen=True)
class ArticleSentences:
    """What is scored of an article.

    Attributes
    ----------
    sentences : tuple of str
        The title first, where there is one.
    has_title : bool
        The first sentence is the title.
    """

    sentences: tuple[str, ...]
    has_title: bool


class SentenceReader:
    """Reads articles by the rules of the settings; time grows with `max_characters`, not with the text."""

    def __init__(self, settings: ReadingSettings) -> None:
        self._settings = settings
        self._phrases = _any_of(settings.boilerplate_phrases)
        self._dropped = _any_of(settings.boilerplate_sentences)

    def read(self, title: str, text: str) -> ArticleSentences:
        """The title, as one sentence, and the first sentences of the text, `max_sentences` together at most.

        A sentence of the body that repeats the title is left out.
        """
        headline = " ".join(self._kept([" ".join(self._paragraphs(title))]))
        body = (sentence for sentence in self._kept(self._split(text)) if sentence != headline)
        count = self._settings.max_sentences - bool(headline)
        sentences = (headline,) * bool(headline) + tuple(islice(body, count))
        return ArticleSentences(sentences, bool(headline))

    def _split(self, text: str) -> Iterator[str]:
        for paragraph in self._paragraphs(text):
            yield from split_sentences(paragraph)

    def _paragraphs(self, raw: str) -> list[str]:
        """Plain text with boilerplate phrases cut out."""
        # markup is at most a few times as long as what it wraps; a cut keeps endless texts from being cleaned whole
        cleaned = clean_text(raw[: 4 * self._settings.max_characters], self._settings.max_characters)
        parts = (self._phrases.split(paragraph) if self._phrases else [paragraph] for paragraph in cleaned.paragraphs)
        return [part.strip() for paragraph in parts for part in paragraph]

    def _kept(self, sentences: Iterable[str]) -> Iterator[str]:
        for sentence in sentences:
            short = sentence[: self._settings.max_sentence_characters].strip()
            if _says_something(short) and not (self._dropped and self._dropped.search(short)):
                yield short


def split_sentences(text: str) -> Iterator[str]:
    """The sentences of one line of text, in time linear in its length.

    A full stop ends one unless a small letter follows, or an abbreviation, an initial or a number goes
    before it; quotation marks and brackets behind the stop belong to the sentence.
    """
    start = 0
    for end in _END.finditer(text):
        if _is_boundary(text, start, end):
            yield text[start : end.end()].strip()
            start = end.end()
    if rest := text[start:].strip():
        yield rest


def _is_boundary(text: str, start: int, end: re.Match[str]) -> bool:
    following = text[end.end() : end.end() + 40].lstrip(_OPENERS)
    if following[:1].islower():
        return False
    if end.group().rstrip() != ".":
        return True
    word = text[max(start, end.start() - 20) : end.start()].split(" ")[-1].lstrip(_OPENERS)
    if word.lower() in _NEVER_LAST:
        return False
    if word.lower() in _AT_TIMES_LAST or _INITIALS.fullmatch(word):
        beginner = re.match(r"[A-Za-z]+", following)
        return not following or (beginner is not None and beginner.group().lower() in _BEGINNERS)
    return True


def _says_something(sentence: str) -> bool:
    """Whether there is a letter in it, or an emoji or another symbol."""
    return any(character.isalpha() or unicodedata.category(character) == "So" for character in sentence)


def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE) if patterns else None
