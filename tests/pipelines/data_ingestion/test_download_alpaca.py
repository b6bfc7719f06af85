"""Alpaca against a local server: pages, refusals, missing days, changed answers."""

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from MLOps.errors import DataError, SettingsError, SourceUnavailableError
from MLOps.settings.ingestion import IngestionSettings
from pipelines.data_ingestion.download_alpaca import AlpacaSource
from pipelines.data_ingestion.open_source import source_identity

_START, _END = date(2022, 12, 28), date(2022, 12, 30)
_DAYS = ("2022-12-28T05:00:00Z", "2022-12-29T05:00:00Z", "2022-12-30T05:00:00Z")
_JSON = {"Content-Type": "application/json"}


def _bar(day: str, close: float) -> dict[str, Any]:
    return {"t": day, "o": close, "h": close + 1, "l": close - 1, "c": close, "v": 1000, "n": 10, "vw": close}


def _pages(request: Any) -> tuple[int, dict[str, str], str]:
    """Two pages of bars: the first day, then the others. A 1% dividend goes off on the last day."""
    factor = 0.99 if request.query["adjustment"] == "all" else 1.0
    closes = {_DAYS[0]: 100.0 * factor, _DAYS[1]: 102.0 * factor, _DAYS[2]: 101.0}
    first = "page_token" not in request.query
    days = _DAYS[:1] if first else _DAYS[1:]
    body = {"bars": {"AAA": [_bar(day, closes[day]) for day in days]}, "next_page_token": "more" if first else None}
    return 200, _JSON, json.dumps(body)


@pytest.fixture
def source(
    server: Any, default_settings: IngestionSettings, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AlpacaSource]:
    monkeypatch.setenv("ALPACA_API_KEY", "a key")
    monkeypatch.setenv("ALPACA_SECRET_KEY", "a secret")

    def make(**changes: Any) -> AlpacaSource:
        changes = {"base_url": server.url, "backoff_seconds": 0.0, "retries": 2} | changes
        return AlpacaSource(default_settings.sources.alpaca.model_copy(update=changes), "XNYS")

    return make


def test_all_pages_are_read_raw_and_adjusted(source: Callable[..., AlpacaSource], server: Any) -> None:
    server.respond = _pages
    bars = source().bars(("AAA",), _START, _END)
    assert [f"{day:%Y-%m-%d}" for day in bars["session"]] == ["2022-12-28", "2022-12-29", "2022-12-30"]
    assert list(bars["close"]) == [100, 102, 101]
    assert list(bars["adjusted_close"]) == pytest.approx([99, 100.98, 101])
    assert list(bars["dividend"]) == pytest.approx([0, 0, 1.02])
    assert [(request.query["adjustment"], request.query.get("page_token")) for request in server.requests] == [
        ("raw", None),
        ("raw", "more"),
        ("all", None),
        ("all", "more"),
    ]
    assert server.requests[0].headers["APCA-API-KEY-ID"] == "a key"


def test_a_429_is_tried_again_as_the_server_says(source: Callable[..., AlpacaSource], server: Any) -> None:
    refusals = iter([(429, {"Retry-After": "0"}, ""), (503, {}, "")])
    server.respond = lambda request: next(refusals, None) or _pages(request)
    assert len(source().bars(("AAA",), _START, _END)) == 3
    assert len(server.requests) == 6


def test_a_service_that_keeps_refusing_is_told(source: Callable[..., AlpacaSource], server: Any) -> None:
    server.respond = lambda _: (429, {"Retry-After": "0"}, "")
    with pytest.raises(SourceUnavailableError, match="still refuses after 2 tries"):
        source().bars(("AAA",), _START, _END)
    assert len(server.requests) == 3


def test_no_network_is_told_at_once(source: Callable[..., AlpacaSource]) -> None:
    with pytest.raises(SourceUnavailableError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        source(base_url="http://127.0.0.1:9").bars(("AAA",), _START, _END)


def test_refused_keys_are_told_without_showing_them(source: Callable[..., AlpacaSource], server: Any) -> None:
    server.respond = lambda _: (403, _JSON, '{"message": "forbidden."}')
    with pytest.raises(SettingsError, match=r"refuses the keys \(403\)") as caught:
        source().bars(("AAA",), _START, _END)
    assert "a secret" not in str(caught.value)


def test_missing_keys_are_told(source: Callable[..., AlpacaSource], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALPACA_SECRET_KEY")
    with pytest.raises(SettingsError, match="no keys for alpaca; allowed: ALPACA_API_KEY and ALPACA_SECRET_KEY"):
        source()


def test_an_unknown_ticker_is_told(source: Callable[..., AlpacaSource], server: Any) -> None:
    server.respond = lambda _: (200, _JSON, '{"bars": {}, "next_page_token": null}')
    with pytest.raises(DataError, match="alpaca has no bar of ZZZ"):
        source().bars(("ZZZ",), _START, _END)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"bars": {"AAA": [{"time": "2022-12-28T05:00:00Z", "o": 1, "h": 1, "l": 1, "c": 1, "v": 1}]}}', "no field t"),
        ('{"candles": {}}', "answers in another shape"),
        ("<html>maintenance</html>", "cannot be reached|another shape"),
    ],
)
def test_a_changed_schema_is_told(source: Callable[..., AlpacaSource], server: Any, body: str, message: str) -> None:
    server.respond = lambda _: (200, _JSON, body)
    with pytest.raises((DataError, SourceUnavailableError), match=message):
        source().bars(("AAA",), _START, _END)


