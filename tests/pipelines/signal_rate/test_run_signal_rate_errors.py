"""The contract of the signal-rate job, word by word: its errors, their JSON, log and exit status."""

import errno
import json
import os
import resource
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.signal_rate.run_signal_rate import main

Job = Any  # SignalRateJob of conftest.py
Fails = Callable[..., None]
AtStart = Callable[[str], dict[str, str]]


@pytest.fixture
def fails(job: Job, capsys: pytest.CaptureFixture[str]) -> Fails:
    """``fails(message, status)``: run the job and check all that an error leaves behind."""

    def check(message: str, status: int, version: str | None = "v1") -> None:
        assert main(job.arguments) == status
        told = capsys.readouterr()
        report = {"version": version, "status": "error", "error_message": message}
        assert told.out == json.dumps(report, indent=2) + "\n"
        assert told.err == f"run_signal_rate: {message}\n"
        assert job.output.read_text() == told.out
        lines = job.log
        assert any(line.endswith(f" - ERROR - {message}") for line in lines)
        assert "Traceback (most recent call last):" in lines
        assert not list(job.output.parent.glob(".*"))

    return check


class TestInput:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "is empty; allowed: a CSV file with a header and rows"),
            ("timestamp,close\n", "holds a header and no row; allowed: at least one row"),
            (b"\x7fELF\0\0", "is not a CSV file: it holds zero bytes; allowed: CSV in UTF-8"),
            ("no table\n", "is not a CSV file: its first line has no comma; allowed: columns separated by commas"),
            ("a,b\n1,2\n", "has no column 'close' among a, b; allowed: one column 'close'"),
            ("close\n1\n".encode("utf-16"), "is encoded in UTF-16; allowed: CSV in UTF-8"),
            ("close\n1\n".encode("utf-32"), "is encoded in UTF-32; allowed: CSV in UTF-8"),
        ],
        ids=["empty", "header only", "binary", "not a CSV", "no close", "UTF-16", "UTF-32"],
    )
    def test_file_that_is_no_table(self, job: Job, fails: Fails, text: str | bytes, message: str) -> None:
        job.input.write_bytes(text.encode() if isinstance(text, str) else text)
        fails(f"{job.input} {message}", 3)

    @pytest.mark.parametrize("close", ["abc", "nan", "inf", "-inf", "-0.01", ""])
    def test_close_that_is_no_price(self, job: Job, fails: Fails, close: str) -> None:
        job.input.write_text(job.table("1", "2", close, "3"))
        fails(f"{job.input}: close={close!r} in data row 3; allowed: a finite number of at least 0", 3)

    @pytest.mark.parametrize(("row", "fields"), [("1,2,3\n", 3), ("1,2,3,4,5,6,7,8\n", 8), ("\n", 0)])
    def test_ragged_row(self, job: Job, fails: Fails, row: str, fields: int) -> None:
        job.input.write_text(job.table("1", "2") + row + "1,2,3,4,5,6,7\n")
        fails(f"{job.input}: data row 3 has {fields} fields; allowed: 7, as the header", 3)

    def test_latin_1(self, job: Job, fails: Fails) -> None:
        job.input.write_bytes((job.table("1", "2") + "caf\u00e9,2,3,4,5,6,7\n").encode("latin-1"))
        fails(f"{job.input}: data row 3 is not encoded in UTF-8; allowed: CSV in UTF-8", 3)

    def test_missing(self, job: Job, fails: Fails) -> None:
        job.input.unlink()
        fails(f"{job.input} does not exist; allowed: a CSV or Parquet file", 3)

    def test_folder(self, job: Job, fails: Fails) -> None:
        job.input = job.input.parent
        fails(f"{job.input} cannot be read: Is a directory; allowed: a CSV or Parquet file", 3)

    def test_name_longer_than_any_file_has(self, job: Job, fails: Fails) -> None:
        job.input = job.input.with_name("a" * 300)
        fails(f"{job.input} cannot be read: File name too long; allowed: a CSV or Parquet file", 3)

    def test_links_in_a_loop(self, job: Job, fails: Fails) -> None:
        job.input = job.input.with_name("loop")
        job.input.symlink_to(job.input)
        fails(f"{job.input} cannot be read: Too many levels of symbolic links; allowed: a CSV or Parquet file", 3)

    def test_window_larger_than_the_data(self, job: Job, fails: Fails) -> None:
        job.configure(window=7)
        fails("window=7 is larger than the data, 6 rows; allowed: at most 6", 3)
        assert any(line.endswith("INFO - Data loaded: 6 rows") for line in job.log)


