"""The panel reads what build_features writes, and refuses everything else in one clear line."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from MLOps.errors import DataError
from MLOps.market.panel import MarketPanel, read_panel


def long_frame(tickers: tuple[str, ...] = ("AA", "NA")) -> pd.DataFrame:
    dates = pd.bdate_range("2020-01-01", periods=4)
    rows = [
        {"date": day, "tic": ticker, "close": 10.0 + t + n, "macd": 0.1 * t - n, "turbulence": float(t)}
        for t, day in enumerate(dates)
        for n, ticker in enumerate(tickers)
    ]
    return pd.DataFrame(rows)


def written(frame: pd.DataFrame, folder: Path, suffix: str = ".parquet") -> Path:
    path = folder / f"features{suffix}"
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_reads_arrays_by_session_and_ticker(tmp_path: Path, suffix: str) -> None:
    panel = read_panel(written(long_frame(), tmp_path, suffix), ("macd",))
    assert panel.tickers == ("AA", "NA")
    assert panel.dates.tolist() == [date(2020, 1, 1), date(2020, 1, 2), date(2020, 1, 3), date(2020, 1, 6)]
    np.testing.assert_array_equal(panel.close, [[10, 11], [11, 12], [12, 13], [13, 14]])
    np.testing.assert_allclose(panel.features[:, 1, 0], [-1.0, -0.9, -0.8, -0.7])
    np.testing.assert_array_equal(panel.turbulence, [0, 1, 2, 3])


def test_to_frame_gives_back_the_long_frame(tmp_path: Path) -> None:
    frame = read_panel(written(long_frame(), tmp_path), ("macd",)).to_frame()
    assert frame.index.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    pd.testing.assert_frame_equal(frame.reset_index(drop=True), long_frame())


def test_keeps_only_the_asked_tickers(tmp_path: Path) -> None:
    panel = read_panel(written(long_frame(), tmp_path), (), tickers=("NA",))
    assert panel.tickers == ("NA",)
    assert panel.close[:, 0].tolist() == [11, 12, 13, 14]


def test_window_takes_rows_and_between_finds_them(tmp_path: Path) -> None:
    panel = read_panel(written(long_frame(), tmp_path), ("macd",))
    rows = panel.rows_between(date(2020, 1, 2), date(2020, 1, 5))
    part = panel.window(rows.start, rows.stop)
    assert (rows.start, rows.stop) == (1, 3)
    assert part.close[:, 0].tolist() == [11, 12]
    assert part.turbulence.tolist() == [1, 2]


def test_volume_is_there_where_the_file_has_it(tmp_path: Path) -> None:
    without = read_panel(written(long_frame(), tmp_path), ())
    assert without.volume is without.window(1, 3).volume is without.select(["AA"]).volume is None
    panel = read_panel(written(long_frame().assign(volume=np.arange(8)), tmp_path), ())
    assert panel.volume is not None
    np.testing.assert_array_equal(panel.volume, [[0, 1], [2, 3], [4, 5], [6, 7]])
    np.testing.assert_array_equal(panel.window(1, 3).volume, [[2, 3], [4, 5]])


def test_select_keeps_tickers_in_the_panels_order(tmp_path: Path) -> None:
    frame = long_frame(("AA", "BB", "NA")).assign(volume=np.arange(12))
    panel = read_panel(written(frame, tmp_path), ("macd",))
    part = panel.select(["NA", "AA"])
    assert part.tickers == ("AA", "NA")
    assert panel.columns_of(["NA", "AA"]) == [0, 2]
    np.testing.assert_array_equal(part.close, panel.close[:, [0, 2]])
    np.testing.assert_array_equal(part.features, panel.features[:, [0, 2]])
    np.testing.assert_array_equal(part.volume, [[0, 2], [3, 5], [6, 8], [9, 11]])
    np.testing.assert_array_equal(part.turbulence, panel.turbulence)


def test_select_refuses_a_ticker_that_is_not_there(tmp_path: Path) -> None:
    panel = read_panel(written(long_frame(), tmp_path), ())
    with pytest.raises(DataError, match="no ticker CC, ZZ in the data; allowed: AA, NA"):
        panel.select(["ZZ", "AA", "CC"])


@pytest.mark.parametrize(("start", "stop"), [(2, 2), (3, 1), (0, 5), (-1, 2)])
def test_refuses_a_window_without_rows(tmp_path: Path, start: int, stop: int) -> None:
    panel = read_panel(written(long_frame(), tmp_path), ())
    with pytest.raises(DataError, match=f"rows {start}:{stop}"):
        panel.window(start, stop)


def test_refuses_dates_without_a_session(tmp_path: Path) -> None:
    panel = read_panel(written(long_frame(), tmp_path), ())
    with pytest.raises(DataError, match=r"no session between 2021-01-01 and 2021-02-01.*2020-01-01 to 2020-01-06"):
        panel.rows_between(date(2021, 1, 1), date(2021, 2, 1))


def with_value(row: int, column: str, value: object) -> pd.DataFrame:
    frame = long_frame()
    frame.loc[row, column] = value
    return frame


BROKEN = {
    "wrong columns": (long_frame().drop(columns=["close", "macd"]), r"lacks the columns \['close', 'macd'\]"),
    "no rows": (long_frame().iloc[:0], "holds no rows"),
    "NaN close": (with_value(3, "close", np.nan), "close of NA on 2020-01-02 is nan"),
    "close of zero": (with_value(2, "close", 0.0), "close of AA on 2020-01-02 is 0.0"),
    "infinite feature": (with_value(4, "macd", np.inf), "macd of AA on 2020-01-03 is inf"),
    "text for numbers": (long_frame().assign(macd="high"), "column macd"),
    "duplicated dates": (pd.concat([long_frame(), long_frame().tail(1)]), "NA has 2020-01-06 twice"),
    "unordered dates": (long_frame().iloc[::-1], "2020-01-03 comes after 2020-01-06"),
    "unordered tickers": (long_frame().iloc[[1, 0, 2, 3, 4, 5, 6, 7]], "tickers of a date are out of order"),
    "missing row": (long_frame().drop(index=3), r"NA lacks 2020-01-02 \(1 dates\)"),
    "no ticker": (with_value(5, "tic", None), "row 5 has no date or ticker"),
    "no date": (with_value(5, "date", pd.NaT), "row 5 has no date or ticker"),
}


@pytest.mark.parametrize(("frame", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_refuses_a_broken_file(tmp_path: Path, frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_panel(written(frame, tmp_path), ("macd",))
    assert "\n" not in str(caught.value)
    assert "build_features" in str(caught.value)


def test_refuses_an_unknown_ticker(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no ticker ZZ; allowed: AA, NA"):
        read_panel(written(long_frame(), tmp_path), (), tickers=("AA", "ZZ"))


@pytest.mark.parametrize("name", ["features.parquet", "features.csv"])
def test_refuses_a_missing_and_an_empty_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_panel(tmp_path / name, ())
    (tmp_path / name).touch()
    with pytest.raises(DataError, match="cannot be read"):
        read_panel(tmp_path / name, ())


def test_refuses_malformed_dates(tmp_path: Path) -> None:
    path = tmp_path / "features.csv"
    long_frame().astype({"date": str}).replace({"date": {"2020-01-02": "soon"}}).to_csv(path, index=False)
    with pytest.raises(DataError, match="cannot be read"):
        read_panel(path, ("macd",))


def test_shapes_must_agree() -> None:
    days = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-01-04"))
    with pytest.raises(AssertionError):
        MarketPanel(days, ("AA",), np.ones((2, 1)), np.ones((3, 1, 0)), (), np.zeros(3))
