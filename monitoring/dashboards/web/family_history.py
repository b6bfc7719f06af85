"""The models of a family as the registry keeps them: the champion, the versions, and the verdicts on them."""

from dataclasses import dataclass

from MLOps.errors import DataError, RegistryError
from model_registry.champion import find_champion, passing_verdicts
from model_registry.family import ModelFamily
from model_registry.registry import CHALLENGER, ModelVersion, RegistryReader
from model_registry.verdict import Verdict


@dataclass(frozen=True)
class RegisteredModel:
    """A version with what was decided about it.

    Attributes
    ----------
    version : ModelVersion
    verdicts : tuple of Verdict
        The oldest evidence first.
    may_be_champion : bool
        Whether a verdict of its family lets it.
    roles : tuple of str
        Aliases that name it.
    """

    version: ModelVersion
    verdicts: tuple[Verdict, ...]
    may_be_champion: bool
    roles: tuple[str, ...]

    @property
    def kind(self) -> str:
        """What was trained, for a person; of an agent that buys a coin, the coin."""
        tags = self.version.tags
        told = tags.get("kind") or tags.get("agent") or tags.get("base_model")
        if told is None and "symbol" in tags:
            return f"agent for {tags['symbol']}"
        return (told or "model").replace("_", " ")


@dataclass(frozen=True)
class FamilyHistory:
    """A family.

    Attributes
    ----------
    family : ModelFamily
    name : str
        Name that its models are registered under.
    champion : ModelVersion or None
        The rightful one.
    fault : str
        Why there is none although an alias or a promotion says so; empty else.
    models : tuple of RegisteredModel
        The newest first.
    """

    family: ModelFamily
    name: str
    champion: ModelVersion | None
    fault: str
    models: tuple[RegisteredModel, ...]

    @property
    def judged(self) -> tuple[tuple[RegisteredModel, Verdict], ...]:
        """Every verdict of the gates with its model, the newest model first."""
        return tuple(
            (model, verdict)
            for model in self.models
            for verdict in reversed(model.verdicts)
            if verdict.basis == "gates" and verdict.gates
        )


def read_family(registry: RegistryReader | None, name: str, family: ModelFamily) -> FamilyHistory:
    """What the registry tells of a family; nothing where no model was ever kept.

    Parameters
    ----------
    registry : RegistryReader, optional
        None where there is none yet.
    name : str
        Name that the family's models are registered under.
    """
    if registry is None:
        return FamilyHistory(family, name, None, "", ())
    champion, fault = None, ""
    try:
        champion = find_champion(registry, name, family)
    except (RegistryError, DataError) as error:  # moved by hand, lost, or altered
        fault = str(error)
    named = {role: registry.by_alias(name, role) for role in (family.champion_alias, CHALLENGER)}
    models = tuple(
        RegisteredModel(
            version=version,
            verdicts=registry.verdicts(version),
            may_be_champion=bool(passing_verdicts(registry, version, family)),
            roles=tuple(role for role, held in named.items() if held and held.version == version.version),
        )
        for version in reversed(registry.versions(name))
    )
    return FamilyHistory(family, name, champion, fault, models)
