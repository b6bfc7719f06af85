"""POST /predict: the answers are the policy's, and every limit has its status and its reason."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deployment.serving.predict_endpoint import CLIENT_GONE
from deployment.serving.served_model import ServedModel
from MLOps.inference.model_files import model_digest
from MLOps.inference.timing_model import write_buy_first
from MLOps.inference.timing_policy import load_timing_policy

FloatArray = npt.NDArray[np.float32]
JSON = {"Content-Type": "application/json"}


def refusal(answer: httpx.Response) -> tuple[int, str | None, str]:
    told = answer.json()
    assert set(told) == {"field", "reason"}
    return answer.status_code, told["field"], told["reason"]


class Slow:
    """Computes when it is let."""

    def __init__(self) -> None:
        self.began, self.may_go_on = threading.Event(), threading.Event()

    def q_values(self, observations: FloatArray) -> FloatArray:
        self.began.set()
        assert self.may_go_on.wait(30)
        return np.zeros((len(observations), 2), dtype=np.float32)


class Computed:
    """Computes what the test says."""

    def __init__(self, compute: Callable[[FloatArray], FloatArray]) -> None:
        self.q_values = compute


def put(service: Any, network: object) -> ServedModel:
    """Let the served model compute with `network`."""
    model = replace(service.application.slot.model, network=network)
    service.application.slot.put(model)
    return model


def test_answers_are_those_of_the_policy(service: Any, model_folder: Path, observations: FloatArray) -> None:
    answer = service.post(observations.tolist())
    policy = load_timing_policy(model_folder)
    told = answer.json()
    assert answer.status_code == 200
    np.testing.assert_allclose(told["q_values"], policy.q_values(observations), rtol=1e-5, atol=1e-5)
    assert told["actions"] == policy.actions(observations).tolist()
    assert told["model"] == {"name": "model", "version": None, "digest": model_digest(model_folder)}


def test_requests_at_once_get_each_their_own_answer(service: Any, observations: FloatArray) -> None:
    alone = [service.post([row]).json()["q_values"][0] for row in observations.tolist()]

    async def work(client: httpx.AsyncClient) -> list[httpx.Response]:
        sent = (client.post("/predict", json={"observations": [row]}) for row in observations.tolist())
        return await asyncio.gather(*sent)

    together = [answer.json()["q_values"][0] for answer in service.run(work)]
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_baseline_buys_at_once_whatever_it_is_shown(make_service: Callable[..., Any], tmp_path: Path) -> None:
    write_buy_first(tmp_path / "baseline")
    service = make_service(folder=tmp_path / "baseline")
    told = service.post([[0.1, 0.2, 0.3], [1, 2, 3]]).json()
    assert (told["actions"], told["q_values"]) == ([1, 1], [[0.0, 1.0], [0.0, 1.0]])
    info = service.ask("GET", "/model/info").json()
    assert (info["kind"], info["observation_size"]) == ("buy_first", None)


def test_malformed_observations_are_told_with_field_and_reason(service: Any) -> None:
    body = b'{"observations": [[0, 0, 0, 0, NaN, 0, 0, 0]]}'
    status, field, reason = refusal(service.ask("POST", "/predict", content=body, headers=JSON))
    assert (status, field) == (422, "observations[0][4]")
    assert reason.startswith("must be a finite number")


def test_width_of_another_window_is_refused(service: Any) -> None:
    assert refusal(service.post([[0.0] * 32])) == (422, "observations[0]", "holds 32 numbers; must hold 8")


def test_too_many_rows_are_refused(make_service: Callable[..., Any]) -> None:
    service = make_service("serving.limits.max_rows=2")
    assert service.post([[0.0] * 8] * 2).status_code == 200
    assert refusal(service.post([[0.0] * 8] * 3)) == (422, "observations", "holds 3 rows; at most 2 are taken")


@pytest.mark.parametrize("is_chunked", [False, True])
def test_long_body_is_refused(make_service: Callable[..., Any], is_chunked: bool) -> None:
    service = make_service("serving.limits.max_body_kib=1")
    body = json.dumps({"observations": [[0.0] * 8] * 100}).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100):
            yield body[start : start + 100]

    content = pieces() if is_chunked else body
    answer = service.ask("POST", "/predict", content=content, headers=JSON)
    assert refusal(answer) == (413, None, "the body is longer than 1 KiB")


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"Content-Type": "text/plain"}, "the header Content-Type must be application/json"),
        ({"Content-Type": ""}, "the header Content-Type must be application/json"),
        (JSON | {"Content-Encoding": "gzip"}, "the body must not be compressed"),
    ],
)
def test_body_that_is_no_plain_json_is_refused(service: Any, headers: dict[str, str], told: str) -> None:
    assert refusal(service.ask("POST", "/predict", content=b"{}", headers=headers)) == (415, None, told)


def test_charset_behind_the_type_is_taken(service: Any, observations: FloatArray) -> None:
    body = json.dumps({"observations": observations.tolist()})
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert service.ask("POST", "/predict", content=body, headers=headers).status_code == 200


def test_without_a_model_comes_503_and_when_to_ask_again(make_service: Callable[..., Any]) -> None:
    answer = make_service(is_empty=True).post([[0.0] * 8])
    assert refusal(answer) == (503, None, "no model is served yet; GET /ready tells when")
    assert answer.headers["retry-after"] == "1"


def test_full_queue_comes_503_and_when_to_ask_again(make_service: Callable[..., Any]) -> None:
    service = make_service(
        "serving.batch.inline_rows=0", "serving.limits.max_waiting_rows=1", "serving.limits.retry_after_seconds=7"
    )
    slow = Slow()
    put(service, slow)

    async def work(client: httpx.AsyncClient) -> tuple[list[httpx.Response], httpx.Response]:
        sent = [asyncio.create_task(client.post("/predict", json={"observations": [[0.0] * 8]}))]
        await asyncio.to_thread(slow.began.wait, 30)
        sent.append(asyncio.create_task(client.post("/predict", json={"observations": [[0.0] * 8]})))
        while not service.application.batcher.waiting_rows:
            await asyncio.sleep(0)
        refused = await client.post("/predict", json={"observations": [[0.0] * 8]})
        slow.may_go_on.set()
        return await asyncio.gather(*sent), refused

    answered, refused = service.run(work)
    assert [answer.status_code for answer in answered] == [200, 200]
    assert refusal(refused) == (503, None, "too many observations wait")
    assert refused.headers["retry-after"] == "7"


def test_answer_that_does_not_come_in_time_is_504(make_service: Callable[..., Any]) -> None:
    service = make_service("serving.batch.inline_rows=0", "serving.limits.timeout_seconds=0.05")
    slow = Slow()
    put(service, slow)
    answer = service.post([[0.0] * 8])
    slow.may_go_on.set()
    assert refusal(answer) == (504, None, "no answer within 0.05 s; the server is overloaded")


def asked_by_hand(service: Any, messages: list[dict[str, Any]], *, hangs: bool) -> list[dict[str, Any]]:
    """What the gate sends when these messages come, and then none (or the end of the connection)."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        if hangs:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [(b"content-type", b"application/json")]}
    asyncio.run(service.application.gate(scope, receive, send))
    return sent


