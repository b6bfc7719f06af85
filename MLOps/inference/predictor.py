"""Buy now or wait: answers of an exported buy-timing network, with NumPy and ONNX Runtime alone.

This file stands by itself: it imports nothing else of the platform, and a copy of it lies in each
delivery folder.

    predictor = CryptoPredictor(model_path="model.onnx", obs_dim=32)
    predictor.predict(observation)  # 1: buy now, 0: wait

An observation is [position_value, remaining_time, prices...], float32; `observation_of` makes it from closes.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
KIND = "rainbow_timing"
INPUT, OUTPUT = "observations", "q_values"
LARGEST = 1e9
"""Largest size of a number of an observation, which is normalised; beyond it a network's values may overflow."""
_ACTIONS = 2
_MODEL_FILE = "model.onnx"
_NUMBERS = "iuf"  # NumPy's kinds of integers and floats: no booleans, strings or objects
_ASKED = {1: "one observation", 2: "a batch"}


class PredictorError(ValueError):
    """What was given, what is allowed."""

    def __init__(self, given: str, allowed: str) -> None:
        super().__init__(" ".join(f"{given}; allowed: {allowed}".split()))


class ModelFileError(PredictorError):
    """The file is missing, broken, another one than was promised, or no buy-timing network."""


class ObservationError(PredictorError):
    """An observation is of another width, no number, NaN, infinite or larger than `LARGEST`."""


class AnswerError(PredictorError):
    """The network computed a value that is not finite, from which no decision follows.

    Attributes
    ----------
    q_values : (B, 2) float32
        What it computed.
    """

    def __init__(self, q_values: FloatArray) -> None:
        row = int(np.argmin(np.isfinite(q_values).all(axis=1)))
        super().__init__(f"the network's values of observation {row} are {q_values[row].tolist()}", "finite values")
        self.q_values = q_values


class CryptoPredictor:
    """The greedy decisions of an exported network.

    Equal observations get equal answers to about 1e-6 whatever shares their batch; an int8 network puts all that
    one call takes in on one scale, so its rows are computed one at a time. Calls from several threads are safe.

    Parameters
    ----------
    model_path : Path or str
        The exported network, or the delivery folder that holds it as ``model.onnx``.
    obs_dim : int or None
        Width of the observations that will be asked about, window_size + 2; None takes the network's own.
    sha256 : str, optional
        Digest that the file must have; checked before anything of it is parsed.
    threads : int
        Threads of one call. The network is small: more than one seldom pays.

    Raises
    ------
    ModelFileError
        If there is no such file, it is not what `sha256` promises, it is no buy-timing network, or it takes
        observations of another width.
    """

    def __init__(
        self, model_path: Path | str, obs_dim: int | None = 32, *, sha256: str | None = None, threads: int = 1
    ) -> None:
        path = Path(model_path)
        path = path / _MODEL_FILE if path.is_dir() else path
        try:
            model = path.read_bytes()
        except OSError as error:
            raise ModelFileError(f"{path} cannot be read: {error.strerror}", "an exported network, *.onnx") from error
        self._open(model, str(path), obs_dim, sha256, threads)

    @classmethod
    def from_bytes(
        cls, model: bytes, obs_dim: int | None = None, *, sha256: str | None = None, threads: int = 1
    ) -> "CryptoPredictor":
        """The predictor of a network that lies in memory; raises as the class does."""
        predictor = cls.__new__(cls)
        predictor._open(model, "the network", obs_dim, sha256, threads)
        return predictor

    def predict(self, observation: npt.ArrayLike) -> int:
        """1 to buy now, 0 to wait; equal values wait.

        Parameters
        ----------
        observation : (obs_dim,) numbers
            What is known now.

        Raises
        ------
        ObservationError
            If it is of another shape, or holds other than numbers from -1e9 to 1e9.
        AnswerError
            If the network's values are not finite.
        """
        return int(self._row(observation).argmax())

    def predict_batch(self, observations: npt.ArrayLike) -> IntArray:
        """(B,) int64, 1 to buy and 0 to wait, for observations (B, obs_dim); raises as `predict` does."""
        return np.asarray(self._rows(observations).argmax(axis=1), dtype=np.int64)

    def q_values(self, observations: npt.ArrayLike) -> FloatArray:
        """Value of waiting and of buying, float32: (2,) for one observation, (B, 2) for (B, obs_dim).

        Raises
        ------
        ObservationError, AnswerError
            As `predict`.
        """
        array = self._array(observations)
        return self._row(array) if array.ndim == 1 else self._rows(array)

    def _row(self, observation: npt.ArrayLike) -> FloatArray:
        (answer,) = _finite(self._run(self._checked(observation, axes=1)[None]))
        return np.asarray(answer)

    def _rows(self, observations: npt.ArrayLike) -> FloatArray:
        array = self._checked(observations, axes=2)
        if not len(array):
            return np.zeros((0, _ACTIONS), dtype=np.float32)
        if self.precision == "int8":
            return _finite(np.concatenate([self._run(row[None]) for row in array]))
        return _finite(self._run(array))

    def _run(self, array: FloatArray) -> FloatArray:
        (answer,) = self._session.run([OUTPUT], {INPUT: array})
        return np.asarray(answer, dtype=np.float32)

    def _array(self, given: npt.ArrayLike) -> npt.NDArray[Any]:
        try:
            array: npt.NDArray[Any] = np.asarray(given)
        except ValueError as error:
            raise ObservationError("rows of different lengths", self._allowed()) from error
        return array

    def _allowed(self) -> str:
        numbers = f"{self.obs_dim} finite numbers from -{LARGEST:g} to {LARGEST:g}"
        return f"{numbers} (the network's window has {self.obs_dim - 2} prices), or rows of them"

    def _checked(self, given: npt.ArrayLike, axes: int) -> FloatArray:
        array = self._array(given)
        if array.dtype.kind not in _NUMBERS and array.size:
            raise ObservationError(f"values of type {array.dtype}", self._allowed())
        if array.ndim != axes or array.shape[-1] != self.obs_dim:
            raise ObservationError(f"shape {array.shape} for {_ASKED[axes]}", self._allowed())
        with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused below
            numbers = np.ascontiguousarray(array, dtype=np.float32)
        is_allowed = np.abs(numbers) <= LARGEST  # False of NaN
        if not is_allowed.all():
            place = tuple(np.argwhere(~is_allowed)[0].tolist())
            raise ObservationError(f"{array[place]} at {list(place)}", self._allowed())
        return numbers

    def _open(self, model: bytes, place: str, obs_dim: int | None, sha256: str | None, threads: int) -> None:
        self.sha256 = hashlib.sha256(model).hexdigest()
        if sha256 is not None and sha256 != self.sha256:
            raise ModelFileError(f"{place} has the digest {self.sha256[:16]}", sha256[:16])
        self._session = _session(model, place, threads)
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self.precision = self.metadata.get("precision", "float32")
        self.obs_dim = _width(self._session, self.metadata, place)
        if obs_dim is not None and obs_dim != self.obs_dim:
            raise ModelFileError(
                f"obs_dim={obs_dim}, but {place} takes {self.obs_dim} numbers (a window of {self.obs_dim - 2})",
                f"obs_dim={self.obs_dim}, or a network of that window",
            )


