"""Target weights are fitted on the past alone."""

from dataclasses import replace

import numpy as np
import pytest

from MLOps.errors import DataError
from MLOps.evaluation.target_weights import fit_on_the_past


def inverse_last_price(close):
    return close[-1] / close[-1].sum()


def test_fits_at_the_start_and_then_on_schedule(make_panel):
    weights = fit_on_the_past(inverse_last_price, make_panel(), slice(60, 120), lookback_sessions=30, refit_sessions=25)
    assert weights.shape == (60, 4)
    assert np.flatnonzero(~np.isnan(weights).any(axis=1)).tolist() == [0, 25, 50]


def test_fits_once_where_the_schedule_is_zero(make_panel):
    weights = fit_on_the_past(inverse_last_price, make_panel(), slice(60, 120), lookback_sessions=30, refit_sessions=0)
    assert np.flatnonzero(~np.isnan(weights).any(axis=1)).tolist() == [0]


def test_a_fit_sees_the_lookback_and_nothing_else(make_panel):
    panel, seen = make_panel(), []

    def note(close):
        seen.append(close)
        return np.zeros(4)

    fit_on_the_past(note, panel, slice(25, 70), lookback_sessions=30, refit_sessions=20)
    for close, rows in zip(seen, [slice(0, 26), slice(16, 46), slice(36, 66)], strict=True):
        np.testing.assert_array_equal(close, panel.close[rows])


def test_the_future_does_not_change_a_fit(make_panel):
    panel = make_panel()
    crash = replace(panel, close=np.vstack([panel.close[:86], panel.close[86:] / 3]))
    fits = [fit_on_the_past(inverse_last_price, p, slice(60, 120), 30, 25) for p in (panel, crash)]
    np.testing.assert_array_equal(fits[0][:50], fits[1][:50])
    assert not np.array_equal(fits[0][50], fits[1][50])


def test_refuses_a_window_with_too_little_before_it(make_panel):
    with pytest.raises(DataError, match="5 sessions up to"):
        fit_on_the_past(inverse_last_price, make_panel(), slice(4, 60), 30, 10)
