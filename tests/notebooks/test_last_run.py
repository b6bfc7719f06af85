"""The notebook is executed as a person would, on a store that the test makes."""

from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

from experiment_tracking import mlflow_utils
from MLOps.settings.backtest import BacktestSettings
from MLOps.settings.compose import compose_settings
from MLOps.settings.project import project_root

NOTEBOOK = project_root() / "notebooks" / "last_run.ipynb"
REWARDS = {100: -1.0, 200: 0.5, 300: 2.0}
RETURNS = pd.DataFrame(
    {
        "date": pd.date_range("2023-01-02", periods=3),
        "model": [0.1, -0.5, 1.0],
        "equal_weight": [0.0, 0.0, 0.25],
    }
)


def execute(workspace: Path) -> list[Any]:
    """Outputs of all cells, the notebook's settings leading to `workspace`."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (parameters,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    parameters.source = f"overrides = ['paths.workspace={workspace}']"
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def texts(outputs: list[Any]) -> str:
    return "".join(output.get("data", {}).get("text/markdown", "") for output in outputs)


def charts(outputs: list[Any]) -> list[Any]:
    shown = (output.get("data", {}) for output in outputs)
    return [data["application/vnd.plotly.v1+json"] for data in shown if "application/vnd.plotly.v1+json" in data]


def numbers(values: Any) -> list[float]:
    """A chart's numbers; plotly writes them as a list or as base64."""
    if isinstance(values, dict):
        import base64

        return np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"]).tolist()
    return [float(value) for value in values]


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


def test_reward_and_growth_of_the_last_runs_are_drawn(tracked_workspace: Path) -> None:
    make_run(tracked_workspace, "train_rl_agent", "older", {100: 9.0}, None)
    make_run(tracked_workspace, "train_rl_agent", "newer", REWARDS, None)
    make_run(tracked_workspace, "run_backtest", "tested", {}, RETURNS)
    learning, growth = charts(execute(tracked_workspace))
    assert "newer" in learning["layout"]["title"]["text"]
    assert numbers(learning["data"][0]["x"]) == list(REWARDS)
    assert numbers(learning["data"][0]["y"]) == list(REWARDS.values())
    lines = {line["name"]: numbers(line["y"]) for line in growth["data"]}
    assert lines == {"model": pytest.approx([1.1, 0.55, 1.1]), "equal_weight": pytest.approx([1.0, 1.0, 1.25])}


def test_without_runs_it_says_what_to_do(workspace: Path) -> None:
    outputs = execute(workspace)
    assert charts(outputs) == []
    assert texts(outputs).count("Run `make demo`, then this notebook again.") == 2
    assert list(workspace.iterdir()) == []


def test_it_is_committed_without_output() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in code] == [[]] * len(code)
    assert [cell.execution_count for cell in code] == [None] * len(code)
