"""Stage measure_signal_rates: how often closes lie above their rolling mean, by ticker, window and period.

Makes data/signal_rates/<market>/<last day>-<key>/signal_rates.parquet from the bars of stocks or of a
cryptocurrency, from closes as they were traded; no mean spans a gap or a split. In MLflow each ticker
and window is a curve over time. One CSV or Parquet file, one window and no tracking: run_signal_rate.py
beside this file.
"""

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, check_unaltered, make_once, read_result
from MLOps.errors import DataError
from MLOps.settings.signal_rates import Period, SignalRatesSettings
from MLOps.stage import Scalar, Stage, StageResult, Tracker, ValueFlag

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger(__name__)
_FILE = "signal_rates.parquet"
_ALL = "all_tickers"
_NOT_IN_A_NAME = re.compile(r"[^\w.-]", re.ASCII)  # of a metric: the ^ of ^VIX, the / of BRK/B
_ORIGIN = ("source", "licence", "origin", "warnings", "as_of", "is_replay")


def measure_signal_rates(settings: SignalRatesSettings, tracker: Tracker) -> StageResult:
    """Measure the signal rates of a market's bars.

    Raises
    ------
    DataError
        If there are no bars, they break their contract or were altered after they were made, no window
        fits into them, or two tickers would have one name in MLflow.
    """
    from pipelines.signal_rate.read_market_bars import read_market_bars

    path = (settings.paths.workspace / settings.bars_path).resolve()  # one version of the bars throughout
    check_unaltered(path.parent)
    closes, price = read_market_bars(path, settings)
    _check_names(sorted(closes["ticker"].unique()))
    facts = _origin(path) | {"price": price}
    output = Output(
        stage=STAGE.name,
        root=settings.paths.data / "signal_rates" / settings.market,
        settings=settings,
        inputs={"bars": path},
        label=str(closes["day"].max().date()),
        extra={name: str(fact) for name, fact in facts.items()},
    )

    def make(folder: Path, _key: str) -> Made:
        return _make(folder, closes, facts, settings, tracker)

    return make_once(output, make, tracker)


def _make(
    folder: Path, closes: "pd.DataFrame", facts: Mapping[str, Scalar], settings: SignalRatesSettings, tracker: Tracker
) -> Made:
    from MLOps.market.signal_rate_table import overall_rates, rates_by_period, write_signal_rates

    measured = closes.assign(follows_gap=False) if settings.windows_span_gaps else closes
    table = rates_by_period(measured, settings.windows, settings.period)
    write_signal_rates(table, folder / _FILE)
    _track_curves(table, settings.period, tracker)
    overall, tickers = overall_rates(table), sorted(closes["ticker"].unique())
    left_out = _left_out(overall, tickers, settings.windows)
    if left_out:
        _LOG.warning("too few bars without a gap, left out: %s", left_out)
    rates = _named_rates(overall)
    of_all = (f"{name}={rate:.4f}" for name, rate in rates.items() if name.endswith(f"/{_ALL}"))
    _LOG.info("%d bars of %s: %s", len(closes), ", ".join(tickers), ", ".join(of_all))
    return Made(
        files={"signal_rates": _FILE},
        metrics={"bars": len(closes), "tickers": len(tickers), "gaps": int(closes["follows_gap"].sum())} | rates,
        details={
            **facts,
            "first_day": str(closes["day"].min().date()),
            "last_day": str(closes["day"].max().date()),
            "first_period": str(table["period_start"].min().date()),  # step 0 of the curves
            "tickers": ",".join(tickers),
            "left_out": left_out,
        },
    )


def _track_curves(table: "pd.DataFrame", period: Period, tracker: Tracker) -> None:
    """Record the rates of each period; the step counts periods from the first one of the bars."""
    from MLOps.market.signal_rate_table import period_positions

    for position, rows in table.groupby(period_positions(table, period)):
        tracker.metrics(_named_rates(rows, f"_by_{period}"), step=int(str(position)))


def _named_rates(rows: "pd.DataFrame", suffix: str = "") -> dict[str, float]:
    """The rates under MLflow's names: a group of charts a window, a chart a ticker, and one of all rows together."""
    names = [
        f"signal_rate_{window}{suffix}/{_name(ticker)}"
        for window, ticker in zip(rows["window"], rows["ticker"], strict=True)
    ]
    sums = rows.groupby("window")[["signals", "rows"]].sum()
    of_all = {f"signal_rate_{window}{suffix}/{_ALL}": rate for window, rate in (sums["signals"] / sums["rows"]).items()}
    return dict(zip(names, rows["rate"], strict=True)) | of_all


def _name(ticker: str) -> str:
    return _NOT_IN_A_NAME.sub("_", ticker)


def _check_names(tickers: Sequence[str]) -> None:
    owners = {_ALL: "all tickers together"}
    for ticker in tickers:
        owner = owners.setdefault(_name(ticker), ticker)
        if owner != ticker:
            raise DataError(
                f"ticker {ticker} and {owner} would both be {_name(ticker)} in MLflow",
                "tickers that differ in their letters, digits, dots or dashes",
                "rename one of them in the bars",
            )


def _left_out(overall: "pd.DataFrame", tickers: Sequence[str], windows: Sequence[int]) -> str:
    """Which tickers have no mean over which window: ``META 60, NVDA 60``."""
    found = set(zip(overall["ticker"], overall["window"], strict=True))
    return ", ".join(f"{ticker} {window}" for ticker in tickers for window in windows if (ticker, window) not in found)


def _origin(bars: Path) -> dict[str, Scalar]:
    """What ingestion said of the bars; nothing of what came by another way."""
    ingested = read_result(bars.parent)
    return {name: ingested.details[name] for name in _ORIGIN if name in ingested.details} if ingested else {}


STAGE = Stage(
    name="measure_signal_rates",
    settings_type=SignalRatesSettings,
    run=measure_signal_rates,
    flags=(
        ValueFlag("market", "market", "stock or crypto: the contract of the bars (default: stock)"),
        ValueFlag("bars_path", "bars_path", "folder or file of bars (default: data/raw/latest/bars)"),
        ValueFlag("period", "period", "calendar period of each rate: month, quarter or year (default: quarter)"),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
