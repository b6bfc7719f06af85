"""The windows follow each other without overlap, and the test window is the last."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MLOps.errors import DataError
from MLOps.market.splits import split_sessions
from MLOps.settings.splits import SplitSettings


def settings(train_start: date | None = None, validation: int = 2, test: int = 3, minimum: int = 4) -> SplitSettings:
    return SplitSettings(
        train_start=train_start, validation_sessions=validation, test_sessions=test, minimum_train_sessions=minimum
    )


def sessions(count: int) -> np.ndarray:
    return np.datetime64("2020-01-01") + np.arange(count)


def test_counts_back_from_the_end() -> None:
    split = split_sessions(sessions(10), settings())
    assert (split.train, split.validation, split.test) == (slice(0, 5), slice(5, 7), slice(7, 10))


@pytest.mark.parametrize(("day", "start"), [(date(2020, 1, 2), 1), (date(2019, 1, 1), 0)])
def test_trains_from_the_given_date(day: date, start: int) -> None:
    assert split_sessions(sessions(10), settings(train_start=day)).train == slice(start, 5)


@pytest.mark.parametrize(
    ("count", "train_start"),
    [(8, None), (0, None), (10, date(2020, 1, 4)), (10, date(2030, 1, 1))],
)
def test_refuses_too_few_sessions_to_train_on(count: int, train_start: date | None) -> None:
    with pytest.raises(DataError, match=r"at least 4 .*config/splits/default.yaml"):
        split_sessions(sessions(count), settings(train_start=train_start))


@given(count=st.integers(3, 400), validation=st.integers(1, 100), test=st.integers(1, 100), minimum=st.integers(1, 100))
def test_windows_are_consecutive_and_never_overlap(count: int, validation: int, test: int, minimum: int) -> None:
    if count < validation + test + minimum:
        with pytest.raises(DataError):
            split_sessions(sessions(count), settings(None, validation, test, minimum))
        return
    split = split_sessions(sessions(count), settings(None, validation, test, minimum))
    rows = [row for part in (split.train, split.validation, split.test) for row in range(part.start, part.stop)]
    assert rows == list(range(count))
    assert split.test.stop - split.test.start == test
