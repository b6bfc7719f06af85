"""Settings that make the whole strategy small."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

Conf = dict[str, Any]


@pytest.fixture
def small_strategy(tmp_path: Path, make_prices: Callable[..., pd.DataFrame]) -> Conf:
    """A form that runs the real stages on a small CSV of synthetic prices."""
    prices = make_prices(sessions=400).rename(columns={"session": "date"})
    bars = tmp_path / "bars.csv"
    prices.to_csv(bars, index=False)
    return {
        "data.source": "folder",
        "sources.folder.bars": str(bars),
        "data.as_of": str(prices["date"].max().date()),
        "data.with_news": False,
        "versioning.enabled": False,
        "turbulence_window_sessions": 60,
        "split.validation_sessions": 40,
        "split.test_sessions": 40,
        "split.minimum_train_sessions": 100,
        "agent.hyperparameters.n_envs": 1,
        "agent.hyperparameters.n_steps": 128,
        "agent.hyperparameters.batch_size": 64,
        "training.total_timesteps": 256,
        "terms.baselines.lookback_sessions": 60,
        "terms.baselines.random_paths": 3,
        "terms.bootstrap.resamples": 100,
        "evidence.terms.bootstrap.resamples": 100,
        "evidence.split.test_sessions": 40,
    }
