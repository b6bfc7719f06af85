"""Where metrics go: a Prometheus text file, a Pushgateway, or a server's own ``/metrics`` page.

`report_metrics` is what everybody calls. The text file is always written, for it remembers what earlier reports of
the job said; a Pushgateway gets all that it holds. A service that is down costs `metrics.timeout_seconds` and one
warning line, and never fails what was to be reported.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Protocol

from filelock import FileLock

from experiment_tracking.find_gateway import gateway_to_push
from experiment_tracking.metric_samples import Sample, merged, registry_of, samples_in, text_of
from MLOps.artifacts import write_text
from MLOps.errors import without_credentials
from MLOps.settings.stage_settings import StageSettings

_LOG = logging.getLogger(__name__)
Gone = Callable[[Sequence[Sample]], Collection[tuple[str, str]]]
"""Of all that a job had told, the labels (name, value) of what is no longer there, and is to be forgotten."""


class MetricSink(Protocol):
    """A place that holds the samples of each job."""

    def replace(self, job: str, samples: Sequence[Sample]) -> None:
        """Hold `samples`, and nothing else, for `job`."""


class TextFileSink:
    """One file a job in the text format of Prometheus: ``<folder>/<job>.prom``.

    node_exporter's textfile collector reads such a folder, and so does a person.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def replace(self, job: str, samples: Sequence[Sample]) -> None:
        write_text(self._folder / f"{job}.prom", text_of(samples))

    def read(self, job: str) -> list[Sample]:
        """What the file holds; nothing if there is none, or it was broken by other hands."""
        path = self._folder / f"{job}.prom"
        try:
            return samples_in(path.read_bytes().decode())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except ValueError as error:
            _LOG.warning("%s is broken (%s); it begins anew", path, error)
            return []

    def add(self, job: str, samples: Sequence[Sample], lock_seconds: float, gone: Gone = lambda _: ()) -> list[Sample]:
        """Let `samples` take the place of those that spoke of the same, or of what is gone; gives what the file holds.

        Raises
        ------
        TimeoutError
            If other processes kept the file locked for `lock_seconds`.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / f".{job}.lock", timeout=lock_seconds):
            earlier = self.read(job)
            held = merged(earlier, samples, gone(earlier))
            self.replace(job, held)
        return held


class PushgatewaySink:
    """A Pushgateway, which Prometheus scrapes; each job is a group of its own.

    The gateway never forgets a group: alert on the age of its timestamps.
    """

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._url, self._timeout_seconds = url, timeout_seconds

    def replace(self, job: str, samples: Sequence[Sample]) -> None:
        from prometheus_client import push_to_gateway

        push_to_gateway(self._url, job, registry_of(lambda: samples), timeout=self._timeout_seconds)


class MetricsEndpoint:
    """The ``/metrics`` page of a server, in a thread of its own while the context is open.

    Attributes
    ----------
    registry : CollectorRegistry
        For counters and histograms of the server beside the samples.
    """

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self._place, self._samples = (port, address), dict[str, tuple[Sample, ...]]()
        self.registry = registry_of(self._all)

    def __enter__(self) -> "MetricsEndpoint":
        from prometheus_client import start_http_server

        self._server, self._thread = start_http_server(*self._place, registry=self.registry)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """Port that the page is served on; where 0 was asked for, the one that was free."""
        return int(self._server.server_port)

    def replace(self, job: str, samples: Sequence[Sample]) -> None:
        self._samples[job] = tuple(samples)

    def _all(self) -> Iterator[Sample]:
        return (sample for samples in tuple(self._samples.values()) for sample in samples)


def report_metrics(
    settings: StageSettings,
    samples_by_job: Mapping[str, Sequence[Sample]],
    *,
    can_write: bool = True,
    gone: Gone = lambda _: (),
) -> None:
    """Report samples by the sink that the settings name; whatever goes wrong is one warning and no error.

    A report replaces what earlier ones of the job said of the same subjects, and leaves the rest: a failed run
    does not wipe out when the job last succeeded, and a check of one market leaves what is known of another.

    Parameters
    ----------
    settings : StageSettings
        `metrics`, `paths` and `ports`.
    samples_by_job : mapping of str to sequence of Sample
        Who reports, the stage as a rule; jobs are few, and named in the code. No series belongs to two jobs.
    can_write : bool
        False leaves the files alone, where the disk is known to take no more; a Pushgateway is told all the same.
    gone : callable
        What is to be forgotten of what earlier reports said.
    """
    metrics = settings.metrics
    if metrics.sink == "none":
        return
    deadline = time.monotonic() + metrics.timeout_seconds
    with only_warned(", ".join(samples_by_job)):
        file = TextFileSink(metrics_folder(settings))
        held = {
            job: _kept(file, job, samples, _seconds_to(deadline), gone)
            if can_write
            else merged(file.read(job), samples)
            for job, samples in samples_by_job.items()
        }
        if url := gateway_to_push(settings, _seconds_to(deadline)):
            gateway = PushgatewaySink(url, metrics.timeout_seconds)
            # The socket's own limit counts anew for each packet, and not for a name that does not resolve.
            done_within(_seconds_to(deadline), lambda: _replace_all(gateway, held))


def _kept(file: TextFileSink, job: str, samples: Sequence[Sample], lock_seconds: float, gone: Gone) -> list[Sample]:
    """All that is known of `job`, and its file holds; one that cannot be written is a warning, and no more.

    Raises
    ------
    TimeoutError
        If the file stayed locked, for then no time is left to tell anybody else.
    """
    try:
        return file.add(job, samples, lock_seconds, gone)
    except TimeoutError:
        raise
    except OSError as error:
        _warn(job, error)
        return merged(file.read(job), samples)


@contextmanager
def only_warned(job: str) -> Iterator[None]:
    """Make one warning line of any error: to report on work must never undo the work."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - see above
        _warn(job, error)


def metrics_folder(settings: StageSettings) -> Path:
    """Folder of the text files."""
    return settings.paths.reports / "metrics"


def _warn(job: str, error: Exception) -> None:
    told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    _LOG.warning("the metrics of %s are not all reported: %s", job, without_credentials(told))


def done_within(seconds: float, work: Callable[[], None]) -> None:
    """Do `work` in a thread, and raise what it raises; TimeoutError if it has not ended after `seconds`."""
    ended: SimpleQueue[Exception | None] = SimpleQueue()

    def run() -> None:
        try:
            work()
            ended.put(None)
        except Exception as error:  # noqa: BLE001 - raised again by the thread that waits
            ended.put(error)

    Thread(target=run, daemon=True).start()
    try:
        error = ended.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"no answer within {seconds:.1f} s") from None
    if error is not None:
        raise error


def _replace_all(sink: MetricSink, samples_by_job: Mapping[str, Sequence[Sample]]) -> None:
    for job, samples in samples_by_job.items():
        sink.replace(job, samples)


def _seconds_to(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())
