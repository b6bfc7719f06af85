"""The contract of the signal-rate job, word by word: its metrics, its log, its errors and its exit status."""

import csv
import errno
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from MLOps.errors import SourceUnavailableError
from MLOps.settings.compose import compose_settings
from MLOps.settings.project import project_root
from MLOps.settings.sample_data import SampleDataSettings
from pipelines.data_ingestion.write_sample_data import write_sample_data
from pipelines.signal_rate.run_signal_rate import main

SCRIPT = project_root() / "pipelines" / "signal_rate" / "run_signal_rate.py"
COLUMNS = "timestamp,open,high,low,close,volume_btc,volume_usd\n"
CONFIG = "seed: 42\nwindow: 3\nversion: v1\n"
CLOSES = ("0.3", "0.1", "0.2", "0.9", "1.0", "0.1")  # with a window of 3: -, -, tie, above, above, below


def table(*closes: str) -> str:
    return COLUMNS + "".join(f"2024-01-06 16:00:00,1,2,0,{close},5.5,6\n" for close in closes)


class Job:
    """The job in a folder of its own, with a good input and a good configuration until a test spoils them."""

    def __init__(self, folder: Path) -> None:
        self.input, self.config = folder / "data.csv", folder / "config.yaml"
        self.output, self.log_file = folder / "metrics.json", folder / "run.log"
        self.input.write_text(table(*CLOSES))
        self.config.write_text(CONFIG)

    @property
    def arguments(self) -> list[str]:
        flags = {"input": self.input, "config": self.config, "output": self.output, "log-file": self.log_file}
        return [text for name, path in flags.items() for text in (f"--{name}", str(path))]

    def start(self, **how: object) -> subprocess.CompletedProcess[str]:
        """Run it as a process."""
        command = [sys.executable, str(SCRIPT), *self.arguments]
        return subprocess.run(command, **{"capture_output": True, "text": True, "check": False, **how})

    @property
    def log(self) -> list[str]:
        return self.log_file.read_text().splitlines()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


Fails = Callable[..., None]


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


