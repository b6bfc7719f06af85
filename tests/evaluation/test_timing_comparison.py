"""All policies on the same cycles, and what is said of them."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from MLOps.errors import DataError
from MLOps.evaluation.timing_comparison import (
    BASELINES,
    SEEDS,
    TimingComparison,
    compare_timing,
    read_timing_scorecard,
)
from MLOps.evaluation.timing_policies import best_step, first_step, last_step, secretary_step
from MLOps.evaluation.timing_savings import finding_of
from MLOps.market.price_cycles import Cycles
from MLOps.settings.timing_evaluation import TimingConditions

STEPS, WINDOW, CYCLES = 8, 4, 60
CONDITIONS = TimingConditions.model_validate(
    {
        "data": {
            "symbol": "BTC",
            "frequency": "1h",
            "window_size": WINDOW,
            "cycle_steps": STEPS,
            "train_start": None,
            "validation_start": date(2020, 2, 1),
            "test_start": date(2020, 3, 1),
            "test_end": None,
        },
        "environment": {"fee_bps": 10, "reward_scale": 1, "random_first_step": True},
        "terms": {
            "baselines": {"random_draws": 400, "random_seed": 1, "threshold_relative_to": "window_mean"},
            "bootstrap": {"resamples": 300, "confidence_fraction": 0.9, "seed": 2},
            "power_fraction": 0.8,
        },
    }
)


def random_walk(seed: int, cycles: int = CYCLES) -> Cycles:
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, WINDOW + cycles * STEPS + 1)))
    times = np.datetime64("2020-03-01", "us") + np.arange(len(closes)) * np.timedelta64(1, "h")
    return Cycles(closes, WINDOW + np.arange(cycles) * STEPS, STEPS, WINDOW, times)


@pytest.fixture(scope="module")
def compared() -> TimingComparison:
    """Three agents, of which one knows the future, on a random walk."""
    agents = [best_step, first_step, last_step]
    return compare_timing(agents, secretary_step, random_walk(1), random_walk(2), CONDITIONS)


def test_every_policy_stands_beside_the_model(compared: TimingComparison) -> None:
    assert tuple(compared.paid) == ("model", SEEDS, "champion", *BASELINES)
    assert set(compared.scorecard.policies) == set(compared.paid)
    assert set(compared.scorecard.advantages) == {"champion", *BASELINES} == set(compared.scorecard.seed_advantages)


def test_mean_price_saves_nothing_but_pays_the_fee(compared: TimingComparison) -> None:
    saving = compared.scorecard.policies["mean_price"].saving
    assert (saving.lower, saving.mean, saving.upper) == pytest.approx((-10, -10, -10))


def test_random_pays_about_the_mean_price(compared: TimingComparison) -> None:
    assert compared.paid["random"].mean() == pytest.approx(compared.paid["mean_price"].mean(), rel=2e-4)


def test_who_knows_the_future_has_an_edge_over_all_but_hindsight(compared: TimingComparison) -> None:
    findings = {name: finding_of(effect) for name, effect in compared.scorecard.advantages.items()}
    assert {name for name, finding in findings.items() if finding == "edge"} == set(findings) - {"hindsight"}
    assert findings["hindsight"] == "no_edge"
    assert compared.scorecard.policies["model"].captured_fraction == pytest.approx(1)


def test_seeds_are_told_one_by_one_and_as_a_mean(compared: TimingComparison) -> None:
    seeds, policies = compared.scorecard.policies[SEEDS], compared.scorecard.policies
    alone = [policies[name].advantage.mean for name in ("model", "buy_first", "buy_last")]
    assert seeds.advantage.by_seed == pytest.approx(alone)
    assert seeds.advantage.mean == pytest.approx(np.mean(alone))
    assert compared.scorecard.trained_seeds == 3
    assert compared.scorecard.seed_advantages["buy_first"] == seeds.advantage


def test_one_seed_has_no_figures_over_seeds() -> None:
    single = compare_timing([last_step], None, random_walk(1), random_walk(2), CONDITIONS)
    assert tuple(single.paid) == ("model", *BASELINES)
    assert single.scorecard.seed_advantages == {}
    same = single.scorecard.advantages["buy_last"]
    assert (same.lower, same.mean, same.upper) == (0, 0, 0)
    assert finding_of(same) == "no_edge"


def test_advantage_turns_its_sign_with_the_two() -> None:
    one = compare_timing([last_step], first_step, random_walk(1), random_walk(2), CONDITIONS).scorecard
    other = compare_timing([first_step], last_step, random_walk(1), random_walk(2), CONDITIONS).scorecard
    assert one.advantages["champion"].mean == pytest.approx(-other.advantages["champion"].mean)


def test_figures_of_steps_by_hand() -> None:
    closes = np.array([1, 1, 1, 1, 10, 9, 8, 12, 20, 30, 30, 18, 24], dtype=np.float64)
    times = np.datetime64("2020-03-01", "us") + np.arange(13) * np.timedelta64(1, "h")
    test = Cycles(closes, np.array([4, 8]), 4, 4, times)
    figures = compare_timing([last_step], None, test, test, CONDITIONS).scorecard
    last = figures.policies["model"]
    assert (last.mean_step, last.last_step_fraction) == (3, 1)
    assert last.price_paid == pytest.approx(15 * 1.001)
    assert last.advantage.mean == pytest.approx((-2 / 10 + 2 / 20) / 2 * 10_010)
    assert last.captured_fraction == pytest.approx(-0.05 / 0.15)
    assert last.late_advantage is not None
    assert last.late_advantage.mean == pytest.approx((-11 / 10 + 6 / 20) / 2 * 10_010)  # 20 and 24 against 9 and 30
    assert figures.late_advantages["buy_first"] == last.late_advantage
    assert set(figures.late_advantages) == {"buy_first", "buy_last", "secretary", "threshold", "hindsight"}
    assert figures.policies["mean_price"].late_advantage is None
    assert figures.policies["hindsight"].mean_step == pytest.approx(2.5)
    assert (figures.first_decision, figures.last_decision) == (
        datetime(2020, 3, 1, 4, tzinfo=UTC),
        datetime(2020, 3, 1, 11, tzinfo=UTC),
    )


def test_figures_of_overlapping_cycles_by_hand() -> None:
    """Two steps, from rows 1, 2, 3 and 4: first prices 10, 8, 12, 12, last ones 8, 12, 12, 6.

    Buying last gains 20%, -50%, 0 and 50% of the first price; in periods of two cycles -15% and 25%, in phases (rows 1
    and 3, rows 2 and 4) 10% and 0.
    """
    closes = np.array([1, 10, 8, 12, 12, 6, 9], dtype=np.float64)
    times = np.datetime64("2020-03-01", "us") + np.arange(7) * np.timedelta64(1, "h")
    test = Cycles(closes, np.array([1, 2, 3, 4]), 2, 2, times)
    compared = compare_timing([last_step], None, test, test, CONDITIONS)
    card, model = compared.scorecard, compared.scorecard.policies["model"]
    assert (card.cycles, card.periods) == (4, 2)
    assert card.advantages["buy_first"].mean == pytest.approx(0.05 * 10_010)
    assert card.phase_range == pytest.approx((0, 0.1 * 10_010))
    assert model.price_paid == pytest.approx((10 + 9) / 2 * 1.001)
    assert compared.purchases_frame()["period"].tolist() == [0, 0, 1, 1]
    assert compared.purchases_frame()["model.late_price"].tolist() == pytest.approx([12.012, 12.012, 6.006, 9.009])


def test_purchases_are_a_row_a_cycle(compared: TimingComparison) -> None:
    frame = compared.purchases_frame()
    assert len(frame) == CYCLES
    assert frame["decided_from"].iloc[0].isoformat() == "2020-03-01T04:00:00+00:00"
    np.testing.assert_array_equal(frame["model.price"], frame["hindsight.price"])
    np.testing.assert_allclose(frame["buy_first.price"], frame["first_price"] * 1.001, rtol=1e-14)
    assert [name for name in frame if name.startswith(SEEDS)] == ["seeds.0.price", "seeds.1.price", "seeds.2.price"]
    assert "random.step" not in frame


def test_thresholds_are_fitted_on_the_training_cycles_alone() -> None:
    """Prices that always rise teach to buy at once, whatever comes in the test."""
    rising = random_walk(1)._replace(closes=np.linspace(1, 2, len(random_walk(1).closes)))
    paid = compare_timing([first_step], None, rising, random_walk(2), CONDITIONS).paid
    np.testing.assert_array_equal(paid["threshold"], paid["buy_first"])


def test_scorecard_is_read_as_it_was_written(compared: TimingComparison, tmp_path: Path) -> None:
    path = tmp_path / "savings.json"
    path.write_text(compared.scorecard.model_dump_json(indent=2))
    assert read_timing_scorecard(path) == compared.scorecard


@pytest.mark.parametrize("spoil", [lambda path: path.write_text("{}"), lambda path: path.unlink(missing_ok=True)])
def test_no_scorecard_is_one_line(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    spoil(tmp_path / "savings.json")
    with pytest.raises(DataError, match=r"savings\.json: .*; mend: run evaluate_crypto_timing again") as error:
        read_timing_scorecard(tmp_path / "savings.json")
    assert "\n" not in str(error.value)
