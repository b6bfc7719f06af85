"""What schemathesis makes of the OpenAPI: every answer is as declared, and what is not declared is refused.

Its own pytest plugin is left out: it reaches into pytest's insides, and fails on the one that is installed.
"""

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

KEY = "a-key-of-the-test-0123456789"
ROUTES = ("GET /", "GET /health", "GET /ready", "GET /model/info", "GET /metrics", "POST /predict")
_EXAMPLES = 25


@pytest.fixture(scope="module", params=[None, KEY], ids=["open", "guarded"])
def operations(request: pytest.FixtureRequest, make_services: Callable[..., Any]) -> dict[str, Any]:
    """Each operation of the OpenAPI by method and path, with the headers that a caller adds."""
    service = make_services(key=request.param)
    schema = schemathesis.openapi.from_asgi("/openapi.json", service.application.gate)
    found = (result.ok() for result in schema.get_all_operations())
    return {f"{one.method.upper()} {one.path}": (one, request.param) for one in found}


def test_every_route_is_declared(operations: dict[str, Any]) -> None:
    assert tuple(operations) == (*ROUTES[:4], "POST /predict", "GET /metrics")


@pytest.mark.parametrize(
    ("route", "mode"),
    [*((route, GenerationMode.POSITIVE) for route in ROUTES), ("POST /predict", GenerationMode.NEGATIVE)],
)
def test_answers_are_as_declared(operations: dict[str, Any], route: str, mode: GenerationMode) -> None:
    operation, key = operations[route]
    statuses = []

    @settings(max_examples=_EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answer = case.call_and_validate(headers={"X-API-Key": key} if key else None)
        statuses.append(answer.status_code)

    ask()
    refused = {415, 422, 401} if key else {415, 422}
    assert set(statuses) <= ({200} if mode is GenerationMode.POSITIVE else {200} | refused)
    assert statuses
