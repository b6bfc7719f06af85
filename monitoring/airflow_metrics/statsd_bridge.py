"""Takes Airflow's StatsD packets and shows them to Prometheus, both on 127.0.0.1.

Run: ``python -m monitoring.airflow_metrics.statsd_bridge [key=value ...]`` (`make services-up` starts it)

Gauges keep their last value when Airflow ends; whether it lives is told by airflow_scheduler_heartbeat_total.
"""

import logging
import signal
import socketserver
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from experiment_tracking.metric_sinks import MetricsEndpoint
from MLOps.errors import PlatformError, ServiceUnavailableError
from MLOps.settings.compose import compose_settings
from MLOps.settings.monitoring_services import MonitoringServicesSettings
from monitoring.airflow_metrics.exposed_metrics import EXPOSED, PREFIX, ExposedMetric
from monitoring.airflow_metrics.statsd_packet import Kind, StatsdSample, samples_in

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_LOG = logging.getLogger(__name__)
_KINDS: Mapping[str, Kind] = {"counter": "c", "gauge": "g", "summary": "ms"}
_MOST_SERIES = 2000
_LOOK_SECONDS = 0.1


class AirflowMetrics:
    """Airflow's metrics as Prometheus shows them.

    Parameters
    ----------
    registry : CollectorRegistry
        Where they are registered.
    """

    def __init__(self, registry: "CollectorRegistry") -> None:
        from prometheus_client import Counter, Gauge, Summary

        makers = {"counter": Counter, "gauge": Gauge, "summary": Summary}
        self._shown: dict[str, tuple[ExposedMetric, Any]] = {
            f"{PREFIX}.{metric.statsd_name}": (
                metric,
                makers[metric.kind](metric.name, metric.help, metric.labels, registry=registry),
            )
            for metric in EXPOSED
        }
        self._series: set[tuple[str, ...]] = set()

    def take(self, sample: StatsdSample) -> None:
        """Add a sample; one of another metric or kind, and one of a new series when there are too many, is dropped."""
        if sample.name not in self._shown:
            return
        metric, shown = self._shown[sample.name]
        if _KINDS[metric.kind] != sample.kind or not self._may_show(metric, sample):
            return
        series = shown.labels(*self._values(metric, sample)) if metric.labels else shown
        match metric.kind:
            case "counter":
                series.inc(max(sample.value, 0))
            case "summary":
                series.observe(sample.value / 1000)
            case "gauge":
                (series.inc if sample.is_change else series.set)(sample.value)

    def _may_show(self, metric: ExposedMetric, sample: StatsdSample) -> bool:
        series = (metric.name, *self._values(metric, sample))
        if series not in self._series and len(self._series) >= _MOST_SERIES:
            return False
        self._series.add(series)
        return True

    @staticmethod
    def _values(metric: ExposedMetric, sample: StatsdSample) -> list[str]:
        return [sample.tags.get(label, "") for label in metric.labels]


class StatsdServer(socketserver.UDPServer):
    """Takes packets on 127.0.0.1; port 0 takes a free one."""

    max_packet_size = 65_535

    def __init__(self, port: int, metrics: AirflowMetrics) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.metrics = metrics


class _Handler(socketserver.BaseRequestHandler):
    server: StatsdServer

    def handle(self) -> None:
        packet, _ = self.request
        for sample in samples_in(packet):
            self.server.metrics.take(sample)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the bridge until it is ended by a signal."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        settings = compose_settings(
            MonitoringServicesSettings, "monitoring_services", sys.argv[1:] if argv is None else argv
        )
        _serve(settings)
    except PlatformError as error:
        _LOG.error("statsd_bridge: %s", error)
        return error.exit_code
    return 0


def _serve(settings: MonitoringServicesSettings) -> None:
    ports = settings.ports
    try:
        with (
            MetricsEndpoint(ports.airflow_metrics) as page,
            StatsdServer(ports.airflow_statsd, AirflowMetrics(page.registry)) as server,
        ):
            _LOG.info("packets to 127.0.0.1:%d, page at http://127.0.0.1:%d", ports.airflow_statsd, page.port)
            for number in (signal.SIGTERM, signal.SIGINT):
                # shutdown waits for the loop, which this very thread runs
                signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
            server.serve_forever(_LOOK_SECONDS)
    except OSError as error:
        wanted = f"ports.airflow_metrics={ports.airflow_metrics} or ports.airflow_statsd={ports.airflow_statsd}"
        raise ServiceUnavailableError(f"{wanted} cannot be had ({error})", "free ports") from error


if __name__ == "__main__":
    sys.exit(main())
