"""A plan of two stages whose command lines are small scripts of the test's own."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

_PRELUDE = '''
import json, os, signal, subprocess, sys, time
from pathlib import Path

HERE = Path(__file__).parent
STAGE = Path(__file__).stem

def say(text):
    print(text, file=sys.stderr, flush=True)

def finish(**details):
    """End as a stage does: its result on the last line of standard output."""
    artifacts = {"features": {"path": str(HERE / "features.parquet"), "sha256": "0" * 64}}
    details["arguments"] = " ".join(sys.argv[1:])
    print(json.dumps({"stage": STAGE, "key": "k1", "status": "made", "folder": str(HERE), "seconds": 0.25,
                      "artifacts": artifacts, "details": details}))
'''

STEP = {"overrides": {}, "own": [], "timeout_minutes": 5, "retries": 0, "retry_delay_seconds": 0}


@pytest.fixture
def write_stage(tmp_path: Path) -> Callable[[str, str], Path]:
    """A maker of a stage's script from its body; `say`, `finish`, `HERE` and `STAGE` are at hand in it."""

    def write(name: str, body: str) -> Path:
        script = tmp_path / "stages" / f"{name}.py"
        script.parent.mkdir(exist_ok=True)
        script.write_text(_PRELUDE + textwrap.dedent(body))
        return script

    return write


@pytest.fixture
def plan_values() -> dict[str, Any]:
    """The plan `pair`: build_features, then run_backtest on its features."""
    return {
        "description": "Two small scripts.",
        "schedule": {"timezone": "America/New_York", "cron": None, "assets": []},
        "deadline_minutes": None,
        "starts_paused": False,
        "updates": None,
        "steps": [
            {"stage": "build_features", **STEP},
            {
                "stage": "run_backtest",
                **STEP,
                "overrides": {"features_path": "${build_features.artifacts.features.path}"},
            },
        ],
        "form": ["run_date", "fill_limit_sessions"],
        "outcome": {"verdict": "${run_backtest.details.verdict}"},
    }


@pytest.fixture
def write_plan(tmp_path: Path, write_stage: Callable[[str, str], Path]) -> Callable[..., Path]:
    """A maker of the folder that holds the plan `pair` and its table of stages."""
    table = {
        "build_features": {
            "script": str(write_stage("build_features", 'say("building"); finish()')),
            "settings": "MLOps.settings.features:FeatureSettings",
        },
        "run_backtest": {
            "script": str(write_stage("run_backtest", 'say("testing"); finish(verdict="passed")')),
            "settings": "MLOps.settings.backtest:BacktestSettings",
        },
    }

    def write(values: dict[str, Any]) -> Path:
        folder = tmp_path / "plans"
        folder.mkdir(exist_ok=True)
        (folder / "stages.yaml").write_text(yaml.safe_dump(table))
        (folder / "pair.yaml").write_text(yaml.safe_dump(values))
        return folder

    return write
