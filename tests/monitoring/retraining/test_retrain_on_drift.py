"""From drift alerts to one update of Airflow's asset; Airflow is a stand-in that keeps to its REST API."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from MLOps.alert_events import DriftFoundEvent, write_event
from MLOps.errors import DataError, ServiceUnavailableError, SettingsError
from MLOps.settings.alert_delivery import DeliverAlertsSettings
from MLOps.settings.stage_settings import PathSettings
from monitoring.alerts.deliver_alerts import read_settings
from monitoring.retraining.airflow_api import PASSWORD_VARIABLE
from monitoring.retraining.retrain_on_drift import retrain_on_drift
from monitoring.retraining.retraining_record import Answer, read_answers, record_path, write_answers

START = datetime(2024, 3, 5, 22, 0, tzinfo=UTC)


def _at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


@dataclass
class StandIn:
    """Airflow with the assets `market_data` and `drift`."""

    url: str = ""
    updates: list[dict[str, Any]] = field(default_factory=list)
    update_status: int | None = 200
    """None: the update is taken, and the connection closed without an answer."""
    odd: dict[str, bytes] = field(default_factory=dict)
    """Whole answers, by the beginning of the path that gets them."""


@pytest.fixture
def airflow() -> Iterator[StandIn]:
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assets = [{"name": "drift_of_news", "id": 2}, {"name": "drift", "id": 7}, {"name": "market_data", "id": 1}]
            is_known = self.headers["Authorization"] == "Bearer a-token"
            self._answer(200 if is_known else 401, {"assets": assets})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/auth/token":
                may_enter = body == {"username": "admin", "password": "right"}
                self._answer(201 if may_enter else 401, {"access_token": "a-token"})
                return
            assert (self.path, self.headers["Authorization"]) == ("/api/v2/assets/events", "Bearer a-token")
            stand_in.updates.append(body)
            if stand_in.update_status is None:
                self.close_connection = True
            else:
                self._answer(stand_in.update_status, {"id": 41 + len(stand_in.updates)})

        def _answer(self, status: int, content: dict[str, Any]) -> None:
            for path, answer in stand_in.odd.items():
                if self.path.startswith(path):
                    self.wfile.write(answer)
                    self.close_connection = True
                    return
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield stand_in
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def composed() -> DeliverAlertsSettings:
    limits = ("cooldown_hours=6", "daily_budget=2", "max_age_hours=24", "enabled=true")
    return read_settings([f"retraining.{limit}" for limit in limits])


@pytest.fixture
def settings(
    composed: DeliverAlertsSettings, workspace: Path, airflow: StandIn, monkeypatch: pytest.MonkeyPatch
) -> DeliverAlertsSettings:
    monkeypatch.setenv(PASSWORD_VARIABLE, "right")
    retraining = composed.retraining.model_copy(update={"airflow_url": airflow.url})
    return composed.model_copy(update={"paths": PathSettings(workspace=workspace), "retraining": retraining})


Tell = Callable[..., DriftFoundEvent]


@pytest.fixture
def tell_drift(workspace: Path) -> Tell:
    """Writes a drift event of one subject, so many hours after the start."""

    def tell(hours: float, subject: str = "features", status: str = "firing", asks: bool = True) -> DriftFoundEvent:
        event = DriftFoundEvent.model_validate(
            {
                "event": "drift_found",
                "status": status,
                "at": _at(hours),
                "run_date": _at(hours).date(),
                "message": "half of the columns drifted",
                "log_url": "",
                "drift_subject": subject,
                "check": f"check{hours:g}",
                "asks_retraining": asks,
                "pushed": False,
            }
        )
        write_event(workspace / "reports", event)
        return event

    return tell


def test_drift_updates_the_asset_once(settings: DeliverAlertsSettings, airflow: StandIn, tell_drift: Tell) -> None:
    files = {tell_drift(0, subject).file_name for subject in ("features", "actions")}
    answer = retrain_on_drift(settings, _at(0.1))
    assert answer is not None
    assert (answer.outcome, set(answer.events), answer.told) == ("started", files, "event 42 of asset drift")
    extra = {"reason": "drift of actions, features", "run_date": "2024-03-05"}
    assert airflow.updates == [{"asset_id": 7, "extra": extra}]
    assert retrain_on_drift(settings, _at(0.2)) is None  # answered
    assert len(airflow.updates) == 1


def test_a_feed_that_drifts_on_keeps_to_cooldown_and_budget(
    settings: DeliverAlertsSettings, airflow: StandIn, tell_drift: Tell
) -> None:
    outcomes = []
    for hour in range(0, 48, 3):
        tell_drift(hour)
        answer = retrain_on_drift(settings, _at(hour))
        outcomes.append(answer.outcome if answer else None)
    # every third hour: started, in the cool-down, started, then the day's budget is spent
    assert outcomes == (["started", "refused", "started"] + ["refused"] * 5) * 2
    assert len(airflow.updates) == 4


def test_what_is_refused_is_not_made_up_for(
    settings: DeliverAlertsSettings, airflow: StandIn, tell_drift: Tell
) -> None:
    tell_drift(0)
    retrain_on_drift(settings, _at(0))
    tell_drift(1)
    refused = retrain_on_drift(settings, _at(1))
    assert refused is not None
    assert refused.told == "the last was 1.0 hours ago; retraining.cooldown_hours=6"
    assert retrain_on_drift(settings, _at(8)) is None
    assert len(airflow.updates) == 1


@pytest.mark.parametrize("now", [24.1, 100])
def test_old_drift_starts_nothing(
    now: float, settings: DeliverAlertsSettings, airflow: StandIn, tell_drift: Tell
) -> None:
    tell_drift(0)
    assert retrain_on_drift(settings, _at(now)) is None
    assert airflow.updates == []


def test_drift_that_has_ended_starts_nothing(
    settings: DeliverAlertsSettings, airflow: StandIn, tell_drift: Tell
) -> None:
    tell_drift(0)
    tell_drift(1, status="resolved")
    assert retrain_on_drift(settings, _at(2)) is None
    assert airflow.updates == []


def test_drift_in_a_run_that_trains_anyway_starts_no_other(
    settings: DeliverAlertsSettings, airflow: StandIn, tell_drift: Tell
) -> None:
    tell_drift(0, asks=False)
    assert retrain_on_drift(settings, _at(0)) is None
    assert airflow.updates == []


def test_switched_off_it_does_nothing(settings: DeliverAlertsSettings, airflow: StandIn, tell_drift: Tell) -> None:
    tell_drift(0)
    off = settings.model_copy(update={"retraining": settings.retraining.model_copy(update={"enabled": False})})
    assert retrain_on_drift(off, _at(0)) is None
    assert airflow.updates == []


def test_a_clear_no_is_asked_anew_and_costs_nothing(
    settings: DeliverAlertsSettings, airflow: StandIn, tell_drift: Tell
) -> None:
    tell_drift(0)
    airflow.update_status = 403
    with pytest.raises(ServiceUnavailableError, match="refuses /api/v2/assets/events: 403"):
        retrain_on_drift(settings, _at(0))
    airflow.update_status = 200
    answer = retrain_on_drift(settings, _at(1))
    assert answer is not None
    assert (answer.outcome, len(read_answers(settings.paths.reports).answers)) == ("started", 1)


@pytest.mark.parametrize(("status", "told"), [(None, "gave no answer"), (504, "504")])
def test_a_lost_answer_counts_and_is_not_asked_anew(
    status: int | None, told: str, settings: DeliverAlertsSettings, airflow: StandIn, tell_drift: Tell
) -> None:
    tell_drift(0)
    airflow.update_status = status
    answer = retrain_on_drift(settings, _at(0))
    assert answer is not None
    assert answer.outcome == "asking"
    assert told in answer.told
    airflow.update_status = 200
    assert retrain_on_drift(settings, _at(1)) is None
    tell_drift(2)
    assert retrain_on_drift(settings, _at(2)).outcome == "refused"  # type: ignore[union-attr]
    assert len(airflow.updates) == 1


def _whole(body: bytes, length: int | None = None) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (length or len(body), body)


ODD_ANSWERS = {
    "no_http": b"SSH-2.0-server\r\n\r\n",
    "cut_short": _whole(b'{"id', 99),
    "no_key": _whole(b"{}"),
    "no_object": _whole(b"[7]"),
    "null": _whole(b'{"id": null, "assets": null}'),
}


@pytest.mark.parametrize("answer", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
@pytest.mark.parametrize("path", ["/auth/token", "/api/v2/assets?"])
def test_an_odd_answer_before_the_update_costs_nothing(
    path: str, answer: bytes, settings: DeliverAlertsSettings, airflow: StandIn, tell_drift: Tell
) -> None:
    tell_drift(0)
    airflow.odd = {path: answer}
    with pytest.raises(ServiceUnavailableError, match=f"Airflow at {airflow.url} "):
        retrain_on_drift(settings, _at(0))
    assert read_answers(settings.paths.reports).answers == ()


@pytest.mark.parametrize("answer", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
def test_an_odd_answer_to_the_update_counts(
    answer: bytes, settings: DeliverAlertsSettings, airflow: StandIn, tell_drift: Tell
) -> None:
    tell_drift(0)
    airflow.odd = {"/api/v2/assets/events": answer}
    found = retrain_on_drift(settings, _at(0))
    assert found is not None
    assert (found.outcome, len(airflow.updates)) == ("asking", 1)
    assert f"Airflow at {airflow.url} " in found.told


def test_no_proxy_gets_the_password(
    settings: DeliverAlertsSettings, airflow: StandIn, tell_drift: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setattr("urllib.request._opener", None)  # it keeps the proxies of its first use
    tell_drift(0)
    retrain_on_drift(settings, _at(0))
    assert len(airflow.updates) == 1


def test_no_refusals_crowd_out_what_the_budget_counts(workspace: Path) -> None:
    started = Answer(at=_at(0), events=("first",), outcome="started", told="")
    refused = [
        Answer(at=_at(0.02 * number), events=(f"{number}",), outcome="refused", told="") for number in range(500)
    ]
    write_answers(workspace, [started, *refused])
    assert read_answers(workspace).asked_at == [_at(0)]
    assert len(read_answers(workspace).answers) == 201
    long_after = Answer(at=_at(24 * 31), events=("last",), outcome="refused", told="")
    write_answers(workspace, [*read_answers(workspace).answers, long_after])
    assert read_answers(workspace).asked_at == []


def test_a_crash_while_asking_spends_the_budget_once(
    settings: DeliverAlertsSettings, airflow: StandIn, tell_drift: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monitoring.retraining.airflow_api import AirflowApi

    def update_and_die(*_: object) -> int:
        raise KeyboardInterrupt

    tell_drift(0)
    with monkeypatch.context() as patch:
        patch.setattr(AirflowApi, "update_asset", update_and_die)
        with pytest.raises(KeyboardInterrupt):
            retrain_on_drift(settings, _at(0))
    assert [answer.outcome for answer in read_answers(settings.paths.reports).answers] == ["asking"]
    assert retrain_on_drift(settings, _at(0.1)) is None
    assert airflow.updates == []


def test_an_unreadable_record_starts_nothing(
    settings: DeliverAlertsSettings, airflow: StandIn, tell_drift: Tell
) -> None:
    tell_drift(0)
    record_path(settings.paths.reports).parent.mkdir(parents=True)
    record_path(settings.paths.reports).write_text("{")
    with pytest.raises(DataError, match=r"retraining\.json cannot be read"):
        retrain_on_drift(settings, _at(0))
    assert airflow.updates == []


def test_an_asset_that_no_plan_reads_is_told(settings: DeliverAlertsSettings, tell_drift: Tell) -> None:
    tell_drift(0)
    other = settings.model_copy(update={"retraining": settings.retraining.model_copy(update={"asset": "drif"})})
    with pytest.raises(ServiceUnavailableError, match=r"Airflow knows no asset drif; .*retraining\.asset"):
        retrain_on_drift(other, _at(0))


def test_a_wrong_password_is_told_without_showing_it(
    settings: DeliverAlertsSettings, tell_drift: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_drift(0)
    monkeypatch.setenv(PASSWORD_VARIABLE, "wrong-one")
    with pytest.raises(ServiceUnavailableError, match="refuses /auth/token: 401") as found:
        retrain_on_drift(settings, _at(0))
    assert "wrong-one" not in str(found.value)


def test_the_password_is_that_of_the_services(
    settings: DeliverAlertsSettings, airflow: StandIn, tell_drift: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_drift(0)
    monkeypatch.delenv(PASSWORD_VARIABLE)
    with pytest.raises(SettingsError, match=r"passwords\.json holds no password of admin"):
        retrain_on_drift(settings, _at(0))
    passwords = settings.paths.workspace / ".airflow" / "passwords.json"
    passwords.parent.mkdir()
    passwords.write_text('{"admin": "right"}')
    assert retrain_on_drift(settings, _at(0)) is not None
    assert len(airflow.updates) == 1
