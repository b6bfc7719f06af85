"""Streams the closes of a CSV through pyarrow's parser and keeps none: what parsing alone costs, as a process."""

import sys

import pyarrow as pa
import pyarrow.csv as pa_csv


def main(table: str) -> None:
    """Parse it to its end."""
    closes = pa_csv.open_csv(
        table,
        read_options=pa_csv.ReadOptions(block_size=1 << 22),
        convert_options=pa_csv.ConvertOptions(include_columns=["close"], column_types={"close": pa.float64()}),
    )
    for _ in closes:
        pass


if __name__ == "__main__":
    main(sys.argv[1])
