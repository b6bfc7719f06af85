"""PPO trained on for minutes: memory stays and every weight is finite; the speed of both halves is told, not judged."""

from statistics import fmean

import learning_clock
import our_ppo
import torch
from endurance import Endured, Memory, NotSoundError
from our_ppo import FREE
from synthetic_market import make_panel

_SESSIONS, _TICKERS = 2_500, 30
_SAMPLES, _QUICK_SAMPLES, _WARM_SAMPLES, _PARTS = 2_000_000, 40_000, 8_192, 20


def endure(*, is_quick: bool) -> Endured:
    """Train on two million samples."""
    torch.set_num_threads(1)
    model = our_ppo.make_model(make_panel(_SESSIONS, _TICKERS), FREE, seed=0)
    learning_clock.learn(model, _WARM_SAMPLES)
    memory, parts = Memory(), []
    for _ in range(_PARTS):
        parts.append(learning_clock.learn(model, (_QUICK_SAMPLES if is_quick else _SAMPLES) // _PARTS))
        memory.look()
    if not all(bool(parameter.isfinite().all()) for parameter in model.policy.parameters()):
        raise NotSoundError("a weight is not a finite number")
    samples, seconds = sum(part.samples for part in parts), sum(part.seconds for part in parts)
    half = len(parts) // 2
    first, second = (fmean(part.samples_per_second for part in some) for some in (parts[:half], parts[half:]))
    return Endured(
        check=f"every weight is finite after {model.num_timesteps:,} samples",
        findings=(
            f"{samples:,} samples in {seconds:.0f} s: {first:,.0f}/s in the first half, {second:,.0f}/s in the second",
            memory.in_words(),
        ),
        figures={
            "samples": samples,
            "seconds": seconds,
            "first_half_per_second": first,
            "second_half_per_second": second,
        }
        | memory.figures(),
    )
