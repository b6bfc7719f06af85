"""Closes of stock or crypto bars in one form: what the signal rate is measured on."""

from pathlib import Path

import numpy as np
import pandas as pd

from MLOps.errors import DataError
from MLOps.market.bars import read_bars
from MLOps.market.crypto_bars import bar_length, read_crypto_bars
from MLOps.settings.signal_rates import SignalRatesSettings


def read_market_bars(path: Path, settings: SignalRatesSettings) -> pd.DataFrame:
    """The closes of the bars at `path`, by the contract that `settings` names.

    Returns
    -------
    DataFrame
        Columns ticker, day (the exchange's date, or that on which a crypto bar opened in UTC; datetime64
        without time zone), close (float64, finite, at least 0) and follows_gap (bool), each ticker in the
        order of time. Crypto bars tell where some are missing; a stock's are its own sessions in a row.

    Raises
    ------
    DataError
        If the bars break their contract, or a close is missing, infinite or negative; the message names
        the first such row.
    """
    closes = _crypto_closes(path) if settings.market == "crypto" else _stock_closes(path, settings.stock_price)
    is_bad = ~(np.isfinite(closes["close"]) & (closes["close"] >= 0))
    if is_bad.any():
        first = closes.loc[is_bad.idxmax()]
        raise DataError(
            f"{path}: {int(is_bad.sum())} closes are missing, infinite or negative, "
            f"first {first['ticker']} on {first['day']:%Y-%m-%d}",
            "a finite number of at least 0",
            "stock_price=adjusted_close where bars are close-only, or the bars",
        )
    return closes


def _stock_closes(path: Path, price: str) -> pd.DataFrame:
    bars = read_bars(path)
    return pd.DataFrame({"ticker": bars["ticker"], "day": bars["session"], "close": bars[price], "follows_gap": False})


def _crypto_closes(path: Path) -> pd.DataFrame:
    bars = read_crypto_bars(path)
    opened_at = bars["opened_at"]
    return pd.DataFrame(
        {
            "ticker": bars["ticker"],
            "day": opened_at.dt.tz_localize(None),
            "close": bars["close"],
            "follows_gap": opened_at.diff() > bar_length(bars),
        }
    )
