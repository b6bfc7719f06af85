"""The backtests of a workspace: which there are, and the paths of wealth in one of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from MLOps.artifacts import RESULT_FILE, read_result
from MLOps.errors import DataError
from MLOps.evaluation.comparison import Scorecard, read_scorecard
from MLOps.market.accounting import FloatArray
from MLOps.stage import StageResult

if TYPE_CHECKING:
    import pandas as pd

    from MLOps.charts.strategy_charts import Dates

_DETAILS = ("model_version", "model_digest", "champion_version", "champion_digest", "last_date")


@dataclass(frozen=True)
class BacktestFolder:
    """A backtest as a list shows it.

    Attributes
    ----------
    folder : Path
    made_at : datetime
        UTC.
    model : str
        Which model was tested, for a person.
    last_date : str
        Last session of its window.
    digest : str
        Of the tested model.
    champion_version, champion_digest : str
        Of the champion that ran beside it; empty if none.
    """

    folder: Path
    made_at: datetime
    model: str
    last_date: str
    digest: str
    champion_version: str
    champion_digest: str

    @property
    def title(self) -> str:
        return f"{self.model} to {self.last_date}, made {self.made_at:%d %b %Y %H:%M} UTC"


@dataclass(frozen=True)
class BacktestPaths:
    """A backtest as it is drawn.

    Attributes
    ----------
    scorecard : Scorecard
    dates : (K,) datetime64[D]
        Sessions of the window.
    wealth : mapping of str to (K,) float64
        By strategy, as a multiple of the first session's.
    returns : DataFrame
        Column `date`, then the daily simple returns of each strategy; K-1 rows.
    positions : DataFrame or None
        What model and champion held after each close; None in a backtest of a release that did not keep it.
    report : Path
        The page that run_backtest made.
    """

    scorecard: Scorecard
    dates: "Dates"
    wealth: Mapping[str, FloatArray]
    returns: "pd.DataFrame"
    positions: "pd.DataFrame | None"
    report: Path


def list_backtests(reports: Path) -> list[BacktestFolder]:
    """The whole backtests of a workspace, the one that was made last first."""
    found = [_listed(path) for path in (reports / "backtests").glob(f"[!.]*/{RESULT_FILE}") if not _is_alias(path)]
    return sorted((each for each in found if each is not None), key=lambda each: each.made_at, reverse=True)


def read_backtest_paths(folder: Path) -> BacktestPaths:
    """The paths in the folder of a backtest.

    Raises
    ------
    DataError
        If it is no whole backtest, or a file was altered after it was made.
    """
    import pandas as pd

    result = read_result(folder)
    if result is None or result.stage != "run_backtest":
        raise DataError(f"{folder.name} is no whole backtest any more", mend="run run_backtest again")
    scorecard = read_scorecard(result.artifacts["performance"].path)
    returns = pd.read_parquet(result.artifacts["returns"].path)
    held = result.artifacts.get("positions")
    days = returns["date"].to_numpy().astype("datetime64[D]")
    return BacktestPaths(
        scorecard=scorecard,
        dates=np.concatenate([[np.datetime64(scorecard.first_date, "D")], days]),
        wealth={
            str(name): np.concatenate([[1.0], np.cumprod(1 + returns[name].to_numpy(dtype=np.float64))])
            for name in returns.columns.drop("date")
        },
        returns=returns,
        positions=None if held is None else pd.read_parquet(held.path),
        report=result.artifacts["report"].path,
    )


def _is_alias(path: Path) -> bool:
    """Whether the folder is `latest`, which another entry stands for."""
    return path.parent.is_symlink()


def _listed(path: Path) -> BacktestFolder | None:
    try:
        result = StageResult.model_validate_json(path.read_bytes())
        made_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (OSError, ValidationError):  # cleaned away meanwhile, or no output of a stage
        return None
    told = {name: str(result.details.get(name) or "") for name in _DETAILS}
    model = f"Version {told['model_version']}" if told["model_version"] else f"Model {told['model_digest'][:8]}"
    return BacktestFolder(
        folder=path.parent,
        made_at=made_at,
        model=model,
        last_date=told["last_date"],
        digest=told["model_digest"],
        champion_version=told["champion_version"],
        champion_digest=told["champion_digest"],
    )
