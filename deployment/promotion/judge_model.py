"""The gates: each measures one figure and holds it against one threshold. What is undecided does not pass."""

from pathlib import Path

import numpy as np

from deployment.promotion.read_backtest import Backtest
from MLOps.errors import DataError, ModelError
from MLOps.evaluation.significance import sharpe_difference
from MLOps.inference.policy import Policy, load_policy
from MLOps.market.panel import MarketPanel, read_panel
from MLOps.settings.promotion import PromotionSettings
from model_registry.verdict import GateResult


def judge(
    model_folder: Path, model_digest: str, features_path: Path, backtest: Backtest, settings: PromotionSettings
) -> tuple[GateResult, ...]:
    """Every gate's result, in a fixed order; all are listed, even where an earlier one did not pass.

    Parameters
    ----------
    model_folder : Path
        Fetched from the registry, its digest already checked.
    features_path : Path
        The features that the backtest ran on.

    Raises
    ------
    DataError
        If the features file is missing or malformed.
    """
    loads, policy = model_loads(model_folder, model_digest)
    schema, panel = observation_schema(policy, features_path)
    gates = settings.gates
    return (
        loads,
        schema,
        forward_pass(policy, panel, backtest, gates.forward_pass_cash),
        at_most("max_drawdown", backtest.performance.max_drawdown, gates.max_drawdown_fraction),
        at_most("turnover_per_year", backtest.performance.turnover, gates.max_turnover_per_year),
        sharpe_bound(backtest, settings),
    )


def model_loads(folder: Path, digest: str) -> tuple[GateResult, Policy | None]:
    """Gate: the folder is a model of a kind that this platform runs."""
    gate, threshold = "model_loads", "a model of a known kind"
    try:
        policy = load_policy(folder, digest)
    except ModelError as error:
        return _result(gate, None, threshold, False, f"the model does not load: {error}"), None
    return _result(gate, policy.kind, threshold, True, "the model loads"), policy


def observation_schema(policy: Policy | None, features_path: Path) -> tuple[GateResult, MarketPanel | None]:
    """Gate: the features hold the tickers and indicators that the model was trained on."""
    gate, threshold = "observation_schema", "the features' tickers and indicators"
    read_panel(features_path, ())  # a broken file is an error, not a verdict
    if policy is None:
        return _result(gate, None, threshold, False, "no schema without a model"), None
    try:
        panel = read_panel(features_path, policy.indicators)
        policy.check(panel)
    except (DataError, ModelError) as error:
        return _result(gate, None, threshold, False, f"the observation schema does not match: {error}"), None
    figure = f"{len(panel.tickers)} tickers, {len(policy.indicators)} indicators"
    return _result(gate, figure, threshold, True, "the observation schema matches"), panel


def forward_pass(policy: Policy | None, panel: MarketPanel | None, backtest: Backtest, cash: float) -> GateResult:
    """Gate: on every session of the backtest, an account of cash alone gets finite orders."""
    gate, threshold = "finite_forward_pass", 1.0
    if policy is None or panel is None:
        return _result(gate, None, threshold, False, "no forward pass without a model that fits the features")
    rows = panel.rows_between(backtest.first, backtest.last)
    nothing = np.zeros(len(panel.tickers))
    orders = np.stack([policy.orders(panel, t, cash, nothing) for t in range(rows.start, rows.stop)])
    share = float(np.isfinite(orders).all(axis=1).mean())
    return _result(gate, share, threshold, share == threshold, f"orders are finite on {share:.1%} of the sessions")


def at_most(gate: str, figure: float | None, limit: float) -> GateResult:
    """Gate: a figure of the backtest lies at or below its limit."""
    if figure is None:
        return _result(gate, None, limit, False, f"{gate} is undefined")
    passed = figure <= limit
    return _result(gate, figure, limit, passed, f"{gate} {figure:.4g} is {'within' if passed else 'above'} {limit:g}")


def sharpe_bound(backtest: Backtest, settings: PromotionSettings) -> GateResult:
    """Gate: the lower bootstrap bound of the Sharpe difference to the champion lies above minus the margin."""
    gate, threshold = "sharpe_difference_lower", -settings.gates.sharpe_margin
    found = sharpe_difference(
        backtest.model_returns, backtest.champion_returns, settings.sessions_per_year, settings.bootstrap
    )
    if found is None:
        return _result(gate, None, threshold, False, "the Sharpe difference to the champion is undefined")
    passed = found.lower > threshold
    told = (
        f"Sharpe difference to the champion {found.difference:+.2f}, "
        f"{found.confidence_fraction:.0%} interval {found.lower:+.2f} to {found.upper:+.2f}: "
        f"its lower end is {'above' if passed else 'not above'} {threshold:+.2f}"
    )
    return _result(gate, found.lower, threshold, passed, told)


def _result(gate: str, figure: float | str | None, threshold: float | str, passed: bool, reason: str) -> GateResult:
    if isinstance(figure, float) and not np.isfinite(figure):
        figure, passed = None, False
    return GateResult(gate=gate, figure=figure, threshold=threshold, passed=passed, reason=reason)
