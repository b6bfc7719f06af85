"""What the server answers: the models behind its OpenAPI."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Pair = Annotated[list[float], Field(min_length=2, max_length=2)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Refusal(_Answer):
    """Why a request was not answered."""

    reason: str = Field(description="What is wrong, in one line.")
    field: str | None = Field(description='Where it is wrong: "observations[0][3]"; null if that is no one place.')


class ModelName(_Answer):
    """The model that computed an answer."""

    name: str = Field(description="Registered name, or the folder's.")
    version: int | None = Field(description="Registered version; null for a folder.")
    digest: str = Field(description="Sha256 of the model's files.")


class Prediction(_Answer):
    """A decision for each observation, all by one model."""

    actions: list[Literal[0, 1]] = Field(min_length=1, description="0: hold, 1: buy; equal values hold.")
    q_values: list[Pair] = Field(
        min_length=1, description="Value of holding and of buying; 0 and 1 by definition where the model is buy_first."
    )
    model: ModelName = Field(description="The model.")


class ModelInfo(ModelName):
    """The model that is served."""

    alias: str | None = Field(description="Registry alias that it was found by; null for a folder.")
    kind: str = Field(description="rainbow_timing, or buy_first: the baseline, which buys at once.")
    observation_size: int | None = Field(description="Numbers of an observation; null where any number is taken.")
    window_size: int | None = Field(description="Prices of an observation.")
    symbol: str | None = Field(description="The coin.")
    frequency: str | None = Field(description="Time between two decisions.")
    cycle_steps: int | None = Field(description="Decisions of a cycle; at the last one the purchase is forced.")
    trained_at: datetime | None = Field(description="When it was registered; null for a folder.")


class Links(_Answer):
    """Where to go from here."""

    health: str = "/health"
    ready: str = "/ready"
    model: str = "/model/info"
    predict: str = "/predict"
    metrics: str = "/metrics"
    docs: str = "/docs"


class Welcome(_Answer):
    """What this server is."""

    name: str = Field(description="Name of the server.")
    version: str = Field(description="Its release.")
    links: Links = Field(description="Its pages.")


class Health(_Answer):
    """That the process answers."""

    status: Literal["alive"] = Field(description="Always the same.")


class Readiness(_Answer):
    """That a model is served."""

    status: Literal["ready"] = Field(description="Always the same.")
