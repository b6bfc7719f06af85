"""How good a buy-timing agent is while it learns, on the validation window."""

from collections.abc import Callable

import numpy as np

from MLOps.agents.rainbow import RainbowAgent
from MLOps.environments.dca_timing import observations_of
from MLOps.evaluation.timing_policies import cycle_prices, greedy_step
from MLOps.evaluation.timing_savings import advantage_bps, prices_paid
from MLOps.market.price_cycles import Cycles, consecutive


def advantage_over_first(validation: Cycles, fee_bps: float) -> Callable[[RainbowAgent], float]:
    """What tells how much less an agent pays than who buys first, in basis points of the first price.

    The mean is over the cycles of the window that follow one another, the agent acting greedily and without noise.
    It is the reward but for what the agent cannot change: the cycle's mean and first price.

    Parameters
    ----------
    validation : Cycles
    fee_bps : float
        Fee of a purchase, in basis points of its price.
    """
    cycles = consecutive(validation)
    observations = observations_of(cycles)
    firsts = cycle_prices(cycles)[:, 0]
    by_first = prices_paid(cycles, np.zeros(len(firsts), np.int64), fee_bps)

    def score(agent: RainbowAgent) -> float:
        values = agent.values(observations.reshape(-1, observations.shape[-1]))
        steps = greedy_step(values.argmax(1).reshape(observations.shape[:2]))
        return float(advantage_bps(prices_paid(cycles, steps, fee_bps), by_first, firsts).mean())

    return score
