"""The stage: from an archive or an own file to a judged, versioned dataset; once, and with the same bytes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from MLOps.artifacts import sha256_of
from MLOps.sentiment.labelled import read_labelled
from MLOps.sentiment.scorer import LABELS, NEGATIVE, POSITIVE
from MLOps.settings.compose import compose_settings
from MLOps.settings.sentiment_dataset import SentimentDatasetSettings
from MLOps.stage import MemoryTracker
from pipelines.finetuning.prepare_sentiment_dataset import prepare_sentiment_dataset

Prepare = Callable[..., Any]
PUBLISHED = "data/labelled/labelled_sentences.parquet"


def published(workspace: Path) -> pd.DataFrame:
    return read_labelled(workspace / PUBLISHED)


# The rated editorials


@pytest.fixture
def stocked_workspace(workspace: Path, archive_cache: Path) -> Path:
    """A workspace whose cache holds the archive's file."""
    shutil.copytree(archive_cache, workspace / "data" / "cache" / "packages")
    return workspace


def test_makes_the_editorials_ready(stocked_workspace: Path, prepare: Prepare) -> None:
    result = prepare().result
    figures, sentences = result["metrics"], published(stocked_workspace)
    assert result["artifacts"]["sentences"]["path"] == str((stocked_workspace / PUBLISHED).resolve())
    assert figures["sentences"] == len(sentences) == 5190 - 16 - 64
    assert (figures["contradictory_dropped"], figures["exact_duplicates_dropped"]) == (16, 64)
    assert sentences["group"].nunique() == 498
    assert (sentences.groupby("group")["split"].nunique() == 1).all()
    for split, fraction in (("train", 0.75), ("validation", 0.1), ("test", 0.15)):
        assert figures[f"{split}_sentences"] == pytest.approx(fraction * 5110, rel=0.05)
        assert figures[f"{split}_neutral_fraction"] == pytest.approx(0.463, abs=0.01)
    by_label = sentences.groupby("label")["score"].agg(["min", "max"])
    assert by_label.loc[NEGATIVE, "max"] < -0.5
    assert by_label.loc[POSITIVE, "min"] > 0.5
    assert "not financial news" in result["details"]["warnings"]
    assert "Hutto and Gilbert" in result["details"]["origin"]


# The user's own file


def test_labels_decide_and_dates_are_kept(prepare_own: Prepare, own_sentences: pd.DataFrame, workspace: Path) -> None:
    result = prepare_own(own_sentences).result
    merged = published(workspace).merge(own_sentences, on=["text", "group"], suffixes=("", "_given"))
    assert len(merged) == 60
    assert [LABELS[label] for label in merged["label"]] == merged["label_given"].tolist()
    assert merged["published_at"].dt.strftime("%Y-%m-%d").tolist() == merged["published_at_given"].tolist()
    assert merged["score"].isna().all()
    details = result["details"]
    assert (details["source"], details["first_published"], details["last_published"]) == (
        "file/own.csv",
        "2026-01-01",
        "2026-01-20",
    )


def test_csv_and_jsonl_in_any_order_give_the_same_bytes(prepare_own: Prepare, own_sentences: pd.DataFrame) -> None:
    lines = [json.dumps(row) for row in own_sentences.sample(frac=1, random_state=1).to_dict("records")]
    first = prepare_own(own_sentences).result
    second = prepare_own("\n".join(lines).encode(), name="own.jsonl").result
    assert first["folder"] != second["folder"]
    assert first["artifacts"]["sentences"]["sha256"] == second["artifacts"]["sentences"]["sha256"]


def test_scores_decide_where_no_label_is_named(
    prepare_own: Prepare, own_sentences: pd.DataFrame, workspace: Path
) -> None:
    scores = own_sentences["label"].map({"negative": -0.06, "neutral": 0.05, "positive": 0.051})
    prepare_own(
        own_sentences.assign(mood=scores).drop(columns="label"),
        "sources.file.columns.label=null",
        "sources.file.columns.score=mood",
    )
    merged = published(workspace).merge(own_sentences, on=["text", "group"], suffixes=("", "_given"))
    assert [LABELS[label] for label in merged["label"]] == merged["label_given"].tolist()
    assert merged["score"].nunique() == 3


