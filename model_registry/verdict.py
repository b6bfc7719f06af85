"""The verdict on a model: every gate with its figure and threshold, bound to the model and to its rival."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from model_registry.family import FAMILIES, STOCK_TRADING, baseline_digest

Outcome = Literal["passed", "rejected", "already_champion"]


class GateResult(BaseModel):
    """What one gate found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: str = Field(description="Name of the gate.")
    figure: float | str | None = Field(description="What was measured; null where nothing could be.")
    threshold: float | str = Field(description="What the figure is held against.")
    passed: bool = Field(description="Whether the gate lets the model through; undecided does not.")
    reason: str = Field(description="One clause in plain words.")


class Verdict(BaseModel):
    """A decision about one model, made against one champion.

    It is worth something only for the model of that digest; a copy stored with another model is void.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(pattern=r"^[A-Za-z0-9_-]+$", description="Identity of settings and evidence that led to it.")
    family: str = Field(
        default=STOCK_TRADING.name, description="Family of models it speaks for; the first verdicts knew only this one."
    )
    basis: Literal["seeding", "gates"] = Field(description="Whether the gates of a promotion or the seeding made it.")
    as_of: date | None = Field(description="Last date that was looked at; empty for a seeding and undated sentences.")
    model_digest: str = Field(pattern=r"^[0-9a-f]{64}$", description="Digest of the judged model.")
    champion_digest: str | None = Field(description="Digest of the champion it was compared to; empty for a seeding.")
    outcome: Outcome = Field(description="What follows from the gates.")
    gates: tuple[GateResult, ...] = Field(description="Every gate, passed or not; none where nothing was to decide.")

    @model_validator(mode="after")
    def _outcome_follows(self) -> "Verdict":
        if self.outcome != outcome_of(self.gates):
            raise ValueError(f"outcome={self.outcome}, but the gates say {outcome_of(self.gates)}")
        return self

    @property
    def has_passed(self) -> bool:
        """Whether the model may be champion of the family: by all of its gates, or as the baseline that is seeded."""
        family = FAMILIES.get(self.family)
        if family is None or self.outcome != "passed":
            return False
        if self.basis == "seeding":
            return self.model_digest == baseline_digest(family)
        return tuple(result.gate for result in self.gates) == family.gates

    @property
    def reasons(self) -> tuple[str, ...]:
        """One clause for each gate that the model did not pass."""
        return tuple(result.reason for result in self.gates if not result.passed)


def outcome_of(gates: tuple[GateResult, ...]) -> Outcome:
    """All gates must pass; without gates there was nothing to decide."""
    if not gates:
        return "already_champion"
    return "passed" if all(result.passed for result in gates) else "rejected"
