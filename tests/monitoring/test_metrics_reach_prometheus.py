"""What a stage's command reports, as the real Pushgateway keeps it and the real Prometheus answers it."""

import subprocess
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from deployment.local_services.debian_programs import Program
from experiment_tracking.metric_samples import Sample, text_of
from experiment_tracking.metric_sinks import report_metrics
from MLOps.metric_catalogue import CATALOGUE, DRIFT_STATUS, SIGNAL_RATE
from monitoring.scripts import check_champions, check_freshness

Monitoring = Any  # of this folder's conftest.py
pytestmark = pytest.mark.services


@pytest.fixture
def ask(live_monitoring: Monitoring) -> Callable[..., str]:
    """``ask(expression, is_wanted)``: the value of the one series that Prometheus finds, once it is wanted."""

    def query(expression: str, is_wanted: Callable[[str], bool]) -> str:
        def look() -> str | None:
            answer = live_monitoring.get("prometheus", f"/api/v1/query?query={quote(expression)}")
            values: list[str] = [series["value"][1] for series in answer["data"]["result"]]
            return values[0] if len(values) == 1 and is_wanted(values[0]) else None

        found: str = live_monitoring.wait_for(look, expression)
        return found

    return query


def test_command_tells_prometheus_of_success_and_failure(live_monitoring: Monitoring, ask: Callable[..., str]) -> None:
    overrides = [
        f"paths.workspace='{live_monitoring.settings.paths.workspace}'",
        *("registry.kind=filesystem", "tracking.enabled=false"),  # where to push, the running services have told
    ]
    assert check_champions.main(overrides) == 0
    ask('trading_stage_success{stage="check_champions", job="check_champions"}', lambda value: value == "1")
    ask('trading_champion_version{family="sentiment", job="champions"}', lambda value: value == "0")
    ask('time() - trading_stage_last_success_timestamp_seconds{stage="check_champions"}', lambda age: float(age) >= 0)
    assert check_freshness.main(overrides) == 3  # nothing was ingested
    ask('trading_stage_success{stage="check_freshness"}', lambda value: value == "0")


def test_figures_of_what_is_gone_leave_the_gateway(live_monitoring: Monitoring, ask: Callable[..., str]) -> None:
    settings = live_monitoring.settings
    drifted = [Sample(DRIFT_STATUS, 1.0, (subject,)) for subject in ("features", "actions")]
    report_metrics(settings, {"check_data_drift": drifted})
    ask('trading_drift_status{subject="actions"}', lambda value: value == "1")
    report_metrics(settings, {"check_data_drift": drifted[:1]}, gone=lambda _: {("subject", "actions")})
    ask('count(trading_drift_status{job="check_data_drift"})', lambda value: value == "1")
    ask('trading_drift_status{subject="features"}', lambda value: value == "1")


def test_odd_labels_and_values_arrive_as_they_were(live_monitoring: Monitoring, ask: Callable[..., str]) -> None:
    settings = live_monitoring.settings
    metrics = settings.metrics.model_copy(update={"sink": "pushgateway"})
    odd = Sample(SIGNAL_RATE, float("nan"), ('B"R\\K/B é', "20"))
    report_metrics(settings.model_copy(update={"metrics": metrics}), {"measure_signal_rates": [odd]})
    ask('trading_signal_rate_ratio{ticker="B\\"R\\\\K/B é"}', lambda value: value == "NaN")


def test_whole_catalogue_is_what_promtool_accepts(programs: dict[str, Program]) -> None:
    samples = [Sample(metric, 0.5, tuple(metric.labels)) for metric in CATALOGUE.values()]
    judged = subprocess.run(
        programs["promtool"].command("check", "metrics"),
        input=text_of(samples),
        text=True,
        capture_output=True,
        check=False,
    )
    assert (judged.returncode, judged.stdout, judged.stderr) == (0, "", "")
