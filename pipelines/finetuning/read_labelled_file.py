"""The source `file`: the user's own CSV or JSONL, every value as text."""

import codecs
import io
import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from MLOps.errors import DataError
from MLOps.settings.sentiment_dataset import LabelledFileSettings

_LOG = logging.getLogger(__name__)
_MEND = "sources.file"


def read_labelled_file(path: Path, settings: LabelledFileSettings) -> pd.DataFrame:
    """The file's rows: column row (1 is the first), and the named ones of `settings.columns`.

    Values are str, empty where nothing stands.

    Raises
    ------
    DataError
        If the file is of another kind, cannot be decoded or parsed, lacks a column or has no row.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path} is of no known kind", ", ".join(_READERS), "sources.file.path")
    frame = reader(_decoded(path, settings.encoding), path)
    if frame.empty:
        raise DataError(f"{path} has no rows", "at least one row", "sources.file.path")
    columns = {ours: theirs for ours, theirs in settings.columns.model_dump().items() if theirs is not None}
    missing = [f"{theirs} ({ours})" for ours, theirs in columns.items() if theirs not in frame.columns]
    if missing:
        held = ", ".join(map(str, frame.columns))
        raise DataError(f"{path}: no column {', '.join(missing)}", f"{held}, or null", "sources.file.columns")
    return pd.DataFrame({"row": frame.index} | {ours: frame[theirs] for ours, theirs in columns.items()})


def _decoded(path: Path, encoding: str | None) -> str:
    """The file's text: UTF-8, and what is not so in `encoding`, line by line where that can be told apart."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if encoding is None:
            raise _undecodable(path, data, error, "UTF-8, or the encoding named") from error
    try:
        if "\n".encode(encoding) != b"\n":
            return data.decode(encoding)
        lines = data.removeprefix(codecs.BOM_UTF8).split(b"\n")
        texts = [_line(line, encoding) for line in lines]
    except UnicodeDecodeError as error:
        raise _undecodable(path, data, error, f"UTF-8 or {encoding}") from error
    _LOG.warning("%s: read as %s where it is not UTF-8", path, encoding)
    return "\n".join(texts)


def _line(line: bytes, encoding: str) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode(encoding)


def _undecodable(path: Path, data: bytes, error: UnicodeDecodeError, allowed: str) -> DataError:
    """Names the line; of a single one that was decoded by itself it is looked up in the whole."""
    place = data.find(error.object) + error.start
    line, byte = data.count(b"\n", 0, place) + 1, data[place]
    return DataError(f"{path}: line {line} holds the byte 0x{byte:02x}", allowed, "the file, or sources.file.encoding")


def _csv(text: str, path: Path) -> pd.DataFrame:
    whole = text.replace("\0", "")  # pandas would end the field there
    try:
        frame = pd.read_csv(io.StringIO(whole), dtype=object, keep_default_na=False)
    except (ValueError, OverflowError) as error:  # pandas derives its parse errors from ValueError
        raise DataError(f"{path} is no CSV ({' '.join(str(error).split())[:200]})", mend=_MEND) from error
    if not isinstance(frame.index, pd.RangeIndex):
        raise DataError(f"{path}: rows have more fields than the header", "one field a column", "the file")
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return frame.fillna("")


def _jsonl(text: str, path: Path) -> pd.DataFrame:
    records: dict[int, dict[str, Any]] = {}
    broken: list[int] = []
    for row, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            records[row] = {name: _plain(value) for name, value in dict(json.loads(line)).items()}
        except (ValueError, TypeError, RecursionError):
            broken.append(row)
    if broken:
        first = ", ".join(map(str, broken[:3]))
        raise DataError(
            f"{path}: {len(broken)} lines (first: {first}) are no JSON object of plain values",
            'lines such as {"text": "...", "label": "positive"}',
            "the file",
        )
    return pd.DataFrame.from_dict(records, orient="index", dtype=object).fillna("")


def _plain(value: object) -> str:
    if isinstance(value, dict | list):
        raise TypeError("no plain value")
    return "" if value is None else str(value)


_READERS = {".csv": _csv, ".jsonl": _jsonl}
