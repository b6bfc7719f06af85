"""Closes of stock or crypto bars in one form: what the signal rate is measured on."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from MLOps.errors import DataError
from MLOps.market.bars import read_bars
from MLOps.market.crypto_bars import bar_length, read_crypto_bars
from MLOps.settings.signal_rates import SignalRatesSettings


class MarketCloses(NamedTuple):
    """Closes, and which price they are.

    Parameters
    ----------
    frame : DataFrame
        Columns ticker, day (the exchange's date, or that on which a crypto bar opened in UTC; datetime64
        without time zone), close (float64, finite, at least 0) and follows_gap (bool: crypto bars are
        missing right before this one, or the stock was split at it), each ticker in the order of time.
        A stock's bars are its own sessions in a row.
    price : str
        close, as it was traded; adjusted_close where bars are close-only, which have no other.
    """

    frame: pd.DataFrame
    price: str


def read_market_bars(path: Path, settings: SignalRatesSettings) -> MarketCloses:
    """The closes of the bars at `path`, by the contract that `settings` names.

    Raises
    ------
    DataError
        If the bars break their contract, or a close is missing, infinite or negative; the message names
        the first such row.
    """
    read = _crypto_closes(path) if settings.market == "crypto" else _stock_closes(path)
    closes = read.frame
    is_bad = ~(np.isfinite(closes["close"]) & (closes["close"] >= 0))
    if is_bad.any():
        first = closes.loc[is_bad.idxmax()]
        raise DataError(
            f"{path}: {int(is_bad.sum())} closes are missing, infinite or negative, "
            f"first {first['ticker']} on {first['day']:%Y-%m-%d}",
            "a finite number of at least 0",
            "the bars",
        )
    return read


def _stock_closes(path: Path) -> MarketCloses:
    bars = read_bars(path)
    # Adjusted prices are products of floats, not decimals that somebody wrote: in them a tie is an accident.
    price = "adjusted_close" if bars["is_close_only"].any() else "close"
    columns = {"ticker": bars["ticker"], "day": bars["session"], "close": bars[price]}
    return MarketCloses(pd.DataFrame(columns | {"follows_gap": bars["split_ratio"] != 1}), price)


def _crypto_closes(path: Path) -> MarketCloses:
    bars = read_crypto_bars(path)
    opened_at = bars["opened_at"]
    columns = {"ticker": bars["ticker"], "day": opened_at.dt.tz_localize(None), "close": bars["close"]}
    return MarketCloses(pd.DataFrame(columns | {"follows_gap": opened_at.diff() > bar_length(bars)}), "close")
