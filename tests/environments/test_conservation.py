"""Over whole episodes no money appears or is lost, and nothing becomes negative."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from MLOps.environments.stock_trading import StockTradingBatch

BPS = st.sampled_from([0, 1, 50, 3_000])
COSTS = st.sampled_from([0.0, 0.001, 0.05, 0.3])
ACCOUNTS = 4


@st.composite
def markets(draw):
    return {
        "tickers": draw(st.integers(2, 6)),
        "sessions": draw(st.integers(3, 25)),
        "seed": draw(st.integers(0, 2**32)),
    }


@st.composite
def accounts(draw):
    changes = {
        "initial_amount": draw(st.sampled_from([0.01, 99.0, 10_000, 1e9])),
        "initial_shares": draw(st.dictionaries(st.sampled_from(["T00", "T01"]), st.integers(0, 900))),
        "max_shares_per_order": draw(st.sampled_from([1, 40, 1_000_000])),
        "is_fractional": draw(st.booleans()),
        "actions": draw(st.sampled_from(["share_orders", "target_weights"])),
        "buy_cost_fraction": draw(COSTS),
        "sell_cost_fraction": draw(COSTS),
        "slippage_bps": draw(BPS),
        "linear_impact_bps": draw(BPS),
        "root_impact_bps": draw(BPS),
        "turbulence_threshold": draw(st.sampled_from([None, 7.0])),
        "random_start": draw(st.booleans()),
    }
    if draw(st.booleans()):
        changes |= {"tickers": ["T00", "T01"], "baskets": [["T00", "T01"], ["T01", "T00"]]}
    return changes


def check(panel, env_settings, seed):
    generator = np.random.default_rng(seed)
    batch = StockTradingBatch(panel, env_settings, None, n_envs=ACCOUNTS, seed=seed)
    batch.reset()
    held = batch.accounts
    scale = generator.choice([0.0, 1e-3, 1.0], (ACCOUNTS, 1))
    for _ in range(2 * len(panel.dates)):
        close = panel.close[held.day[:, None], held.columns]
        cash, shares, cost, day = held.cash.copy(), held.shares.copy(), held.cost.copy(), held.day.copy()
        step = batch.step(np.clip(generator.uniform(-1.5, 1.5, shares.shape) * scale, -1, 1))
        on = ~step.is_last
        before, after = cash + (shares * close).sum(axis=1), held.cash + (held.shares * close).sum(axis=1)
        lost = after + (held.cost - cost) - before
        assert (np.abs(lost) <= 1e-12 * (before + cost))[on].all()
        np.testing.assert_array_equal(held.day[on], day[on] + 1)
        assert (held.cost[on] >= cost[on]).all()
        assert (held.cash >= 0).all()
        assert (held.shares >= 0).all()
        if not env_settings.is_fractional:
            np.testing.assert_array_equal(held.shares, np.floor(held.shares))
        if env_settings.linear_impact_bps or env_settings.root_impact_bps:
            volume = panel.volume[day[:, None], held.columns]
            assert (np.abs(held.shares - shares) <= volume * (1 + 1e-12))[on].all()


_PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}


@settings(max_examples=150, **_PATIENT)
@given(market=markets(), changes=accounts(), seed=st.integers(0, 2**32))
def test_cash_holdings_and_costs_are_conserved(make_panel, make_settings, market, changes, seed):
    check(make_panel(**market), make_settings(**changes), seed)


@pytest.mark.slow
@settings(max_examples=4_000, **_PATIENT)
@given(market=markets(), changes=accounts(), seed=st.integers(0, 2**32))
def test_cash_holdings_and_costs_are_conserved_in_many_worlds(make_panel, make_settings, market, changes, seed):
    check(make_panel(**market), make_settings(**changes), seed)


def test_rewards_of_an_episode_sum_to_the_scaled_profit(make_panel, make_settings, draw_actions):
    panel = make_panel()
    batch = StockTradingBatch(panel, make_settings(slippage_bps=10), None, n_envs=2, seed=0)
    batch.reset()
    steps = [batch.step(actions) for actions in draw_actions(29, 2, 3)]
    last = steps[-1]
    assert last.is_last.tolist() == [True, True]
    assert last.episode_steps.tolist() == [29, 29]
    profit = last.last_observations[:, 0] + (last.last_observations[:, 4:7] * panel.close[-1]).sum(axis=1) - 10_000
    np.testing.assert_allclose(sum(step.rewards for step in steps), profit * 0.001, rtol=1e-9)
    np.testing.assert_allclose(last.episode_rewards, profit * 0.001, rtol=1e-9)
