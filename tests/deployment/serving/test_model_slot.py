"""A new champion takes the old one's place beside it; what is refused changes nothing, and is told."""

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest

from deployment.serving.access import KeyCheck
from deployment.serving.build_server import build_application
from deployment.serving.model_slot import Candidate, ModelSlot
from deployment.serving.model_sources import ChampionSource
from deployment.serving.served_model import Origin, load_served_model
from deployment.serving.server_metrics import ServerMetrics
from MLOps.errors import ModelError
from MLOps.inference.model_files import model_digest
from MLOps.inference.timing_policy import load_timing_policy
from MLOps.settings.compose import compose_settings
from MLOps.settings.serving import ServeCryptoModelSettings
from model_registry.champion import ensure_champion
from model_registry.family import CRYPTO_TIMING
from model_registry.open_registry import find_registry, open_registry
from model_registry.sqlite_reader import SqliteReader

FloatArray = npt.NDArray[np.float32]
REFUSALS = "trading_predictor_model_refusals_total"


class Served:
    """A slot over a registry's champion, and what its metrics say."""

    def __init__(self, registry: Any) -> None:
        settings = compose_settings(ServeCryptoModelSettings, "serve_crypto_model", registry.overrides())
        self.metrics = ServerMetrics(lambda: 0)
        self.slot = ModelSlot(ChampionSource(settings, threads=1), self.metrics)

    def look(self) -> None:
        asyncio.run(self.slot.look())

    @property
    def version(self) -> int | None:
        assert self.slot.model is not None
        return self.slot.model.info.version

    def figure(self, name: str) -> float:
        lines = self.metrics.page().decode().splitlines()
        (line,) = (line for line in lines if line.startswith(f"{name} "))
        return float(line.split()[1])


@pytest.fixture
def served(registry: Any) -> Served:
    return Served(registry)


@pytest.fixture
def make_version(registry: Any, make_timing_model: Callable[..., str], tmp_path: Path) -> Callable[..., Any]:
    """A maker of registered networks of a window of 6."""

    def make(seed: int, window_size: int = 6, symbol: str = "BTC", cycle_steps: int = 24) -> Any:
        folder = tmp_path / f"model_{seed}_{window_size}_{symbol}_{cycle_steps}"
        make_timing_model(folder, seed=seed, window_size=window_size, symbol=symbol, cycle_steps=cycle_steps)
        return registry.register(folder)

    return make


def stored_card(registry: Any, version: Any) -> Path:
    return Path(registry.store.fetch(version)) / "model.json"


def test_first_champion_is_the_baseline_and_the_next_one_takes_its_place(
    registry: Any, served: Served, make_version: Callable[..., Any]
) -> None:
    served.look()
    assert served.slot.model.info.kind == "buy_first"
    registry.promote(make_version(2))
    served.look()
    info = served.slot.model.info
    assert (info.kind, info.version, info.alias) == ("rainbow_timing", 2, "crypto_timing_champion")
    assert info.trained_at.isoformat() == "2026-01-02T03:04:05+00:00"
    assert served.figure("trading_predictor_model_swaps_total") == 1
    served.look()
    assert served.figure("trading_predictor_model_swaps_total") == 1
    assert served.figure("trading_predictor_model_is_current") == 1


def test_nothing_registered_is_told_and_the_next_look_finds_it(workspace: Path) -> None:
    class Empty:
        @staticmethod
        def overrides() -> list[str]:
            return [f"paths.workspace={workspace}"]

    served = Served(Empty)
    served.look()
    assert served.slot.model is None
    assert "nothing was ever registered" in str(served.slot.trouble)
    assert "--model_path" in str(served.slot.trouble)


def test_champion_of_a_registry_in_mlflow_is_found_without_mlflow(
    tracked_workspace: Path,
) -> None:
    """The server reads the SQLite file itself; what MLflow costs at start would be paid by each server."""
    overrides = [f"paths.workspace={tracked_workspace}", "registry.kind=mlflow"]
    settings = compose_settings(ServeCryptoModelSettings, "serve_crypto_model", overrides)
    store = open_registry(settings)
    ensure_champion(store, "crypto_timing", CRYPTO_TIMING)

    class InMlflow:
        @staticmethod
        def overrides() -> list[str]:
            return overrides

    served = Served(InMlflow)
    served.look()
    assert served.slot.model.info.kind == "buy_first"
    assert isinstance(find_registry(settings), SqliteReader)


