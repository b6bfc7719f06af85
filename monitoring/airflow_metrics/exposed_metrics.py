"""Which of Airflow's metrics reach Prometheus, under which name and with which labels.

What is not in this table is dropped, tags too: Airflow tags by run as well, and each run would make series anew.

Source: https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/metrics.html
"""

from dataclasses import dataclass
from typing import Literal

PREFIX = "airflow"
"""First part of every name, on both sides."""


@dataclass(frozen=True)
class ExposedMetric:
    """One metric of Airflow.

    Attributes
    ----------
    statsd_name : str
        As Airflow sends it, without the prefix.
    kind : str
        counter, gauge, or summary: number and sum of times.
    help : str
        One line for a person.
    labels : tuple of str
        Tags that become labels; one that a packet lacks is empty.
    """

    statsd_name: str
    kind: Literal["counter", "gauge", "summary"]
    help: str
    labels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The metric's name, without the suffix that its kind adds."""
        unit = "_seconds" if self.kind == "summary" else ""
        return f"{PREFIX}_{self.statsd_name.replace('.', '_')}{unit}"

    @property
    def stored_names(self) -> tuple[str, ...]:
        """As Prometheus stores it."""
        suffixes = {"counter": ("_total",), "gauge": ("",), "summary": ("_count", "_sum")}[self.kind]
        return tuple(f"{self.name}{suffix}" for suffix in suffixes)


_TASK = ("dag_id", "task_id")
EXPOSED = (
    ExposedMetric("scheduler_heartbeat", "counter", "Heartbeats of the scheduler."),
    ExposedMetric("dag_processor_heartbeat", "counter", "Heartbeats of the DAG processor."),
    ExposedMetric("triggerer_heartbeat", "counter", "Heartbeats of the triggerer."),
    ExposedMetric("dagbag_size", "gauge", "DAGs found."),
    ExposedMetric("dag_processing.import_errors", "gauge", "DAG files that cannot be read."),
    ExposedMetric("dag_processing.total_parse_time", "gauge", "Seconds to read all DAG files."),
    ExposedMetric("scheduler.scheduler_loop_duration", "summary", "One round of the scheduler."),
    ExposedMetric("scheduler.tasks.starving", "gauge", "Tasks that no slot of the pool is left for."),
    ExposedMetric("executor.open_slots", "gauge", "Slots of the executor that are free."),
    ExposedMetric("executor.queued_tasks", "gauge", "Tasks that wait in the executor."),
    ExposedMetric("executor.running_tasks", "gauge", "Tasks that run in the executor."),
    ExposedMetric("ti.start", "counter", "Tasks started.", _TASK),
    ExposedMetric("ti.finish", "counter", "Tasks ended.", (*_TASK, "state")),
    ExposedMetric("task.duration", "summary", "Time from a task's start to its end.", _TASK),
    ExposedMetric("task_instances_without_heartbeats_killed", "counter", "Tasks ended because they gave no sign."),
    ExposedMetric("dagrun.duration.success", "summary", "Time of a run that succeeded.", ("dag_id",)),
    ExposedMetric("dagrun.duration.failed", "summary", "Time of a run that failed.", ("dag_id",)),
    ExposedMetric("dagrun.schedule_delay", "summary", "Time from when a run was due to its start.", ("dag_id",)),
    ExposedMetric("asset.updates", "counter", "Updates of assets."),
    ExposedMetric("asset.triggered_dagruns", "counter", "Runs that an update of an asset started."),
    ExposedMetric("deadline_alerts.deadline_missed", "counter", "Runs that missed their deadline.", ("dag_id",)),
)

STORED_NAMES = frozenset(name for metric in EXPOSED for name in metric.stored_names)
"""Every name that rules and dashboards may ask for."""
