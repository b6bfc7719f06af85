"""The parts of the server put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from fastapi import FastAPI

from deployment.serving.access import KeyCheck
from deployment.serving.gate import Gate
from deployment.serving.micro_batcher import MicroBatcher
from deployment.serving.model_slot import ModelSlot, ModelSource
from deployment.serving.predict_endpoint import PredictEndpoint
from deployment.serving.server_metrics import ServerMetrics
from deployment.serving.web_face import web_face
from MLOps.settings.serving import ServerSettings


@dataclass(frozen=True)
class Application:
    """An application that can be served, and its parts that others reach for."""

    gate: Gate
    slot: ModelSlot
    batcher: MicroBatcher
    metrics: ServerMetrics


def build_application(settings: ServerSettings, source: ModelSource, keys: KeyCheck, *, watches: bool) -> Application:
    """The application over a source of models.

    Parameters
    ----------
    settings : ServerSettings
        Batches, limits, times.
    source : ModelSource
        Where models come from.
    keys : KeyCheck
        Who may ask.
    watches : bool
        Whether to ask the source when the server starts and from then on; without it the slot is filled by hand.
    """
    metrics = ServerMetrics(lambda: batcher.waiting_rows)
    batcher = MicroBatcher(settings.batch, settings.limits.max_waiting_rows, metrics.batch)
    slot = ModelSlot(source, metrics)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        watch = asyncio.create_task(slot.watch(settings.poll_seconds)) if watches else None
        yield
        if watch is not None:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
        batcher.close()

    face = web_face(slot, metrics, settings.limits, lifespan, has_key=keys.is_on)
    predict = PredictEndpoint(slot, batcher, settings.limits)
    return Application(Gate(face, predict, keys, metrics), slot, batcher, metrics)
