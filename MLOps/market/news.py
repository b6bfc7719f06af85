"""News articles: their contract, and when each one was known."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from MLOps.errors import DataError

SCHEMA = pa.schema(
    [
        ("published_at", pa.timestamp("us", tz="UTC")),  # midnight UTC of the date where only the date is known
        ("is_date_only", pa.bool_()),  # only the date of publication is known
        ("title", pa.string()),
        ("text", pa.string()),
        ("source", pa.string()),
        ("article_id", pa.string()),  # unique within its source
    ]
)
COLUMNS = tuple(SCHEMA.names)
_MEND = "run pipelines/data_ingestion/data_ingestion_pipeline.py"


def as_news(frame: pd.DataFrame, place: str = "news") -> pd.DataFrame:
    """`frame` with the contract's columns and types, sorted by time, source and id; index 0..n-1.

    A missing title or text becomes the empty string. Of articles with the same source and id the
    one that was published last stays, so that nothing is known before it was written.

    Raises
    ------
    DataError
        If a column is missing or cannot be read as its type, or a time of publication is missing.
    """
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise DataError(f"{place}: no column {', '.join(missing)}", ", ".join(COLUMNS), _MEND)
    frame = frame[list(COLUMNS)].copy()
    frame[["title", "text"]] = frame[["title", "text"]].fillna("")
    frame["article_id"] = frame["article_id"].astype("string")
    if frame["published_at"].isna().any():
        raise DataError(f"{place}: {int(frame['published_at'].isna().sum())} articles without published_at")
    frame = frame.sort_values(["published_at", "source", "article_id"], kind="stable")
    frame = frame.drop_duplicates(["source", "article_id"], keep="last")
    try:
        table = pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"{place}: {error}", "the types of MLOps/market/news.py", _MEND) from error
    return _frame(table)


def content_sha256(title: str, text: str) -> str:
    """Digest of what an article says, as its source gave it."""
    return hashlib.sha256(json.dumps([title, text]).encode()).hexdigest()


def no_news() -> pd.DataFrame:
    """News without an article."""
    return _frame(SCHEMA.empty_table())


def _frame(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    return frame.astype({"published_at": "datetime64[us, UTC]"})


def write_news(news: pd.DataFrame, path: Path) -> None:
    """Write `news` as Parquet; equal news give equal bytes."""
    pq.write_table(pa.Table.from_pandas(news, schema=SCHEMA, preserve_index=False), path, compression="zstd")


def read_news(path: Path) -> pd.DataFrame:
    """The articles of a Parquet file.

    Raises
    ------
    DataError
        If there is no such file or it does not follow the contract.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", "news in Parquet", _MEND) from error
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is not a Parquet file: {error}", "news in Parquet", _MEND) from error
    return as_news(table.to_pandas(), str(path))


def known_at(news: pd.DataFrame, timezone: str) -> pd.Series:
    """When each article was known, as datetime64[us, UTC]; a decision may use it strictly after that.

    That is its time of publication. An article of which only the date is known counts as known at
    the end of that day in the exchange's `timezone`: it may have been written in the evening.

    Parameters
    ----------
    news : DataFrame
        Columns published_at (UTC; its date where only that is known) and is_date_only.
    timezone : str
        IANA name, as in ``America/New_York``.
    """
    published = news["published_at"].astype("datetime64[us, UTC]")
    # in microseconds, which reach beyond the year 2262, where pandas' own nanoseconds end
    day_after = published.dt.tz_localize(None).dt.normalize() + pd.Timedelta(days=1).as_unit("us")
    # where the clocks change at midnight, it comes an hour later, or twice: then the second one counts
    is_summer_time = np.zeros(len(news), dtype=np.bool_)
    midnight = day_after.dt.tz_localize(timezone, ambiguous=is_summer_time, nonexistent="shift_forward")
    return published.mask(news["is_date_only"], midnight.dt.tz_convert("UTC"))
