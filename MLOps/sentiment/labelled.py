"""Labelled sentences: their contract, and their file."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from MLOps.errors import DataError

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
_MEND = "run pipelines/finetuning/prepare_sentiment_dataset.py"


def write_labelled(sentences: pd.DataFrame, path: Path) -> None:
    """Write the sentences as Parquet; equal ones give equal bytes."""
    pq.write_table(pa.Table.from_pandas(sentences, schema=SCHEMA, preserve_index=False), path, compression="zstd")


def read_labelled(path: Path) -> pd.DataFrame:
    """The sentences of a file, index 0..n-1.

    Raises
    ------
    DataError
        If there is no such file, or it does not follow the contract.
    """
    try:
        table = pq.read_table(path)
        frame: pd.DataFrame = table.select(list(COLUMNS)).cast(SCHEMA).to_pandas()
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", "labelled sentences in Parquet", _MEND) from error
    except (pa.ArrowInvalid, pa.ArrowTypeError, KeyError, OSError) as error:
        raise DataError(f"{path}: {error}", f"labelled sentences with {', '.join(COLUMNS)}", _MEND) from error
    return frame
