"""The champion: loaded only with a passing verdict, replaced only by one, and present from the start."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from MLOps.errors import RegistryError
from MLOps.inference.policy import Policy, load_policy, write_equal_weight
from model_registry.registry import CHAMPION, ModelRegistry, ModelVersion
from model_registry.verdict import GateResult, Verdict


@dataclass(frozen=True)
class LoadedModel:
    """A registered model, ready to decide orders."""

    version: ModelVersion
    folder: Path
    policy: Policy


def load_model(registry: ModelRegistry, version: ModelVersion) -> LoadedModel:
    """Fetch a version and load its policy, its digest checked before anything is parsed.

    Raises
    ------
    DigestError
        If the stored files are not those that were registered.
    ModelError
        If the card or the weights are malformed.
    """
    folder = registry.fetch(version)
    return LoadedModel(version, folder, load_policy(folder, version.digest))


def load_champion(registry: ModelRegistry, name: str) -> LoadedModel:
    """Load the version that the alias `champion` names.

    Raises
    ------
    RegistryError
        If there is no champion, or the alias names a version without a passing verdict.
    """
    return load_model(registry, champion_version(registry, name))


def champion_version(registry: ModelRegistry, name: str) -> ModelVersion:
    """The version that the alias `champion` rightly names; raises as `load_champion` does."""
    version = registry.by_alias(name, CHAMPION)
    if version is None:
        raise RegistryError(f"{name} has no champion", "a promoted version", "run run_backtest, then promote_to_paper")
    if not has_passed(registry, version):
        raise RegistryError(
            f"the alias {CHAMPION} was moved to {version}, which has no passing verdict",
            "a version that promote_to_paper let through",
            "move the alias back to such a version (model_registry/README.md)",
        )
    return version


def has_passed(registry: ModelRegistry, version: ModelVersion) -> bool:
    """Whether a passing verdict on exactly this model is stored with it."""
    return any(v.has_passed and v.model_digest == version.digest for v in registry.verdicts(version))


def ensure_champion(registry: ModelRegistry, name: str) -> ModelVersion:
    """The champion; where there has never been one, the equal-weight policy becomes it.

    Raises
    ------
    RegistryError
        If the alias names a version without a passing verdict, or is gone although a version passed the gates.
    """
    if registry.by_alias(name, CHAMPION) is None:
        _require_none_promoted(registry, name)
        with tempfile.TemporaryDirectory() as folder:
            write_equal_weight(Path(folder))
            version = registry.register(Path(folder), name, {"kind": "equal_weight"})
        registry.store_verdict(version, _seeding(version))
        registry.set_alias(name, CHAMPION, version.version)
    return champion_version(registry, name)


def promote(registry: ModelRegistry, version: ModelVersion, verdict: Verdict) -> None:
    """Let the alias `champion` name `version`, by right of a verdict that is stored with it.

    Raises
    ------
    RegistryError
        If the verdict did not pass, is not stored with the version, or was reached against another
        champion than the present one.
    """
    if not verdict.has_passed or verdict not in registry.verdicts(version):
        raise RegistryError(f"{version} has no stored passing verdict {verdict.key}", "one of promote_to_paper")
    present = champion_version(registry, version.name)
    if present.digest == version.digest:
        return
    if present.digest != verdict.champion_digest:
        raise RegistryError(
            f"{version} was judged against another champion than {present}",
            "a verdict against the present champion",
            "run run_backtest and promote_to_paper again",
        )
    registry.set_alias(version.name, CHAMPION, version.version)


def _require_none_promoted(registry: ModelRegistry, name: str) -> None:
    """Raise RegistryError if a version passed the gates: then an alias was lost, and nobody may take its place."""
    promoted = [
        str(version.version)
        for version in registry.versions(name)
        if any(verdict.has_passed and verdict.basis == "gates" for verdict in registry.verdicts(version))
    ]
    if promoted:
        raise RegistryError(
            f"{name} has no champion, although version {', '.join(promoted)} passed the gates",
            "an alias that names the champion",
            f"set the alias {CHAMPION} to a version that may be champion (model_registry/README.md)",
        )


def _seeding(version: ModelVersion) -> Verdict:
    gate = GateResult(
        gate="is_baseline",
        figure="equal_weight",
        threshold="equal_weight",
        passed=True,
        reason="the equal-weight policy is the first champion, by definition",
    )
    return Verdict(
        key=f"seeding-{version.digest[:16]}",
        basis="seeding",
        as_of=None,
        model_digest=version.digest,
        champion_digest=None,
        outcome="passed",
        gates=(gate,),
    )
