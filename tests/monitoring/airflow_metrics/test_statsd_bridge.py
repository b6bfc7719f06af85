"""From Airflow's own StatsD client to the page that Prometheus reads."""

import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from experiment_tracking.metric_sinks import MetricsEndpoint
from monitoring.airflow_metrics import statsd_bridge
from monitoring.airflow_metrics.exposed_metrics import EXPOSED, STORED_NAMES
from monitoring.airflow_metrics.statsd_bridge import AirflowMetrics, StatsdServer
from monitoring.airflow_metrics.statsd_packet import samples_in


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> AirflowMetrics:
    return AirflowMetrics(registry)


def _take(metrics: AirflowMetrics, *lines: str) -> None:
    for sample in samples_in("\n".join(lines).encode()):
        metrics.take(sample)


def test_counts_add_up_by_label(metrics: AirflowMetrics, registry: CollectorRegistry) -> None:
    line = "airflow.ti.finish,dag_id=daily_data,task_id=ingest_data,state={}:1|c"
    _take(metrics, line.format("success"), line.format("failed"), line.format("success"))
    labels = {"dag_id": "daily_data", "task_id": "ingest_data"}
    counted = {
        state: registry.get_sample_value("airflow_ti_finish_total", labels | {"state": state})
        for state in ("success", "failed")
    }
    assert counted == {"success": 2, "failed": 1}


def test_times_become_seconds(metrics: AirflowMetrics, registry: CollectorRegistry) -> None:
    _take(metrics, *(f"airflow.dagrun.duration.success,dag_id=daily_data:{time}|ms" for time in (1500, 500)))
    name, labels = "airflow_dagrun_duration_success_seconds", {"dag_id": "daily_data"}
    assert registry.get_sample_value(f"{name}_sum", labels) == 2.0
    assert registry.get_sample_value(f"{name}_count", labels) == 2.0


def test_a_gauge_is_set_and_moved(metrics: AirflowMetrics, registry: CollectorRegistry) -> None:
    _take(metrics, "airflow.dagbag_size:5|g", "airflow.dagbag_size:-2|g")
    assert registry.get_sample_value("airflow_dagbag_size") == 3


def test_what_the_table_does_not_name_makes_no_series(metrics: AirflowMetrics, registry: CollectorRegistry) -> None:
    before = sum(len(family.samples) for family in registry.collect())
    _take(
        metrics,
        "airflow.ti.finish.daily_data.ingest_data.success:1|c",  # the old form
        "airflow.dagbag_size:5|c",  # another kind
        "other.scheduler_heartbeat:1|c",
    )
    assert sum(len(family.samples) for family in registry.collect()) == before
    for run in range(3):  # a tag of each run is no label
        _take(metrics, f"airflow.deadline_alerts.deadline_missed,dag_id=daily_data,dagrun_id=r{run}:1|c")
    assert registry.get_sample_value("airflow_deadline_alerts_deadline_missed_total", {"dag_id": "daily_data"}) == 3


def test_series_are_bounded(
    metrics: AirflowMetrics, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statsd_bridge, "_MOST_SERIES", 3)
    _take(metrics, *(f"airflow.dagrun.schedule_delay,dag_id=d{number}:1|ms" for number in range(9)))
    _take(metrics, "airflow.dagrun.schedule_delay,dag_id=d1:1|ms")  # known ones still count
    name = "airflow_dagrun_schedule_delay_seconds_count"
    counts = [registry.get_sample_value(name, {"dag_id": f"d{number}"}) for number in range(9)]
    assert counts == [1, 2, 1] + [None] * 6


def test_the_table_names_what_airflow_sends() -> None:
    """Airflow's own list has each metric, of that kind; a summary is a timer there."""
    import airflow

    place = "_shared/observability/metrics/metrics_template.yaml"
    listed = yaml.safe_load((Path(airflow.__path__[0]) / place).read_text())["metrics"]
    kinds = {metric["name"]: metric["type"] for metric in listed}
    for metric in EXPOSED:
        assert kinds[metric.statsd_name] == {"summary": "timer"}.get(metric.kind, metric.kind), metric.statsd_name


def test_stored_names_are_those_of_the_page(metrics: AirflowMetrics, registry: CollectorRegistry) -> None:
    for metric in EXPOSED:
        kind = {"counter": "c", "gauge": "g", "summary": "ms"}[metric.kind]
        _take(metrics, f"airflow.{metric.statsd_name}:1|{kind}")
    shown = {sample.name for family in registry.collect() for sample in family.samples}
    assert {name for name in shown if not name.endswith("_created")} == STORED_NAMES


@pytest.fixture
def bridge() -> Iterator[tuple[int, str]]:
    """A running bridge: its port for packets, the address of its page."""
    with MetricsEndpoint(0) as page, StatsdServer(0, AirflowMetrics(page.registry)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1], f"http://127.0.0.1:{page.port}/metrics"
        server.shutdown()
        thread.join()


def test_what_airflows_client_sends_is_on_the_page(bridge: tuple[int, str]) -> None:
    from airflow._shared.observability.metrics.statsd_logger import get_statsd_logger
    from statsd import StatsClient

    port, url = bridge
    client = get_statsd_logger(
        stats_class=StatsClient,
        host="127.0.0.1",
        port=port,
        prefix="airflow",
        influxdb_tags_enabled=True,
        statsd_influxdb_enabled=True,  # the setting sets both
    )
    wanted = 'airflow_ti_start_total{dag_id="daily_data",task_id="ingest_data"}'
    page = ""
    for _ in range(1000):  # a packet may be lost, and is not awaited
        client.incr("ti.start", tags={"dag_id": "daily_data", "task_id": "ingest_data"})
        with urllib.request.urlopen(url, timeout=10) as answer:
            page = answer.read().decode()
        if wanted in page:
            break
    assert wanted in page
