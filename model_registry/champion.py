"""The champion of a family: named only with a passing verdict, replaced only by one, and present from the start."""

import tempfile
from pathlib import Path

from MLOps.errors import DataError, ModelError, RegistryError
from MLOps.inference.model_files import card_kind
from model_registry.family import ModelFamily
from model_registry.registry import ModelRegistry, ModelVersion, RegistryReader, time_tag
from model_registry.verdict import GateResult, Verdict


def champion_version(registry: RegistryReader, name: str, family: ModelFamily) -> ModelVersion:
    """The version that the alias of the family's champion rightly names.

    Raises
    ------
    RegistryError
        If there is no champion, or the alias names a version without a passing verdict of the family, or
        the baseline of another release than the installed one.
    DigestError
        If the registry's files are not those that were registered.
    """
    alias = family.champion_alias
    version = registry.by_alias(name, alias)
    if version is None:
        raise RegistryError(f"{name} has no {alias}", "a promoted version", f"run {family.promotion}")
    if _is_baseline_of_another_release(registry, version, family):
        raise RegistryError(
            f"{version} is the baseline {family.baseline_kind} of another release than the installed one",
            "the installed one, or a version that passed the gates",
            f"set the alias {alias} to one that passed (model_registry/README.md), or run {family.promotion}, "
            "which seeds the installed one where none ever passed",
        )
    if not passing_verdicts(registry, version, family):
        raise RegistryError(
            f"the alias {alias} was moved to {version}, which has no passing verdict",
            f"a version that the gates of {family.name} let through",
            "move the alias back to such a version (model_registry/README.md)",
        )
    return version


def passing_verdicts(
    registry: RegistryReader, version: ModelVersion, family: ModelFamily | None = None
) -> tuple[Verdict, ...]:
    """The passing verdicts on exactly this model that are stored with it: of one family, or of any."""
    return tuple(
        verdict
        for verdict in registry.verdicts(version)
        if verdict.has_passed
        and verdict.model_digest == version.digest
        and (family is None or verdict.family == family.name)
    )


def find_champion(registry: RegistryReader, name: str, family: ModelFamily) -> ModelVersion | None:
    """The champion; None where none but the baseline of another release has ever been. Registers nothing.

    Raises
    ------
    RegistryError
        If the alias names a version without a passing verdict, or is gone although a version passed the gates.
    """
    present = registry.by_alias(name, family.champion_alias)
    if present is None:
        _require_none_promoted(registry, name, family)
        return None
    if _is_baseline_of_another_release(registry, present, family) and not _promoted(registry, name, family):
        return None
    return champion_version(registry, name, family)


def ensure_champion(registry: ModelRegistry, name: str, family: ModelFamily) -> ModelVersion:
    """The champion; where `find_champion` finds none, the installed baseline of the family becomes it.

    Raises
    ------
    RegistryError
        As `find_champion` does, or if the name is that of another family's models.
    """
    if present := find_champion(registry, name, family):
        return present
    for version in registry.versions(name):
        require_kind(registry, version, family)
    with tempfile.TemporaryDirectory() as folder:
        family.write_baseline(Path(folder))
        version = registry.register(Path(folder), name, {"kind": family.baseline_kind, **time_tag()})
    registry.store_verdict(version, _seeding(version, family))
    registry.set_alias(name, family.champion_alias, version.version)
    return champion_version(registry, name, family)


def promote(registry: ModelRegistry, version: ModelVersion, verdict: Verdict, family: ModelFamily) -> None:
    """Let the alias of the family's champion name `version`, by right of a verdict that is stored with it.

    Raises
    ------
    RegistryError
        If the verdict did not pass, speaks for another family, is not stored with the version, or was
        reached against another champion than the present one; or if the model is of another family.
    DigestError
        If the registry's files are not those that were registered.
    """
    if verdict not in passing_verdicts(registry, version, family):
        raise RegistryError(
            f"{version} has no stored passing verdict {verdict.key}", f"one by the gates of {family.name}"
        )
    require_kind(registry, version, family)
    present = champion_version(registry, version.name, family)
    if present.digest == version.digest:
        return
    if present.digest != verdict.champion_digest:
        raise RegistryError(
            f"{version} was judged against another champion than {present}",
            "a verdict against the present champion",
            f"run {family.promotion} again",
        )
    registry.set_alias(version.name, family.champion_alias, version.version)


def require_kind(registry: RegistryReader, version: ModelVersion, family: ModelFamily) -> None:
    """Raise RegistryError unless the version's card is of a kind of the family, and DigestError if it was altered."""
    kind = card_kind(registry.fetch(version))
    if kind not in family.kinds:
        raise RegistryError(
            f"{version} is of kind {kind}",
            f"the kinds of {family.name}: {', '.join(sorted(family.kinds))}",
            "registry.model_name",
        )


def require_name(registry: RegistryReader, name: str, family: ModelFamily) -> None:
    """Raise RegistryError if models of another family are registered under `name`; its first model tells.

    To be asked before a model is registered: the alias `challenger` is the same for every family.
    """
    for version in registry.versions(name)[:1]:
        require_kind(registry, version, family)


def names_of(registry: RegistryReader, family: ModelFamily) -> tuple[str, ...]:
    """Names that models of the family are registered under, sorted: by their verdicts, or by the card of the first."""
    return tuple(name for name in registry.names() if _is_of(registry, registry.versions(name), family))


def _is_of(registry: RegistryReader, versions: tuple[ModelVersion, ...], family: ModelFamily) -> bool:
    """Whether versions of one name are of the family; not where none was judged and the first cannot be read."""
    told = {verdict.family for version in versions for verdict in registry.verdicts(version)}
    if told or not versions:
        return family.name in told
    try:
        return card_kind(registry.fetch(versions[0])) in family.kinds
    except (DataError, ModelError):  # a DigestError is a DataError
        return False


def _require_none_promoted(registry: RegistryReader, name: str, family: ModelFamily) -> None:
    """Raise RegistryError if a version passed the gates: then an alias was lost, and nobody may take its place."""
    if promoted := _promoted(registry, name, family):
        raise RegistryError(
            f"{name} has no {family.champion_alias}, although version {', '.join(promoted)} passed the gates",
            "an alias that names the champion",
            f"set the alias {family.champion_alias} to a version that may be champion (model_registry/README.md)",
        )


def _promoted(registry: RegistryReader, name: str, family: ModelFamily) -> list[str]:
    """Numbers of the versions that passed the gates."""
    return [
        str(version.version)
        for version in registry.versions(name)
        if any(verdict.basis == "gates" for verdict in passing_verdicts(registry, version, family))
    ]


def _is_baseline_of_another_release(registry: RegistryReader, version: ModelVersion, family: ModelFamily) -> bool:
    """Whether it was seeded once, and what is installed now (a library, this platform) writes another baseline."""
    if passing_verdicts(registry, version, family):
        return False
    seeding = _seeding(version, family)
    return seeding in registry.verdicts(version) and card_kind(registry.fetch(version)) == family.baseline_kind


def _seeding(version: ModelVersion, family: ModelFamily) -> Verdict:
    gate = GateResult(
        gate="is_baseline",
        figure=family.baseline_kind,
        threshold=family.baseline_kind,
        passed=True,
        reason=f"the baseline {family.baseline_kind} is the first champion, by definition",
    )
    return Verdict(
        key=f"seeding-{version.digest[:16]}",
        family=family.name,
        basis="seeding",
        as_of=None,
        model_digest=version.digest,
        champion_digest=None,
        outcome="passed",
        gates=(gate,),
    )
