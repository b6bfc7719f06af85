"""Sinks hold what was reported last of each subject, and one that is down costs a warning."""

import logging
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from experiment_tracking.find_gateway import gateway_file, pushgateway_url
from experiment_tracking.metric_samples import Sample, samples_in
from experiment_tracking.metric_sinks import MetricsEndpoint, TextFileSink, done_within, report_metrics
from MLOps import metric_catalogue as catalogue
from MLOps.settings.champions import ChampionsSettings
from MLOps.settings.compose import compose_settings
from MLOps.settings.stage_settings import StageSettings

_DONE = Sample(catalogue.STAGE_SUCCESS, 1.0, ("probe",))
_FAILED = Sample(catalogue.STAGE_SUCCESS, 0.0, ("probe",))


@pytest.fixture(scope="module")
def shared_settings() -> StageSettings:
    return compose_settings(ChampionsSettings, "check_champions")


@pytest.fixture
def settings_with(shared_settings: StageSettings, workspace: Path) -> Callable[..., StageSettings]:
    """``settings_with(port, sink="none")``: a Pushgateway at `port`, unless told otherwise, and a workspace."""

    def change(port: int = 1, **metrics: Any) -> StageSettings:
        sinks = shared_settings.metrics.model_copy(update={"sink": "pushgateway", **metrics})
        ports = shared_settings.ports.model_copy(update={"pushgateway": port})
        paths = shared_settings.paths.model_copy(update={"workspace": workspace})
        return shared_settings.model_copy(update={"metrics": sinks, "ports": ports, "paths": paths})

    return change


@contextmanager
def _unused_port() -> Iterator[int]:
    """A port that is bound and refuses connections."""
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextmanager
def _server_that_never_ends(drips: bool) -> Iterator[int]:
    """A port where a connection is taken and no answer ends; with `drips` a byte of it comes now and then."""
    released = threading.Event()

    def hold(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            if drips:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not released.wait(0.005):
                if drips:
                    connection.sendall(b".")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hold, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        released.set()
        thread.join()


def test_text_file_that_other_hands_broke_begins_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "probe.prom").write_text('trading_stage_success{stage="pro\n')
    assert TextFileSink(tmp_path).add("probe", [_DONE], lock_seconds=1) == [_DONE]
    assert TextFileSink(tmp_path).read("probe") == [_DONE]
    assert "probe.prom is broken" in caplog.text


def test_reports_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    samples = [Sample(catalogue.STAGE_SUCCESS, 1.0, (f"stage_{number:02}",)) for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda sample: TextFileSink(tmp_path).add("probe", [sample], lock_seconds=60), samples))
    assert TextFileSink(tmp_path).read("probe") == samples


def test_a_lock_that_is_held_is_not_waited_for_without_end(tmp_path: Path) -> None:
    from filelock import FileLock

    with FileLock(tmp_path / ".probe.lock"), pytest.raises(TimeoutError):
        TextFileSink(tmp_path).add("probe", [_DONE], lock_seconds=0.01)


def test_no_sink_leaves_no_file(settings_with: Callable[..., StageSettings], workspace: Path) -> None:
    report_metrics(settings_with(sink="none"), {"probe": [_DONE]})
    assert list(workspace.iterdir()) == []


def test_gateway_gets_all_that_is_known_of_each_job(settings_with: Callable[..., StageSettings], gateway: Any) -> None:
    shared = settings_with(pushgateway_url=gateway.url)
    rate = Sample(catalogue.SIGNAL_RATE, 0.5, ("AAA", "20"))
    report_metrics(shared, {"probe": [_DONE, rate]})
    report_metrics(shared, {"probe": [_FAILED], "champions": [Sample(catalogue.CHAMPION_VERSION, 3, ("stocks",))]})
    assert {path: samples_in(text) for path, text in gateway.put.items()} == {
        "/metrics/job/probe": [rate, _FAILED],
        "/metrics/job/champions": [Sample(catalogue.CHAMPION_VERSION, 3.0, ("stocks",))],
    }


def test_gateway_is_the_one_of_the_ports_unless_named(settings_with: Callable[..., StageSettings]) -> None:
    assert pushgateway_url(settings_with(9999)) == "http://127.0.0.1:9999"
    assert pushgateway_url(settings_with(pushgateway_url="https://gateway:1/x")) == "https://gateway:1/x"


def _services_of(workspace: Path, url: str) -> None:
    """Leave what `make services-up` leaves."""
    gateway_file(workspace).parent.mkdir(parents=True)
    gateway_file(workspace).write_text(f"{url}\n")


def test_workspace_whose_services_run_pushes_by_itself(
    settings_with: Callable[..., StageSettings], workspace: Path, gateway: Any, caplog: pytest.LogCaptureFixture
) -> None:
    auto = settings_with(sink="auto")
    report_metrics(auto, {"probe": [_FAILED]})  # before they run
    assert gateway.put == {}
    _services_of(workspace, gateway.url)
    report_metrics(auto, {"probe": [_DONE]})
    assert samples_in(gateway.put["/metrics/job/probe"]) == [_DONE]
    assert caplog.records == []


