"""What must hold of labelled sentences before anyone trains on them."""

from datetime import date

import pandas as pd

from MLOps.sentiment.labelled import SPLITS
from MLOps.sentiment.scorer import LABELS
from MLOps.vendors.great_expectations import Expectation


def judged_table(sentences: pd.DataFrame) -> pd.DataFrame:
    """The sentences with what the suite looks at beside their columns: in how many splits each group lies."""
    return sentences.assign(group_splits=sentences.groupby("group")["split"].transform("nunique"))


def labelled_expectations(min_score: float, max_score: float, max_characters: int, run_date: date) -> list[Expectation]:
    """The suite for `judged_table`; a missing score or date is allowed.

    Parameters
    ----------
    min_score, max_score : float
        Bounds of the scores, in the source's unit.
    max_characters : int
        Longest text.
    run_date : date
        Nothing was published after the end of this day, UTC.
    """
    day_after = pd.Timestamp(run_date, tz="UTC") + pd.Timedelta(days=1)
    return [
        *(
            _column(f"{name} is missing", "ExpectColumnValuesToNotBeNull", name)
            for name in ("sentence_id", "text", "label", "group")
        ),
        _column("sentence_id is not unique", "ExpectColumnValuesToBeUnique", "sentence_id"),
        _column("sentence_id is no digest", "ExpectColumnValuesToMatchRegex", "sentence_id", regex=r"^[0-9a-f]{16}\Z"),
        _column(
            "text is empty or too long",
            "ExpectColumnValueLengthsToBeBetween",
            "text",
            min_value=1,
            max_value=max_characters,
        ),
        _column("text has white space at an end", "ExpectColumnValuesToNotMatchRegex", "text", regex=r"^\s|\s\Z"),
        _column("label is no class", "ExpectColumnValuesToBeInSet", "label", value_set=list(range(len(LABELS)))),
        _column(
            "split is none of " + ", ".join(SPLITS), "ExpectColumnValuesToBeInSet", "split", value_set=list(SPLITS)
        ),
        _column(
            "score is off its scale", "ExpectColumnValuesToBeBetween", "score", min_value=min_score, max_value=max_score
        ),
        _column(
            "published after the run's date",
            "ExpectColumnValuesToBeBetween",
            "published_at",
            max_value=day_after,
            strict_max=True,
        ),
        _column(
            "the group lies in several splits",
            "ExpectColumnValuesToBeBetween",
            "group_splits",
            min_value=1,
            max_value=1,
        ),
    ]


def _column(reason: str, kind: str, column: str, **arguments: object) -> Expectation:
    return Expectation(reason, kind, {"column": column, **arguments})
