"""The server as a process: what it refuses to start with, what it serves, and how it ends."""

import json
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployment.serving.serve_crypto_model import main

BODY = json.dumps({"observations": [[0.1] * 8]})
JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def _no_key_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERVING_API_KEY", raising=False)


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1].partition(" ")[2]


def test_altered_model_folder_is_not_served(
    altered_folder: Path, workspace: Path, free_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model_path", str(altered_folder), "--port", str(free_port), "--workspace", str(workspace)]
    assert main(flags) != 0
    assert "was altered after it was made; allowed: what its stage made" in last_line(capsys)


def test_port_in_use_is_one_clear_line(model_folder: Path, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        flags = ["--model_path", str(model_folder), "--port", str(port), "--workspace", str(workspace)]
        assert main(flags) == 4
    told = f"serve_crypto_model: port {port} on 127.0.0.1 is in use; allowed: a free port; mend: --port"
    assert last_line(capsys).startswith(told)


def test_other_address_without_a_key_is_refused(
    model_folder: Path, workspace: Path, free_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model_path", str(model_folder), "--port", str(free_port), "--workspace", str(workspace)]
    assert main([*flags, "serving.host=0.0.0.0"]) == 2
    assert last_line(capsys).startswith("serve_crypto_model: serving.host=0.0.0.0 without an API key")


def test_empty_key_is_refused(
    model_folder: Path, workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVING_API_KEY", "")
    assert main(["--model_path", str(model_folder), "--workspace", str(workspace)]) == 2
    assert last_line(capsys).startswith("serve_crypto_model: SERVING_API_KEY is set, but empty; allowed: a key")


def test_host_that_is_no_address_is_refused(
    model_folder: Path,
    workspace: Path,
    free_port: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SERVING_API_KEY", "a-key-of-the-test-0123456789")
    flags = ["--model_path", str(model_folder), "--port", str(free_port), "--workspace", str(workspace)]
    assert main([*flags, "serving.host='not an address'"]) == 2
    assert "serving.host=not an address is no address" in last_line(capsys)


@pytest.mark.parametrize(
    ("damage", "status", "told"),
    [
        (lambda folder: (folder / "model.json").unlink(), 3, "model.json does not exist"),
        (
            lambda folder: (folder / "model.json").write_text('{"kind": "pickle"}'),
            6,
            "kinds rainbow_timing and buy_first",
        ),
        (lambda folder: (folder / "policy.safetensors").write_bytes(b"\x80\x04"), 6, "cannot be read"),
    ],
)
def test_folder_without_a_usable_model_is_refused(
    make_timing_model: Callable[..., str],
    workspace: Path,
    free_port: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], object],
    status: int,
    told: str,
) -> None:
    make_timing_model(tmp_path / "model", window_size=6)
    damage(tmp_path / "model")
    flags = ["--model_path", str(tmp_path / "model"), "--port", str(free_port), "--workspace", str(workspace)]
    assert main(flags) == status
    assert told in last_line(capsys)


def test_term_answers_what_was_asked_for_and_loses_no_request(start: Callable[..., Any], model_folder: Path) -> None:
    """Callers on kept connections ask on and on; each is answered to the last, which closes its connection."""
    server = start("--model_path", str(model_folder))
    server.wait_for("http://127.0.0.1")
    statuses: list[int] = []
    faults: list[Exception] = []
    are_many = threading.Event()

    def ask() -> None:
        connection = server.connect()
        is_closed = False
        while not is_closed:
            try:
                connection.request("POST", "/predict", BODY, JSON)
                answer = connection.getresponse()
                answer.read()
            except Exception as error:  # noqa: BLE001 - told below
                faults.append(error)
                return
            statuses.append(answer.status)
            is_closed = answer.getheader("Connection") == "close"
            if len(statuses) >= 50:
                are_many.set()

    half_sent = server.connect()
    half_sent.putrequest("POST", "/predict")
    half_sent.putheader("Content-Type", "application/json")
    half_sent.putheader("Content-Length", str(len(BODY)))
    half_sent.endheaders(BODY[:10].encode())
    callers = [threading.Thread(target=ask) for _ in range(4)]
    for caller in callers:
        caller.start()
    assert are_many.wait(30)
    server.process.send_signal(signal.SIGTERM)
    server.wait_for("SIGTERM: not ready any more")
    half_sent.send(BODY[10:].encode())
    statuses.append(half_sent.getresponse().status)
    for caller in callers:
        caller.join(30)
    told = server.end()
    assert faults == []
    assert set(statuses) == {200}
    assert (server.process.returncode, told["details"]["ended_by"]) == (0, "SIGTERM")
    assert told["metrics"]["requests"] == len(statuses)
    with pytest.raises(ConnectionRefusedError):
        server.connect().connect()


def test_term_loses_no_request_on_a_new_connection(start: Callable[..., Any], model_folder: Path) -> None:
    """Callers that open a connection a request are answered or find nobody listening; none is cut off."""
    server = start("--model_path", str(model_folder))
    server.wait_for("http://127.0.0.1")
    statuses: list[int] = []
    faults: list[Exception] = []
    are_many = threading.Event()

    def ask() -> None:
        while True:
            connection = server.connect()
            try:
                connection.connect()
            except ConnectionRefusedError:
                return
            try:
                connection.request("POST", "/predict", BODY, JSON)
                answer = connection.getresponse()
                answer.read()
            except Exception as error:  # noqa: BLE001 - told below
                faults.append(error)
            else:
                statuses.append(answer.status)
            connection.close()
            if len(statuses) >= 50:
                are_many.set()

    callers = [threading.Thread(target=ask) for _ in range(64)]
    for caller in callers:
        caller.start()
    assert are_many.wait(30)
    server.process.send_signal(signal.SIGTERM)
    server.wait_for("SIGTERM: not ready any more")
    for caller in callers:
        caller.join(30)
    told = server.end()
    assert faults == []
    assert set(statuses) == {200}
    assert (server.process.returncode, told["metrics"]["requests"]) == (0, len(statuses))


def test_ending_server_tells_that_it_is_not_ready_and_closes(start: Callable[..., Any], model_folder: Path) -> None:
    server = start("--model_path", str(model_folder), "serving.drain_linger_seconds=60")
    server.wait_for("http://127.0.0.1")
    server.process.send_signal(signal.SIGTERM)
    server.wait_for("SIGTERM: not ready any more")
    answers = {}
    for route in ("/ready", "/health"):
        connection = server.connect()
        connection.request("GET", route)
        answers[route] = connection.getresponse()
    assert {route: answer.status for route, answer in answers.items()} == {"/ready": 503, "/health": 200}
    assert {answer.getheader("Connection") for answer in answers.values()} == {"close"}
    assert json.load(answers["/ready"])["reason"] == "the server is about to end"


def test_what_is_no_request_shows_in_the_metrics(start: Callable[..., Any], model_folder: Path) -> None:
    server = start("--model_path", str(model_folder))
    server.wait_for("http://127.0.0.1")
    for sent, status in ((b"no HTTP\r\n\r\n", b"400"), (b"GET /" + b"x" * 40_000, b"431")):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(sent)
            assert connection.recv(100).split()[1] == status
    connection = server.connect()
    connection.request("GET", "/metrics")
    page = connection.getresponse().read().decode()
    for status in (400, 431):
        assert f'trading_predictor_requests_total{{route="none",status="{status}"}} 1.0' in page


def test_interrupt_ends_it_as_a_shell_expects(start: Callable[..., Any], model_folder: Path) -> None:
    server = start("--model_path", str(model_folder), "serving.drain_linger_seconds=0")
    server.wait_for("http://127.0.0.1")
    server.process.send_signal(signal.SIGINT)
    assert server.end()["details"]["ended_by"] == "SIGINT"
    assert server.process.returncode == 130


def test_champion_that_moves_is_followed_without_a_failed_request(
    start: Callable[..., Any], registry: Any, make_timing_model: Callable[..., str], tmp_path: Path
) -> None:
    server = start("registry.kind=filesystem", "serving.poll_seconds=0.05")
    server.wait_for("serving crypto_timing version 1 (buy_first")
    connection = server.connect()

    def ask() -> dict[str, Any]:
        connection.request("POST", "/predict", BODY, JSON)
        answer = connection.getresponse()
        told: dict[str, Any] = json.load(answer)
        assert answer.status == 200
        return told

    assert ask()["actions"] == [1]
    make_timing_model(tmp_path / "model", window_size=6)
    registry.promote(registry.register(tmp_path / "model"))
    versions = [1]
    while versions[-1] == 1 and len(versions) < 100_000:
        versions.append(ask()["model"]["version"])
    assert versions[-1] == 2
    server.wait_for("serving crypto_timing version 2 (rainbow_timing")
