"""Applications over small models, asked in this process or as another one, and a registry to move a champion in."""

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file, save_file

from deployment.serving.access import KeyCheck
from deployment.serving.build_server import Application, build_application
from deployment.serving.model_slot import Candidate
from deployment.serving.model_sources import FolderSource
from MLOps.artifacts import RESULT_FILE, sha256_of
from MLOps.inference.model_files import CARD_FILE, POLICY_FILE
from MLOps.settings.compose import compose_settings
from MLOps.settings.project import project_root
from MLOps.settings.serving import ServeCryptoModelSettings, ServerSettings
from MLOps.stage import Artifact, StageResult
from model_registry.champion import ensure_champion, promote
from model_registry.family import CRYPTO_TIMING
from model_registry.filesystem_registry import FilesystemRegistry
from model_registry.registry import ModelVersion
from model_registry.verdict import GateResult, Verdict

T = TypeVar("T")
MODEL_PARTS = (CARD_FILE, POLICY_FILE)
FloatArray = npt.NDArray[np.float32]


def server_settings(*overrides: str) -> ServerSettings:
    return compose_settings(ServeCryptoModelSettings, "serve_crypto_model", overrides).serving


@dataclass
class Service:
    """An application, asked without a socket."""

    application: Application
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, route: str, **arguments: Any) -> httpx.Response:
        async def one(client: httpx.AsyncClient) -> httpx.Response:
            return await client.request(method, route, **arguments)

        return self.run(one)

    def post(self, observations: object, **arguments: Any) -> httpx.Response:
        return self.ask("POST", "/predict", json={"observations": observations}, **arguments)

    def run(self, work: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
        async def inside() -> T:
            transport = httpx.ASGITransport(self.application.gate)
            async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=self.headers) as client:
                return await work(client)

        return asyncio.run(inside())


@pytest.fixture(scope="session")
def model_folder(make_timing_model: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a window of 6, so of 8 numbers. Only read it."""
    folder = tmp_path_factory.mktemp("served") / "model"
    make_timing_model(folder, seed=1, window_size=6)
    return folder


@pytest.fixture
def altered_folder(make_timing_model: Callable[..., str], tmp_path: Path) -> Path:
    """A model that a stage made, the signs of whose advantages were turned afterwards, beside its result."""
    folder = tmp_path / "altered"
    make_timing_model(folder, seed=1, window_size=6)
    artifacts = {name: Artifact(path=Path(name), sha256=sha256_of(folder / name)) for name in MODEL_PARTS}
    result = StageResult(stage="train_rainbow", key="0" * 16, status="made", folder=Path(), artifacts=artifacts)
    (folder / RESULT_FILE).write_text(result.model_dump_json())
    FolderSource(folder, threads=1).wanted().load()  # as it was made, it is served
    weights = load_file(folder / POLICY_FILE)
    save_file(
        weights | {name: -weights[name] for name in ("advantage.out.weight", "advantage.out.bias")},
        folder / POLICY_FILE,
    )
    return folder


@pytest.fixture(scope="module")
def make_services(model_folder: Path) -> Iterator[Callable[..., Service]]:
    """A maker: ``make(*overrides, folder=None, key=None, is_empty=False)``."""
    made: list[Application] = []

    def make(*overrides: str, folder: Path | None = None, key: str | None = None, is_empty: bool = False) -> Service:
        source = FolderSource(folder or model_folder, threads=1)
        application = build_application(server_settings(*overrides), source, KeyCheck(key), watches=False)
        made.append(application)
        if not is_empty:
            application.slot.put(source.wanted().load())
        return Service(application)

    yield make
    for application in made:
        application.batcher.close()


@pytest.fixture
def make_service(make_services: Callable[..., Service]) -> Callable[..., Service]:
    """`make_services`, for a service that a test may change."""
    return make_services


@pytest.fixture
def service(make_service: Callable[..., Service]) -> Service:
    """The application with its default settings, without a key."""
    return make_service()


@dataclass
class Sources:
    """A source whose model is put by the test."""

    candidate: Candidate | Exception | None = None

    def wanted(self) -> Candidate:
        if isinstance(self.candidate, Exception):
            raise self.candidate
        assert self.candidate is not None
        return self.candidate


@dataclass(frozen=True)
class Registry:
    """A registry in a folder, with the baseline as its first champion."""

    workspace: Path
    store: FilesystemRegistry
    baseline: ModelVersion

    def register(self, folder: Path) -> ModelVersion:
        return self.store.register(folder, "crypto_timing", {"registered_at": "2026-01-02T03:04:05+00:00"})

    def promote(self, version: ModelVersion) -> None:
        """Let the gates pass, and the alias move."""
        champion = self.store.by_alias("crypto_timing", CRYPTO_TIMING.champion_alias)
        assert champion is not None
        gates = tuple(
            GateResult(gate=name, figure=1.0, threshold=0.0, passed=True, reason="") for name in CRYPTO_TIMING.gates
        )
        verdict = Verdict(
            key=f"v{version.version}",
            family=CRYPTO_TIMING.name,
            basis="gates",
            as_of=None,
            model_digest=version.digest,
            champion_digest=champion.digest,
            outcome="passed",
            gates=gates,
        )
        self.store.store_verdict(version, verdict)
        promote(self.store, version, verdict, CRYPTO_TIMING)

    def overrides(self) -> list[str]:
        return [f"paths.workspace={self.workspace}", "registry.kind=filesystem"]


@pytest.fixture
def registry(workspace: Path) -> Registry:
    store = FilesystemRegistry(workspace / "models" / "registry")
    return Registry(workspace, store, ensure_champion(store, "crypto_timing", CRYPTO_TIMING))


@pytest.fixture
def observations() -> FloatArray:
    """(5, 8) float32."""
    return np.random.default_rng(3).normal(size=(5, 8)).astype(np.float32)


def _find_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    return _find_port()


class Server:
    """A server's process; it listens once `words` tells so."""

    def __init__(self, *arguments: str) -> None:
        self.port = _find_port()
        script = project_root() / "deployment" / "serving" / "serve_crypto_model.py"
        self.process = subprocess.Popen(
            [sys.executable, str(script), "--port", str(self.port), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            text=True,
        )

    def wait_for(self, words: str) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if words in line:
                return
        pytest.fail(f"the server never said {words!r}")

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def end(self) -> dict[str, Any]:
        """Wait for the end; gives the last line of standard output."""
        out, _ = self.process.communicate(timeout=60)
        told: dict[str, Any] = json.loads(out.splitlines()[-1])
        return told


@pytest.fixture
def start(workspace: Path) -> Iterator[Callable[..., Server]]:
    """A starter of servers as processes, over the workspace: ``start(*flags)``."""
    started: list[Server] = []

    def make(*arguments: str) -> Server:
        started.append(Server("--workspace", str(workspace), *arguments))
        return started[-1]

    yield make
    for server in started:
        server.process.kill()
        server.process.communicate()