def observation_of(closes: npt.ArrayLike, decision: int, cycle_steps: int, window_size: int = 30) -> FloatArray:
    """What is known at the last of `closes`, as the network wants it, (window_size + 2,) float32.

    Parameters
    ----------
    closes : (T,) numbers
        Closing prices up to now, oldest first and without a gap: at least `window_size` of them, and those of the
        cycle up to now.
    decision : int
        Decisions of the cycle that were taken before this one: 0 at its first.
    cycle_steps : int
        Decisions of a cycle, 2 or more.
    window_size : int
        Prices that the network sees, 2 or more.

    Raises
    ------
    ObservationError
        If there are too few prices, one is no positive number, or the cycle has no such decision.
    """
    prices, needed = np.asarray(closes, dtype=np.float64), max(window_size, decision + 1)
    if window_size < 2 or not 0 <= decision < cycle_steps or cycle_steps < 2:
        raise ObservationError(f"decision={decision} of {cycle_steps}, window_size={window_size}", "0 to cycle_steps-1")
    if prices.ndim != 1 or len(prices) < needed or not (np.isfinite(prices) & (prices > 0)).all():
        raise ObservationError(f"closes of shape {prices.shape}", f"at least {needed} positive prices, oldest first")
    seen, logs = prices[-needed:], np.log(prices[-window_size:])
    low, high = seen.min(), seen.max()
    position = (prices[-1] - low) / (high - low) if high > low else 0.5
    size = np.sqrt((np.diff(logs) ** 2).sum())
    history = (logs - logs[-1]) / size if size > 0 else np.zeros(window_size)
    remaining = (cycle_steps - 1 - decision) / (cycle_steps - 1)
    return np.concatenate([[position, remaining], history]).astype(np.float32)


def _finite(q_values: FloatArray) -> FloatArray:
    if not np.isfinite(q_values).all():
        raise AnswerError(q_values)
    return q_values


def _session(model: bytes, place: str, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # what is wrong is raised, not printed
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        line = " ".join(str(error).split())[:200]
        raise ModelFileError(f"{place} is no network that ONNX Runtime opens ({line})", "*.onnx") from error


def _width(session: Any, metadata: dict[str, str], place: str) -> int:
    """Numbers of an observation; raises ModelFileError where the network is another one."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    found = [(node.name, node.type, len(node.shape)) for node in (*inputs, *outputs)]
    expected = [(INPUT, "tensor(float)", 2), (OUTPUT, "tensor(float)", 2)]
    is_ours = metadata.get("kind") == KIND and found == expected
    if not is_ours or not isinstance(inputs[0].shape[1], int) or outputs[0].shape[1] != _ACTIONS:
        raise ModelFileError(
            f"{place} is an ONNX file of another kind ({metadata.get('kind', 'untold')})",
            f"one that export_crypto_model made, of the kind {KIND}",
        )
    return int(inputs[0].shape[1])
