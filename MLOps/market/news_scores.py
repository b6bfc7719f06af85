"""Sentiment of news: the contract between the stage that scores articles and the features."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from MLOps.parquet_contract import read_contract, write_contract

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


def write_scores(scores: pd.DataFrame, path: Path) -> None:
    """Write the scores as Parquet, sorted by source, article and ticker; equal ones give equal bytes."""
    write_contract(scores.sort_values(["source", "article_id", "ticker"], kind="stable"), SCHEMA, path)


def read_scores(path: Path) -> pd.DataFrame:
    """The scores of a file; raises as `MLOps.parquet_contract.read_contract` does."""
    return read_contract(path, SCHEMA, "news scores", "run pipelines/sentiment_model/score_news.py")
