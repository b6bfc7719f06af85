"""The stage: from features to a registered model, once, the same bytes."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from MLOps.inference.model_files import model_digest
from MLOps.inference.model_folder import MlpActorCard, read_card
from MLOps.inference.policy import load_policy
from MLOps.market.panel import read_panel
from MLOps.settings.project import project_root
from MLOps.stage import MemoryTracker, StageResult
from model_registry.open_registry import open_registry
from model_registry.registry import CHALLENGER
from pipelines.rl_agent import train_rl_agent as stage

CommandLine = Callable[..., list[str]]
Done = Any  # of this folder's conftest.py
Run = Callable[[list[str]], StageResult]
PPO = project_root() / "config" / "rl_agents" / "ppo_stocktrading_params.yaml"
GLOBAL = project_root() / "config" / "common" / "global_vars.yaml"


def digest_of(result: StageResult) -> str:
    return model_digest(result.folder)


def test_makes_a_model_that_acts_on_the_data(done: Done) -> None:
    folder = done.result.folder
    assert sorted(file.name for file in folder.iterdir()) == [
        "export",
        "model.json",
        "policy.safetensors",
        "result.json",
    ]
    assert [file.name for file in (done.result.folder / "export").iterdir()] == ["sb3_ppo.zip"]
    assert done.result.folder.name == f"2021-05-07-{done.result.key}"
    policy = load_policy(folder, str(done.result.details["model_digest"]))
    panel = read_panel(done.workspace / "data/processed/processed_data_with_features.parquet", policy.indicators)
    policy.check(panel)
    assert np.isfinite(policy.orders(panel, 80, 1_000_000, np.zeros(2))).all()


def test_the_card_tells_how_it_was_made_and_nothing_that_varies(done: Done) -> None:
    card = read_card(done.result.folder)
    assert isinstance(card, MlpActorCard)
    assert card.provenance["features_sha256"] == done.result.inputs["features"]
    assert (card.provenance["library"], card.provenance["algorithm"], card.provenance["seed"]) == ("sb3", "ppo", 42)
    assert card.provenance["timesteps"] == 128 == done.result.metrics["timesteps"]
    dates = [str(day) for window in card.windows.values() for day in (window.first, window.last)]
    assert dates == ["2021-01-04", "2021-03-26", "2021-03-29", "2021-04-16", "2021-04-19", "2021-05-07"]
    text = done.result.artifacts["model"].path.read_text()
    assert str(done.workspace) not in text
    assert "run-1" not in text


def test_normalisation_knows_the_training_window_alone(done: Done) -> None:
    card = read_card(done.result.folder)
    assert isinstance(card, MlpActorCard)
    panel = read_panel(done.workspace / "data/processed/processed_data_with_features.parquet", ("macd", "rsi_30"))
    np.testing.assert_allclose(card.normalisation.mean[1:3], panel.close[:60].mean(axis=0))
    np.testing.assert_allclose(card.normalisation.scale[5:7], panel.features[:60, :, 0].std(axis=0))


def test_reports_curves_and_figures(done: Done) -> None:
    curves = done.tracker.curves
    assert {"episode_reward", "episode_length", "train/value_loss", "train/explained_variance"} <= curves.keys()
    assert [value for _, value in curves["episode_length"]][-1] == 59
    steps = [step for step, _ in curves["train/value_loss"]]
    assert steps == sorted(set(steps))
    assert {"validation_total_return", "validation_max_drawdown", "validation_equal_weight_total_return"} <= set(
        done.result.metrics
    )
    assert [folder for _, folder in done.tracker.artifact_paths] == ["export"]


def test_registers_the_model_as_challenger(done: Done) -> None:
    version = open_registry(done.settings).by_alias("stock_trading", CHALLENGER)
    assert version is not None
    assert (version.version, version.digest, version.run_id) == (1, digest_of(done.result), "run-1")
    assert version.tags["agent"] == "sb3/ppo"
    assert done.result.details["model_version"] == 1


def test_the_second_run_finds_its_model_and_its_version(done: Done) -> None:
    second = stage.train_rl_agent(done.settings, MemoryTracker())
    assert (second.status, second.artifacts) == ("already_made", done.result.artifacts)
    assert second.details == done.result.details
    assert len(open_registry(done.settings).versions("stock_trading")) == 1


def test_same_settings_data_and_seed_give_the_same_digest_and_metrics(
    done: Done, prepared: Path, command_line: CommandLine, run: Run
) -> None:
    second = run(command_line(prepared, "training.checkpoint_every_timesteps=1000000"))
    assert (second.status, second.key) == ("made", done.result.key)
    assert {name: file.sha256 for name, file in second.artifacts.items()} == {
        name: file.sha256 for name, file in done.result.artifacts.items()
    }
    assert second.details["model_digest"] == done.result.details["model_digest"]
    assert second.metrics == done.result.metrics


def test_the_command_line_that_its_users_know(prepared: Path, command_line: CommandLine, run: Run) -> None:
    argv = [
        *("--global_config_path", str(GLOBAL), "--agent_params_path", str(PPO)),
        *("--processed_data_filename", "processed_data_with_features.csv", "--output_model_dir", "mine"),
        *command_line(prepared, "training.total_timesteps=32", "training.register_model=false"),
    ]
    result = run(argv)
    assert result.folder.parent == prepared / "mine"
    assert "model_version" not in result.details


def test_an_agent_file_replaces_the_whole_section(prepared: Path, command_line: CommandLine, run: Run) -> None:
    file = str(PPO.with_name("a2c_stocktrading_params.yaml"))
    overrides = [text for text in command_line(prepared) if "batch_size" not in text and "n_epochs" not in text]
    assert run(["--agent_params_path", file, *overrides]).details["agent"] == "sb3/a2c"


def test_other_seed_other_version_of_the_model(done: Done, prepared: Path, command_line: CommandLine, run: Run) -> None:
    shutil.copytree(done.workspace / "models", prepared / "models", symlinks=True)
    result = run(command_line(prepared, "training.seed=7"))
    assert result.details["model_version"] == 2
    assert digest_of(result) != digest_of(done.result)


def test_a_budget_in_episodes(prepared: Path, command_line: CommandLine, run: Run) -> None:
    overrides = ("training.total_timesteps=null", "training.total_episodes=2")
    assert run(command_line(prepared, *overrides)).metrics["timesteps"] == 128  # 2 x 59, in updates of 32


@pytest.mark.parametrize("engine", ["batched", "finrl"])
def test_sentiment_is_seen_if_wanted(engine: str, prepared: Path, command_line: CommandLine, run: Run) -> None:
    overrides = (f"environment.engine={engine}", "environment.use_sentiment=true", "training.total_timesteps=32")
    card = read_card(run(command_line(prepared, *overrides)).folder)
    assert isinstance(card, MlpActorCard)
    news = ("sentiment", "has_news", "ticker_sentiment", "ticker_has_news")
    assert card.observation.indicators == ("macd", "rsi_30", *news)
    assert card.observation.size == 1 + 2 + 2 + 2 * 6


@pytest.mark.parametrize(("use_sentiment", "kept"), [("true", "c0ffee"), ("false", None)])
def test_the_card_of_an_agent_that_sees_the_news_tells_who_scored_them(
    use_sentiment: str, kept: str | None, prepared: Path, command_line: CommandLine, run: Run
) -> None:
    folder = prepared / "data/processed"
    details = {"sentiment_model_sha256": "c0ffee"}
    told_by = StageResult(stage="build_features", key="k", status="made", folder=folder, details=details)
    (folder / "result.json").write_text(told_by.model_dump_json())
    overrides = (f"environment.use_sentiment={use_sentiment}", "training.total_timesteps=32")
    card = read_card(run(command_line(prepared, *overrides)).folder)
    assert isinstance(card, MlpActorCard)
    assert card.provenance.get("sentiment_model_sha256") == kept


def test_the_card_is_of_the_tickers_that_the_model_trades(prepared: Path, command_line: CommandLine, run: Run) -> None:
    overrides = ("environment.tickers=[BBB]", "environment.baskets=[[AAA],[BBB]]", "agent.hyperparameters.n_envs=4")
    result = run(command_line(prepared, *overrides, "environment.buy_cost_fraction={AAA: 0.1, BBB: 0.0}"))
    card = read_card(result.folder)
    assert isinstance(card, MlpActorCard)
    assert (card.observation.tickers, card.observation.size) == (("BBB",), 1 + 2 + 2)
    assert result.metrics["timesteps"] == 128
    assert "validation_total_return" in result.metrics


def test_passes_on_what_the_features_say_of_their_data(prepared: Path, command_line: CommandLine, run: Run) -> None:
    folder = prepared / "data" / "processed"
    told = {"warnings": "Survivorship: six later winners.", "is_replay": True, "as_of": "2021-05-07"}
    told_by = StageResult(stage="build_features", key="k", status="made", folder=folder, details=told)
    (folder / "result.json").write_text(told_by.model_dump_json())
    warnings = str(run(command_line(prepared, "training.total_timesteps=32")).details["data_warnings"])
    assert "REPLAY" in warnings
    assert "Survivorship" in warnings


def test_curves_and_model_reach_mlflow(
    tracked_workspace: Path,
    lay_down: Callable[[Path], Path],
    command_line: CommandLine,
    run: Run,
) -> None:
    from mlflow import MlflowClient

    argv = command_line(lay_down(tracked_workspace), "tracking.enabled=true", "registry.kind=mlflow")
    first, second = run(argv), run(argv)
    assert first.details["model_version"] == second.details["model_version"] == 1
    client = MlflowClient(f"sqlite:///{tracked_workspace}/mlruns.db")
    (experiment,) = [found for found in client.search_experiments() if found.name == "trading-agents"]
    (recorded,) = client.search_runs([experiment.experiment_id], "tags.stage = 'train_rl_agent'")
    assert recorded.data.metrics["validation_total_return"] == first.metrics["validation_total_return"]
    assert recorded.data.params["agent.algorithm"] == "ppo"
    curve = client.get_metric_history(recorded.info.run_id, "train/value_loss")
    assert [point.step for point in curve] == [128]
    version = client.get_model_version_by_alias("stock_trading", CHALLENGER)
    assert (int(version.version), version.run_id) == (1, recorded.info.run_id)


def test_runs_as_a_process_of_its_own(prepared: Path, command_line: CommandLine) -> None:
    script = project_root() / "pipelines" / "rl_agent" / "train_rl_agent.py"
    done = subprocess.run(
        [sys.executable, str(script), *command_line(prepared, "training.total_timesteps=32")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["details"]["model_version"] == 1
    assert "training: 32 of 32 timesteps" in done.stderr
