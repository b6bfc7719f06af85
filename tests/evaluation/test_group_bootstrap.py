"""The cluster bootstrap: worked by hand, against a plain loop, and how often its interval covers the truth."""

import numpy as np
import pytest

from MLOps.evaluation import group_bootstrap
from MLOps.evaluation.group_bootstrap import MacroF1Difference, macro_f1_difference
from MLOps.evaluation.macro_f1 import confusion_counts, macro_f1
from MLOps.settings.backtest import BootstrapSettings


def settings(resamples: int = 500, confidence: float = 0.9, seed: int = 3) -> BootstrapSettings:
    return BootstrapSettings(resamples=resamples, confidence_fraction=confidence, seed=seed)


def sample(
    generator: np.random.Generator, articles: int, right: tuple[float, float], spread: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Labels, two classifiers that are right with such chances, and articles of 1 to 9 sentences.

    With `spread` each article is easier or harder for the first classifier by a draw of its own.
    """
    sizes = generator.integers(1, 10, articles)
    group = np.repeat(np.arange(articles), sizes)
    labels = generator.integers(0, 3, len(group))
    chances = np.stack([np.full(len(group), chance) for chance in right])
    chances[0] += generator.uniform(-spread, spread, articles)[group]
    is_right = generator.random(chances.shape) < chances
    model, rival = np.where(is_right, labels, (labels + generator.integers(1, 3, chances.shape)) % 3)
    return labels, model, rival, [f"article {number}" for number in group]


def bootstrap(drawn: tuple[np.ndarray, np.ndarray, np.ndarray, list[str]], *terms: object) -> MacroF1Difference:
    labels, model, rival, groups = drawn
    found = macro_f1_difference(labels, model, rival, groups, 3, settings(*terms))  # type: ignore[arg-type]
    assert found is not None
    return found


def test_two_articles_worked_by_hand() -> None:
    """One article where only the model is right, one where both are: four draws, differences 1, 1/2, 1/2, 0.

    Classes 0 and 1, each article one sentence of each: the rival swaps them in the first article. In the
    mixed draw it is right half the time in either class: F1 1/2.
    """
    labels, model, rival = np.array([0, 1, 0, 1]), np.array([0, 1, 0, 1]), np.array([1, 0, 0, 1])
    found = macro_f1_difference(labels, model, rival, ["a", "a", "b", "b"], 2, settings(4000, 0.9))
    assert found is not None
    assert (found.difference, found.lower, found.upper, found.groups) == (0.5, 0.0, 1.0, 2)


def test_equals_a_plain_loop_over_the_same_draws() -> None:
    labels, model, rival, groups = sample(np.random.default_rng(2), 12, (0.7, 0.5))
    found = bootstrap((labels, model, rival, groups), 100)
    names = np.unique(groups)
    weights = np.random.default_rng(3).multinomial(len(names), np.full(len(names), 1 / len(names)), size=100)
    differences = []
    for draw in weights:
        rows = np.concatenate([np.flatnonzero(np.array(groups) == name) for name in np.repeat(names, draw)])
        scores = [macro_f1(confusion_counts(labels[rows], each[rows], 3)) for each in (model, rival)]
        differences.append(scores[0] - scores[1])
    np.testing.assert_allclose((found.lower, found.upper), np.quantile(differences, [0.05, 0.95]), rtol=1e-12)


def test_same_classifier_differs_by_nothing() -> None:
    labels, model, _, groups = sample(np.random.default_rng(2), 12, (0.7, 0.5))
    found = bootstrap((labels, model, model, groups))
    assert (found.difference, found.lower, found.upper) == (0.0, 0.0, 0.0)


def test_swapped_classifiers_mirror_the_interval() -> None:
    labels, model, rival, groups = sample(np.random.default_rng(2), 30, (0.7, 0.5))
    one, other = bootstrap((labels, model, rival, groups)), bootstrap((labels, rival, model, groups))
    np.testing.assert_allclose((one.difference, one.lower, one.upper), (-other.difference, -other.upper, -other.lower))


def test_order_of_the_sentences_does_not_matter_and_the_seed_does() -> None:
    drawn = labels, model, rival, groups = sample(np.random.default_rng(2), 30, (0.7, 0.5))
    order = np.random.default_rng(9).permutation(len(labels))
    shuffled = (labels[order], model[order], rival[order], [groups[row] for row in order])
    assert bootstrap(drawn) == bootstrap(drawn) == bootstrap(shuffled)
    assert bootstrap(drawn) != bootstrap(drawn, 500, 0.9, 4)


def test_draws_in_parts_are_the_draws_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = sample(np.random.default_rng(2), 30, (0.7, 0.5))
    whole = bootstrap(drawn)
    monkeypatch.setattr(group_bootstrap, "_DRAWS_AT_ONCE", 7 * 30)
    assert bootstrap(drawn) == whole


@pytest.mark.parametrize("groups", [[], ["a"], ["a", "a"]])
def test_fewer_than_two_groups_decide_nothing(groups: list[str]) -> None:
    classes = np.zeros(len(groups), np.int64)
    assert macro_f1_difference(classes, classes, classes, groups, 3, settings()) is None


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    """150 sets of 60 articles that are hard or easy as a whole; the 90% interval must cover in 84% to 96% of them."""
    truth = bootstrap(sample(np.random.default_rng(77), 60_000, (0.65, 0.55), 0.3), 100).difference
    generator = np.random.default_rng(1)
    found = [bootstrap(sample(generator, 60, (0.65, 0.55), 0.3), 300) for _ in range(150)]
    covered = np.mean([each.lower <= truth <= each.upper for each in found])
    assert 0.84 <= covered <= 0.96


def test_articles_that_resemble_themselves_widen_the_interval() -> None:
    labels, model, rival, groups = sample(np.random.default_rng(4), 60, (0.65, 0.55), 0.35)
    by_article = bootstrap((labels, model, rival, groups), 2000)
    by_sentence = bootstrap((labels, model, rival, [str(row) for row in range(len(labels))]), 2000)
    assert by_article.upper - by_article.lower > 1.1 * (by_sentence.upper - by_sentence.lower)
