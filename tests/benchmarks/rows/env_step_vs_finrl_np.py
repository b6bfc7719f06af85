"""Steps a second of our batched environment and of FinRL's NumPy environment: 30 tickers, 8 features, 2,500 days.

The two keep one rule in two calendars: at step k, ours trades at the prices it has shown (day k), FinRL's NumPy
environment at the next ones (day k + 1). So ours is given the market from day 1 on, and its account after step k
is compared with the peer's. What differs and is set aside is told in the row's notes.
"""

import logging

import env_speed
import numpy as np
from comparison import Measurement, Row, SizePoint, in_turns, require_equal
from env_speed import BREADTH, HISTORY, N_ENVS, SESSIONS, TICKERS, Stepper
from finrl_peers import numpy_env
from our_environment import draw_actions, make_batch
from synthetic_market import make_panel

from MLOps.market.panel import MarketPanel

_LOG = logging.getLogger(__name__)
_RUNS, _PEER_STEPS = 5, 2_400
_AMPLE_CASH = 1e9  # every order of the episode can be paid, so that neither side's cash limit shows
_PEER = "FinRL env_stocktrading_np"


def check(panel: MarketPanel) -> str:
    """Cash and shares after each step of an episode, where cash is ample.

    The peer's own code runs in double precision here: its float32 cash would drift by 1e-5.
    """
    actions = draw_actions(len(panel.dates) - 2, 1, TICKERS)
    env = numpy_env(panel, _AMPLE_CASH)
    env.price_ary = panel.close
    env.reset()
    env.stocks = env.stocks.astype(np.float64)
    batch = make_batch(panel.window(1, len(panel.dates)), 1, initial_amount=_AMPLE_CASH)
    batch.reset()
    ours, finrl = [], []
    for action in actions:
        observation = batch.step(action).observations[0]
        env.step(action[0])
        ours.append(np.r_[observation[0], observation[1 + TICKERS : 1 + 2 * TICKERS]])
        finrl.append(np.r_[env.amount, env.stocks])
    *ours, _ = ours  # our last step ends the episode and shows the next one's first account
    *finrl, _ = finrl
    return require_equal("cash and shares after each step of an episode", ours, finrl, rtol=1e-9)


def measure(*, is_quick: bool) -> Measurement:
    """Check, time and chart."""
    panel = make_panel(SESSIONS, TICKERS)
    _LOG.info("checking")
    checked = check(panel)
    _LOG.info("timing")
    env, actions = numpy_env(panel), draw_actions(_PEER_STEPS, 1, TICKERS)[:, 0]
    ours = Stepper(make_batch(panel, N_ENVS))
    runs = 1 if is_quick else _RUNS
    timing = in_turns(lambda: env_speed.peer_steps_per_second(env, actions), ours.steps_per_second, runs)
    return Measurement(
        timing=timing,
        check=checked,
        size={"sessions": SESSIONS, "tickers": TICKERS, "features": len(panel.feature_names), "n_envs": N_ENVS},
        notes=(
            "Same: orders cut to whole shares, sells within what is held, costs, and the account that follows.",
            "Not the same, and not compared: the peer's cash limit forgets the cost and its buys come in the tickers' "
            "order, ours in the order of size (both show only when cash is short: checked with a billion, timed with a "
            "million); its prices and cash are float32; "
            "its observation is scaled, and has days since the last trade and turbulence besides.",
            "Set so that both do the same: min_stock_rate=0, no random start, turbulence beyond reach.",
            "The peer trades at the next day's price, which the agent has not seen.",
        ),
        sizes=() if is_quick else _by_size(timing.peer),
    )


def _by_size(alone: float) -> tuple[SizePoint, ...]:
    """Every point of the peer; it plays one environment, at `alone` steps a second."""
    by_history = _points("history_sessions", {sessions: make_panel(sessions, TICKERS) for sessions in HISTORY})
    by_tickers = _points("tickers", {tickers: make_panel(SESSIONS, tickers) for tickers in BREADTH})
    return (*by_history, *by_tickers, *env_speed.points("n_envs", _PEER, {1: alone}))


def _points(axis: str, panels: dict[int, MarketPanel]) -> list[SizePoint]:
    """The peer's part of the chart; ours comes with the row env_step_vs_finrl."""
    _LOG.info("size: %s = %s", axis, tuple(panels))
    speeds = {}
    for size, panel in panels.items():
        actions = draw_actions(len(panel.dates) - 2, 1, len(panel.tickers))[:1_000, 0]
        speeds[size] = env_speed.peer_steps_per_second(numpy_env(panel), actions)
    return env_speed.points(axis, _PEER, speeds)


ROW = Row(unit="steps/s", is_higher_better=True, target_ratio=50.0, measure=measure)