class TestSuccess:
    def test_metrics_are_those_of_the_contract(self, job: Job) -> None:
        done = job.start()
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == job.output.read_text()
        report = json.loads(done.stdout)
        assert isinstance(report.pop("latency_ms"), int)
        assert list(report.items()) == [
            ("version", "v1"),
            ("rows_processed", 6),
            ("metric", "signal_rate"),
            ("value", 0.3333),
            ("seed", 42),
            ("status", "success"),
        ]
        assert list(json.loads(done.stdout))[4] == "latency_ms"

    def test_log_says_each_step(self, job: Job) -> None:
        assert main(job.arguments) == 0
        latency = json.loads(job.output.read_text())["latency_ms"]
        times, said = zip(*(line.split(" - ", 1) for line in job.log), strict=True)
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", time) for time in times)
        assert said == (
            "INFO - Job started",
            "INFO - Config loaded: seed=42, window=3, version=v1",
            "INFO - Data loaded: 6 rows",
            "INFO - Rolling mean calculated with window=3",
            "INFO - Signals generated",
            "INFO - Metrics: signal_rate=0.3333, rows_processed=6",
            f"INFO - Job completed successfully in {latency}ms",
        )

    def test_log_is_added_to(self, job: Job) -> None:
        job.log_file.write_text("an earlier line\n")
        main(job.arguments)
        assert (job.log[0], len(job.log)) == ("an earlier line", 8)

    def test_same_input_gives_the_same_bytes_but_for_the_latency(self, job: Job) -> None:
        def metrics() -> str:
            main(job.arguments)
            return re.sub(r'"latency_ms": \d+', "", job.output.read_text())

        assert metrics() == metrics()

    @pytest.mark.parametrize(("window", "value"), [(1, 0.0), (2, 0.5), (6, 0.0)])
    def test_window_of_any_length_up_to_the_data(self, job: Job, window: int, value: float) -> None:
        job.config.write_text(CONFIG.replace("3", str(window)))
        assert main(job.arguments) == 0
        report = json.loads(job.output.read_text())
        assert (report["value"], report["rows_processed"]) == (value, 6)

    def test_only_close_is_needed(self, job: Job) -> None:
        job.input.write_text("\n".join(["close", *CLOSES]))
        assert main(job.arguments) == 0
        assert json.loads(job.output.read_text())["value"] == 0.3333

    def test_parquet_gives_the_same_metrics(self, job: Job) -> None:
        pq.write_table(pa.table({"close": [float(close) for close in CLOSES]}), job.input)
        assert main(job.arguments) == 0
        assert json.loads(job.output.read_text())["value"] == 0.3333

    def test_input_may_be_a_pipe(self, job: Job) -> None:
        text = job.input.read_text()
        job.input = Path("/dev/stdin")
        assert json.loads(job.start(input=text).stdout)["rows_processed"] == 6

    def test_imports_nothing_heavy(self, job: Job) -> None:
        code = (
            "import sys; from pipelines.signal_rate.run_signal_rate import main; main(sys.argv[1:]);"
            "print(*sys.modules, file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code, *job.arguments], capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)["status"] == "success"
        heavy = {"pandas", "pydantic", "hydra", "mlflow", "numba", "pyarrow", "polars", "torch", "scipy"}
        assert heavy.isdisjoint(done.stderr.split())

    def test_output_that_is_a_link_stays_one(self, job: Job) -> None:
        target = job.output.with_name("elsewhere.json")
        job.output.symlink_to(target)
        assert main(job.arguments) == 0
        assert job.output.is_symlink()
        assert json.loads(target.read_text())["status"] == "success"

    def test_rate_of_many_rows_is_exact(self, job: Job) -> None:
        """The definition in integers, beside which no float may decide; several blocks of the reader."""
        cents = np.random.default_rng(1).integers(90, 110, 100_000)
        job.input.write_text(table(*(f"{cent / 100:.2f}" for cent in cents)))
        main(job.arguments)
        above = 3 * cents[2:] > cents[2:] + cents[1:-1] + cents[:-2]
        report = json.loads(job.output.read_text())
        assert (report["rows_processed"], report["value"]) == (100_000, round(int(above.sum()) / 100_000, 4))


class TestRealBitcoin:
    """The file of ``make sample-data``: 10,000 hours, in one of which pandas decides a tie by accident."""

    @pytest.fixture
    def bitcoin(self, job: Job) -> Job:
        settings = compose_settings(SampleDataSettings, "write_sample_data", [f"paths.workspace={job.output.parent}"])
        try:
            job.input, job.config = write_sample_data(settings)
        except SourceUnavailableError as error:
            pytest.skip(f"no package index: {error}")
        return job

    def test_rate_is_that_of_rational_arithmetic(self, bitcoin: Job) -> None:
        assert main(bitcoin.arguments) == 0
        assert "Config loaded: seed=42, window=5, version=v1" in bitcoin.log[1]
        with bitcoin.input.open() as rows:
            closes = [Fraction(row["close"]) for row in csv.DictReader(rows)]
        means = [sum(closes[row - 4 : row + 1]) / 5 for row in range(4, 10_000)]
        above = sum(close > mean for close, mean in zip(closes[4:], means, strict=True))
        report = json.loads(bitcoin.output.read_text())
        assert (report["rows_processed"], report["value"]) == (10_000, above / 10_000)
        floats = pd.Series([float(close) for close in closes])
        assert int((floats > floats.rolling(5).mean()).sum()) == above + 1


class TestInput:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "is empty; allowed: a CSV file with a header and rows"),
            (COLUMNS, "holds a header and no row; allowed: at least one row"),
            (b"\x7fELF\0\0", "is not a CSV file: it holds zero bytes; allowed: CSV in UTF-8"),
            ("no table\n", "is not a CSV file: its first line has no comma; allowed: columns separated by commas"),
            ("a,b\n1,2\n", "has no column 'close' among a, b; allowed: one column 'close'"),
            (table("1", "2").encode("utf-16"), "is encoded in UTF-16; allowed: CSV in UTF-8"),
        ],
        ids=["empty", "header only", "binary", "not a CSV", "no close", "UTF-16"],
    )
    def test_file_that_is_no_table(self, job: Job, fails: Fails, text: str | bytes, message: str) -> None:
        job.input.write_bytes(text.encode() if isinstance(text, str) else text)
        fails(f"{job.input} {message}", 3)

    @pytest.mark.parametrize("close", ["abc", "nan", "inf", "-inf", "-0.01", ""])
    def test_close_that_is_no_price(self, job: Job, fails: Fails, close: str) -> None:
        job.input.write_text(table("1", "2", close, "3"))
        fails(f"{job.input}: close={close!r} in data row 3; allowed: a finite number of at least 0", 3)

    @pytest.mark.parametrize(("row", "fields"), [("1,2,3\n", 3), ("1,2,3,4,5,6,7,8\n", 8), ("\n", 0)])
    def test_ragged_row(self, job: Job, fails: Fails, row: str, fields: int) -> None:
        job.input.write_text(table("1", "2") + row + "1,2,3,4,5,6,7\n")
        fails(f"{job.input}: data row 3 has {fields} fields; allowed: 7, as the header", 3)

    def test_latin_1(self, job: Job, fails: Fails) -> None:
        job.input.write_bytes((table("1", "2") + "caf\u00e9,2,3,4,5,6,7\n").encode("latin-1"))
        fails(f"{job.input}: data row 3 is not encoded in UTF-8; allowed: CSV in UTF-8", 3)

    def test_missing(self, job: Job, fails: Fails) -> None:
        job.input.unlink()
        fails(f"{job.input} does not exist; allowed: a CSV or Parquet file", 3)

    def test_folder(self, job: Job, fails: Fails) -> None:
        job.input = job.input.parent
        fails(f"{job.input} cannot be read: Is a directory; allowed: a CSV or Parquet file", 3)

    def test_window_larger_than_the_data(self, job: Job, fails: Fails) -> None:
        job.config.write_text(CONFIG.replace("3", "7"))
        fails("window=7 is larger than the data, 6 rows; allowed: at most 6", 3)
        assert any(line.endswith("INFO - Data loaded: 6 rows") for line in job.log)


