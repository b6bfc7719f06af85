"""The stage on stock and crypto bars: its table, its curves, its errors, and one answer with the four-flag job."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiment_tracking.last_run import last_run
from experiment_tracking.runner import read_settings
from MLOps import failpoints
from MLOps.artifacts import Made, Output, make_once
from MLOps.market.bars import as_bars, write_bars
from MLOps.market.crypto_bars import write_crypto_bars
from MLOps.market.signal_rate_table import read_signal_rates
from MLOps.settings.project import project_root
from MLOps.settings.signal_rates import SignalRatesSettings
from MLOps.stage import MemoryTracker, StageResult
from pipelines.signal_rate import measure_signal_rates as stage
from pipelines.signal_rate import run_signal_rate

BTC = ("--market", "crypto", "--bars_path", "data/crypto/btc/bars.parquet")
LIGHT = "tracking.enabled=false"


def settings(workspace: Path, *more: str) -> SignalRatesSettings:
    return read_settings(stage.STAGE, ["--workspace", str(workspace), *more])


def measure(workspace: Path, *more: str, tracker: MemoryTracker | None = None) -> StageResult:
    return stage.measure_signal_rates(settings(workspace, *more), tracker or MemoryTracker())


def table(result: StageResult) -> pd.DataFrame:
    return read_signal_rates(result.artifacts["signal_rates"].path)


@pytest.fixture
def stocks(make_prices: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """Bars of AAA and BRK/B, 150 sessions from 2018-01-02 on; the traded closes are rounded to cents."""
    prices = make_prices(("AAA", "BRK/B"), sessions=150)
    plain = {"dividend": 0.0, "split_ratio": 1.0, "is_close_only": False, "is_delisted": False}
    closed_at = (prices["session"] + pd.Timedelta(hours=21)).dt.tz_localize("UTC")
    return as_bars(prices.assign(timestamp=closed_at, close=prices["close"].round(2), **plain))


@pytest.fixture
def stock_workspace(workspace: Path, stocks: pd.DataFrame) -> Path:
    """A workspace in which the stage ingest_data seems to have made the stocks' bars."""

    def make(folder: Path, _key: str) -> Made:
        write_bars(stocks, folder / "bars")
        return Made(files={"bars": "bars"}, details={"source": "folder", "is_replay": False, "dvc_md5": "0"})

    output = Output("ingest_data", workspace / "data" / "raw", settings(workspace))
    make_once(output, make, MemoryTracker())
    return workspace


@pytest.fixture
def crypto_workspace(workspace: Path) -> Path:
    """A workspace with 2,000 hours of BTC from 2018-01-30 22:00 on, without those of 2018-02-03."""
    generator = np.random.default_rng(11)
    opened_at = pd.date_range("2018-01-30 22:00", periods=2_024, freq="h", tz="UTC")
    opened_at = opened_at[opened_at.normalize() != pd.Timestamp("2018-02-03", tz="UTC")]
    close = np.round(9_000 + np.cumsum(generator.integers(-2, 3, len(opened_at))) / 2, 2)  # full of ties
    bars = pd.DataFrame({"opened_at": opened_at, "timestamp": opened_at + pd.Timedelta(hours=1), "ticker": "BTC"})
    bars = bars.assign(open=close, high=close + 1, low=close - 1, close=close, volume=1.5, volume_usd=np.nan)
    path = workspace / "data" / "crypto" / "btc" / "bars.parquet"
    path.parent.mkdir(parents=True)
    write_crypto_bars(bars, path)
    return workspace


