"""Lines of StatsD as Airflow's client writes them, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.airflow_metrics.statsd_packet import StatsdSample, samples_in


@pytest.mark.parametrize(
    ("line", "sample"),
    [
        (b"airflow.scheduler_heartbeat:1|c", StatsdSample("airflow.scheduler_heartbeat", {}, "c", 1, False)),
        (
            b"airflow.ti.finish,dag_id=daily_data,state=success:1|c",
            StatsdSample("airflow.ti.finish", {"dag_id": "daily_data", "state": "success"}, "c", 1, False),
        ),
        (b"a:2|c|@0.5", StatsdSample("a", {}, "c", 4, False)),  # every second one is sent
        (b"a:12.5|ms", StatsdSample("a", {}, "ms", 12.5, False)),
        (b"a:3|g", StatsdSample("a", {}, "g", 3, False)),
        (b"a:-3|g", StatsdSample("a", {}, "g", -3, True)),
        (b"a:+3|g", StatsdSample("a", {}, "g", 3, True)),
        (b"a,t=x:y=z:1|c", StatsdSample("a", {"t": "x:y=z"}, "c", 1, False)),
        (b"a:1", None),
        (b"a:one|c", None),
        (b"a:1|h", None),
        (b"a:1|c|@0", None),
        (b"a:1e999|g", None),
        (b":1|c", None),
        (b"", None),
    ],
)
def test_a_line(line: bytes, sample: StatsdSample | None) -> None:
    assert list(samples_in(line)) == ([] if sample is None else [sample])


def test_a_packet_holds_several_lines_and_a_bad_one_costs_no_other() -> None:
    assert [sample.value for sample in samples_in(b"a:1|c\nwhat\na:2|c\n")] == [1, 2]


@given(st.binary(max_size=200))
def test_no_packet_is_an_error(packet: bytes) -> None:
    assert all(isinstance(sample, StatsdSample) for sample in samples_in(packet))
