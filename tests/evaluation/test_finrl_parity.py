"""Without lag and on FinRL's costs, a backtest is FinRL's environment to the last cent."""

import numpy as np
import pytest

from MLOps.evaluation.backtest import run_policy

HMAX = 100


class Recorded:
    """FinRL's reading of actions in [-1, 1], one row a session."""

    def __init__(self, actions):
        self.actions = actions

    def orders(self, _panel, t, _cash, _shares):
        return np.trunc(self.actions[t] * HMAX)


@pytest.fixture(scope="module")
def stock_trading_env():
    from finrl.meta.env_stock_trading.env_stocktrading import StockTradingEnv

    return StockTradingEnv


@pytest.mark.parametrize(("tickers", "cash", "seed"), [(2, 20_000, 0), (6, 100_000, 1), (12, 30_000, 2)])
def test_wealth_equals_finrls_asset_memory(stock_trading_env, make_panel, make_account, tickers, cash, seed):
    panel = make_panel(sessions=90, tickers=tickers, seed=seed)
    # no two orders are equal: FinRL fills equal ones in an order that depends on the processor
    generator = np.random.default_rng(seed)
    orders = np.array([generator.choice(np.arange(-HMAX, HMAX), tickers, replace=False) for _ in range(90)])
    actions = ((orders + 0.5) / HMAX).astype(np.float32)
    environment = stock_trading_env(
        df=panel.to_frame(),
        stock_dim=tickers,
        hmax=HMAX,
        initial_amount=cash,
        num_stock_shares=[0] * tickers,
        buy_cost_pct=[0.001] * tickers,
        sell_cost_pct=[0.002] * tickers,
        reward_scaling=1.0,
        state_space=1 + 3 * tickers,
        action_space=tickers,
        tech_indicator_list=["noise"],  # FinRL freezes a ticker whose first indicator is 1; noise never is
    )
    environment.reset()
    for action in actions[:-1]:
        environment.step(action)

    account = make_account(starting_cash=cash, buy_cost_bps=10, sell_cost_bps=20)
    path = run_policy(Recorded(actions), panel, slice(0, 90), account)

    np.testing.assert_allclose(path.wealth, environment.asset_memory, rtol=1e-9)
    np.testing.assert_allclose(path.costs.sum(), environment.cost, rtol=1e-9)
    np.testing.assert_array_equal(path.shares[-1], environment.state[1 + tickers : 1 + 2 * tickers])
