"""Numbers of every length are folded from words as they are written; what is not plain is left to others."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MLOps.market.digit_words import LEAD, plain_decimals
from MLOps.market.scaled_decimals import ScaledDecimals

DIGITS = st.text("0123456789", min_size=1, max_size=16)
NUMBERS = DIGITS | st.builds("{}.{}".format, DIGITS, DIGITS)
NEIGHBOURS = st.sampled_from([",", "7777777.9999999,", "........", "\n"])


def read(numbers: list[str], before: str = ",") -> ScaledDecimals | None:
    """The numbers from one text, each after `before`."""
    text, starts, ends = "0" * LEAD, [], []
    for number in numbers:
        text += before
        starts.append(len(text))
        text += number
        ends.append(len(text))
        text += "\n"
    return plain_decimals(text.encode(), np.array(starts, dtype=np.intp), np.array(ends, dtype=np.intp))


@given(st.lists(NUMBERS), NEIGHBOURS)
def test_numbers_are_as_written_whatever_stands_beside_them(numbers: list[str], before: str) -> None:
    found = read(numbers, before)
    assert found is not None
    assert [Fraction(int(value), 10**found.decimals) for value in found.values] == [Fraction(text) for text in numbers]


@pytest.mark.parametrize(
    "odd", ["", ".", ".5", "5.", "1.2.3", "1" * 17, "0." + "1" * 17, "-1", "+1", "1e3", " 1", "1/"]
)
def test_one_odd_number_is_left_to_others(odd: str) -> None:
    assert read(["1.5", odd, "12345678.5"]) is None
    assert read([odd]) is None


@given(st.text(st.characters(max_codepoint=127), min_size=1, max_size=20))
def test_only_plain_numbers_are_read(text: str) -> None:
    whole, _, fraction = text.partition(".")
    parts = [whole, fraction] if "." in text else [whole]
    is_plain = all(part.isdigit() and len(part) <= 16 for part in parts)
    assert (read([text]) is not None) is is_plain
