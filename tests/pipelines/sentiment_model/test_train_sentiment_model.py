"""The stage: from labelled sentences to a registered classifier, once, the same bytes, whatever kills it on the way."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiment_tracking.runner import read_settings
from MLOps import failpoints
from MLOps.inference.model_files import model_digest
from MLOps.sentiment.lora_classifier import load_lora_classifier
from MLOps.sentiment.model_card import LoraClassifierCard, read_sentiment_card
from MLOps.sentiment.training_data import group_marks
from MLOps.settings.project import project_root
from MLOps.settings.sentiment_model import TrainSentimentModelSettings
from MLOps.stage import MemoryTracker, StageResult
from MLOps.training.progress import Progress
from model_registry.open_registry import open_registry
from model_registry.registry import CHALLENGER
from pipelines.sentiment_model import train_sentiment_model as stage

CommandLine = Callable[..., list[str]]


@dataclass(frozen=True)
class Done:
    workspace: Path
    settings: TrainSentimentModelSettings
    tracker: MemoryTracker
    result: StageResult


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, lay_down: Callable[..., Path], command_line: CommandLine) -> Done:
    """A run that nothing disturbed; its workspace is only read."""
    workspace = lay_down(tmp_path_factory.mktemp("done"))
    settings = read_settings(stage.STAGE, command_line(workspace))
    tracker = MemoryTracker(run_id="run-1")
    return Done(workspace, settings, tracker, stage.train_sentiment_model(settings, tracker))


def run(argv: list[str], capsys: pytest.CaptureFixture[str]) -> StageResult:
    """Through the command line; the last line of standard output is the result."""
    assert stage.main(argv) == 0
    return StageResult.model_validate_json(capsys.readouterr().out.splitlines()[-1])


def test_makes_a_model_that_scores_sentences(done: Done, tiny_base_model: Path) -> None:
    folder = done.result.folder
    assert sorted(file.name for file in folder.iterdir()) == [
        "adapter.safetensors",
        "charts",
        "held_out.parquet",
        "model.json",
        "result.json",
    ]
    assert folder.parent == done.workspace / "models" / "sentiment"
    assert folder.name == f"my-tiny-bert-{done.result.key}"
    scorer = load_lora_classifier(folder, str(done.result.details["model_digest"]), tiny_base_model)
    found = scorer.probabilities(["the market awful bad", "the market plain same", "the market great rise"])
    assert found.argmax(axis=1).tolist() == [0, 1, 2]


def test_tells_what_it_says_of_each_held_out_sentence(
    done: Done, labelled: pd.DataFrame, tiny_base_model: Path
) -> None:
    told = pd.read_parquet(done.result.artifacts["held_out"].path)
    test = labelled[labelled["split"] == "test"].reset_index(drop=True)
    names = ["sentence_id", "group", "text", "label"]
    pd.testing.assert_frame_equal(told[names], test[names], check_dtype=False)
    scorer = load_lora_classifier(done.result.folder, None, tiny_base_model)
    found = told[["negative", "neutral", "positive"]].to_numpy()
    np.testing.assert_allclose(found, scorer.probabilities(test["text"].tolist()), atol=1e-6)
    hits = (found.argmax(axis=1) == test["label"]).mean()
    assert hits == pytest.approx(done.result.metrics["test_accuracy"])


def test_the_card_tells_how_it_was_made_and_nothing_that_varies(done: Done, labelled: pd.DataFrame) -> None:
    card = read_sentiment_card(done.result.folder)
    assert isinstance(card, LoraClassifierCard)
    assert card.provenance["labelled_sha256"] == done.result.inputs["labelled"]
    assert (card.provenance["seed"], card.base_model.name, card.base_model.warnings) == (42, "My Tiny/BERT", ("Tiny.",))
    assert card.provenance["validation_macro_f1"] == done.result.metrics["validation_macro_f1"]
    assert card.temperature == done.result.metrics["temperature"]
    used = labelled.loc[labelled["split"] != "test", "group"]
    assert card.training_groups == group_marks(used)
    assert len(card.training_groups) == 16
    text = done.result.artifacts["model"].path.read_text()
    assert str(done.workspace) not in text
    assert "run-1" not in text


def test_reports_curves_charts_and_figures_of_both_splits(done: Done) -> None:
    curves = done.tracker.curves
    assert [step for step, _ in curves["validation/macro_f1"]] == [9, 18, 27]
    assert {"train/loss", "train/learning_rate", "validation/loss", "test_calibration_error"} <= curves.keys()
    assert len(curves["test_macro_f1"]) == 1
    assert done.result.metrics["test_macro_f1"] > 0.9
    assert {"test_f1_negative", "test_f1_neutral", "test_f1_positive"} <= done.result.metrics.keys()
    assert [folder for _, folder in done.tracker.artifact_paths] == ["charts"]
    page = (done.result.folder / "charts" / "held_out.html").read_text()
    assert "Sentences by class and prediction" in page
    assert done.result.details["test_articles"] == 4


def test_the_test_split_has_no_say(
    done: Done, workspace: Path, labelled: pd.DataFrame, lay_down: Callable[..., Path], command_line: CommandLine,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Another test split gives another model.json, because its digest is in it, and the same weights."""
    held_out = labelled["split"] == "test"
    other = labelled.assign(label=np.where(held_out, (labelled["label"] + 1) % 3, labelled["label"]))
    result = run(command_line(lay_down(workspace, other)), capsys)
    assert result.artifacts["adapter"].sha256 == done.result.artifacts["adapter"].sha256
    assert result.metrics["temperature"] == done.result.metrics["temperature"]
    assert result.metrics["validation_macro_f1"] == done.result.metrics["validation_macro_f1"]
    assert result.metrics["test_macro_f1"] < 0.1


