"""The pages, the OpenAPI and the metrics."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deployment.serving.docs_page import DOCS_ROUTES
from deployment.serving.server_metrics import ROUTES
from MLOps.inference.model_files import model_digest
from MLOps.inference.timing_model import write_buy_first


def test_front_page_leads_to_every_other(service: Any) -> None:
    told = service.ask("GET", "/").json()
    assert told["name"] == "crypto-timing-predictor"
    assert set(told["links"].values()) | {"/", "/openapi.json"} | DOCS_ROUTES == ROUTES
    pages = [link for link in told["links"].values() if link != "/predict"]
    assert {page: service.ask("GET", page).status_code for page in pages} == dict.fromkeys(pages, 200)


def test_alive_without_a_model_but_not_ready(make_service: Callable[..., Any]) -> None:
    service = make_service(is_empty=True)
    assert service.ask("GET", "/health").json() == {"status": "alive"}
    assert service.ask("GET", "/ready").status_code == 503
    assert service.ask("GET", "/ready").json()["reason"] == "no model is served yet"
    assert service.ask("GET", "/model/info").status_code == 503
    service.application.slot.trouble = "crypto_timing has no crypto_timing_champion"
    assert "has no crypto_timing_champion" in service.ask("GET", "/ready").json()["reason"]


def test_model_is_told(service: Any, model_folder: Path) -> None:
    assert service.ask("GET", "/ready").json() == {"status": "ready"}
    assert service.ask("GET", "/model/info").json() == {
        "name": "model",
        "version": None,
        "digest": model_digest(model_folder),
        "alias": None,
        "kind": "rainbow_timing",
        "observation_size": 8,
        "window_size": 6,
        "symbol": "BTC",
        "frequency": "1h",
        "cycle_steps": 24,
        "trained_at": None,
    }


@pytest.mark.parametrize(
    ("method", "route", "status"),
    [("GET", "/nothing", 404), ("GET", "/predict", 405), ("DELETE", "/health", 405), ("GET", "/predict/", 404)],
)
def test_refusal_of_a_route_has_the_shape_of_all(service: Any, method: str, route: str, status: int) -> None:
    answer = service.ask(method, route)
    assert answer.status_code == status
    assert answer.json() == {"reason": "Not Found" if status == 404 else "Method Not Allowed", "field": None}


def test_openapi_holds_the_sizes_of_now(make_service: Callable[..., Any], tmp_path: Path) -> None:
    service = make_service("serving.limits.max_rows=7")

    def observations() -> dict[str, Any]:
        schemas = service.ask("GET", "/openapi.json").json()["components"]["schemas"]
        found: dict[str, Any] = schemas["PredictRequest"]["properties"]["observations"]
        return found

    told = observations()
    assert (told["minItems"], told["maxItems"]) == (1, 7)
    assert (told["items"]["minItems"], told["items"]["maxItems"]) == (8, 8)
    (example,) = told["examples"]
    assert service.post(example).status_code == 200
    write_buy_first(tmp_path / "baseline")
    service.application.slot.put(make_service(folder=tmp_path / "baseline").application.slot.model)
    assert (observations()["items"]["minItems"], "maxItems" in observations()["items"]) == (1, False)
    assert service.post(observations()["examples"][0]).status_code == 200


def test_metrics_parse_and_follow_the_conventions(service: Any) -> None:
    service.post([[0.0] * 8])
    answer = service.ask("GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    ours = {name: family for name, family in families.items() if not name.startswith("process_")}
    assert all(name.startswith("trading_predictor_") for name in ours)
    assert all(family.documentation for name, family in ours.items() if not name.endswith("_created"))
    counters = [sample.name for family in ours.values() if family.type == "counter" for sample in family.samples]
    assert all(name.endswith("_total") for name in counters)
    assert {"trading_predictor_request_duration_seconds", "trading_predictor_model_loaded_timestamp_seconds"} <= set(
        ours
    )
    (model,) = families["trading_predictor_model_info"].samples
    assert (model.labels, model.value) == ({"name": "model", "version": "", "kind": "rainbow_timing"}, 1)


def test_paths_that_do_not_exist_make_no_series_of_their_own(service: Any) -> None:
    for number in range(20):
        service.ask("GET", f"/nothing/{number}")
    page = service.ask("GET", "/metrics").text
    assert 'trading_predictor_requests_total{route="other",status="404"} 20.0' in page
    assert "/nothing" not in page
