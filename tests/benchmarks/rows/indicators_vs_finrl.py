"""FinRL's eight indicators over 30 tickers and 2,500 sessions: long table in, long table out."""

import logging
from functools import partial

import numpy as np
import pandas as pd
from comparison import Measurement, Row, SizePoint, in_turns, require_equal, seconds_per_call
from synthetic_market import make_prices, to_long_frame

from MLOps.market.indicators import INDICATORS, PriceArrays, compute_indicators

_LOG = logging.getLogger(__name__)
_NAMES = tuple(INDICATORS)
_SESSIONS, _TICKERS, _RUNS = 2_500, 30, 5
_HISTORY, _BREADTH = (1_250, 2_500, 5_000, 10_000), (5, 30, 100, 500)
_PEER_MAX_TICKERS = 100  # FinRL searches the whole table for each ticker: 500 of them take many minutes
_QUANTITY = "indicators of one row (ticker and day)"


def by_finrl(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with the indicators, by FinRL."""
    from finrl.meta.preprocessor.preprocessors import FeatureEngineer

    result: pd.DataFrame = FeatureEngineer(tech_indicator_list=list(_NAMES)).add_technical_indicator(table)
    return result


def by_ours(table: pd.DataFrame, tickers: int) -> pd.DataFrame:
    """`table` with the indicators, by MLOps/market/indicators.py; the way to arrays and back included."""
    arrays = {name: table[name].to_numpy().reshape(-1, tickers) for name in ("high", "low", "close")}
    values = compute_indicators(_NAMES, PriceArrays(**arrays))
    return table.assign(**{name: array.ravel() for name, array in values.items()})


def check(table: pd.DataFrame, tickers: int) -> str:
    """Equality of every indicator, from the row on that enough of the past is known for it."""
    ours, finrl = by_ours(table, tickers), by_finrl(table)
    known = [slice(INDICATORS[name].warm_up * tickers, None) for name in _NAMES]
    return require_equal(
        "eight indicators after their warm-up",
        np.concatenate([ours[name].to_numpy()[rows] for name, rows in zip(_NAMES, known, strict=True)]),
        np.concatenate([finrl[name].to_numpy()[rows] for name, rows in zip(_NAMES, known, strict=True)]),
        rtol=1e-9,
        atol=1e-9,
    )


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
    arrays_only = 1e3 * seconds_per_call(partial(compute_indicators, _NAMES, prices))
    return Measurement(
        timing=timing,
        check=checked,
        size={"sessions": _SESSIONS, "tickers": _TICKERS, "rows": len(table)},
        notes=(
            "Both start from the same long table and give it back with eight columns more.",
            "FinRL sorts the table before and after; ours takes it sorted, as the bars contract has it.",
            "In the first rows of a window FinRL guesses and ours gives NaN; those rows are not compared.",
        ),
        details={"ours_arrays_only_ms": arrays_only, "ratio_arrays_only": timing.peer / arrays_only},
        sizes=() if is_quick else (*_points("history_sessions", _HISTORY), *_points("tickers", _BREADTH)),
    )


def _points(axis: str, sizes: tuple[int, ...]) -> list[SizePoint]:
    """Cost a row at each size, one run each."""
    points = []
    for size in sizes:
        _LOG.info("size: %s = %d", axis, size)
        sessions, tickers = (size, _TICKERS) if axis == "history_sessions" else (_SESSIONS, size)
        table = to_long_frame(make_prices(sessions, tickers))
        seconds = {"ours": seconds_per_call(partial(by_ours, table, tickers))}
        if tickers <= _PEER_MAX_TICKERS:
            seconds["FinRL FeatureEngineer"] = seconds_per_call(partial(by_finrl, table))
        points += [SizePoint(_QUANTITY, axis, size, who, 1e6 * s / len(table)) for who, s in seconds.items()]
    return points


ROW = Row(unit="ms", is_higher_better=False, target_ratio=100.0, measure=measure)