ALLOWED = "seed: an integer; window: an integer >= 1; version: printable text, in quotes where it looks like a number"


class TestConfig:
    @pytest.mark.parametrize(
        ("text", "faults", "version"),
        [
            ("seed: 42\nwindow: 0\nversion: v1", "window=0", "v1"),
            ("seed: 42\nwindow: -5\nversion: v1", "window=-5", "v1"),
            ("seed: 42\nwindow: 2.0\nversion: v1", "window=2.0", "v1"),
            ("seed: 42\nwindow: '5'\nversion: v1", "window='5'", "v1"),
            ("seed: true\nwindow: 5\nversion: v1", "seed=True", "v1"),
            ("seed: 42\nwindow: 5\nversion: 1.0", "version=1.0", None),
            ("seed: 42\nwindow: 5\nversion:", "version=None", None),
            ("seed: 42\nwindow: 5", "no version", None),
            ("seed: 42\nwindow: 5\nversion: v1\nwindows: 5", "unknown key 'windows'", "v1"),
            ("seed: x\nwindow: 0\n1: 2", "seed='x', window=0, no version, unknown key 1", None),
            ("seed: 42\nwindow: 5\nwindow: 4\nversion: v1", "window said twice", "v1"),
            ("seed: 42\nwindow: 5\nversion: v1\nversion: v2", "version said twice", None),
            ('seed: 42\nwindow: 5\nversion: "v\\n1"', "version='v\\n1'", "v\n1"),
            ('seed: 42\nwindow: 5\nversion: "v\\e[2K"', "version='v\\x1b[2K'", "v\x1b[2K"),
            (f"seed: 0x{'f' * 9_000}\nwindow: 5\nversion: v1", "seed=an integer of more than 640 digits", "v1"),
            (f"seed: -1{'0' * 640}\nwindow: 5\nversion: v1", "seed=an integer of more than 640 digits", "v1"),
            (f"seed: 42\nwindow: 5\nversion: [0x{'f' * 9_000}]", "version=a list", None),
        ],
    )
    def test_faults_are_told_at_once(self, job: Job, fails: Fails, text: str, faults: str, version: str | None) -> None:
        job.config.write_text(text)
        fails(f"{job.config}: {faults}; allowed: {ALLOWED}", 2, version)

    @pytest.mark.parametrize("text", ["", "- 42\n- 5\n", "v1"])
    def test_no_mapping(self, job: Job, fails: Fails, text: str) -> None:
        job.config.write_text(text)
        fails(f"{job.config} holds no keys; allowed: {ALLOWED}", 2, version=None)

    def test_not_yaml(self, job: Job, fails: Fails) -> None:
        job.config.write_text("seed: 42\nwindow: [5\nversion: v1\n")
        fails(
            f"{job.config} is not YAML: expected ',' or ']', but got ':' in line 3; allowed: {ALLOWED}", 2, version=None
        )

    def test_tag_that_would_run_code(self, job: Job, fails: Fails) -> None:
        job.config.write_text("seed: !!python/object/apply:os.getpid []\n")
        tag = "could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.getpid'"
        fails(f"{job.config} is not YAML: {tag} in line 1; allowed: {ALLOWED}", 2, version=None)

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ("!!bool maybe", "KeyError: 'maybe'"),
            ('!!int ""', "IndexError: string index out of range"),
            ("!!timestamp x", "AttributeError: 'NoneType' object has no attribute 'groupdict'"),
        ],
    )
    def test_value_that_does_not_fit_its_tag(self, job: Job, fails: Fails, value: str, reason: str) -> None:
        job.config.write_text(f"seed: {value}\nwindow: 5\nversion: v1\n")
        fails(f"{job.config} holds a value that cannot be read: {reason}; allowed: {ALLOWED}", 2, version=None)

    def test_missing(self, job: Job, fails: Fails) -> None:
        job.config.unlink()
        fails(f"{job.config} does not exist; allowed: a YAML file", 2, version=None)

    def test_wrong_encoding(self, job: Job, fails: Fails) -> None:
        job.config.write_bytes("seed: 42\nversion: \u00e9".encode("latin-1"))
        reason = "'utf-8' codec can't decode byte 0xe9 in position 18: unexpected end of data"
        fails(f"{job.config} is not YAML in UTF-8: {reason}; allowed: {ALLOWED}", 2, version=None)


