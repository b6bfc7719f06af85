"""A long body is read as a short one is, in turns, and what is wrong with it is found without reading it all."""

import asyncio
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployment.serving import long_bodies
from deployment.serving.long_bodies import read_long_body
from deployment.serving.observation_body import BodyError, FloatArray, read_observations

KIB = 1024


def read(body: bytes, width: int | None = 3, max_rows: int = 100_000) -> FloatArray:
    return asyncio.run(read_long_body(body, width, max_rows))


def refusal(body: bytes, width: int | None = 3, max_rows: int = 100_000) -> tuple[str | None, str]:
    with pytest.raises(BodyError) as caught:
        read(body, width, max_rows)
    return caught.value.field, caught.value.reason


def outcome(body: bytes, width: int | None, *, is_long: bool) -> list[list[float]] | str:
    """The rows, or that it was refused."""
    try:
        found = read(body, width, 6) if is_long else read_observations(body, width, 6)
    except BodyError:
        return "refused"
    return found.tolist()


ROWS = st.lists(st.lists(st.floats(-1e9, 1e9, width=32), min_size=2, max_size=2), min_size=1, max_size=8)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n ", "\t: ")])


@given(ROWS, SEPARATORS, st.data())
def test_pieces_are_read_as_the_whole_is(
    rows: list[list[float]], separators: tuple[str, str], data: st.DataObject
) -> None:
    body = json.dumps({"observations": rows}, separators=separators).encode()
    if data.draw(st.booleans()):  # damage it
        at = data.draw(st.integers(0, len(body) - 1))
        inserted = data.draw(
            st.sampled_from([b"", b"[", b"]", b",", b"}", b"]]", b"],[", b'"', b'"a":', b"null", b"1"])
        )
        body = body[:at] + inserted + body[at + data.draw(st.integers(0, 2)) :]
    if data.draw(st.booleans()):  # say it twice, or end in what is no space in JSON
        body = data.draw(st.sampled_from([body[:-1] + b',"observations":[[1,2]]}', body + b"\x0b", body + b" \n"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_bodies, "SHORT_BYTES", data.draw(st.integers(1, 60)))
        for width in (2, None):
            assert outcome(body, width, is_long=True) == outcome(body, width, is_long=False)


LONG = np.arange(30_000, dtype=np.float32).reshape(-1, 3)


def text(rows: list[object], **more: object) -> bytes:
    return json.dumps({"observations": rows} | more).encode()


def test_long_body_is_read_in_turns_of_a_bounded_length(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []
    turns: list[int] = []

    def read_piece(piece: bytes, width: int | None, max_rows: int) -> FloatArray:
        lengths.append(len(piece))
        return read_observations(piece, width, max_rows)

    async def work() -> FloatArray:
        reading = asyncio.create_task(read_long_body(body, 3, 100_000))
        while not reading.done():
            turns.append(len(lengths))
            await asyncio.sleep(0)
        return await reading

    body = text(LONG.tolist()) + b" " * 500 * KIB
    monkeypatch.setattr(long_bodies, "read_observations", read_piece)
    np.testing.assert_array_equal(asyncio.run(work()), LONG)
    assert max(lengths) < 2 * long_bodies.SHORT_BYTES
    assert sum(lengths) < len(body)
    assert max(np.diff(turns)) == 1  # no two pieces without the loop's turn between them


@pytest.mark.parametrize("value", [None, "x", True, [1], {}, float("nan")])
def test_fault_is_told_with_its_place_in_the_whole(value: object) -> None:
    rows: list[object] = LONG.tolist()
    rows[7777] = [0.0, value, 0.0]
    field, reason = refusal(text(rows))
    assert field == "observations[7777][1]"
    assert reason.startswith("must be a finite number")


def test_row_of_another_width_is_told_with_its_place_in_the_whole() -> None:
    rows: list[object] = LONG.tolist()
    rows[7777] = [0.0, 0.0]
    assert refusal(text(rows)) == ("observations[7777]", "holds 2 numbers; must hold 3")
    assert refusal(text(rows), width=None) == ("observations[7777]", "holds 2 numbers; must hold 3")


def test_other_field_behind_the_rows_is_told() -> None:
    assert refusal(text(LONG.tolist(), seed=1)) == ("seed", "is no known field; there is observations")


def test_field_that_is_given_twice_is_refused() -> None:
    body = text(LONG.tolist())[:-1] + b', "observations": [[1, 2, 3]]}'
    assert refusal(body) == ("observations", "is given more than once")


@pytest.mark.parametrize("begins", [b"[", b'{"a": 1, ', b'"observations": [', b"", b'{"observations": {'])
def test_long_body_that_does_not_begin_as_declared_is_refused_unread(
    begins: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_bodies, "read_observations", None)
    field, reason = refusal(begins + b"[]," * 100_000)
    assert (field, reason) == (None, 'a body beyond 16 KiB must be JSON that begins with {"observations": [')


@pytest.mark.parametrize(
    ("unit", "told"),
    [
        (b"[]", "must hold"),
        (b"[0]", "must hold 3"),
        (b"[0, 0, 0]", "holds more rows than the 1024 that are taken"),
    ],
)
def test_hostile_rows_cost_no_more_than_a_few_pieces(unit: bytes, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []

    def read_piece(piece: bytes, width: int | None, max_rows: int) -> FloatArray:
        lengths.append(len(piece))
        return read_observations(piece, width, max_rows)

    monkeypatch.setattr(long_bodies, "read_observations", read_piece)
    body = b'{"observations": [' + b",".join([unit] * 90_000) + b"]}"
    assert told in refusal(body, max_rows=1024)[1]
    assert sum(lengths) <= 2 * (long_bodies.SHORT_BYTES + KIB)


def test_endless_row_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_bodies, "read_observations", None)
    body = b'{"observations": [[' + b"0," * 200_000 + b"0]]}"
    assert refusal(body, width=None) == ("observations", "has a row of more than 64 KiB")
