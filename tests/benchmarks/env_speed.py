"""How fast environments step; what both rows of the environment share."""

from functools import partial
from itertools import count
from statistics import median
from typing import Any

import numpy as np
from comparison import SizePoint, seconds_per_call
from our_environment import draw_actions

from MLOps.environments.stock_trading import StockTradingBatch
from MLOps.inference.model_folder import Normalisation
from MLOps.market.panel import MarketPanel

SESSIONS, TICKERS = 2_500, 30
N_ENVS = 1_024
HISTORY, BREADTH, BATCH = (1_250, 2_500, 5_000, 10_000), (5, 30, 100, 500), (1, 4, 16, 64, 256, 1_024, 4_096)
QUANTITY = "step of one environment"
_ROUNDS = 9  # a busy machine moves one by a tenth
_ACTION_SETS = 32  # drawn beforehand and used in turn
_LIMIT = 10.0


class Stepper:
    """A batch of ours with actions ready; each call steps every account once."""

    def __init__(self, batch: StockTradingBatch) -> None:
        self._batch, self._observations = batch, batch.reset()
        self._actions = draw_actions(_ACTION_SETS, batch.n_envs, batch.tickers)
        self._turn = count()
        self()  # compiles

    def __call__(self) -> None:
        self._batch.step(self._actions[next(self._turn) % _ACTION_SETS], self._observations)

    def steps_per_second(self) -> float:
        """Steps of single environments in a second."""
        return self._batch.n_envs / seconds_per_call(self)

    def copies_per_second(self) -> float:
        """Observations that can be copied in a second, from one array to another: what bounds the steps."""
        source = self._observations.copy()
        return self._batch.n_envs / seconds_per_call(partial(np.copyto, self._observations, source))


def peer_steps_per_second(env: Any, actions: np.ndarray[Any, Any]) -> float:
    """Steps a second of an environment of gymnasium's form, over one part of an episode from its start."""
    env.reset()

    def play() -> None:
        for action in actions:
            env.step(action)

    return len(actions) / seconds_per_call(play, minimum_seconds=0.0)


def plain_normalisation(panel: MarketPanel) -> Normalisation:
    """Means and deviations of the market; cash and shares on a scale of their own."""
    seen = np.concatenate([panel.close, panel.features.transpose(0, 2, 1).reshape(len(panel.dates), -1)], axis=1)
    tickers = len(panel.tickers)
    mean, scale = (np.insert(values, tickers, np.full(tickers, fill)) for values, fill in _moments(seen))
    return Normalisation(mean=(0.0, *mean), scale=(1e6, *scale), limit=_LIMIT)


def _moments(seen: np.ndarray[Any, Any]) -> tuple[tuple[np.ndarray[Any, Any], float], ...]:
    return (seen.mean(axis=0), 0.0), (np.maximum(seen.std(axis=0), 1e-8), 1e3)


def in_rounds(steppers: dict[Any, Stepper]) -> dict[Any, float]:
    """Median steps a second of each, in rounds, so that a busy minute of the machine meets all."""
    runs = [{key: stepper.steps_per_second() for key, stepper in steppers.items()} for _ in range(_ROUNDS)]
    return {key: median(run[key] for run in runs) for key in steppers}


def points(axis: str, who: str, steps_per_second: dict[int, float]) -> list[SizePoint]:
    """The part of the chart that speeds by size make."""
    return [SizePoint(QUANTITY, axis, size, who, 1e6 / speed) for size, speed in steps_per_second.items()]
