"""The champions of all families at one look."""

import json
from pathlib import Path

import pytest

from experiment_tracking.metric_sinks import TextFileSink
from MLOps.inference.timing_model import write_buy_first
from MLOps.settings.champions import ChampionsSettings
from MLOps.settings.compose import compose_settings
from model_registry.champion import ensure_champion, names_of
from model_registry.family import CRYPTO_TIMING, SENTIMENT
from model_registry.open_registry import open_registry
from monitoring.scripts.check_champions import main


def test_each_family_is_told_and_nothing_registered(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = [f"paths.workspace={workspace}", "tracking.enabled=false", "registry.kind=filesystem"]
    registry = open_registry(compose_settings(ChampionsSettings, "check_champions", overrides))
    ensure_champion(registry, "sentiment", SENTIMENT)
    assert main(overrides) == 0
    found = json.loads(capsys.readouterr().out)["metrics"]
    assert (found["stock_trading.champion_version"], found["sentiment.champion_version"]) == (0, 1)
    assert (found["stock_trading.champion_has_verdict"], found["sentiment.champion_has_verdict"]) == (0, 1)
    told = TextFileSink(workspace / "reports" / "metrics").read("champions")
    assert {(sample.metric.name, *sample.label_values) for sample in told} == {
        ("trading_champion_version", "stock_trading"),
        ("trading_champion_version", "sentiment"),
        ("trading_champion_has_verdict", "stock_trading"),
        ("trading_champion_has_verdict", "sentiment"),
        ("trading_champion_since_timestamp_seconds", "sentiment"),
    }
    assert registry.versions("stock_trading") == ()


def test_buy_timing_is_told_once_it_has_a_model(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before that nobody misses its champion."""
    overrides = [f"paths.workspace={workspace}", "tracking.enabled=false", "registry.kind=filesystem"]
    registry = open_registry(compose_settings(ChampionsSettings, "check_champions", overrides))
    assert main(overrides) == 0
    assert "crypto_timing.champion_version" not in json.loads(capsys.readouterr().out)["metrics"]
    ensure_champion(registry, "crypto_timing", CRYPTO_TIMING)
    assert main(overrides) == 0
    found = json.loads(capsys.readouterr().out)["metrics"]
    assert (found["crypto_timing.champion_version"], found["crypto_timing.champion_has_verdict"]) == (1, 1)
    told = TextFileSink(workspace / "reports" / "metrics").read("champions")
    assert ("trading_champion_version", "crypto_timing") in {
        (sample.metric.name, *sample.label_values) for sample in told
    }


def test_each_name_of_buy_timing_is_told_with_its_own_champion(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = [f"paths.workspace={workspace}", "tracking.enabled=false", "registry.kind=filesystem"]
    registry = open_registry(compose_settings(ChampionsSettings, "check_champions", overrides))
    ensure_champion(registry, "crypto_timing", CRYPTO_TIMING)
    eth = ensure_champion(registry, "crypto_timing_eth", CRYPTO_TIMING)
    (workspace / "models/registry/crypto_timing_eth/aliases" / CRYPTO_TIMING.champion_alias).unlink()
    assert main(overrides) == 0
    found = json.loads(capsys.readouterr().out)["metrics"]
    assert found["crypto_timing.champion_version"] == eth.version == 1
    assert found["crypto_timing_eth.champion_version"] == 0
    told = {
        sample.label_values: sample.value
        for sample in TextFileSink(workspace / "reports" / "metrics").read("champions")
        if sample.metric.name == "trading_champion_version"
    }
    assert (told["crypto_timing",], told["crypto_timing_eth",]) == (1, 0)


def test_a_try_that_nobody_judged_lacks_no_champion(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = [f"paths.workspace={workspace}", "tracking.enabled=false", "registry.kind=filesystem"]
    registry = open_registry(compose_settings(ChampionsSettings, "check_champions", overrides))
    write_buy_first(workspace / "model")
    registry.register(workspace / "model", "try_out", {})
    assert names_of(registry, CRYPTO_TIMING) == ("try_out",)
    assert main(overrides) == 0
    assert not [name for name in json.loads(capsys.readouterr().out)["metrics"] if name.startswith("try_out")]
