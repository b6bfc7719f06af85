"""Who may ask, and which addresses need a key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployment.serving.access import GUARDED_ROUTES, KeyCheck, is_loopback, key_check
from MLOps.errors import SettingsError
from MLOps.settings import credentials
from MLOps.settings.compose import compose_settings
from MLOps.settings.serving import ServeCryptoModelSettings, ServerSettings

KEY = "a-key-of-the-test-0123456789"


@pytest.fixture(autouse=True)
def _no_key_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SERVING_API_KEY", raising=False)
    monkeypatch.setattr(credentials, "project_root", lambda: tmp_path)


def settings(*overrides: str) -> ServerSettings:
    return compose_settings(ServeCryptoModelSettings, "serve_crypto_model", overrides).serving


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.7", False),
        ("localhost.example", False),
    ],
)
def test_only_loopback_needs_no_key(host: str, is_own: bool) -> None:
    assert is_loopback(host) is is_own
    if is_own:
        assert not key_check(settings(f"serving.host='{host}'")).is_on
    else:
        with pytest.raises(
            SettingsError, match=r"without an API key; allowed: 127\.0\.0\.1, or a key; mend: SERVING_API_KEY"
        ):
            key_check(settings(f"serving.host='{host}'"))


def test_key_may_be_required_on_loopback_too() -> None:
    with pytest.raises(SettingsError, match="requires_api_key=true, but there is no key"):
        key_check(settings("serving.requires_api_key=true"))


def test_key_that_is_there_is_demanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SERVING_API_KEY", KEY)
    assert key_check(settings()).is_on
    assert key_check(settings("serving.host=0.0.0.0")).is_on
    monkeypatch.delenv("SERVING_API_KEY")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "api_keys.yaml").write_text(f"serving:\n  api_key: {KEY}\n")
    assert key_check(settings()).lets_in("/predict", [(b"x-api-key", KEY.encode())])


@pytest.mark.parametrize("key", ["short", "with a space in it 0123", "smörgåsbord-0123456789", "tab\t0123456789012345"])
def test_unusable_key_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("SERVING_API_KEY", key)
    with pytest.raises(SettingsError, match="not usable") as caught:
        key_check(settings())
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "is_let_in"),
    [
        ({}, False),
        ({"X-API-Key": KEY}, True),
        ({"x-api-key": KEY + "x"}, False),
        ({"X-API-Key": ""}, False),
        ({"X-API-Key": "ä" * 20}, False),
        ({"Authorization": f"Bearer {KEY}"}, True),
        ({"Authorization": f"bearer {KEY}"}, True),
        ({"Authorization": KEY}, False),
        ({"Authorization": f"Basic {KEY}"}, False),
    ],
)
def test_guarded_routes_want_the_key(make_service: Callable[..., Any], header: dict[str, str], is_let_in: bool) -> None:
    service = make_service(key=KEY)
    encoded = {name: value.encode() for name, value in header.items()}
    answers = [
        service.ask("POST", "/predict", json={"observations": [[0.0] * 8]}, headers=encoded),
        service.ask("GET", "/model/info", headers=encoded),
        service.ask("GET", "/metrics", headers=encoded),
    ]
    assert {answer.status_code for answer in answers} == ({200} if is_let_in else {401})
    if not is_let_in:
        assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
        assert answers[0].json()["reason"] == "the API key is missing or wrong; it belongs into the header X-API-Key"


def test_probes_and_pages_that_explain_need_no_key(make_service: Callable[..., Any]) -> None:
    service = make_service(key=KEY)
    routes = ("/", "/health", "/ready", "/docs", "/openapi.json")
    assert {service.ask("GET", route).status_code for route in routes} == {200}
    paths = service.ask("GET", "/openapi.json").json()["paths"]
    guarded = {path for path, methods in paths.items() for told in methods.values() if told.get("security")}
    assert guarded == GUARDED_ROUTES


def test_without_a_key_nothing_is_asked_for() -> None:
    assert KeyCheck(None).lets_in("/predict", [])
