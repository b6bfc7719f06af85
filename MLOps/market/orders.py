"""From what a policy says to signed orders: the contract that environment, backtest and broker share.

A policy says either shares (FinRL: a fraction of the greatest order) or target weights (fractions of the
wealth). The functions are compiled and write into an array of the caller's.
"""

import numpy as np
from numpy.typing import NDArray

from MLOps.compiled import compiled, inlined

FloatArray = NDArray[np.float64]
EVERYTHING = -1e18
"""An order that sells whatever is held."""


@compiled
def orders_of_action(
    action: NDArray[np.floating],
    takes_weights: bool,
    max_shares: np.floating,
    is_fractional: bool,
    cash: float,
    shares: FloatArray,
    prices: FloatArray,
) -> FloatArray:
    """Signed shares (N,) that one account's action asks for; see `action_orders`.

    Without fractions they are cut to whole shares towards zero, as filling does.
    """
    orders = np.empty(len(shares))
    action_orders(action, takes_weights, max_shares, is_fractional, cash, shares, prices, orders)
    if not is_fractional:
        for k in range(len(orders)):
            orders[k] = np.trunc(orders[k])
    return orders


@inlined
def action_orders(
    action: NDArray[np.floating],
    takes_weights: bool,
    max_shares: np.floating,
    is_fractional: bool,
    cash: float,
    shares: FloatArray,
    prices: FloatArray,
    orders: FloatArray,
) -> None:
    """Orders of an action by its kind; the parameters are those of the functions below.

    Parameters
    ----------
    takes_weights : bool
        Whether the action means target weights, else shares.
    """
    if takes_weights:
        action_weights(action, orders)
        weight_orders(orders, cash, shares, prices, is_fractional, orders)
    else:
        share_orders(action, max_shares, orders)


@inlined
def share_orders(action: NDArray[np.floating], max_shares: np.floating, orders: FloatArray) -> None:
    """Orders of ``action * max_shares`` shares; filling cuts them to whole shares where those are traded.

    Parameters
    ----------
    action : (N,) float32 or float64
        In [-1, 1]: -1 sells `max_shares`, 1 buys as many.
    max_shares : float
        FinRL's hmax, of the action's type: FinRL multiplies in float32, and the product's last bit decides
        on a share.
    orders : (N,) float64
        Written.
    """
    for k in range(len(orders)):
        orders[k] = action[k] * max_shares


@inlined
def action_weights(action: NDArray[np.floating], weights: FloatArray) -> None:
    """Long-only target weights of an action: its positive part, scaled down to sum to at most 1; the rest is cash.

    Parameters
    ----------
    action : (N,) float32 or float64
        In [-1, 1]; at or below 0 means none of the ticker.
    weights : (N,) float64
        Written: >= 0, summing to at most 1.
    """
    total = 0.0
    for k in range(len(weights)):
        weights[k] = max(action[k], 0.0)
        total += weights[k]
    if total > 1.0:
        for k in range(len(weights)):
            weights[k] /= total


@inlined
def weight_orders(
    weights: FloatArray, cash: float, shares: FloatArray, prices: FloatArray, is_fractional: bool, orders: FloatArray
) -> None:
    """Orders that lead from what is held to target weights of the wealth; whole holdings are rounded down.

    Costs are not set aside: with weights that sum to 1 the last buys stop at the cash that is left.

    Parameters
    ----------
    weights : (N,) float64
        Fractions of the wealth, >= 0 and summing to at most 1. May be the same array as `orders`.
    cash : float
        In the currency of the prices.
    shares : (N,) float64
        Held.
    prices : (N,) float64
        Positive.
    is_fractional : bool
        Whether parts of a share are traded.
    orders : (N,) float64
        Written.
    """
    wealth = cash
    for k in range(len(orders)):
        wealth += shares[k] * prices[k]
    for k in range(len(orders)):
        target = weights[k] * wealth / prices[k]
        orders[k] = (target if is_fractional else np.floor(target)) - shares[k]
