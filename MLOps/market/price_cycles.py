"""Prices of one coin, and the cycles within which it is bought once.

A cycle is `steps` closes in a row, at each of which one may buy; its history are the ``window - 1`` closes
before. Cycle and history lie wholly in one of the three windows of time (train, validation, test) and span no
gap, so that nothing that is learned or seen in one window was seen in another.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from MLOps.errors import DataError
from MLOps.market.crypto_bars import bar_length, read_crypto_bars
from MLOps.settings.bar_frequency import BAR_LENGTHS
from MLOps.settings.stage_settings import PathSettings
from MLOps.settings.timing import TimingDataSettings

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
TimeArray = npt.NDArray[np.datetime64]

SPLITS = ("train", "validation", "test")
_DAY = pd.Timedelta(days=1)
_MEND = "config/data/{}.yaml"
_MAKER = "pipelines/data_ingestion/ingest_crypto_bars.py"


class TimingPrices(NamedTuple):
    """Closes of one coin.

    Attributes
    ----------
    closes : (T,) float64
        US dollars a coin, positive.
    times : (T,) datetime64[us]
        Instants in UTC at which they were known: the bars' ends, ascending.
    follows_gap : (T,) bool
        Whether bars are missing between this one and the one before.
    """

    closes: FloatArray
    times: TimeArray
    follows_gap: BoolArray


class Cycles(NamedTuple):
    """The cycles of one window of time.

    Attributes
    ----------
    closes : (T,) float64
        All prices there are, also those of the other windows.
    starts : (C,) int64
        Row of each allowed cycle's first decision, ascending;
        ``closes[start - window + 1 : start + steps]`` is all that the cycle may see and pay.
    steps : int
        Decisions of a cycle.
    window : int
        Closes that the agent sees.
    times : (T,) datetime64[us]
        Closing instants, UTC.
    """

    closes: FloatArray
    starts: IntArray
    steps: int
    window: int
    times: TimeArray


def timing_bars_path(bars_path: Path | None, data: TimingDataSettings, paths: PathSettings) -> Path:
    """The Parquet file of bars; without `bars_path` (relative to the workspace) the newest of the symbol."""
    given = bars_path or Path("data") / "crypto" / data.symbol.lower() / "bars.parquet"
    return (paths.workspace / given).resolve()  # one version of the bars throughout


def read_timing_prices(path: Path, data: TimingDataSettings) -> TimingPrices:
    """The closes of a file of crypto bars (`timing_bars_path`), joined to days where `data` asks for them.

    Raises
    ------
    DataError
        If there is no such file, it breaks the contract of crypto bars, holds another coin, or has longer bars
        than `data` asks for.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist", f"bars of {data.symbol}", f"run {_MAKER} --symbol {data.symbol}")
    return timing_prices_of(read_crypto_bars(path), data, str(path))


def timing_prices_of(bars: pd.DataFrame, data: TimingDataSettings, place: str = "crypto bars") -> TimingPrices:
    """The closes of bars that follow the contract; raises as `read_timing_prices`."""
    if (held := str(bars["ticker"].iloc[0])) != data.symbol:
        raise DataError(f"{place} holds {held}, not {data.symbol}", "bars of data.symbol", "data.symbol, or bars_path")
    length, asked = bar_length(bars), pd.Timedelta(data.bar_length)
    if length > asked or asked % length:
        raise DataError(
            f"data.frequency={data.frequency} of {held}, whose bars last {_said(length)}",
            ", ".join(name for name, known in BAR_LENGTHS.items() if known >= length) or "none: bars of a day at most",
            f"data.frequency in {_MEND.format(held.lower())}",
        )
    if length < asked:
        bars = _joined(bars, asked, int(asked / length), place)
    opened, closed = _instants(bars["opened_at"]), _instants(bars["timestamp"])
    follows_gap = np.zeros(len(bars), np.bool_)
    follows_gap[1:] = opened[1:] > closed[:-1]
    return TimingPrices(bars["close"].to_numpy(np.float64), closed, follows_gap)


def _said(length: pd.Timedelta) -> str:
    return {pd.Timedelta(hours=1): "one hour", _DAY: "one day"}.get(length, str(length))


