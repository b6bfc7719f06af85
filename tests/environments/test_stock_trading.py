"""Our environment is FinRL's, step by step, but for the habits that are mended."""

import numpy as np
import pytest
from stable_baselines3.common.env_checker import check_env

from MLOps.environments.stock_trading import StockTradingEnvironment, make_environment
from MLOps.errors import DataError
from MLOps.inference.observation import Normaliser, fit_normalisation, observe
from MLOps.market.accounting import execute
from MLOps.market.panel import MarketPanel
from MLOps.settings.environment import EnvironmentSettings


def make_panel(tickers: int = 3, sessions: int = 30, seed: int = 5) -> MarketPanel:
    generator = np.random.default_rng(seed)
    return MarketPanel(
        dates=np.datetime64("2020-01-01", "D") + np.arange(sessions),
        tickers=tuple("ABCDEF"[:tickers]),
        close=50 * np.exp(np.cumsum(generator.normal(0, 0.02, (sessions, tickers)), axis=0)),
        features=generator.normal(size=(sessions, tickers, 2)),
        feature_names=("macd", "rsi_30"),
        turbulence=generator.uniform(0, 10, sessions),
    )


def make_settings(**changes: object) -> EnvironmentSettings:
    values = {
        "engine": "finrl",
        "tickers": None,
        "initial_amount": 10_000,
        "max_shares_per_order": 40,
        "buy_cost_fraction": 0.001,
        "sell_cost_fraction": 0.002,
        "reward_scaling": 0.001,
        "turbulence_threshold": None,
        "indicators": ["macd", "rsi_30"],
        "use_sentiment": False,
        "observation_limit": 10,
    }
    return EnvironmentSettings.model_validate(values | changes)


def make(panel: MarketPanel, **changes: object) -> StockTradingEnvironment:
    return make_environment(panel, make_settings(**changes), fit_normalisation(panel, 10_000, 10))


def random_actions(panel: MarketPanel, seed: int = 1) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.uniform(-1, 1, (len(panel.dates) - 1, len(panel.tickers))).astype(np.float32)


def finrl_env(panel: MarketPanel, settings: EnvironmentSettings):
    """FinRL's own environment on a pandas frame, as its users make it."""
    from finrl.meta.env_stock_trading.env_stocktrading import StockTradingEnv

    tickers = len(panel.tickers)
    frame = panel.to_frame()
    return StockTradingEnv(
        df=frame if tickers > 1 else frame.reset_index(drop=True),
        stock_dim=tickers,
        hmax=settings.max_shares_per_order,
        initial_amount=settings.initial_amount,
        num_stock_shares=[0] * tickers,
        buy_cost_pct=[settings.buy_cost_fraction] * tickers,
        sell_cost_pct=[settings.sell_cost_fraction] * tickers,
        reward_scaling=settings.reward_scaling,
        state_space=1 + tickers * 4,
        action_space=tickers,
        tech_indicator_list=list(panel.feature_names),
        turbulence_threshold=settings.turbulence_threshold,
    )


@pytest.mark.parametrize("tickers", [1, 3])
@pytest.mark.parametrize("threshold", [None, 8.0])
def test_steps_as_finrl_does_on_a_pandas_frame(tickers: int, threshold: float | None) -> None:
    panel = make_panel(tickers)
    panel.turbulence[0] = 0.0  # FinRL takes the first session for calm whatever it was
    settings = make_settings(turbulence_threshold=threshold)
    theirs, ours = finrl_env(panel, settings), make(panel, turbulence_threshold=threshold)
    normalise = Normaliser(fit_normalisation(panel, 10_000, 10))
    np.testing.assert_array_equal(ours.reset()[0], normalise(np.array(theirs.reset()[0])))
    for action in random_actions(panel):
        their_state, their_reward, *_ = theirs.step(action)
        observation, reward, *_ = ours.step(action)
        np.testing.assert_array_equal(observation, normalise(np.array(their_state, dtype=float)))
        assert reward == their_reward


