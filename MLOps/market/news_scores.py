"""Sentiment of news: the contract between the stage that scores articles and the features."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from MLOps.errors import DataError

SCHEMA = pa.schema(
    [
        ("source", pa.string()),  # with article_id the article, as in MLOps/market/news.py
        ("article_id", pa.string()),
        ("ticker", pa.string()),  # company that the scored sentences name; empty: the article as a whole
        ("content_sha256", pa.string()),  # digest of the title and text that were scored
        ("sentences", pa.int32()),  # how many were scored
        ("negative", pa.float64()),  # weighted mean of the sentences' probabilities
        ("neutral", pa.float64()),
        ("positive", pa.float64()),
        ("score", pa.float64()),  # positive - negative, -1 to 1
        ("model_sha256", pa.string()),  # digest of the model that scored
    ]
)
COLUMNS = tuple(SCHEMA.names)
_MEND = "run pipelines/sentiment_model/score_news.py"


def write_scores(scores: pd.DataFrame, path: Path) -> None:
    """Write the scores as Parquet, sorted by source, article and ticker; equal ones give equal bytes."""
    ordered = scores.sort_values(["source", "article_id", "ticker"], kind="stable")
    pq.write_table(pa.Table.from_pandas(ordered, schema=SCHEMA, preserve_index=False), path, compression="zstd")


def read_scores(path: Path) -> pd.DataFrame:
    """The scores of a file, index 0..n-1.

    Raises
    ------
    DataError
        If there is no such file, or it does not follow the contract.
    """
    try:
        table = pq.read_table(path)
        frame: pd.DataFrame = table.select(list(COLUMNS)).cast(SCHEMA).to_pandas()
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", "news scores in Parquet", _MEND) from error
    except (pa.ArrowInvalid, pa.ArrowTypeError, KeyError, OSError) as error:
        raise DataError(f"{path}: {error}", f"news scores with {', '.join(COLUMNS)}", _MEND) from error
    return frame
