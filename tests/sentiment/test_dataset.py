"""The dataset: nothing held out was learned, whatever the rows and their order; what was left out is told."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MLOps.errors import DataError
from MLOps.sentiment.dataset import LabelledDataset, build_dataset
from MLOps.sentiment.dataset_figures import dataset_figures
from MLOps.sentiment.labelled import COLUMNS, SCHEMA, SPLITS
from MLOps.sentiment.near_duplicates import find_near_duplicates
from MLOps.settings.sentiment_dataset import DuplicateSettings, LabelledSplitSettings

SPLIT = LabelledSplitSettings(train=0.5, validation=0.25, test=0.25, seed=2, max_class_difference=1)
SAME = DuplicateSettings(shingle_characters=4, min_jaccard=0.8)
Row = tuple[str, int, str | None]


def told_apart(name: str) -> str:
    """A text that is near no other: eight words made of a digest."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return " ".join(digest[k : k + 8] for k in range(0, 64, 8))


BASE: list[Row] = [(told_apart(f"{g} {label}"), label, f"base {g}") for g in range(12) for label in range(3)]


def table(rows: Sequence[Row]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["text", "label", "group"])
    frame = frame.assign(
        row=range(1, len(frame) + 1), score=np.nan, published_at=pd.Series(pd.NaT, frame.index, "datetime64[us, UTC]")
    )
    return frame.drop(columns="group") if frame["group"].isna().all() else frame


def built(rows: Sequence[Row], split: LabelledSplitSettings = SPLIT) -> LabelledDataset:
    return build_dataset(table(rows), 200, SAME, split)


WORDS = st.lists(st.sampled_from(["shares", "rose", "fell", "Rose", "today", "again"]), min_size=1, max_size=5)
EXTRA = st.lists(
    st.tuples(WORDS.map(" ".join), st.integers(0, 2), st.sampled_from(["x", "y", "z", "base 1"])), max_size=25
)


@settings(deadline=None, max_examples=25)
@given(EXTRA, st.integers(0, 4))
def test_nothing_held_out_was_learned(extra: list[Row], seed: int) -> None:
    sentences = built([*BASE, *extra], SPLIT.model_copy(update={"seed": seed})).sentences
    assert (sentences.groupby("group")["split"].nunique() == 1).all()
    near = find_near_duplicates(sentences["text"].tolist(), SAME.shingle_characters, SAME.min_jaccard)
    split_of_form = {(form, split) for form, split in zip(near.form, sentences["split"], strict=True)}
    assert len({form for form, _ in split_of_form}) == len(split_of_form), "equal texts lie in one split"
    splits = dict(split_of_form)
    assert all(splits[left] == splits[right] for left, right in near.pairs)
    assert not sentences.duplicated(["split", "text"]).any()
    assert sentences["sentence_id"].is_unique


