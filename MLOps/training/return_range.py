"""The range of returns that a distribution over atoms must cover, as the train window has it."""

import numpy as np

from MLOps.environments.dca_timing import rewards_of
from MLOps.market.price_cycles import Cycles
from MLOps.settings.rainbow import RainbowModelSettings
from MLOps.settings.timing import DcaTimingSettings

_TAIL = 0.001


def with_support(model: RainbowModelSettings, train: Cycles, environment: DcaTimingSettings) -> RainbowModelSettings:
    """The settings with ``v_min`` and ``v_max``: where they are empty, the bulk of the train window's rewards.

    A return is the reward of one purchase, so its range is that of all purchases, but for one in a thousand at either
    end; rarer ones count as the end's. A coin that moves more gets wider atoms, without a word in its settings.
    """
    if model.v_min is not None:
        return model
    lowest, highest = np.quantile(rewards_of(train, environment), (_TAIL, 1 - _TAIL))
    return model.model_copy(update={"v_min": float(lowest), "v_max": float(max(highest, lowest + 1e-6))})
