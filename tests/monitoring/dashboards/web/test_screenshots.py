"""Every page in Chromium, on a screen and on a phone: drawn whole, without a fault, and without a foreign request."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from monitoring.dashboards.web.app import PAGES

pytestmark = [pytest.mark.services, pytest.mark.slow]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FIRST = PAGES[0][0]  # its address is that of the whole
WIDTHS = {"screen": 1280, "phone": 390}
CHARTS = {"Overview": 1, "Strategy": 4, "Buy-timing": 1, "Drift": 2}
_PATIENCE_SECONDS = 60
_LOOK_SECONDS = 0.1
_DRAWN = """charts => document.querySelectorAll('.js-plotly-plot .cartesianlayer .subplot').length >= charts
    && document.querySelector('.ta-head')
    && document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"""


@pytest.fixture(scope="module")
def address(furnished, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard of the furnished workspace, started by its command on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("dashboard") / "log.txt"
    line = [sys.executable, "-m", "monitoring.dashboards.web.show_dashboard", *furnished.overrides]
    with log.open("w") as stream:
        server = subprocess.Popen([*line, f"ports.streamlit={port}"], stdout=stream, stderr=stream)
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(_LOOK_SECONDS)  # another program starts meanwhile; there is nothing to wait on
    raise AssertionError(f"the dashboard did not start:\n{log.read_text()}")


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # its sandbox refuses root
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("title", [title for title, _ in PAGES])
def test_page_is_drawn_whole(browser, address, tmp_path, title, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    foreign, faults = [], []
    page.on("request", lambda request: foreign.append(request.url) if _is_foreign(request.url, address) else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{address}/{'' if title == FIRST else title.lower()}", wait_until="load")
    page.wait_for_function(_DRAWN, arg=CHARTS.get(title, 0), timeout=1000 * _PATIENCE_SECONDS)
    picture = tmp_path / f"{title}-{width}.png"
    page.screenshot(path=picture)
    assert (foreign, faults) == ([], [])
    assert page.locator("[data-testid=stException]").count() == 0
    assert page.get_by_role("dialog").count() == 0  # Streamlit's "Page not found" lies over the first page
    scrolled, shown = page.evaluate(
        "(main => [main.scrollWidth, main.clientWidth])(document.querySelector('[data-testid=stMain]'))"
    )
    assert scrolled == shown  # nothing hangs over the edge
    page.get_by_role("link", name="Champions").wait_for()  # until it is to be seen: the way on, on a phone too
    assert _colors(picture) > 20
    page.close()


def _is_foreign(url: str, address: str) -> bool:
    return not url.startswith((address, "data:", "blob:"))


def _colors(picture: Path) -> int:
    """How many colours a picture has; a blank one has few."""
    from PIL import Image

    return len(np.unique(np.asarray(Image.open(picture).convert("RGB")).reshape(-1, 3), axis=0))
