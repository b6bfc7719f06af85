"""A tally is told as prometheus_client's own histogram is."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest

from deployment.serving.tallies import Tally, Told, counter, distribution

BOUNDS = (0.5, 1.0, 2.5)
VALUES = st.lists(st.floats(-1, 5) | st.sampled_from(BOUNDS), max_size=20)


def page(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


@given(VALUES)
def test_page_is_that_of_the_library(values: list[float]) -> None:
    theirs, ours = CollectorRegistry(), CollectorRegistry()
    histogram = Histogram("seconds", "Time.", ("route",), buckets=BOUNDS, registry=theirs).labels("/")
    count = Counter("requests", "Requests.", ("route", "status"), registry=theirs).labels("/", "200")
    tally = Tally(BOUNDS)
    for value in values:
        histogram.observe(value)
        tally.observe(value)
        count.inc()
    requests = {("/", "200"): len(values)}
    ours.register(
        Told(
            lambda: iter(
                (
                    distribution("seconds", "Time.", ("route",), {("/",): tally}),
                    counter("requests", "Requests.", ("route", "status"), requests),
                )
            )
        )
    )
    assert page(ours) == page(theirs)
