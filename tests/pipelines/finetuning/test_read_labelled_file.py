"""The user's own file: encodings, columns, rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from MLOps.errors import DataError
from MLOps.settings.sentiment_dataset import LabelledFileSettings, SentimentDatasetSettings
from pipelines.finetuning.read_labelled_file import read_labelled_file

HEADER = "text,label,group,published_at\n"
Read = Callable[..., pd.DataFrame]


@pytest.fixture
def read(tmp_path: Path, default_settings: SentimentDatasetSettings) -> Read:
    def run(data: bytes, encoding: str | None = None, name: str = "own.csv", **columns: str | None) -> pd.DataFrame:
        given: dict[str, Any] = default_settings.sources.file.model_dump()
        given |= {"encoding": encoding, "columns": given["columns"] | columns}
        path = tmp_path / name
        path.write_bytes(data)
        return read_labelled_file(path, LabelledFileSettings.model_validate(given))

    return run


def texts(rows: pd.DataFrame) -> list[str]:
    return list(rows["text"])


CAFE = (HEADER + "café €,1,a,\n").encode()


@pytest.mark.parametrize("encoding", [None, "cp1252"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a byte order mark"])
def test_utf_8_is_read_as_it_is_whatever_is_named(read: Read, encoding: str | None, mark: bytes) -> None:
    assert texts(read(mark + CAFE, encoding)) == ["café €"]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_another_encoding_is_read_when_named(read: Read, encoding: str) -> None:
    assert texts(read((HEADER + "café €,1,a,\n").encode(encoding), encoding)) == ["café €"]


def test_mixed_encodings_are_told_apart_by_line(read: Read) -> None:
    assert texts(read(CAFE + "né €,1,a,\n".encode("cp1252") + "naïve \U0001f680,1,a,\n".encode(), "cp1252")) == [
        "café €",
        "né €",
        "naïve \U0001f680",
    ]


def test_what_fits_no_encoding_names_file_and_line(read: Read) -> None:
    with pytest.raises(DataError, match=r"own\.csv: line 4 holds the byte 0x81; allowed: UTF-8 or cp1252"):
        read(CAFE + b"na\xefve,1,a,\n" + b"\x81bad,1,a,\n", "cp1252")


def test_columns_take_their_names_from_the_settings(read: Read) -> None:
    rows = read(b"Satz,1\nx,y\n", text="Satz", label="1", group=None, published_at=None)
    assert rows.to_dict("records") == [{"row": 1, "text": "x", "label": "y"}]


def test_nothing_is_taken_for_missing_but_nothing(read: Read) -> None:
    """pandas would read these texts as missing ones, and numbers as floats."""
    rows = read((HEADER + "NA,1,007,\nnull,-1,,\nnan,0\n").encode())
    assert texts(rows) == ["NA", "null", "nan"]
    assert rows["group"].tolist() == ["007", "", ""]


def test_a_null_character_ends_no_field(read: Read) -> None:
    assert texts(read((HEADER + "up\0 again,1,a,\n").encode())) == ["up again"]


def test_quoted_fields_hold_line_breaks_and_a_megabyte(read: Read) -> None:
    long = "word " * 200_000
    rows = read((HEADER + f'"a ""b"",\nc",1,a,\n"{long}",1,a,\n').encode())
    assert texts(rows) == ['a "b",\nc', long]
    assert rows["row"].tolist() == [1, 2]


def test_json_lines_keep_their_numbers_and_give_plain_values(read: Read) -> None:
    full = b'{"text": "a \\ud83d", "label": 1, "group": null, "published_at": "2026-01-01"}'
    sparse = b'{"text": "b\\nc", "label": -1.0, "published_at": null}'
    rows = read(full + b"\n\n" + sparse + b"\n", name="own.jsonl")
    assert rows["row"].tolist() == [1, 3]
    assert rows["label"].tolist() == ["1", "-1.0"]
    assert rows["group"].tolist() == ["", ""]
    assert texts(rows) == ["a \ud83d", "b\nc"]
