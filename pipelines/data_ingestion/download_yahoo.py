"""The source `yahoo`: daily bars of Yahoo Finance, through FinRL's YahooDownloader."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd

from MLOps.market.bars import select_sessions
from MLOps.market.calendars import close_instants
from MLOps.market.news import no_news
from MLOps.market.source import Origin
from MLOps.settings.ingestion import YahooSettings
from MLOps.vendors.finrl import download_yahoo_bars

_FIRST_DAY = date(1970, 1, 1)


class YahooSource:
    """Bars of Yahoo Finance; it has no news.

    Yahoo's "raw" prices and volumes are scaled for splits already.
    """

    is_local = False

    def __init__(self, settings: YahooSettings, calendar: str, session: Any = None) -> None:
        self._settings, self._calendar, self._session = settings, calendar, session
        self.origin = Origin("yahoo", settings.licence, settings.note)

    def bars(self, tickers: Sequence[str], start: date | None, end: date) -> pd.DataFrame:
        first, stop = start or _FIRST_DAY, end + timedelta(days=1)
        frame = download_yahoo_bars(
            tickers, first.isoformat(), stop.isoformat(), self._settings.timeout_seconds, self._session
        )
        bars = frame.rename(columns={"tic": "ticker", "adjcp": "adjusted_close"})
        bars["session"] = pd.to_datetime(bars["date"]).astype("datetime64[us]")
        bars["timestamp"] = close_instants(self._calendar, bars["session"])
        # Prices are scaled for every split, so that none is left to apply.
        bars = bars.assign(volume=bars["volume"].astype(float), split_ratio=1.0, is_close_only=False, is_delisted=False)
        return select_sessions(bars, start, end, "yahoo")

    def news(self, tickers: Sequence[str], start: date | None, end: date) -> pd.DataFrame:  # noqa: ARG002 - the protocol's
        """No article."""
        return no_news()
