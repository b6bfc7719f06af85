"""A stage's command line: JSON on the last line of stdout, one clear line and a status on failure."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import Field

from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, make_once
from MLOps.errors import DataError
from MLOps.settings.stage_settings import StageSettings
from MLOps.stage import FileFlag, Stage, StageResult, Tracker, ValueFlag


class ProbeSettings(StageSettings):
    window: int = Field(ge=1, description="Window, in rows.")
    machine: dict[str, object] = Field(description="Machine.")


def probe(settings: ProbeSettings, tracker: Tracker) -> StageResult:
    """Write one file."""

    def make(folder: Path, _key: str) -> Made:
        sys.stdout.write("third parties print to standard output\n")
        (folder / "made.txt").write_text(str(settings.window))
        return Made(files={"made": "made.txt"}, metrics={"window": settings.window})

    return make_once(Output("probe", settings.paths.data, settings), make, tracker)


STAGE = Stage(
    "probe",
    ProbeSettings,
    probe,
    (ValueFlag("window", "window", "rows"), FileFlag("machine_path", "machine", "machine", replaces=True)),
)


@pytest.fixture
def run(project: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(*argv: str, stage: Stage[ProbeSettings] = STAGE) -> tuple[int, str, str]:
        status = run_stage(stage, [*argv, "tracking.enabled=false"])
        out, err = capsys.readouterr()
        return status, out, err

    assert project.exists()
    return call


def failing(error: BaseException) -> Stage[ProbeSettings]:
    def fail(_settings: ProbeSettings, _tracker: Tracker) -> StageResult:
        raise error

    return replace(STAGE, run=fail)


def test_only_the_result_reaches_stdout(run: Callable[..., tuple[int, str, str]]) -> None:
    status, out, err = run()
    result = StageResult.model_validate_json(out)
    assert status == 0
    assert (result.stage, result.status, result.metrics) == ("probe", "made", {"window": 5.0})
    assert "third parties print" in err
    assert result.seconds > 0


def test_result_may_decide_the_exit_status(run: Callable[..., tuple[int, str, str]]) -> None:
    stage = replace(STAGE, exit_status=lambda settings, result: int(result.metrics["window"]) + settings.window)
    status, out, _ = run(stage=stage)
    assert status == 10
    assert StageResult.model_validate_json(out).status == "made"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_result_reaches_an_output_of_any_encoding(
    project: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    def answer(_settings: ProbeSettings, _tracker: Tracker) -> StageResult:
        return StageResult(stage="probe", key="k", status="made", folder=project, details={"said": "Zürich \U0001f600"})

    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", out)
    assert run_stage(replace(STAGE, run=answer), ["tracking.enabled=false"]) == 0
    assert json.loads(out.buffer.getvalue())["details"] == {"said": "Zürich \U0001f600"}  # type: ignore[attr-defined]


def test_output_that_is_gone_is_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project.exists()
    out = io.StringIO()
    out.close()
    monkeypatch.setattr("sys.stdout", out)
    assert run_stage(STAGE, ["tracking.enabled=false"]) == 1
    told = capsys.readouterr().err
    assert "I/O operation on closed file" in told.splitlines()[-1]
    assert "Traceback" not in told


@pytest.mark.parametrize("number", [errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG])
def test_path_that_is_none_is_one_line_without_a_traceback(
    run: Callable[..., tuple[int, str, str]], project: Path, number: int
) -> None:
    status, out, err = run(stage=failing(OSError(number, os.strerror(number), "plots/BTC_777")))
    assert (status, out) == (5, "")
    last = err.splitlines()[-1]
    assert f"probe: cannot use a path ([Errno {number}] {os.strerror(number)}: 'plots/BTC_777'); allowed: " in last
    assert last.endswith("; mend: the setting that holds it")
    assert not (project / "reports" / "logs").exists()


@pytest.mark.parametrize(("given", "found"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_that_wait_do_not_spin_unless_asked_to(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, given: str | None, found: str
) -> None:
    seen: list[str | None] = []

    def look(settings: ProbeSettings, tracker: Tracker) -> StageResult:
        seen.append(os.environ.get("OMP_WAIT_POLICY"))
        return probe(settings, tracker)

    monkeypatch.setenv("OMP_WAIT_POLICY", given or "")
    if given is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    run(stage=replace(STAGE, run=look))
    assert seen == [found]


def test_fine_tuning_loads_torch_only_after_that() -> None:
    code = "import sys, pipelines.sentiment_model.train_sentiment_model as stage; print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False"]


def test_flags_and_overrides_set_keys(run: Callable[..., tuple[int, str, str]], project: Path) -> None:
    _, out, _ = run("--window", "8", "--machine_path", str(project / "config/machines/fast_machine.yaml"))
    assert json.loads(out)["metrics"] == {"window": 8.0}
    _, out, _ = run("--window", "8", "window=9")
    assert json.loads(out)["metrics"] == {"window": 9.0}


def test_workspace_flag_takes_any_path(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    place = tmp_path / "a place, with 'signs' = odd"
    status, out, err = run("--workspace", str(place))
    assert status == 0, err
    assert (place / "data").is_dir()
    assert StageResult.model_validate_json(out).folder.is_relative_to(place)


def test_second_run_says_already_made(run: Callable[..., tuple[int, str, str]]) -> None:
    run()
    _, out, err = run()
    assert json.loads(out)["status"] == "already_made"
    assert "is already made" in err


@pytest.mark.parametrize(
    ("argv", "status", "message"),
    [
        (("window=0",), 2, "probe: window=0: Input should be greater than or equal to 1"),
        (("--window", "0"), 2, "mend: command line: window=0"),
        (("windw=1",), 2, "windw: unknown key"),
        (("--machine_path", "absent.yaml"), 2, "absent.yaml does not exist"),
        (("--windw", "3"), 2, "unrecognized arguments: --windw"),
        (("--run_date", "yesterday"), 2, "run_date='yesterday'"),
    ],
)
def test_bad_input_is_one_line(
    run: Callable[..., tuple[int, str, str]], argv: tuple[str, ...], status: int, message: str
) -> None:
    given, out, err = run(*argv)
    assert given == status
    assert out == ""
    assert message in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (
            DataError("close is NaN in 3 rows", "positive prices", "data.csv"),
            3,
            "close is NaN in 3 rows; allowed: positive",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), 5, "the disk is full"),
        (OSError(errno.EFBIG, "File too large"), 5, "the disk is full or a size limit"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 5, "cannot write"),
        (KeyboardInterrupt(), 130, "interrupted; the same command goes on from here"),
    ],
)
def test_failures_have_their_status_and_line(
    run: Callable[..., tuple[int, str, str]], error: BaseException, status: int, message: str
) -> None:
    given, out, err = run(stage=failing(error))
    assert (given, out) == (status, "")
    assert message in err
    assert "Traceback" not in err


def test_full_disk_is_found_behind_other_errors(run: Callable[..., tuple[int, str, str]]) -> None:
    wrapped = ValueError("could not write the table")
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert run(stage=failing(wrapped))[0] == 5


def test_unexpected_error_leaves_its_traceback_in_a_file(
    run: Callable[..., tuple[int, str, str]], project: Path
) -> None:
    status, _, err = run(stage=failing(ZeroDivisionError("division by zero")))
    logs = list((project / "reports" / "logs").glob("*-probe.log"))
    assert status == 1
    assert "ZeroDivisionError: division by zero; the traceback is in" in err
    assert "Traceback" not in err
    assert "Traceback" in logs[0].read_text()


def test_sigterm_ends_like_an_interrupt(run: Callable[..., tuple[int, str, str]], project: Path) -> None:
    def terminated(settings: ProbeSettings, tracker: Tracker) -> StageResult:
        def make(folder: Path, _key: str) -> Made:
            (folder / "half.txt").write_text("ha")
            os.kill(os.getpid(), signal.SIGTERM)
            return Made(files={})

        return make_once(Output("probe", settings.paths.data, settings), make, tracker)

    assert run(stage=replace(STAGE, run=terminated))[0] == 130
    assert not list((project / "data").iterdir())


def test_help_lists_flags_and_keys(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_stage(STAGE, ["--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0
    assert "--machine_path" in out
    assert "Window, in rows." in out
    assert "tracking.uri" in out
