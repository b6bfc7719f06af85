"""The largest market that is meant to work: 500 tickers over 10,000 sessions, stepped by 4,096 accounts at once."""

import logging
from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

import numpy as np
from backtest_inputs import draw_weights
from conservation import Audit
from endurance import Endured, Memory, NotSoundError
from finrl_peers import INITIAL_CASH, REWARD_SCALING
from machine import resident_mib
from our_environment import draw_actions, make_batch
from synthetic_market import make_panel

from MLOps.evaluation.backtest import run_weights
from MLOps.market.panel import MarketPanel
from MLOps.settings.backtest import AccountSettings

_LOG = logging.getLogger(__name__)
_SESSIONS, _TICKERS, _N_ENVS = 10_000, 500, 4_096
_QUICK_SESSIONS, _QUICK_TICKERS, _QUICK_N_ENVS = 400, 50, 64
_SECONDS, _QUICK_SECONDS = 60.0, 1.0
_EPISODE_SESSIONS = 252
_ACCOUNT = AccountSettings(
    starting_cash=1e6,
    buy_cost_bps=10,
    sell_cost_bps=10,
    execution_lag_sessions=1,
    allow_fractional_shares=False,
    slippage_bps=0,
    linear_impact_bps=0,
    root_impact_bps=0,
)

Result = TypeVar("Result")


def endure(*, is_quick: bool) -> Endured:
    """Build the market with its eight indicators, step it, and backtest over all of it."""
    sessions, tickers, n_envs = (
        (_QUICK_SESSIONS, _QUICK_TICKERS, _QUICK_N_ENVS) if is_quick else (_SESSIONS, _TICKERS, _N_ENVS)
    )
    panel, building = _timed("building the market", lambda: make_panel(sessions, tickers))
    audit, speed, memory = _step(panel, n_envs, _QUICK_SECONDS if is_quick else _SECONDS)
    backtesting = _backtest(panel)
    return Endured(
        check=f"wealth kept to 1e-9 in {audit.steps:,} steps; the backtest's wealth is finite and positive",
        findings=(
            f"{tickers} tickers x {sessions:,} sessions x {len(panel.feature_names)} features, {n_envs:,} accounts",
            f"market with indicators {building:.1f} s, backtest of daily weights {backtesting:.2f} s",
            f"{speed:,.0f} steps/s of single accounts, {resident_mib():,.0f} MiB resident in the end",
            f"{memory.in_words()} of stepping",
        ),
        figures={
            "sessions": sessions,
            "tickers": tickers,
            "n_envs": n_envs,
            "market_seconds": building,
            "steps_per_second": speed,
            "backtest_seconds": backtesting,
            "resident_mib": resident_mib(),
        }
        | memory.figures(),
    )


def _step(panel: MarketPanel, n_envs: int, seconds: float) -> tuple[Audit, float, Memory]:
    """Step from random starts on, half of the time audited; steps a second of the other half."""
    batch = make_batch(panel, n_envs, random_start=True, episode_sessions=_EPISODE_SESSIONS)
    audit = Audit(batch, panel, INITIAL_CASH, REWARD_SCALING)
    actions, observations = draw_actions(2, n_envs, len(panel.tickers)), batch.reset()
    audit.step(actions[0], observations)  # warm: compiled, and past the first allocations
    memory = Memory()
    _LOG.info("stepping, audited")
    start = perf_counter()
    while perf_counter() - start < seconds / 2:
        audit.step(actions[0], observations)
        audit.step(actions[1], observations)
        memory.look()
    _LOG.info("stepping")
    start, steps = perf_counter(), 0
    while perf_counter() - start < seconds / 2:
        batch.step(actions[0], observations)
        batch.step(actions[1], observations)
        steps += 2 * n_envs
    speed = steps / (perf_counter() - start)
    memory.look()
    return audit, speed, memory


def _backtest(panel: MarketPanel) -> float:
    """Seconds of a backtest, after the first one has compiled it."""
    sessions, tickers = panel.close.shape
    weights = draw_weights(sessions, tickers)
    run_weights(weights[:3], panel, slice(0, 3), _ACCOUNT)
    trajectory, seconds = _timed("backtest", lambda: run_weights(weights, panel, slice(0, sessions), _ACCOUNT))
    if not (np.isfinite(trajectory.wealth) & (trajectory.wealth > 0)).all():
        raise NotSoundError("the backtest's wealth is not finite and positive throughout")
    return seconds


def _timed(what: str, make: Callable[[], Result]) -> tuple[Result, float]:
    _LOG.info(what)
    start = perf_counter()
    made = make()
    return made, perf_counter() - start
