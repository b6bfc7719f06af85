"""The notebook of the sentiment model draws data, learning and mistakes."""

from pathlib import Path
from typing import Any

import pandas as pd

from experiment_tracking import mlflow_utils
from MLOps.settings.compose import compose_settings
from MLOps.settings.sentiment_model import TrainSentimentModelSettings

NOTEBOOK = "sentiment.ipynb"
LABELLED = pd.DataFrame(
    {
        "text": ["Losses grew.", "Nothing changed.", "Profits rose.", "It failed."],
        "label": [0, 1, 2, 0],
        "score": [-2.0, 0.0, 1.5, -1.0],
        "split": ["train", "train", "test", "test"],
    }
)
HELD_OUT = pd.DataFrame(
    {
        "text": ["Profits rose.", "It failed."],
        "label": [2, 0],
        "negative": [0.1, 0.2],
        "neutral": [0.2, 0.7],
        "positive": [0.7, 0.1],
    }
)


def make_run(
    workspace: Path, stage: str, curves: dict[str, dict[int, float]], outputs: dict[str, pd.DataFrame]
) -> None:
    settings = compose_settings(TrainSentimentModelSettings, "train_sentiment_model", [f"paths.workspace={workspace}"])
    client = mlflow_utils.open_client(settings)
    with mlflow_utils.start_run(client, mlflow_utils.experiment_id(client, settings), stage, stage) as run:
        client.set_tag(run.info.run_id, "stage", stage)
        for name, points in curves.items():
            for step, value in points.items():
                client.log_metric(run.info.run_id, name, value, step=step)
        for name, table in outputs.items():
            table.to_parquet(workspace / name, index=False)
            client.log_artifact(run.info.run_id, str(workspace / name), "outputs")


def test_data_learning_and_mistakes_are_drawn(tracked_workspace: Path, execute: Any, charts: Any, numbers: Any) -> None:
    make_run(tracked_workspace, "prepare_sentiment_dataset", {}, {"labelled_sentences.parquet": LABELLED})
    curves = {"train/loss": {10: 1.1, 20: 0.8}, "validation/macro_f1": {20: 0.6}}
    make_run(tracked_workspace, "train_sentiment_model", curves, {"held_out.parquet": HELD_OUT})
    outputs = execute(NOTEBOOK, tracked_workspace)
    data, learning, confusion = charts(outputs)
    assert {bar["name"]: numbers(bar["y"]) for bar in data["data"]} == {
        "negative": [1.0, 1.0],
        "neutral": [0.0, 1.0],
        "positive": [1.0, 0.0],
    }
    assert [numbers(line["x"]) for line in learning["data"]] == [[10.0, 20.0], [20.0]]
    assert confusion["data"][0]["x"] == ["negative", "neutral", "positive"]
    tables = [output["data"]["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    mistakes = next(table for table in tables if "sureness" in table)
    assert "It failed." in mistakes
    assert "Profits rose." not in mistakes


def test_without_runs_it_says_what_to_do(workspace: Path, execute: Any, charts: Any, texts: Any) -> None:
    outputs = execute(NOTEBOOK, workspace)
    assert charts(outputs) == []
    assert texts(outputs).count("Make one, then run this notebook again.") == 3
    assert list(workspace.iterdir()) == []
