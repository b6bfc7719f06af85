"""Equal to FinRL where that is right, NaN where FinRL invents zeros, blind to the future."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis

from MLOps.errors import DataError
from MLOps.market.turbulence import turbulence, warm_up_rows


def closes(sessions: int = 300, tickers: int = 3, seed: int = 3) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return 50 * np.exp(np.cumsum(generator.normal(0, 0.02, (sessions, tickers)), axis=0))


def test_golden_one_ticker() -> None:
    """Returns 10%, 20%, 30%, then 50%: mean 20%, variance 1%, so the distance is 0.3^2 / 0.01."""
    close = np.cumprod([100, 1.1, 1.2, 1.3, 1.5])[:, None]
    np.testing.assert_allclose(turbulence(close, window=3), [np.nan] * 4 + [9.0])


def test_equal_to_scipys_mahalanobis_distance() -> None:
    close = closes(tickers=4)
    values, returns = turbulence(close, window=30), close[1:] / close[:-1] - 1
    for t in (31, 100, 299):
        past, today = returns[t - 31 : t - 1], returns[t - 1]
        expected = mahalanobis(today, past.mean(axis=0), np.linalg.inv(np.cov(past.T))) ** 2
        np.testing.assert_allclose(values[t], expected, rtol=1e-9)


def finrl_turbulence(close: np.ndarray) -> np.ndarray:
    from finrl.meta.preprocessor.preprocessors import FeatureEngineer

    days = pd.bdate_range("2020-01-01", periods=len(close)).strftime("%Y-%m-%d")
    wide = pd.DataFrame(close, index=pd.Index(days, name="date"), columns=[f"T{n}" for n in range(close.shape[1])])
    long = wide.melt(var_name="tic", value_name="close", ignore_index=False).reset_index()
    return FeatureEngineer().calculate_turbulence(long)["turbulence"].to_numpy()


def test_equal_to_finrl_but_for_what_it_invents() -> None:
    close = closes()
    ours, theirs = turbulence(close), finrl_turbulence(close)
    first = warm_up_rows(252)
    assert np.isnan(ours[:first]).all()
    assert (theirs[:252] == 0).all(), "FinRL gives zeros where it knows nothing"
    assert theirs[first] == 0, "FinRL mutes its first two values"
    assert ours[first] > 0
    np.testing.assert_allclose(ours[first + 1 :], theirs[first + 1 :], rtol=1e-9)


@pytest.mark.parametrize("known", [32, 287, 288, 299])
def test_cutting_the_future_off_changes_nothing(known: int) -> None:
    close = closes()
    np.testing.assert_array_equal(turbulence(close[:known], window=30), turbulence(close, window=30)[:known])


def directly(close: np.ndarray, window: int, sessions: Iterable[int]) -> list[float]:
    """The formula as it stands, each session by itself."""
    returns, distances = close[1:] / close[:-1] - 1, []
    for t in sessions:
        past, today = returns[t - 1 - window : t - 1], returns[t - 1]
        distance = today - past.mean(axis=0)
        covariance = np.atleast_2d(np.cov(past.T))
        distances.append(distance @ np.linalg.pinv(covariance, hermitian=True) @ distance)
    return distances


def test_twin_tickers_count_once() -> None:
    """A singular covariance takes the pseudo-inverse: a copy of a ticker adds no surprise."""
    close = closes(tickers=1)
    np.testing.assert_allclose(
        turbulence(np.c_[close, close], window=30)[31:], turbulence(close, window=30)[31:], rtol=1e-6
    )


def test_a_ticker_that_stands_still_adds_nothing() -> None:
    close = closes()
    still = np.full(len(close), 7.0)
    np.testing.assert_allclose(turbulence(np.c_[still, close], 30)[31:], turbulence(close, 30)[31:], rtol=1e-9)


def test_a_market_that_stands_still_has_no_turbulence() -> None:
    assert (turbulence(np.full((50, 3), 7.0), window=30)[31:] == 0).all()


def test_more_tickers_than_sessions_in_the_window() -> None:
    close = closes(sessions=60, tickers=40)
    np.testing.assert_allclose(turbulence(close, 20)[21:], directly(close, 20, range(21, 60)), rtol=1e-9)


def test_a_ticker_that_grows_by_the_same_every_session() -> None:
    """Its mean is ten thousand times what its returns vary by, where running sums of squares lose every digit."""
    generator = np.random.default_rng(8)
    growing = np.cumprod(1.01 + 1e-6 * generator.normal(size=300))
    close = np.c_[growing, closes()]
    np.testing.assert_allclose(turbulence(close, 30)[31:], directly(close, 30, range(31, 300)), rtol=1e-6)


def test_a_leap_leaves_no_trace_after_the_window() -> None:
    close = closes(sessions=400)
    leap = close.copy()
    leap[150, 1] *= 1e6
    after = slice(150 + 30 + 3, None)
    np.testing.assert_allclose(turbulence(leap, 30)[after], turbulence(close, 30)[after], rtol=1e-12)
    assert turbulence(leap, 30)[150] > 1e12


def test_ten_thousand_sessions_leave_no_trace() -> None:
    close = closes(sessions=10_000)
    sessions = range(31, 10_000, 97)
    np.testing.assert_allclose(turbulence(close, 30)[sessions], directly(close, 30, sessions), rtol=1e-9)


@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(20, 40))
@settings(deadline=None, max_examples=30)
def test_equal_to_the_formula_at_every_session(seed: int, tickers: int, window: int) -> None:
    close = closes(sessions=window + 60, tickers=tickers, seed=seed)
    first = warm_up_rows(window)
    values = turbulence(close, window)
    assert np.isnan(values[:first]).all()
    np.testing.assert_allclose(values[first:], directly(close, window, range(first, len(close))), rtol=1e-9)


@pytest.mark.parametrize("price", [np.nan, np.inf, 0.0, -1.0])
def test_refuses_an_unknown_price(price: float) -> None:
    close = closes()
    close[40, 1] = price
    with pytest.raises(DataError, match="a close that is NaN, infinite or not positive"):
        turbulence(close, window=30)


def test_too_few_sessions_give_no_value() -> None:
    assert np.isnan(turbulence(closes(sessions=31), window=30)).all()
