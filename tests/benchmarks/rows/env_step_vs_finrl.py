"""Steps a second of our batched environment and of FinRL's ``StockTradingEnv``: 30 tickers, 8 features, 2,500 days."""

import logging

import env_speed
import numpy as np
from comparison import Measurement, Row, SizePoint, in_turns, require_equal
from env_speed import BATCH, BREADTH, HISTORY, N_ENVS, SESSIONS, TICKERS, Stepper
from finrl_peers import stable_sort_in_finrl, stock_trading_env
from our_environment import Float32Array, draw_actions, make_batch
from synthetic_market import make_panel

from MLOps.market.panel import MarketPanel

_LOG = logging.getLogger(__name__)
_RUNS, _PEER_STEPS, _PEER_STEPS_BY_SIZE, _CHECKED_STEPS = 5, 400, 60, 800
_PEER = "FinRL StockTradingEnv"


def check(panel: MarketPanel) -> str:
    """Observations and rewards of three accounts, step by step: mixed orders, mostly buys, mostly sells.

    FinRL's table is put to the test with a stable sort: its own leaves equal orders to the processor.
    """
    actions = draw_actions(_CHECKED_STEPS, 3, TICKERS)
    actions[:, 1] = np.abs(actions[:, 1]) * np.where(actions[:, 0] > 0.8, -1, 1)
    actions[:, 2] = -np.abs(actions[:, 2]) * np.where(actions[:, 0] > 0.5, -1, 1)
    batch = make_batch(panel, n_envs=3)
    batch.reset()
    steps = [batch.step(action) for action in actions]
    ours = np.stack([np.column_stack([step.observations, step.rewards]) for step in steps], axis=1)
    env = stock_trading_env(panel)
    with stable_sort_in_finrl():
        finrl = np.stack([_play_finrl(env, actions[:, e]) for e in range(3)])
    return require_equal("observations and rewards of 3 x 800 steps", ours, finrl, rtol=1e-9, atol=1e-9)


def _play_finrl(env: object, actions: Float32Array) -> np.ndarray:
    """(steps, D + 1) observations and rewards."""
    env.reset()
    return np.array([[*state, reward] for state, reward, *_ in map(env.step, actions)])


def measure(*, is_quick: bool) -> Measurement:
    """Check, time and chart."""
    panel = make_panel(SESSIONS, TICKERS)
    _LOG.info("checking")
    checked = check(panel)
    _LOG.info("timing")
    env, actions = stock_trading_env(panel), draw_actions(_PEER_STEPS, 1, TICKERS)[:, 0]
    ours = Stepper(make_batch(panel, N_ENVS))
    runs = 1 if is_quick else _RUNS
    timing = in_turns(lambda: env_speed.peer_steps_per_second(env, actions), ours.steps_per_second, runs)
    by_history = _by_history()
    return Measurement(
        timing=timing,
        check=checked,
        size={"sessions": SESSIONS, "tickers": TICKERS, "features": len(panel.feature_names), "n_envs": N_ENVS},
        notes=(
            "One core. FinRL plays one environment; a DummyVecEnv of several plays them one after the other.",
            "Both give FinRL's raw observation in float64; ours writes it into an array that is given.",
            "Actions are drawn beforehand, uniform in [-1, 1]; 100 shares at most, costs 0.1%.",
        ),
        details=_details(panel, ours) | {"slowest_to_fastest_history": _spread(by_history)},
        sizes=(*by_history, *(() if is_quick else (*_by_tickers(), *_by_n_envs(panel)))),
    )


def _details(panel: MarketPanel, ours: Stepper) -> dict[str, float]:
    normalised = Stepper(make_batch(panel, N_ENVS, env_speed.plain_normalisation(panel)))
    scattered = Stepper(make_batch(panel, N_ENVS, random_start=True))
    speeds = env_speed.in_rounds({"raw": ours, "normalised": normalised, "scattered": scattered})
    copies = ours.copies_per_second()
    return {
        "observation_copies_per_second": copies,
        "share_of_copy_bound": speeds["raw"] / copies,
        "normalised_float32_steps_per_second": speeds["normalised"],
        "share_of_copy_bound_normalised_float32": speeds["normalised"] / normalised.copies_per_second(),
        "random_start_steps_per_second": speeds["scattered"],
    }


def _spread(sizes: list[SizePoint]) -> float:
    """Our cost at the dearest size to that at the cheapest; 1 is flat."""
    costs = [point.microseconds for point in sizes if point.who == "ours"]
    return max(costs) / min(costs)


def _by_history() -> list[SizePoint]:
    _LOG.info("by length of history: %s", HISTORY)
    panels = {sessions: make_panel(sessions, TICKERS) for sessions in HISTORY}
    ours = env_speed.in_rounds({sessions: Stepper(make_batch(panel, N_ENVS)) for sessions, panel in panels.items()})
    return [*env_speed.points("history_sessions", "ours", ours), *_peer("history_sessions", panels)]


def _by_tickers() -> list[SizePoint]:
    _LOG.info("by number of tickers: %s", BREADTH)
    panels = {tickers: make_panel(SESSIONS, tickers) for tickers in BREADTH}
    ours = env_speed.in_rounds({tickers: Stepper(make_batch(panel, N_ENVS)) for tickers, panel in panels.items()})
    return [*env_speed.points("tickers", "ours", ours), *_peer("tickers", panels)]


def _by_n_envs(panel: MarketPanel) -> list[SizePoint]:
    _LOG.info("by number of environments: %s", BATCH)
    ours = env_speed.in_rounds({n_envs: Stepper(make_batch(panel, n_envs)) for n_envs in BATCH})
    return [*env_speed.points("n_envs", "ours", ours), *_peer("n_envs", {1: panel})]


def _peer(axis: str, panels: dict[int, MarketPanel]) -> list[SizePoint]:
    speeds = {
        size: env_speed.peer_steps_per_second(
            stock_trading_env(panel), draw_actions(_PEER_STEPS_BY_SIZE, 1, len(panel.tickers))[:, 0]
        )
        for size, panel in panels.items()
    }
    return env_speed.points(axis, _PEER, speeds)


ROW = Row(unit="steps/s", is_higher_better=True, target_ratio=2_000.0, measure=measure)
