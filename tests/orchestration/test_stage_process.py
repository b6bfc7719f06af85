"""A stage as a process: progress at once, one result, nothing left behind."""

import os
import select
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.orchestration.stage_process import StageFailedError, StageProcess

WriteStage = Callable[[str, str], Path]


def _ignore(_chunk: bytes) -> None:
    pass


def test_gives_the_result_and_passes_the_arguments(write_stage: WriteStage) -> None:
    script = write_stage("probe", 'print("chatter"); finish()')
    result = StageProcess("probe", script, ["--run_date", "2024-01-02", "a=1"], _ignore).run()
    assert (result.stage, result.key) == ("probe", "k1")
    assert result.details["arguments"] == "--run_date 2024-01-02 a=1"


def test_progress_is_passed_on_while_the_stage_works(write_stage: WriteStage, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    os.mkfifo(seen)

    def relay(chunk: bytes) -> None:
        if b"half way" in chunk:
            seen.write_text("go on")

    # The stage waits for our answer to its line: it would wait for ever if lines came at its end only.
    script = write_stage("probe", f'say("half way"); answer = Path("{seen}").read_text(); finish(answer=answer)')
    assert StageProcess("probe", script, [], relay, timeout_seconds=60).run().details["answer"] == "go on"


def test_a_silent_stage_is_said_to_be_at_work(write_stage: WriteStage, tmp_path: Path) -> None:
    go_on = tmp_path / "go_on"
    os.mkfifo(go_on)
    script = write_stage("probe", f'Path("{go_on}").read_text(); finish()')
    said: list[bytes] = []

    def relay(chunk: bytes) -> None:
        said.append(chunk)
        if len(said) == 1:
            go_on.write_text("go on")

    StageProcess("probe", script, [], relay, timeout_seconds=60, silence_seconds=0.1).run()
    assert said[0].startswith(b"probe: at work for ")


def test_much_output_on_both_streams_does_not_block(write_stage: WriteStage) -> None:
    chunks: list[bytes] = []
    script = write_stage("probe", 'print("o" * 300_000, flush=True); say("e" * 300_000); finish()')
    StageProcess("probe", script, [], chunks.append, timeout_seconds=60).run()
    assert len(b"".join(chunks)) == 300_001


def test_a_failure_carries_the_exit_status_and_the_last_line(write_stage: WriteStage) -> None:
    script = write_stage("probe", 'say("12:00:01 working"); say("12:00:02 probe: close is NaN"); sys.exit(3)')
    with pytest.raises(StageFailedError) as error:
        StageProcess("probe", script, [], _ignore).run()
    assert str(error.value) == "probe: close is NaN"
    assert error.value.exit_code == 3


@pytest.mark.parametrize(
    ("ending", "may_pass"),
    [
        ("sys.exit(2)", False),  # a wrong setting
        ("sys.exit(3)", False),  # bad data
        ("sys.exit(4)", True),  # an outage
        ("sys.exit(1)", True),  # something unexpected
        ("sys.exit(130)", True),  # interrupted
        ("os.kill(os.getpid(), signal.SIGKILL)", True),
    ],
)
def test_only_what_may_pass_is_worth_another_try(write_stage: WriteStage, ending: str, may_pass: bool) -> None:
    with pytest.raises(StageFailedError) as error:
        StageProcess("probe", write_stage("probe", ending), [], _ignore).run()
    assert error.value.may_pass is may_pass


@pytest.mark.parametrize("last", ['print("done")', "pass", 'print(json.dumps({"stage": "probe"}))'])
def test_success_without_a_result_is_a_failure(write_stage: WriteStage, last: str) -> None:
    with pytest.raises(StageFailedError, match="probe: its last line of output is no result"):
        StageProcess("probe", write_stage("probe", last), [], _ignore).run()


SPAWNS_A_CHILD = """
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
say(f"{os.getpid()} {child.pid}")
signal.pause()
"""


class _Watch:
    """Takes the process ids that a stage says, and holds on to the processes."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.pidfds: list[int] = []
        self._then = then

    def __call__(self, chunk: bytes) -> None:
        self.pidfds += [os.pidfd_open(int(word)) for word in chunk.split()]
        self._then()

    def all_end(self) -> bool:
        return all(_ends(pidfd) for pidfd in self.pidfds)


def _ends(pidfd: int) -> bool:
    """Wait until the process behind `pidfd` has ended, half a minute at most."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(30_000))


def test_a_cancelled_stage_ends_with_what_it_started(write_stage: WriteStage) -> None:
    watch = _Watch(then=lambda: process.cancel())
    process = StageProcess("probe", write_stage("probe", SPAWNS_A_CHILD), [], watch)
    with pytest.raises(StageFailedError, match="probe: ended from outside"):
        process.run()
    assert len(watch.pidfds) == 2
    assert watch.all_end()


def test_a_stage_that_takes_too_long_is_ended(write_stage: WriteStage) -> None:
    watch = _Watch()
    script = write_stage("probe", SPAWNS_A_CHILD)
    with pytest.raises(StageFailedError, match="probe: ended after its time limit of 3 seconds"):
        StageProcess("probe", script, [], watch, timeout_seconds=3).run()
    assert watch.all_end()


def test_a_child_that_holds_the_pipe_does_not_hold_the_chain(write_stage: WriteStage) -> None:
    body = 'subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]); finish()'
    assert StageProcess("probe", write_stage("probe", body), [], _ignore, timeout_seconds=60).run().key == "k1"


def test_the_stage_ends_with_the_process_that_runs_it(write_stage: WriteStage) -> None:
    script = write_stage("probe", "say(os.getpid()); signal.pause()")
    runner = textwrap.dedent(f"""
        import os
        from pathlib import Path
        from pipelines.orchestration.stage_process import StageProcess
        StageProcess("probe", Path({str(script)!r}), [], lambda chunk: os.write(1, chunk)).run()
    """)
    with subprocess.Popen([sys.executable, "-c", runner], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        stage = int(process.stdout.readline())
        watched = os.pidfd_open(stage)
        process.kill()
        assert _ends(watched)


def test_a_stage_may_be_given_a_terminal(write_stage: WriteStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda _descriptor: os.terminal_size((90, 20)))
    body = "finish(is_terminal=os.isatty(2), columns=os.get_terminal_size(2).columns)"
    chunks: list[bytes] = []
    script = write_stage("probe", 'say("on a terminal")\n' + body)
    result = StageProcess("probe", script, [], chunks.append, draws_on_terminal=True).run()
    assert result.details["is_terminal"] is True
    assert result.details["columns"] == 90
    assert b"on a terminal" in b"".join(chunks)
