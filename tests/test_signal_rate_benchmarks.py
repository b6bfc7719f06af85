"""The benchmarks of the signal-rate job: what they measure of a process, and what they refuse to time."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent / "benchmarks"
MIB = 2**20


@pytest.fixture(autouse=True)
def _benchmarks_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    import quiet_market

    quiet_market.write_csv(tmp_path / "market.csv", 2_000)
    return tmp_path / "market.csv"


def test_peak_is_the_childs_and_not_the_parents() -> None:
    from timed_process import timed

    held = np.ones(200 * MIB, dtype=np.uint8)
    small = timed([sys.executable, "-c", "pass"]).peak_mib
    large = timed([sys.executable, "-c", f"b'1' * {150 * MIB}"]).peak_mib
    assert small < 100 < 150 < large < 250
    assert held.all()


def test_process_that_fails_is_not_timed(capfd: pytest.CaptureFixture[str]) -> None:
    from timed_process import timed

    with pytest.raises(subprocess.CalledProcessError):
        timed([sys.executable, "-c", "raise SystemExit('no data')"])
    assert "no data" in capfd.readouterr().err


def test_job_of_ours_and_of_pandas_write_the_same_keys(table: Path) -> None:
    import quiet_market
    from rows.signal_rate_10k_process import require_same_metrics
    from signal_rate_jobs import PANDAS_SCRIPT, WINDOW, Job, our_job, require_exact

    ours, pandas = our_job(table), Job(Path(sys.executable), PANDAS_SCRIPT, table, "pandas")
    assert min(ours.run().seconds, pandas.run().cpu_seconds) > 0
    require_same_metrics(ours, pandas)
    assert "2,000 rows" in require_exact(ours.metrics(), quiet_market.exact_signal_count(2_000, WINDOW), 2_000)


def test_another_rate_is_refused() -> None:
    from comparison import NotEqualError
    from signal_rate_jobs import require_exact

    right = {"rows_processed": 8, "metric": "signal_rate", "value": 0.375, "status": "success"}
    require_exact(right, 3, 8)
    with pytest.raises(NotEqualError, match="exact is"):
        require_exact(right, 4, 8)


def test_reader_that_lets_ragged_rows_pass_is_refused(monkeypatch: pytest.MonkeyPatch, table: Path) -> None:
    from comparison import NotEqualError
    from rows import signal_rate_10m_vs_pandas as row

    row.refuse_ragged_rows(table)
    monkeypatch.setattr(row, "count_signals", lambda _: 0)
    with pytest.raises(NotEqualError, match="ragged"):
        row.refuse_ragged_rows(table)


def test_wrong_signals_of_a_peer_are_counted(table: Path) -> None:
    from quiet_market import exact_signals, write_parquet
    from rows.signal_rate_10m_vs_pandas import check
    from signal_rate_peers import data_frames

    write_parquet(table.with_suffix(".parquet"), 2_000)
    exact = exact_signals(2_000, 5)
    assert "2,000 rows" in check(table, exact)
    with data_frames(Path(sys.executable), table, 5, ["pandas", "pandas_usecols", "pandas_parquet"]) as peers:
        peers.run()
        assert peers.seconds("pandas") > 0
    assert 0 < (peers.signals["pandas"] != exact).sum() < 100  # ties that floats decide
    assert all(np.array_equal(found, peers.signals["pandas"]) for found in peers.signals.values())


def test_large_table_leaves_room_on_the_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from rows import signal_rate_100m as row

    free = type("Usage", (), {"free": 880_000_000})
    monkeypatch.setattr(row.shutil, "disk_usage", lambda _: free)
    assert row.rows_that_fit(tmp_path, 5_000_000) == 5_000_000
    assert row.rows_that_fit(tmp_path, 100_000_000) == 8_000_000


def test_pandas_script_tells_of_its_failure(tmp_path: Path) -> None:
    names = ("input.csv", "config.yaml", "metrics.json", "run.log")
    flags = zip(("--input", "--config", "--output", "--log-file"), names, strict=True)
    (tmp_path / "config.yaml").write_text("{seed: 1, window: 2, version: v7}")
    command = [sys.executable, FOLDER / "plain_pandas_job.py", *(part for flag in flags for part in flag)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["version"] == "v7"
