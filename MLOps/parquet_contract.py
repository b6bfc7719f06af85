"""Parquet files whose columns are a contract between two stages."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from MLOps.errors import DataError


def write_contract(frame: pd.DataFrame, schema: pa.Schema, path: Path) -> None:
    """Write the frame with exactly the schema's columns and types; equal frames give equal bytes."""
    pq.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False), path, compression="zstd")


def read_contract(path: Path, schema: pa.Schema, what: str, mend: str) -> pd.DataFrame:
    """The schema's columns of a file, index 0..n-1; other columns are left out.

    Parameters
    ----------
    what : str
        What the file holds, for the error: ``"news scores"``.
    mend : str
        What makes such a file.

    Raises
    ------
    DataError
        If there is no such file, or it does not follow the schema.
    """
    try:
        frame: pd.DataFrame = pq.read_table(path).select(schema.names).cast(schema).to_pandas()
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", f"{what} in Parquet", mend) from error
    except (pa.ArrowInvalid, pa.ArrowTypeError, KeyError, OSError) as error:
        raise DataError(f"{path}: {error}", f"{what} with {', '.join(schema.names)}", mend) from error
    return frame
