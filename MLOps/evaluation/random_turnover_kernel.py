"""The compiled orders of one close of random trading."""

import numpy as np
from numpy.typing import NDArray

from MLOps.compiled import compiled
from MLOps.market.accounting import FloatArray


@compiled
def turnover_orders(
    bought: float,
    sold: float,
    sequence: NDArray[np.int64],
    spread: FloatArray,
    cash: float,
    shares: FloatArray,
    prices: FloatArray,
    is_fractional: bool,
) -> FloatArray:
    """Signed shares (N,) that sell whole positions in a given order and spread the buys over the other tickers.

    Parameters
    ----------
    bought, sold : float
        Fractions of the wealth.
    sequence : (N,) int64
        Order in which tickers are sold; the last one in part.
    spread : (N,) float64
        Parts of what is bought, positive.
    cash : float
    shares, prices : (N,) float64
    is_fractional : bool
        Otherwise orders are rounded to the nearest whole share.
    """
    wealth, orders = cash, np.zeros(len(shares))
    for n in range(len(shares)):
        wealth += shares[n] * prices[n]
    left = sold * wealth
    for n in sequence:
        value = min(left, shares[n] * prices[n])
        left -= value
        orders[n] = -value / prices[n]
    parts = 0.0
    for n in range(len(shares)):
        parts += spread[n] if orders[n] == 0.0 else 0.0
    for n in range(len(shares)):
        if orders[n] == 0.0:
            orders[n] = bought * wealth * spread[n] / parts / prices[n]
        if not is_fractional:
            orders[n] = np.rint(orders[n])
    return orders
