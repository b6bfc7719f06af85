"""A long body read in turns, so that other requests are answered between them.

Parsing holds the interpreter's lock: in a thread it would stop the event loop just the same. So a long body is cut
between two of its rows, and each piece is a body of its own, read as a short one is. What is wrong is found in the
piece where it stands, and what is beyond the limits in the first piece that goes beyond them: neither costs more than
that piece.
"""

import asyncio
import re
from collections.abc import Iterator

import numpy as np

from deployment.serving.observation_body import GIVEN_TWICE, BodyError, FloatArray, read_observations

SHORT_BYTES = 16 * 1024
"""A body up to this length is read at once; a longer one in pieces that are about as long."""
MOST_ROW_BYTES = 64 * 1024
"""Longest text of a row in a long body: 64 bytes a number, if it has a thousand."""
_BEGIN, _END = b'{"observations": [', b"]}"
_SPACE = rb"[ \t\r\n]*"
_BEGINNING = re.compile(_SPACE + rb"\{" + _SPACE + rb'"observations"' + _SPACE + rb":" + _SPACE + rb"\[")
_BETWEEN_ROWS = re.compile(rb"\]" + _SPACE + rb",")
_PLACE = re.compile(r"observations\[(\d+)\]")


async def read_long_body(body: bytes, width: int | None, max_rows: int) -> FloatArray:
    """As `observation_body.read_observations`, with the loop let go on after each piece; raises as it does.

    A long body must begin with ``{"observations": [``, and its rows must not be longer than `MOST_ROW_BYTES`.
    """
    parts: list[FloatArray] = []
    rows = 0
    for piece in _pieces(body):
        part = _read(piece, width, rows)
        rows, width = rows + len(part), part.shape[1]
        if rows > max_rows:
            raise BodyError(f"holds more rows than the {max_rows} that are taken", "observations")
        parts.append(part)
        await asyncio.sleep(0)
    return np.concatenate(parts)


def _pieces(body: bytes) -> Iterator[bytes]:
    """Bodies whose rows are, one after another, the rows of `body`; the last one ends as `body` does."""
    beginning = _BEGINNING.match(body)
    if beginning is None:
        raise BodyError(f'a body beyond {SHORT_BYTES // 1024} KiB must be JSON that begins with {{"observations": [')
    start, stop = beginning.end(), len(body.rstrip(b" \t\r\n"))
    while stop - start > SHORT_BYTES:
        reach = start + SHORT_BYTES
        cut = _BETWEEN_ROWS.search(body, reach, reach + MOST_ROW_BYTES)
        if cut is None:
            break
        yield _BEGIN + body[start : cut.start()] + b"]" + _END
        start = cut.end()
    if stop - start > SHORT_BYTES + MOST_ROW_BYTES:
        raise BodyError(f"has a row of more than {MOST_ROW_BYTES // 1024} KiB", "observations")
    yield _BEGIN + body[start:stop]


def _read(piece: bytes, width: int | None, rows: int) -> FloatArray:
    """The rows of a piece that `rows` rows precede."""
    try:
        return read_observations(piece, width, max_rows=len(piece))
    except BodyError as error:
        if error.field is None or (rows and error.field == "observations" and error.reason != GIVEN_TWICE):
            # Its columns are those of the piece.
            raise BodyError(f"the body is no JSON as it is declared, from observations[{rows}] on") from None
        raise BodyError(
            error.reason, _PLACE.sub(lambda at: f"observations[{int(at[1]) + rows}]", error.field)
        ) from None
