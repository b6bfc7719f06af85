"""The turbulence index of 30 tickers over 2,500 sessions, a year's window: table of closes in, one value a day out."""

import logging
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
from comparison import Measurement, Row, SizePoint, in_turns, require_equal, seconds_per_call
from synthetic_market import make_prices, to_long_frame

from MLOps.market.turbulence import turbulence, warm_up_rows

_LOG = logging.getLogger(__name__)
_SESSIONS, _TICKERS, _RUNS = 2_500, 30, 5
_WINDOW = 252  # written into FinRL's code
_HISTORY, _BREADTH = (1_250, 2_500, 5_000, 10_000), (5, 30, 100, 500)
_PEER_MAX_TICKERS = 100  # FinRL decomposes an N x N matrix a day: 500 tickers take many minutes
_FEWER_SESSIONS = 500  # enough for the cost of a day where a day is dear: a singular 500 x 500 matrix each
_QUANTITY = "turbulence of one day"


def by_finrl(table: pd.DataFrame) -> npt.NDArray[np.float64]:
    """(T,) turbulence, by FinRL."""
    from finrl.meta.preprocessor.preprocessors import FeatureEngineer

    return FeatureEngineer().calculate_turbulence(table)["turbulence"].to_numpy(dtype=np.float64)


def by_ours(table: pd.DataFrame, tickers: int) -> npt.NDArray[np.float64]:
    """(T,) turbulence, by MLOps/market/turbulence.py; the way to an array included."""
    return turbulence(table["close"].to_numpy().reshape(-1, tickers), _WINDOW)


def check(table: pd.DataFrame, tickers: int) -> str:
    """Equality of every day that FinRL computes; its first two positive values it sets to 0."""
    first = warm_up_rows(_WINDOW) + 1
    ours, finrl = by_ours(table, tickers)[first:], by_finrl(table)[first:]
    return require_equal(f"turbulence from day {first} on", ours, finrl, rtol=1e-9)


def measure(*, is_quick: bool) -> Measurement:
    """Check, time and chart."""
    prices = make_prices(_SESSIONS, _TICKERS)
    table = to_long_frame(prices)
    _LOG.info("checking")
    checked = check(table, _TICKERS)
    _LOG.info("timing")
    timing = in_turns(
        lambda: 1e3 * seconds_per_call(partial(by_finrl, table)),
        lambda: 1e3 * seconds_per_call(partial(by_ours, table, _TICKERS)),
        1 if is_quick else _RUNS,
    )
    return Measurement(
        timing=timing,
        check=checked,
        size={"sessions": _SESSIONS, "tickers": _TICKERS, "window_sessions": _WINDOW},
        notes=(
            "Both start from the same long table of closes.",
            "FinRL pivots the table; ours takes it sorted and complete, as the bars contract has it.",
        ),
        sizes=() if is_quick else (*_points("history_sessions", _HISTORY), *_points("tickers", _BREADTH)),
    )


def _points(axis: str, sizes: tuple[int, ...]) -> list[SizePoint]:
    """Cost a day that has a value, at each size, one run each."""
    points = []
    for size in sizes:
        _LOG.info("size: %s = %d", axis, size)
        sessions, tickers = (size, _TICKERS) if axis == "history_sessions" else (_SESSIONS, size)
        if tickers > _PEER_MAX_TICKERS:
            sessions = _FEWER_SESSIONS
        table = to_long_frame(make_prices(sessions, tickers))
        seconds = {"ours": seconds_per_call(partial(by_ours, table, tickers))}
        if tickers <= _PEER_MAX_TICKERS:
            seconds["FinRL FeatureEngineer"] = seconds_per_call(partial(by_finrl, table))
        days = sessions - warm_up_rows(_WINDOW)
        points += [SizePoint(_QUANTITY, axis, size, who, 1e6 * s / days) for who, s in seconds.items()]
    return points


ROW = Row(unit="ms", is_higher_better=False, target_ratio=50.0, measure=measure)
