"""The contract of the signal-rate job, word by word: its metrics and its log."""

import csv
import json
import os
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from MLOps.errors import SourceUnavailableError
from MLOps.settings.compose import compose_settings
from MLOps.settings.sample_data import SampleDataSettings
from pipelines.data_ingestion.write_sample_data import write_sample_data
from pipelines.signal_rate.run_signal_rate import main

Job = Any  # SignalRateJob of conftest.py


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
        job.configure(window)
        assert main(job.arguments) == 0
        report = json.loads(job.output.read_text())
        assert (report["value"], report["rows_processed"]) == (value, 6)

    def test_only_close_is_needed(self, job: Job) -> None:
        job.input.write_text("\n".join(["close", *job.closes]))
        assert main(job.arguments) == 0
        assert json.loads(job.output.read_text())["value"] == 0.3333

    def test_parquet_gives_the_same_metrics(self, job: Job) -> None:
        pq.write_table(pa.table({"close": [float(close) for close in job.closes]}), job.input)
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

    def test_output_has_the_mode_of_an_earlier_one_or_that_of_the_umask(self, job: Job) -> None:
        before = os.umask(0o027)
        try:
            main(job.arguments)
            assert job.output.stat().st_mode & 0o777 == 0o640
            job.output.chmod(0o604)
            main(job.arguments)
            assert job.output.stat().st_mode & 0o777 == 0o604
        finally:
            os.umask(before)

    def test_rate_of_many_rows_is_exact(self, job: Job) -> None:
        """The definition in integers, beside which no float may decide; several blocks of the reader."""
        cents = np.random.default_rng(1).integers(90, 110, 100_000)
        job.input.write_text(job.table(*(f"{cent / 100:.2f}" for cent in cents)))
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
