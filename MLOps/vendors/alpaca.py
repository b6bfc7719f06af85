"""The one door to alpaca-py's market data: daily bars and news, all pages, as plain records.

By itself the client retries at a fixed three seconds and waits for an answer for ever. Here it gets a
time-out, and tries again after 429 and 5xx as the server's Retry-After says, else with doubling waits.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from MLOps.errors import DataError, SettingsError, SourceUnavailableError
from MLOps.settings.credentials import ApiKeys
from MLOps.settings.ingestion import AlpacaSettings

if TYPE_CHECKING:
    from alpaca.common.rest import RESTClient
    from requests import PreparedRequest, Response

_RETRIED = (429, 500, 502, 503, 504)
Record = dict[str, Any]
AnswerT = TypeVar("AnswerT")


def fetch_daily_bars(
    tickers: Sequence[str],
    start: date,
    end: date,
    adjustment: Literal["raw", "all"],
    settings: AlpacaSettings,
    keys: ApiKeys,
) -> dict[str, list[Record]]:
    """Daily bars of each ticker as Alpaca sends them: keys t, o, h, l, c, v and others.

    Raises
    ------
    SourceUnavailableError
        If the service cannot be reached, or still refuses after all tries.
    SettingsError
        If it refuses the keys.
    DataError
        If its answer has another shape.
    """
    from alpaca.data.enums import Adjustment, DataFeed
    from alpaca.data.historical import StockHistoricalDataClient
    from alpaca.data.requests import StockBarsRequest
    from alpaca.data.timeframe import TimeFrame

    client = StockHistoricalDataClient(keys.key, keys.secret, raw_data=True, url_override=settings.base_url)
    request = StockBarsRequest(
        symbol_or_symbols=list(tickers),
        timeframe=TimeFrame.Day,
        start=datetime.combine(start, time.min, UTC),
        end=datetime.combine(end, time.max, UTC),
        adjustment=Adjustment(adjustment),
        feed=DataFeed(settings.feed),
    )
    _prepare(client, settings)
    answer = _asked(lambda: client.get_stock_bars(request), settings)
    assert isinstance(answer, dict)  # raw_data asks for it
    return answer


def fetch_news(tickers: Sequence[str], start: date, end: date, settings: AlpacaSettings, keys: ApiKeys) -> list[Record]:
    """News about `tickers` as Alpaca sends them: keys id, created_at, updated_at, headline and others.

    Raises
    ------
    SourceUnavailableError, SettingsError, DataError
        As `fetch_daily_bars`.
    """
    from alpaca.data.historical import NewsClient
    from alpaca.data.requests import NewsRequest

    client = NewsClient(keys.key, keys.secret, raw_data=True, url_override=settings.base_url)
    request = NewsRequest(
        start=datetime.combine(start, time.min, UTC),
        end=datetime.combine(end, time.max, UTC),
        symbols=",".join(tickers),
        sort="asc",
        include_content=True,
    )
    _prepare(client, settings)
    answer = _asked(lambda: client.get_news(request), settings)
    assert isinstance(answer, dict)  # raw_data asks for it
    return list(answer.get("news", []))


def _prepare(client: "RESTClient", settings: AlpacaSettings) -> None:
    """Give the client's session time-outs and our way of trying again, instead of the client's own."""
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    class PatientAdapter(HTTPAdapter):
        def send(self, request: "PreparedRequest", **arguments: Any) -> "Response":  # type: ignore[override]
            return super().send(request, **(arguments | {"timeout": settings.timeout_seconds}))

    retry = Retry(
        total=settings.retries,
        connect=0,
        read=0,
        status=settings.retries,
        status_forcelist=_RETRIED,
        backoff_factor=settings.backoff_seconds,
        respect_retry_after_header=True,
        allowed_methods=("GET",),
    )
    client._session.mount(str(client._base_url), PatientAdapter(max_retries=retry))
    client._retry = 0


def _asked(ask: Callable[[], AnswerT], settings: AlpacaSettings) -> AnswerT:
    """The answer to `ask`, its many errors as ours."""
    from alpaca.common.exceptions import APIError
    from requests.exceptions import RequestException, RetryError

    try:
        return ask()
    except RetryError as error:
        raise SourceUnavailableError(
            f"{settings.base_url} still refuses after {settings.retries} tries",
            mend="wait, or raise sources.alpaca.retries",
        ) from error
    except RequestException as error:
        raise SourceUnavailableError(
            f"{settings.base_url} cannot be reached ({type(error).__name__})",
            mend="the network or sources.alpaca.base_url",
        ) from error
    except APIError as error:
        if error.status_code in {401, 403}:
            raise SettingsError(
                f"Alpaca refuses the keys ({error.status_code})", mend="ALPACA_API_KEY and ALPACA_SECRET_KEY"
            ) from error
        raise DataError(
            f"Alpaca answers {error.status_code}: {str(error)[:200]}", mend="the request's settings"
        ) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"{settings.base_url} answers in another shape ({str(error)[:150]})", mend="MLOps/vendors/alpaca.py"
        ) from error
