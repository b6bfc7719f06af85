"""The stage, killed on its way and run again: it ends as if nothing had happened."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiment_tracking.runner import read_settings
from MLOps import failpoints
from MLOps.stage import StageResult
from MLOps.training.progress import Progress
from model_registry.open_registry import open_registry
from model_registry.registry import CHALLENGER
from pipelines.rl_agent import train_rl_agent as stage

CommandLine = Callable[..., list[str]]
DieAt = Callable[[failpoints.Point, Callable[[], object]], None]
Done = Any  # of this folder's conftest.py
Run = Callable[[list[str]], StageResult]


@pytest.mark.parametrize("point", ["before_write", "before_rename", "after_rename", "after_registration"])
def test_killed_at_a_named_point_and_run_again_ends_as_an_undisturbed_run(
    point: failpoints.Point, die_at: DieAt, done: Done, prepared: Path, command_line: CommandLine, run: Run
) -> None:
    argv = command_line(prepared)
    die_at(point, lambda: stage.main(argv))
    result = run(argv)
    assert result.details["model_digest"] == done.result.details["model_digest"]
    assert result.metrics == done.result.metrics
    registry = open_registry(read_settings(stage.STAGE, argv))
    assert [version.digest for version in registry.versions("stock_trading")] == [done.result.details["model_digest"]]
    assert registry.aliases("stock_trading") == {CHALLENGER: 1}
    assert sorted(path.name for path in (prepared / "models").iterdir()) == sorted(
        [".checkpoints", result.folder.name, "latest", "registry"]
    )
    assert list((prepared / "models" / ".checkpoints").iterdir()) == []


def test_killed_while_training_and_run_again_resumes_to_the_same_digest(
    done: Done,
    prepared: Path,
    command_line: CommandLine,
    in_copy: Callable[[Callable[[], object]], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv = command_line(prepared, "--resume")

    def die_at_step_100() -> None:
        Progress.reach = lambda _self, timesteps: signal.raise_signal(signal.SIGKILL) if timesteps == 100 else None
        stage.main(argv)

    assert in_copy(die_at_step_100) == -signal.SIGKILL
    assert stage.main(argv) == 0
    captured = capsys.readouterr()
    assert "training continues from the checkpoint at timestep 96" in captured.err
    result = StageResult.model_validate_json(captured.out.splitlines()[-1])
    assert result.details["model_digest"] == done.result.details["model_digest"]


def test_resume_can_be_turned_off(
    done: Done, die_at: DieAt, prepared: Path, command_line: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = command_line(prepared, "training.resume=false")
    die_at("before_rename", lambda: stage.main(argv))
    assert stage.main(argv) == 0
    captured = capsys.readouterr()
    assert "training starts from zero" in captured.err
    assert str(done.result.details["model_digest"]) in captured.out
