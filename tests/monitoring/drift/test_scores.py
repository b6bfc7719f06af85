"""The three scores: by hand, against scipy and Evidently, and many cuts at once as each by itself."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from monitoring.drift.scores import METHODS, Cuts, FloatArray, drift_scores, scores_of_cuts

PSI, JENSENSHANNON, WASSERSTEIN = range(len(METHODS))


def pairs() -> dict[str, tuple[FloatArray, FloatArray]]:
    """Samples of every kind that the definitions tell apart."""
    generator = np.random.default_rng(5)
    normal = generator.normal(size=504)
    return {
        "shifted": (normal, generator.normal(0.3, 2.0, 63)),
        "far_away": (normal**3, generator.normal(size=63) * 1_000),
        "stuck": (normal, np.full(63, 0.2)),
        "few_values": (generator.integers(0, 5, 504) * 1.0, generator.integers(0, 6, 63) * 1.0),
        "constant_before": (np.full(504, 1.0), generator.normal(size=63)),
        "constant_elsewhere": (np.full(504, 1.0), np.full(63, 2.0)),
        "constant": (np.full(504, 1.0), np.full(63, 1.0)),
        "tiny_share": (np.append(np.zeros(20_000), np.arange(30)), generator.integers(0, 30, 63) * 1.0),
    }


def test_two_bins_by_hand() -> None:
    """Shares (1/2, 1/2) against (1/4, 3/4)."""
    psi, distance, wasserstein = drift_scores(np.array([0.0, 1.0]), np.array([0.0, 1.0, 1.0, 1.0]))
    assert psi == pytest.approx(0.25 * np.log(2) + 0.25 * np.log(1.5))
    middle = 0.5 * np.log(4 / 3) + 0.5 * np.log(4 / 5), 0.25 * np.log(2 / 3) + 0.75 * np.log(6 / 5)
    assert distance == pytest.approx(np.sqrt(sum(middle) / 2))
    assert wasserstein == pytest.approx(0.25 / 0.5)  # a quarter moves by 1; the reference deviates by 1/2


def test_shift_by_a_constant_is_that_many_deviations() -> None:
    reference = np.random.default_rng(1).normal(7.0, 3.0, 400)
    assert drift_scores(reference, reference + 6)[WASSERSTEIN] == pytest.approx(6 / reference.std())


@pytest.mark.parametrize("kind", pairs())
def test_wasserstein_equals_scipys(kind: str) -> None:
    reference, current = pairs()[kind]
    expected = wasserstein_distance(reference, current) / max(reference.std(), 1e-3)
    assert drift_scores(reference, current)[WASSERSTEIN] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_jensenshannon_equals_scipys_over_the_same_bins() -> None:
    reference, current = pairs()["shifted"]
    edges = np.histogram_bin_edges(np.concatenate([reference, current]), bins="sturges")
    expected = jensenshannon(np.histogram(reference, edges)[0], np.histogram(current, edges)[0])
    assert drift_scores(reference, current)[JENSENSHANNON] == pytest.approx(expected, rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60),
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
)
def test_scores_are_finite_bounded_and_zero_for_equal_samples(reference: list[float], current: list[float]) -> None:
    before, now = np.array(reference), np.array(current)
    found = drift_scores(before, now)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert found[JENSENSHANNON] <= np.sqrt(np.log(2)) + 1e-12
    assert drift_scores(before, before) == pytest.approx([0, 0, 0], abs=1e-7)


def test_many_cuts_score_as_each_by_itself() -> None:
    values = np.random.default_rng(2).normal(size=200).cumsum()
    block = np.array([(np.arange(200) >= begin) & (np.arange(200) < begin + 50) for begin in (0, 60, 150)])
    together = scores_of_cuts(values, Cuts(~block, block))
    alone = [drift_scores(values[~chosen], values[chosen]) for chosen in block]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


@pytest.mark.slow
def test_scores_equal_evidentlys(tmp_path: Path) -> None:
    """Through the door that draws its page, so that what is drawn is what was judged."""
    import pandas as pd

    from MLOps.vendors.evidently import DriftTest, draw_drift

    for kind, (reference, current) in pairs().items():
        tests = [DriftTest("x", method, 0.1) for method in METHODS]
        drawn = draw_drift(pd.DataFrame({"x": reference}), pd.DataFrame({"x": current}), tests, tmp_path / "page.html")
        np.testing.assert_allclose(drift_scores(reference, current), drawn, rtol=1e-9, atol=1e-12, err_msg=kind)
    assert "x" in (tmp_path / "page.html").read_text()
