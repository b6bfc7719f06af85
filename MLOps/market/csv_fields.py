"""Where the fields of a column lie in a block of CSV rows, found for all rows at once."""

import numpy as np
import numpy.typing as npt

from MLOps.market.digit_words import Positions

_COMMA, _LINE_FEED, _RETURN, _QUOTE = b',\n\r"'
Characters = npt.NDArray[np.uint8]


def field_bounds(text: bytes | bytearray, place: int, count: int) -> tuple[Positions, Positions] | None:
    """Start and end of the fields at `place`, from 0, in N rows of `count` fields: (N,) each, quotes left out.

    None if a row has not `count` fields, a carriage return ends no line, or a quoted field holds a comma, a
    line feed or a quote: then separators do not tell where the fields lie.

    Parameters
    ----------
    text : bytes
        A line without commas, of which nothing is told, and N lines; each ends with a line feed.
    """
    characters = np.frombuffer(text, dtype=np.uint8)
    is_line_end = characters == _LINE_FEED
    separators = np.flatnonzero(is_line_end | (characters == _COMMA))
    rows, spare = divmod(len(separators) - 1, count)
    if spare or np.count_nonzero(is_line_end) != rows + 1 or not is_line_end[separators[count::count]].all():
        return None
    befores, ends = separators[:-1], separators[1:]
    if b"\r" in text:
        returns = np.flatnonzero(characters == _RETURN)
        if not is_line_end[returns + 1].all():
            return None
        ends = ends - (characters[ends - 1] == _RETURN)
    has_quotes = b'"' in text
    if has_quotes and not _are_simply_quoted(characters, befores + 1, ends):
        return None
    starts, ends = befores[place::count] + 1, ends[place::count]
    is_quoted = characters[starts] == _QUOTE if has_quotes else 0
    return starts + is_quoted, ends - is_quoted


def _are_simply_quoted(characters: Characters, starts: Positions, ends: Positions) -> bool:
    """Whether each quote opens or closes a field: then no field holds one, nor a comma or a line feed."""
    opens = characters[starts] == _QUOTE
    closes = (characters[ends - 1] == _QUOTE) & (ends - starts > 1)
    quotes = np.count_nonzero(characters == _QUOTE)
    return bool((opens == closes).all()) and quotes == 2 * np.count_nonzero(opens)
