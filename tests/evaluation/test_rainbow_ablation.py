"""What an ablation of Rainbow may say: golden numbers, pairs by seed, findings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MLOps.evaluation.rainbow_ablation import (
    ValidationWindow,
    VariantRun,
    paired_difference,
    summarise_ablation,
    validation_window,
)
from MLOps.market.price_cycles import Cycles
from MLOps.settings.compose import compose_settings
from MLOps.settings.rainbow_ablation import AblateRainbowSettings
from MLOps.training.timing_validation import advantage_over_first

SETTINGS = compose_settings(
    AblateRainbowSettings,
    "ablate_rainbow",
    ["seeds=[7,8]", "variants=[dqn]", "data.window_size=2", "data.cycle_steps=3", "environment.fee_bps=0"],
)


def run_of(variant: str, seed: int, *advantages: float) -> VariantRun:
    frames = tuple(range(10, 10 * len(advantages) + 1, 10))
    return VariantRun(variant=variant, seed=seed, frames=frames, advantages_bps=advantages, mean_score_10=seed)


@pytest.fixture
def cycles() -> Cycles:
    closes = np.array([100.0, 100, 90, 95, 100, 110, 120])
    times = np.arange(7).astype("datetime64[h]").astype("datetime64[us]")
    return Cycles(closes, np.array([1, 2, 4]), 3, 2, times)


@pytest.fixture
def validation(cycles: Cycles) -> ValidationWindow:
    return validation_window(cycles, SETTINGS)


def test_student_interval_of_three_differences() -> None:
    found = paired_difference(np.array([1.0, 2.0, 3.0]), 1, 0.95, 0.8)
    assert found.mean == 2
    # s = 1, S = 3: t_{0.975, 2} = 4.302653 and t_{0.8, 2} = 1.060660 of any table, over the root of 3
    assert (found.upper - 2, 2 - found.lower) == pytest.approx((2.484138, 2.484138), abs=1e-6)
    assert found.detectable == pytest.approx(3.096510, abs=1e-6)
    assert found.finding == "no_difference_found"


def test_comparisons_share_what_the_intervals_leave_out() -> None:
    differences = np.array([1.0, 2.0, 4.0])
    five, one = (paired_difference(differences, count, share, 0.8) for count, share in ((5, 0.95), (1, 0.99)))
    assert (five.lower, five.upper) == pytest.approx((one.lower, one.upper))


@pytest.mark.parametrize(
    ("differences", "finding"),
    [([5, 5.1, 5.2], "better_without"), ([-5, -5.1, -5.2], "worse_without"), ([0, 0, 0], "no_difference_found")],
)
def test_a_finding_needs_an_interval_beside_zero(differences: list[float], finding: str) -> None:
    assert paired_difference(np.array(differences), 7, 0.95, 0.8).finding == finding


@given(
    st.lists(st.floats(-100, 100), min_size=2, max_size=12),
    st.integers(1, 7),
    st.sampled_from([0.8, 0.95]),
)
def test_the_interval_turns_with_the_sign(differences: list[float], comparisons: int, confidence: float) -> None:
    values = np.array(differences)
    there, back = (paired_difference(sign * values, comparisons, confidence, 0.8) for sign in (1, -1))
    assert there.lower <= there.mean <= there.upper
    assert (there.lower, there.upper) == pytest.approx((-back.upper, -back.lower), abs=1e-9)


def test_the_best_look_is_the_earliest_of_the_highest() -> None:
    run = run_of("dqn", 7, 1.0, 5.0, 5.0, 2.0)
    assert (run.best_bps, run.best_frames, run.last_bps) == (5.0, 20, 2.0)


def test_variants_are_compared_seed_by_seed(validation: ValidationWindow) -> None:
    runs = [
        run_of("dqn", 8, 1.0, 0.0),
        run_of("rainbow", 7, 10.0, 4.0),
        run_of("dqn", 7, 13.0, 13.0),
        run_of("rainbow", 8, 2.0, 3.0),
    ]
    ablation = summarise_ablation(runs, validation, SETTINGS)
    assert [(run.variant, run.seed) for run in ablation.runs] == [
        ("rainbow", 7),
        ("rainbow", 8),
        ("dqn", 7),
        ("dqn", 8),
    ]
    full, plain = ablation.variants
    assert full.last_difference is None
    assert plain.last_difference.by_seed == (9.0, -3.0)
    assert (plain.best_bps.mean, plain.best_bps.lowest, plain.best_bps.highest) == (7.0, 1.0, 13.0)
    assert plain.best_bps.deviation == pytest.approx(72**0.5)
    assert (full.best_frames.mean, plain.best_frames.mean) == (15.0, 10.0)


def test_noisy_looks_are_not_taken_for_a_better_variant(validation: ValidationWindow) -> None:
    """Neither variant has learned anything, but the looks of one vary thrice as much; by the best look it would win."""
    generator, seeds = np.random.default_rng(20), range(1, 6)
    settings = SETTINGS.model_copy(update={"seeds": tuple(seeds)})
    by_last, by_best, tries = [], [], 400
    for _ in range(tries):
        looks = generator.normal(scale=[[[1.0]], [[3.0]]], size=(2, len(seeds), 12))
        runs = {
            name: [run_of(name, seed, *row) for seed, row in zip(seeds, part, strict=True)]
            for name, part in zip(("rainbow", "dqn"), looks, strict=True)
        }
        _, plain = summarise_ablation([*runs["rainbow"], *runs["dqn"]], validation, settings).variants
        by_last.append(plain.last_difference.finding)
        best, full_best = (np.array([run.best_bps for run in runs[name]]) for name in ("dqn", "rainbow"))
        by_best.append(paired_difference(best - full_best, 1, 0.95, 0.8).finding)
    # chance 0.025 on either side: 10 of 400; 22 is nearly four standard deviations more
    assert by_last.count("better_without") <= 22
    assert by_last.count("worse_without") <= 22
    assert by_best.count("better_without") > tries / 2, "so that the bound above is one that can fail"


def test_findings_follow_from_the_last_look_alone(validation: ValidationWindow) -> None:
    """By the best look DQN would be far better, by the last one it is worse."""
    full = [run_of("rainbow", seed, 1.0, 5.0) for seed in (7, 8)]
    plain = [run_of("dqn", 7, 900.0, 2.0), run_of("dqn", 8, 900.1, 2.1)]
    _, row = summarise_ablation([*full, *plain], validation, SETTINGS).variants
    assert row.last_difference.finding == "worse_without"
    assert (row.best_bps.lowest, row.best_bps.highest) == (900.0, 900.1)


def test_the_window_tells_what_waiting_was_worth(validation: ValidationWindow) -> None:
    # cycles 100 90 95, 90 95 100 and 100 110 120: the last price is 5% below the first, then a ninth and 20% above
    assert validation.cycles == 3
    assert validation.buy_last_bps == pytest.approx((500 - 10_000 / 9 - 2000) / 3)
    assert validation.hindsight_bps == pytest.approx((1000 + 0 + 0) / 3)


def test_looks_are_told_in_what_the_window_is_told_in(cycles: Cycles, validation: ValidationWindow) -> None:
    class NeverBuys:
        def values(self, observations: np.ndarray) -> np.ndarray:
            return np.tile([1.0, 0.0], (len(observations), 1))

    score = advantage_over_first(cycles, SETTINGS.environment.fee_bps)
    assert score(NeverBuys()) == validation.buy_last_bps
