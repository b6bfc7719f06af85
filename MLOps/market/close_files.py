"""Closes of a CSV or Parquet file, block by block, as exact decimals."""

import os
from collections.abc import Iterator
from pathlib import Path

from MLOps.market.csv_blocks import opened
from MLOps.market.csv_closes import read_csv_closes
from MLOps.market.scaled_decimals import ScaledDecimals

_PARQUET_MAGIC = b"PAR1"


def read_closes(path: Path) -> Iterator[ScaledDecimals]:
    """The column ``close`` in blocks of (N,) closes, in bounded memory whatever the size of the file.

    The file's first bytes tell the format. In CSV, a close is the decimal that is written; in Parquet, a float
    is the decimal that ``repr`` writes.

    Raises
    ------
    DataError
        If there is no such file, it is no CSV or Parquet with rows and a column ``close``, or a row is ragged
        or its close not a finite number of at least 0; with the number of the row.
    """
    if not _is_parquet(path):
        return read_csv_closes(path)
    from MLOps.market.parquet_closes import read_parquet_closes  # needs pyarrow, which CSV does without

    return read_parquet_closes(path)


def _is_parquet(path: Path) -> bool:
    """Whether the file begins as Parquet; a pipe, of which a look would take the beginning, is CSV."""
    if not os.path.isfile(path):  # noqa: PTH113 - of a place that may not be reached, the CSV reader tells why
        return False
    with opened(path) as file:
        return file.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC
