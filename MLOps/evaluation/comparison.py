"""A model beside its baselines on the same sessions, under the same terms."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from MLOps.errors import DataError
from MLOps.evaluation.backtest import DecidesOrders, Trajectory, run_policy, run_weights
from MLOps.evaluation.markowitz import mean_variance_weights, minimum_variance_weights
from MLOps.evaluation.performance import Performance, measure, sharpe_ratio
from MLOps.evaluation.random_turnover import with_turnover_of
from MLOps.evaluation.significance import SharpeDifference, sharpe_difference
from MLOps.evaluation.target_weights import fit_on_the_past
from MLOps.inference.policy import EqualWeightPolicy
from MLOps.market.accounting import FloatArray
from MLOps.market.panel import MarketPanel
from MLOps.settings.backtest import BacktestTerms

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger(__name__)
MODEL, CHAMPION, RANDOM = "model", "champion", "random_same_turnover"


class RandomSpread(BaseModel):
    """How the random strategies fared, and how many of them the model beat."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    paths: int = Field(description="Number of random strategies.")
    sharpe_05: float | None = Field(description="5th percentile of their Sharpe ratios.")
    sharpe_50: float | None = Field(description="Median of their Sharpe ratios.")
    sharpe_95: float | None = Field(description="95th percentile of their Sharpe ratios.")
    beaten_fraction: float | None = Field(description="Part of them with a lower Sharpe ratio than the model.")


class Scorecard(BaseModel):
    """The figures of a backtest: the content of performance.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    terms: BacktestTerms = Field(description="Terms that all strategies traded on.")
    first_date: date = Field(description="First session of the window.")
    last_date: date = Field(description="Last session of the window.")
    sessions: int = Field(ge=2, description="Number of sessions of the window.")
    strategies: dict[str, Performance] = Field(description="Figures by strategy; the tested one is `model`.")
    sharpe_differences: dict[str, SharpeDifference | None] = Field(
        description="Model less each other strategy; null where a Sharpe ratio is undefined."
    )
    random: RandomSpread = Field(description="Spread of the random strategies.")


def read_scorecard(path: Path) -> Scorecard:
    """Read a performance.json.

    Raises
    ------
    DataError
        If the file is missing or is no scorecard.
    """
    try:
        return Scorecard.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: {reason}", "a performance.json", "run run_backtest again") from error


@dataclass(frozen=True)
class Comparison:
    """Every strategy's path over one window, with its figures.

    Attributes
    ----------
    paths : mapping of str to Trajectory
        `model` first; for `random_same_turnover`, the random path with the median final wealth.
    random_wealth : (P, K) float64
        Wealth of all P random strategies.
    scorecard : Scorecard
    """

    paths: Mapping[str, Trajectory]
    random_wealth: FloatArray
    scorecard: Scorecard

    def returns_frame(self) -> "pd.DataFrame":
        """Column `date`, then one column of daily simple returns for each strategy; K-1 rows."""
        import pandas as pd

        dates = self.paths[MODEL].dates[1:].astype("datetime64[us]")
        return pd.DataFrame({"date": dates} | {name: path.returns for name, path in self.paths.items()})

    def positions_frame(self, tickers: Sequence[str]) -> "pd.DataFrame":
        """What the model, and the champion where one ran, held after the orders of each close.

        Columns date, strategy, ticker, shares, and weight as a fraction of the wealth; the rest of it is cash. A row
        for each strategy, session and ticker, in this order.
        """
        import pandas as pd

        paths = {name: path for name, path in self.paths.items() if name in {MODEL, CHAMPION}}
        frames = [
            pd.DataFrame(
                {
                    "date": np.repeat(path.dates.astype("datetime64[us]"), len(tickers)),
                    "strategy": name,
                    "ticker": np.tile(tickers, len(path.dates)),
                    "shares": path.shares.ravel(),
                    "weight": path.weights.ravel(),
                }
            )
            for name, path in paths.items()
        ]
        return pd.concat(frames, ignore_index=True)


def compare(
    policies: Mapping[str, DecidesOrders], panel: MarketPanel, window: slice, terms: BacktestTerms
) -> Comparison:
    """Run policies and baselines over one window and measure them.

    Parameters
    ----------
    policies : mapping of str to policy
        `model`, and `champion` where there is one.
    panel : MarketPanel
        The baselines are fitted on rows before and within the window, each time on the past only.

    Raises
    ------
    DataError
        If the window has fewer than two sessions, or too few lie before it to fit the baselines.
    """
    if window.stop - window.start < 2:
        raise DataError(f"a window of {window.stop - window.start} session", "at least 2 sessions", "window.first_date")
    strategies = {**policies, "equal_weight": EqualWeightPolicy()}
    paths = {name: run_policy(policy, panel, window, terms.account) for name, policy in strategies.items()}
    paths |= _fitted_paths(panel, window, terms)
    randoms = _random_paths(paths[MODEL], panel, window, terms)
    paths[RANDOM] = sorted(randoms, key=lambda path: path.wealth[-1])[len(randoms) // 2]
    _LOG.info("ran %d strategies and %d random ones", len(paths) - 1, len(randoms))
    year = terms.sessions_per_year
    dates = panel.dates[window]
    scorecard = Scorecard(
        terms=terms,
        first_date=dates[0].item(),
        last_date=dates[-1].item(),
        sessions=len(dates),
        strategies={name: measure(path, year) for name, path in paths.items()},
        sharpe_differences={
            name: sharpe_difference(paths[MODEL].returns, path.returns, year, terms.bootstrap)
            for name, path in paths.items()
            if name != MODEL
        },
        random=_spread(paths[MODEL], randoms, year),
    )
    return Comparison(paths, np.stack([path.wealth for path in randoms]), scorecard)


def _fitted_paths(panel: MarketPanel, window: slice, terms: BacktestTerms) -> dict[str, Trajectory]:
    schedule = (terms.baselines.lookback_sessions, terms.baselines.refit_sessions)
    weights = {
        "minimum_variance": fit_on_the_past(minimum_variance_weights, panel, window, *schedule),
        "mean_variance": fit_on_the_past(mean_variance_weights, panel, window, *schedule),
        "cash": np.zeros((window.stop - window.start, len(panel.tickers))),
    }
    return {name: run_weights(targets, panel, window, terms.account) for name, targets in weights.items()}


def _random_paths(model: Trajectory, panel: MarketPanel, window: slice, terms: BacktestTerms) -> list[Trajectory]:
    seeds = np.random.SeedSequence(terms.baselines.random_seed).generate_state(terms.baselines.random_paths)
    account = terms.account
    return [run_policy(with_turnover_of(model, window, account, int(s)), panel, window, account) for s in seeds]


def _spread(model: Trajectory, randoms: list[Trajectory], sessions_per_year: int) -> RandomSpread:
    """Undefined, as a whole, where one Sharpe ratio is."""
    ours = float(sharpe_ratio(model.returns, sessions_per_year))
    theirs = np.array([sharpe_ratio(path.returns, sessions_per_year) for path in randoms])
    if not np.isfinite([ours, *theirs]).all():
        return RandomSpread(paths=len(randoms), sharpe_05=None, sharpe_50=None, sharpe_95=None, beaten_fraction=None)
    low, middle, high = np.quantile(theirs, [0.05, 0.5, 0.95])
    return RandomSpread(
        paths=len(randoms),
        sharpe_05=float(low),
        sharpe_50=float(middle),
        sharpe_95=float(high),
        beaten_fraction=float((theirs < ours).mean()),
    )