def test_stock_bars_give_a_rate_for_each_ticker_window_and_quarter(stock_workspace: Path) -> None:
    result = measure(stock_workspace)
    found = table(result).set_index(["ticker", "window"])
    assert sorted(set(found.index)) == [(ticker, window) for ticker in ("AAA", "BRK/B") for window in (5, 20, 60)]
    assert found["period_start"].dt.strftime("%m-%d").unique().tolist() == ["01-01", "04-01", "07-01"]
    assert found.groupby(["ticker", "window"])["rows"].sum().unique().tolist() == [150]
    assert found.groupby("window")["rows_with_mean"].sum().to_dict() == {5: 292, 20: 262, 60: 182}
    np.testing.assert_array_equal(found["rate"], found["signals"] / found["rows"])
    whole = found.loc[("BRK/B", 20)].sum(numeric_only=True)
    assert result.metrics["signal_rate_20/BRK_B"] == whole["signals"] / 150
    both = found.xs(20, level="window").sum(numeric_only=True)
    assert result.metrics["signal_rate_20/all_tickers"] == both["signals"] / 300


def test_result_tells_the_bars_and_where_they_are_from(stock_workspace: Path) -> None:
    result = measure(stock_workspace)
    assert result.folder == stock_workspace / "data" / "signal_rates" / "stock" / f"2018-08-06-{result.key}"
    assert result.folder.parent.joinpath("latest").resolve() == result.folder
    assert result.details == {
        "source": "folder",
        "is_replay": False,
        "price": "close",
        "first_day": "2018-01-02",
        "last_day": "2018-08-06",
        "first_period": "2018-01-01",
        "tickers": "AAA,BRK/B",
        "left_out": "",
    }
    assert (result.metrics["bars"], result.metrics["tickers"], result.metrics["gaps"]) == (300, 2, 0)


def test_curves_are_the_table(stock_workspace: Path) -> None:
    tracker = MemoryTracker()
    found = table(measure(stock_workspace, "windows=[5]", "--period", "month", tracker=tracker))
    assert set(tracker.curves) == {f"signal_rate_5_by_month/{name}" for name in ("AAA", "BRK_B", "all_tickers")}
    rates = found.loc[found["ticker"] == "AAA", "rate"]
    assert tracker.curves["signal_rate_5_by_month/AAA"] == list(enumerate(rates))


def test_second_run_finds_its_output_and_tells_no_curve_again(stock_workspace: Path) -> None:
    first, tracker = measure(stock_workspace), MemoryTracker()
    second = measure(stock_workspace, tracker=tracker)
    assert (first.status, second.status, tracker.curves) == ("made", "already_made", {})
    assert second.artifacts == first.artifacts


def test_same_bars_and_settings_give_the_same_digest_elsewhere(stock_workspace: Path, tmp_path: Path) -> None:
    first = measure(stock_workspace)
    shutil.copytree(stock_workspace / "data" / "raw", tmp_path / "other" / "data" / "raw", symlinks=True)
    second = measure(tmp_path / "other")
    assert (second.status, second.key) == ("made", first.key)
    assert second.artifacts["signal_rates"].sha256 == first.artifacts["signal_rates"].sha256


@pytest.fixture
def measure_aaa(workspace: Path, stocks: pd.DataFrame) -> Callable[..., StageResult]:
    """``measure_aaa(*settings, close=..., ...)``: measure AAA's 150 bars with these columns, over 5 rows."""
    aaa = stocks[stocks["ticker"] == "AAA"].reset_index(drop=True)

    def measure_with(*more: str, **columns: object) -> StageResult:
        write_bars(aaa.assign(**columns), workspace / "data" / "raw" / "latest" / "bars")
        return measure(workspace, "windows=[5]", *more)

    return measure_with


@pytest.mark.parametrize("later_dividend", [0.23, 0.60])
def test_tie_of_traded_closes_is_no_signal_whatever_is_paid_later(
    measure_aaa: Callable[..., StageResult], later_dividend: float
) -> None:
    cents = np.random.default_rng(3).integers(1_001, 1_006, 150)
    sums = np.convolve(cents, np.ones(5, dtype=int), "valid")
    assert (5 * cents[4:] == sums).sum() == 7
    result = measure_aaa(close=cents / 100, adjusted_close=cents / 100 * (1 - later_dividend / 10.07))
    assert table(result)["signals"].sum() == (5 * cents[4:] > sums).sum()
    assert result.details["price"] == "close"


