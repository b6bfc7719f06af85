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
from pipelines.crypto_dqn import train_rainbow as stage

CommandLine = Callable[..., list[str]]
DieAt = Callable[[failpoints.Point, Callable[[], object]], None]
Done = Any  # of this folder's conftest.py
InCopy = Callable[[Callable[[], object]], int]
Run = Callable[[list[str]], StageResult]


def die_at_frame(frames: int, argv: list[str]) -> Callable[[], object]:
    """What trains until it has played so many frames, and dies there."""

    def doomed() -> object:
        Progress.reach = lambda _self, now: signal.raise_signal(signal.SIGKILL) if now == frames else None
        return stage.main(argv)

    return doomed


def digests_of(result: StageResult) -> dict[str, str]:
    return {name: artifact.sha256 for name, artifact in result.artifacts.items()}


@pytest.mark.parametrize("point", ["before_write", "before_rename", "after_rename", "after_registration"])
def test_killed_at_a_named_point_and_run_again_ends_as_an_undisturbed_run(
    point: failpoints.Point, die_at: DieAt, done: Done, prepared: Path, command_line: CommandLine, run: Run
) -> None:
    argv = command_line(prepared)
    die_at(point, lambda: stage.main(argv))
    result = run(argv)
    assert digests_of(result) == digests_of(done.result)
    assert result.metrics == done.result.metrics
    registry = open_registry(read_settings(stage.STAGE, argv))
    versions = registry.versions("crypto_timing")
    assert [version.digest for version in versions] == [done.result.details["model_digest"]]
    assert registry.aliases("crypto_timing") == {CHALLENGER: 1}
    made = prepared / "models" / "crypto_timing"
    assert {path.name for path in made.iterdir()} == {".checkpoints", "btc"}
    assert {path.name for path in (made / "btc").iterdir()} == {result.folder.name, "latest"}
    assert list((made / ".checkpoints").iterdir()) == []


@pytest.mark.parametrize("use_lightning", ["true", "false"])
def test_killed_while_training_and_run_again_resumes_to_the_same_digests(
    use_lightning: str,
    done: Done,
    prepared: Path,
    command_line: CommandLine,
    in_copy: InCopy,
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv = command_line(prepared, "--resume", f"training.use_lightning={use_lightning}")
    assert in_copy(die_at_frame(240, argv)) == -signal.SIGKILL
    assert in_copy(die_at_frame(400, argv)) == -signal.SIGKILL
    assert stage.main(argv) == 0
    captured = capsys.readouterr()
    assert "training continues from the checkpoint at frame 320" in captured.err
    result = StageResult.model_validate_json(captured.out.splitlines()[-1])
    assert digests_of(result) == digests_of(done.result)
    assert result.metrics == done.result.metrics


@pytest.mark.parametrize("harm", [lambda text: text[: len(text) // 2], lambda _: b"", lambda _: b"no checkpoint"])
def test_a_corrupted_checkpoint_is_told_and_the_training_starts_anew(
    harm: Callable[[bytes], bytes],
    done: Done,
    prepared: Path,
    command_line: CommandLine,
    in_copy: InCopy,
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv = command_line(prepared)
    assert in_copy(die_at_frame(240, argv)) == -signal.SIGKILL
    (checkpoint,) = (prepared / "models/crypto_timing/.checkpoints").rglob("checkpoint.pt")
    checkpoint.write_bytes(harm(checkpoint.read_bytes()))
    assert stage.main(argv) == 0
    captured = capsys.readouterr()
    assert "checkpoint.pt cannot be read" in captured.err
    assert "training starts from zero" in captured.err
    assert digests_of(StageResult.model_validate_json(captured.out.splitlines()[-1])) == digests_of(done.result)


def test_resume_can_be_turned_off(
    done: Done, prepared: Path, command_line: CommandLine, in_copy: InCopy, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = command_line(prepared, "training.resume=false")
    assert in_copy(die_at_frame(240, argv)) == -signal.SIGKILL
    assert stage.main(argv) == 0
    captured = capsys.readouterr()
    assert "training starts from zero" in captured.err
    assert str(done.result.details["model_digest"]) in captured.out
