"""Equal to FinRL where that is right, NaN where FinRL invents zeros, blind to the future."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import mahalanobis

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


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = turbulence(closes(), window=30)
    monkeypatch.setattr("MLOps.market.turbulence._BLOCK", 7)
    np.testing.assert_array_equal(turbulence(closes(), window=30), whole)


def test_twin_tickers_count_once() -> None:
    """A singular covariance takes the pseudo-inverse: a copy of a ticker adds no surprise."""
    close = closes(tickers=1)
    np.testing.assert_allclose(
        turbulence(np.c_[close, close], window=30)[31:], turbulence(close, window=30)[31:], rtol=1e-6
    )


def test_too_few_sessions_give_no_value() -> None:
    assert np.isnan(turbulence(closes(sessions=31), window=30)).all()
