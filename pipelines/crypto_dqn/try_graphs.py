"""What the exported graphs answer and how fast, beside the model in NumPy, on real observations."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from MLOps.errors import ModelError
from MLOps.inference.observation_file import read_observation_file
from MLOps.inference.predictor import CryptoPredictor, PredictorError
from MLOps.inference.timing_model import Float32Array, RainbowTimingCard, read_timing_weights
from MLOps.inference.timing_policy import TimingPolicy
from MLOps.market.price_cycles import consecutive, read_timing_prices, split_cycles
from MLOps.settings.timing import TimingDataSettings

MAX_DEVIATION = 1e-5
"""Of the float32 graph's values from NumPy's, as a share of the range of returns that the network can tell."""
_BATCH = 256
_WARM_CALLS, _FEWEST_CALLS = 20, 10


@dataclass(frozen=True)
class GraphFigures:
    """How the graphs compare.

    Attributes
    ----------
    answers : mapping of str to float
        The same for the same model and observations.
    speed : mapping of str to float
        Of this machine, while it did this.
    """

    answers: dict[str, float]
    speed: dict[str, float]


def real_observations(bars: Path, data: TimingDataSettings, card: RainbowTimingCard, limit: int) -> Float32Array:
    """The last `limit` observations (N, window_size + 2) of the test window, cycle after cycle, held to the end.

    Raises
    ------
    ModelError
        If the model is of another coin or frequency than `data`.
    DataError
        If there are no such bars, or the test window holds no cycle.
    """
    from MLOps.environments.dca_timing import observations_of

    asked, market = (data.symbol, data.frequency), card.market
    if asked != (market.symbol, market.frequency):
        raise ModelError(
            f"the model times {market.symbol} ({market.frequency}), the data are {data.symbol} ({data.frequency})",
            "data of the model's coin and frequency",
            f"--crypto {market.symbol}, that is data={market.symbol.lower()}, data.frequency={market.frequency}",
        )
    own = data.model_copy(update={"window_size": card.observation.window_size, "cycle_steps": market.cycle_steps})
    cycles = consecutive(split_cycles(read_timing_prices(bars, own), own)["test"])
    return observations_of(cycles).reshape(-1, card.observation.size)[-limit:]


def given_observations(path: Path, card: RainbowTimingCard, limit: int) -> Float32Array:
    """The last `limit` rows of a .npy file (N, window_size + 2).

    Raises
    ------
    DataError
        If there is no such file, or it holds other than numbers of that shape, finite and from -1e9 to 1e9.
    """
    return read_observation_file(path, card.observation.size, "observations_path")[-limit:]


def try_graphs(
    folder: Path, card: RainbowTimingCard, graphs: dict[str, bytes], observations: Float32Array, timed_calls: int
) -> GraphFigures:
    """Compare the graphs ``float32`` and ``int8`` with the model in `folder` and with each other.

    Raises
    ------
    ModelError
        If the float32 graph's values are not NumPy's, or a graph's are not finite.
    """
    predictors = {name: CryptoPredictor.from_bytes(graph) for name, graph in graphs.items()}
    expected = TimingPolicy(card, read_timing_weights(folder, card)).q_values(observations)
    try:
        exact, rounded = (predictors[name].q_values(observations) for name in ("float32", "int8"))
    except PredictorError as error:
        raise ModelError(f"{folder}: {error}", mend="train the model again") from error
    deviation, bound = float(np.abs(exact - expected).max()), MAX_DEVIATION * _range_told(card, expected)
    if not deviation <= bound:
        raise ModelError(f"the graph's values differ from NumPy's by {deviation:.1e}", f"at most {bound:.1e}")
    answers = {
        "observations": len(observations),
        "deviation_from_numpy": deviation,
        "int8_equal_actions_fraction": float(np.mean(exact.argmax(axis=1) == rounded.argmax(axis=1))),
        "int8_largest_q_difference": float(np.abs(exact - rounded).max()),
        "q_value_range": float(np.ptp(exact)),
        "buys_fraction": float(exact.argmax(axis=1).mean()),
    }
    speed: dict[str, float] = {}
    for name, predictor in predictors.items():
        speed |= _speed(name, predictor, observations, timed_calls)
    return GraphFigures(answers, speed)


def _range_told(card: RainbowTimingCard, values: Float32Array) -> float:
    """What rounding is measured by: float32's moves the mean over atoms in proportion to their range; 1 at least."""
    network = card.architecture
    told = network.v_max - network.v_min if network.is_categorical else float(np.abs(values).max())
    return max(1.0, told)


def _speed(name: str, predictor: CryptoPredictor, observations: Float32Array, calls: int) -> dict[str, float]:
    row, batch = observations[0], np.resize(observations, (_BATCH, observations.shape[1]))
    of_batch = _median_us(partial(predictor.q_values, batch), max(_FEWEST_CALLS, calls // _BATCH))
    return {
        f"{name}_call_us": _median_us(partial(predictor.q_values, row), calls),
        f"{name}_row_of_{_BATCH}_us": of_batch / _BATCH,
    }


def _median_us(call: Callable[[], object], calls: int) -> float:
    """Median wall time of a call, in microseconds."""
    for _ in range(_WARM_CALLS):
        call()
    times = []
    for _ in range(calls):
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    return float(np.median(times)) / 1000
