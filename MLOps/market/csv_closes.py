"""Closes of a CSV file: blocks of plain rows are read whole, by several threads, any others row by row."""

import os
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
from MLOps.market.digit_words import plain_decimals
from MLOps.market.scaled_decimals import ScaledDecimals

_MOST_WORKERS = 8  # as many as one thread can read for; bounds the memory too


class _Block(NamedTuple):
    text: bytearray
    closes: ScaledDecimals | None  # None where they must be read row by row


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
        others = (later.text for later in blocks)  # where a quoted field goes on in them
        for closes in read_rows(chain([block.text], others), column, rows):
            yield closes
            rows += len(closes.values)


def _read_ahead(texts: Iterator[bytearray], column: CloseColumn) -> Iterator[_Block]:
    """The blocks in their order, with a few more in work than there are processors."""
    yield _read(next(texts), column)
    second = next(texts, None)
    if second is None:
        return  # no thread for a short file
    workers = min(len(os.sched_getaffinity(0)), _MOST_WORKERS)
    in_work: deque[Future[_Block]] = deque()
    with ThreadPoolExecutor(workers, initializer=_leave_signals) as pool:
        for text in chain([second], texts):
            in_work.append(pool.submit(_read, text, column))
            if len(in_work) > workers + 1:
                yield in_work.popleft().result()
        while in_work:
            yield in_work.popleft().result()


def _leave_signals() -> None:
    """Leave to the main thread those that stop a program: it decides when they come through."""
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))


def _read(text: bytearray, column: CloseColumn) -> _Block:
    bounds = field_bounds(text, column.place, column.count) if _is_utf8(text) else None
    return _Block(text, plain_decimals(text, *bounds) if bounds else None)


def _is_utf8(text: bytearray) -> bool:
    if text.isascii():
        return True
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
