"""From bars and news to FinRL's long table of features; every row holds what was known at its session's close."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from MLOps.errors import DataError
from MLOps.market.adjustment import forward_adjusted
from MLOps.market.alignment import AlignedBars, align
from MLOps.market.bars import select_tickers
from MLOps.market.indicators import INDICATORS, PriceArrays, compute_indicators
from MLOps.market.news import known_at
from MLOps.market.news_join import NewsScores, join_news
from MLOps.market.turbulence import turbulence, warm_up_rows
from MLOps.settings.features import FeatureSettings

FloatArray = npt.NDArray[np.float64]
_MEND = "config/stages/build_features.yaml (tickers, first_session, last_session), or more bars"


@dataclass(frozen=True)
class FeatureTable:
    """The features and what is to be said about them.

    Attributes
    ----------
    frame : DataFrame
        Columns date, tic, open, high, low, close, volume, day, the indicators, turbulence, vix,
        sentiment, has_news, news_count, ticker_sentiment, ticker_has_news; without those that the
        bars do not allow. Sorted by (date, tic), every date with every ticker, no NaN.
    indicators : tuple of str
        Those that were computed.
    dropped_indicators : tuple of str
        Those that need high and low prices, which the bars do not have.
    warm_up_sessions : int
        First sessions that were dropped because a feature was not known yet.
    carried_bars : int
        Missing bars that were carried forward.
    is_close_only : bool
        Whether only closes are known.
    """

    frame: pd.DataFrame
    indicators: tuple[str, ...]
    dropped_indicators: tuple[str, ...]
    warm_up_sessions: int
    carried_bars: int
    is_close_only: bool


def build_table(bars: pd.DataFrame, news: pd.DataFrame | None, settings: FeatureSettings) -> FeatureTable:
    """Compute every feature and drop the rows in which one is not known yet.

    Parameters
    ----------
    bars : DataFrame
        Of the bars contract (MLOps/market/bars.py).
    news : DataFrame, optional
        Columns published_at, is_date_only; of scored news ticker and score too, as
        `MLOps.market.scored_news.with_scores` gives them.
    settings : FeatureSettings

    Raises
    ------
    DataError
        If the window holds no bars or none beyond the warm-up, a ticker is unknown, or bars are
        missing or malformed.
    """
    stocks, vix = _chosen(bars, settings)
    aligned = align(forward_adjusted(stocks), settings.fill_limit_sessions)
    usable = tuple(
        name for name in settings.indicators if not (aligned.is_close_only and INDICATORS[name].needs_high_low)
    )
    warm_up = max([warm_up_rows(settings.turbulence_window_sessions), *(INDICATORS[name].warm_up for name in usable)])
    _refuse_short(aligned, warm_up)

    columns = _price_columns(aligned)
    columns |= compute_indicators(usable, PriceArrays(aligned.high, aligned.low, aligned.close))
    columns["turbulence"] = _for_all(turbulence(aligned.close, settings.turbulence_window_sessions), aligned)
    if not vix.empty:
        columns["vix"] = _for_all(vix_known(vix, aligned.sessions, settings.fill_limit_sessions, warm_up), aligned)
    columns |= _news_columns(news, aligned, settings)
    return FeatureTable(
        frame=_long_frame(aligned, columns, warm_up),
        indicators=usable,
        dropped_indicators=tuple(name for name in settings.indicators if name not in usable),
        warm_up_sessions=warm_up,
        carried_bars=int(aligned.is_carried[warm_up:].sum()),
        is_close_only=aligned.is_close_only,
    )


def vix_known(vix: pd.DataFrame, sessions: npt.NDArray[np.datetime64], fill_limit: int, warm_up: int) -> FloatArray:
    """(T,) float64 the volatility index as of each session's close: the close of the session before.

    The index is computed until 16:15 New York time, a quarter of an hour after the decision.

    Raises
    ------
    DataError
        If after the warm-up a value is older than one session plus `fill_limit`.
    """
    days = vix["session"].to_numpy().astype("datetime64[D]")
    position = np.searchsorted(days, sessions, side="left") - 1
    age = np.arange(len(sessions)) - np.searchsorted(sessions, days[np.maximum(position, 0)])
    is_absent = (position < 0) | (age > 1 + fill_limit)
    if is_absent[warm_up:].any():
        day = sessions[warm_up:][is_absent[warm_up:]][0]
        raise DataError(
            f"{vix['ticker'].iloc[0]} has no close shortly before {day} ({int(is_absent[warm_up:].sum())} sessions)",
            f"one at most {1 + fill_limit} sessions old",
            "fill_limit_sessions, or vix_ticker=null",
        )
    return np.where(position < 0, np.nan, vix["adjusted_close"].to_numpy()[position])


def _chosen(bars: pd.DataFrame, settings: FeatureSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The bars of the wanted tickers, and those of the volatility index, in the wanted window."""
    is_vix = bars["ticker"] == settings.vix_ticker
    stocks = bars[~is_vix]
    if settings.tickers is not None:
        stocks = select_tickers(stocks, settings.tickers)
    begin, end = stocks["session"].min(), stocks["session"].max()
    first = pd.Timestamp(settings.first_session or begin)
    last = pd.Timestamp(settings.last_session or end)
    chosen = stocks[stocks["session"].between(first, last)]
    if absent := sorted(set(stocks["ticker"]) - set(chosen["ticker"])):
        raise DataError(
            f"no bars of {', '.join(absent)} between {first:%Y-%m-%d} and {last:%Y-%m-%d}",
            f"sessions from {begin:%Y-%m-%d} to {end:%Y-%m-%d}",
            _MEND,
        )
    return chosen, bars[is_vix & bars["session"].between(first, last)]


