"""The notebook of the buy-timing agent draws purchases, values and what was paid."""

from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps.inference.timing_model import (
    RainbowTimingCard,
    TimingWindow,
    read_timing_card,
    read_timing_weights,
    write_timing_model,
)
from MLOps.market.crypto_bars import write_crypto_bars

NOTEBOOK = "crypto_timing.ipynb"
FIRST_DAY, DAYS = "2018-07-01", 195  # 11 days to judge on


@pytest.fixture
def bars(workspace: Path, make_crypto_bars: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """Hourly bars of Bitcoin from the train window's end to a week into the test window, in a workspace."""
    frame = make_crypto_bars(count=24 * DAYS, first=FIRST_DAY)
    path = workspace / "data" / "crypto" / "btc" / "bars.parquet"
    path.parent.mkdir(parents=True)
    write_crypto_bars(frame, path)
    return frame


@pytest.fixture
def model(workspace: Path, make_timing_model: Callable[..., str]) -> Path:
    """A network of random weights where the training leaves its newest."""
    models = workspace / "models" / "crypto_timing" / "btc"
    make_timing_model(models / "2018-08-31-0123")
    card = read_timing_card(models / "2018-08-31-0123")
    assert isinstance(card, RainbowTimingCard)
    train = TimingWindow(first=datetime(2018, 7, 1, tzinfo=UTC), last=datetime(2018, 8, 31, tzinfo=UTC))
    unseen = card.model_copy(update={"windows": {"train": train}})
    write_timing_model(models / "2018-08-31-0123", unseen, read_timing_weights(models / "2018-08-31-0123", card))
    (models / "latest").symlink_to("2018-08-31-0123")
    return models


def table_of(outputs: list[Any]) -> pd.DataFrame:
    (html,) = [output["data"]["text/html"] for output in outputs if "mean price paid" in str(output.get("data", {}))]
    return pd.read_html(StringIO(html), index_col=0)[0]


def check(outputs: list[Any], bars: pd.DataFrame, charts: Any, numbers: Any, texts: Any) -> None:
    purchases, values = charts(outputs)
    price, hindsight, model = purchases["data"]
    assert len(numbers(price["y"])) == 5 * 24
    assert len(numbers(hindsight["y"])) == len(numbers(model["y"])) == 5
    days = np.array(numbers(price["y"])).reshape(5, 24)
    assert numbers(hindsight["y"]) == days.min(axis=1).tolist()
    assert all(bought in day for bought, day in zip(numbers(model["y"]), days, strict=True))
    assert set(numbers(price["y"])) <= set(bars["close"])
    hold, buy = (np.array(numbers(line["y"])) for line in values["data"])
    wants = np.append((buy > hold)[:-1], True)  # at the last step it must
    (line,) = values["layout"]["shapes"]
    assert line["x0"] == wants.argmax()
    table = table_of(outputs)
    assert list(table.index) == ["model", "buys first", "buys last", "hindsight"]
    assert table["mean price paid"].idxmin() == "hindsight"
    assert table.loc["buys first", "over buying first, bps"] == 0
    assert table.loc[["buys first", "buys last"], "mean step"].tolist() == [0, 23]
    told = texts(outputs)
    assert "show nothing of the future" in told
    assert "none of which it was trained or chosen on" in told


def test_decisions_of_the_newest_model_are_drawn(
    workspace: Path, bars: pd.DataFrame, model: Path, execute: Any, charts: Any, numbers: Any, texts: Any
) -> None:
    outputs = execute(NOTEBOOK, workspace)
    check(outputs, bars, charts, numbers, texts)
    assert "BTC, 2018-08-31-0123" in texts(outputs)
    assert "quick one was trained" not in texts(outputs)
    assert {path.name for path in model.iterdir()} == {"2018-08-31-0123", "latest"}


def test_without_a_model_a_quick_one_is_trained_and_not_registered(
    workspace: Path, bars: pd.DataFrame, execute: Any, charts: Any, numbers: Any, texts: Any
) -> None:
    outputs = execute(NOTEBOOK, workspace)
    check(outputs, bars, charts, numbers, texts)
    assert "a quick one was trained" in texts(outputs)
    assert [path.name for path in (workspace / "models").iterdir()] == ["crypto_timing"]


def test_without_bars_it_says_what_to_do(workspace: Path, execute: Any, charts: Any, texts: Any) -> None:
    outputs = execute(NOTEBOOK, workspace)
    assert charts(outputs) == []
    assert texts(outputs).count("then this notebook again") == 4
    assert list(workspace.iterdir()) == []
