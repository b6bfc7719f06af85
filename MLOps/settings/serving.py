"""Settings of the inference server of the buy-timing models."""

from pathlib import Path

from pydantic import Field

from MLOps.settings.crypto_source import Ticker
from MLOps.settings.stage_settings import Settings, StageSettings, machine_field


class BatchSettings(Settings):
    """How requests that wait together are computed together."""

    max_rows: int = Field(ge=1, le=65_536, description="Most observations of one batch; a larger request goes alone.")
    gather_ms: float = Field(
        ge=0,
        le=100,
        description="How long two or more waiting requests wait for others; one that waits alone never does.",
    )
    inline_rows: int = Field(
        ge=0,
        le=65_536,
        description="A larger batch is computed in a thread, so that others go on meanwhile.",
    )


class LimitSettings(Settings):
    """What a request may ask, and how much may wait."""

    max_head_kib: int = Field(
        ge=1, le=1024, description="Longest head (request line and headers) of a request, in KiB; beyond it 431."
    )
    head_seconds: float = Field(
        gt=0, le=300, description="Time for a head, from the connection's beginning or its own; after it 408."
    )
    max_body_kib: int = Field(ge=1, le=65_536, description="Longest body of a request, in KiB; beyond it 413.")
    max_rows: int = Field(ge=1, le=65_536, description="Most observations of one request; beyond it 422.")
    timeout_seconds: float = Field(
        gt=0, le=300, description="Time for a request, its body included; after it 408 or 504."
    )
    unread_seconds: float = Field(
        ge=1, le=300, description="How long a client may take to read an answer; after it the connection ends."
    )
    max_waiting_rows: int = Field(ge=1, le=1_000_000, description="Most observations that wait; beyond it 503.")
    retry_after_seconds: int = Field(ge=1, le=3600, description="When to come again, told with 503.")


class ServerSettings(Settings):
    """Where the server listens, whom it answers and when it looks for a new model."""

    host: str = Field(min_length=1, description="Address to listen on; the port is ports.predictor.")
    requires_api_key: bool = Field(
        description="Refuse to start without an API key on this machine's own addresses too; on others always so."
    )
    threads: int = Field(ge=1, le=64, description="Threads of one ONNX Runtime call.")
    poll_seconds: float = Field(gt=0, le=3600, description="How often the registry is asked who is champion.")
    keep_alive_seconds: int = Field(ge=1, le=3600, description="How long an idle connection is kept.")
    drain_linger_seconds: float = Field(
        ge=0,
        le=60,
        description="After a SIGTERM: how long new connections are still served; then how long those that are there, "
        "kept ones among them, may still send a request.",
    )
    drain_seconds: int = Field(ge=1, le=600, description="How long requests may take to end after a SIGTERM.")
    batch: BatchSettings = Field(description="Micro-batching.")
    limits: LimitSettings = Field(description="Limits.")


class ServeCryptoModelSettings(StageSettings):
    """Settings of serve_crypto_model."""

    model_path: Path | None = machine_field(
        "Model folder or delivery folder, relative to the workspace; empty takes the registry's champion."
    )
    symbol: Ticker | None = machine_field("Coin that the model must be of; empty takes any. The baseline has none.")
    serving: ServerSettings = machine_field("The server.")
