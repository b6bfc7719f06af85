"""Scaled integers say what the decimals said, whatever their size."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MLOps.errors import DataError
from MLOps.market.scaled_decimals import ScaledDecimals, concatenated, exact_for, from_floats, from_texts

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
PRICES = st.decimals(0, 10**7, places=4).map(float)


def fractions(scaled: ScaledDecimals) -> list[Fraction]:
    return [Fraction(int(value), 10**scaled.decimals) for value in scaled.values.ravel()]


@given(st.lists(FLOATS | PRICES))
def test_floats_are_the_decimals_that_repr_writes(numbers: list[float]) -> None:
    assert fractions(from_floats(np.array(numbers))) == [Fraction(repr(number)) for number in numbers]


def test_floats_keep_their_shape() -> None:
    scaled = from_floats(np.array([[0.1, 2.0], [0.25, 30.0]]))
    assert scaled.decimals == 2
    assert scaled.values.dtype == np.int64
    np.testing.assert_array_equal(scaled.values, [[10, 200], [25, 3000]])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_refuses_what_is_no_number(bad: float) -> None:
    with pytest.raises(DataError, match="NaN or infinite"):
        from_floats(np.array([1.0, bad]))


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30)))
def test_texts_keep_every_digit(numbers: list[Decimal]) -> None:
    assert fractions(from_texts(map(str, numbers))) == [Fraction(number) for number in numbers]


@pytest.mark.parametrize("text", ["nan", "", "1e2000"])
def test_refuses_a_text_that_is_no_number(text: str) -> None:
    with pytest.raises(DataError):
        from_texts(["1", text])


def test_parts_meet_at_the_finest_scale() -> None:
    whole = concatenated([from_texts(["1.5"]), from_texts(["2"]), from_texts(["0.125"])])
    assert whole.decimals == 3
    assert whole.values.tolist() == [1500, 2000, 125]


def test_rescaling_leaves_int64_where_it_is_too_narrow() -> None:
    scaled = ScaledDecimals(np.array([2**62, 0]), 0).rescaled(1)
    assert scaled.values.tolist() == [10 * 2**62, 0]


@pytest.mark.parametrize(("largest", "stays"), [(2**63 // 3, True), (2**63 // 3 + 1, False)])
def test_int64_stays_up_to_its_bound(largest: int, stays: bool) -> None:
    values = np.array([-1, largest])
    assert (exact_for(values, 3).dtype == np.int64) is stays
    assert (exact_for(-values, 3).dtype == np.int64) is stays


def test_python_integers_become_int64_again_where_they_fit() -> None:
    assert exact_for(np.array([1, 2**62], dtype=object), 1).dtype == np.int64


@pytest.mark.parametrize("number", [5e-324, 1e-30, 1.7976931348623157e308, 1e22, 123456789012345680.0])
def test_floats_at_the_ends_of_their_range(number: float) -> None:
    assert fractions(from_floats(np.array([number, 0.5]))) == [Fraction(repr(number)), Fraction(1, 2)]
    assert fractions(from_floats(np.array([number]))) == [Fraction(repr(number))]
