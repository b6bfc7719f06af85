"""Closes of a Parquet file, by batches of rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from MLOps.errors import DataError
from MLOps.market.scaled_decimals import ScaledDecimals, from_floats, from_texts

if TYPE_CHECKING:
    import pyarrow as pa

_NAME = "close"
_BATCH_ROWS = 65_536


def read_parquet_closes(path: Path) -> Iterator[ScaledDecimals]:
    """The column ``close`` in blocks of (N,) closes; floats are the decimals that ``repr`` writes.

    Raises
    ------
    DataError
        If the file is not Parquet, holds no row or no column ``close`` of numbers, or a close is missing or not
        a finite number of at least 0; with the number of the row.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DataError(
            f"{path} is a Parquet file, and pyarrow is not installed", "CSV", "or install pyarrow"
        ) from error
    try:
        with pq.ParquetFile(path) as file:
            _check_schema(path, file.schema_arrow, file.metadata.num_rows)
            rows = 0
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=[_NAME]):
                yield _checked(path, batch.column(0), rows)
                rows += len(batch)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}", "a whole Parquet file, or CSV") from error


def _check_schema(path: Path, schema: "pa.Schema", rows: int) -> None:
    from pyarrow import types

    places = schema.get_all_field_indices(_NAME)
    if len(places) != 1:
        found = "several columns" if places else "no column"
        raise DataError(f"{path} has {found} {_NAME!r} among {', '.join(schema.names)}", f"one column {_NAME!r}")
    kind = schema.field(places[0]).type
    if not (types.is_floating(kind) or types.is_integer(kind) or types.is_decimal(kind)):
        raise DataError(f"{path}: {_NAME} is a column of type {kind}", "floats, integers or decimals")
    if not rows:
        raise DataError(f"{path} holds no row", "at least one row")


def _checked(path: Path, column: "pa.Array", rows_before: int) -> ScaledDecimals:
    """The closes of one batch, once none is missing, NaN, infinite or negative."""
    floats = column.cast("float64", safe=False).to_numpy(zero_copy_only=False)  # NaN where a close is missing
    bad = ~((floats >= 0) & (floats < np.inf))
    if bad.any():
        first = int(bad.argmax())
        place = f"close={column[first].as_py()} in data row {rows_before + first + 1}"
        raise DataError(f"{path}: {place}", "a finite number of at least 0")
    return _scaled(column)


def _scaled(column: "pa.Array") -> ScaledDecimals:
    from pyarrow import types

    if types.is_float64(column.type):
        return from_floats(column.to_numpy())
    if types.is_signed_integer(column.type):
        return ScaledDecimals(column.to_numpy().astype(np.int64), 0)
    if types.is_decimal128(column.type) and column.type.scale >= 0:
        low, high = np.frombuffer(column.buffers()[1], dtype="<i8").reshape(-1, 2)[column.offset :][: len(column)].T
        if not high.any() and (low >= 0).all():
            return ScaledDecimals(low.copy(), column.type.scale)
    return from_texts(map(str, column.to_numpy(zero_copy_only=False)))