def test_moves_the_account_by_the_shared_trading_rule() -> None:
    panel = make_panel()
    environment, normalise = make(panel), Normaliser(fit_normalisation(panel, 10_000, 10))
    environment.reset()
    cash, shares = 10_000.0, np.zeros(3)
    for t, action in enumerate(random_actions(panel)):
        fill = execute(cash, shares, panel.close[t], (action * 40).astype(np.float64), 0.001, 0.002)
        cash, shares = fill.cash, fill.shares
        observation, *_ = environment.step(action)
        expected = normalise(observe(panel, t + 1, cash, shares, [0, 1]))
        np.testing.assert_allclose(observation, expected, rtol=1e-5, atol=1e-6)


def test_rewards_of_an_episode_sum_to_the_scaled_profit() -> None:
    panel = make_panel()
    environment = make(panel)
    environment.reset()
    rewards, ends = [], []
    cash, shares = 10_000.0, np.zeros(3)
    for t, action in enumerate(random_actions(panel)):
        fill = execute(cash, shares, panel.close[t], (action * 40).astype(np.float64), 0.001, 0.002)
        cash, shares = fill.cash, fill.shares
        _, reward, is_last, is_cut, info = environment.step(action)
        rewards.append(reward)
        ends.append(is_last)
        assert not is_cut
    assert ends == [False] * 28 + [True]
    profit = cash + shares @ panel.close[-1] - 10_000
    assert sum(rewards) == pytest.approx(profit * 0.001, rel=1e-9)
    assert info["episode"] == {"r": pytest.approx(sum(rewards)), "l": 29, "t": 0.0}


def test_finrl_pays_the_last_reward_twice_and_we_do_not() -> None:
    panel = make_panel()
    theirs = finrl_env(panel, make_settings())
    theirs.reset()
    rewards = [theirs.step(action)[1] for action in random_actions(panel)]
    _, reward_again, is_last, *_ = theirs.step(np.zeros(3, dtype=np.float32))
    assert is_last
    assert reward_again == rewards[-1] != 0
    ours = make(panel)
    ours.reset()
    assert [ours.step(action)[1] for action in random_actions(panel)] == rewards


def test_an_indicator_equal_to_one_does_not_stop_trading() -> None:
    panel = make_panel()
    panel.features[0, :, 0] = 1.0
    action = np.ones(3, dtype=np.float32)
    theirs = finrl_env(panel, make_settings())
    theirs.reset()
    assert theirs.step(action)[0][0] == 10_000  # FinRL buys nothing
    ours = make(panel)
    ours.reset()
    cash = ours.step(action)[0][0] * 5_000 + 5_000
    fill = execute(10_000, np.zeros(3), panel.close[0], np.full(3, 40.0), 0.001, 0.002)
    assert cash == pytest.approx(fill.cash, abs=0.01)
    assert fill.cash < 10_000


def test_first_session_can_be_turbulent() -> None:
    panel = make_panel()
    panel.turbulence[0] = 9.0
    environment = make(panel, turbulence_threshold=8.0)
    environment.reset()
    observation, *_ = environment.step(np.ones(3, dtype=np.float32))
    assert observation[0] == 1.0  # all of the cash is left
    assert environment.reset()[0][0] == 1.0


def test_keeps_no_state_of_past_episodes() -> None:
    panel = make_panel()
    environment = make(panel)
    for _ in range(3):
        environment.reset()
        for action in random_actions(panel):
            environment.step(action)
    assert len(environment._engine._env.state_memory) == len(panel.dates) - 1


def test_restored_environment_goes_on_as_the_first_did() -> None:
    panel = make_panel()
    first, second = make(panel), make(panel)
    first.reset(seed=1)
    first.action_space.seed(3)
    actions = random_actions(panel)
    for action in actions[:10]:
        first.step(action)
    second.restore(first.state())
    for action in actions[10:]:
        ours, theirs = first.step(action), second.step(action)
        np.testing.assert_array_equal(ours[0], theirs[0])
        assert ours[1:] == theirs[1:]
    np.testing.assert_array_equal(first.action_space.sample(), second.action_space.sample())


@pytest.mark.filterwarnings("ignore:.*For Box action spaces")
def test_passes_the_checkers_of_the_libraries() -> None:
    check_env(make(make_panel()))


def test_a_window_of_one_session_cannot_be_played() -> None:
    with pytest.raises(DataError, match="1 session"):
        make(make_panel(sessions=5).window(0, 1))
