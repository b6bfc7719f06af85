"""Airflow in a workspace of the test's own, and settings that make the whole strategy small."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from deployment.local_services.airflow_environment import airflow_environment
from deployment.local_services.start_services import prepare_database, read_settings
from MLOps.settings.project import project_root

Conf = dict[str, Any]


@pytest.fixture
def small_strategy(tmp_path: Path, make_prices: Callable[..., pd.DataFrame]) -> Conf:
    """A form that runs the real stages on a small CSV of synthetic prices."""
    prices = make_prices(sessions=400).rename(columns={"session": "date"})
    bars = tmp_path / "bars.csv"
    prices.to_csv(bars, index=False)
    return {
        "data.source": "folder",
        "sources.folder.bars": str(bars),
        "data.as_of": str(prices["date"].max().date()),
        "data.with_news": False,
        "versioning.enabled": False,
        "turbulence_window_sessions": 60,
        "split.validation_sessions": 40,
        "split.test_sessions": 40,
        "split.minimum_train_sessions": 100,
        "agent.hyperparameters.n_steps": 128,
        "agent.hyperparameters.batch_size": 64,
        "training.total_timesteps": 256,
        "terms.baselines.lookback_sessions": 60,
        "terms.baselines.random_paths": 3,
        "terms.bootstrap.resamples": 200,
        "bootstrap.resamples": 200,
    }


@pytest.fixture(scope="session")
def empty_airflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Airflow's database with its tables; making it takes seconds, copying it does not."""
    workspace = tmp_path_factory.mktemp("airflow")
    prepare_database(read_settings([f"paths.workspace='{workspace}'"]))
    return workspace / ".airflow" / "airflow.db"


@pytest.fixture
def airflow(workspace: Path, empty_airflow_database: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Airflow's command line in the workspace, its DAGs from a folder."""
    settings = read_settings([f"paths.workspace='{workspace}'"])
    environment = airflow_environment(settings)
    (workspace / ".airflow" / "airflow.db").write_bytes(empty_airflow_database.read_bytes())

    def run(*arguments: str, dags: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=environment | {"AIRFLOW__CORE__DAGS_FOLDER": str(dags), "PYTHONPATH": os.fspath(project_root())},
            capture_output=True,
            text=True,
            check=False,
        )

    return run
