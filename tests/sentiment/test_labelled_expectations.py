"""The suite passes what is good, and each of its expectations can fail."""

from datetime import date

import pandas as pd
import pytest

from MLOps.sentiment.labelled_expectations import judged_table, labelled_expectations
from MLOps.vendors.great_expectations import validate_table

SUITE = labelled_expectations(-4, 4, 50, date(2026, 11, 20))


@pytest.fixture
def good() -> pd.DataFrame:
    """Two sentences: one rated and dated on the last moment of the day, one without score and date."""
    return pd.DataFrame(
        {
            "sentence_id": ["0" * 16, "f" * 16],
            "text": ["Shares rose.", "\U0001f680"],
            "label": [2, 2],
            "score": [4.0, None],
            "group": ["a", "b"],
            "published_at": pd.to_datetime(["2026-11-20T23:59:59.9Z", None], utc=True).astype("datetime64[us, UTC]"),
            "split": ["train", "test"],
        }
    )


def broken_reasons(sentences: pd.DataFrame) -> set[str]:
    return {finding.reason for finding in validate_table(judged_table(sentences), SUITE) if not finding.is_met}


def test_good_sentences_pass(good: pd.DataFrame) -> None:
    assert broken_reasons(good) == set()


def test_every_expectation_can_fail(good: pd.DataFrame) -> None:
    bad = pd.concat([good] * 4, ignore_index=True).assign(
        group=["a", "a", None, *"vwxyz"], label=[3, 2, None, *[1] * 5]
    )
    bad.loc[:, "sentence_id"] = ["xyz", None, *["0" * 16] * 6]
    bad.loc[:, "text"] = ["a" * 51, "", None, " a", *["b"] * 4]
    bad.loc[:, "split"] = ["train", "test", "holdout", *["train"] * 5]
    bad.loc[:, "score"] = [4.1, *[0.0] * 7]
    bad.loc[0, "published_at"] = pd.Timestamp("2026-11-21", tz="UTC")
    assert broken_reasons(bad) == {expectation.reason for expectation in SUITE}
