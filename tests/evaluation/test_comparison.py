"""A model beside its baselines."""

import numpy as np
import pandas as pd
import pytest

from MLOps.errors import DataError
from MLOps.evaluation.comparison import Scorecard, compare, read_scorecard
from MLOps.inference.policy import EqualWeightPolicy

WINDOW = slice(50, 120)


class Trend:
    """Holds what rose over ten sessions."""

    def orders(self, panel, t, _cash, shares):
        rises = panel.close[t] > panel.close[t - 10]
        return np.where(rises, 100.0, -shares)


@pytest.fixture(scope="module")
def comparison(make_panel, terms):
    return compare({"model": Trend(), "champion": EqualWeightPolicy()}, make_panel(), WINDOW, terms)


def test_every_strategy_has_a_path_figures_and_a_difference(comparison):
    names = ["model", "champion", "equal_weight", "minimum_variance", "mean_variance", "cash", "random_same_turnover"]
    assert list(comparison.paths) == list(comparison.scorecard.strategies) == names
    assert list(comparison.scorecard.sharpe_differences) == names[1:]


def test_returns_tell_the_wealth(comparison):
    frame = comparison.returns_frame()
    assert list(frame) == ["date", *comparison.paths]
    assert frame["date"].iloc[0] == pd.Timestamp("2020-02-21")  # the second session of the window
    for name, path in comparison.paths.items():
        np.testing.assert_allclose(1e5 * np.cumprod(1 + frame[name]), path.wealth[1:])


def test_cash_stays_what_it_was(comparison):
    assert (comparison.paths["cash"].wealth == 1e5).all()
    assert comparison.scorecard.sharpe_differences["cash"] is None


def test_the_equal_weight_champion_is_the_equal_weight_baseline(comparison):
    np.testing.assert_array_equal(comparison.paths["champion"].wealth, comparison.paths["equal_weight"].wealth)


def test_the_random_path_shown_is_the_median_one(comparison):
    last = comparison.random_wealth[:, -1]
    assert comparison.random_wealth.shape == (5, 70)
    assert comparison.paths["random_same_turnover"].wealth[-1] == np.median(last)


def test_the_same_terms_give_the_same_figures(comparison, make_panel, terms):
    again = compare({"model": Trend(), "champion": EqualWeightPolicy()}, make_panel(), WINDOW, terms)
    assert again.scorecard == comparison.scorecard


def test_a_model_that_never_trades_gets_no_verdict_from_chance(make_panel, terms):
    class Idle:
        def orders(self, *_known):
            return np.zeros(4)

    scorecard = compare({"model": Idle()}, make_panel(), WINDOW, terms).scorecard
    assert scorecard.random.beaten_fraction is None
    assert set(scorecard.sharpe_differences.values()) == {None}


def test_a_scorecard_is_read_as_it_was_written(comparison, tmp_path):
    path = tmp_path / "performance.json"
    path.write_text(comparison.scorecard.model_dump_json())
    assert read_scorecard(path) == comparison.scorecard
    assert isinstance(comparison.scorecard, Scorecard)


@pytest.mark.parametrize("text", [None, "", "{}", "not json"])
def test_refuses_what_is_no_scorecard(tmp_path, text):
    path = tmp_path / "performance.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=r"performance\.json"):
        read_scorecard(path)


def test_refuses_a_window_of_one_session(make_panel, terms):
    with pytest.raises(DataError, match="1 session"):
        compare({"model": Trend()}, make_panel(), slice(50, 51), terms)
