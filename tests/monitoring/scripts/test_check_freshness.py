"""How old data are, on the clock that they follow."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiment_tracking.metric_sinks import TextFileSink
from MLOps.market.as_of import ANCHOR_FILE
from MLOps.stage import StageResult
from monitoring.scripts.check_freshness import main

_REPLAY = "replay(2022-12-30)"


@pytest.fixture
def ingest(workspace: Path) -> Callable[..., Path]:
    """``ingest(root, as_of, ...)``: what ingestion leaves of data up to `as_of`, and the anchor of its replay."""

    def leave(
        root: str = "raw", as_of: str = "2022-12-30", clock: str = _REPLAY, calendar: str = "XNYS", behind: int = 0
    ) -> Path:
        folder = workspace / "data" / root / f"{as_of}-key"
        folder.mkdir(parents=True)
        result = StageResult(
            stage="ingest",
            key="key",
            status="made",
            folder=Path(),
            metrics={f"sessions_behind/{root}": behind},
            details={"as_of": as_of, "clock": clock, "calendar": calendar},
        )
        (folder / "result.json").write_text(result.model_dump_json())
        (folder.parent / "latest").symlink_to(folder.name)
        (folder.parents[1] / ANCHOR_FILE).write_text(json.dumps({"2022-12-30": "2026-11-16"}))  # a Monday
        return folder / "result.json"

    return leave


@pytest.fixture
def check(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """``check(run_date)``: the figures of the stage's command, or its error line."""

    def call(run_date: str) -> Any:
        status = main([f"--workspace={workspace}", f"--run_date={run_date}", "tracking.enabled=false"])
        out, err = capsys.readouterr()
        return json.loads(out)["metrics"] if status == 0 else (status, err.strip().splitlines()[-1])

    return call


@pytest.mark.parametrize(
    ("run_date", "behind"),
    [("2026-11-16", 0), ("2026-11-17", 1), ("2026-11-20", 4), ("2026-11-22", 4), ("2026-11-23", 5), ("2026-11-14", 0)],
)
def test_replay_goes_on_by_a_session_each_trading_day(
    ingest: Callable[..., Path], check: Callable[..., Any], run_date: str, behind: int
) -> None:
    ingest()
    assert check(run_date) == {"sessions_behind/raw": behind, "is_replay/raw": 1}


def test_data_that_lacked_sessions_when_they_came_stay_behind(
    ingest: Callable[..., Path], check: Callable[..., Any]
) -> None:
    ingest(behind=2)
    assert check("2026-11-17")["sessions_behind/raw"] == 3


def test_fixed_date_never_ages_and_the_calendar_does(ingest: Callable[..., Path], check: Callable[..., Any]) -> None:
    ingest(clock="2022-12-30")
    ingest("crypto/btc", as_of="2026-11-10", clock="logical_date", calendar="24/7")
    assert check("2026-11-14") == {
        "sessions_behind/raw": 0,
        "is_replay/raw": 0,
        "sessions_behind/crypto/btc": 4,
        "is_replay/crypto/btc": 0,
    }


def test_metrics_tell_each_feed(ingest: Callable[..., Path], check: Callable[..., Any], workspace: Path) -> None:
    ingest()
    check("2026-11-20")
    samples = TextFileSink(workspace / "reports" / "metrics").read("data")
    assert [(sample.metric.name, sample.label_values, sample.value) for sample in samples] == [
        ("trading_data_is_replay", ("raw",), 1),
        ("trading_data_staleness_sessions", ("raw",), 4),
    ]


def test_nothing_ingested_is_one_line(check: Callable[..., Any]) -> None:
    status, line = check("2026-11-20")
    assert status == 3
    assert "check_freshness: no ingested data in" in line


@pytest.mark.parametrize("text", ["{}", "no JSON", '{"stage": "ingest", "key": "k", "status": "made", "folder": "x"}'])
def test_what_is_no_result_of_ingestion_is_one_line(
    ingest: Callable[..., Path], check: Callable[..., Any], text: str
) -> None:
    ingest().write_text(text)
    status, line = check("2026-11-20")
    assert status == 3
    assert "does not tell clock and newest session" in line
