"""FinRL's faults: each one shown on FinRL's own environment, copied on demand, and not made by default."""

import numpy as np
import pytest

from MLOps.environments.stock_trading import StockTradingBatch

ENGINES = ("finrl", "compatible", "default")


@pytest.fixture
def play(play_finrl, play_ours, make_settings):
    """States (S, D) after, and rewards (S,) of the actions (S, N), by FinRL or by one of our two modes."""

    def run(engine, panel, actions, **changes):
        actions = np.asarray(actions, dtype=np.float32)
        by = play_finrl if engine == "finrl" else play_ours
        episode = by(panel, make_settings(finrl_compatible=engine == "compatible", **changes), actions)
        return episode.states[1:], episode.rewards

    return run


def cash_and_shares(states, tickers):
    return states[:, 0].tolist(), states[:, 1 + tickers : 1 + 2 * tickers].tolist()


@pytest.mark.parametrize("engine", ENGINES)
def test_an_indicator_equal_to_one_freezes_its_ticker_in_finrl(play, make_panel, engine):
    panel = make_panel(tickers=2)
    panel.close[0] = 10.0
    panel.features[0, 0, 0] = 1.0
    states, _ = play(engine, panel, [[1.0, 1.0]])
    bought = [40.0, 40.0] if engine == "default" else [0.0, 40.0]
    cash, shares = cash_and_shares(states, 2)
    assert shares == [bought]
    assert cash[0] == pytest.approx(10_000 - sum(bought) * 10.0 * 1.001)


@pytest.mark.parametrize("engine", ENGINES)
def test_turbulence_sells_a_frozen_ticker_too(play, make_panel, engine):
    panel = make_panel(tickers=2)
    panel.turbulence[:] = 0.0
    panel.turbulence[1] = 9.0
    panel.features[1, 0, 0] = 1.0
    states, _ = play(engine, panel, [[1.0, 1.0], [1.0, 1.0]], turbulence_threshold=9.0)
    assert cash_and_shares(states, 2)[1] == [[40.0, 40.0], [0.0, 0.0]]


@pytest.mark.parametrize("engine", ENGINES)
def test_finrl_pays_the_last_reward_twice(play, make_panel, draw_actions, engine):
    panel = make_panel(sessions=6)
    steps = 5 if engine == "default" else 6
    states, rewards = play(engine, panel, draw_actions(6, 3)[:steps])
    wealth = states[-1, 0] + states[-1, 1:4] @ states[-1, 4:7]
    paid_twice = 0.0 if engine == "default" else rewards[-2]
    assert rewards[-1] != 0.0
    assert rewards.sum() == pytest.approx((wealth - 10_000) * 0.001 + paid_twice, rel=1e-9)


def test_the_step_that_pays_twice_is_the_last_of_the_episode(make_panel, make_settings, draw_actions):
    batch = StockTradingBatch(make_panel(sessions=6), make_settings(finrl_compatible=True), None, n_envs=1, seed=0)
    batch.reset()
    steps = [batch.step(action) for action in draw_actions(6, 1, 3)]
    assert [bool(step.is_last[0]) for step in steps] == [False] * 5 + [True]
    assert steps[-1].episode_steps.tolist() == [6]
    assert steps[-1].episode_rewards[0] == pytest.approx(sum(step.rewards[0] for step in steps))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_first_session_is_never_turbulent_in_finrl(play, make_panel, engine):
    panel = make_panel(tickers=2)
    panel.turbulence[:3] = [9.0, 0.0, 0.0]
    states, _ = play(engine, panel, np.ones((2, 2)), turbulence_threshold=8.0)
    first = [0.0, 0.0] if engine == "default" else [40.0, 40.0]
    assert cash_and_shares(states, 2)[1] == [first, [first[0] + 40.0] * 2]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_single_ticker_starts_without_its_initial_shares_in_finrl(play, make_panel, engine):
    panel = make_panel(tickers=1)
    states, _ = play(engine, panel, [[0.0]], initial_shares={"T00": 7})
    assert cash_and_shares(states, 1)[1] == [[7.0 if engine == "default" else 0.0]]


@pytest.mark.parametrize("engine", ENGINES)
def test_cash_a_hair_below_zero_makes_finrls_next_buy_a_short_sale(play, make_panel, engine):
    # 30.029999999999994 // (10 * 1.001) gives 3, and (10 * 3) * 1.001 is 30.029999999999998
    panel = make_panel(tickers=3)
    panel.close[:2] = 10.0
    orders = np.array([[1.5, 2.5, 3.5]]) / 40
    states, _ = play(engine, panel, orders, initial_amount=30.029999999999994)
    cash, shares = cash_and_shares(states, 3)
    if engine == "default":
        assert (cash, shares) == ([0.0], [[0.0, 0.0, 3.0]])
    else:  # the second ticker's buy of 2 becomes one of -1, whose proceeds buy nothing of the first
        assert shares == [[0.0, -1.0, 3.0]]
        assert cash == pytest.approx([10.01])


@pytest.mark.parametrize("engine", ENGINES)
def test_the_hair_is_carried_to_the_next_session(play, make_panel, engine):
    panel = make_panel(tickers=2)
    panel.close[:3] = 10.0
    orders = np.array([[0.0, 3.5], [1.5, 0.0]]) / 40
    states, _ = play(engine, panel, orders, initial_amount=30.029999999999994)
    assert states[0, 0] == (0.0 if engine == "default" else -3.552713678800501e-15)
    assert cash_and_shares(states, 2)[1] == [[0.0, 3.0], [0.0 if engine == "default" else -1.0, 3.0]]
