"""Signal rates by pandas and polars with a floating rolling mean; run by an interpreter of its own (peer_process.py).

Arguments: the CSV, its twin in Parquet, the window, a folder for the signals, and the ways to go. It stores each row's
signal by each way, then times all ways for each line that comes in.
"""

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np


def by_pandas(table: Path, window: int) -> Any:
    """All columns, as one writes it."""
    import pandas as pd

    return _pandas_signals(pd.read_csv(table), window)


def by_pandas_usecols(table: Path, window: int) -> Any:
    """The column that is needed."""
    import pandas as pd

    return _pandas_signals(pd.read_csv(table, usecols=["close"]), window)


def by_pandas_parquet(table: Path, window: int) -> Any:
    """Out of Parquet, the column that is needed."""
    import pandas as pd

    return _pandas_signals(pd.read_parquet(table.with_suffix(".parquet"), columns=["close"]), window)


def by_polars(table: Path, window: int) -> Any:
    """A lazy scan, which parses no other column and lets ragged rows pass."""
    import polars as pl

    close = pl.col("close")
    return pl.scan_csv(table).select(close > close.rolling_mean(window)).collect()["close"].fill_null(value=False)


def _pandas_signals(table: Any, window: int) -> Any:
    return table["close"] > table["close"].rolling(window).mean()


WAYS: dict[str, Callable[[Path, int], Any]] = {
    "pandas": by_pandas,
    "pandas_usecols": by_pandas_usecols,
    "pandas_parquet": by_pandas_parquet,
    "polars": by_polars,
}


def main(table: Path, window: int, folder: Path, names: list[str]) -> None:
    """Warm up, store the signals, then time each way for each line that comes in."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for name in names:
        np.save(folder / f"{name}.npy", WAYS[name](table, window).to_numpy())
    libraries = {name.partition("_")[0] for name in names}
    print(json.dumps({name: version(name) for name in sorted(libraries)}), file=answers, flush=True)
    for _ in sys.stdin:
        print(json.dumps({name: _timed(WAYS[name], table, window) for name in names}), file=answers, flush=True)


def _timed(way: Callable[[Path, int], Any], table: Path, window: int) -> dict[str, float]:
    """Time to the rate, and processor time of all threads."""
    started, cpu_started = perf_counter(), process_time()
    way(table, window).mean()
    return {"seconds": perf_counter() - started, "cpu_seconds": process_time() - cpu_started}


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
