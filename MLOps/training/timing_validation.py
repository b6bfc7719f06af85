"""How good a buy-timing agent is while it learns, on the validation window."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from MLOps.agents.rainbow import RainbowAgent
from MLOps.environments.dca_timing import observations_of
from MLOps.evaluation.first_step_advantage import mean_advantage_over_first
from MLOps.evaluation.timing_policies import greedy_step
from MLOps.market.price_cycles import Cycles

Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
_MOST_ROWS = 8_192


def advantage_over_first(validation: Cycles, fee_bps: float) -> Callable[[RainbowAgent], float]:
    """What tells how much less an agent pays than who buys first, in basis points of the first price.

    The mean is over all cycles of the window, at whatever hour they begin, the agent acting greedily and without noise.

    Parameters
    ----------
    validation : Cycles
    fee_bps : float
        Fee of a purchase, in basis points of its price.
    """
    observations = observations_of(validation)

    def score(agent: RainbowAgent) -> float:
        buys = np.concatenate([_buys(agent, part) for part in np.array_split(observations, _parts(observations))])
        return mean_advantage_over_first(validation, greedy_step(buys), fee_bps)

    return score


def _parts(observations: Float32Array) -> int:
    """In how many parts they are asked, so that what a pass writes stays small."""
    cycles, steps = observations.shape[:2]
    return max(int(cycles) * int(steps) // _MOST_ROWS, 1)


def _buys(agent: RainbowAgent, observations: Float32Array) -> IntArray:
    """(C, steps) the better action at each decision."""
    values = agent.values(observations.reshape(-1, observations.shape[-1]))
    buys: IntArray = values.argmax(1).reshape(observations.shape[:2])
    return buys
