"""Prices a minute of a quiet market in the columns of the signal-rate job, as CSV or Parquet of any length.

The close moves by at most two cents a row, so that one row in twenty equals its rolling mean: where a floating mean
decides by accident.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

COLUMNS = ("timestamp", "open", "high", "low", "close", "volume_btc", "volume_usd")
_BLOCK_ROWS = 1 << 18
_FIRST_CENTS, _LARGEST_STEP_CENTS = 4_000_000, 2
_FIRST_SECOND, _SECONDS_A_ROW = 1_483_228_800, 60  # from 2017-01-01 00:00 UTC on
_SEED = 5

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """Rows in a row.

    Attributes
    ----------
    seconds, open, high, low, close, volume_btc, volume_usd : numpy.ndarray
        (n,) integers: seconds since 1970, prices in cents, volumes in hundredths.
    """

    seconds: IntArray
    open: IntArray
    high: IntArray
    low: IntArray
    close: IntArray
    volume_btc: IntArray
    volume_usd: IntArray

    def as_decimals(self) -> pa.Table:
        """Numbers with two decimals, as a file of prices has them."""
        prices = (self.open, self.high, self.low, self.close, self.volume_btc, self.volume_usd)
        return pa.table([_times(self.seconds), *map(_decimals, prices)], names=COLUMNS)

    def as_floats(self) -> pa.Table:
        """Numbers as floats, as most libraries write Parquet: each the nearest one to its two decimals."""
        prices = (self.open, self.high, self.low, self.close, self.volume_btc, self.volume_usd)
        return pa.table([_times(self.seconds), *(pa.array(cents / 100) for cents in prices)], names=COLUMNS)


def blocks(rows: int) -> Iterator[Block]:
    """The market's first `rows` rows; a shorter one is the beginning of a longer one."""
    endless = _endless_blocks()
    for first in range(0, rows, _BLOCK_ROWS):
        (block,) = islice(endless, 1)
        size = min(_BLOCK_ROWS, rows - first)
        yield Block(**{name: values[:size] for name, values in vars(block).items()})


def write_csv(path: Path, rows: int) -> None:
    """`rows` rows below a header, about 70 bytes each; memory does not grow with them."""
    options = pa_csv.WriteOptions(quoting_style="none", quoting_header="none")
    schema = next(blocks(1)).as_decimals().schema
    with pa_csv.CSVWriter(path, schema, write_options=options) as writer:
        for block in blocks(rows):
            writer.write_table(block.as_decimals())


def write_parquet(path: Path, rows: int) -> None:
    """The same rows as floats."""
    schema = next(blocks(1)).as_floats().schema
    with pq.ParquetWriter(path, schema) as writer:
        for block in blocks(rows):
            writer.write_table(block.as_floats())


def exact_signals(rows: int, window: int) -> npt.NDArray[np.bool_]:
    """(rows,) whether each close is above the mean of the `window` closes up to it, in whole cents; at first False."""
    close = np.concatenate([block.close for block in blocks(rows)])
    sums = np.convolve(close, np.ones(window, dtype=np.int64))[window - 1 : rows]
    return np.concatenate([np.zeros(window - 1, dtype=bool), window * close[window - 1 :] > sums])


def exact_signal_count(rows: int, window: int) -> int:
    """How many of them are True, for so many rows that they need not fit into memory."""
    count, before = 0, np.empty(0, dtype=np.int64)
    for block in blocks(rows):
        close = np.concatenate([before, block.close])
        sums = np.convolve(close, np.ones(window, dtype=np.int64), mode="valid")
        count += int((window * close[window - 1 :] > sums).sum())
        before = close[len(close) - (window - 1) :]
    return count


def _endless_blocks() -> Iterator[Block]:
    generator = np.random.default_rng(_SEED)
    last, second = _FIRST_CENTS, _FIRST_SECOND
    while True:
        steps = generator.integers(-_LARGEST_STEP_CENTS, _LARGEST_STEP_CENTS, _BLOCK_ROWS, endpoint=True)
        close = last + np.cumsum(steps)
        opened = close - steps
        above, below = generator.integers(0, 500, (2, _BLOCK_ROWS))
        volume = generator.integers(1, 100_000, _BLOCK_ROWS)
        yield Block(
            seconds=second + _SECONDS_A_ROW * np.arange(_BLOCK_ROWS),
            open=opened,
            high=np.maximum(opened, close) + above,
            low=np.minimum(opened, close) - below,
            close=close,
            volume_btc=volume,
            volume_usd=volume * close // 100,
        )
        last, second = int(close[-1]), second + _SECONDS_A_ROW * _BLOCK_ROWS


def _times(seconds: IntArray) -> pa.Array:
    return pa.array(seconds.astype("datetime64[s]"))


def _decimals(cents: IntArray) -> pa.Array:
    """Whole cents as decimals with two places, without a way through floats or text."""
    words = np.stack([cents, cents >> 63], axis=1)  # a decimal is a 128-bit integer, the low word first
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(cents), [None, pa.py_buffer(words)])
