"""POST /predict, straight on ASGI: the one route whose speed counts. What it takes and gives: answers.py.

Parsing, computing and writing are compiled; between them stands as little Python as holds the limits.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import numpy as np
import orjson

from deployment.serving.deadlines import Deadlines
from deployment.serving.long_bodies import SHORT_BYTES, read_long_body
from deployment.serving.micro_batcher import FloatArray, MicroBatcher, QueueFullError
from deployment.serving.model_slot import ModelSlot
from deployment.serving.observation_body import BodyError, read_observations
from deployment.serving.served_model import ServedModel
from MLOps.settings.serving import LimitSettings

_LOG = logging.getLogger(__name__)
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]
CLIENT_GONE = 499
_JSON: Header = (b"content-type", b"application/json")
CLOSE: Header = (b"connection", b"close")
NO_MODEL = "no model is served yet; GET /ready tells when"


class RefusedError(Exception):
    """A request that is not answered.

    Parameters
    ----------
    status : int
        Of the answer.
    reason : str
        What is wrong, in one line.
    field : str, optional
        Where.
    headers : tuple
        Further headers of the answer.
    """

    def __init__(self, status: int, reason: str, field: str | None = None, headers: tuple[Header, ...] = ()) -> None:
        super().__init__(reason)
        self.status, self.reason, self.field, self.headers = status, reason, field, headers


class _ClientGoneError(Exception):
    """The client has hung up."""


class PredictEndpoint:
    """Reads observations, lets them be computed, and answers.

    Parameters
    ----------
    slot : ModelSlot
        Holds the model.
    batcher : MicroBatcher
        Computes.
    limits : LimitSettings
        Of a request.
    """

    def __init__(self, slot: ModelSlot, batcher: MicroBatcher, limits: LimitSettings) -> None:
        self._slot, self._batcher, self._limits = slot, batcher, limits
        self._max_bytes = limits.max_body_kib * 1024
        self._deadlines = Deadlines(limits.timeout_seconds)
        self._one_long_body = asyncio.Lock()  # so that a turn of the loop holds one piece, however many are sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Answer one request; gives the status."""
        try:
            answer = await self._answer(scope["headers"], receive)
        except RefusedError as refused:
            await send_refusal(send, refused)
            return refused.status
        except _ClientGoneError:
            return CLIENT_GONE
        await send_bytes(send, 200, answer)
        return 200

    async def _answer(self, headers: Iterable[Header], receive: Receive) -> bytes:
        self._check_headers(headers)
        has_body = False
        try:
            with self._deadlines.begin():
                body = await self._read(receive)
                has_body = True
                return await self._predict(body)
        except TimeoutError:
            told = f"within {self._limits.timeout_seconds:g} s"
            if has_body:
                raise RefusedError(504, f"no answer {told}; the server is overloaded") from None
            raise RefusedError(408, f"the body did not come {told}", headers=(CLOSE,)) from None

    def _check_headers(self, headers: Iterable[Header]) -> None:
        is_json = False
        for name, value in headers:
            if name == b"content-type":
                is_json = value.partition(b";")[0].strip().lower() == b"application/json"
            elif name == b"content-length" and value.isdigit() and int(value) > self._max_bytes:
                raise self._too_large()
            elif name == b"content-encoding" and value.lower() != b"identity":
                raise RefusedError(415, "the body must not be compressed")
        if not is_json:
            raise RefusedError(415, "the header Content-Type must be application/json")

    async def _read(self, receive: Receive) -> bytes:
        message = await receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            parts, length = [body], len(body)
            while message.get("more_body"):
                message = await receive()
                parts.append(message.get("body", b""))
                length += len(parts[-1])
                if length > self._max_bytes:
                    raise self._too_large()
            body = b"".join(parts)
        if message["type"] == "http.disconnect":
            raise _ClientGoneError
        if len(body) > self._max_bytes:
            raise self._too_large()
        return body

    async def _predict(self, body: bytes) -> bytes:
        model = self._slot.model
        if model is None:
            raise self._unavailable(NO_MODEL)
        try:
            observations = await self._observations(body, model.info.observation_size)
        except BodyError as error:
            raise RefusedError(422, error.reason, error.field) from None
        try:
            q_values = await self._batcher.submit(model, observations)
        except QueueFullError:
            raise self._unavailable("too many observations wait") from None
        except Exception as error:
            _LOG.exception("a batch failed")
            raise RefusedError(500, "the model failed; the server's log tells how") from error
        return write_answer(model, q_values)

    async def _observations(self, body: bytes, width: int | None) -> FloatArray:
        if len(body) <= SHORT_BYTES:
            return read_observations(body, width, self._limits.max_rows)
        async with self._one_long_body:
            return await read_long_body(body, width, self._limits.max_rows)

    def _unavailable(self, reason: str) -> RefusedError:
        return RefusedError(503, reason, headers=((b"retry-after", b"%d" % self._limits.retry_after_seconds),))

    def _too_large(self) -> RefusedError:
        return RefusedError(413, f"the body is longer than {self._limits.max_body_kib} KiB")


def write_answer(model: ServedModel, q_values: FloatArray) -> bytes:
    """The JSON of an answer; `RefusedError` (422) where a value is not finite: JSON has no word for it."""
    if not np.isfinite(q_values).all():
        row = int(np.argmin(np.isfinite(q_values).all(axis=1)))
        raise RefusedError(422, "is too large for the model: its values overflow", f"observations[{row}]")
    found = {"actions": q_values.argmax(axis=1), "q_values": q_values}
    return orjson.dumps(found, option=orjson.OPT_SERIALIZE_NUMPY)[:-1] + model.json_tail


async def send_refusal(send: Send, refused: RefusedError) -> None:
    """Answer with the reason."""
    body = orjson.dumps({"reason": refused.reason, "field": refused.field})
    await send_bytes(send, refused.status, body, refused.headers)


async def send_bytes(send: Send, status: int, body: bytes, headers: tuple[Header, ...] = ()) -> None:
    """Answer with JSON."""
    told = [_JSON, (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})
