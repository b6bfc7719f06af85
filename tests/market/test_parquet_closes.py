"""Closes of Parquet are the decimals that `repr` writes, and what is wrong is told with its row."""

import io
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from MLOps.errors import DataError
from MLOps.market.close_files import read_closes
from MLOps.market.scaled_decimals import concatenated


def closes_in(path: Path) -> list[Fraction]:
    return [Fraction(int(value), 10**block.decimals) for block in read_closes(path) for value in block.values]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1.5, 20.0, 0.25]),
        pa.array([1.5, 20.0, 0.25], pa.float32()),
        pa.array([Decimal("1.5"), Decimal("20"), Decimal("0.25")], pa.decimal128(10, 4)),
        pa.array([Decimal("1.5"), Decimal("20"), Decimal("0.25")], pa.decimal128(38, 30)),
        pa.array([Decimal("1.5"), Decimal("20"), Decimal("0.25")], pa.decimal256(60, 2)),
    ],
    ids=lambda column: str(column.type),
)
def test_reads_parquet_of_each_type(tmp_path: Path, column: pa.Array) -> None:
    path = tmp_path / "bars.parquet"
    pq.write_table(pa.table({"open": column, "close": column}), path)
    assert closes_in(path) == [Fraction("1.5"), Fraction(20), Fraction("0.25")]


@pytest.mark.parametrize("kind", [pa.int64(), pa.int32(), pa.uint64(), pa.uint8()], ids=str)
def test_reads_parquet_of_integers(tmp_path: Path, kind: pa.DataType) -> None:
    path = tmp_path / "bars.parquet"
    pq.write_table(pa.table({"close": pa.array([3, 0, 200], kind)}), path)
    assert closes_in(path) == [3, 0, 200]


def test_parquet_floats_are_the_decimals_that_repr_writes(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    numbers = [0.1, 1 / 3, 1e-300, 123456.78]
    pq.write_table(pa.table({"close": numbers}), path)
    assert closes_in(path) == [Fraction(repr(number)) for number in numbers]


def test_parquet_and_csv_of_many_rows_agree(tmp_path: Path) -> None:
    closes = np.random.default_rng(3).integers(0, 10**7, 70_000) / 100
    pq.write_table(pa.table({"close": closes}), tmp_path / "bars.parquet")
    np.savetxt(tmp_path / "bars.csv", closes, fmt="%.2f", header="close", comments="")
    read = [concatenated(list(read_closes(tmp_path / name))) for name in ("bars.parquet", "bars.csv")]
    assert read[0].decimals == read[1].decimals == 2
    np.testing.assert_array_equal(read[0].values, read[1].values)


@pytest.mark.parametrize("bad", [None, np.nan, np.inf, -np.inf, -1.0])
def test_parquet_close_that_is_no_number_is_told_with_its_row(tmp_path: Path, bad: float | None) -> None:
    path = tmp_path / "bars.parquet"
    pq.write_table(pa.table({"close": pa.array([1.0] * 70_000 + [bad], pa.float64())}), path)
    with pytest.raises(DataError, match=f"close={bad} in data row 70001; allowed: a finite number of at least 0"):
        closes_in(path)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"open": [1.0]}, "has no column 'close' among open"),
        ({"close": ["1.0"]}, "close is a column of type string"),
        ({"close": pa.array([], pa.float64())}, "holds no row"),
    ],
)
def test_tells_what_is_wrong_with_parquet(tmp_path: Path, columns: dict[str, object], told: str) -> None:
    path = tmp_path / "bars.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(DataError, match=told):
        closes_in(path)


def test_parquet_without_pyarrow_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bars.parquet"
    pq.write_table(pa.table({"close": [1.0]}), path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match="is a Parquet file, and pyarrow is not installed; allowed: CSV"):
        closes_in(path)


def test_torn_parquet_is_told(tmp_path: Path) -> None:
    whole = io.BytesIO()
    pq.write_table(pa.table({"close": [1.0, 2.0]}), whole)
    path = tmp_path / "bars.parquet"
    path.write_bytes(whole.getvalue()[:-20])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        closes_in(path)
