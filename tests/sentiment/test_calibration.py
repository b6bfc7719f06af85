"""Temperature, reliability and the figures of a classifier, against values worked by hand and scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, log_loss

from MLOps.sentiment.calibration import cross_entropy, fit_temperature, reliability
from MLOps.sentiment.classification import figures_of
from MLOps.sentiment.scorer import softmax


def drawn(seed: int, rows: int = 4_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels that come true with the probabilities that these give."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (rows, 3))
    chances = softmax(logits).cumsum(axis=1)
    return logits, (generator.random((rows, 1)) > chances).sum(axis=1).clip(max=2)


@given(seed=st.integers(0, 100), factor=st.floats(0.3, 5))
@settings(max_examples=10, deadline=None)
def test_finds_the_factor_that_logits_were_blown_up_by(seed: int, factor: float) -> None:
    logits, labels = drawn(seed)
    assert fit_temperature(logits * factor, labels) == pytest.approx(factor, rel=0.1)


def test_temperature_is_the_one_with_the_least_cross_entropy() -> None:
    logits, labels = drawn(1, 300)
    temperature = fit_temperature(logits * 3, labels)
    least = cross_entropy(logits * 3 / temperature, labels)
    assert least < min(cross_entropy(logits * 3 / (temperature * by), labels) for by in (0.98, 1.02))
    assert cross_entropy(logits, labels) == pytest.approx(log_loss(labels, softmax(logits)))


def test_temperature_stays_within_its_bounds_where_none_is_best() -> None:
    right, wrong = np.eye(3) * 5, -np.eye(3) * 5
    assert 0.05 <= fit_temperature(right, np.arange(3)) < 0.2
    assert fit_temperature(wrong, np.arange(3)) == pytest.approx(20, rel=0.01)


def test_reliability_by_hand() -> None:
    probabilities = np.array([[0.95, 0.05, 0.0], [0.91, 0.05, 0.04], [0.2, 0.62, 0.18], [1.0, 0.0, 0.0]])
    found = reliability(probabilities, np.array([0, 1, 1, 0]))
    np.testing.assert_allclose(found.share[[6, 9]], [0.25, 0.75])
    np.testing.assert_allclose(found.accuracy[[6, 9]], [1.0, 2 / 3])
    np.testing.assert_allclose(found.confidence[9], (0.95 + 0.91 + 1.0) / 3)
    assert found.error == pytest.approx(0.25 * 0.38 + 0.75 * (2.86 / 3 - 2 / 3))
    assert np.isnan(found.accuracy[0])


def test_temperature_mends_the_calibration_of_logits_blown_up() -> None:
    logits, labels = drawn(2)
    figures = figures_of(logits * 3, labels, temperature=3.0)
    assert figures["calibration_error"] < 0.03 < 0.1 < figures["calibration_error_uncalibrated"]
    assert figures["cross_entropy"] < figures["cross_entropy_uncalibrated"]


def test_figures_are_those_of_scikit_learn() -> None:
    logits, labels = drawn(3, 200)
    figures, predicted = figures_of(logits, labels, 1.0), logits.argmax(axis=1)
    assert figures["macro_f1"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert [figures[f"f1_{name}"] for name in ("negative", "neutral", "positive")] == pytest.approx(
        f1_score(labels, predicted, average=None)
    )
    assert figures["accuracy"] == pytest.approx((labels == predicted).mean())


def test_class_that_is_nowhere_counts_as_zero() -> None:
    figures = figures_of(np.array([[5.0, 0, 0], [5.0, 0, 0]]), np.array([0, 0]), 1.0)
    assert (figures["f1_negative"], figures["f1_positive"]) == (1.0, 0.0)
    assert figures["macro_f1"] == pytest.approx(1 / 3)