ALLOWED = "seed: an integer; window: an integer >= 1; version: a string, in quotes where it looks like a number"


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

    def test_key_said_twice(self, job: Job, fails: Fails) -> None:
        job.config.write_text(CONFIG + "window: 4\n")
        fails(f"{job.config} says twice: window; allowed: each key once", 2, version=None)

    def test_missing(self, job: Job, fails: Fails) -> None:
        job.config.unlink()
        fails(f"{job.config} does not exist; allowed: a YAML file", 2, version=None)

    def test_wrong_encoding(self, job: Job) -> None:
        job.config.write_bytes("seed: 42\nversion: \u00e9".encode("latin-1"))
        assert main(job.arguments) == 2
        assert "is not YAML in UTF-8: 'utf-8' codec can't decode" in json.loads(job.output.read_text())["error_message"]


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

    def test_output_and_log_are_different_files(self, job: Job, capsys: pytest.CaptureFixture[str]) -> None:
        job.log_file = job.output
        assert main(job.arguments) == 2
        assert not job.output.exists()
        message = json.loads(capsys.readouterr().out)["error_message"]
        assert message == f"--output and --log-file name the same file {job.output}; allowed: different files"


class TestPlacesThatCannotBeWritten:
    """No JSON file can be left here: standard output and the exit status tell."""

    @pytest.fixture
    def refuses(self, job: Job, capsys: pytest.CaptureFixture[str]) -> Fails:
        def check(message: str) -> None:
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


class TestUnforeseen:
    def test_traceback_goes_to_the_log_and_not_to_the_terminal(
        self, fails: Fails, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def break_down(_: Path) -> None:
            raise RuntimeError("a fault\nof the program")

        monkeypatch.setattr("pipelines.signal_rate.run_signal_rate.read_closes", break_down)
        fails("RuntimeError: a fault of the program", 1)

    def test_stopped_job_leaves_its_error(self, job: Job) -> None:
        os.mkfifo(job.input.with_name("pipe"))
        job.input = job.input.with_name("pipe")
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *job.arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        with job.input.open("w"):  # opens once the job reads, which then waits for rows
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate()
        assert (process.returncode, err) == (130, "run_signal_rate: interrupted\n")
        assert json.loads(out) == {"version": "v1", "status": "error", "error_message": "interrupted"}
        assert job.output.read_text() == out