def test_body_that_does_not_come_in_time_is_408_and_ends_the_connection(make_service: Callable[..., Any]) -> None:
    service = make_service("serving.limits.timeout_seconds=0.05")
    begun = [{"type": "http.request", "body": b'{"obs', "more_body": True}]
    start, body = asked_by_hand(service, begun, hangs=True)
    assert start["status"] == 408
    assert (b"connection", b"close") in start["headers"]
    assert json.loads(body["body"])["reason"] == "the body did not come within 0.05 s"


def test_client_that_hangs_up_gets_nothing_and_is_counted(service: Any) -> None:
    begun = [{"type": "http.request", "body": b'{"obs', "more_body": True}]
    assert asked_by_hand(service, begun, hangs=False) == []
    page = service.ask("GET", "/metrics").text
    assert f'trading_predictor_requests_total{{route="/predict",status="{CLIENT_GONE}"}} 1.0' in page


def test_model_that_fails_is_500_and_the_server_goes_on(service: Any, observations: FloatArray) -> None:
    def fail(_observations: FloatArray) -> FloatArray:
        raise RuntimeError("a fault of the network")

    sound = service.application.slot.model
    put(service, Computed(fail))
    assert refusal(service.post(observations.tolist())) == (500, None, "the model failed; the server's log tells how")
    service.application.slot.put(sound)
    assert service.post(observations.tolist()).status_code == 200


def test_values_that_overflow_are_told_for_the_request_that_has_them_alone(service: Any) -> None:
    put(service, Computed(lambda given: np.stack([given[:, 0], 1 / given[:, 1]], axis=1).astype(np.float32)))

    async def work(client: httpx.AsyncClient) -> list[httpx.Response]:
        rows = ([[1.0] * 8], [[1.0] * 8, [1.0] + [0.0] * 7])
        return await asyncio.gather(*(client.post("/predict", json={"observations": given}) for given in rows))

    with np.errstate(divide="ignore"):
        sound, overflows = service.run(work)
    assert sound.status_code == 200
    assert refusal(overflows) == (422, "observations[1]", "is too large for the model: its values overflow")


def test_batches_and_rows_are_counted(service: Any, observations: FloatArray) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        sent = (client.post("/predict", json={"observations": observations.tolist()}) for _ in range(3))
        await asyncio.gather(*sent)

    service.run(work)
    families = {family.name: family for family in text_string_to_metric_families(service.ask("GET", "/metrics").text)}
    (rows,) = families["trading_predictor_rows"].samples[:1]
    assert rows.value == 15
    sums = [s.value for s in families["trading_predictor_batch_rows"].samples if s.name.endswith("_sum")]
    assert sums == [15]
