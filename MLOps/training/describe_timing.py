"""Writes down a trained buy-timing agent as a model folder's card and weights."""

from collections.abc import Mapping
from importlib.metadata import version

import numpy as np

from MLOps.inference.timing_model import (
    RainbowTimingCard,
    TimingArchitecture,
    TimingMarket,
    TimingObservation,
    TimingWindow,
    Weights,
)
from MLOps.market.price_cycles import Cycles, instant
from MLOps.networks.dueling_categorical import RainbowNetwork
from MLOps.settings.rainbow import RainbowModelSettings, TrainRainbowSettings


def timing_card(
    settings: TrainRainbowSettings,
    model: RainbowModelSettings,
    windows: Mapping[str, Cycles],
    facts: Mapping[str, str | int | float | bool | None],
) -> RainbowTimingCard:
    """The card of an agent trained by these settings.

    Parameters
    ----------
    settings : TrainRainbowSettings
    model : RainbowModelSettings
        Those of the settings, with the range of returns that the train window gave.
    windows : mapping of str to Cycles
        Train, validation and test.
    facts : mapping
        Digests of the data, and how the training went.
    """
    data = settings.data
    return RainbowTimingCard(
        architecture=TimingArchitecture(
            hidden_sizes=model.hidden_sizes,
            stream_size=model.stream_size,
            atoms=model.returned_atoms,
            v_min=model.support[0],
            v_max=model.support[1],
            is_dueling=model.is_dueling,
            is_categorical=model.is_categorical,
        ),
        observation=TimingObservation(window_size=data.window_size, size=data.window_size + 2),
        market=TimingMarket(
            symbol=data.symbol,
            frequency=data.frequency,
            cycle_steps=data.cycle_steps,
            fee_bps=settings.environment.fee_bps,
        ),
        environment=settings.environment.model_dump(mode="json"),
        windows={name: _window(windows[name]) for name in ("train", "validation", "test")},
        provenance={
            "algorithm": "rainbow",
            "seed": settings.training.seed,
            "torch": version("torch"),
            **{name: value for name, value in model.model_dump().items() if name.startswith("is_")},
            **facts,
        },
    )


def mean_weights(network: RainbowNetwork) -> Weights:
    """The network's weights by the names of the model folder; of noisy layers the means."""
    return {
        name: np.array(parameter.detach().numpy(), np.float32)
        for name, parameter in network.named_parameters()
        if not name.endswith("_sigma")
    }


def _window(cycles: Cycles) -> TimingWindow:
    """From the first close that is seen to the last one that may be paid."""
    first, last = cycles.starts[0] - cycles.window + 1, cycles.starts[-1] + cycles.steps - 1
    return TimingWindow(first=instant(cycles.times[first]), last=instant(cycles.times[last]))
