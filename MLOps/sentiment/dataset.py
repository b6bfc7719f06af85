"""From labelled rows to a dataset: cleaned, split by group, without duplicates across splits."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from MLOps.errors import DataError
from MLOps.sentiment.grouped_split import split_by_group
from MLOps.sentiment.labelled import COLUMNS, SPLITS
from MLOps.sentiment.near_duplicates import NearDuplicates, find_near_duplicates
from MLOps.sentiment.scorer import LABELS
from MLOps.sentiment.text_cleaning import clean_text
from MLOps.settings.sentiment_dataset import DuplicateSettings, LabelledSplitSettings

_MEND = "more groups, split.train, split.validation and split.test, split.max_class_difference, or another split.seed"


@dataclass(frozen=True)
class LabelledDataset:
    """A dataset, and what did not come into it.

    Attributes
    ----------
    sentences : DataFrame
        Columns as in `MLOps.sentiment.labelled`, sorted by sentence_id.
    empty_rows, cut_rows : tuple of int
        Numbers of the rows whose text was empty when cleaned (left out), or too long (cut).
    near_duplicates : int
        Rows left out because a held-out split has their text or nearly so.
    contradictions : int
        Rows left out because their split has the same text with another label.
    exact_duplicates : int
        Rows left out because their split has the same text with the same label.
    """

    sentences: pd.DataFrame
    empty_rows: tuple[int, ...]
    cut_rows: tuple[int, ...]
    near_duplicates: int
    contradictions: int
    exact_duplicates: int


def build_dataset(
    rows: pd.DataFrame, max_characters: int, duplicates: DuplicateSettings, split: LabelledSplitSettings
) -> LabelledDataset:
    """The dataset of `rows`, whatever their order.

    Of texts that are equal or nearly so in several splits those of the test split stay, else those
    of validation, so nothing that is held out was learned. Within a split one of equal texts stays;
    if their labels differ, none does.

    Parameters
    ----------
    rows : DataFrame
        Columns row, text, label, score, published_at as in `MLOps.sentiment.labelled`, texts as they
        were found; column group only if it is known: else each text is a group of its own.
    max_characters : int
        Longer texts are cut.
    duplicates : DuplicateSettings
        When two texts count as one.
    split : LabelledSplitSettings
        Fractions and seed.

    Raises
    ------
    DataError
        If no text is left, all are of one class, or a split lacks a class.
    """
    cleaned, empty_rows, cut_rows = _cleaned(rows, max_characters)
    _check_classes(cleaned)
    near = find_near_duplicates(cleaned["text"].tolist(), duplicates.shingle_characters, duplicates.min_jaccard)
    grouped = _grouped(cleaned, near)
    divided = grouped.assign(split=_splits(grouped, split))
    rank = np.array([SPLITS.index(name) for name in divided["split"]], dtype=np.int64)
    apart = divided[~near.is_outranked(rank)]
    agreed = apart[apart.groupby(["split", "text"])["label"].transform("nunique") == 1]
    distinct = agreed.sort_values(list(COLUMNS), kind="stable").drop_duplicates(["split", "text"])
    _check_splits(distinct, split.max_class_difference)
    return LabelledDataset(
        distinct.sort_values("sentence_id", ignore_index=True)[list(COLUMNS)],
        empty_rows,
        cut_rows,
        near_duplicates=len(divided) - len(apart),
        contradictions=len(apart) - len(agreed),
        exact_duplicates=len(agreed) - len(distinct),
    )


def _cleaned(rows: pd.DataFrame, max_characters: int) -> tuple[pd.DataFrame, tuple[int, ...], tuple[int, ...]]:
    """The rows with a clean text, and the numbers of those that were empty or cut."""
    texts = [clean_text(text, max_characters) for text in rows["text"]]
    is_empty = np.array([not text.paragraphs for text in texts], dtype=bool)
    is_cut = np.array([text.is_cut for text in texts], dtype=bool)
    cleaned = rows.assign(text=[text.text for text in texts])[~is_empty].reset_index(drop=True)
    if cleaned.empty:
        raise DataError(f"none of {len(rows)} rows has a text", "at least one sentence a class and split", _MEND)
    return cleaned, tuple(rows["row"][is_empty]), tuple(rows["row"][is_cut])


def _check_classes(rows: pd.DataFrame) -> None:
    classes = rows["label"].unique()
    if len(classes) == 1:
        raise DataError(
            f"all {len(rows)} sentences are {LABELS[classes[0]]}",
            f"sentences of {', '.join(LABELS)}",
            "the labels, or the scale that makes them of scores",
        )


def _grouped(rows: pd.DataFrame, near: NearDuplicates) -> pd.DataFrame:
    """The rows with their group and sentence_id."""
    if "group" not in rows.columns:
        rows = rows.assign(group=[f"text-{_digest(near.forms[form])}" for form in near.form])
    return rows.assign(sentence_id=[_digest(f"{row.group}\0{row.text}") for row in rows.itertuples()])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _splits(rows: pd.DataFrame, settings: LabelledSplitSettings) -> "pd.Series[str]":
    fractions = {"train": settings.train, "validation": settings.validation, "test": settings.test}
    return rows["group"].map(split_by_group(rows["group"], fractions, settings.seed))


def _check_splits(rows: pd.DataFrame, max_difference: float) -> None:
    """Raise DataError unless each split has every class, about as often as all sentences have it."""
    overall = rows["label"].value_counts(normalize=True)
    faults = []
    for split in SPLITS:
        share = rows.loc[rows["split"] == split, "label"].value_counts(normalize=True)
        for label, name in enumerate(LABELS):
            if share.get(label, 0.0) == 0:
                faults.append(f"{split} has no {name} sentence")
            elif abs(share[label] - overall[label]) > max_difference:
                faults.append(f"{split} is {name} in {share[label]:.0%}, all sentences in {overall[label]:.0%}")
    if faults:
        allowed = f"every class in every split, its share within {max_difference:.0%} of that of all sentences"
        raise DataError("; ".join(faults), allowed, _MEND)
