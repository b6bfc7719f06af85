"""Where episodes begin and end, and what an account of its own basket sees: numbers worked by hand."""

from dataclasses import replace

import numpy as np
import pytest

from MLOps.environments.stock_trading import StockTradingBatch
from MLOps.errors import DataError
from MLOps.market.panel import MarketPanel


@pytest.fixture
def counted() -> MarketPanel:
    """Ten sessions of three tickers: closes 10 t + 1, 2 and 3; features 100 t + 11, 12, 13 and 21, 22, 23."""
    days = np.arange(10)[:, None]
    return MarketPanel(
        dates=np.datetime64("2020-01-01", "D") + np.arange(10),
        tickers=("AA", "BB", "CC"),
        close=10.0 * days + [1, 2, 3],
        features=100.0 * days[..., None] + np.array([[11, 21], [12, 22], [13, 23]]),
        feature_names=("macd", "rsi_30"),
        turbulence=np.zeros(10),
    )


@pytest.fixture
def make(counted, make_settings):
    """A maker of batches over the counted market, without costs."""

    def build(n_envs=1, seed=0, panel=counted, **changes):
        free = {"buy_cost_fraction": 0.0, "sell_cost_fraction": 0.0}
        return StockTradingBatch(panel, make_settings(**free | changes), None, n_envs, seed)

    return build


def days_of(batch, n_envs, steps, tickers=3):
    """Rows at which the accounts stand, after the reset and after each step, and the last rows of their episodes."""
    batch.reset()
    rows, ends = [batch.accounts.day.copy()], []
    for _ in range(steps):
        step = batch.step(np.zeros((n_envs, tickers)))
        rows.append(batch.accounts.day.copy())
        ends.append((step.is_last.copy(), step.is_cut.copy()))
    return np.array(rows), np.array(ends)


def test_sees_cash_closes_shares_and_features(make):
    batch = make()
    assert batch.reset().tolist() == [[10_000, 1, 2, 3, 0, 0, 0, 11, 12, 13, 21, 22, 23]]
    # 40 of AA at 1, 20 of CC at 3
    seen = batch.step([[1.0, 0.0, 0.5]]).observations
    assert seen.tolist() == [[9_900, 11, 12, 13, 40, 0, 20, 111, 112, 113, 121, 122, 123]]


def test_reward_is_the_scaled_change_of_wealth(make):
    batch = make()
    batch.reset()
    assert batch.step([[1.0, 0.0, 0.5]]).rewards == pytest.approx((40 + 20) * 10 * 0.001)


def test_weights_are_bought_for(make):
    batch = make(actions="target_weights")
    batch.reset()
    # a quarter of 10,000 in AA at 1, half in BB at 2, nothing in CC
    assert batch.step([[0.25, 0.5, -1.0]]).observations[0, 4:7].tolist() == [2_500, 2_500, 0]
    # worth 2,500 x 11 + 2,500 x 12 + 2,500 = 60,000; all of it in CC at 13: 4,615 and 5 left
    seen = batch.step([[0.0, 0.0, 1.0]]).observations[0]
    assert seen[4:7].tolist() == [0, 0, 4_615]
    assert seen[0] == pytest.approx(60_000 - 4_615 * 13)


def test_turbulence_sells_everything_and_buys_nothing(make, counted):
    batch = make(panel=replace(counted, turbulence=np.arange(10.0)), turbulence_threshold=1.0)
    batch.reset()
    assert batch.step(np.ones((1, 3))).observations[0, 4:7].tolist() == [40, 40, 40]
    assert batch.step(np.ones((1, 3))).observations[0, 4:7].tolist() == [0, 0, 0]
    assert batch.step(np.ones((1, 3))).observations[0, 4:7].tolist() == [0, 0, 0]


def test_plays_to_the_last_session_and_begins_again_in_the_same_step(make):
    batch = make()
    rows, ends = days_of(batch, 1, 12)
    assert rows[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3]
    assert np.flatnonzero(ends[:, 0, 0]).tolist() == [8]
    assert not ends[:, 1].any()


def test_last_observation_is_the_old_episodes_and_the_observation_the_new_ones(make):
    batch = make(initial_shares={"BB": 7})
    first = batch.reset()
    for _ in range(8):
        batch.step(np.ones((1, 3)))
    step = batch.step(np.zeros((1, 3)))
    assert step.last_observations[0, 1:4].tolist() == [91, 92, 93]
    assert step.observations.tolist() == first.tolist()
    assert first[0, 4:7].tolist() == [0, 7, 0]


def test_an_episode_is_cut_after_its_sessions(make):
    rows, ends = days_of(make(episode_sessions=4), 1, 9)
    assert rows[:, 0].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    is_last, is_cut = ends[:, :, 0].T
    assert np.flatnonzero(is_last).tolist() == np.flatnonzero(is_cut).tolist() == [3, 7]


def test_an_episode_that_reaches_the_windows_end_is_not_cut(make):
    _, ends = days_of(make(episode_sessions=9), 1, 9)
    assert ends[-1].tolist() == [[True], [False]]


