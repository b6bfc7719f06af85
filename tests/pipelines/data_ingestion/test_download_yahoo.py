"""Yahoo through FinRL's YahooDownloader, against a local server that answers as Yahoo's chart API does."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest
import requests
from requests.adapters import HTTPAdapter

from MLOps.errors import DataError, SourceUnavailableError
from MLOps.settings.ingestion import IngestionSettings
from pipelines.data_ingestion.download_yahoo import YahooSource

# Yahoo's client remembers answers by their address: each test asks for tickers of its own.
_START, _END = date(2022, 12, 28), date(2022, 12, 30)
# Half past nine in New York on three sessions.
_OPENINGS = [int(pd.Timestamp(f"2022-12-{day} 14:30", tz="UTC").timestamp()) for day in (28, 29, 30)]
_JSON = {"Content-Type": "application/json"}


def _chart(ticker: str) -> dict[str, Any]:
    meta = {
        "currency": "USD",
        "symbol": ticker,
        "exchangeTimezoneName": "America/New_York",
        "timezone": "EST",
        "gmtoffset": -18000,
        "instrumentType": "EQUITY",
        "dataGranularity": "1d",
        "range": "",
        "validRanges": ["1d", "max"],
        "priceHint": 2,
        "firstTradeDate": 345479400,
        "regularMarketTime": 1700000000,
        "regularMarketPrice": 101.0,
        "currentTradingPeriod": {
            name: {"timezone": "EST", "start": 1700000000, "end": 1700000001, "gmtoffset": -18000}
            for name in ("pre", "regular", "post")
        },
    }
    quote = {
        "open": [100.0, 101.0, 101.5],
        "high": [101.0, 103.0, 102.5],
        "low": [99.0, 100.5, 100.0],
        "close": [100.0, 102.0, 101.0],
        "volume": [1000, 2000, 3000],
    }
    return {
        "meta": meta,
        "timestamp": _OPENINGS,
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": [99.0, 100.98, 101.0]}]},
        "events": {"dividends": {str(_OPENINGS[2]): {"amount": 1.02, "date": _OPENINGS[2]}}},
    }


class ToLocalServer(HTTPAdapter):
    """Sends what is meant for Yahoo to the local server."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: requests.PreparedRequest, **arguments: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        request.url = f"{self._url}{parts.path}?{parts.query}"
        return super().send(request, **arguments)


@pytest.fixture
def source(server: Any, default_settings: IngestionSettings, tmp_path: Path) -> Callable[..., YahooSource]:
    import yfinance

    yfinance.set_tz_cache_location(str(tmp_path / "timezones"))

    def make(url: str | None = None) -> YahooSource:
        session = requests.Session()
        session.mount("https://", ToLocalServer(url or server.url))
        return YahooSource(default_settings.sources.yahoo, "XNYS", session)

    return make


def _answering(chart: Callable[[str], dict[str, Any]]) -> Callable[[Any], tuple[int, dict[str, str], str]]:
    def respond(request: Any) -> tuple[int, dict[str, str], str]:
        if "/chart/" not in request.path:
            return 200, {}, "crumb"
        ticker = request.path.rpartition("/")[2]
        return 200, _JSON, json.dumps({"chart": {"result": [chart(ticker)], "error": None}})

    return respond


def test_raw_and_adjusted_prices_are_kept_apart(source: Callable[..., YahooSource], server: Any) -> None:
    server.respond = _answering(_chart)
    bars = source().bars(("AAA", "BBB"), _START, _END)
    assert len(bars) == 6
    aaa = bars[bars["ticker"] == "AAA"].sort_values("session")
    assert [f"{day:%Y-%m-%d}" for day in aaa["session"]] == ["2022-12-28", "2022-12-29", "2022-12-30"]
    assert list(aaa["close"]) == pytest.approx([100, 102, 101])
    assert list(aaa["adjusted_close"]) == pytest.approx([99, 100.98, 101])
    assert list(aaa["high"]) == pytest.approx([101, 103, 102.5])
    assert list(aaa["volume"]) == [1000, 2000, 3000]
    assert list(aaa["dividend"]) == pytest.approx([0, 0, 1.02])
    assert (aaa["split_ratio"] == 1).all()


def test_yahoo_has_no_news(source: Callable[..., YahooSource]) -> None:
    assert source().news(("AAA",), _START, _END).empty


def test_an_unknown_ticker_is_told(source: Callable[..., YahooSource], server: Any) -> None:
    body = '{"chart": {"result": null, "error": {"code": "Not Found", "description": "No data found"}}}'
    server.respond = lambda _: (404, _JSON, body)
    with pytest.raises(DataError, match="Yahoo has no bar of ZZZ from 2022-12-28"):
        source().bars(("ZZZ",), _START, _END)


def test_a_refusal_is_told(source: Callable[..., YahooSource], server: Any) -> None:
    server.respond = lambda _: (429, {}, "Too Many Requests")
    with pytest.raises(SourceUnavailableError, match=r"Yahoo cannot be reached \(YFRateLimitError\)"):
        source().bars(("REFUSED",), _START, _END)


def test_no_network_is_told(source: Callable[..., YahooSource]) -> None:
    with pytest.raises(SourceUnavailableError, match="Yahoo cannot be reached"):
        source("http://127.0.0.1:9").bars(("AWAY",), _START, _END)


def test_a_changed_schema_is_told(source: Callable[..., YahooSource], server: Any) -> None:
    def without_quotes(ticker: str) -> dict[str, Any]:
        return _chart(ticker) | {"indicators": {"candles": []}}

    server.respond = _answering(without_quotes)
    with pytest.raises(DataError, match=r"Yahoo's answer for CHANGED has another shape"):
        source().bars(("CHANGED",), _START, _END)