@pytest.mark.parametrize("said", ["http://127.0.0.1:{port}", "", "http://[", "no address"])
def test_services_that_are_gone_without_a_word_cost_no_warning(
    settings_with: Callable[..., StageSettings], workspace: Path, caplog: pytest.LogCaptureFixture, said: str
) -> None:
    with _unused_port() as port:
        _services_of(workspace, said.format(port=port))
        report_metrics(settings_with(sink="auto"), {"probe": [_DONE]})
    assert caplog.records == []
    assert TextFileSink(workspace / "reports" / "metrics").read("probe") == [_DONE]


def test_services_that_hang_are_one_warning(
    settings_with: Callable[..., StageSettings], workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes connections, and answers none
        _services_of(workspace, f"http://127.0.0.1:{deaf.getsockname()[1]}")
        report_metrics(settings_with(sink="auto", timeout_seconds=0.3), {"probe": [_DONE]})
    assert "the metrics of probe are not all reported" in _one_warning(caplog)


def test_gateway_that_is_named_is_pushed_to_though_no_service_of_the_workspace_runs(
    settings_with: Callable[..., StageSettings], gateway: Any
) -> None:
    report_metrics(settings_with(sink="auto", pushgateway_url=gateway.url), {"probe": [_DONE]})
    assert samples_in(gateway.put["/metrics/job/probe"]) == [_DONE]


def test_services_leave_a_sink_alone_that_is_chosen(
    settings_with: Callable[..., StageSettings], workspace: Path, gateway: Any
) -> None:
    _services_of(workspace, gateway.url)
    report_metrics(settings_with(sink="text_file"), {"probe": [_DONE]})
    assert gateway.put == {}


def test_what_is_gone_is_forgotten_by_file_and_gateway(
    settings_with: Callable[..., StageSettings], workspace: Path, gateway: Any
) -> None:
    shared = settings_with(pushgateway_url=gateway.url)
    features, actions = (Sample(catalogue.DRIFT_STATUS, 1.0, (subject,)) for subject in ("features", "actions"))
    report_metrics(shared, {"check_data_drift": [features, actions, _DONE]})
    report_metrics(shared, {"check_data_drift": [features]}, gone=lambda _: {("subject", "actions")})
    assert TextFileSink(workspace / "reports" / "metrics").read("check_data_drift") == [features, _DONE]
    assert samples_in(gateway.put["/metrics/job/check_data_drift"]) == [features, _DONE]


def _one_warning(caplog: pytest.LogCaptureFixture) -> str:
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "\n" not in record.getMessage()
    return record.getMessage()


def test_gateway_that_refuses_is_one_warning(
    settings_with: Callable[..., StageSettings], workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with _unused_port() as port:
        report_metrics(settings_with(port), {"probe": [_DONE], "other": []})
    assert "the metrics of probe, other are not all reported: URLError" in _one_warning(caplog)
    assert TextFileSink(workspace / "reports" / "metrics").read("probe") == [_DONE]


@pytest.mark.parametrize("drips", [False, True])
def test_gateway_that_does_not_end_its_answer_is_left(
    settings_with: Callable[..., StageSettings], caplog: pytest.LogCaptureFixture, drips: bool
) -> None:
    report_metrics(settings_with(sink="text_file"), {"probe": [_DONE]})  # loads what a report needs
    with _server_that_never_ends(drips) as port:
        report_metrics(settings_with(port, timeout_seconds=0.2), {"probe": [_DONE]})
    assert "TimeoutError" in _one_warning(caplog)


def test_gateway_that_answers_with_an_error_is_one_warning(
    settings_with: Callable[..., StageSettings], gateway: Any, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.status = 500
    report_metrics(settings_with(pushgateway_url=gateway.url), {"probe": [_DONE]})
    assert "HTTP Error 500" in _one_warning(caplog)


def test_place_that_cannot_be_written_is_one_warning_and_the_gateway_is_told_all_the_same(
    settings_with: Callable[..., StageSettings], workspace: Path, gateway: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (workspace / "reports").write_text("no folder")
    report_metrics(settings_with(pushgateway_url=gateway.url), {"probe": [_DONE]})
    assert "the metrics of probe are not all reported" in _one_warning(caplog)
    assert samples_in(gateway.put["/metrics/job/probe"]) == [_DONE]


def test_work_within_its_time_tells_its_error() -> None:
    def fail() -> None:
        raise ZeroDivisionError("by nothing")

    with pytest.raises(ZeroDivisionError, match="by nothing"):
        done_within(60, fail)


def test_endpoint_serves_samples_and_the_servers_own_metrics() -> None:
    from prometheus_client import Counter

    with MetricsEndpoint(port=0) as endpoint:
        Counter("requests", "Requests answered.", registry=endpoint.registry).inc(3)
        endpoint.replace("a", [_FAILED])
        endpoint.replace("a", [_DONE])
        endpoint.replace("b", [Sample(catalogue.STAGE_SUCCESS, 0.0, ("other",))])
        page = f"http://127.0.0.1:{endpoint.port}/metrics"
        with urllib.request.urlopen(page, timeout=10) as answer:
            text = answer.read().decode()
    assert "requests_total 3.0" in text
    assert samples_in(text) == [_DONE, Sample(catalogue.STAGE_SUCCESS, 0.0, ("other",))]
    with pytest.raises(URLError, match="refused"):
        urllib.request.urlopen(page, timeout=10)
