"""What an evaluation says about a buy-timing model, its files checked against the digests they were made with."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt

from MLOps.artifacts import read_result
from MLOps.errors import DataError
from MLOps.evaluation.comparison import CHAMPION, MODEL
from MLOps.evaluation.timing_comparison import FIRST, LAST, TimingScorecard, read_timing_scorecard
from MLOps.evaluation.timing_periods import period_means
from MLOps.evaluation.timing_savings import advantage_bps

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_MEND = "run deployment/backtesting/evaluate_crypto_timing.py again"


@dataclass(frozen=True)
class TimingEvaluation:
    """A model beside the champion and the two fixed rules in the same C cycles.

    Attributes
    ----------
    files : mapping of str to Path
        `savings` and `purchases`.
    model_digest, champion_digest : str
    bars_digest : str
        Of the bars that it ran on.
    periods : (C,) int64
        Number of each cycle's period, ascending from 0.
    first_prices : (C,) float64
        Close at the first decision of each cycle.
    paid, late : mapping of str to (C,) float64
        Price of each purchase, by policy: `model`, `champion`, `buy_first`, `buy_last`; and if filled a step later.
    scorecard : TimingScorecard
        Conditions, window and figures.
    """

    files: Mapping[str, Path]
    model_digest: str
    champion_digest: str
    bars_digest: str
    periods: IntArray
    first_prices: FloatArray
    paid: Mapping[str, FloatArray]
    late: Mapping[str, FloatArray]
    scorecard: TimingScorecard

    @property
    def last_day(self) -> date:
        """Last day of the window, UTC."""
        return self.scorecard.last_decision.date()

    def advantages_over(self, other: str, is_late: bool = False) -> FloatArray:
        """(P,) how much less the model paid than another policy in each period, in basis points of the first price.

        Late, both are filled one decision after the one that they bought at.
        """
        paid = self.late if is_late else self.paid
        return period_means(advantage_bps(paid[MODEL], paid[other], self.first_prices), self.periods)


def read_timing_evaluation(folder: Path) -> TimingEvaluation:
    """Read the folder of an evaluate_crypto_timing.

    Raises
    ------
    DataError
        If the folder is no whole evaluation, a file was altered, or no champion bought beside the model.
    """
    import pandas as pd

    result = read_result(folder.resolve())
    if result is None or result.stage != "evaluate_crypto_timing":
        allowed = "a folder that evaluate_crypto_timing made, unaltered"
        raise DataError(f"{folder} holds no whole evaluation", allowed, _MEND)
    champion = result.details.get("champion_digest")
    files = {name: result.artifacts[name].path for name in ("purchases", "savings")}
    scorecard = read_timing_scorecard(files["savings"])
    purchases = pd.read_parquet(files["purchases"])
    if not champion or f"{CHAMPION}.price" not in purchases:
        raise DataError(f"the evaluation {folder} has no champion", "one with compare_with_champion=true", _MEND)

    def prices(column: str) -> dict[str, FloatArray]:
        policies = (MODEL, CHAMPION, FIRST, LAST)
        return {name: purchases[f"{name}.{column}"].to_numpy(np.float64) for name in policies}

    return TimingEvaluation(
        files=files,
        model_digest=str(result.details["model_digest"]),
        champion_digest=str(champion),
        bars_digest=result.inputs["bars"],
        periods=purchases["period"].to_numpy(np.int64),
        first_prices=purchases["first_price"].to_numpy(np.float64),
        paid=prices("price"),
        late=prices("late_price"),
        scorecard=scorecard,
    )


def require_evaluation_of(evaluation: TimingEvaluation, model: str, digest: str, bars: Path, bars_digest: str) -> None:
    """Raise DataError unless the evaluation is of this model, on these bars."""
    if evaluation.model_digest != digest:
        found = evaluation.model_digest[:12]
        raise DataError(f"the evaluation is of the model {found}", f"an evaluation of {model}", _MEND)
    if evaluation.bars_digest != bars_digest:
        raise DataError(f"the evaluation did not run on {bars}", "an evaluation on these bars", _MEND)


def require_rival(evaluation: TimingEvaluation, champion: str, digest: str) -> None:
    """Raise DataError unless the evaluation ran beside this champion."""
    if evaluation.champion_digest != digest:
        raise DataError(
            f"the evaluation compares with the champion {evaluation.champion_digest[:12]}",
            f"an evaluation beside the present champion, {champion}",
            _MEND,
        )
