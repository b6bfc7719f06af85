"""How one order is filled: at what price, and how much of it the cash pays for."""

from math import sqrt
from typing import NamedTuple

import numpy as np

from MLOps.compiled import compiled

_CLEARLY = 1.0 - 1e-9  # less than this part of the cash is affordable whatever the rounding
_BISECTIONS = 64


class FillRule(NamedTuple):
    """How fills are made, whatever the ticker; numbers alone, for the compiled functions.

    The fill of q shares is worse than the close by the fraction ``slippage + linear_impact * p +
    root_impact * sqrt(p)`` with the participation ``p = q / volume``. With an impact, a fill stops at the
    session's volume. Source: Almgren, Thum, Hauptmann and Li, "Direct estimation of equity market
    impact", 2005, for the two shapes.

    Attributes
    ----------
    slippage, linear_impact, root_impact : float
        Fractions of the price, >= 0 and summing to less than 1.
    is_fractional : bool
        Whether parts of a share are traded; otherwise orders are cut to whole shares towards zero.
    may_overdraw : bool
        FinRL's rounding: a buy that uses up the cash may leave it a hair below zero, and the next buy
        then "buys" minus one share. Otherwise a buy never spends more than the cash.
    """

    slippage: float
    linear_impact: float
    root_impact: float
    is_fractional: bool
    may_overdraw: bool

    @property
    def has_impact(self) -> bool:
        """Whether the market's volume decides on the price."""
        return self.linear_impact > 0.0 or self.root_impact > 0.0


AT_THE_CLOSE = FillRule(0.0, 0.0, 0.0, is_fractional=False, may_overdraw=False)
"""Whole shares at the close."""


@compiled
def affordable(cash: float, wanted: float, unit_price: float, is_fractional: bool) -> float:
    """As much of `wanted` as the cash pays for; the whole number is Python's exact ``cash // unit_price``."""
    if wanted * unit_price <= cash * _CLEARLY:
        return wanted
    if is_fractional:
        return min(wanted, cash / unit_price)
    if 0.0 <= cash < unit_price:
        return 0.0
    quotient = cash / unit_price
    whole = float(np.floor(quotient))
    if whole == quotient:  # only then may the division have rounded up
        whole = cash // unit_price
    return min(wanted, whole)


@compiled
def affordable_with_impact(
    cash: float, wanted: float, price: float, buy_cost: float, volume: float, rule: FillRule
) -> float:
    """As much of `wanted` as the cash pays for, where the price rises with the amount; by bisection."""
    if _spent(wanted, price, buy_cost, volume, rule) <= cash:
        return wanted
    low, high = 0.0, wanted
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if _spent(middle, price, buy_cost, volume, rule) <= cash:
            low = middle
        else:
            high = middle
    if rule.is_fractional:
        return low
    whole = float(np.floor(high))  # the bisection may have stopped a hair below a whole number that is affordable
    return whole if _spent(whole, price, buy_cost, volume, rule) <= cash else float(np.floor(low))


@compiled
def _spent(bought: float, price: float, buy_cost: float, volume: float, rule: FillRule) -> float:
    return price * bought * (1.0 + worse_by(bought, volume, rule)) * (1.0 + buy_cost)


@compiled
def worse_by(traded: float, volume: float, rule: FillRule) -> float:
    """Fraction of the price by which a fill of `traded` shares is worse than the close."""
    if traded <= 0.0:
        return 0.0
    participation = traded / volume
    return rule.slippage + rule.linear_impact * participation + rule.root_impact * sqrt(participation)
