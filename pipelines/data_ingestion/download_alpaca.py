"""The source `alpaca`: daily bars and news of Alpaca's data API."""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from MLOps.errors import DataError
from MLOps.market.bars import select_sessions
from MLOps.market.calendars import close_instants
from MLOps.market.corporate_actions import infer_actions
from MLOps.market.news import as_news, no_news
from MLOps.market.source import Origin
from MLOps.settings.credentials import read_api_keys
from MLOps.settings.ingestion import AlpacaSettings
from MLOps.vendors.alpaca import Record, fetch_daily_bars, fetch_news

_FIELDS = {"t": "session", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
_FIRST_DAY = date(2016, 1, 1)  # Alpaca's history begins here
_MEND = "MLOps/vendors/alpaca.py: the service changed its answers"


class AlpacaSource:
    """Bars and news of Alpaca; every call asks for the keys, so that a missing key is told at once."""

    is_local = False

    def __init__(self, settings: AlpacaSettings, calendar: str) -> None:
        self._settings, self._calendar = settings, calendar
        self._keys = read_api_keys("alpaca")
        self.origin = Origin("alpaca", settings.licence, settings.note)

    def bars(self, tickers: Sequence[str], start: date | None, end: date) -> pd.DataFrame:
        """Raw bars, with the closes of a second request that are adjusted for splits and dividends."""
        first = start or _FIRST_DAY
        raw = fetch_daily_bars(tickers, first, end, "raw", self._settings, self._keys)
        scaled = fetch_daily_bars(tickers, first, end, "all", self._settings, self._keys)
        bars = pd.concat([_frame(ticker, raw.get(ticker), scaled.get(ticker)) for ticker in tickers], ignore_index=True)
        bars["timestamp"] = close_instants(self._calendar, bars["session"])
        return select_sessions(infer_actions(bars), start, end, "alpaca")

    def news(self, tickers: Sequence[str], start: date | None, end: date) -> pd.DataFrame:
        records = fetch_news(tickers, start or _FIRST_DAY, end, self._settings, self._keys)
        if not records:
            return no_news()
        frame = _checked(
            records, ("id", "created_at", "updated_at", "headline", "summary", "content", "source"), "news"
        )
        text = frame["content"].where(frame["content"].fillna("") != "", frame["summary"])
        # The text is the last one: it was not known before it was updated.
        published = frame[["created_at", "updated_at"]].apply(pd.to_datetime, utc=True).max(axis=1)
        frame = frame.assign(published_at=published, is_date_only=False, title=frame["headline"], text=text)
        return as_news(frame.assign(article_id=frame["id"].astype(str)), "alpaca")


def _frame(ticker: str, raw: list[Record] | None, scaled: list[Record] | None) -> pd.DataFrame:
    if not raw:
        raise DataError(
            f"alpaca has no bar of {ticker} in the window", "tickers that it lists", "data.tickers, data.start"
        )
    bars = _checked(raw, tuple(_FIELDS), ticker).rename(columns=_FIELDS)[list(_FIELDS.values())]
    adjusted = _checked(scaled or [], ("t", "c"), ticker).set_index("t")["c"]
    bars["adjusted_close"] = bars["session"].map(adjusted[~adjusted.index.duplicated()])
    # A daily bar is stamped with midnight in New York.
    local = pd.to_datetime(bars["session"], utc=True).dt.tz_convert("America/New_York")
    bars["session"] = local.dt.tz_localize(None).dt.normalize().astype("datetime64[us]")
    numbers = ["open", "high", "low", "close", "volume", "adjusted_close"]
    bars[numbers] = bars[numbers].astype(float)
    return bars.assign(ticker=ticker, is_close_only=False, is_delisted=False)


def _checked(records: list[Record], fields: tuple[str, ...], what: str) -> pd.DataFrame:
    frame = pd.DataFrame.from_records(records, columns=None if records else list(fields))
    missing = [name for name in fields if name not in frame.columns]
    if missing:
        raise DataError(f"alpaca's {what} has no field {', '.join(missing)}", ", ".join(fields), _MEND)
    return frame
