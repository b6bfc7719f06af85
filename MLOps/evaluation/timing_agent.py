"""A trained timing model as a policy: what it does at every step, and which prices it may be judged on."""

from collections.abc import Sequence

import numpy as np

from MLOps.environments.dca_timing import observations_of
from MLOps.errors import DataError, ModelError
from MLOps.evaluation.timing_policies import ChoosesSteps, IntArray, greedy_step
from MLOps.inference.timing_model import RainbowTimingCard
from MLOps.inference.timing_policy import BuyFirstPolicy, TimingPolicy
from MLOps.market.accounting import FloatArray
from MLOps.market.price_cycles import Cycles, TimingPrices, instant, split_cycles
from MLOps.settings.timing import TimingDataSettings

AnyTimingPolicy = TimingPolicy | BuyFirstPolicy
_DECISIONS_AT_ONCE = 16_384


def card_of(policy: AnyTimingPolicy) -> RainbowTimingCard | None:
    """The card of a trained model; None for buying first, which is trained on nothing."""
    return policy.card if isinstance(policy, TimingPolicy) else None


def q_values_in(policy: AnyTimingPolicy, cycles: Cycles) -> FloatArray:
    """(C, steps, 2) values of holding and of buying at each decision, as if none before had bought.

    The model sees through its own window; each cycle must have that much history.
    """
    card = card_of(policy)
    seen = cycles if card is None else cycles._replace(window=card.observation.window_size)
    at_once = max(1, _DECISIONS_AT_ONCE // cycles.steps)  # what a network needs for all of them at once is gigabytes
    parts = [
        _q_values(policy, seen._replace(starts=seen.starts[first : first + at_once]))
        for first in range(0, len(seen.starts), at_once)
    ]
    return np.concatenate(parts)


def _q_values(policy: AnyTimingPolicy, cycles: Cycles) -> FloatArray:
    observations = observations_of(cycles)
    values = policy.q_values(observations.reshape(-1, observations.shape[-1]))
    return np.asarray(values, dtype=np.float64).reshape(*observations.shape[:2], -1)


def steps_of(policy: AnyTimingPolicy) -> ChoosesSteps:
    """The model's greedy policy: it buys where buying is worth more to it than holding."""

    def choose(cycles: Cycles) -> IntArray:
        return greedy_step(q_values_in(policy, cycles).argmax(axis=-1))

    return choose


def cycles_to_judge(prices: TimingPrices, data: TimingDataSettings, policies: Sequence[AnyTimingPolicy]) -> Cycles:
    """All cycles of the test window, at whichever row they begin; they overlap.

    Each has history enough for all of the policies, and one close after its last decision, in the window and without
    a gap, at which a purchase may be filled late.

    Raises
    ------
    DataError
        If there is none, or the prices are malformed.
    """
    cards = [card for policy in policies if (card := card_of(policy))]
    widest = max([data.window_size, *(card.observation.window_size for card in cards)])
    cycles = split_cycles(prices, data.model_copy(update={"window_size": widest}))["test"]
    is_followed = np.diff(cycles.starts) == 1  # the cycle that begins next ends with the close after this one
    if not is_followed.any():
        raise DataError(
            f"test holds {len(cycles.starts)} cycle(s) of {data.symbol} and no close after any of them",
            "a cycle and one more close, at which a purchase may be filled late",
            "data.test_end, data.test_start or data.cycle_steps",
        )
    return cycles._replace(starts=cycles.starts[:-1][is_followed], window=data.window_size)


def require_fit(label: str, policy: AnyTimingPolicy, data: TimingDataSettings, is_champion: bool = False) -> None:
    """Raise ModelError unless the model was trained on this coin, frequency and cycle, and sees this window.

    A champion may see another window: what it does in the same cycles can be compared all the same.
    """
    card = card_of(policy)
    if card is None:
        return
    market, window = card.market, card.observation.window_size
    if (market.symbol, market.frequency) != (data.symbol, data.frequency):
        raise ModelError(
            f"{label} is a model of {market.symbol} by {market.frequency}",
            f"one of {data.symbol} by {data.frequency}",
            f"data={market.symbol.lower()}, or registry.model_name: each coin's models have a name of their own",
        )
    if market.cycle_steps != data.cycle_steps:
        raise ModelError(
            f"{label} was trained on cycles of {market.cycle_steps} steps",
            f"one of data.cycle_steps={data.cycle_steps}",
            f"data.cycle_steps={market.cycle_steps}",
        )
    if not is_champion and window != data.window_size:
        raise ModelError(
            f"{label} sees a window of {window} closes",
            f"one of data.window_size={data.window_size}",
            f"data.window_size={window}",
        )


def require_unseen(label: str, policy: AnyTimingPolicy, cycles: Cycles) -> None:
    """Raise ModelError if the model was trained or chosen on prices of these cycles, at least one, or on later ones."""
    card = card_of(policy)
    if card is None:
        return
    first = instant(cycles.times[cycles.starts[0]])
    for name in ("train", "validation"):
        window = card.windows.get(name)
        if window is not None and window.last >= first:
            raise ModelError(
                f"{label} has seen prices up to {window.last:%Y-%m-%d %H:%M} ({name}), "
                f"and the first decision is on {first:%Y-%m-%d %H:%M}",
                f"a test window after {window.last:%Y-%m-%d}",
                "data.test_start, or the windows that the training used",
            )