def test_registers_the_model_as_challenger(done: Done) -> None:
    version = open_registry(done.settings).by_alias("sentiment", CHALLENGER)
    assert version is not None
    assert (version.version, version.digest, version.run_id) == (1, model_digest(done.result.folder), "run-1")
    assert version.tags["base_model"] == "My Tiny/BERT"
    assert done.result.details["model_version"] == 1
    assert done.result.details["data_warnings"] == "Tiny."


def test_the_second_run_finds_its_model_and_its_version(done: Done) -> None:
    second = stage.train_sentiment_model(done.settings, MemoryTracker())
    assert (second.status, second.artifacts) == ("already_made", done.result.artifacts)
    assert second.details == done.result.details
    assert len(open_registry(done.settings).versions("sentiment")) == 1


@pytest.mark.parametrize("point", ["before_write", "before_rename", "after_rename", "after_registration"])
def test_killed_at_a_named_point_and_run_again_ends_as_an_undisturbed_run(
    point: failpoints.Point,
    die_at: Callable[..., None],
    done: Done,
    prepared: Path,
    command_line: CommandLine,
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv = command_line(prepared)
    die_at(point, lambda: stage.main(argv))
    result = run(argv, capsys)
    assert result.details["model_digest"] == done.result.details["model_digest"]
    assert result.metrics == done.result.metrics
    assert result.details["model_version"] == 1


def test_killed_while_training_and_run_again_resumes_to_the_same_digest(
    done: Done,
    prepared: Path,
    command_line: CommandLine,
    in_copy: Callable[[Callable[[], object]], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv = command_line(prepared, "--resume")

    def die_at_step_13() -> None:
        Progress.reach = lambda _self, step: signal.raise_signal(signal.SIGKILL) if step == 13 else None
        stage.main(argv)

    assert in_copy(die_at_step_13) == -signal.SIGKILL
    assert stage.main(argv) == 0
    captured = capsys.readouterr()
    assert "training continues from the checkpoint at step 10" in captured.err
    result = StageResult.model_validate_json(captured.out.splitlines()[-1])
    assert result.details["model_digest"] == done.result.details["model_digest"]
    assert not (prepared / "models" / "sentiment" / ".checkpoints" / result.key).exists()


def test_curves_and_model_reach_mlflow(
    tracked_workspace: Path,
    lay_down: Callable[..., Path],
    command_line: CommandLine,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from mlflow import MlflowClient

    argv = command_line(lay_down(tracked_workspace), "tracking.enabled=true", "registry.kind=mlflow")
    first, second = run(argv, capsys), run(argv, capsys)
    assert first.details["model_version"] == second.details["model_version"] == 1
    client = MlflowClient(f"sqlite:///{tracked_workspace}/mlruns.db")
    version = client.get_model_version_by_alias("sentiment", CHALLENGER)
    recorded = client.get_run(str(version.run_id))
    assert recorded.data.metrics["test_macro_f1"] == first.metrics["test_macro_f1"]
    curve = client.get_metric_history(recorded.info.run_id, "validation/macro_f1")
    assert [point.step for point in curve] == [9, 18, 27]
    assert [file.path for file in client.list_artifacts(recorded.info.run_id, "charts")] == ["charts/held_out.html"]


def test_runs_as_a_process_of_its_own(prepared: Path, command_line: CommandLine) -> None:
    script = project_root() / "pipelines" / "sentiment_model" / "train_sentiment_model.py"
    done = subprocess.run(
        [sys.executable, str(script), *command_line(prepared, "hyperparameters.epochs=1")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["details"]["model_version"] == 1
    assert "training: 9 of 9 steps" in done.stderr
