"""Closes of a CSV file: blocks of plain rows are read whole, any others row by row.

A thread finds the fields of the next blocks while the caller reads the numbers of this one: it works on every byte, in
few long calls that leave Python's lock to the other; numbers take many short ones, which gain nothing from threads.
"""

import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from MLOps.market.csv_blocks import read_blocks
from MLOps.market.csv_fields import field_bounds
from MLOps.market.csv_rows import CloseColumn, read_rows
from MLOps.market.digit_words import Positions, plain_decimals
from MLOps.market.scaled_decimals import ScaledDecimals

_BLOCKS_AHEAD = 2  # bounds the memory


class _Block(NamedTuple):
    text: bytearray
    bounds: tuple[Positions, Positions] | None  # of the closes; None where they must be read row by row


def read_csv_closes(path: Path) -> Iterator[ScaledDecimals]:
    """The column ``close`` in blocks of (N,) closes; `MLOps.market.csv_rows` says what a row may look like.

    Raises
    ------
    DataError
        If there is no such file, it is no CSV file in UTF-8 with one column ``close`` and with rows, or a row is
        ragged or its close not a finite number of at least 0; with the number of the row.
    """
    names, texts = read_blocks(path)
    column = CloseColumn.among(names, path)
    rows = 0
    blocks = _found_ahead(texts, column)
    for text, bounds in blocks:
        plain = plain_decimals(text, *bounds) if bounds else None
        if plain is not None:
            yield plain
            rows += len(plain.values)
            continue
        others = (later.text for later in blocks)  # where a quoted field goes on in them
        for closes in read_rows(chain([text], others), column, rows):
            yield closes
            rows += len(closes.values)


def _found_ahead(texts: Iterator[bytearray], column: CloseColumn) -> Iterator[_Block]:
    """The blocks in their order, each with the places of its closes."""
    yield _find(next(texts), column)
    second = next(texts, None)
    if second is None:
        return  # no thread for a short file
    in_work: deque[Future[_Block]] = deque()
    with ThreadPoolExecutor(1, initializer=_leave_signals) as finder:
        for text in chain([second], texts):
            in_work.append(finder.submit(_find, text, column))
            if len(in_work) > _BLOCKS_AHEAD:
                yield in_work.popleft().result()
        while in_work:
            yield in_work.popleft().result()


def _leave_signals() -> None:
    """Leave to the main thread those that stop a program: it decides when they come through."""
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))


def _find(text: bytearray, column: CloseColumn) -> _Block:
    return _Block(text, field_bounds(text, column.place, column.count) if _is_utf8(text) else None)


def _is_utf8(text: bytearray) -> bool:
    if text.isascii():
        return True
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
