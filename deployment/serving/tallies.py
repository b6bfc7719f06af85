"""Counts and distributions that one thread writes and reads: the event loop's, which needs no lock for them.

prometheus_client's own take one for each number of each observation, and a distribution looks through its buckets.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Tally:
    """How many values fell up to each bound, and their sum.

    Parameters
    ----------
    bounds : sequence of float
        Ascending; a value counts to the first that it does not exceed.
    """

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds, self._counts, self._sum = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Write it as a member of a family."""
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        buckets = [(name, float(count)) for name, count in zip(names, accumulate(self._counts), strict=True)]
        family.add_metric(labels, buckets, self._sum)


class Told(Collector):
    """What `tell` gives whenever the page is asked for."""

    def __init__(self, tell: Callable[[], Iterator[Metric]]) -> None:
        self._tell = tell

    def collect(self) -> Iterator[Metric]:
        """The families of now."""
        return self._tell()


def counter(name: str, told: str, labels: Sequence[str], values: dict[tuple[str, ...], int]) -> CounterMetricFamily:
    """A family of counters."""
    family = CounterMetricFamily(name, told, labels=labels)
    for of, value in values.items():
        family.add_metric(of, value)
    return family


def distribution(
    name: str, told: str, labels: Sequence[str], of: dict[tuple[str, ...], Tally]
) -> HistogramMetricFamily:
    """A family of distributions."""
    family = HistogramMetricFamily(name, told, labels=labels)
    for values, tally in of.items():
        tally.add_to(family, values)
    return family