def test_no_mean_of_a_stock_spans_a_split(measure_aaa: Callable[..., StageResult]) -> None:
    """Four shares become one: the traded closes fall by a dollar a day and rise once, by nothing that was earned."""
    adjusted, is_new = np.arange(1_000.0, 850.0, -1), np.arange(150) >= 75
    ratio = np.where(np.arange(150) == 75, 0.25, 1.0)
    columns = {"close": np.where(is_new, adjusted, adjusted / 4), "adjusted_close": adjusted, "split_ratio": ratio}
    broken, spanned = measure_aaa(**columns), measure_aaa("windows_span_gaps=true", **columns)
    assert (broken.metrics["gaps"], spanned.metrics["gaps"]) == (1, 1)
    assert table(broken)[["rows_with_mean", "signals"]].sum().tolist() == [150 - 2 * 4, 0]
    assert table(spanned)[["rows_with_mean", "signals"]].sum().tolist() == [150 - 4, 4]


def test_close_only_bars_are_measured_by_the_only_price_there_is(measure_aaa: Callable[..., StageResult]) -> None:
    rising = np.arange(100.0, 250.0)
    result = measure_aaa(close=np.nan, adjusted_close=rising, is_close_only=True)
    assert result.metrics["signal_rate_5/AAA"] == 146 / 150
    assert result.details["price"] == "adjusted_close"


def test_crypto_means_do_not_span_the_gap(crypto_workspace: Path) -> None:
    result = measure(crypto_workspace, *BTC, "windows=[24]")
    found = table(result)
    assert (result.metrics["bars"], result.metrics["gaps"]) == (2_000, 1)
    assert found["rows_with_mean"].sum() == 2_000 - 2 * 23
    assert result.folder.parent == crypto_workspace / "data" / "signal_rates" / "crypto"


def test_crypto_bar_counts_on_the_day_on_which_it_opened(crypto_workspace: Path) -> None:
    found = table(measure(crypto_workspace, *BTC, "windows=[1]", "--period", "month"))
    assert found["rows"].tolist()[:2] == [26, 27 * 24]  # the bar that closed at midnight of 1 February is January's


@pytest.mark.parametrize("window", [1, 5, 60])
def test_four_flag_job_gives_the_same_rate(crypto_workspace: Path, tmp_path: Path, window: int) -> None:
    (tmp_path / "config.yaml").write_text(f"seed: 1\nwindow: {window}\nversion: v1\n")
    bars = crypto_workspace / BTC[-1]
    names = {"input": bars, "config": "config.yaml", "output": "metrics.json", "log-file": "run.log"}
    flags = [text for name, file in names.items() for text in (f"--{name}", str(tmp_path / file))]
    assert run_signal_rate.main(flags) == 0
    told = json.loads((tmp_path / "metrics.json").read_text())
    result = measure(crypto_workspace, *BTC, f"windows=[{window}]", "windows_span_gaps=true")
    assert round(result.metrics[f"signal_rate_{window}/BTC"], 4) == told["value"]
    assert result.metrics["bars"] == told["rows_processed"]


