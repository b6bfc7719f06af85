"""The gates: each measures one figure and holds it against one threshold. What is undecided does not pass."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from deployment.promotion.gate_result import at_most, gate_result
from deployment.promotion.read_backtest import Backtest
from MLOps.errors import DataError, ModelError
from MLOps.evaluation.performance import annual_return
from MLOps.evaluation.significance import sharpe_difference
from MLOps.inference.news_scorer import other_scorer
from MLOps.inference.policy import MlpActorPolicy, Policy, load_policy
from MLOps.market.panel import MarketPanel, read_panel
from MLOps.settings.backtest import EvaluationTerms
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
    dates = read_panel(features_path, ()).dates  # a broken file is an error, not a verdict
    schema, panel = observation_schema(policy, features_path)
    gates, evidence = settings.gates, settings.evidence
    return (
        loads,
        schema,
        forward_pass(policy, panel, backtest, gates.forward_pass_cash),
        evaluation_terms(backtest, evidence.terms),
        whole_window(backtest, dates, evidence.split.test_sessions),
        at_most("max_drawdown", backtest.performance.max_drawdown, gates.max_drawdown_fraction),
        at_most("turnover_per_year", backtest.performance.turnover, gates.max_turnover_per_year),
        return_difference(backtest, evidence.terms, gates.min_annual_return_difference),
        sharpe_bound(backtest, evidence.terms, gates.sharpe_margin),
    )


def model_loads(folder: Path, digest: str) -> tuple[GateResult, Policy | None]:
    """Gate: the folder is a model of a kind that this platform runs."""
    gate, threshold = "model_loads", "a model of a known kind"
    try:
        policy = load_policy(folder, digest)
    except ModelError as error:
        return gate_result(gate, None, threshold, False, f"the model does not load: {error}"), None
    return gate_result(gate, policy.kind, threshold, True, "the model loads"), policy


def observation_schema(policy: Policy | None, features_path: Path) -> tuple[GateResult, MarketPanel | None]:
    """Gate: the features hold the tickers, the indicators and the sentiment that the model was trained on."""
    gate, threshold = "observation_schema", "the features' tickers and indicators"
    if policy is None:
        return gate_result(gate, None, threshold, False, "no schema without a model"), None
    try:
        panel = read_panel(features_path, policy.indicators)
        policy.check(panel)
    except (DataError, ModelError) as error:
        return gate_result(gate, None, threshold, False, f"the observation schema does not match: {error}"), None
    if isinstance(policy, MlpActorPolicy) and (told := other_scorer(policy.card, features_path)):
        return gate_result(gate, None, threshold, False, f"the observation schema does not match: {told}"), panel
    figure = f"{len(panel.tickers)} tickers, {len(policy.indicators)} indicators"
    return gate_result(gate, figure, threshold, True, "the observation schema matches"), panel


def forward_pass(policy: Policy | None, panel: MarketPanel | None, backtest: Backtest, cash: float) -> GateResult:
    """Gate: on every session of the backtest, an account of cash alone gets finite orders."""
    gate, threshold = "finite_forward_pass", 1.0
    if policy is None or panel is None:
        return gate_result(gate, None, threshold, False, "no forward pass without a model that fits the features")
    rows = panel.rows_between(backtest.first, backtest.last)
    nothing = np.zeros(len(panel.tickers))
    orders = np.stack([policy.orders(panel, t, cash, nothing) for t in range(rows.start, rows.stop)])
    share = float(np.isfinite(orders).all(axis=1).mean())
    return gate_result(gate, share, threshold, share == threshold, f"orders are finite on {share:.1%} of the sessions")


def evaluation_terms(backtest: Backtest, demanded: EvaluationTerms) -> GateResult:
    """Gate: the backtest had the account and the year that count; a what-if with other costs or no lag does not."""
    figures, thresholds = _terms(backtest.scorecard.terms), _terms(demanded)
    others = [
        f"{name} {_typeset(figures[name])}, not {_typeset(thresholds[name])}"
        for name in figures
        if figures[name] != thresholds[name]
    ]
    told = f"the backtest had {', '.join(others)}" if others else "the backtest had the terms that count"
    return gate_result("evaluation_terms", _listed(figures), _listed(thresholds), not others, told)


def whole_window(backtest: Backtest, dates: npt.NDArray[np.datetime64], sessions: int) -> GateResult:
    """Gate: the backtest traded the last sessions of the features, no fewer and no others; nobody picked them."""
    found = f"{backtest.first} to {backtest.last}, {backtest.scorecard.sessions} sessions"
    window = dates[-sessions:]
    wanted = f"{window[0]} to {window[-1]}, {sessions} sessions"
    passed = found == wanted
    told = f"the backtest traded {found}" + ("" if passed else f", not {wanted}")
    return gate_result("test_window", found, wanted, passed, told)


def return_difference(backtest: Backtest, terms: EvaluationTerms, least: float) -> GateResult:
    """Gate: the model earned as much as the champion; where both lose, a Sharpe ratio rises with the volatility."""
    model, champion = (
        annual_return(np.append(1.0, np.cumprod(1 + returns)), terms.sessions_per_year)
        for returns in (backtest.model_returns, backtest.champion_returns)
    )
    passed = model - champion >= least
    told = (
        f"yearly return {model:+.2%} {'reaches' if passed else 'is below'} the champion's {champion:+.2%} {least:+.2%}"
    )
    return gate_result("annual_return_difference", model - champion, least, passed, told)


def sharpe_bound(backtest: Backtest, terms: EvaluationTerms, margin: float) -> GateResult:
    """Gate: the lower bootstrap bound of the Sharpe difference to the champion lies above minus the margin."""
    gate, threshold = "sharpe_difference_lower", -margin
    found = sharpe_difference(
        backtest.model_returns, backtest.champion_returns, terms.sessions_per_year, terms.bootstrap
    )
    if found is None:
        return gate_result(gate, None, threshold, False, "the Sharpe difference to the champion is undefined")
    passed = found.lower > threshold
    told = (
        f"Sharpe difference to the champion {found.difference:+.2f}, "
        f"{found.confidence_fraction:.0%} interval {found.lower:+.2f} to {found.upper:+.2f}: "
        f"its lower end is {'above' if passed else 'not above'} {threshold:+.2f}"
    )
    return gate_result(gate, found.lower, threshold, passed, told)


def _terms(terms: EvaluationTerms) -> dict[str, float]:
    return {**terms.account.model_dump(), "sessions_per_year": terms.sessions_per_year}


def _listed(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {_typeset(value)}" for name, value in values.items())


def _typeset(value: float) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"
