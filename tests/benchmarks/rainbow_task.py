"""What both sides of the Rainbow row train on and with; both run in interpreters that know the platform."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import yaml

from MLOps.environments.dca_timing import DcaTimingBatch
from MLOps.environments.dca_timing_kernel import ACTIONS, CONTEXT
from MLOps.environments.trading_batch import Step
from MLOps.market.price_cycles import Cycles
from MLOps.networks.dueling_categorical import RainbowNetwork
from MLOps.settings.project import project_root
from MLOps.settings.rainbow import RainbowModelSettings, RainbowTrainingSettings
from MLOps.settings.timing import DcaTimingSettings
from MLOps.training.return_range import with_support

WINDOW, STEPS = 30, 24
SIZE = CONTEXT + WINDOW
CHECKED_DISCOUNT, CHECKED_STEPS = 0.9, 400
_HOURS, _SEED, _FOR_EVER, _BUYS = 5_000, 23, 10**9, 0.15

Float32Array = npt.NDArray[np.float32]


class Played(NamedTuple):
    """A step of one episode: the observation (1, D) before it, the action (1,), and what followed."""

    observation: Float32Array
    action: npt.NDArray[np.int64]
    step: Step

    @property
    def seen(self) -> Float32Array:
        """(D,) what this step led to, the episode's last observation if it has ended."""
        return (self.step.last_observations if self.step.is_last[0] else self.step.observations)[0]


def cycles() -> Cycles:
    """Cycles over a random walk, from each hour on; prices mean nothing here, only their amount matters."""
    returns = np.random.default_rng(_SEED).normal(0, 0.008, _HOURS)
    starts = np.arange(WINDOW - 1, _HOURS - STEPS)
    times = np.datetime64("2018-01-01", "us") + np.arange(_HOURS) * np.timedelta64(1, "h")
    return Cycles(6_000 * np.exp(np.cumsum(returns)), starts, STEPS, WINDOW, times)


def environment() -> DcaTimingSettings:
    """As shipped."""
    return DcaTimingSettings.model_validate(_yaml("config/environments/dca_timing.yaml"))


def model() -> RainbowModelSettings:
    """As shipped, over the range of returns that the cycles have."""
    settings = RainbowModelSettings.model_validate(_yaml("hyperparameters/model/rainbow.yaml"))
    return with_support(settings, cycles(), environment())


def training(**changed: Any) -> RainbowTrainingSettings:
    """As shipped, but without an end and without a look at validation cycles."""
    endless = {"num_frames": _FOR_EVER, "evaluate_every_frames": _FOR_EVER}
    return RainbowTrainingSettings.model_validate(_yaml("hyperparameters/training/default.yaml") | endless | changed)


def network(seed: int, *, is_quiet: bool = False) -> RainbowNetwork:
    """The same weights for the same seed; quiet: with noise of size 0, however it is drawn."""
    made = RainbowNetwork(SIZE, ACTIONS, model(), torch.Generator().manual_seed(seed))
    if is_quiet:
        with torch.no_grad():
            for layer in made.noisy_layers():
                layer.weight_sigma.zero_()
                layer.bias_sigma.zero_()
    return made


def play() -> Iterator[Played]:
    """Steps by chance in our environment, for the checks."""
    generator = np.random.default_rng(_SEED)
    batch = DcaTimingBatch(cycles(), environment(), 1, _SEED)
    observation = batch.reset()
    for _ in range(CHECKED_STEPS):
        action = (generator.random(1) < _BUYS).astype(np.int64)
        played = Played(observation, action, batch.step(action))
        observation = played.step.observations
        yield played


def checked_priorities(size: int) -> Float32Array:
    """(B,) of the transitions in the checked update."""
    return np.random.default_rng(_SEED).uniform(0.1, 3.0, size).astype(np.float32)


def _yaml(path: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((project_root() / path).read_text())
    return values