def test_window_too_long_for_a_ticker_is_left_out_and_told(
    workspace: Path, stocks: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    newcomer = stocks[(stocks["ticker"] == "AAA") | (stocks["session"] >= "2018-07-01")].reset_index(drop=True)
    write_bars(newcomer, workspace / "data" / "raw" / "latest" / "bars")
    result = measure(workspace)
    assert result.details["left_out"] == "BRK/B 60"
    assert "left out: BRK/B 60" in caplog.text
    assert "signal_rate_60/BRK_B" not in result.metrics


@pytest.mark.parametrize(
    ("given", "status", "told"),
    [
        (("bars_path=nowhere",), 3, "nowhere holds no bars"),
        (("--market", "crypto", "--bars_path", "nowhere.parquet"), 3, "nowhere.parquet does not exist"),
        (("--market", "crypto"), 3, "crypto bars with timestamp, opened_at"),
        (("windows=[151,1000]",), 3, "no ticker has so many bars without a gap, the longest has 150 in all"),
        (("windows=[0]",), 2, "windows"),
        (("windows=[]",), 2, "windows"),
        (("windows=[5,5]",), 2, "must not name a window twice"),
        (("period=day",), 2, "period='day'"),
    ],
)
def test_bad_input_is_told_in_one_line(
    stock_workspace: Path, capsys: pytest.CaptureFixture[str], given: tuple[str, ...], status: int, told: str
) -> None:
    assert stage.main(["--workspace", str(stock_workspace), LIGHT, *given]) == status
    last = capsys.readouterr().err.splitlines()[-1]
    assert "measure_signal_rates: " in last
    assert told in last
    assert not (stock_workspace / "data" / "signal_rates" / "stock" / "latest").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_bad_close_is_told_with_its_row(
    workspace: Path, stocks: pd.DataFrame, capsys: pytest.CaptureFixture[str], value: float
) -> None:
    stocks.loc[[7, 9], "close"] = value
    write_bars(stocks, workspace / "data" / "raw" / "latest" / "bars")
    assert stage.main(["--workspace", str(workspace), LIGHT]) == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert "2 closes are missing, infinite or negative, first BRK/B on 2018-01-05; allowed: a finite number" in last


@pytest.mark.parametrize(
    ("ticker", "told"),
    [
        ("BRK_B", "ticker BRK_B and BRK/B would both be BRK_B in MLflow"),
        ("all_tickers", "ticker all_tickers and all tickers together would both be all_tickers in MLflow"),
    ],
)
def test_tickers_that_would_overwrite_each_others_rates_are_refused(
    workspace: Path, stocks: pd.DataFrame, capsys: pytest.CaptureFixture[str], ticker: str, told: str
) -> None:
    write_bars(as_bars(stocks.replace({"ticker": {"AAA": ticker}})), workspace / "data" / "raw" / "latest" / "bars")
    assert stage.main(["--workspace", str(workspace), LIGHT]) == 3
    assert told in capsys.readouterr().err.splitlines()[-1]


def test_bars_altered_after_they_were_made_are_refused(
    stock_workspace: Path, stocks: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    stocks.loc[3, "close"] += 1
    write_bars(stocks, stock_workspace / "data" / "raw" / "latest" / "bars")
    assert stage.main(["--workspace", str(stock_workspace), LIGHT]) == 3
    assert "was altered after it was made" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("point", ["before_write", "before_rename", "after_rename"])
def test_killed_run_is_made_whole_by_the_next(
    stock_workspace: Path, die_at: Callable[..., None], point: failpoints.Point
) -> None:
    undisturbed = measure(stock_workspace)
    shutil.rmtree(stock_workspace / "data" / "signal_rates")
    die_at(point, lambda: measure(stock_workspace))
    assert measure(stock_workspace).artifacts == undisturbed.artifacts
    assert not list((stock_workspace / "data" / "signal_rates").rglob("*.partial"))


def test_process_prints_its_result_and_mlflow_keeps_the_curves(stock_workspace: Path, tracked_workspace: Path) -> None:
    assert stock_workspace == tracked_workspace
    command = [sys.executable, stage.__file__, "--workspace", str(stock_workspace), "windows=[20]"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=project_root())
    assert ended.returncode == 0, ended.stderr
    result = StageResult.model_validate_json(ended.stdout.splitlines()[-1])
    run = last_run(settings(stock_workspace), stage.STAGE.name)
    assert run is not None
    found = table(result)
    for ticker, name in (("AAA", "AAA"), ("BRK/B", "BRK_B")):
        rates = found.loc[found["ticker"] == ticker, "rate"]
        assert run.curve(f"signal_rate_20_by_quarter/{name}").to_dict() == dict(enumerate(rates))
        assert run.run.data.metrics[f"signal_rate_20/{name}"] == result.metrics[f"signal_rate_20/{name}"]
