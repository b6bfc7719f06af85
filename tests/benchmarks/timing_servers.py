"""Two servers of one buy-timing network, each a process on 127.0.0.1: ours, and ``mlflow models serve``."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from MLOps.inference.timing_model import (
    RainbowTimingCard,
    TimingArchitecture,
    TimingMarket,
    TimingObservation,
    write_timing_model,
)
from MLOps.inference.timing_onnx import timing_onnx_of_folder
from MLOps.settings.project import project_root

_WINDOW, _STARTS_WITHIN_SECONDS, _ENDS_WITHIN_SECONDS = 30, 120, 15
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "MLFLOW_DISABLE_TELEMETRY": "true"}


@dataclass(frozen=True)
class RunningServer:
    """A server that answers."""

    port: int
    process: subprocess.Popen[bytes]

    def post(self, path: str, content: object) -> dict[str, object]:
        """The answer to JSON."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", json.dumps(content).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            told: dict[str, object] = json.load(answer)
        return told

    def get(self, path: str) -> str:
        """The answer's text."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return str(answer.read().decode())


def write_network(folder: Path, seed: int = 0) -> str:
    """A network of the default sizes (hyperparameters/model/rainbow.yaml) with drawn weights; gives its digest."""
    generator = np.random.default_rng(seed)
    card = RainbowTimingCard(
        architecture=TimingArchitecture(
            hidden_sizes=(128,), stream_size=64, atoms=51, v_min=-5, v_max=5, is_dueling=True, is_categorical=True
        ),
        observation=TimingObservation(window_size=_WINDOW, size=_WINDOW + 2),
        market=TimingMarket(symbol="BTC", frequency="1h", cycle_steps=24, fee_bps=10.0),
        environment={},
        windows={},
        provenance={"seed": seed},
    )
    weights = {
        name: (generator.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32)
        for name, shape in card.tensor_shapes().items()
    }
    return write_timing_model(folder, card, weights)


def draw_observations(rows: int) -> npt.NDArray[np.float32]:
    """(rows, 32) float32, in the sizes of real ones."""
    return np.random.default_rng(7).normal(size=(rows, _WINDOW + 2)).astype(np.float32)


@contextmanager
def our_server(folder: Path, workspace: Path) -> Iterator[RunningServer]:
    """Our server of a model folder, with its default settings."""
    script = project_root() / "deployment" / "serving" / "serve_crypto_model.py"
    port = free_port()
    flags = ["--model_path", str(folder), "--port", str(port), "--workspace", str(workspace)]
    with _running([sys.executable, str(script), *flags], port, "/ready", {}) as server:
        yield server


@contextmanager
def mlflow_server(folder: Path, digest: str, workspace: Path) -> Iterator[RunningServer]:
    """``mlflow models serve`` of the same network, logged in MLflow's ONNX flavour in a store of its own."""
    port, store = free_port(), f"sqlite:///{workspace / 'peer.db'}"
    uri = _log_in_mlflow(timing_onnx_of_folder(folder, digest), store, workspace / "peer_artifacts")
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", uri, "--env-manager", "local"]
    address = ["--host", "127.0.0.1", "--port", str(port)]
    with _running([*command, *address], port, "/ping", {"MLFLOW_TRACKING_URI": store}) as server:
        yield server


def _log_in_mlflow(graph: bytes, store: str, artifacts: Path) -> str:
    """Log the graph; gives the model's URI."""
    import mlflow
    import onnx

    mlflow.set_tracking_uri(store)
    mlflow.set_registry_uri(store)
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("serving", artifacts.as_uri()))
    observations = draw_observations(2)
    signature = mlflow.models.infer_signature(observations, np.zeros((2, 2), dtype=np.float32))
    with mlflow.start_run():
        logged = mlflow.onnx.log_model(
            onnx.load_from_string(graph),
            name="network",
            signature=signature,
            pip_requirements=["mlflow", "onnxruntime"],
        )
    return str(logged.model_uri)


@contextmanager
def _running(command: Sequence[str], port: int, ready: str, own: dict[str, str]) -> Iterator[RunningServer]:
    """Start a server in a group of its own, wait until it answers, and end the group with the context."""
    programs = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}  # MLflow runs uvicorn
    process = subprocess.Popen(
        command, env={**os.environ, **programs, **_ENVIRONMENT, **own}, stdout=subprocess.DEVNULL, process_group=0
    )
    server = RunningServer(port, process)
    try:
        _wait_for(server, ready)
        yield server
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server and all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_ENDS_WITHIN_SECONDS)


def _wait_for(server: RunningServer, path: str) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN_SECONDS
    while True:
        try:
            server.get(path)
        except (OSError, urllib.error.URLError) as error:
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"a server did not start: {error}; its words stand above") from error
            time.sleep(0.1)
        else:
            return


def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port
