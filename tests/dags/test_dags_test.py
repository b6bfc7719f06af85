"""`airflow dags test`: real Airflow in one process, the real plan, the real stages on little data."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployment.local_services import run_demo
from pipelines.orchestration.chain_record import newest_chain
from pipelines.orchestration.summary import summarize

STAGES = [
    *("ingest_data", "measure_signal_rates", "score_news", "build_features", "check_data_drift"),
    *("train_rl_agent", "run_backtest", "promote_to_paper"),
]


@pytest.fixture
def run_strategy(workspace: Path, small_strategy: dict[str, Any]) -> Callable[..., int]:
    """Runs ``airflow dags test full_strategy`` as the demo does; returns the exit status.

    Records and registry are plain files, for importing MLflow takes seconds in each of the
    stages; the real scheduler's test runs the same strategy with MLflow.
    """

    def run(**changes: object) -> int:
        conf = small_strategy | {"tracking.enabled": False, "registry.kind": "filesystem"} | changes
        overrides = [f"{key}={json.dumps(value)}" for key, value in conf.items()]
        return run_demo.main(["--workspace", str(workspace), *overrides])

    return run


def test_the_whole_strategy_runs(
    run_strategy: Callable[..., int], workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    status, captured = run_strategy(), capfd.readouterr()
    assert status == 0, captured.err[-3000:]
    found = summarize(newest_chain(workspace / "reports"))
    assert list(found.stage_seconds) == STAGES
    assert Path(found.outcome["report"]).is_file()
    assert f"verdict: {found.outcome['verdict']}" in captured.out
    assert captured.err.index("[1/8] ingest_data") < captured.err.index("[8/8] promote_to_paper")
    with sqlite3.connect(workspace / ".airflow" / "airflow.db") as database:
        carried = [json.loads(value) for (value,) in database.execute("select value from xcom")]
    assert {result["stage"]: result["key"] for result in carried} == {
        step.stage: step.result and step.result.key for step in found.steps
    }


def test_a_failing_stage_ends_the_chain_with_one_alert(
    run_strategy: Callable[..., int], workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_strategy(**{"sources.folder.bars": str(workspace / "nowhere.csv")}) != 0
    told = next(line for line in capfd.readouterr().out.splitlines() if "failed: ingest_data: " in line)
    assert "nowhere.csv" in told
    found = summarize(newest_chain(workspace / "reports"))
    assert [step.stage for step in found.steps] == ["ingest_data"]
    (event,) = [json.loads(path.read_text()) for path in (workspace / "reports" / "alerts").iterdir()]
    assert (event["plan"], event["stage"]) == ("full_strategy", "ingest_data")
    assert event["message"] in told
    assert event["try_number"] == 1  # bad data stays bad: not tried again
