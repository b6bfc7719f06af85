"""Drift checks as alert events."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from MLOps.alert_events import DriftFoundEvent, newest_by_identity, read_events
from MLOps.settings.compose import compose_settings
from MLOps.settings.drift import DriftSettings
from monitoring.drift.drift_events import write_drift_events
from monitoring.drift.verdict import Status, SubjectDrift


@pytest.fixture
def gateway() -> Iterator[str]:
    """A Pushgateway as far as it says that it is ready: its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/-/ready" else 404)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def settings(workspace: Path) -> DriftSettings:
    overrides = [f"paths.workspace='{workspace}'", "run_date=2024-03-05", "metrics.timeout_seconds=0.5"]
    return compose_settings(DriftSettings, "check_data_drift", overrides)


def _pushing_to(url: str, settings: DriftSettings) -> DriftSettings:
    metrics = settings.metrics.model_copy(update={"sink": "pushgateway", "pushgateway_url": url})
    return settings.model_copy(update={"metrics": metrics})


def _told(settings: DriftSettings) -> list[tuple[str, str, str]]:
    events, unreadable = read_events(settings.paths.reports)
    assert not unreadable
    found = [event for event in events if isinstance(event, DriftFoundEvent)]
    return [(event.drift_subject, event.status, event.check) for event in found]


def _firing(settings: DriftSettings) -> set[tuple[str, ...]]:
    """Name and subject of what fires."""
    events, _ = read_events(settings.paths.reports)
    last = newest_by_identity(events).values()
    return {(event.alert_name, *event.subject.values()) for event in last if event.status == "firing"}


def _found(status: Status, subject: Any = "features") -> SubjectDrift:
    return SubjectDrift(subject=subject, status=status, reasons=("macd is far off",))


def test_drift_of_buy_timing_asks_for_no_training_of_the_stock_strategy(settings: DriftSettings) -> None:
    both = settings.model_copy(update={"subjects": ("features", "timing_observation"), "ask_for_retraining": True})
    write_drift_events(both, "k1", [_found(Status.DRIFT, subject) for subject in both.subjects])
    events, _ = read_events(settings.paths.reports)
    asks = {event.drift_subject: event.asks_retraining for event in events if isinstance(event, DriftFoundEvent)}
    assert asks == {"features": True, "timing_observation": False}


def test_calm_check_of_one_coin_ends_no_drift_of_another(settings: DriftSettings) -> None:
    timing = settings.model_copy(update={"subjects": ("timing_observation",)})

    def tell(coin: str, status: Status) -> None:
        found = _found(status, "timing_observation").model_copy(update={"coin": coin})
        write_drift_events(timing, f"{coin}-{status}", [found])

    tell("BTC", Status.DRIFT)
    tell("ETH", Status.NO_DRIFT)
    assert _firing(settings) == {("DriftFound", "timing_observation_btc")}
    tell("BTC", Status.NO_DRIFT)
    assert _firing(settings) == set()


def test_drift_is_told_once_a_check(settings: DriftSettings) -> None:
    for _ in range(2):
        write_drift_events(settings, "k1", [_found(Status.DRIFT), _found(Status.NO_DRIFT, "actions")])
    assert _told(settings) == [("features", "firing", "k1")]
    (event,), _ = read_events(settings.paths.reports)
    assert (event.message, str(event.run_date), event.is_raised_by_a_rule) == ("macd is far off", "2024-03-05", False)
    assert isinstance(event, DriftFoundEvent)
    assert event.asks_retraining


def test_what_an_earlier_check_told_is_told_again_once_it_had_ended(settings: DriftSettings) -> None:
    for _ in range(2):  # the features file is taken away, laid back, and so on: the keys of the checks repeat
        write_drift_events(settings, "gone", [_found(Status.NOT_CHECKED)])
        assert _firing(settings) == {("DriftNotChecked", "features")}
        write_drift_events(settings, "there", [_found(Status.NO_DRIFT)])
        assert _firing(settings) == set()


def test_a_check_without_drift_ends_it(settings: DriftSettings) -> None:
    write_drift_events(settings, "k1", [_found(Status.DRIFT)])
    write_drift_events(settings, "k2", [_found(Status.NO_DRIFT)])
    write_drift_events(settings, "k3", [_found(Status.NO_DRIFT)])
    assert _told(settings) == [("features", "firing", "k1"), ("features", "resolved", "k2")]


def test_a_check_that_could_not_be_made_ends_no_drift(settings: DriftSettings) -> None:
    write_drift_events(settings, "k1", [_found(Status.DRIFT)])
    write_drift_events(settings, "k2", [_found(Status.NOT_CHECKED)])
    assert _told(settings) == [("features", "firing", "k1")]


@pytest.mark.parametrize("then", [Status.DRIFT, Status.NO_DRIFT])
def test_a_check_that_could_not_be_made_is_told_until_one_can(settings: DriftSettings, then: Status) -> None:
    write_drift_events(settings, "k1", [_found(Status.NOT_CHECKED)])
    assert _firing(settings) == {("DriftNotChecked", "features")}
    write_drift_events(settings, "k2", [_found(then)])
    assert _firing(settings) == ({("DriftFound", "features")} if then is Status.DRIFT else set())


def test_a_subject_that_is_no_longer_there_has_no_alert(settings: DriftSettings) -> None:
    write_drift_events(
        settings,
        "k1",
        [_found(Status.DRIFT), _found(Status.DRIFT, "actions"), _found(Status.NOT_CHECKED, "news_scores")],
    )
    write_drift_events(settings, "k2", [_found(Status.DRIFT)])
    assert _firing(settings) == {("DriftFound", "features")}


def test_a_subject_that_nobody_wanted_checked_keeps_its_alert(settings: DriftSettings) -> None:
    write_drift_events(settings, "k1", [_found(Status.DRIFT), _found(Status.DRIFT, "actions")])
    features_alone = settings.model_copy(update={"subjects": ("features",)})
    write_drift_events(features_alone, "k2", [_found(Status.NO_DRIFT)])
    assert _firing(settings) == {("DriftFound", "actions")}


@pytest.mark.parametrize("status", [Status.DRIFT, Status.NOT_CHECKED])
def test_what_a_gateway_takes_is_left_to_the_rule(settings: DriftSettings, gateway: str, status: Status) -> None:
    write_drift_events(_pushing_to(gateway, settings), "k1", [_found(status)])
    (event,), _ = read_events(settings.paths.reports)
    assert event.is_raised_by_a_rule


@pytest.mark.parametrize("kind", ["refusing", "silent", "no_gateway"])
def test_what_no_gateway_takes_is_delivered(settings: DriftSettings, gateway: str, kind: str) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if kind == "silent":
            server.listen()
        url = f"http://127.0.0.1:{server.getsockname()[1]}" if kind != "no_gateway" else f"{gateway}/elsewhere"
        write_drift_events(_pushing_to(url, settings), "k1", [_found(Status.DRIFT)])
    (event,), _ = read_events(settings.paths.reports)
    assert not event.is_raised_by_a_rule


def test_a_coins_alert_ends_where_its_bars_are_gone(settings: DriftSettings) -> None:
    settings = settings.model_copy(update={"subjects": ("timing_observation",)})
    coin = settings.data.symbol
    drifted = SubjectDrift(subject="timing_observation", coin=coin, status=Status.DRIFT, reasons=("far",))
    write_drift_events(settings, "first", [drifted])
    write_drift_events(settings, "second", [])
    name = f"timing_observation_{coin.lower()}"
    assert _told(settings) == [(name, "firing", "first"), (name, "resolved", "second")]
