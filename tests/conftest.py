"""Fixtures that every room's tests share."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest

from MLOps import failpoints

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


@pytest.fixture(autouse=True)
def _no_failpoint_stays_armed() -> Iterator[None]:
    yield
    failpoints.disarm()


@pytest.fixture(scope="session")
def empty_mlflow_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with MLflow's tables and no run; making it takes seconds, copying it does not."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlruns.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty root for everything that a stage makes."""
    root = tmp_path / "workspace"
    root.mkdir()
    return root


@pytest.fixture
def tracked_workspace(workspace: Path, empty_mlflow_store: Path) -> Path:
    """A workspace whose MLflow store has its tables already."""
    shutil.copy(empty_mlflow_store, workspace / "mlruns.db")
    return workspace


@pytest.fixture(scope="session")
def make_prices() -> Callable[..., pd.DataFrame]:
    """A maker of synthetic daily OHLCV: columns session, ticker, open, high, low, close, volume, adjusted_close.

    Geometric Brownian motion on New York sessions, seeded; the same arguments give the same frame.
    """
    import exchange_calendars

    calendar = exchange_calendars.get_calendar("XNYS", start="2000-01-03")

    def make(tickers: tuple[str, ...] = ("AAA", "BBB", "CCC"), sessions: int = 400, seed: int = 7) -> pd.DataFrame:
        generator = np.random.default_rng(seed)
        days = calendar.sessions_window(pd.Timestamp("2018-01-02"), sessions)
        frames = []
        for ticker in tickers:
            close = 100 * np.exp(np.cumsum(generator.normal(0.0003, 0.015, sessions)))
            spread = np.abs(generator.normal(0, 0.006, (2, sessions)))
            opened = close * np.exp(generator.normal(0, 0.004, sessions))
            frames.append(
                pd.DataFrame(
                    {
                        "session": days,
                        "ticker": ticker,
                        "open": opened,
                        "high": np.maximum(opened, close) * (1 + spread[0]),
                        "low": np.minimum(opened, close) * (1 - spread[1]),
                        "close": close,
                        "volume": generator.integers(1_000_000, 9_000_000, sessions).astype(float),
                        "adjusted_close": close,
                    }
                )
            )
        return pd.concat(frames).sort_values(["session", "ticker"], ignore_index=True)

    return make


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project of its own: the real global settings, a stage `probe`, one group in each search root."""
    from experiment_tracking import provenance
    from MLOps.settings import compose
    from MLOps.settings import project as place

    root = tmp_path / "project"
    shared = place.project_root() / "config" / "common" / "global_vars.yaml"
    files = {
        "config/common/global_vars.yaml": shared.read_text(),
        "config/stages/probe.yaml": (
            "# @package _global_\ndefaults:\n  - /common/global_vars@_global_\n"
            "  - /machines@machine: slow_machine\n  - _self_\nwindow: 5\n"
        ),
        "config/machines/slow_machine.yaml": "defaults:\n  - /tuned/low@knobs\n  - _self_\nkind: slow\n",
        "config/machines/fast_machine.yaml": "defaults:\n  - /tuned/high@knobs\n  - _self_\nkind: fast\n",
        "hyperparameters/tuned/low.yaml": "gain: 1\n",
        "hyperparameters/tuned/high.yaml": "gain: 9\nboost: 2\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for module in (compose, place, provenance):
        monkeypatch.setattr(module, "project_root", lambda: root)
    return root


@dataclass
class Request:
    """What the local server was asked."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


Answer = tuple[int, dict[str, str], str]


@dataclass
class LocalServer:
    """A server on 127.0.0.1 that answers as `respond` says and remembers what it was asked."""

    url: str
    requests: list[Request] = field(default_factory=list)
    respond: Callable[[Request], Answer] = lambda _: (404, {}, "")


@pytest.fixture
def server() -> Iterator[LocalServer]:
    local = LocalServer("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            request = Request(parts.path, query, dict(self.headers))
            local.requests.append(request)
            status, headers, body = local.respond(request)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body.encode()))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    local.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield local
    httpd.shutdown()
    httpd.server_close()
    thread.join()
