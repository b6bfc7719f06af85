"""DAG files are wiring only."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from MLOps.settings.project import project_root

DAG_FILES = sorted((project_root() / "dags").glob("*.py"))
HEAVY = {"torch", "finrl", "mlflow", "transformers", "pandas", "stable_baselines3", "great_expectations", "dvc"}

_PARSE = """
import json, runpy, sys, time
start = time.perf_counter()
import airflow.sdk
airflow_seconds, airflow_modules = time.perf_counter() - start, set(sys.modules)
start = time.perf_counter()
dags = [runpy.run_path(path)["dag"] for path in sys.argv[1:]]
own_seconds = time.perf_counter() - start
print(json.dumps({
    "airflow_seconds": airflow_seconds, "own_seconds": own_seconds,
    "airflow_modules": sorted(airflow_modules), "modules": sorted(sys.modules),
    "dags": {dag.dag_id: sorted(dag.task_ids) for dag in dags},
}))
"""


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a fresh interpreter holds after it has read every DAG file."""
    home = tmp_path_factory.mktemp("airflow_home")
    ended = subprocess.run(
        [sys.executable, "-c", _PARSE, *map(str, DAG_FILES)],
        env={"AIRFLOW_HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(project_root())},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, object] = json.loads(ended.stdout.splitlines()[-1])
    return found


def test_dag_files_import_no_heavy_module(parsed: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    modules = parsed["modules"]
    assert isinstance(modules, list)
    assert sorted(HEAVY.intersection(modules)) == []
    with capsys.disabled():
        print(  # noqa: T201
            f"\nimport of airflow.sdk {parsed['airflow_seconds']:.2f} s, "
            f"parsing {len(DAG_FILES)} DAG files beyond it {parsed['own_seconds']:.2f} s"
        )


def test_each_file_holds_the_dag_of_its_plan(parsed: dict[str, object]) -> None:
    buy_timing = ["check_data_drift", "evaluate_crypto_timing", "ingest_crypto_bars", "promote_crypto_timing"]
    assert parsed["dags"] == {
        "crypto_data": ["ingest_crypto_bars", "measure_signal_rates"],
        "crypto_timing": [*buy_timing, "train_rainbow"],
        "crypto_timing_eth": [*buy_timing, "train_rainbow"],
        "daily_data": ["ingest_data"],
        "drift_watch": ["build_features", "check_data_drift", "ingest_data", "score_news"],
        "full_strategy": [
            *("build_features", "check_data_drift", "ingest_data", "measure_signal_rates", "promote_to_paper"),
            *("run_backtest", "score_news", "train_rl_agent"),
        ],
        "health_checks": ["check_champions", "check_freshness"],
        "labelled_sentences": ["prepare_sentiment_dataset"],
        "sentiment_finetuning": ["prepare_sentiment_dataset", "promote_sentiment_model", "train_sentiment_model"],
    }


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: path.stem)
def test_a_dag_file_is_thin(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 20
