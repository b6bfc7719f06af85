"""The model that is served, and how another one takes its place while requests go on."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

from deployment.serving.served_model import ServedModel
from deployment.serving.server_metrics import ServerMetrics
from MLOps.errors import ModelError, PlatformError

_LOG = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Candidate:
    """The model that ought to be served; `load` opens it and is not called for one that is served already."""

    digest: str
    version: int | None
    load: Callable[[], ServedModel]


class ModelSource(Protocol):
    """Where models come from."""

    def wanted(self) -> Candidate:
        """The model that ought to be served now.

        Raises
        ------
        PlatformError
            If there is none, or it cannot be asked for.
        """


class ModelSlot:
    """Holds the model that is served.

    A new one is opened in a thread beside the old one, tried, and put in its place in one step of the event loop.
    Requests that were read before are computed by the old one. What is refused changes nothing: the log tells it
    once, the metrics count it once, and the next look tries again. A new one must be asked as the old one was; a
    baseline in between, which may be asked anything, changes nothing of that.

    Parameters
    ----------
    source : ModelSource
        Where models come from.
    metrics : ServerMetrics
        Is told of swaps and refusals.
    """

    def __init__(self, source: ModelSource, metrics: ServerMetrics) -> None:
        self._source, self._metrics = source, metrics
        self.model: ServedModel | None = None
        self._of_market: ServedModel | None = None  # the last one that was no baseline: those who ask know its market
        self.trouble: str | None = None

    async def look(self) -> None:
        """Ask for the model that is wanted, and let it take its place if it is another one."""
        present = self.model
        try:
            model = await _aside(lambda: self._load_if_new(present))
        except PlatformError as error:
            self._refuse(str(error))
        except Exception as error:  # noqa: BLE001 - the old model goes on, whatever a new one does
            self._refuse(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
        else:
            self.trouble = None
            self._metrics.current()
            if model is not None:
                self.put(model)

    def put(self, model: ServedModel) -> None:
        """Serve `model` from now on."""
        was, self.model = self.model, model
        if not model.is_baseline:
            self._of_market = model
        info = model.info
        self._metrics.loaded(info, time.time(), is_swap=was is not None)
        told = f"{info.name} version {info.version}" if info.version else info.name
        _LOG.info("serving %s (%s, %s)%s", told, info.kind, info.digest[:12], " from now on" if was else "")

    async def watch(self, seconds: float) -> None:
        """Look at once, and again and again, `seconds` apart."""
        while True:
            await self.look()
            await asyncio.sleep(seconds)

    def _load_if_new(self, present: ServedModel | None) -> ServedModel | None:
        candidate = self._source.wanted()
        if present and (candidate.digest, candidate.version) == (present.info.digest, present.info.version):
            return None
        model = candidate.load()
        known = self._of_market
        if known and not model.takes_the_place_of(known):
            raise ModelError(
                f"version {candidate.version} decides on {_market(model)}, the model served on {_market(known)}",
                "the same observation of the same market and cycle, so that those who ask may go on",
                "start the server again to serve it",
            )
        return model

    def _refuse(self, trouble: str) -> None:
        if trouble != self.trouble:
            kept = "the present model goes on" if self.model else "no model is served"
            _LOG.error("%s; %s", trouble, kept)
            self._metrics.refused()
        self.trouble = trouble


async def _aside(work: Callable[[], T]) -> T:
    """What `work` gives, done in a thread that the end of the process does not wait for, as a pool's would be."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: Exception | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def do() -> None:
        result, fault = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            fault = error
        with suppress(RuntimeError):  # the loop is closed; nobody waits any more
            loop.call_soon_threadsafe(tell, result, fault)

    threading.Thread(target=do, name="look", daemon=True).start()
    return await future


def _market(model: ServedModel) -> str:
    info = model.info
    return (
        f"{info.observation_size} numbers of {info.symbol} {info.frequency} (a window of {info.window_size}) "
        f"in cycles of {info.cycle_steps}"
    )
