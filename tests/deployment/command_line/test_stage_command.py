"""A stage as a process: its result, its words, its exit status, and the signals that go on to it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deployment.command_line import stage_command
from deployment.command_line.stage_command import StageEndedError, keys_held, run_stage_process
from MLOps.errors import PlatformError
from MLOps.settings.project import project_root
from MLOps.settings.stage_table import StageEntry
from MLOps.stage import StageResult

RESULT = StageResult(stage="probe", key="k", status="made", folder=Path("here"))
SETTINGS = "MLOps.settings.serving:ServeCryptoModelSettings"


@pytest.fixture
def make_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A maker of a stage `probe` with such code."""

    def make(code: str) -> Path:
        script = tmp_path / "probe.py"
        script.write_text(f"import os, signal, sys\n{code}\n")
        entry = StageEntry(script=script, settings=SETTINGS)
        monkeypatch.setattr(stage_command, "read_stage", lambda _: entry)
        return script

    return make


def test_last_line_is_the_result_and_the_words_come_through(
    make_probe: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    make_probe(f"print('words'); print({RESULT.model_dump_json()!r}); sys.stderr.write(' '.join(sys.argv[1:]))")
    assert run_stage_process("probe", ["--flag", "key=value"]) == RESULT
    assert capfd.readouterr().err == "--flag key=value"


@pytest.mark.parametrize(
    ("code", "status"),
    [("sys.exit(5)", 5), ("os.kill(os.getpid(), signal.SIGKILL)", 137), ("os.kill(os.getpid(), signal.SIGTERM)", 143)],
)
def test_failure_has_the_exit_status_of_the_stage(make_probe: Callable[[str], Path], code: str, status: int) -> None:
    make_probe(code)
    with pytest.raises(StageEndedError) as caught:
        run_stage_process("probe", [])
    assert caught.value.exit_status == status


@pytest.mark.parametrize("code", ["pass", "print('no result')"])
def test_success_without_a_result_is_told(make_probe: Callable[[str], Path], code: str) -> None:
    make_probe(code)
    with pytest.raises(PlatformError, match="its last line of output is no result"):
        run_stage_process("probe", [])


def test_stage_finds_the_environment_of_stages_unless_told_otherwise(
    make_probe: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    names = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY")
    make_probe(f"sys.stderr.write(str([os.environ[n] for n in {names}])); print({RESULT.model_dump_json()!r})")
    run_stage_process("probe", [])
    assert capfd.readouterr().err == "['1', 'ACTIVE']"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_goes_on_to_the_stage_and_its_status_comes_back(tmp_path: Path, number: signal.Signals) -> None:
    """The starter is a process of its own here, as it is on a command line."""
    (tmp_path / "probe.py").write_text(
        "import signal, sys\n"
        "def end(number, _):\n    sys.exit(40 + number)\n"
        "for number in (signal.SIGTERM, signal.SIGINT):\n    signal.signal(number, end)\n"
        "sys.stderr.write('ready\\n'); sys.stderr.flush()\n"
        "signal.pause()\n"
    )
    (tmp_path / "starter.py").write_text(
        "import sys\n"
        "from deployment.command_line import stage_command\n"
        "from MLOps.settings.stage_table import StageEntry\n"
        f"entry = StageEntry(script={str(tmp_path / 'probe.py')!r}, settings={SETTINGS!r})\n"
        "stage_command.read_stage = lambda _: entry\n"
        "try:\n    stage_command.run_stage_process('probe', [])\n"
        "except stage_command.StageEndedError as ended:\n    sys.exit(ended.exit_status)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(project_root())}
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "starter.py")], stderr=subprocess.PIPE, env=environment, text=True
    ) as starter:
        assert starter.stderr is not None
        assert starter.stderr.readline() == "ready\n"
        starter.send_signal(number)
        assert starter.wait(30) == 40 + number


def test_keys_go_to_the_stages_that_hold_them() -> None:
    given = ["training.num_frames=9", "data.window_size=8", "data=eth", "columns.close=last", "model=dqn", "nonsense=1"]
    assert keys_held("train_rainbow", given) == ["training.num_frames=9", "data.window_size=8", "data=eth", "model=dqn"]
    assert keys_held("export_crypto_model", given) == ["data.window_size=8", "data=eth"]
    assert keys_held("convert_crypto_pickle", given) == ["columns.close=last"]
