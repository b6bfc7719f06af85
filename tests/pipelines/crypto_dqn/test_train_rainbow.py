"""The stage: from prices to a registered buy-timing model, once, the same bytes."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps.environments.dca_timing import observations_of
from MLOps.inference.model_files import model_digest
from MLOps.inference.timing_model import RainbowTimingCard, read_timing_card
from MLOps.inference.timing_policy import load_timing_policy
from MLOps.market.price_cycles import read_timing_prices, split_cycles
from MLOps.settings.project import project_root
from MLOps.stage import MemoryTracker, StageResult
from model_registry.open_registry import open_registry
from model_registry.registry import CHALLENGER
from pipelines.crypto_dqn import train_rainbow as stage

CommandLine = Callable[..., list[str]]
Done = Any  # of this folder's conftest.py
Run = Callable[[list[str]], StageResult]
SHORT = "training.num_frames=120"


def card_of(result: StageResult) -> RainbowTimingCard:
    card = read_timing_card(result.folder)
    assert isinstance(card, RainbowTimingCard)
    return card


def test_makes_a_model_that_acts_on_the_data(done: Done) -> None:
    folder = done.result.folder
    assert {file.name for file in folder.iterdir()} == {
        "learning_curve.json",
        "model.json",
        "policy.safetensors",
        "result.json",
    }
    assert folder.parent == done.workspace / "models" / "crypto_timing" / "btc"
    assert folder.name.endswith(f"-{done.result.key}")
    policy = load_timing_policy(folder, str(done.result.details["model_digest"]))
    bars = done.workspace / "data/crypto/btc/bars.parquet"
    windows = split_cycles(read_timing_prices(bars, done.settings.data), done.settings.data)
    values = policy.q_values(observations_of(windows["test"])[:, 0])
    assert values.shape == (len(windows["test"].starts), 2)
    assert np.isfinite(values).all()


def test_the_card_tells_how_it_was_made_and_nothing_that_varies(done: Done) -> None:
    card, result = card_of(done.result), done.result
    assert card.provenance["bars_sha256"] == result.inputs["bars"]
    assert (card.provenance["algorithm"], card.provenance["seed"]) == ("rainbow", 777)
    assert (card.provenance["frames"], card.provenance["updates"]) == (480, 110)  # (480 - 40) / 4
    assert (card.market.symbol, card.market.frequency, card.market.cycle_steps) == ("BTC", "1h", 8)
    days = [f"{day:%m-%d %H}" for window in card.windows.values() for day in (window.first, window.last)]
    assert days == ["01-01 01", "01-16 00", "01-16 01", "01-21 00", "01-21 01", "01-31 00"]
    text = result.artifacts["model"].path.read_text()
    assert str(done.workspace) not in text
    assert "run-1" not in text


def test_the_atoms_cover_the_rewards_of_the_train_window(done: Done) -> None:
    architecture = card_of(done.result).architecture
    assert -20 < architecture.v_min < 0 < architecture.v_max < 20  # percent, where an hour moves the price by 1
    assert architecture.atoms == 11


def test_reports_curves_and_figures(done: Done) -> None:
    curves, metrics = done.tracker.curves, done.result.metrics
    assert {"loss", "mean_score_10", "mean_q", "mean_priority", "validation_score", "gradient_norm"} <= curves.keys()
    assert [step for step, _ in curves["loss"]] == [80, 160, 240, 320, 400, 480]
    assert metrics["best_validation_advantage_bps"] == pytest.approx(
        max(score for _, score in curves["validation_score"]), abs=1e-6
    )
    told = json.loads(done.result.artifacts["learning_curve"].path.read_text())
    assert told["frames"] == [80, 160, 240, 320, 400, 480]
    assert told["loss"] == [value for _, value in curves["loss"]]
    assert {len(values) for values in told.values()} == {6}


def test_registers_the_model_as_challenger(done: Done) -> None:
    version = open_registry(done.settings).by_alias("crypto_timing", CHALLENGER)
    assert version is not None
    assert (version.version, version.digest, version.run_id) == (1, model_digest(done.result.folder), "run-1")
    assert version.tags["symbol"] == "BTC"
    assert done.result.details["model_version"] == 1


def test_the_second_run_finds_its_model_and_its_version(done: Done) -> None:
    second = stage.train_rainbow(done.settings, MemoryTracker())
    assert (second.status, second.artifacts) == ("already_made", done.result.artifacts)
    assert second.details == done.result.details
    assert len(open_registry(done.settings).versions("crypto_timing")) == 1


def test_same_settings_data_and_seed_give_the_same_digest_and_metrics(
    done: Done, prepared: Path, command_line: CommandLine, run: Run
) -> None:
    machine = ("training.use_lightning=true", "training.checkpoint_every_frames=1000000")
    second = run(command_line(prepared, *machine))
    assert (second.status, second.key) == ("made", done.result.key)
    assert second.details["model_digest"] == done.result.details["model_digest"]
    assert {name: file.sha256 for name, file in second.artifacts.items()} == {
        name: file.sha256 for name, file in done.result.artifacts.items()
    }
    assert second.metrics == done.result.metrics


def test_other_seed_other_version_of_the_model(done: Done, prepared: Path, command_line: CommandLine, run: Run) -> None:
    shutil.copytree(done.workspace / "models", prepared / "models", symlinks=True)
    result = run(command_line(prepared, "training.seed=7"))
    assert result.details["model_version"] == 2
    assert model_digest(result.folder) != done.result.details["model_digest"]


def test_a_named_file_of_bars_and_another_place_for_the_model(
    prepared: Path, command_line: CommandLine, run: Run
) -> None:
    (prepared / "data/crypto/btc/bars.parquet").rename(prepared / "mine.parquet")
    flags = ("--bars_path=mine.parquet", "--output_model_dir=elsewhere")
    result = run(command_line(prepared, *flags, SHORT, "training.register_model=false"))
    assert result.folder.parent == prepared / "elsewhere" / "btc"
    assert "model_version" not in result.details


def test_ether_by_the_day(
    workspace: Path, lay_down: Any, make_crypto_bars: Callable[..., pd.DataFrame], command_line: CommandLine, run: Run
) -> None:
    lay_down(workspace, make_crypto_bars(symbol="ETH", length="1D", count=365), "eth")
    windows = ("data=eth", "data.validation_start=2018-06-01", "data.test_start=2018-09-01")
    result = run(command_line(workspace, SHORT, *windows))
    assert result.folder.parent.name == "eth"
    assert (card_of(result).market.symbol, card_of(result).market.frequency) == ("ETH", "1d")


def test_plain_dqn_is_a_choice_of_the_settings(prepared: Path, command_line: CommandLine, run: Run) -> None:
    card = card_of(run(command_line(prepared, "model=dqn", SHORT)))
    assert not card.architecture.is_dueling
    assert not card.architecture.is_categorical
    assert card.architecture.atoms == 1
    assert card.provenance["is_noisy"] is False


def test_passes_on_what_the_bars_say_of_themselves(prepared: Path, command_line: CommandLine, run: Run) -> None:
    folder = prepared / "data/crypto/btc"
    details = {"warnings": "Hours without a trade.", "is_replay": True, "as_of": "2018-01-31"}
    told_by = StageResult(stage="ingest_crypto_bars", key="k", status="made", folder=folder, details=details)
    (folder / "result.json").write_text(told_by.model_dump_json())
    warnings = str(run(command_line(prepared, SHORT)).details["data_warnings"])
    assert "REPLAY" in warnings
    assert "Hours without a trade." in warnings


def test_curves_and_model_reach_mlflow(
    tracked_workspace: Path, lay_down: Any, command_line: CommandLine, run: Run
) -> None:
    from mlflow import MlflowClient

    argv = command_line(lay_down(tracked_workspace), "tracking.enabled=true", "registry.kind=mlflow")
    first, second = run(argv), run(argv)
    assert first.details["model_version"] == second.details["model_version"] == 1
    client = MlflowClient(f"sqlite:///{tracked_workspace}/mlruns.db")
    (experiment,) = [found for found in client.search_experiments() if found.name == "trading-agents"]
    (recorded,) = client.search_runs([experiment.experiment_id], "tags.stage = 'train_rainbow'")
    best = "best_validation_advantage_bps"
    assert recorded.data.metrics[best] == first.metrics[best]
    assert recorded.data.params["training.num_frames"] == "480"
    assert recorded.data.params["model.is_noisy"] == "True"
    curve = client.get_metric_history(recorded.info.run_id, "mean_q")
    assert [point.step for point in curve] == [80, 160, 240, 320, 400, 480]
    version = client.get_model_version_by_alias("crypto_timing", CHALLENGER)
    assert (int(version.version), version.run_id) == (1, recorded.info.run_id)


def test_runs_as_a_process_of_its_own(prepared: Path, command_line: CommandLine) -> None:
    script = project_root() / "pipelines" / "crypto_dqn" / "train_rainbow.py"
    finished = subprocess.run(
        [sys.executable, str(script), *command_line(prepared, SHORT)], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout.splitlines()[-1])["details"]["model_version"] == 1
    assert "training: 120 of 120 frames" in finished.stderr
