"""Classes by thresholds and by name."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from MLOps.sentiment.labelling import UNKNOWN, classes_of_names, classes_of_scores
from MLOps.sentiment.scorer import NEGATIVE, NEUTRAL, POSITIVE
from MLOps.settings.sentiment_dataset import ClassNames, ScoreScale

SCALE = ScoreScale(min_score=-4, max_score=4, negative_below=-0.5, positive_above=0.5)
NAMES = ClassNames(negative=("negative", "bearish", "-1"), neutral=("neutral", "0"), positive=("positive", "1"))


def test_the_edges_are_neutral() -> None:
    scores = np.array([-4, np.nextafter(-0.5, -1), -0.5, 0, 0.5, np.nextafter(0.5, 1), 4])
    expected = [NEGATIVE, NEGATIVE, NEUTRAL, NEUTRAL, NEUTRAL, POSITIVE, POSITIVE]
    assert classes_of_scores(scores, SCALE).tolist() == expected


def test_what_is_off_the_scale_has_no_class() -> None:
    assert classes_of_scores(np.array([np.nan, 4.1, -4.1, np.inf]), SCALE).tolist() == [UNKNOWN] * 4


def test_names_count_in_any_case_and_numbers_in_any_form() -> None:
    given = pd.Series(["Positive", " BEARISH ", "1", "1.0", "+1", "-1.00", "0e0", "-0"])
    expected = [POSITIVE, NEGATIVE, POSITIVE, POSITIVE, POSITIVE, NEGATIVE, NEUTRAL, NEUTRAL]
    assert classes_of_names(given, NAMES).tolist() == expected


def test_other_names_have_no_class() -> None:
    given = pd.Series(["", "2", "0.5", "very positive", "nan", "inf"])
    assert classes_of_names(given, NAMES).tolist() == [UNKNOWN] * 6


def test_a_name_of_two_classes_is_refused() -> None:
    with pytest.raises(ValidationError, match="one name to two classes"):
        ClassNames(negative=("bad",), neutral=("so-so", "BAD"), positive=("good",))


@pytest.mark.parametrize("edges", [(0.5, -0.5), (-4, 0.5), (-0.5, 4)])
def test_edges_must_lie_in_order_within_the_scale(edges: tuple[float, float]) -> None:
    with pytest.raises(ValidationError, match="min_score < negative_below <= positive_above < max_score"):
        ScoreScale(min_score=-4, max_score=4, negative_below=edges[0], positive_above=edges[1])
