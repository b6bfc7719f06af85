"""The one interface to registered models, whichever store keeps them.

A model is registered under a name and gets the next version; registered again, the same files get the
version that they have. Aliases (`challenger`, and the champion's, see family.py) name versions and can be
moved. Verdicts are stored with the version they judge.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from MLOps.errors import RegistryError
from model_registry.verdict import Verdict

CHALLENGER = "challenger"
_REGISTERED_AT = "registered_at"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_TAKEN_ALIAS = re.compile(r"latest|v\d+", re.IGNORECASE)  # MLflow reads these itself


@dataclass(frozen=True)
class ModelVersion:
    """A registered model.

    Attributes
    ----------
    name : str
        Name that its versions share.
    version : int
        Counts from 1; never given twice.
    digest : str
        Sha256 of the model's files, see MLOps/inference/model_files.py.
    run_id : str
        Tracked run that made it; empty where there is none.
    tags : mapping of str to str
        As given when it was first registered.
    """

    name: str
    version: int
    digest: str
    run_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def registered_at(self) -> datetime | None:
        """When it was first registered; None where that was not written down."""
        told = self.tags.get(_REGISTERED_AT)
        return datetime.fromisoformat(told) if told else None

    def __str__(self) -> str:
        return f"{self.name} version {self.version} ({self.digest[:12]})"


def time_tag() -> dict[str, str]:
    """The tag that tells when a version is registered: now."""
    return {_REGISTERED_AT: datetime.now(UTC).isoformat(timespec="seconds")}


class RegistryReader(Protocol):
    """Gives registered models. Every method refuses names that could lead out of the store."""

    def names(self) -> tuple[str, ...]:
        """Names that models are registered under, sorted; one that could lead out of the store is left out."""

    def by_alias(self, name: str, alias: str) -> ModelVersion | None:
        """The version that `alias` names, or None."""

    def by_version(self, name: str, version: int) -> ModelVersion:
        """A version by its number.

        Raises
        ------
        RegistryError
            If there is no such version.
        """

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        """All versions, the oldest first; none for an unknown name."""

    def verdicts(self, version: ModelVersion) -> tuple[Verdict, ...]:
        """All verdicts on a version, the oldest evidence first."""

    def fetch(self, version: ModelVersion) -> Path:
        """A local folder with the model's files.

        Raises
        ------
        DigestError
            If the stored files are not those that were registered.
        """


class ModelRegistry(RegistryReader, Protocol):
    """Keeps model folders by name and version."""

    def register(self, folder: Path, name: str, tags: Mapping[str, str], run_id: str = "") -> ModelVersion:
        """Keep a copy of a model folder; the same digest under the same name keeps its first version.

        Raises
        ------
        DataError
            If the folder holds no model.
        """

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Let `alias` name `version`, in one step.

        Raises
        ------
        RegistryError
            If there is no such version.
        """

    def aliases(self, name: str) -> dict[str, int]:
        """Version that each alias names."""

    def store_verdict(self, version: ModelVersion, verdict: Verdict) -> None:
        """Keep a verdict with its version; stored again under its key, it replaces itself.

        Raises
        ------
        RegistryError
            If the verdict judges another model.
        """

    def remove(self, version: ModelVersion) -> None:
        """Forget a version for good; its number is not given again.

        Raises
        ------
        RegistryError
            If an alias names it or it has a passing verdict, for then it may be needed again.
        """


def check_name(name: str) -> str:
    """`name` itself if it is one plain word, which cannot lead out of a store.

    Raises
    ------
    RegistryError
        For anything else.
    """
    if not is_name(name):
        raise RegistryError(f"model or alias name {name!r}", "letters, digits, _ and -", "registry.model_name")
    return name


def is_name(name: str) -> bool:
    """Whether `name` is one plain word, as `check_name` demands."""
    return _NAME.fullmatch(name) is not None


def check_alias(alias: str) -> str:
    """`alias` itself if it is a plain word that no store reads otherwise; RegistryError if not."""
    if _TAKEN_ALIAS.fullmatch(check_name(alias)):
        raise RegistryError(f"alias {alias!r}", f"a role such as {CHALLENGER}")
    return alias


def check_binding(version: ModelVersion, verdict: Verdict) -> None:
    """Raise RegistryError unless the verdict judges this version's files."""
    if verdict.model_digest != version.digest:
        raise RegistryError(f"the verdict {verdict.key} judges the model {verdict.model_digest[:12]}", str(version))


def check_removable(version: ModelVersion, aliases: Mapping[str, int], verdicts: tuple[Verdict, ...]) -> None:
    """Raise RegistryError if an alias names the version or it has a passing verdict."""
    names = [alias for alias, number in aliases.items() if number == version.version]
    if names:
        raise RegistryError(f"{version} is {', '.join(names)}", "a version that no alias names")
    if any(verdict.has_passed for verdict in verdicts):
        raise RegistryError(f"{version} has a passing verdict", "a version that was never promoted")


def unknown_version(name: str, version: int) -> RegistryError:
    """The error for a version that the registry does not hold."""
    return RegistryError(f"the registry holds no version {version} of {name}", "a registered version", "model_version")
