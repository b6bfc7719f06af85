"""Closes of a CSV file: blocks of plain rows are read whole, by several threads, any other row by row."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from MLOps.market.csv_blocks import read_blocks
from MLOps.market.csv_rows import CloseColumn, read_rows
from MLOps.market.digit_words import LEAD, Positions, plain_decimals
from MLOps.market.scaled_decimals import ScaledDecimals

_COMMA, _LINE_FEED, _RETURN = b",\n\r"
_LEAD = b"0" * (LEAD - 1) + b"\n"
_QUOTE = b'"'


class _Block(NamedTuple):
    text: bytes
    closes: ScaledDecimals | None  # None where a row is not plain


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
    blocks = _read_ahead(texts, column)
    for block in blocks:
        if block.closes is not None:
            yield block.closes
            rows += len(block.closes.values)
            continue
        # From a quote on, a line may end within a field: then blocks are no longer made of whole rows.
        others = (later.text for later in blocks) if _QUOTE in block.text else ()
        for closes in read_rows(chain([block.text], others), column, rows):
            yield closes
            rows += len(closes.values)


def _read_ahead(texts: Iterator[bytes], column: CloseColumn) -> Iterator[_Block]:
    """The blocks in their order, with a few more in work than there are processors."""
    first = next(texts)
    second = next(texts, None)
    yield _Block(first, _plain_closes(first, column))
    if second is None:
        return
    workers = len(os.sched_getaffinity(0))
    in_work: deque[tuple[bytes, Future[ScaledDecimals | None]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for text in chain([second], texts):
            in_work.append((text, pool.submit(_plain_closes, text, column)))
            if len(in_work) > workers + 1:
                yield _done(*in_work.popleft())
        while in_work:
            yield _done(*in_work.popleft())


def _done(text: bytes, closes: "Future[ScaledDecimals | None]") -> _Block:
    return _Block(text, closes.result())


def _plain_closes(text: bytes, column: CloseColumn) -> ScaledDecimals | None:
    """The closes of rows that are not quoted, not ragged and hold numbers of the plain form; else None."""
    if _QUOTE in text or not _is_utf8(text):
        return None
    text = _LEAD + text
    bounds = _close_bounds(text, column)
    return plain_decimals(text, *bounds) if bounds else None


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _close_bounds(text: bytes, column: CloseColumn) -> tuple[Positions, Positions] | None:
    """Start and end of each close, (N,) each; None if a row is ragged or a carriage return ends no line."""
    characters = np.frombuffer(text, dtype=np.uint8)
    line_ends = characters == _LINE_FEED
    separators = np.flatnonzero(line_ends | (characters == _COMMA))  # the first is the end of the lead
    rows, spare = divmod(len(separators) - 1, column.count)
    row_ends = separators[column.count :: column.count]
    if spare or np.count_nonzero(line_ends) != rows + 1 or not line_ends[row_ends].all():
        return None
    starts, ends = separators[column.place : -1 : column.count] + 1, separators[column.place + 1 :: column.count]
    if _RETURN in text:
        returns = np.flatnonzero(characters == _RETURN)
        if not line_ends[returns + 1].all():
            return None
        ends = ends - (characters[ends - 1] == _RETURN)
    return starts, ends
