"""A user's pickle becomes bars like any other, or one line says what is wrong with it."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps.errors import DataError
from MLOps.market.crypto_bars import read_crypto_bars
from MLOps.settings.compose import compose_settings
from MLOps.settings.crypto_pickle import ConvertCryptoPickleSettings
from MLOps.settings.project import project_root
from MLOps.stage import MemoryTracker, StageResult
from pipelines.data_ingestion.convert_crypto_pickle import convert_crypto_pickle, main

Convert = Callable[..., StageResult]
_HOURS = 48


@pytest.fixture
def frame() -> pd.DataFrame:
    """Two days of hours as exchanges give them: naive opening times as the index."""
    close = 4000 + np.arange(_HOURS, dtype=float)
    values = {"Open": close - 1, "High": close + 2, "Low": close - 2, "Close": close, "Volume": close / 100}
    return pd.DataFrame(values, index=pd.date_range("2019-01-01", periods=_HOURS, freq="h", name="Date"))


@pytest.fixture
def convert(workspace: Path) -> Convert:
    """``convert(frame, *overrides)``: run the stage as a function on the frame's pickle."""

    def run(frame: Any, *overrides: str, protocol: int = 4) -> StageResult:
        (workspace / "crypto_data.pkl").write_bytes(pickle.dumps(frame, protocol=protocol))
        asked = [f"paths.workspace={workspace}", "tracking.enabled=false", *overrides]
        settings = compose_settings(ConvertCryptoPickleSettings, "convert_crypto_pickle", asked)
        return convert_crypto_pickle(settings, MemoryTracker())

    return run


def _bars(result: StageResult) -> pd.DataFrame:
    return read_crypto_bars(result.artifacts["bars"].path)


@pytest.mark.parametrize("protocol", range(6))
def test_figures_come_through_to_the_last_bit(frame: pd.DataFrame, convert: Convert, protocol: int) -> None:
    bars = _bars(convert(frame, protocol=protocol))
    for name in ("open", "high", "low", "close", "volume"):
        assert bars[name].tolist() == frame[name.capitalize()].tolist()
    assert list(bars["opened_at"]) == list(frame.index.tz_localize("UTC"))
    assert bars["timestamp"].iloc[0] == pd.Timestamp("2019-01-01 01:00", tz="UTC")
    assert bars["volume_usd"].isna().all()
    assert set(bars["ticker"]) == {"BTC"}


def test_it_is_published_apart_from_ingested_bars(workspace: Path, frame: pd.DataFrame, convert: Convert) -> None:
    result = convert(frame)
    assert result.folder.parent == workspace / "data" / "crypto_imports" / "btc"
    assert result.folder.name.startswith("2019-01-02-")
    assert (workspace / "data/crypto_imports/btc/bars.parquet").resolve() == result.artifacts["bars"].path
    assert not (workspace / "data" / "crypto").exists()


def test_made_once_and_anew_for_another_file(frame: pd.DataFrame, convert: Convert) -> None:
    first, second = convert(frame), convert(frame)
    assert (first.status, second.status) == ("made", "already_made")
    other = convert(frame * 2)
    assert other.status == "made"
    assert other.key != first.key


@pytest.mark.parametrize(
    ("change", "overrides"),
    [
        (lambda f: f.sample(frac=1, random_state=3), ()),
        (lambda f: f.reset_index(), ("columns.time=date",)),
        (lambda f: f.set_index(f.index.tz_localize("UTC").tz_convert("Asia/Tokyo")), ()),
        (lambda f: f.set_index(f.index.astype(str)), ()),
        (lambda f: f.set_index(f.index.strftime("%Y-%m-%dT%H:%M:%SZ")), ()),
        (lambda f: f.set_index(f.index.strftime("%Y-%m-%d %H:%M:%S+00:00")), ()),
        (lambda f: f.set_index(f.index.as_unit("s").astype(np.int64)), ("time_unit=s",)),
        (lambda f: f.set_index(f.index.as_unit("ms").astype(np.int64)), ("time_unit=ms",)),
        (lambda f: f.set_index(f.index.as_unit("ns").astype(np.int64)), ("time_unit=ns",)),
        (lambda f: f.set_index(f.index.as_unit("s").astype(np.int64).astype(float)), ("time_unit=s",)),
        (lambda f: f.set_index(f.index + pd.Timedelta("1h")), ("times_tell=closing",)),
        (lambda f: f.rename(columns={"Close": "price_usd"}), ("columns.close=price_usd",)),
        (lambda f: f.astype({"Volume": object}), ()),
        (lambda f: f.assign(symbol="BTC-USD", rank=1), ()),
    ],
)
def test_however_it_is_written(
    frame: pd.DataFrame, convert: Convert, change: Callable[[pd.DataFrame], pd.DataFrame], overrides: tuple[str, ...]
) -> None:
    pd.testing.assert_frame_equal(_bars(convert(change(frame), *overrides)), _bars(convert(frame)))