def test_altered_files_are_refused_before_they_are_parsed_and_the_old_model_goes_on(
    registry: Any, served: Served, make_version: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    registry.promote(make_version(2))
    served.look()
    newer = make_version(3)
    registry.promote(newer)
    card = stored_card(registry, newer)
    whole = card.read_bytes()
    card.write_bytes(b"\x80\x04 no card at all")
    with caplog.at_level(logging.ERROR):
        served.look()
        served.look()
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 1
    assert "has digest" in told[0]
    assert told[0].endswith("; the present model goes on")
    assert (served.version, served.figure(REFUSALS), served.figure("trading_predictor_model_is_current")) == (2, 1, 0)
    card.write_bytes(whole)
    served.look()
    assert (served.version, served.slot.trouble) == (3, None)


@pytest.mark.parametrize("other", [{"window_size": 7}, {"symbol": "ETH"}, {"cycle_steps": 8}])
def test_champion_of_another_market_window_or_cycle_does_not_take_the_place(
    registry: Any, served: Served, make_version: Callable[..., Any], other: dict[str, Any]
) -> None:
    registry.promote(make_version(2))
    served.look()
    registry.promote(make_version(3, **other))
    served.look()
    assert served.version == 2
    assert "version 3 decides on" in str(served.slot.trouble)
    assert "start the server again" in str(served.slot.trouble)
    restarted = Served(registry)
    restarted.look()
    assert restarted.version == 3


def test_market_is_remembered_across_a_baseline(
    registry: Any, served: Served, make_version: Callable[..., Any]
) -> None:
    registry.promote(make_version(2))
    served.look()
    registry.store.set_alias("crypto_timing", "crypto_timing_champion", registry.baseline.version)
    served.look()
    assert (served.slot.model.info.kind, served.slot.trouble) == ("buy_first", None)
    registry.promote(make_version(3, symbol="ETH"))
    served.look()
    assert served.slot.model.info.kind == "buy_first"
    assert "version 3 decides on 8 numbers of ETH 1h" in str(served.slot.trouble)
    registry.promote(make_version(4))
    served.look()
    assert (served.version, served.slot.trouble) == (4, None)


def test_alias_moved_without_a_verdict_is_refused(
    registry: Any, served: Served, make_version: Callable[..., Any]
) -> None:
    served.look()
    registry.store.set_alias("crypto_timing", "crypto_timing_champion", make_version(2).version)
    served.look()
    assert served.slot.model.info.kind == "buy_first"
    assert "no passing verdict" in str(served.slot.trouble)


def test_fault_that_nobody_expected_leaves_the_old_model_too(
    registry: Any, served: Served, make_version: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    served.look()
    registry.promote(make_version(2))
    monkeypatch.setattr("deployment.serving.model_sources.load_served_model", lambda *_: 1 / 0)
    served.look()
    assert served.slot.model.info.kind == "buy_first"
    assert served.slot.trouble == "ZeroDivisionError: division by zero"


def test_network_that_computes_otherwise_than_its_weights_say_is_refused(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MLOps.inference.predictor import CryptoPredictor

    right = CryptoPredictor.q_values
    monkeypatch.setattr(CryptoPredictor, "q_values", lambda self, given: right(self, given) + np.float32(0.01))
    with pytest.raises(ModelError, match=r"differs from its weights by 0\.01"):
        load_served_model(model_folder, model_digest(model_folder), Origin("model"), threads=1)


def test_swap_under_load_loses_no_request_and_mixes_no_answer(
    registry: Any, make_version: Callable[..., Any], observations: FloatArray
) -> None:
    """Every answer is wholly that of the version that it names, while the champion changes again and again."""
    versions = [make_version(seed) for seed in (2, 3)]
    expected = {
        version.version: load_timing_policy(registry.store.fetch(version)).q_values(observations)
        for version in versions
    }
    for version in versions:
        registry.promote(version)
    settings = compose_settings(
        ServeCryptoModelSettings, "serve_crypto_model", [*registry.overrides(), "serving.batch.inline_rows=4"]
    )
    application = build_application(settings.serving, ChampionSource(settings, 1), KeyCheck(None), watches=False)
    answers: list[httpx.Response] = []

    async def ask(client: httpx.AsyncClient, is_over: asyncio.Event) -> None:
        while not is_over.is_set():
            answers.append(await client.post("/predict", json={"observations": observations.tolist()}))

    async def swap() -> None:
        for turn in range(10):
            alias = versions[turn % 2].version
            registry.store.set_alias("crypto_timing", "crypto_timing_champion", alias)
            await application.slot.look()
            seen = len(answers)
            while len(answers) < seen + 8:
                await asyncio.sleep(0)

    async def work() -> None:
        await application.slot.look()
        is_over = asyncio.Event()
        transport = httpx.ASGITransport(application.gate)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            asking = [asyncio.create_task(ask(client, is_over)) for _ in range(8)]
            await swap()
            is_over.set()
            await asyncio.gather(*asking)

    asyncio.run(work())
    application.batcher.close()
    assert {answer.status_code for answer in answers} == {200}
    told = [answer.json() for answer in answers]
    assert {answer["model"]["version"] for answer in told} == set(expected)
    for answer in told:
        np.testing.assert_allclose(answer["q_values"], expected[answer["model"]["version"]], rtol=1e-4, atol=1e-5)


def test_look_that_hangs_does_not_hold_the_end_up() -> None:
    """As it may where another program holds the registry."""
    has_begun, may_go_on, has_ended = threading.Event(), threading.Event(), threading.Event()

    class Hanging:
        def wanted(self) -> Candidate:
            has_begun.set()
            may_go_on.wait(20)
            has_ended.set()
            raise ModelError("nothing")

    async def serve() -> None:
        watch = asyncio.create_task(ModelSlot(Hanging(), ServerMetrics(lambda: 0)).watch(1))
        await asyncio.to_thread(has_begun.wait, 20)
        watch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watch

    asyncio.run(serve())
    assert not has_ended.is_set()
    may_go_on.set()
    assert has_ended.wait(20)