def _joined(bars: pd.DataFrame, length: pd.Timedelta, count: int, place: str) -> pd.DataFrame:
    """Last close of each complete stretch of `length` from midnight UTC on; others are left out, as a gap."""
    opened = bars["opened_at"].dt.floor(length)
    groups = bars.groupby(opened, sort=True)["close"]
    last = groups.last()[groups.size() == count]
    if last.empty:
        raise DataError(f"{place} holds no complete day", f"days of {count} bars", "more bars, or data.frequency")
    frame = last.rename_axis("opened_at").reset_index()
    return frame.assign(timestamp=frame["opened_at"] + length)


def _instants(times: "pd.Series[pd.Timestamp]") -> TimeArray:
    return times.to_numpy(dtype="datetime64[us]")


def split_cycles(prices: TimingPrices, data: TimingDataSettings) -> dict[str, Cycles]:
    """The allowed cycles of the three windows, by the names in `SPLITS`.

    A bar belongs to the day, in UTC, in which it ends.

    Raises
    ------
    DataError
        If a price is missing or not positive, or a window does not hold a single cycle.
    """
    is_bad = ~(np.isfinite(prices.closes) & (prices.closes > 0))
    if is_bad.any():
        first = int(is_bad.argmax())
        raise DataError(
            f"{data.symbol}: {int(is_bad.sum())} x price that is missing or not positive, first "
            f"{prices.closes[first]} at {_to_minute(prices.times[first])}",
            "positive prices",
            "the bars",
        )
    edges = _edges(prices, data)
    cycles = {}
    for name, first, stop in zip(SPLITS, edges[:-1], edges[1:], strict=True):
        starts = _starts(prices.follows_gap, first, stop, data)
        if not len(starts):
            raise DataError(_too_few(prices, data, name, first, stop), *_needed(data, name))
        cycles[name] = Cycles(prices.closes, starts, data.cycle_steps, data.window_size, prices.times)
    return cycles


def _edges(prices: TimingPrices, data: TimingDataSettings) -> tuple[int, ...]:
    """Rows at which train, validation and test begin, and the row after the last one of test."""
    begins = (data.train_start, data.validation_start, data.test_start)
    rows = [0 if day is None else _row_after(prices.times, np.datetime64(day, "us")) for day in begins]
    stop = len(prices.times)
    if data.test_end is not None:
        stop = _row_after(prices.times, np.datetime64(data.test_end, "us") + np.timedelta64(1, "D"))
    return (*rows, stop)


def _row_after(times: TimeArray, instant: np.datetime64) -> int:
    """First row whose bar ends after `instant`."""
    return int(np.searchsorted(times, instant, side="right"))


def _starts(follows_gap: BoolArray, first: int, stop: int, data: TimingDataSettings) -> IntArray:
    """(C,) first decisions of the cycles that lie with their history in rows [first, stop) without a gap."""
    stretch = np.cumsum(follows_gap)
    begins = np.arange(first, max(stop - (data.window_size - 1 + data.cycle_steps) + 1, first))
    ends = begins + data.window_size - 1 + data.cycle_steps - 1
    starts: IntArray = begins[stretch[begins] == stretch[ends]] + data.window_size - 1
    return starts


def _too_few(prices: TimingPrices, data: TimingDataSettings, name: str, first: int, stop: int) -> str:
    held = prices.follows_gap[first:stop]
    return (
        f"{name} holds {len(held)} bars of {data.symbol} ({data.frequency}), gaps among them: {int(held[1:].sum())}, "
        f"of all {len(prices.times)} from {_to_minute(prices.times[0])} to {_to_minute(prices.times[-1])}: "
        "not a single cycle"
    )


def _to_minute(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]")).replace("T", " ")


def _needed(data: TimingDataSettings, name: str) -> tuple[str, str]:
    bars = data.window_size - 1 + data.cycle_steps
    return (
        f"at least {bars} bars without a gap (window_size - 1 + cycle_steps)",
        f"data.{name}_start and its neighbours, data.cycle_steps or data.window_size in "
        f"{_MEND.format(data.symbol.lower())}, or more bars",
    )


def instant(time: np.datetime64) -> datetime:
    """A closing instant as an aware datetime, in UTC."""
    moment: datetime = time.astype("datetime64[us]").item()
    return moment.replace(tzinfo=UTC)


def consecutive(cycles: Cycles) -> Cycles:
    """Those cycles that follow one another and share no close to buy at, the earliest first; for evaluation."""
    chosen, free_from = [], -1
    for start in cycles.starts.tolist():
        if start >= free_from:
            chosen.append(start)
            free_from = start + cycles.steps
    return cycles._replace(starts=np.array(chosen, np.int64))