@pytest.mark.parametrize("day", ["1678-01-01", "2261-12-29"])
def test_the_first_and_the_last_years_that_pandas_knows(frame: pd.DataFrame, convert: Convert, day: str) -> None:
    assert convert(_from(day)(frame), "times_tell=opening").details["first_bar"] == f"{day} 00:00"


def test_bars_of_centuries_apart_are_told(frame: pd.DataFrame, convert: Convert) -> None:
    far = frame.iloc[:2].set_index(pd.DatetimeIndex(np.array(["1678-01-01", "2261-12-29"], "datetime64[s]")))
    with pytest.raises(DataError, match=r"most rows lie P.* apart"):
        convert(far)


def test_a_frame_of_closes_alone_is_taken_where_that_is_said(frame: pd.DataFrame, convert: Convert) -> None:
    with pytest.raises(DataError, match=r"holds 0 columns open, but Close; .*or null; mend: columns\.open"):
        convert(frame[["Close"]])
    said = [f"columns.{name}=null" for name in ("open", "high", "low", "volume")]
    result = convert(frame[["Close"]], *said)
    bars = _bars(result)
    assert bars["high"].tolist() == bars["close"].tolist() == frame["Close"].tolist()
    assert bars["volume"].isna().all()
    assert result.details["tells_range"] is False


def test_gaps_are_told_and_not_filled(frame: pd.DataFrame, convert: Convert) -> None:
    result = convert(frame.drop(frame.index[[5, 6, 20]]))
    assert (result.metrics["gaps"], result.metrics["missing_bars"], result.metrics["bars"]) == (2, 3, 45)


def test_days_of_ether(frame: pd.DataFrame, convert: Convert) -> None:
    days = frame.set_index(pd.date_range("2019-01-01", periods=_HOURS))
    result = convert(days, "symbol=ETH", "frequency=1d")
    assert result.folder.parent.name == "eth"
    assert result.details["last_bar"] == "2019-02-17 00:00"


def _with(frame: pd.DataFrame, row: int, column: str, value: Any) -> pd.DataFrame:
    changed = frame.astype({column: object}) if isinstance(value, str) else frame.copy()
    changed.iloc[row, frame.columns.get_loc(column)] = value
    return changed


