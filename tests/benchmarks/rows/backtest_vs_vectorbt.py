"""Target weights over 30 tickers and 2,500 sessions, with costs: arrays in, the account's value at each close out.

vectorbt's value stands after the orders of a close, ours (``Trajectory.wealth``) before them; between the two lie
that close's costs. Ours orders nothing at the last close, because no return would tell of it, so neither side is
given a weight there.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from backtest_inputs import BacktestInputs, draw_weights
from comparison import Demand, Measurement, Row, SizePoint, in_turns, require_equal, seconds_per_call
from peer_process import PeerProcess, installed_peer, peer_process
from synthetic_market import days, make_prices, ticker_names

from MLOps.evaluation.backtest import run_weights
from MLOps.market.panel import MarketPanel
from MLOps.settings.backtest import AccountSettings

_LOG = logging.getLogger(__name__)
_SESSIONS, _TICKERS, _RUNS, _RUNS_BY_SIZE = 2_500, 30, 15, 3
_HISTORY, _BREADTH = (1_250, 5_000, 10_000), (5, 100, 500)  # beside 2,500 x 30
_CASH, _COST_FRACTION = 1e6, 1e-3
_MOST_MS = 30.6  # what vectorbt took when the target was set
_QUANTITY = "backtest of one session"
_SCRIPT = Path(__file__).parents[1] / "vectorbt_peer.py"

FloatArray = npt.NDArray[np.float64]


class Peer(NamedTuple):
    """vectorbt, warm, over its copy of the inputs; `value` (T,) is what it makes of them."""

    process: PeerProcess
    value: FloatArray


def make_inputs(sessions: int, tickers: int) -> BacktestInputs:
    """New weights at every close but the last."""
    weights = draw_weights(sessions, tickers)
    weights[-1] = np.nan
    return BacktestInputs(make_prices(sessions, tickers).close, weights, _CASH, _COST_FRACTION)


@contextmanager
def vectorbt_over(inputs: BacktestInputs) -> Iterator[Peer]:
    """vectorbt in its own interpreter, as long as the context is open."""
    with TemporaryDirectory() as folder:
        given, equity = Path(folder, "inputs.npz"), Path(folder, "equity.npy")
        inputs.save(given)
        with peer_process(installed_peer("vectorbt"), _SCRIPT, [given, equity]) as process:
            yield Peer(process, np.load(equity))


class Ours:
    """`run_weights` over the same inputs: shares in parts, orders filled at the close they are decided on."""

    def __init__(self, inputs: BacktestInputs) -> None:
        sessions, tickers = inputs.close.shape
        panel = MarketPanel(
            dates=days(sessions),
            tickers=ticker_names(tickers),
            close=inputs.close,
            features=np.empty((sessions, tickers, 0)),
            feature_names=(),
            turbulence=np.zeros(sessions),
        )
        self._run = partial(run_weights, inputs.weights, panel, slice(0, sessions), _account(inputs))
        self.sessions = sessions
        self.value()  # compiles

    def value(self) -> FloatArray:
        """(T,) value after the orders of each close, as vectorbt has it."""
        trajectory = self._run()
        return trajectory.wealth - trajectory.costs

    def milliseconds(self) -> float:
        """Time of a backtest."""
        return 1e3 * seconds_per_call(self._run)


def measure(*, is_quick: bool) -> Measurement:
    """Check, time and chart."""
    inputs = make_inputs(_SESSIONS, _TICKERS)
    ours = Ours(inputs)
    with vectorbt_over(inputs) as vectorbt:
        _LOG.info("checking")
        checked = check(ours, vectorbt)
        _LOG.info("timing")
        answers: list[dict[str, float]] = []

        def peer() -> float:
            answers.append(vectorbt.process.run())
            return answers[-1]["simulate_ms"]

        timing = in_turns(peer, ours.milliseconds, _RUNS_BY_SIZE if is_quick else _RUNS)
        versions = vectorbt.process.greeting
    with_value = median(answer["simulate_and_value_ms"] for answer in answers)
    main = [_point("history_sessions", _SESSIONS, ours.sessions, timing.ours, timing.peer)]
    main += [_point("tickers", _TICKERS, ours.sessions, timing.ours, timing.peer)]
    return Measurement(
        timing=timing,
        check=checked,
        size={"sessions": _SESSIONS, "tickers": _TICKERS, "orders": int(np.isfinite(inputs.weights).sum())},
        demands=(Demand("our backtest", timing.ours, _MOST_MS, "ms", is_floor=False),),
        findings=(
            f"vectorbt with .value(): {with_value:.1f} ms, {with_value / timing.ours:.1f} times ours, "
            "which has the value at each close already",
        ),
        notes=(
            "The peer's figure is from_orders alone, without the value that was compared; ours includes value, weights "
            "held, turnover and costs at each close.",
            "Shares in parts, orders filled at the close they are decided on, cost 0.1%, weights that sum to 0.97: "
            "vectorbt fills in another order, which shows only when cash is short.",
            "vectorbt's value is taken after a close's orders; ours before them, less their costs, is the same.",
        ),
        details={"peer_with_value_ms": with_value, "ratio_with_value": with_value / timing.ours, **versions},
        sizes=tuple(point for pair in (*main, *([] if is_quick else _by_size())) for point in pair),
    )


def check(ours: Ours, vectorbt: Peer) -> str:
    """The account's value after the orders of each close."""
    return require_equal("value of the account at each close", ours.value(), vectorbt.value, rtol=1e-6)


def _account(inputs: BacktestInputs) -> AccountSettings:
    cost_bps = 1e4 * inputs.cost_fraction
    return AccountSettings(
        starting_cash=inputs.starting_cash,
        buy_cost_bps=cost_bps,
        sell_cost_bps=cost_bps,
        execution_lag_sessions=0,
        allow_fractional_shares=True,
        slippage_bps=0,
        linear_impact_bps=0,
        root_impact_bps=0,
    )


def _by_size() -> Iterator[list[SizePoint]]:
    for axis, sizes in (("history_sessions", _HISTORY), ("tickers", _BREADTH)):
        for size in sizes:
            _LOG.info("size: %s = %d", axis, size)
            inputs = make_inputs(size, _TICKERS) if axis == "history_sessions" else make_inputs(_SESSIONS, size)
            ours = Ours(inputs)
            with vectorbt_over(inputs) as vectorbt:
                check(ours, vectorbt)
                timing = in_turns(
                    lambda: vectorbt.process.run()["simulate_ms"],
                    ours.milliseconds,
                    _RUNS_BY_SIZE,
                )
            yield _point(axis, size, ours.sessions, timing.ours, timing.peer)


def _point(axis: str, size: int, sessions: int, ours_ms: float, peer_ms: float) -> list[SizePoint]:
    figures = {"ours": ours_ms, "vectorbt from_orders": peer_ms}
    return [SizePoint(_QUANTITY, axis, size, who, 1e3 * ms / sessions) for who, ms in figures.items()]


ROW = Row(unit="ms", is_higher_better=False, target_ratio=1.0, measure=measure)
