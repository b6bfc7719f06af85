"""Labelled sentences: their contract, and their file."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from MLOps.parquet_contract import read_contract, write_contract

SPLITS = ("train", "validation", "test")
SCHEMA = pa.schema(
    [
        ("sentence_id", pa.string()),  # 16 hexadecimal digits over group and text
        ("text", pa.string()),  # cleaned, never empty
        ("label", pa.int8()),  # position in MLOps.sentiment.scorer.LABELS
        ("score", pa.float64()),  # mean of the raters in the source's own unit; NaN where only a label was given
        ("group", pa.string()),  # the article; all of its sentences lie in one split
        ("published_at", pa.timestamp("us", tz="UTC")),  # NaT where it is not known
        ("split", pa.string()),  # one of SPLITS
    ]
)
COLUMNS = tuple(SCHEMA.names)


def write_labelled(sentences: pd.DataFrame, path: Path) -> None:
    """Write the sentences as Parquet; equal ones give equal bytes."""
    write_contract(sentences, SCHEMA, path)


def read_labelled(path: Path) -> pd.DataFrame:
    """The sentences of a file; raises as `MLOps.parquet_contract.read_contract` does."""
    return read_contract(path, SCHEMA, "labelled sentences", "run pipelines/finetuning/prepare_sentiment_dataset.py")
