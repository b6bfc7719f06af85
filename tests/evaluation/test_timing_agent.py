"""A trained model as a policy: what it knows, which cycles it is judged on, and which it must not be judged on."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from MLOps.errors import DataError, ModelError
from MLOps.evaluation.timing_agent import (
    card_of,
    cycles_to_judge,
    q_values_in,
    require_fit,
    require_unseen,
    steps_of,
)
from MLOps.inference.timing_policy import BuyFirstPolicy, TimingPolicy, load_timing_policy
from MLOps.market.price_cycles import Cycles, TimingPrices, instant
from MLOps.settings.timing import TimingDataSettings

WINDOW, STEPS = 6, 8
DATA = TimingDataSettings(
    symbol="BTC",
    frequency="1h",
    window_size=WINDOW,
    cycle_steps=STEPS,
    train_start=None,
    validation_start=date(2020, 1, 5),
    test_start=date(2020, 1, 10),
    test_end=None,
)


@pytest.fixture
def policy(tmp_path: Path, make_timing_model: Callable[..., str]) -> TimingPolicy:
    """A network of random weights that holds and buys by what it sees."""
    make_timing_model(tmp_path, seed=6, window_size=WINDOW, is_dueling=True)
    found = load_timing_policy(tmp_path)
    assert isinstance(found, TimingPolicy)
    return found


def prices_of(count: int = 480, seed: int = 1) -> TimingPrices:
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, count)))
    times = np.datetime64("2020-01-01T01", "us") + np.arange(count) * np.timedelta64(1, "h")
    return TimingPrices(closes, times, np.zeros(count, np.bool_))


def cycles_of(prices: TimingPrices) -> Cycles:
    starts = np.arange(WINDOW, len(prices.closes) - STEPS, STEPS)
    return Cycles(prices.closes, starts, STEPS, WINDOW, prices.times)


def test_greedy_agent_decides_by_known_prices_alone(policy: TimingPolicy) -> None:
    """Other prices after a step of a cycle change nothing of whether it bought up to it."""
    cycles, other = cycles_of(prices_of()), prices_of(seed=9).closes
    steps = steps_of(policy)(cycles)
    assert len(set(steps.tolist())) > 3  # it does not buy at the same step whatever comes
    for place in range(0, len(cycles.starts), 4):
        start = int(cycles.starts[place])
        for at in range(STEPS):
            closes = cycles.closes.copy()
            closes[start + at + 1 :] = other[start + at + 1 :]
            changed = int(steps_of(policy)(cycles._replace(closes=closes, starts=cycles.starts[[place]]))[0])
            assert changed == steps[place] if steps[place] <= at else changed > at


def test_steps_are_the_first_at_which_buying_is_worth_more(policy: TimingPolicy) -> None:
    cycles = cycles_of(prices_of())
    values = q_values_in(policy, cycles)
    assert values.shape == (len(cycles.starts), STEPS, 2)
    for row, step in zip(values, steps_of(policy)(cycles), strict=True):
        buys = row[:, 1] > row[:, 0]
        assert not buys[:step].any()
        assert buys[step] or step == STEPS - 1


def test_buying_first_is_a_policy_like_any_other() -> None:
    cycles = cycles_of(prices_of())
    assert card_of(BuyFirstPolicy()) is None
    assert steps_of(BuyFirstPolicy())(cycles).tolist() == [0] * len(cycles.starts)
    require_fit("it", BuyFirstPolicy(), DATA.model_copy(update={"symbol": "ETH"}))
    require_unseen("it", BuyFirstPolicy(), cycles)


def test_cycles_to_judge_have_history_for_the_widest_window(
    tmp_path: Path, policy: TimingPolicy, make_timing_model: Callable[..., str]
) -> None:
    make_timing_model(tmp_path / "wide", window_size=20)
    wide = load_timing_policy(tmp_path / "wide")
    alone, both = (cycles_to_judge(prices_of(), DATA, found) for found in ([policy], [policy, wide]))
    first = np.datetime64("2020-01-10T01")
    assert alone.times[alone.starts[0]] == first + np.timedelta64(WINDOW - 1, "h")
    assert both.times[both.starts[0]] == first + np.timedelta64(19, "h")
    assert (np.diff(both.starts) == 1).all()
    assert alone.starts[-1] == both.starts[-1] == 480 - STEPS - 1  # one close more, to be filled at late
    assert both.window == WINDOW
    assert q_values_in(wide, both).shape == (len(both.starts), STEPS, 2)


@pytest.mark.parametrize("window", [7, 11, 17])
def test_another_window_changes_what_is_judged_at_the_edge_alone(window: int) -> None:
    """Cycles laid end to end from another hour would be others throughout."""
    one, other = (
        cycles_to_judge(prices_of(), DATA.model_copy(update={"window_size": size}), []) for size in (WINDOW, window)
    )
    np.testing.assert_array_equal(other.starts, one.starts[window - WINDOW :])


def test_no_cycle_that_is_judged_lacks_a_later_close_of_its_own_stretch() -> None:
    """Before a gap as at the end of the bars, the last cycle that may begin has none to be filled at late."""
    prices, gap = prices_of(), 330
    prices.follows_gap[gap] = True
    starts = cycles_to_judge(prices, DATA, []).starts
    assert starts[starts < gap].max() == gap - STEPS - 1
    assert starts[starts >= gap].min() == gap + WINDOW - 1


def test_single_cycle_without_a_later_close_is_one_line() -> None:
    count = 216 + WINDOW - 1 + STEPS
    with pytest.raises(DataError, match=r"test holds 1 cycle.* no close after .*; allowed: .*; mend: data.test_end"):
        cycles_to_judge(prices_of(count), DATA, [])


def test_values_do_not_hang_on_how_many_cycles_are_looked_at_together(
    policy: TimingPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    cycles = cycles_of(prices_of())
    together = q_values_in(policy, cycles)
    monkeypatch.setattr("MLOps.evaluation.timing_agent._DECISIONS_AT_ONCE", 5 * STEPS)
    np.testing.assert_allclose(q_values_in(policy, cycles), together, rtol=1e-5)


def test_no_cycle_to_judge_on_is_one_line(policy: TimingPolicy) -> None:
    with pytest.raises(DataError, match=r"test holds .* not a single cycle; allowed: .*; mend: data.test_start"):
        cycles_to_judge(prices_of(220), DATA, [policy])


@pytest.mark.parametrize(
    ("update", "told"),
    [
        ({"symbol": "ETH"}, "the model is a model of BTC by 1h; allowed: one of ETH by 1h; mend: data=btc"),
        ({"frequency": "1d"}, "the model is a model of BTC by 1h; allowed: one of BTC by 1d"),
        ({"cycle_steps": 12}, "was trained on cycles of 24 steps; allowed: one of data.cycle_steps=12"),
        ({"cycle_steps": 24, "window_size": 9}, "sees a window of 6 closes; allowed: one of data.window_size=9"),
    ],
)
def test_model_of_another_market_is_one_line(policy: TimingPolicy, update: dict[str, Any], told: str) -> None:
    require_fit("the model", policy, DATA.model_copy(update={"cycle_steps": 24}))
    with pytest.raises(ModelError) as error:
        require_fit("the model", policy, DATA.model_copy(update=update))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_champion_may_see_another_window_but_no_other_market(policy: TimingPolicy) -> None:
    data = DATA.model_copy(update={"cycle_steps": 24, "window_size": 9})
    require_fit("the champion", policy, data, is_champion=True)
    with pytest.raises(ModelError, match="the champion is a model of BTC"):
        require_fit("the champion", policy, data.model_copy(update={"symbol": "ETH"}), is_champion=True)


@pytest.mark.parametrize("name", ["train", "validation", "test"])
@pytest.mark.parametrize(("hours", "is_seen"), [(-1, False), (0, True), (500, True)])
def test_prices_that_were_learned_from_are_not_judged_on(
    policy: TimingPolicy, name: str, hours: int, is_seen: bool
) -> None:
    """The test window of an earlier evaluation was learned from by nobody."""
    cycles = cycles_of(prices_of())
    first = instant(cycles.times[cycles.starts[0]])
    window = {"first": datetime(2019, 1, 1, tzinfo=UTC), "last": first + timedelta(hours=hours)}
    values = policy.card.model_dump() | {"windows": {name: window}}
    seen = TimingPolicy(type(policy.card).model_validate(values), {})
    if is_seen and name != "test":
        with pytest.raises(ModelError, match=rf"the model has seen prices up to .* \({name}\)"):
            require_unseen("the model", seen, cycles)
    else:
        require_unseen("the model", seen, cycles)
