"""A quick look at a trained policy on the validation window, beside equal weights."""

from MLOps.environments.stock_trading_arrays import trading_terms
from MLOps.evaluation.backtest import run_policy
from MLOps.evaluation.performance import measure
from MLOps.inference.policy import EqualWeightPolicy, Policy
from MLOps.market.panel import MarketPanel
from MLOps.settings.backtest import AccountSettings
from MLOps.settings.environment import EnvironmentSettings


def validate(
    policy: Policy, panel: MarketPanel, window: slice, environment: EnvironmentSettings, sessions_per_year: int
) -> dict[str, float]:
    """Figures of one backtest on the environment's own terms, orders filled at the close they were decided on.

    The account starts with cash alone, whatever the environment's initial shares, and without FinRL's faults.
    It tells whether training did anything; the verdict is the backtest stage's, on the test window.

    Parameters
    ----------
    policy : Policy
        As it will be registered.
    panel : MarketPanel
        The whole data; only rows up to each decision are read.
    window : slice
        Rows of the validation window.
    environment : EnvironmentSettings
        Account and costs.
    sessions_per_year : int
        To annualise.

    Returns
    -------
    dict of str to float
        Total return, Sharpe ratio, greatest drawdown, turnover, and the total return of equal weights; a figure
        that is undefined, such as the Sharpe ratio of an account that never traded, is left out.
    """
    terms = trading_terms(panel.tickers, environment)
    account = AccountSettings(
        starting_cash=environment.initial_amount,
        buy_cost_bps=0,  # this and what follows is in `terms`, by ticker
        sell_cost_bps=0,
        execution_lag_sessions=0,
        allow_fractional_shares=environment.is_fractional,
        slippage_bps=0,
        linear_impact_bps=0,
        root_impact_bps=0,
    )
    model = measure(run_policy(policy, panel, window, account, terms), sessions_per_year)
    equal = measure(run_policy(EqualWeightPolicy(), panel, window, account, terms), sessions_per_year)
    figures = {
        "validation_total_return": model.total_return,
        "validation_sharpe": model.sharpe,
        "validation_max_drawdown": model.max_drawdown,
        "validation_turnover": model.turnover,
        "validation_equal_weight_total_return": equal.total_return,
    }
    return {name: value for name, value in figures.items() if value is not None}
