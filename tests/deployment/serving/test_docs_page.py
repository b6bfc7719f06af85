"""GET /docs stands on its own: no address but the server's, and a browser without a network can ask with it."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urljoin

import pytest

from deployment.serving import docs_page
from MLOps.errors import SettingsError

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
KEY = "a-key-of-the-test-0123456789"
PREFIX = "/behind/a/proxy"
_PATIENCE_MS = 60_000


def test_page_names_no_other_host_and_its_parts_are_there(service: Any) -> None:
    page = service.ask("GET", "/docs")
    links = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert not re.search(r"//", page.text)
    assert {f"/{link}" for link in links} == (docs_page.DOCS_ROUTES - {"/docs"}) | {"/openapi.json"}
    answers = [service.ask("GET", f"/{link}") for link in links]
    assert {answer.status_code for answer in answers} == {200}
    types = {answer.headers["content-type"].partition(";")[0] for answer in answers}
    assert types == {"text/html", "text/css", "text/javascript", "image/png", "application/json"} - {"text/html"}


def test_page_may_run_and_ask_nothing_but_the_server(service: Any) -> None:
    policy = service.ask("GET", "/docs").headers["content-security-policy"]
    allowed = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert allowed.pop("default-src") == "'none'"
    assert allowed.pop("img-src") == "'self' data:"
    assert set(allowed.values()) == {"'self'", "'none'"}
    assert allowed["script-src"] == "'self'"


def test_no_other_file_of_the_package_is_given(service: Any) -> None:
    others = ("/docs/", "/docs/swagger-ui.js", "/docs/../docs_page.py", "/docs/%2e%2e/LICENSE")
    assert {service.ask("GET", route).status_code for route in others} == {404}


def test_requests_go_to_where_the_api_is_told(service: Any) -> None:
    """OpenAPI takes a relative address for one beside itself."""
    servers = [server["url"] for server in service.ask("GET", "/openapi.json").json().get("servers", [{"url": "/"}])]
    assert [urljoin("http://host/behind/openapi.json", url) for url in servers] == ["http://host/behind/"]


def test_flask_is_not_imported_for_its_files(service: Any) -> None:
    service.ask("GET", "/docs/swagger-ui-bundle.js")
    assert "flask_swagger_ui" not in sys.modules


def test_missing_package_is_told(make_service: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs_page, "_PACKAGE", "no_such_package")
    with pytest.raises(SettingsError, match=r"no_such_package is not installed; .*; mend: make setup"):
        make_service()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium that finds no host but this machine."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        arguments += ["--no-sandbox"] if os.geteuid() == 0 else []  # its sandbox refuses root
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def proxy() -> Iterator[Callable[[int], int]]:
    """A maker: ``make(port)`` gives the port of a proxy that passes on what is asked below `PREFIX`, without it."""
    with ExitStack() as stack:

        def make(port: int) -> int:
            class Passing(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    asked = HTTPConnection("127.0.0.1", port, timeout=30)
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                    route = self.path.removeprefix(PREFIX) if self.path.startswith(PREFIX) else "/outside"
                    asked.request(self.command, route, body, dict(self.headers))
                    answer = asked.getresponse()
                    content = answer.read()
                    self.send_response(answer.status)
                    for name in ("Content-Type", "Content-Security-Policy"):
                        if answer.headers[name]:
                            self.send_header(name, answer.headers[name])
                    self.end_headers()
                    self.wfile.write(content)
                    asked.close()

                def do_POST(self) -> None:
                    self.do_GET()

                def log_message(self, *_: object) -> None:
                    pass

            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Passing))
            Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            return server.server_port

        yield make


class Page:
    """The page in a browser, and what it asked for and complained of."""

    def __init__(self, browser: Any, address: str) -> None:
        self.page = browser.new_page(viewport={"width": 1280, "height": 900})
        self.page.set_default_timeout(_PATIENCE_MS)
        self.foreign: list[str] = []
        self.faults: list[str] = []
        self.page.on("request", lambda asked: self._look_at(asked.url, address))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        self.page.goto(f"{address}/docs")
        self.predict = self.page.locator("#operations-default-predict_predict_post")
        self.predict.locator(".opblock-summary-control").click()
        self.predict.get_by_role("button", name="Try it out").click()

    def _look_at(self, url: str, address: str) -> None:
        if not url.startswith((address, "data:")):
            self.foreign.append(url)

    def execute(self) -> tuple[str, str]:
        """Send the example that stands there; gives status and body."""
        self.predict.get_by_role("button", name="Execute").click()
        row = self.predict.locator(".live-responses-table tr.response")
        row.wait_for()
        status = row.locator(".response-col_status").inner_text().split()[0]
        return status, row.locator(".highlight-code").first.inner_text()

    def authorize(self, key: str) -> None:
        self.page.get_by_role("button", name="Authorize").first.click()
        box = self.page.locator(".auth-container")
        box.locator("input").fill(key)
        box.get_by_role("button", name="Apply credentials").click()
        box.get_by_role("button", name="Close").click()


@pytest.mark.services
def test_browser_without_a_network_asks_with_the_page(
    browser: Any, start: Callable[..., Any], model_folder: Path
) -> None:
    server = start("--model_path", str(model_folder))
    server.wait_for("http://127.0.0.1")
    page = Page(browser, f"http://127.0.0.1:{server.port}")
    status, told = page.execute()
    assert status == "200"
    assert "q_values" in told
    assert (page.foreign, page.faults) == ([], [])


@pytest.mark.services
def test_browser_asks_behind_the_prefix_of_a_proxy(
    browser: Any, start: Callable[..., Any], model_folder: Path, proxy: Callable[[int], int]
) -> None:
    server = start("--model_path", str(model_folder))
    server.wait_for("http://127.0.0.1")
    page = Page(browser, f"http://127.0.0.1:{proxy(server.port)}{PREFIX}")
    status, told = page.execute()
    assert (status, "q_values" in told) == ("200", True)
    assert (page.foreign, page.faults) == ([], [])


@pytest.mark.services
def test_browser_asks_with_the_key_that_was_typed_in(
    browser: Any, start: Callable[..., Any], model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVING_API_KEY", KEY)
    server = start("--model_path", str(model_folder))
    server.wait_for("http://127.0.0.1")
    page = Page(browser, f"http://127.0.0.1:{server.port}")
    assert page.execute()[0] == "401"
    page.faults.clear()  # the browser tells the 401
    page.authorize(KEY)
    page.predict.get_by_role("button", name="Clear").click()
    status, told = page.execute()
    assert (status, "q_values" in told) == ("200", True)
    assert (page.foreign, page.faults) == ([], [])
