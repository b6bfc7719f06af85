"""What follows from gates, whichever family they belong to: the verdict is kept, told, stored, and the alias moved."""

import logging
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple

from deployment.promotion.write_verdict import headline, verdict_text
from MLOps import failpoints
from MLOps.artifacts import Made, write_text
from MLOps.errors import RegistryError
from MLOps.stage import StageResult, Tracker, ValueFlag
from model_registry.champion import promote
from model_registry.champion_figures import champion_figures
from model_registry.family import ModelFamily
from model_registry.registry import ModelRegistry, ModelVersion
from model_registry.verdict import GateResult, Verdict, outcome_of

_LOG = logging.getLogger(__name__)
VERDICT_FILE, TEXT_FILE = "verdict.json", "verdict.md"
MODEL_FLAGS = (
    ValueFlag("model_alias", "model_alias", "registry alias of the model to judge (default: challenger)"),
    ValueFlag("model_version", "model_version", "registry version of the model to judge"),
)


class Contest(NamedTuple):
    """Who is judged beside whom.

    Attributes
    ----------
    model_digest, champion_digest : str
        Of the judged model, and of its rival.
    is_champion : bool
        Whether there is nothing to decide: the model is the champion already, and not by this very promotion.
    """

    model_digest: str
    champion_digest: str
    is_champion: bool = False

    @property
    def extra(self) -> dict[str, str]:
        """What the identity of the promotion's output holds of it."""
        told = {"model": self.model_digest, "champion": self.champion_digest}
        return told | ({"is_champion": "yes"} if self.is_champion else {})

    def verdict(self, key: str, family: ModelFamily, as_of: date | None, gates: tuple[GateResult, ...]) -> Verdict:
        """What follows from the gates."""
        return Verdict(
            key=key,
            family=family.name,
            basis="gates",
            as_of=as_of,
            model_digest=self.model_digest,
            champion_digest=self.champion_digest,
            outcome=outcome_of(gates),
            gates=gates,
        )


def model_to_judge(
    registry: ModelRegistry, name: str, alias: str, version: int | None, trained_by: str
) -> ModelVersion:
    """The version of that number, or else the one that the alias names.

    Raises
    ------
    RegistryError
        If there is none; `trained_by` is the stage that registers one.
    """
    if version is not None:
        return registry.by_version(name, version)
    found = registry.by_alias(name, alias)
    if found is None:
        raise RegistryError(f"{name} has no {alias}", "a registered model", f"run {trained_by} first")
    return found


def was_promoted_by(key: str, registry: ModelRegistry, champion: ModelVersion) -> bool:
    """Whether the promotion of this key made the champion: then it is a retry, and ends as the first try did."""
    return any(verdict.key == key and verdict.has_passed for verdict in registry.verdicts(champion))


def write_decision(
    folder: Path, verdict: Verdict, model: ModelVersion, champion: str, metrics: Mapping[str, float] | None = None
) -> Made:
    """Write the verdict as JSON and as text; `champion` is the rival, as people call it."""
    write_text(folder / VERDICT_FILE, verdict.model_dump_json(indent=2) + "\n")
    write_text(folder / TEXT_FILE, verdict_text(verdict, model, champion))
    figures = {gate.gate: gate.figure for gate in verdict.gates if isinstance(gate.figure, float)}
    counts = {"gates_passed": sum(gate.passed for gate in verdict.gates), "gates": len(verdict.gates)}
    passed = {f"gate_passed/{gate.gate}": float(gate.passed) for gate in verdict.gates}
    if verdict.gates:  # else there was nothing to decide
        passed["passed"] = float(verdict.has_passed)
    return Made(
        files={"verdict": VERDICT_FILE},  # the text tells version numbers, which differ between registries
        metrics={**figures, **(metrics or {}), **counts, **passed},
        details={
            "verdict": verdict.outcome,
            "reasons": "; ".join(verdict.reasons) or headline(verdict, model),
            "model_name": model.name,
            "model_version": model.version,
            "model_digest": model.digest,
            "champion_digest": verdict.champion_digest,
        },
    )


def carry_out(
    result: StageResult, registry: ModelRegistry, model: ModelVersion, family: ModelFamily, tracker: Tracker
) -> StageResult:
    """Tell the verdict, store it with the model, and only then, if it passed, move the champion's alias.

    The result gets the figures of the champion that there is then.
    """
    tracker.artifact(result.folder / TEXT_FILE)
    verdict = Verdict.model_validate_json((result.folder / VERDICT_FILE).read_bytes())
    _LOG.info("%s", headline(verdict, model))
    for reason in verdict.reasons:
        _LOG.info("  %s", reason)
    if verdict.gates:
        registry.store_verdict(model, verdict)
        failpoints.reach("after_verdict")
    if verdict.has_passed:
        promote(registry, model, verdict, family)
    champion = champion_figures(registry, model.name, family)
    return result.model_copy(update={"metrics": result.metrics | champion})
