"""Workspaces with features, and the stage over them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps.settings.project import project_root
from monitoring.scripts.check_data_drift import main

SESSIONS = 300
SMALL_WINDOWS = (
    "market.current_rows=40",
    "market.reference_rows=200",
    "market.minimum_current_rows=20",
    "past_sessions=5",
    "report_columns=0",
)


@dataclass(frozen=True)
class Outcome:
    """What the command line gave."""

    status: int
    result: dict[str, Any]
    stderr: str

    @property
    def last_line(self) -> str:
        return self.stderr.strip().splitlines()[-1]


@pytest.fixture
def features() -> pd.DataFrame:
    """300 sessions of AAA and BBB without any change: independent draws around prices that grow."""
    generator = np.random.default_rng(12)
    days = np.repeat(pd.bdate_range("2019-01-02", periods=SESSIONS).to_numpy(), 2)
    returns = generator.normal(0.0005, 0.01, (SESSIONS, 2))
    close = 100 * np.exp(returns.cumsum(axis=0))
    frame = pd.DataFrame({"date": days, "tic": ["AAA", "BBB"] * SESSIONS, "close": close.ravel()})
    frame["rsi_30"] = generator.normal(50, 8, len(frame))
    frame["macd"] = frame["close"] * generator.normal(0, 0.02, len(frame))
    frame["turbulence"] = np.repeat(generator.exponential(5.0, SESSIONS), 2)
    return frame


@pytest.fixture
def check(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """``check(features, "key=value", ...)``: lay the features down and run the stage through its command line."""

    def run(features: pd.DataFrame | None, *arguments: str) -> Outcome:
        path = workspace / "data" / "processed" / "processed_data_with_features.parquet"
        if features is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            features.to_parquet(path)
        capsys.readouterr()
        argv = ["--workspace", str(workspace), "tracking.enabled=false", "registry.kind=filesystem", *SMALL_WINDOWS]
        status = main([*argv, *arguments])
        out, err = capsys.readouterr()
        return Outcome(status, json.loads(out.splitlines()[-1]) if out.strip() else {}, err)

    return run


@pytest.fixture(scope="session")
def shown_table() -> Callable[[str], list[tuple[str, ...]]]:
    """``shown_table(head)``: the rows, its head first, of the table in the room's README that begins with `head`."""

    def read(head: str) -> list[tuple[str, ...]]:
        text = (project_root() / "monitoring" / "drift" / "README.md").read_text()
        blocks = [block for block in text.split("\n\n") if block.startswith(f"| {head}")]
        lines = blocks[0].strip().splitlines() if blocks else []
        return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines if "---" not in line]

    return read
