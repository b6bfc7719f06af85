"""The body of a request: taken whole, or refused with the place and the reason."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from deployment.serving.observation_body import LARGEST, BodyError, PredictRequest, read_observations

_RANGE = "must be a finite number from -1e+09 to 1e+09"
NUMBERS = st.lists(st.floats(-LARGEST, LARGEST) | st.integers(-(10**9), 10**9), min_size=3, max_size=3)


def refusal(body: bytes | str, width: int | None = 3, max_rows: int = 4) -> tuple[str | None, str]:
    with pytest.raises(BodyError) as caught:
        read_observations(body.encode() if isinstance(body, str) else body, width, max_rows)
    return caught.value.field, caught.value.reason


@given(st.lists(NUMBERS, min_size=1, max_size=4))
def test_numbers_come_through_as_float32(rows: list[list[float]]) -> None:
    found = read_observations(json.dumps({"observations": rows}).encode(), 3, 4)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, np.array(rows, dtype=np.float64).astype(np.float32))


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("NaN", _RANGE),
        ("Infinity", _RANGE),
        ("-Infinity", _RANGE),
        ("1e400", _RANGE),
        ("1.1e9", _RANGE),
        ("1" + "0" * 400, _RANGE),
        ('"1"', f"{_RANGE}, not a string"),
        ("true", f"{_RANGE}, not a boolean"),
        ("null", f"{_RANGE}, not null"),
        ("[1]", f"{_RANGE}, not a list"),
        ("{}", f"{_RANGE}, not an object"),
    ],
)
def test_entry_that_is_no_finite_number_is_told_with_its_place(entry: str, told: str) -> None:
    assert refusal(f'{{"observations": [[1, 2, 3], [4, {entry}, 6]]}}') == ("observations[1][1]", told)


@pytest.mark.parametrize(
    ("body", "field", "told"),
    [
        ('{"observations": [[1, 2]]}', "observations[0]", "holds 2 numbers; must hold 3"),
        ('{"observations": [[1, 2, 3], [1, 2, 3, 4]]}', "observations[1]", "holds 4 numbers; must hold 3"),
        ('{"observations": [[]]}', "observations[0]", "holds 0 numbers; must hold 3"),
        ('{"observations": []}', "observations", "must hold at least one observation"),
        ('{"observations": [1, 2, 3]}', "observations[0]", "must be a list, not a number"),
        ('{"observations": "x"}', "observations", "must be a list, not a string"),
        ('{"observations": null}', "observations", "must be a list, not null"),
        ("{}", "observations", "is missing"),
        ('{"observation": [[1, 2, 3]]}', "observations", "is missing"),
        ('{"observations": [[1, 2, 3]], "seed": 1}', "seed", "is no known field; there is observations"),
        (json.dumps({"observations": [[1, 2, 3]] * 5}), "observations", "holds 5 rows; at most 4 are taken"),
    ],
)
def test_malformed_request_is_told_with_its_field(body: str, field: str, told: str) -> None:
    assert refusal(body) == (field, told)


@pytest.mark.parametrize("name", ["observations", "observation\\u0073"])
def test_field_that_is_given_twice_is_refused_however_it_is_spelt(name: str) -> None:
    body = f'{{"observations": [[1, 2, 3]], "{name}": [[4, 5, 6]]}}'
    assert refusal(body) == ("observations", "is given more than once")


def test_field_that_is_spelt_with_escapes_is_taken() -> None:
    assert read_observations(b'{"observation\\u0073": [[1, 2]]}', 2, 4).tolist() == [[1, 2]]


@pytest.mark.parametrize("body", [b"", b"observations", b"[[1, 2, 3]]", b"\xff\xfe", b"[" * 100_000, b'"x"', b"null"])
def test_body_that_is_no_object_of_json_is_refused_whole(body: bytes) -> None:
    field, told = refusal(body)
    assert field is None
    assert "JSON" in told


def test_any_width_is_taken_where_the_model_takes_any_but_the_same_in_all_rows() -> None:
    assert read_observations(b'{"observations": [[1, 2], [3, 4]]}', None, 4).shape == (2, 2)
    assert refusal('{"observations": [[1, 2], [3]]}', width=None) == (
        "observations[1]",
        "holds 1 numbers; must hold 2",
    )
    assert refusal('{"observations": [[]]}', width=None) == ("observations[0]", "must hold at least one number")


@pytest.mark.parametrize(
    "observations", ["[1, 1, 1]", "[[null, null, null]]", "[[null], [null], [null]]", '["", {}, 1]', "[[1], 1, 1]"]
)
@pytest.mark.parametrize("more", ["", ', "a": 1, "b": 1, "c": [null, 1]'])
def test_no_more_than_one_fault_is_collected(observations: str, more: str) -> None:
    with pytest.raises(ValidationError) as caught:
        PredictRequest.model_validate_json(f'{{"observations": {observations}{more}}}')
    assert caught.value.error_count() == 1


def test_unknown_fields_are_no_faults_to_collect_and_refused_all_the_same() -> None:
    names = [f"n{number}" for number in range(1000)]
    body = json.dumps(dict.fromkeys(names, 1) | {"observations": [[1, 2, 3]]})
    assert PredictRequest.model_validate_json(body).observations == [[1.0, 2.0, 3.0]]
    assert refusal(body) == ("n0", "is no known field; there is observations")
    assert PredictRequest.model_json_schema()["additionalProperties"] is False
