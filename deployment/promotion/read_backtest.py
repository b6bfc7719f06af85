"""What a backtest says about a model, its files checked against the digests they were made with."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt

from MLOps.artifacts import read_result
from MLOps.errors import DataError
from MLOps.evaluation.comparison import CHAMPION, MODEL, Scorecard, read_scorecard
from MLOps.evaluation.performance import Performance

_MEND = "run deployment/backtesting/run_backtest.py again"


@dataclass(frozen=True)
class Backtest:
    """A model beside the champion on the same K sessions.

    Attributes
    ----------
    files : mapping of str to Path
        `returns` and `performance`.
    model_digest, champion_digest : str
    features_digest : str
        Of the features file that it ran on.
    model_returns, champion_returns : (K-1,) float64
        Simple returns from each session to the next.
    scorecard : Scorecard
        Terms, window and figures.
    """

    files: Mapping[str, Path]
    model_digest: str
    champion_digest: str
    features_digest: str
    model_returns: npt.NDArray[np.float64]
    champion_returns: npt.NDArray[np.float64]
    scorecard: Scorecard

    @property
    def first(self) -> date:
        """First session of the window."""
        return self.scorecard.first_date

    @property
    def last(self) -> date:
        """Last session of the window."""
        return self.scorecard.last_date

    @property
    def performance(self) -> Performance:
        """Figures of the model."""
        return self.scorecard.strategies[MODEL]


def read_backtest(folder: Path) -> Backtest:
    """Read the folder of a run_backtest.

    Raises
    ------
    DataError
        If the folder is no whole backtest, a file was altered, or no champion ran beside the model.
    """
    import pandas as pd

    result = read_result(folder.resolve())
    if result is None or result.stage != "run_backtest":
        raise DataError(f"{folder} holds no whole backtest", "a folder that run_backtest made, unaltered", _MEND)
    champion = result.details.get("champion_digest")
    files = {name: result.artifacts[name].path for name in ("returns", "performance")}
    returns = pd.read_parquet(files["returns"])
    if not champion or CHAMPION not in returns:
        raise DataError(f"the backtest {folder} has no champion", "one with compare_with_champion=true", _MEND)
    return Backtest(
        files=files,
        model_digest=str(result.details["model_digest"]),
        champion_digest=str(champion),
        features_digest=result.inputs["features"],
        model_returns=returns[MODEL].to_numpy(dtype=np.float64),
        champion_returns=returns[CHAMPION].to_numpy(dtype=np.float64),
        scorecard=read_scorecard(files["performance"]),
    )


def require_match(backtest: Backtest, model: str, model_digest: str, features: Path, features_digest: str) -> None:
    """Raise DataError unless the backtest is of this model, on these features."""
    if backtest.model_digest != model_digest:
        raise DataError(f"the backtest is of the model {backtest.model_digest[:12]}", f"a backtest of {model}", _MEND)
    if backtest.features_digest != features_digest:
        raise DataError(f"the backtest did not run on {features}", "a backtest on these features", _MEND)


def require_champion(backtest: Backtest, champion: str, champion_digest: str) -> None:
    """Raise DataError unless the backtest ran beside this champion."""
    if backtest.champion_digest != champion_digest:
        raise DataError(
            f"the backtest compares with the champion {backtest.champion_digest[:12]}",
            f"a backtest beside the present champion, {champion}",
            _MEND,
        )
