"""The notebook of the last run draws what MLflow holds."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from experiment_tracking import mlflow_utils
from MLOps.settings.backtest import BacktestSettings
from MLOps.settings.compose import compose_settings

NOTEBOOK = "last_run.ipynb"
REWARDS = {100: -1.0, 200: 0.5, 300: 2.0}
RETURNS = pd.DataFrame(
    {
        "date": pd.date_range("2023-01-02", periods=3),
        "model": [0.1, -0.5, 1.0],
        "equal_weight": [0.0, 0.0, 0.25],
    }
)


def make_run(workspace: Path, stage: str, name: str, rewards: dict[int, float], returns: pd.DataFrame | None) -> None:
    settings = compose_settings(BacktestSettings, "run_backtest", [f"paths.workspace={workspace}"])
    client = mlflow_utils.open_client(settings)
    with mlflow_utils.start_run(client, mlflow_utils.experiment_id(client, settings), name, name) as run:
        client.set_tag(run.info.run_id, "stage", stage)
        for step, reward in rewards.items():
            client.log_metric(run.info.run_id, "episode_reward", reward, step=step)
        if returns is not None:
            returns.to_parquet(workspace / "returns.parquet", index=False)
            client.log_artifact(run.info.run_id, str(workspace / "returns.parquet"), "outputs")


def test_reward_and_growth_of_the_last_runs_are_drawn(
    tracked_workspace: Path, execute: Any, charts: Any, numbers: Any
) -> None:
    make_run(tracked_workspace, "train_rl_agent", "older", {100: 9.0}, None)
    make_run(tracked_workspace, "train_rl_agent", "newer", REWARDS, None)
    make_run(tracked_workspace, "run_backtest", "tested", {}, RETURNS)
    learning, growth = charts(execute(NOTEBOOK, tracked_workspace))
    assert "newer" in learning["layout"]["title"]["text"]
    assert numbers(learning["data"][0]["x"]) == list(REWARDS)
    assert numbers(learning["data"][0]["y"]) == list(REWARDS.values())
    lines = {line["name"]: numbers(line["y"]) for line in growth["data"]}
    assert lines == {"model": pytest.approx([1.1, 0.55, 1.1]), "equal_weight": pytest.approx([1.0, 1.0, 1.25])}


def test_without_runs_it_says_what_to_do(workspace: Path, execute: Any, charts: Any, texts: Any) -> None:
    outputs = execute(NOTEBOOK, workspace)
    assert charts(outputs) == []
    assert texts(outputs).count("Run `make demo`, then this notebook again.") == 2
    assert list(workspace.iterdir()) == []