def _refuse_short(aligned: AlignedBars, warm_up: int) -> None:
    if len(aligned.sessions) <= warm_up:
        raise DataError(
            f"{len(aligned.sessions)} sessions from {aligned.sessions[0]} to {aligned.sessions[-1]}",
            f"more than {warm_up}, which the warm-up of indicators and turbulence takes",
            _MEND,
        )


def _price_columns(aligned: AlignedBars) -> dict[str, Any]:
    names = ("close",) if aligned.is_close_only else ("open", "high", "low", "close", "volume")
    weekday = pd.DatetimeIndex(aligned.sessions.astype("datetime64[ns]")).dayofweek.to_numpy(dtype=np.int64)
    return {name: getattr(aligned, name) for name in names} | {"day": _for_all(weekday, aligned)}


def _news_columns(news: pd.DataFrame | None, aligned: AlignedBars, settings: FeatureSettings) -> dict[str, Any]:
    """What the news said before each close: sentiment and news of the market, and of each ticker by itself."""
    priors = [settings.sentiment.prior_articles] + [settings.sentiment.ticker_prior_articles] * len(aligned.tickers)
    scores = _news_scores(news, aligned.tickers, settings.exchange_timezone)
    said = join_news(aligned.closed_at, scores, settings.sentiment.half_life_hours, np.array(priors))
    return {
        "sentiment": _for_all(said.sentiment[:, 0], aligned),
        "has_news": _for_all(said.articles[:, 0] > 0, aligned),
        "news_count": _for_all(said.articles[:, 0], aligned),
        "ticker_sentiment": said.sentiment[:, 1:],
        "ticker_has_news": said.articles[:, 1:] > 0,
    }


def _news_scores(news: pd.DataFrame | None, tickers: tuple[str, ...], timezone: str) -> NewsScores:
    """The scores of all articles, and of those that name one of `tickers`; what names another company is left out."""
    if news is None or news.empty:
        return NewsScores(np.array([], dtype="datetime64[us]"), np.array([], dtype=np.int64), np.array([]))
    if "score" not in news:
        news = news.assign(ticker="", score=np.nan)
    topic = pd.Index(["", *tickers]).get_indexer(pd.Index(news["ticker"])).astype(np.int64)
    news, topic = news[topic >= 0], topic[topic >= 0]
    known = known_at(news, timezone).dt.tz_localize(None).to_numpy()
    return NewsScores(known, topic, news["score"].to_numpy(dtype=np.float64))


def _for_all(values: npt.NDArray[Any], aligned: AlignedBars) -> npt.NDArray[Any]:
    """(T,) values of the market as (T, N), the same for every ticker."""
    return np.broadcast_to(values[:, None], (len(values), len(aligned.tickers)))


def _long_frame(aligned: AlignedBars, columns: dict[str, Any], warm_up: int) -> pd.DataFrame:
    days = aligned.sessions[warm_up:].astype("datetime64[us]")
    table: dict[str, Any] = {
        "date": np.repeat(days, len(aligned.tickers)),
        "tic": np.tile(np.array(aligned.tickers, dtype=object), len(days)),
    }
    return pd.DataFrame(table | {name: values[warm_up:].ravel() for name, values in columns.items()})
