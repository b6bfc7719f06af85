"""Bad input through the command line: one clear line, the exit status of its kind, nothing published."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from MLOps.artifacts import sha256_of

Prepare = Callable[..., Any]
Change = Callable[[pd.DataFrame], pd.DataFrame]
PUBLISHED = "data/labelled/labelled_sentences.parquet"


def with_values(column: str, values: dict[int, str]) -> Change:
    """Put the values into the column's rows, by position."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        changed = frame.copy()
        changed.loc[list(values), column] = list(values.values())
        return changed

    return change


BAD_ROWS: dict[str, tuple[Change, str]] = {
    "labels outside the set": (
        with_values("label", {1: "bullish", 4: "2", 8: "", 9: "bullish"}),
        "label is none of negative, -1, neutral, 0, positive, 1: 4 rows (row 2: 'bullish', row 5: '2', row 9: '', ...)",
    ),
    "one class only": (lambda frame: frame.assign(label="neutral"), "all 60 sentences are neutral"),
    "a class in one article": (
        lambda frame: frame.assign(label=["positive", *["neutral", "negative"] * 29, "neutral"]),
        "has no positive sentence",
    ),
    "groups missing": (with_values("group", {0: "", 5: " "}), "group is missing or no Unicode text: 2 rows (row 1: ''"),
    "unreadable dates": (
        with_values("published_at", {3: "yesterday", 7: "2026-13-01"}),
        "published_at is no time in ISO 8601: 2 rows (row 4: 'yesterday', row 8: '2026-13-01')",
    ),
    "two kinds at once": (
        lambda frame: with_values("group", {0: ""})(with_values("label", {1: "up"})(frame)),
        "label is none of negative, -1, neutral, 0, positive, 1: 1 rows (row 2: 'up'); group is missing",
    ),
    "a date in the future": (
        with_values("published_at", {3: "2026-11-21T00:00:00Z"}),
        "sentences fail their validation (published after the run's date: 1; first: ['",
    ),
    "no text at all": (lambda frame: frame.assign(text="&nbsp;<br/>"), "none of 60 rows has a text"),
    "no rows": (lambda frame: frame[:0], "own.csv has no rows"),
    "no column of labels": (
        lambda frame: frame.rename(columns={"label": "mood"}),
        "no column label (label); allowed: text, mood, group, published_at, or null; mend: sources.file.columns",
    ),
    "no column of groups": (lambda frame: frame.drop(columns="group"), "no column group (group)"),
}