def test_random_starts_cover_the_window_but_for_its_last_session(make):
    batch = make(n_envs=300, random_start=True)
    batch.reset()
    assert set(batch.accounts.start.tolist()) == set(range(9))
    rows, ends = days_of(batch, 300, 9)
    assert (rows < 9).all()
    assert ends[:, 0].any(axis=0).all()  # all have come to the end of the window


def test_random_starts_are_drawn_by_seed(make):
    def starts(seed):
        batch = make(n_envs=50, seed=seed, random_start=True)
        batch.reset()
        return batch.accounts.start.tolist()

    assert starts(1) == starts(1) != starts(2)
    batch = make(n_envs=50, seed=9, random_start=True)
    batch.seed(1)
    batch.reset()
    assert batch.accounts.start.tolist() == starts(1)


def test_a_random_start_near_the_end_is_an_end_and_elsewhere_a_cut(make):
    batch = make(n_envs=200, random_start=True, episode_sessions=3)
    batch.reset()
    start = batch.accounts.start.copy()
    first_end = np.full(200, -1)
    for steps in range(1, 4):
        step = batch.step(np.zeros((200, 3)))
        fresh = (first_end < 0) & step.is_last
        first_end[fresh] = steps
        np.testing.assert_array_equal(step.is_cut[fresh], start[fresh] + 3 < 9)
    np.testing.assert_array_equal(first_end, np.minimum(3, 9 - start))


def test_windows_are_played_in_turn_from_account_to_account(make):
    windows = [{"first": "2020-01-02", "last": "2020-01-04"}, {"first": "2020-01-07", "last": "2020-01-31"}]
    rows, ends = days_of(make(n_envs=3, windows=windows), 3, 5)
    assert rows.T.tolist() == [[1, 2, 1, 2, 1, 2], [6, 7, 8, 6, 7, 8], [1, 2, 1, 2, 1, 2]]
    twice = [False, True] * 2 + [False]
    assert ends[:, 0].T.tolist() == [twice, [False, False, True, False, False], twice]
    assert not ends[:, 1].any()


@pytest.mark.parametrize("window", [("2020-01-03", "2020-01-03"), ("2021-01-01", "2021-02-01")])
def test_a_window_without_two_sessions_is_refused(make, window):
    with pytest.raises(DataError, match="session"):
        make(windows=[{"first": window[0], "last": window[1]}])


def test_baskets_are_traded_in_turn_from_account_to_account(make, counted):
    panel = replace(counted, volume=np.full((10, 3), 1e9))
    baskets = {"tickers": ["AA", "BB"], "baskets": [["CC", "AA"], ["BB", "CC"]]}
    costs = {"buy_cost_fraction": {"AA": 0.0, "BB": 0.5, "CC": 0.25}, "initial_shares": {"CC": 6}}
    batch = make(n_envs=3, panel=panel, **baskets, **costs)
    first = [10_000, 1, 3, 0, 6, 11, 13, 21, 23]
    assert batch.reset().tolist() == [first, [10_000, 2, 3, 0, 6, 12, 13, 22, 23], first]
    step = batch.step([[1.0, 0.5], [0.5, -0.5], [0.0, 0.0]])
    # 40 at 1 and 20 at 3 x 1.25; 20 at 2 x 1.5 and 6 sold at 3
    assert step.observations.tolist() == [
        [9_885, 11, 13, 40, 26, 111, 113, 121, 123],
        [9_958, 12, 13, 20, 0, 112, 113, 122, 123],
        [10_000, 11, 13, 0, 6, 111, 113, 121, 123],
    ]
    assert step.rewards == pytest.approx([0.001 * (400 + 260 - 15), 0.001 * (200 + 60 - 20 - 60), 0.001 * 60])
    assert batch.accounts.cost.tolist() == [15, 20, 0]


def test_tickers_choose_from_the_market(make):
    batch = make(tickers=["AA", "CC"])
    assert batch.tickers == 2
    assert batch.reset().tolist() == [[10_000, 1, 3, 0, 0, 11, 13, 21, 23]]


def test_sentiment_columns_are_seen_after_the_indicators(make, counted):
    market = np.broadcast_to(np.array([0.5, 1.0]), (10, 3, 2))
    own = np.broadcast_to(np.array([[0.1, 1.0], [0.0, 0.0], [-0.2, 1.0]]), (10, 3, 2))
    panel = replace(
        counted,
        features=np.concatenate([counted.features, market, own], axis=2),
        feature_names=("macd", "rsi_30", "sentiment", "has_news", "ticker_sentiment", "ticker_has_news"),
    )
    seen = make(panel=panel, use_sentiment=True).reset()
    account, indicators = [10_000, 1, 2, 3, 0, 0, 0], [11, 12, 13, 21, 22, 23]
    assert seen.tolist() == [[*account, *indicators, 0.5, 0.5, 0.5, 1, 1, 1, 0.1, 0, -0.2, 1, 0, 1]]


def test_an_agent_may_see_no_indicator(make, counted):
    panel = replace(counted, features=np.empty((10, 3, 0)), feature_names=())
    batch = make(panel=panel, indicators=[])
    assert batch.reset().tolist() == [[10_000, 1, 2, 3, 0, 0, 0]]
    assert batch.step(np.ones((1, 3))).observations.tolist() == [[10_000 - 240, 11, 12, 13, 40, 40, 40]]
