"""The lexicons as their authors mean them, without a network; the majority; thresholds by hand and by force."""

import socket
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from MLOps.errors import ModelError
from MLOps.evaluation.macro_f1 import confusion_counts, macro_f1
from MLOps.inference.model_files import card_kind, model_digest
from MLOps.sentiment import lexicons
from MLOps.sentiment.lexicons import LoughranMcDonaldScorer, MajorityScorer, VaderScorer, spread, write_vader
from MLOps.sentiment.model_card import VaderCard
from MLOps.sentiment.scorer import LABELS, SentenceScorer, score_of
from MLOps.sentiment.thresholds import Thresholds, fit_thresholds

SENTENCES = ["What a great day!", "A terrible, horrible loss.", "The table has four legs.", "", "😀 & <b>ünïcode</b>"]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a connection, or asking nltk for a corpus, fails the test."""

    def refuse(*_arguments: object, **_named: object) -> None:
        pytest.fail("a lexicon reached for the network")

    import nltk

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(nltk, "download", refuse)


@pytest.mark.usefixtures("no_network")
def test_vader_by_the_example_of_its_authors() -> None:
    scores = VaderScorer().scores(["VADER is smart, handsome, and funny.", "VADER is not smart, handsome, nor funny."])
    assert scores.tolist() == [0.8316, -0.7424]


@pytest.mark.usefixtures("no_network")
def test_loughran_and_mcdonald_count_words() -> None:
    lexicons._financial_lists.cache_clear()  # so that the lists are read here
    scores = LoughranMcDonaldScorer().scores(
        ["Profitable, but losses and a bankruptcy.", "An excellent gain.", "Tables."]
    )
    np.testing.assert_allclose(scores, [-1 / 3, 1.0, 0.0], atol=1e-6)


def test_probabilities_follow_the_contract() -> None:
    scorers: list[SentenceScorer] = [VaderScorer(), LoughranMcDonaldScorer(), MajorityScorer(np.array([1, 1, 2]))]
    for scorer in scorers:
        probabilities = scorer.probabilities(SENTENCES)
        assert probabilities.shape == (len(SENTENCES), len(LABELS))
        assert probabilities.dtype == np.float64
        assert (probabilities >= 0).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
        assert scorer.probabilities([]).shape == (0, len(LABELS))
        for row, sentence in enumerate(SENTENCES):
            np.testing.assert_array_equal(scorer.probabilities([sentence])[0], probabilities[row])


def test_spread_keeps_the_score() -> None:
    scores = np.array([-1.0, -0.3, 0.0, 0.6, 1.0])
    np.testing.assert_allclose(spread(scores), [[1, 0, 0], [0.3, 0.7, 0], [0, 1, 0], [0, 0.4, 0.6], [0, 0, 1]])
    np.testing.assert_array_equal(score_of(spread(scores)), scores)


def test_empty_text_is_neutral() -> None:
    for scorer in (VaderScorer(), LoughranMcDonaldScorer()):
        assert scorer.probabilities(["", " \n"]).tolist() == [[0.0, 1.0, 0.0]] * 2


def test_majority_gives_the_shares_of_training() -> None:
    assert MajorityScorer(np.array([0, 1, 1, 1])).probabilities(["x", "y"]).tolist() == [[0.25, 0.75, 0.0]] * 2


def test_card_of_another_release_is_refused() -> None:
    assert VaderScorer(VaderCard(version=version("vaderSentiment"))).kind == "vader"
    message = r"the model is VADER 1\.0, and .* is installed; allowed: vaderSentiment==1\.0"
    with pytest.raises(ModelError, match=message) as refusal:
        VaderScorer(VaderCard(version="1.0"))
    assert "install that release; or name no model" in str(refusal.value)
    assert "alias" not in str(refusal.value), "a lost alias is not seeded anew where a model passed the gates"


def test_model_folder_of_vader_is_its_card(tmp_path: Path) -> None:
    digest = write_vader(tmp_path)
    assert digest == model_digest(tmp_path)
    assert card_kind(tmp_path) == VaderScorer.kind
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]
    card = VaderCard.model_validate_json((tmp_path / "model.json").read_bytes())
    assert card.version == version("vaderSentiment")


def test_thresholds_belong_to_the_outer_classes() -> None:
    found = Thresholds(-0.05, 0.4).classes(np.array([-1.0, -0.05, -0.04, 0.39, 0.4, 1.0]))
    assert found.tolist() == [0, 0, 1, 1, 2, 2]


def test_thresholds_are_found_where_the_classes_part() -> None:
    scores = np.array([-0.9, -0.62, -0.58, 0.0, 0.22, 0.28, 0.7])
    labels = np.array([0, 0, 1, 1, 1, 2, 2])
    assert fit_thresholds(scores, labels) == Thresholds(-0.6, 0.25)


def test_scores_that_tell_nothing_leave_the_thresholds_near_zero() -> None:
    assert fit_thresholds(np.zeros(4), np.array([0, 1, 1, 2])) == Thresholds(-0.05, 0.05)


@pytest.mark.parametrize("seed", range(3))
def test_no_other_pair_of_the_grid_is_better(seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, 80)
    scores = np.clip((labels - 1) * 0.4 + generator.normal(0, 0.4, 80), -1, 1)

    def quality(thresholds: Thresholds) -> float:
        return float(macro_f1(confusion_counts(labels, thresholds.classes(scores), 3)))

    grid = np.arange(1, 20) / 20
    best = max(quality(Thresholds(-low, high)) for low in grid for high in grid)
    assert quality(fit_thresholds(scores, labels)) == pytest.approx(best)