def test_a_missing_day_stops_the_stage(
    source: Callable[..., AlpacaSource], server: Any, ingest: Callable[..., Any]
) -> None:
    source()  # sets the keys
    bars = json.dumps({"bars": {"AAA": [_bar(_DAYS[0], 100), _bar(_DAYS[2], 101)]}, "next_page_token": None})
    server.respond = lambda _: (200, _JSON, bars)
    outcome = ingest(
        *("--source", "alpaca", "--tickers", "AAA", "--start", "2022-12-28", "--as_of", "2022-12-30"),
        *(f"sources.alpaca.base_url={server.url}", "data.with_news=false"),
    )
    assert outcome.status == 3
    assert "sessions are missing before this one (1 x: AAA 2022-12-30)" in outcome.last_line


def test_a_second_run_asks_for_the_overlap_and_the_new_day(
    source: Callable[..., AlpacaSource], server: Any, ingest: Callable[..., Any]
) -> None:
    source()
    server.respond = lambda request: (
        200,
        _JSON,
        json.dumps({"bars": {"AAA": [_bar(day, 100) for day in _DAYS if day[:10] in _window(request)]}}),
    )
    arguments = [
        *("--source", "alpaca", "--tickers", "AAA", "--start", "2022-12-28", "overlap_sessions=1"),
        *(f"sources.alpaca.base_url={server.url}", "data.with_news=false"),
    ]
    assert ingest(*arguments, "--as_of", "2022-12-29").status == 0
    server.requests.clear()
    second = ingest(*arguments, "--as_of", "2022-12-30")
    assert second.result["metrics"]["bars"] == 3
    assert {request.query["start"][:10] for request in server.requests} == {"2022-12-28"}


def _window(request: Any) -> set[str]:
    first, last = request.query["start"][:10], request.query["end"][:10]
    return {day[:10] for day in _DAYS if first <= day[:10] <= last}


def test_all_pages_of_news_are_read(source: Callable[..., AlpacaSource], server: Any) -> None:
    def respond(request: Any) -> tuple[int, dict[str, str], str]:
        first = "page_token" not in request.query
        article = {
            "id": 1 if first else 2,
            "created_at": "2022-12-28T15:00:00Z" if first else "2022-12-29T15:00:00Z",
            "updated_at": "2022-12-28T15:00:00Z" if first else "2022-12-30T09:00:00Z",
            "headline": "A headline",
            "summary": "A summary",
            "content": "" if first else "A body",
            "source": "wire",
            "symbols": ["AAA"],
        }
        return 200, _JSON, json.dumps({"news": [article], "next_page_token": "more" if first else None})

    server.respond = respond
    news = source().news(("AAA", "BBB"), _START, _END)
    assert list(news["article_id"]) == ["1", "2"]
    assert list(news["text"]) == ["A summary", "A body"]
    assert not news["is_date_only"].any()
    # The text of an updated article is the updated one: it was not known before.
    assert [f"{instant:%Y-%m-%d %H:%M}" for instant in news["published_at"]] == ["2022-12-28 15:00", "2022-12-30 09:00"]
    assert server.requests[0].query["symbols"] == "AAA,BBB"


def test_another_address_is_another_source(default_settings: IngestionSettings) -> None:
    def identity(base_url: str) -> str:
        sources = default_settings.sources
        alpaca = sources.alpaca.model_copy(update={"base_url": base_url})
        data = default_settings.data.model_copy(update={"source": "alpaca"})
        changed = {"data": data, "sources": sources.model_copy(update={"alpaca": alpaca})}
        return source_identity(default_settings.model_copy(update=changed))

    assert identity("https://one.example") != identity("https://other.example")


def test_a_day_that_is_not_out_yet_is_tried_again_later(
    source: Callable[..., AlpacaSource], server: Any, ingest: Callable[..., Any]
) -> None:
    source()  # sets the keys
    bars = json.dumps({"bars": {"AAA": [_bar(day, 100) for day in _DAYS[:2]]}, "next_page_token": None})
    server.respond = lambda _: (200, _JSON, bars)
    outcome = ingest(
        *("--source", "alpaca", "--tickers", "AAA", "--start", "2022-12-28", "--as_of", "2022-12-30"),
        *(f"sources.alpaca.base_url={server.url}", "data.with_news=false"),
    )
    assert outcome.status == SourceUnavailableError.exit_code
    assert "alpaca does not have all bars up to 2022-12-30 yet (1 x: AAA 2022-12-29)" in outcome.last_line


def test_a_past_date_comes_back_as_it_was_kept_although_the_source_restated(
    source: Callable[..., AlpacaSource], server: Any, ingest: Callable[..., Any], workspace: Path
) -> None:
    source()
    arguments = [
        *("--source", "alpaca", "--tickers", "AAA", "--start", "2022-12-28", "--as_of", "2022-12-30"),
        *(f"sources.alpaca.base_url={server.url}", "data.with_news=false"),
    ]

    def ingested(close: float) -> Any:
        bars = json.dumps({"bars": {"AAA": [_bar(day, close) for day in _DAYS]}, "next_page_token": None})
        server.respond = lambda _: (200, _JSON, bars)
        return ingest(*arguments).result

    first = ingested(close=100)
    shutil.rmtree(workspace / "data")
    again = ingested(close=50)
    assert again["status"] == "already_made"
    assert again["artifacts"] == first["artifacts"]
    assert again["details"]["dvc_md5"] == first["details"]["dvc_md5"]


def test_no_news_is_no_fault(source: Callable[..., AlpacaSource], server: Any) -> None:
    server.respond = lambda _: (200, _JSON, '{"news": [], "next_page_token": null}')
    assert source().news(("AAA",), _START, _END).empty
