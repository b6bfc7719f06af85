"""Samples of the catalogue's metrics, what becomes of them in a report, and their text for Prometheus."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from MLOps.metric_catalogue import CATALOGUE, Metric

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric as MetricFamily


@dataclass(frozen=True)
class Sample:
    """One value of a metric of the catalogue.

    Attributes
    ----------
    metric : Metric
        What was measured.
    value : float
        In the unit that the metric's name tells.
    label_values : tuple of str
        One for each label of the metric, in its order.

    Raises
    ------
    ValueError
        If there is not one value for each label.
    """

    metric: Metric
    value: float
    label_values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.label_values) != len(self.metric.labels):
            raise ValueError(f"{self.metric.name} has the labels {self.metric.labels}, not {self.label_values}")

    @property
    def labels(self) -> dict[str, str]:
        """Label values by name."""
        return dict(zip(self.metric.labels, self.label_values, strict=True))

    @property
    def subject(self) -> tuple[str, tuple[str, ...]]:
        """What the sample speaks of: its metric, and the value of the metric's first label."""
        return self.metric.name, self.label_values[:1]


def merged(
    earlier: Iterable[Sample], reported: Sequence[Sample], gone: Collection[tuple[str, str]] = ()
) -> list[Sample]:
    """What is known after a report: its samples, and the earlier ones of subjects that it does not speak of.

    Earlier ones with a label (name, value) in `gone` are left out: there is nothing of which they could speak.
    """
    subjects, lost = {sample.subject for sample in reported}, set(gone)
    stayed = (each for each in earlier if each.subject not in subjects and lost.isdisjoint(each.labels.items()))
    known = [*stayed, *reported]
    return sorted(known, key=lambda sample: (sample.metric.name, sample.label_values))


def text_of(samples: Sequence[Sample]) -> str:
    """The samples in the text format of Prometheus."""
    from prometheus_client import generate_latest

    return generate_latest(registry_of(lambda: samples)).decode()


def samples_in(text: str) -> list[Sample]:
    """The samples of a text; those that the catalogue no longer knows are left out."""
    from prometheus_client.parser import text_string_to_metric_families

    return [
        Sample(metric, found.value, tuple(found.labels[label] for label in metric.labels))
        for family in text_string_to_metric_families(text)
        for found in family.samples
        if (metric := CATALOGUE.get(found.name)) and set(found.labels) == set(metric.labels)
    ]


@dataclass(frozen=True)
class _Families:
    """Samples as prometheus_client collects them: one family a metric."""

    read: Callable[[], Iterable[Sample]]

    def collect(self) -> Iterator["MetricFamily"]:
        from prometheus_client.core import GaugeMetricFamily

        families: dict[Metric, GaugeMetricFamily] = {}
        for sample in self.read():
            metric = sample.metric
            if metric not in families:
                families[metric] = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            families[metric].add_metric(sample.label_values, sample.value)
        yield from families.values()


def registry_of(read: Callable[[], Iterable[Sample]]) -> "CollectorRegistry":
    """What prometheus_client serves or pushes: at any time, the samples that `read` gives then."""
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    registry.register(_Families(read))
    return registry
