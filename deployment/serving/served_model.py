"""A model folder as something that answers: its digest checked, its network opened, tried and warm."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

from deployment.serving.answers import ModelInfo
from deployment.serving.micro_batcher import Computes
from MLOps.errors import ModelError
from MLOps.inference.model_files import check_digest
from MLOps.inference.predictor import AnswerError, CryptoPredictor
from MLOps.inference.timing_model import RainbowTimingCard, read_timing_card, read_timing_weights
from MLOps.inference.timing_onnx import timing_onnx
from MLOps.inference.timing_policy import BuyFirstPolicy, TimingPolicy

FloatArray = npt.NDArray[np.float32]
_TRIED_ROWS = (1, 2, 33)
_TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model that answers; compared by identity.

    Attributes
    ----------
    info : ModelInfo
        What it is.
    network : Computes
        Computes its q values.
    json_tail : bytes
        End of each answer: the comma, its name, version and digest, the closing brace.
    """

    info: ModelInfo
    network: Computes
    json_tail: bytes

    def q_values(self, observations: FloatArray) -> FloatArray:
        """Value of holding and of buying (B, 2) float32, for observations (B, D) float32; finite or not.

        A batch holds the observations of several requests: those whose values are not finite are refused one by one.
        """
        try:
            return self.network.q_values(observations)
        except AnswerError as error:
            return error.q_values

    def takes_the_place_of(self, other: "ServedModel") -> bool:
        """Whether those who ask the other one may go on unchanged: the same observation of the same market and cycle.

        The baseline takes every observation, and knows no market.
        """
        return self.is_baseline or other.is_baseline or self._asked_with() == other._asked_with()

    @property
    def is_baseline(self) -> bool:
        """Whether it takes any observation of any market."""
        return self.info.observation_size is None

    def _asked_with(self) -> tuple[object, ...]:
        info = self.info
        return info.observation_size, info.window_size, info.symbol, info.frequency, info.cycle_steps


@dataclass(frozen=True)
class Origin:
    """Where a model comes from."""

    name: str
    version: int | None = None
    alias: str | None = None
    registered_at: datetime | None = None


def load_served_model(folder: Path, digest: str, origin: Origin, threads: int) -> ServedModel:
    """Open the model of a folder, try it against the NumPy policy, and leave it warm.

    Raises
    ------
    DigestError
        If the folder is not what the digest promises; then nothing of it is parsed.
    ModelError
        If card or weights are malformed, or the network does not compute what they say.
    """
    check_digest(folder, digest)
    card = read_timing_card(folder)
    network: Computes = BuyFirstPolicy()
    if isinstance(card, RainbowTimingCard):
        weights = read_timing_weights(folder, card)
        network = CryptoPredictor.from_bytes(timing_onnx(card, weights, digest), threads=threads)
        _try(network, TimingPolicy(card, weights), card.observation.size)
    return named(_info(card if isinstance(card, RainbowTimingCard) else None, digest, origin), network)


def named(info: ModelInfo, network: Computes) -> ServedModel:
    """A network that names itself in each answer."""
    name = orjson.dumps(info.model_dump(include={"name", "version", "digest"}))
    return ServedModel(info, network, b',"model":' + name + b"}")


def _info(card: RainbowTimingCard | None, digest: str, origin: Origin) -> ModelInfo:
    return ModelInfo(
        name=origin.name,
        version=origin.version,
        digest=digest,
        alias=origin.alias,
        kind=card.kind if card else BuyFirstPolicy.kind,
        observation_size=card.observation.size if card else None,
        window_size=card.observation.window_size if card else None,
        symbol=card.market.symbol if card else None,
        frequency=card.market.frequency if card else None,
        cycle_steps=card.market.cycle_steps if card else None,
        trained_at=origin.registered_at,
    )


def _try(network: Computes, reference: TimingPolicy, width: int) -> None:
    """Compute batches of several sizes, so that the first request finds all allocated; ModelError if any is wrong."""
    for rows in _TRIED_ROWS:
        observations = np.linspace(-1.0, 1.0, rows * width, dtype=np.float32).reshape(rows, width)
        expected = reference.q_values(observations)
        try:
            found = network.q_values(observations)
        except AnswerError as error:
            raise ModelError(str(error), mend="train the model again") from error
        if not np.allclose(found, expected, rtol=_TOLERANCE, atol=_TOLERANCE):
            raise ModelError(
                f"the opened network differs from its weights by {np.abs(found - expected).max():.2g}",
                f"at most {_TOLERANCE:g}",
                "report it: ONNX Runtime computes this network wrongly",
            )
