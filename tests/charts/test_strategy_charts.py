"""The charts of strategies: what is drawn, where it begins, and what is left out."""

import numpy as np
import pandas as pd
import pytest

from MLOps.charts.strategy_charts import LOOKS, draw_differences, draw_drawdowns, draw_growth, draw_months
from MLOps.evaluation.significance import SharpeDifference

DATES = np.arange("2024-01-01", "2024-01-05", dtype="datetime64[D]")
WEALTH = {"model": np.array([2.0, 3.0, 1.5, 2.0]), "cash": np.ones(4)}


def test_growth_begins_at_100_with_the_model_on_top():
    figure = draw_growth(DATES, WEALTH)
    assert [trace.name for trace in figure.data] == ["Cash", "Model"]
    assert list(figure.data[-1].y) == [100, 150, 75, 100]
    assert figure.data[-1].x[0] == "2024-01-01"


def test_band_holds_nine_in_ten_of_the_random_paths():
    random = np.linspace(1, 2, 101)[:, None] * np.array([1.0, 1.0, 1.0, 1.0])
    random[:, -1] *= np.linspace(0.5, 1.5, 101)
    figure = draw_growth(DATES, WEALTH, random)
    high, low = figure.data[:2]
    assert (low.y[-1], high.y[-1]) == (55, 145)


def test_drawdown_is_the_fall_from_the_highest_wealth_so_far():
    (line,) = draw_drawdowns(DATES, WEALTH).data
    assert list(line.y) == pytest.approx([0, 0, -0.5, -0.3333], abs=1e-4)


def test_month_compounds_its_days():
    dates = pd.to_datetime(["2024-01-30", "2024-01-31", "2024-02-01"])
    figure = draw_months(pd.DataFrame({"date": dates, "model": [0.1, 0.1, -0.5]}))
    assert list(figure.data[0].x) == ["Jan 24", "Feb 24"]
    assert figure.data[0].z[0] == pytest.approx([0.21, -0.5])


def test_undefined_difference_is_left_out():
    found = SharpeDifference(
        difference=0.5, lower=-0.5, upper=1.0, confidence_fraction=0.9, resamples=9, block_sessions=2.0
    )
    (mark,) = draw_differences({"champion": found, "cash": None}).data
    assert (mark.x[0], mark.error_x.array[0], mark.error_x.arrayminus[0]) == (0.5, 0.5, 1.0)
    assert mark.y[0] == LOOKS["champion"].label
