"""Steps a second of our batched environment and of FinRL's ``StockTradingEnv``: 30 tickers, 8 features, 2,500 days.

In the comparison every account begins at the first session, as FinRL's does, so that all of them read one row of the
market, which stays in the cache. Training begins at random sessions instead: then a thousand accounts read rows from
all over the history. Speed and its dependence on the length of history are measured both ways.
"""

import logging
from typing import NamedTuple

import env_speed
import numpy as np
from comparison import Demand, Measurement, Row, SizePoint, in_turns, require_equal
from env_speed import BATCH, BREADTH, HISTORY, N_ENVS, SESSIONS, TICKERS, Stepper
from finrl_peers import stable_sort_in_finrl, stock_trading_env
from our_environment import Float32Array, draw_actions, make_batch
from synthetic_market import make_panel

from MLOps.market.panel import MarketPanel

_LOG = logging.getLogger(__name__)
_RUNS, _PEER_STEPS, _PEER_STEPS_BY_SIZE, _CHECKED_STEPS = 5, 400, 60, 800
_PEER = "FinRL StockTradingEnv"
_FASTEST_AIM, _FLAT = 2e6, 1.15  # steps/s; dearest length of history to cheapest
_RANDOM = {"random_start": True, "episode_sessions": 252}


class ByHistory(NamedTuple):
    """Our steps a second by length of history.

    Attributes
    ----------
    lockstep : dict of int to float
        All accounts at the same session, from the first on.
    random : dict of int to float
        From random sessions on, in episodes of a year.
    """

    lockstep: dict[int, float]
    random: dict[int, float]


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
    panels = {sessions: make_panel(sessions, TICKERS) for sessions in HISTORY}
    by_history = _by_history(panels)
    details, shares = _details(panel, ours)
    return Measurement(
        timing=timing,
        check=checked,
        size={"sessions": SESSIONS, "tickers": TICKERS, "features": len(panel.feature_names), "n_envs": N_ENVS},
        demands=_demands(timing.ours, by_history),
        findings=(
            f"ours by days of history, in step: {_in_words(by_history.lockstep)}",
            f"ours by days of history, from random sessions: {_in_words(by_history.random)}",
            shares,
        ),
        notes=(
            "One core. FinRL plays one environment; a DummyVecEnv of several plays them one after the other.",
            "Both give FinRL's raw observation in float64; ours writes it into an array that is given.",
            "Actions are drawn beforehand, uniform in [-1, 1]; 100 shares at most, costs 0.1%.",
            "Compared in step: all accounts begin at the first session, as FinRL's does, and read one row of the "
            "market, which stays in the cache; from random sessions (episodes of 252) they read rows from all over it.",
        ),
        details=details | {f"{name}_steps_per_second_by_history": by for name, by in by_history._asdict().items()},
        sizes=(*_points(by_history, panels), *(() if is_quick else (*_by_tickers(), *_by_n_envs(panel)))),
    )


def _demands(in_step: float, by_history: ByHistory) -> tuple[Demand, ...]:
    return (
        Demand("ours in step (an aim)", in_step, _FASTEST_AIM, "steps/s", is_floor=True),
        Demand(
            "ours from random sessions (an aim)", by_history.random[SESSIONS], _FASTEST_AIM, "steps/s", is_floor=True
        ),
        Demand("dearest history to cheapest, in step", _spread(by_history.lockstep), _FLAT, "", is_floor=False),
        Demand(
            "dearest history to cheapest, from random sessions", _spread(by_history.random), _FLAT, "", is_floor=False
        ),
    )


def _in_words(speeds: dict[int, float]) -> str:
    return ", ".join(f"{size:,}: {speed / 1e6:.2f}" for size, speed in speeds.items()) + " million steps/s"


def _spread(speeds: dict[int, float]) -> float:
    """Cost at the dearest size to that at the cheapest; 1 is flat."""
    return max(speeds.values()) / min(speeds.values())


def _details(panel: MarketPanel, ours: Stepper) -> tuple[dict[str, object], str]:
    """How near the steps come to copying their observations, in figures and in words."""
    normalised = Stepper(make_batch(panel, N_ENVS, env_speed.plain_normalisation(panel)))
    speeds = env_speed.in_rounds({"raw": ours, "normalised": normalised})
    copies = ours.copies_per_second()
    raw, float32 = speeds["raw"] / copies, speeds["normalised"] / normalised.copies_per_second()
    details = {
        "observation_copies_per_second": copies,
        "share_of_copy_bound": raw,
        "normalised_float32_steps_per_second": speeds["normalised"],
        "share_of_copy_bound_normalised_float32": float32,
    }
    told = f"a step takes {1 / raw:.1f} times the copy of its observation ({1 / float32:.1f} normalised, float32)"
    return details, told


def _by_history(panels: dict[int, MarketPanel]) -> ByHistory:
    """All sizes of both ways in the same rounds."""
    _LOG.info("by length of history: %s", HISTORY)
    ways = {"lockstep": {}, "random": _RANDOM}
    speeds = env_speed.in_rounds(
        {
            (way, sessions): Stepper(make_batch(panel, N_ENVS, **changes))
            for way, changes in ways.items()
            for sessions, panel in panels.items()
        }
    )
    return ByHistory(**{way: {sessions: speeds[way, sessions] for sessions in panels} for way in ways})


def _points(by_history: ByHistory, panels: dict[int, MarketPanel]) -> list[SizePoint]:
    return [
        *env_speed.points("history_sessions", "ours", by_history.lockstep),
        *env_speed.points("history_sessions", "ours, random starts", by_history.random),
        *_peer("history_sessions", panels),
    ]


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
