"""What the server tells Prometheus, on its own page.

Names follow https://prometheus.io/docs/practices/naming/. Labels take few values: routes that exist (`other` stands
for all else, `none` for what was refused before it was a request), statuses, versions. None carries a digest or a
path; those stand at /model/info.
"""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric

from deployment.serving.answers import ModelInfo
from deployment.serving.docs_page import DOCS_ROUTES
from deployment.serving.tallies import Tally, Told, counter, distribution

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ROUTES = DOCS_ROUTES | {"/", "/health", "/ready", "/model/info", "/predict", "/metrics", "/openapi.json"}
_NO_ROUTE = "none"
_PREFIX = "trading_predictor"
_SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_POWERS = tuple(float(2**exponent) for exponent in range(13))


class ServerMetrics:
    """The metrics of one server, in a registry of their own.

    Parameters
    ----------
    waiting_rows : callable
        Gives the observations that wait now.
    """

    def __init__(self, waiting_rows: Callable[[], int]) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests: dict[tuple[str, ...], int] = {}
        self._seconds: dict[tuple[str, ...], Tally] = {}
        self._batch_requests, self._batch_rows, self._rows = Tally(_POWERS), Tally(_POWERS), 0
        registry.register(Told(self._counted))
        waiting = Gauge(f"{_PREFIX}_waiting_rows", "Observations that wait.", registry=registry)
        waiting.set_function(waiting_rows)
        self._model = Gauge(
            f"{_PREFIX}_model_info", "1, for the model served.", ("name", "version", "kind"), registry=registry
        )
        self._loaded = Gauge(
            f"{_PREFIX}_model_loaded_timestamp_seconds", "When the served model was loaded.", registry=registry
        )
        self._swaps = Counter(f"{_PREFIX}_model_swaps", "Models that took another one's place.", registry=registry)
        self._refusals = Counter(
            f"{_PREFIX}_model_refusals", "New models that were refused, or looks that failed.", registry=registry
        )
        self._is_current = Gauge(
            f"{_PREFIX}_model_is_current",
            "1 if the model served is the one that the last look wanted, else 0.",
            registry=registry,
        )

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is a path as it was asked for."""
        known = route if route in ROUTES else "other"
        self._count(known, status)
        tally = self._seconds.get((known,))
        if tally is None:
            tally = self._seconds[(known,)] = Tally(_SECONDS)
        tally.observe(seconds)

    def refused_message(self, status: int) -> None:
        """Count what was refused before it was a request: a head too long, too slow, or no HTTP; it took no time."""
        self._count(_NO_ROUTE, status)

    def batch(self, requests: int, rows: int) -> None:
        """Count a batch."""
        self._batch_requests.observe(requests)
        self._batch_rows.observe(rows)
        self._rows += rows

    def _count(self, route: str, status: int) -> None:
        of = route, str(status)
        self._requests[of] = self._requests.get(of, 0) + 1

    def _counted(self) -> Iterator[Metric]:
        """What is counted for each request and batch."""
        requests, seconds = "Requests answered, by route and status.", "Time from a request's headers to its answer."
        yield counter(f"{_PREFIX}_requests", requests, ("route", "status"), self._requests)
        yield distribution(f"{_PREFIX}_request_duration_seconds", seconds, ("route",), self._seconds)
        for name, told, tally in (
            ("batch_requests", "Requests computed together.", self._batch_requests),
            ("batch_rows", "Observations computed together.", self._batch_rows),
        ):
            yield distribution(f"{_PREFIX}_{name}", told, (), {(): tally})
        yield counter(f"{_PREFIX}_rows", "Observations decided on.", (), {(): self._rows})

    def loaded(self, info: ModelInfo, at: float, *, is_swap: bool) -> None:
        """Tell the model that is served from now on; `at` in seconds since 1970."""
        self._model.clear()
        self._model.labels(info.name, str(info.version or ""), info.kind).set(1)
        self._loaded.set(at)
        self._is_current.set(1)
        if is_swap:
            self._swaps.inc()

    def refused(self) -> None:
        """Count a new model that was refused, or a look that failed."""
        self._refusals.inc()
        self._is_current.set(0)

    def current(self) -> None:
        """Tell that the model served is the one that is wanted."""
        self._is_current.set(1)

    def totals(self) -> dict[str, float]:
        """Requests, observations and swaps so far."""
        samples = [sample for metric in self._registry.collect() for sample in metric.samples]
        sums = {"requests": "requests_total", "rows": "rows_total", "model_swaps": "model_swaps_total"}
        return {
            told: sum(sample.value for sample in samples if sample.name == f"{_PREFIX}_{name}")
            for told, name in sums.items()
        }

    def page(self) -> bytes:
        """The page, in Prometheus' text format."""
        return generate_latest(self._registry)
