"""The routes of the server, as FastAPI declares and documents them."""

import copy
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response, Security
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader
from starlette.exceptions import HTTPException

from deployment.serving.access import KEY_HEADER
from deployment.serving.answers import Health, Links, ModelInfo, Prediction, Readiness, Refusal, Welcome
from deployment.serving.docs_page import add_docs_page
from deployment.serving.model_slot import ModelSlot
from deployment.serving.observation_body import PredictRequest
from deployment.serving.predict_endpoint import NO_MODEL
from deployment.serving.server_metrics import CONTENT_TYPE, ServerMetrics
from MLOps.settings.serving import LimitSettings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
_PACKAGE, _TITLE = "trading-agents-mlops", "crypto-timing-predictor"
_EXAMPLE_SIZE = 32  # where the model takes any
_REASONS = {
    401: "The API key is missing or wrong.",
    408: "The body did not come in time.",
    413: "The body is too long.",
    415: "The body is no JSON by its header, or compressed.",
    422: "The observations are malformed; `field` and `reason` tell where and how.",
    500: "The model failed.",
    503: "No model is served yet, or too many observations wait; the header Retry-After tells when to come again.",
    504: "No answer in time.",
}


def web_face(
    slot: ModelSlot, metrics: ServerMetrics, limits: LimitSettings, lifespan: Lifespan, *, has_key: bool
) -> FastAPI:
    """The application without its gate.

    Parameters
    ----------
    slot : ModelSlot
        Holds the model.
    metrics : ServerMetrics
        Gives its page.
    limits : LimitSettings
        For the schema of a request.
    lifespan : callable
        What runs beside the requests.
    has_key : bool
        Whether the routes that a key guards are declared so.
    """
    app = FastAPI(
        title=_TITLE,
        version=version(_PACKAGE),
        description="Buy now or wait: decisions of a buy-timing model.",
        lifespan=lifespan,
        docs_url=None,  # its page loads the script from a public host
        redoc_url=None,
        redirect_slashes=False,
        servers=[{"url": "."}],  # beside the OpenAPI, so behind a proxy's prefix as well; without, the host's root
    )
    guards = [Security(APIKeyHeader(name=KEY_HEADER, auto_error=False))] if has_key else []
    keyed = (401,) if has_key else ()
    _add_pages(app, slot)
    add_docs_page(app)
    _add_model_info(app, slot, guards, keyed)
    _add_predict(app, guards, keyed)

    @app.get("/metrics", dependencies=guards, response_class=Response, responses=_metrics_responses(keyed))
    async def metrics_page() -> Response:
        """Metrics in Prometheus' text format."""
        return Response(metrics.page(), media_type=CONTENT_TYPE)

    _answer_errors_alike(app)
    declared = app.openapi
    app.openapi = lambda: _fitted(declared(), slot, limits)  # type: ignore[method-assign]
    return app


def _add_pages(app: FastAPI, slot: ModelSlot) -> None:
    @app.get("/")
    async def welcome() -> Welcome:
        """Name, release and pages of the server."""
        return Welcome(name=_TITLE, version=app.version, links=Links())

    @app.get("/health")
    async def health() -> Health:
        """Liveness: the process answers, whether a model is served or not."""
        return Health(status="alive")

    @app.get("/ready", responses=_refusals(503))
    async def ready() -> Readiness:
        """Readiness: 503 until a model is served, and once the server is about to end."""
        if slot.model is None:
            raise HTTPException(503, f"no model is served yet{': ' + slot.trouble if slot.trouble else ''}")
        return Readiness(status="ready")


def _add_model_info(app: FastAPI, slot: ModelSlot, guards: list[Any], keyed: tuple[int, ...]) -> None:
    @app.get("/model/info", dependencies=guards, responses=_refusals(*keyed, 503))
    async def model_info() -> ModelInfo:
        """The model that is served now."""
        if slot.model is None:
            raise HTTPException(503, NO_MODEL)
        return slot.model.info


def _add_predict(app: FastAPI, guards: list[Any], keyed: tuple[int, ...]) -> None:
    @app.post("/predict", dependencies=guards, responses=_refusals(*keyed, 408, 413, 415, 422, 500, 503, 504))
    async def predict(body: PredictRequest) -> Prediction:
        """Decide on each observation: hold (0) or buy (1), with the values of both."""
        raise AssertionError(f"the gate answers this route; {len(body.observations)} observations came past it")


def _answer_errors_alike(app: FastAPI) -> None:
    """Every refusal has the shape of `Refusal`."""

    @app.exception_handler(HTTPException)
    async def refuse(_request: Request, error: HTTPException) -> JSONResponse:
        reason = error.detail or HTTPStatus(error.status_code).phrase
        return JSONResponse(Refusal(reason=reason, field=None).model_dump(), error.status_code, error.headers)


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Refusal, "description": _REASONS[status]} for status in statuses}


def _metrics_responses(keyed: tuple[int, ...]) -> dict[int | str, dict[str, Any]]:
    page = {"description": "The page.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    return {200: page, **_refusals(*keyed)}


def _fitted(schema: dict[str, Any], slot: ModelSlot, limits: LimitSettings) -> dict[str, Any]:
    """The OpenAPI with what holds now: rows of a request, numbers of the model's observation, and one to try."""
    fitted = copy.deepcopy(schema)
    rows = fitted["components"]["schemas"][PredictRequest.__name__]["properties"]["observations"]
    rows["maxItems"] = limits.max_rows
    width = slot.model.info.observation_size if slot.model else None
    rows["items"] |= {"minItems": width or 1} | ({"maxItems": width} if width else {})
    rows["examples"] = [[_observation(width or _EXAMPLE_SIZE)]]
    return fitted


def _observation(size: int) -> list[float]:
    """One to try: the price midway, all time left, and a history that stands still."""
    return [0.5, 1.0, *[0.0] * size][:size]