class TestFlags:
    def test_missing_flag_is_told_in_all_places_that_were_given(self, job: Job) -> None:
        assert main(job.arguments[2:]) == 2
        report = json.loads(job.output.read_text())
        assert report == {
            "version": "v1",
            "status": "error",
            "error_message": "the following arguments are required: --input; "
            "mend: the command line; --help lists the flags",
        }
        assert job.log[0].endswith(" - ERROR - " + report["error_message"])

    @pytest.mark.parametrize("arguments", [[], ["--inp", "x"], ["--input"]])
    def test_unusable_command_line_still_prints_json(
        self, arguments: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(arguments) == 2
        assert json.loads(capsys.readouterr().out)["status"] == "error"

    @pytest.mark.parametrize("twice", ["output", "log_file"])
    @pytest.mark.parametrize("read", ["input", "config"])
    def test_nothing_is_written_over_what_is_read(self, job: Job, twice: str, read: str) -> None:
        setattr(job, twice, getattr(job, read))
        before = getattr(job, read).read_text()
        assert main(job.arguments) == 2
        assert getattr(job, read).read_text() == before
        name, other = twice.replace("_", "-"), job.log_file if twice == "output" else job.output
        assert f"--{read} and --{name} name the same file {getattr(job, read)}; allowed: " in other.read_text()

    def test_output_and_log_are_different_files(self, job: Job, capsys: pytest.CaptureFixture[str]) -> None:
        job.log_file = job.output
        assert main(job.arguments) == 2
        assert not job.output.exists()
        message = json.loads(capsys.readouterr().out)["error_message"]
        assert message == f"--output and --log-file name the same file {job.output}; allowed: different files"


STOPS_AT_NUMPY = """
import os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background would ignore it

class StopAtNumPy:
    @staticmethod
    def find_spec(name, *_):
        if name == "numpy":
            os.kill(os.getpid(), {number})

sys.meta_path.insert(0, StopAtNumPy)
"""
STOPS_AT_FSYNC = """
import os

os.fsync = lambda _: os.kill(os.getpid(), {number})
"""
FAILS_AT_SECOND_BLOCK = """
from MLOps.market.signal_rate import SignalCounter

add = SignalCounter.add

def add_once(self, closes):
    if self.rows:
        raise RuntimeError("a fault of the program")
    add(self, closes)

SignalCounter.add = add_once
"""
LOG_IS_FULL_AT_LAST_LINE = """
import errno, logging, os

format = logging.Formatter.format

def format_but_the_last(self, record):
    if record.msg.startswith("Job completed"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return format(self, record)

logging.Formatter.format = format_but_the_last
"""


@pytest.fixture
def at_start(tmp_path: Path) -> AtStart:
    """``at_start(code)``: an environment in which Python runs `code` before its program."""

    def environment(code: str) -> dict[str, str]:
        folder = tmp_path / "start"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(code)
        return os.environ | {"PYTHONPATH": str(folder)}

    return environment


class TestPlacesThatCannotBeWritten:
    """No JSON file can be left here: standard output and the exit status tell."""

    @pytest.fixture
    def refuses(self, job: Job, capsys: pytest.CaptureFixture[str]) -> Fails:
        def check(message: str, job: Job = job) -> None:
            assert main(job.arguments) == 5
            report = {"version": "v1", "status": "error", "error_message": message}
            told = capsys.readouterr()
            assert told.out == json.dumps(report, indent=2) + "\n"
            assert told.err == f"run_signal_rate: {message}\n"

        return check

    def test_output_in_a_folder_that_does_not_exist(self, job: Job, refuses: Fails) -> None:
        job.output = job.output.parent / "none" / "metrics.json"
        refuses(f"--output {job.output}: there is no folder {job.output.parent}; mend: make the folder first")
        assert not job.output.parent.exists()
        assert any(" - ERROR - --output" in line for line in job.log)

    def test_log_in_a_folder_that_does_not_exist(self, job: Job, refuses: Fails) -> None:
        job.log_file = job.log_file.parent / "none" / "run.log"
        message = f"--log-file {job.log_file}: there is no folder {job.log_file.parent}; mend: make the folder first"
        refuses(message)
        assert json.loads(job.output.read_text())["error_message"] == message

    def test_output_is_a_folder(self, job: Job, refuses: Fails) -> None:
        job.output.mkdir()
        refuses(f"--output {job.output} is a folder; allowed: a file, new or old")

    def test_name_longer_than_any_file_has(self, job: Job, refuses: Fails) -> None:
        job.output = job.output.with_name("a" * 300)
        refuses(f"--output {job.output} cannot be written: File name too long; mend: the flag")
        assert any(" - ERROR - --output" in line for line in job.log)

    def test_folder_that_may_not_be_entered(self, refuses: Fails, plain_users_job: Job) -> None:
        job = plain_users_job
        job.output = job.output.parent / "locked" / "metrics.json"
        job.output.parent.mkdir(mode=0)
        refuses(f"--output {job.output} cannot be written: Permission denied; mend: the flag", job)
        assert any(" - ERROR - --output" in line for line in job.log)

    def test_log_in_a_folder_that_may_not_be_entered(self, refuses: Fails, plain_users_job: Job) -> None:
        job = plain_users_job
        job.log_file = job.log_file.parent / "locked" / "run.log"
        job.log_file.parent.mkdir(mode=0)
        message = f"--log-file {job.log_file} cannot be written: Permission denied; mend: the flag"
        refuses(message, job)
        assert json.loads(job.output.read_text())["error_message"] == message

    def test_what_another_user_left_is_no_hindrance(self, plain_users_job: Job) -> None:
        left = plain_users_job.output.with_name(".metrics.json.abc.partial")
        left.touch(mode=0)
        assert main(plain_users_job.arguments) == 0
        assert json.loads(plain_users_job.output.read_text())["status"] == "success"

    def test_output_is_a_loop_of_links(self, job: Job, refuses: Fails) -> None:
        job.output.symlink_to(job.output)
        refuses(f"--output {job.output} cannot be written: Symlink loop from '{job.output}'; mend: the flag")
        assert any(" - ERROR - --output" in line for line in job.log)

    def test_output_is_a_device(self, job: Job, refuses: Fails) -> None:
        job.output = Path("/dev/null")
        refuses("--output /dev/null is not a file; allowed: a file, new or old")

    def test_folder_may_not_be_written(self, job: Job, refuses: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(**_: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr("tempfile.mkstemp", refuse)
        refuses(f"--output {job.output} cannot be written: Permission denied; mend: the flag")

    def test_disk_is_full(self, job: Job, refuses: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
        """Metrics of an earlier run do not stay, as if they were this one's."""
        job.output.write_text("earlier metrics")

        def fill(_: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("os.fsync", fill)
        refuses(f"--output {job.output} cannot be written: No space left on device; mend: free room")
        assert sorted(path.name for path in job.output.parent.iterdir()) == ["config.yaml", "data.csv", "run.log"]

    def test_size_limit_of_the_kernel(self, job: Job) -> None:
        job.log_file = Path("/dev/null")
        done = job.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)))
        message = f"--output {job.output} cannot be written: File too large; mend: free room"
        assert (done.returncode, json.loads(done.stdout)["error_message"]) == (5, message)
        assert done.stderr == f"run_signal_rate: {message}\n"
        assert sorted(path.name for path in job.output.parent.iterdir()) == ["config.yaml", "data.csv"]

    def test_disk_of_the_log_is_full(self, job: Job) -> None:
        job.log_file = Path("/dev/full")
        done = job.start()
        message = "--log-file /dev/full cannot be written: No space left on device; mend: free room"
        assert (done.returncode, done.stderr) == (5, f"run_signal_rate: {message}\n")
        assert json.loads(done.stdout)["error_message"] == message
        assert job.output.read_text() == done.stdout

    def test_standard_output_is_full(self, job: Job) -> None:
        with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
            done = job.start(capture_output=False, stdout=full, stderr=subprocess.PIPE)
        message = "standard output cannot be written: No space left on device; mend: free room"
        assert (done.returncode, done.stderr) == (5, f"run_signal_rate: {message}\n")
        assert json.loads(job.output.read_text())["error_message"] == message

    def test_standard_error_is_closed(self, job: Job) -> None:
        job.input.unlink()
        done = job.start(preexec_fn=lambda: os.close(2))
        assert done.returncode == 3
        assert json.loads(done.stdout)["status"] == "error"

    def test_log_is_full_at_its_last_line(self, job: Job, at_start: AtStart) -> None:
        """Standard output holds the metrics by then, and stays one JSON text."""
        done = job.start(env=at_start(LOG_IS_FULL_AT_LAST_LINE))
        message = f"--log-file {job.log_file} cannot be written: No space left on device; mend: free room"
        assert (done.returncode, done.stderr) == (5, f"run_signal_rate: {message}\n")
        assert json.loads(done.stdout)["status"] == "success"
        assert json.loads(job.output.read_text())["error_message"] == message

    def test_nobody_reads_standard_output(self, job: Job) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        done = job.start(capture_output=False, stdout=writer, stderr=subprocess.PIPE)
        os.close(writer)
        message = "standard output cannot be written: Broken pipe; mend: what reads it"
        assert (done.returncode, done.stderr) == (5, f"run_signal_rate: {message}\n")
        assert json.loads(job.output.read_text())["error_message"] == message
        assert not any("Job completed" in line for line in job.log)


class TestUnforeseen:
    def test_traceback_goes_to_the_log_and_not_to_the_terminal(
        self, fails: Fails, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def break_down(_: Path) -> None:
            raise RuntimeError("a fault\nof the program")

        monkeypatch.setattr("pipelines.signal_rate.run_signal_rate.read_closes", break_down)
        fails("RuntimeError: a fault of the program", 1)

    def test_fault_of_the_program_in_a_log_line_is_not_told_as_one_of_the_disk(
        self, job: Job, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def break_down(*_: object) -> str:
            raise RuntimeError("no such place in the text")

        monkeypatch.setattr("logging.Formatter.format", break_down)
        assert main(job.arguments) == 1
        message = "RuntimeError: no such place in the text"
        assert json.loads(capsys.readouterr().out)["error_message"] == message
        assert json.loads(job.output.read_text())["error_message"] == message

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_job_stopped_while_it_loads_numpy_leaves_its_error(
        self, job: Job, number: signal.Signals, at_start: AtStart
    ) -> None:
        done = job.start(env=at_start(STOPS_AT_NUMPY.format(number=number.value)))
        assert (done.returncode, done.stderr) == (130, "run_signal_rate: interrupted\n")
        assert json.loads(done.stdout) == {"version": "v1", "status": "error", "error_message": "interrupted"}
        assert job.output.read_text() == done.stdout
        assert job.log[0].endswith(" - ERROR - interrupted")

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_signal_does_not_break_a_report(self, job: Job, number: signal.Signals, at_start: AtStart) -> None:
        job.input.unlink()
        done = job.start(env=at_start(STOPS_AT_FSYNC.format(number=number.value)))
        assert (done.returncode, done.stderr.count("\n")) == (3, 1)
        assert json.loads(done.stdout)["error_message"].startswith(f"{job.input} does not exist")
        assert job.output.read_text() == done.stdout

    def test_signal_does_not_break_a_report_while_threads_read(self, job: Job, at_start: AtStart) -> None:
        """The readers' threads, which wait for the count that has failed, take no signal in place of the job."""
        job.input.write_text(job.table(*["1"] * 100_000))
        done = job.start(env=at_start(STOPS_AT_FSYNC.format(number=signal.SIGTERM.value) + FAILS_AT_SECOND_BLOCK))
        assert (done.returncode, done.stderr) == (1, "run_signal_rate: RuntimeError: a fault of the program\n")
        assert json.loads(done.stdout)["error_message"] == "RuntimeError: a fault of the program"
        assert job.output.read_text() == done.stdout

    def test_stopped_job_leaves_its_error(self, job: Job) -> None:
        os.mkfifo(job.input.with_name("pipe"))
        job.input = job.input.with_name("pipe")
        process = subprocess.Popen(job.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with job.input.open("w"):  # opens once the job reads, which then waits for rows
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate()
        assert (process.returncode, err) == (130, "run_signal_rate: interrupted\n")
        assert json.loads(out) == {"version": "v1", "status": "error", "error_message": "interrupted"}
        assert job.output.read_text() == out
