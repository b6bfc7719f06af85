"""In front of every route: the key, the short way to a prediction, the count of what was answered."""

from collections.abc import MutableMapping
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp

from deployment.serving.access import KeyCheck
from deployment.serving.predict_endpoint import (
    CLIENT_GONE,
    CLOSE,
    PredictEndpoint,
    Receive,
    RefusedError,
    Scope,
    Send,
    send_refusal,
)
from deployment.serving.server_metrics import ServerMetrics

_NO_KEY = RefusedError(
    401,
    "the API key is missing or wrong; it belongs into the header X-API-Key",
    headers=((b"www-authenticate", b"Bearer"),),
)
_ENDING = RefusedError(503, "the server is about to end")


class Gate:
    """The application.

    Parameters
    ----------
    face : ASGI application
        Answers every route but predictions.
    predict : PredictEndpoint
        Answers predictions.
    keys : KeyCheck
        Who may ask.
    metrics : ServerMetrics
        Is told of each answer.
    """

    def __init__(self, face: ASGIApp, predict: PredictEndpoint, keys: KeyCheck, metrics: ServerMetrics) -> None:
        self._face, self._predict, self._keys, self._metrics = face, predict, keys, metrics
        self.is_draining = False
        """Each answer then closes its connection, so that no client sends into one that is about to end; not ready."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the lifespan."""
        if scope["type"] != "http":
            await self._face(scope, receive, send)
            return
        started, route, status = perf_counter(), scope["path"], 500
        try:
            status = await self._answer(route, scope, receive, _closing(send) if self.is_draining else send)
        finally:
            self._metrics.request(route, status, perf_counter() - started)

    async def _answer(self, route: str, scope: Scope, receive: Receive, send: Send) -> int:
        if not self._keys.lets_in(route, scope["headers"]):
            await send_refusal(send, _NO_KEY)
            return _NO_KEY.status
        if route == "/predict" and scope["method"] == "POST":
            return await self._predict(scope, receive, send)
        if self.is_draining and route == "/ready":
            await send_refusal(send, _ENDING)
            return _ENDING.status
        told = CLIENT_GONE

        async def listen(message: MutableMapping[str, Any]) -> None:
            nonlocal told
            told = message.get("status", told)
            await send(message)

        await self._face(scope, receive, listen)
        return told


def _closing(send: Send) -> Send:
    async def close(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), CLOSE]}
        await send(message)

    return close
