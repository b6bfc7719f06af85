"""`airflow dags test`: real Airflow in one process."""

import json
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployment.local_services import run_demo
from pipelines.orchestration.chain_record import newest_chain
from pipelines.orchestration.summary import summarize

Airflow = Callable[..., subprocess.CompletedProcess[str]]

_DAG = """
from pathlib import Path
from airflow.sdk import DAG
from pipelines.orchestration.airflow_chain import chain
from pipelines.orchestration.plan import load_plan

dag = chain(load_plan("pair", Path({folder!r})))
"""

_STAGE = """
import json, sys
from pathlib import Path
stage = Path(__file__).stem
print("12:00:00", stage, "at work", file=sys.stderr)
{body}
print(json.dumps({{"stage": stage, "key": "k1", "status": "made", "folder": "/nowhere",
                  "details": {{"arguments": " ".join(sys.argv[1:]), "verdict": "passed"}}}}))
"""


def _step(stage: str, overrides: dict[str, str]) -> dict[str, Any]:
    return {"stage": stage, "overrides": overrides, "timeout_minutes": 5, "retries": 2, "retry_delay_seconds": 0}


@pytest.fixture
def write_dag(tmp_path: Path) -> Callable[[str], Path]:
    """A maker of a folder with one DAG of two small stages; the body of the first one is given."""

    def write(first_body: str) -> Path:
        folder = tmp_path / "plans"
        folder.mkdir()
        bodies = {"build_features": first_body, "run_backtest": "(Path(__file__).parent / 'second_began').touch()"}
        kinds = {"build_features": "features:FeatureSettings", "run_backtest": "backtest:BacktestSettings"}
        for stage, body in bodies.items():
            (folder / f"{stage}.py").write_text(_STAGE.format(body=body))
        table = {
            stage: {"script": str(folder / f"{stage}.py"), "settings": f"MLOps.settings.{kind}"}
            for stage, kind in kinds.items()
        }
        plan = {
            "description": "Two small scripts.",
            "schedule": {"timezone": "America/New_York", "cron": None, "asset": None},
            "starts_paused": False,
            "updates": None,
            "steps": [
                _step("build_features", {}),
                _step("run_backtest", {"model_alias": "of ${build_features.key}"}),
            ],
            "form": ["fill_limit_sessions"],
            "outcome": {"verdict": "${run_backtest.details.verdict}"},
        }
        (folder / "stages.yaml").write_text(yaml.safe_dump(table))
        (folder / "pair.yaml").write_text(yaml.safe_dump(plan))
        dags = tmp_path / "dags"
        dags.mkdir()
        (dags / "pair.py").write_text(_DAG.format(folder=str(folder)))
        return dags

    return write


def test_a_chain_hands_results_on_as_plain_json(
    airflow: Airflow, write_dag: Callable[[str], Path], workspace: Path
) -> None:
    ended = airflow("dags", "test", "pair", "--conf", '{"fill_limit_sessions": 4}', dags=write_dag(""))
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    found = summarize(newest_chain(workspace / "reports"))
    assert found.outcome == {"verdict": "passed"}
    first, second = (str(step.result and step.result.details["arguments"]) for step in found.steps)
    assert "fill_limit_sessions=4" in first
    assert 'model_alias="of k1"' in second
    with sqlite3.connect(workspace / ".airflow" / "airflow.db") as database:
        carried = [json.loads(value) for (value,) in database.execute("select value from xcom")]
    assert sorted(value["stage"] for value in carried) == ["build_features", "run_backtest"]


def test_a_failing_stage_ends_the_chain_with_one_alert(
    airflow: Airflow, write_dag: Callable[[str], Path], workspace: Path, tmp_path: Path
) -> None:
    body = "print('12:00:01 build_features: close is NaN', file=sys.stderr); sys.exit(3)"
    ended = airflow("dags", "test", "pair", dags=write_dag(body))
    assert ended.returncode != 0
    assert not (tmp_path / "plans" / "second_began").exists()
    (event,) = [json.loads(path.read_text()) for path in (workspace / "reports" / "alerts").iterdir()]
    assert event["message"] == "build_features: close is NaN"
    assert (event["plan"], event["stage"]) == ("pair", "build_features")
    assert event["try_number"] == 1  # bad data stays bad: not tried again


@pytest.mark.slow
def test_the_demo_runs_the_whole_strategy(
    small_strategy: dict[str, Any], tracked_workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    overrides = [f"{key}={json.dumps(value)}" for key, value in small_strategy.items()]
    assert run_demo.main(["--workspace", str(tracked_workspace), *overrides]) == 0
    captured = capfd.readouterr()
    found = summarize(newest_chain(tracked_workspace / "reports"))
    assert list(found.stage_seconds) == [
        "ingest_data",
        "build_features",
        "train_rl_agent",
        "run_backtest",
        "promote_to_paper",
    ]
    assert Path(found.outcome["report"]).is_file()
    assert f"verdict: {found.outcome['verdict']}" in captured.out
    assert captured.err.index("[1/5] ingest_data") < captured.err.index("[5/5] promote_to_paper")


@pytest.mark.slow
def test_the_demo_tells_the_failing_stages_line(
    small_strategy: dict[str, Any], tracked_workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    small_strategy["sources.folder.bars"] = str(tracked_workspace / "nowhere.csv")
    overrides = [f"{key}={json.dumps(value)}" for key, value in small_strategy.items()]
    assert run_demo.main(["--workspace", str(tracked_workspace), *overrides]) != 0
    captured = capfd.readouterr()
    assert "failed: ingest_data: " in captured.out
    assert "nowhere.csv" in captured.out
