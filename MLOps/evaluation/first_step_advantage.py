"""What purchases gain over buying at the first step: what a training is looked at by, and told in."""

from MLOps.evaluation.timing_policies import IntArray, cycle_prices, first_step
from MLOps.evaluation.timing_savings import advantage_bps, prices_paid
from MLOps.market.price_cycles import Cycles


def mean_advantage_over_first(cycles: Cycles, steps: IntArray, fee_bps: float) -> float:
    """How much less was paid than by who buys first, in basis points of the first price; the mean over the cycles.

    It is the reward but for what no purchase changes: the cycle's mean and first price.

    Parameters
    ----------
    cycles : Cycles
        C of them; they may overlap.
    steps : (C,) int64
        Step of the purchase in each, from 0.
    fee_bps : float
        Fee of a purchase, in basis points of its price.
    """
    paid, by_first = (prices_paid(cycles, chosen, fee_bps) for chosen in (steps, first_step(cycles)))
    return float(advantage_bps(paid, by_first, cycle_prices(cycles)[:, 0]).mean())
