"""Which companies a sentence speaks of: names, tickers, and the contexts in which a name means something else."""

import re
from collections.abc import Iterable, Mapping

from MLOps.settings.company_names import ELLIPSIS, NAME, Company

_START = r"(?<![\w@#$])"
_END = r"(?![\w+]|\.(?:com|org|net)\b)"  # "Google+" is a network, "Facebook.com" an address
_GAP = r"[\s-]++"
_APOSTROPHE = "['\u2019]"
_EXCHANGES = ("NASDAQ", "Nasdaq", "NYSE")
_SHORTEST_IN_CAPITALS = 4  # letters of a name that headlines in capitals may shout


class CompanyNames:
    """Finds the companies that a text speaks of, in time linear in its length.

    A company is named where one of its names or products stands as a word of its own, or its ticker
    as a cashtag (`$AAPL`) or behind its exchange (`NASDAQ: AAPL`). Case counts: an "apple" is a
    fruit. A name does not count where the words around it say that something else is spoken of
    ("posted on Facebook", "the Big Apple", "the Amazon").

    Dates play no part: a former name means the company at any time, as its ticker does in the data.

    Parameters
    ----------
    companies : mapping of str to Company
        ``companies`` of config/company_names.yaml.
    """

    def __init__(self, companies: Mapping[str, Company]) -> None:
        self._by_beginning: dict[str, set[str]] = {}
        for key, company in companies.items():
            for beginning in _beginnings(company):
                self._by_beginning.setdefault(beginning, set()).add(key)
        self._beginning = re.compile("|".join(map(re.escape, sorted(self._by_beginning, reverse=True))))
        self._pattern = {key: _pattern(company) for key, company in companies.items()}
        self._tickers = {key: frozenset(company.tickers) for key, company in companies.items()}

    def find(self, sentence: str) -> frozenset[str]:
        """The tickers of the companies that `sentence` speaks of."""
        found: frozenset[str] = frozenset()
        beginnings = set(self._beginning.findall(sentence))  # none in most sentences, and the rest costs more
        for key in {key for beginning in beginnings for key in self._by_beginning[beginning]}:
            if any(match.lastgroup for match in self._pattern[key].finditer(sentence)):
                found |= self._tickers[key]
        return found


def _beginnings(company: Company) -> set[str]:
    """What every mention of the company begins with."""
    words = {name.split()[0] for name in _spellings(company.names + company.products)}
    return words | {f"${ticker}" for ticker in company.tickers} | set(_EXCHANGES)


def _pattern(company: Company) -> re.Pattern[str]:
    """Fits every mention of the company, a context with the name in it, and names a group where it is meant.

    Of alternatives that fit at one place the first is taken, and what it took is not looked at again.
    """
    tickers = "|".join(map(re.escape, company.tickers))
    symbols = rf"\$(?:{tickers})\b|(?:{'|'.join(_EXCHANGES)})\s?:\s?(?:{tickers})\b"
    mention = f"{_START}(?:{_spelled(company.names + company.products)}{_END}|{symbols})"
    meant = [f"(?P<context_{i}>{_context(words, company)})" for i, words in enumerate(company.company_contexts)]
    other = [_context(words, company) for words in company.other_contexts]
    return re.compile("|".join([*meant, *other, f"(?P<name>{mention})"]))


def _context(words: str, company: Company) -> str:
    return rf"(?<!\w){''.join(_word(word, company) for word in words.split()).removesuffix(_GAP)}(?!\w)"


def _word(word: str, company: Company) -> str:
    """A word of a context and the gap behind it."""
    if word == ELLIPSIS:
        return rf"(?:\S++{_GAP}){{0,4}}?"
    if word.startswith(NAME):
        return _spelled(company.names) + word.removeprefix(NAME).replace("'", _APOSTROPHE) + _GAP
    return f"(?i:{'|'.join(map(re.escape, word.split('|')))})" + _GAP


def _spelled(names: Iterable[str]) -> str:
    """Any of `names`; of two that begin alike the longer one."""
    ordered = sorted(_spellings(names), key=lambda name: (-len(name), name))
    return f"(?:{'|'.join(_GAP.join(map(re.escape, name.split())) for name in ordered)})"


def _spellings(names: Iterable[str]) -> set[str]:
    """`names` as they are written and in capitals."""
    return {*names, *(name.upper() for name in names if len(name) >= _SHORTEST_IN_CAPITALS)}