def test_a_file_without_groups_is_said_to_have_none(
    prepare_own: Prepare, own_sentences: pd.DataFrame, workspace: Path
) -> None:
    ungrouped = own_sentences.drop(columns="group")
    outcome = prepare_own(ungrouped, "sources.file.columns.group=null", "split.max_class_difference=1", "split.seed=1")
    assert "own.csv names no groups: each text is one" in outcome.stderr
    assert published(workspace)["group"].nunique() == 60


def test_what_is_made_already_is_refused_on_a_day_before_it_was_known(
    prepare_own: Prepare, own_sentences: pd.DataFrame
) -> None:
    assert prepare_own(own_sentences, "run_date=2026-02-01").status == 0
    outcome = prepare_own(own_sentences, "run_date=2026-01-10")
    assert outcome.status == 3
    assert "holds sentences published on 2026-01-20; allowed: none after 2026-01-10" in outcome.last_line


def test_missing_dates_are_allowed(prepare_own: Prepare, own_sentences: pd.DataFrame, workspace: Path) -> None:
    dates = own_sentences["published_at"].where(own_sentences.index % 2 == 0, "")
    prepare_own(own_sentences.assign(published_at=dates))
    assert published(workspace)["published_at"].isna().sum() == 30
    undated = prepare_own(own_sentences.drop(columns="published_at"), "sources.file.columns.published_at=null")
    assert undated.result["details"]["first_published"] is None


def test_dirty_texts_are_cleaned_and_what_is_lost_is_told(
    prepare_own: Prepare, own_sentences: pd.DataFrame, workspace: Path
) -> None:
    """HTML, entities, emoji, controls, an empty text and one of a megabyte."""
    dirty = own_sentences.copy()
    dirty.loc[0, "text"] = "<p>Shares&nbsp;<b>rose</b> \x07\U0001f680</p>"
    dirty.loc[1, "text"] = "<br>\u200b"
    dirty.loc[2, "text"] = "word " * 200_000
    outcome = prepare_own(dirty)
    texts = published(workspace)["text"]
    assert "Shares rose \U0001f680" in texts.tolist()
    assert texts.str.len().max() == 1999
    figures = outcome.result["metrics"]
    assert (figures["empty_texts_dropped"], figures["long_texts_cut"], figures["sentences"]) == (1, 1, 59)
    assert "1 texts are empty and left out (first: row 2)" in outcome.stderr
    assert "1 texts are too long and cut (first: row 3)" in outcome.stderr


# Once, whole, versioned


def test_made_once_then_found(prepare_own: Prepare, own_sentences: pd.DataFrame) -> None:
    first, second = prepare_own(own_sentences).result, prepare_own(own_sentences).result
    assert (first["status"], second["status"]) == ("made", "already_made")
    assert (first["artifacts"], first["metrics"]) == (second["artifacts"], second["metrics"])


def test_what_is_not_used_does_not_count(prepare_own: Prepare, own_sentences: pd.DataFrame) -> None:
    first = prepare_own(own_sentences).result
    second = prepare_own(own_sentences, "sources.package_archive.dataset=amazon_reviews").result
    third = prepare_own(own_sentences, "sources.file.licence=mine").result
    assert second["status"] == "already_made"
    assert third["status"] == "made"
    assert third["details"]["licence"] == "mine"
    assert first["artifacts"]["sentences"]["sha256"] == third["artifacts"]["sentences"]["sha256"]


def test_dvc_gives_deleted_data_back(workspace: Path, tmp_path: Path, own_sentences: pd.DataFrame) -> None:
    path = tmp_path / "own.csv"
    own_sentences.to_csv(path, index=False)
    overrides = [f"paths.workspace={workspace}", "source=file", f"sources.file.path={path}", "tracking.enabled=false"]
    kept = compose_settings(SentimentDatasetSettings, "prepare_sentiment_dataset", overrides)
    result = prepare_sentiment_dataset(kept, MemoryTracker())
    assert result.details["dvc_md5"]
    shutil.rmtree(result.folder)
    again = prepare_sentiment_dataset(kept, MemoryTracker())
    assert again.status == "already_made"
    assert sha256_of(workspace / PUBLISHED) == result.artifacts["sentences"].sha256
