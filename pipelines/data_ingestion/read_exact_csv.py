"""A CSV file whose numbers become the doubles nearest to what is written; pandas' own parser misses some."""

from pathlib import Path

import pandas as pd


def read_exact_csv(path: Path) -> pd.DataFrame:
    """All columns of the file, as `pandas.read_csv` gives them."""
    return pd.read_csv(path, float_precision="round_trip")