@settings(deadline=None, max_examples=12)
@given(EXTRA, st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_the_rows_does_not_matter(extra, random, has_groups) -> None:  # type: ignore[no-untyped-def]
    rows = [(text, label, group if has_groups else None) for text, label, group in [*BASE, *extra]]
    one, other = built(rows), built(random.sample(rows, len(rows)))
    pd.testing.assert_frame_equal(one.sentences, other.sentences)
    assert dataset_figures(one) == dataset_figures(other)


def test_rows_follow_the_contract() -> None:
    sentences = built(BASE).sentences
    assert tuple(sentences.columns) == COLUMNS
    assert len(sentences) == len(BASE)
    assert set(sentences["split"]) == set(SPLITS)
    assert sentences["sentence_id"].is_monotonic_increasing
    assert SCHEMA.names == list(sentences.columns)
    row = sentences.iloc[0]
    assert row["sentence_id"] == hashlib.sha256(f"{row['group']}\0{row['text']}".encode()).hexdigest()[:16]


def splits_of(dataset: LabelledDataset) -> dict[str, str]:
    return dict(zip(dataset.sentences["group"], dataset.sentences["split"], strict=True))


UNEVEN = ("base 0", "base 1")
"""Groups whose sentences a test makes negative, so that no division is even."""


def group_in(split: str) -> str:
    return next(group for group, placed in sorted(splits_of(built(BASE)).items()) if placed == split)


def test_a_held_out_text_stays_and_its_copies_elsewhere_go() -> None:
    """All three splits hold nearly the same sentence; in a group's place another row does not move the group."""
    variants = {"train": "Shares rose sharply", "validation": "shares rose sharply!", "test": "Shares, rose sharply"}
    replaced = {group_in(split): text for split, text in variants.items()}
    rows = [(replaced[g] if g in replaced and label == 0 else text, label, g) for text, label, g in BASE]
    dataset = built(rows)
    assert dataset.near_duplicates == 2
    kept = dataset.sentences[dataset.sentences["text"].str.contains("sharply")]
    assert kept["split"].tolist() == ["test"]
    assert kept["text"].tolist() == [variants["test"]]


def test_equal_texts_of_a_split_become_one_and_contradictions_go() -> None:
    group = group_in("train")
    extra = [("twice the same", 1), ("twice the same", 1), ("not agreed", 0), ("not agreed", 2)]
    dataset = built([*BASE, *((text, label, group) for text, label in extra)])
    assert (dataset.exact_duplicates, dataset.contradictions, dataset.near_duplicates) == (1, 2, 0)
    assert (dataset.sentences["text"] == "twice the same").sum() == 1
    assert not (dataset.sentences["text"] == "not agreed").any()


def test_without_groups_each_text_is_one_whatever_its_case() -> None:
    rows = [(text, label, None) for text, label, _ in BASE]
    rows += [("Shares rose sharply again today", 2, None), ("shares rose sharply again today!", 2, None)]
    sentences = built(rows).sentences
    pair = sentences[sentences["text"].str.contains("sharply")]
    assert len(pair) == 2
    assert pair["group"].nunique() == 1
    assert sentences["group"].nunique() == len(BASE) + 1


def test_empty_and_long_texts_are_told_by_row() -> None:
    rows = [("<p>\u200b</p>", 0, "x"), *BASE, ("", 1, "x"), ("word " * 100, 1, "x")]
    dataset = built(rows)
    assert dataset.empty_rows == (1, len(rows) - 1)
    assert dataset.cut_rows == (len(rows),)
    assert dataset.sentences["text"].str.len().max() == 199


def test_a_new_text_moves_no_old_one() -> None:
    rows = [(text, label, None) for text, label, _ in BASE]
    before, after = (dict(built(some).sentences[["text", "split"]].to_numpy()) for some in (rows[:-6], rows))
    assert {text: after[text] for text in before} == before


def test_a_class_out_of_proportion_is_told() -> None:
    with pytest.raises(
        DataError, match=r"(train|validation|test) is negative in \d+%, all sentences in \d+%; .*another split.seed"
    ):
        built(
            [(text, 0 if group in UNEVEN else label, group) for text, label, group in BASE],
            SPLIT.model_copy(update={"max_class_difference": 0.05}),
        )


BAD_ROWS: dict[str, tuple[list[Row], str]] = {
    "no text": ([("<br>", 0, "a"), (" ", 1, "b")], "none of 2 rows has a text"),
    "one class only": ([(text, 1, group) for text, _, group in BASE], "all 36 sentences are neutral"),
    "a class in one group": (
        [(text, 2 if group == "base 0" else label % 2, group) for text, label, group in BASE],
        r"(train|validation|test) has no positive sentence; .*no positive sentence; allowed: every class in every",
    ),
    "too few groups": (BASE[:6], "validation has no negative sentence|test has no negative sentence"),
}


@pytest.mark.parametrize(("rows", "message"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_unusable_rows_are_refused(rows: list[Row], message: str) -> None:
    with pytest.raises(DataError, match=message):
        built(rows)


def test_figures_are_those_of_the_sentences() -> None:
    figures = dataset_figures(built([*BASE, ("", 0, "x")]))
    assert figures["sentences"] == 36
    assert figures["groups"] == 12
    assert figures["train_sentences"] + figures["validation_sentences"] + figures["test_sentences"] == 36
    assert figures["test_negative_fraction"] == pytest.approx(1 / 3)
    assert (figures["characters_p50"], figures["words_max"]) == (71, 8)
    assert figures["empty_texts_dropped"] == 1