@pytest.mark.parametrize(("change", "message"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_bad_rows_end_in_one_clear_line(
    prepare_own: Prepare, own_sentences: pd.DataFrame, workspace: Path, change: Change, message: str
) -> None:
    outcome = prepare_own(change(own_sentences), "--run_date", "2026-11-20")
    assert outcome.status == 3
    assert message in outcome.last_line
    assert not list((workspace / "data").glob("labelled/*"))


def test_scores_off_the_scale_are_all_told(prepare_own: Prepare, own_sentences: pd.DataFrame) -> None:
    frame = own_sentences.assign(score=["1.5", "high", "", "nan", *["0.5"] * 56])
    decides = ("sources.file.columns.score=score", "sources.file.columns.label=null")
    outcome = prepare_own(frame, *decides)
    assert outcome.status == 3
    assert "score is no number from -1 to 1: 4 rows (row 1: '1.5', row 2: 'high', row 3: '', ...)" in outcome.last_line
    beside = prepare_own(frame, decides[0])
    assert "score is no number from -1 to 1: 3 rows (row 1: '1.5', row 2: 'high', row 4: 'nan')" in beside.last_line


BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "another encoding": (
        "own.csv",
        "text,label,group,published_at\nup,positive,a,\ncafé,positive,a,\n".encode("latin-1"),
        "own.csv: line 3 holds the byte 0xe9; allowed: UTF-8, or the encoding named; "
        "mend: the file, or sources.file.encoding",
    ),
    "no lines of JSON": (
        "own.jsonl",
        b'{"text": "a"}\n[1]\n{"text": ["a"]}\nup\n',
        "3 lines (first: 2, 3, 4) are no JSON object of plain values",
    ),
    "ragged rows": ("own.csv", b"text,label\na,b\nc,d,e\n", "is no CSV (Error tokenizing data"),
    "a field too many": ("own.csv", b"text,label\na,b,c\nd,e,f\n", "rows have more fields than the header"),
    "an empty file": ("own.csv", b"", "own.csv is no CSV (No columns to parse"),
    "half a surrogate pair": (
        "own.jsonl",
        b'{"text": "up", "label": 1, "group": "a\\ud83d", "published_at": null}\n',
        r"group is missing or no Unicode text: 1 rows (row 1: 'a\ud83d')",
    ),
    "an empty JSONL": ("own.jsonl", b"\n", "own.jsonl has no rows"),
    "another kind": ("own.xlsx", b"PK", "own.xlsx is of no known kind; allowed: .csv, .jsonl"),
}


@pytest.mark.parametrize(("name", "data", "message"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_bad_files_end_in_one_clear_line(prepare_own: Prepare, name: str, data: bytes, message: str) -> None:
    outcome = prepare_own(data, name=name)
    assert outcome.status == 3
    assert message in outcome.last_line


BAD_SETTINGS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "no file named": (("--source", "file"), 2, "sources.file.path is empty; allowed: a CSV or JSONL file"),
    "missing file": (("--source", "file", "--file_path", "nowhere.csv"), 3, "nowhere.csv does not exist"),
    "unknown source": (("--source", "twitter"), 2, "source='twitter'"),
    "unknown dataset": (("--dataset", "tweets"), 2, "dataset=tweets; allowed: nyt_editorials, amazon_reviews"),
    "fractions": (("split.train=0.8",), 2, "train, validation and test must sum to 1"),
    "unknown encoding": (("sources.file.encoding=klingon",), 2, "must be an encoding that Python knows"),
    "neither label nor score": (("sources.file.columns.label=null",), 2, "label and score cannot both be empty"),
    "threshold out of range": (("duplicates.min_jaccard=0.1",), 2, "duplicates.min_jaccard=0.1"),
}


@pytest.mark.parametrize(("arguments", "status", "message"), BAD_SETTINGS.values(), ids=BAD_SETTINGS.keys())
def test_bad_settings_end_in_one_clear_line(
    prepare: Prepare, arguments: tuple[str, ...], status: int, message: str
) -> None:
    outcome = prepare(*arguments)
    assert outcome.status == status
    assert message in outcome.last_line


def test_a_failing_suite_leaves_the_last_good_data(
    prepare_own: Prepare, own_sentences: pd.DataFrame, workspace: Path
) -> None:
    prepare_own(own_sentences)
    good = sha256_of(workspace / PUBLISHED)
    outcome = prepare_own(with_values("published_at", {0: "2199-01-01"})(own_sentences))
    assert outcome.status == 3
    assert "published after the run's date: 1" in outcome.last_line
    assert sha256_of(workspace / PUBLISHED) == good
    assert {path.name for path in (workspace / "data/labelled").iterdir()} >= {"latest", "labelled_sentences.parquet"}
    assert len(list((workspace / "data/labelled").glob("file-*"))) == 1


def test_an_altered_archive_stops_the_stage(prepare: Prepare, workspace: Path, archive_cache: Path) -> None:
    shutil.copytree(archive_cache, workspace / "data/cache/packages")
    wrong = "0" * 64
    outcome = prepare(f"sources.package_archive.datasets.nyt_editorials.sha256='{wrong}'")
    assert outcome.status == 3
    assert "vaderSentiment-3.3.2.tar.gz has another sha256 than promised" in outcome.last_line


def test_a_missing_table_stops_the_stage(prepare: Prepare, workspace: Path, archive_cache: Path) -> None:
    shutil.copytree(archive_cache, workspace / "data/cache/packages")
    outcome = prepare("sources.package_archive.datasets.nyt_editorials.table=hutto_ICWSM_2014/none.txt")
    assert outcome.status == 3
    assert "hutto_ICWSM_2014/none.txt cannot be read" in outcome.last_line


def test_a_table_of_another_form_stops_the_stage(prepare: Prepare, workspace: Path, archive_cache: Path) -> None:
    shutil.copytree(archive_cache, workspace / "data/cache/packages")
    outcome = prepare("sources.package_archive.datasets.nyt_editorials.table=hutto_ICWSM_2014/_README_.txt")
    assert outcome.status == 3
    assert "have another form; allowed: id, score and text, parted by tabs" in outcome.last_line