def _counted(kind: str, first: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The frame with whole hours from `first` on, in seconds, as numbers for its index."""
    return lambda f: f.set_index(pd.Index(np.array([first + 3600 * row for row in range(len(f))], dtype=kind)))


def _from(day: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    hours = np.datetime64(day, "s") + np.arange(_HOURS) * np.timedelta64(3600, "s")
    return lambda f: f.set_index(pd.DatetimeIndex(hours))


@pytest.mark.parametrize(
    ("change", "overrides", "told"),
    [
        (lambda f: _with(f, 7, "Close", np.nan), (), "1 x price that is missing or not positive, first BTC at 2019-01"),
        (lambda f: _with(f, 7, "Low", 0.0), (), "1 x price that is missing or not positive"),
        (lambda f: _with(f, 7, "Low", 9e9), (), "1 x price outside of low and high.* first at 2019-01-01 07:00"),
        (lambda f: _with(f, 7, "Volume", -1.0), (), "volume below 0"),
        (lambda f: _with(f, 7, "Close", "much"), (), "close holds what is no number"),
        (lambda f: pd.concat([f, f.iloc[[3]]]), (), "1 x duplicated bar"),
        (lambda f: f.set_index(f.index + pd.Timedelta("1min")), (), "bar off the grid of its length"),
        (lambda f: f.iloc[::24], (), r"most rows lie P1DT0H0M0S apart; allowed: bars of frequency=1h; mend: frequency"),
        (lambda f: f, ("frequency=1d",), "bar off the grid"),
        (lambda f: f.iloc[:0], (), "holds no row"),
        (lambda f: f.drop(columns="Close"), (), r"holds 0 columns close, but Open, .*mend: columns\.close"),
        (lambda f: f.assign(close=1.0), (), "holds 2 columns close"),
        (lambda f: f.reset_index(), (), r"its index holds int64 \(0, \.\.\.\) with time_unit=null"),
        (lambda f: f, ("time_unit=s",), r"its index holds datetime64\[ns\] .* with time_unit=s"),
        (lambda f: f.set_index(pd.Index(["soon"] * _HOURS)), (), "holds what is no time .*'soon', but not YYYY-MM-DD"),
        (lambda f: f.set_index(pd.Index(["2019-13-01"] * _HOURS)), (), "holds what is no time"),
        (lambda f: f.set_index(pd.DatetimeIndex([pd.NaT, *f.index[1:]])), (), "missing time"),
        (_counted("int64", 2**62), ("time_unit=s",), r"4611686018427387904 in s, outside of the years 1678 to 2261"),
        (_counted("uint64", 2**63), ("time_unit=s",), r"9223372036854775808 in s, outside of the years 1678"),
        (
            _counted("uint64", 2**63),
            ("time_unit=us",),
            r"9223372036854775808 in us, outside of .*columns\.time or time_",
        ),
        (_counted("int64", -(2**63)), ("time_unit=ns",), r"-9223372036854775808 in ns, outside of"),
        (_counted("int64", 1_546_300_800 * 10**9), ("time_unit=s",), r"1546300800000000000 in s, outside of"),
        (_counted("int64", 1_546_300_800 * 10**9), ("time_unit=us",), r"1546300800000000000 in us, outside of"),
        (_counted("float64", 1_546_300_800 * 10**9), ("time_unit=s",), "holds what is no time"),
        (_from("294240-01-01"), (), r"294240-01-01 .* outside of the years 1678 to 2261.*columns\.time or time_unit"),
        (_from("2261-12-31"), (), r"2262-01-0. .* outside of the years"),
        (_from("1677-12-31"), ("times_tell=closing",), r"1677-12-31 .* outside of the years"),
        (lambda f: {"BTC": f}, (), "dict where DataFrame belongs"),
        (lambda f: f["Close"], (), r"speaks of 'pandas\.core\.series\.Series'"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    workspace: Path,
    frame: pd.DataFrame,
    convert: Convert,
    change: Callable[[pd.DataFrame], Any],
    overrides: tuple[str, ...],
    told: str,
) -> None:
    with pytest.raises(DataError, match=told) as error:
        convert(change(frame), *overrides)
    assert "\n" not in str(error.value)
    assert not (workspace / "data").exists()


class _Attack:
    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._mark}",)


def test_an_attack_ends_with_one_line(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "crypto_data.pkl").write_bytes(pickle.dumps(pd.DataFrame({"close": [_Attack(tmp_path / "mark")]})))
    assert main(["--workspace", str(workspace), "tracking.enabled=false"]) == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert (
        "speaks of 'posix.system'; allowed: one pandas DataFrame of numbers, texts and times, and nothing else" in last
    )
    assert not (tmp_path / "mark").exists()


def test_a_person_runs_it_as_a_process(workspace: Path, frame: pd.DataFrame) -> None:
    frame.to_pickle(workspace / "mine.pkl")
    script = project_root() / "pipelines/data_ingestion/convert_crypto_pickle.py"
    arguments = ["--workspace", str(workspace), "--pickle_path", "mine.pkl", "--symbol", "SOL", "--frequency", "1h"]
    done = subprocess.run(
        [sys.executable, str(script), *arguments, "tracking.enabled=false"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["metrics"]["bars"] == _HOURS
    assert Path(result["artifacts"]["bars"]["path"]).parent.parent.name == "sol"


def test_a_large_or_missing_file_is_told(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--workspace", str(workspace), "tracking.enabled=false", "max_file_mib=1"]
    assert main(arguments) == 3
    assert "crypto_data.pkl cannot be read: No such file" in capsys.readouterr().err
    (workspace / "crypto_data.pkl").write_bytes(b"\0" * ((1 << 20) + 1))
    assert main(arguments) == 3
    assert "is larger than 1048576 bytes; allowed: a smaller file; mend: max_file_mib" in capsys.readouterr().err
