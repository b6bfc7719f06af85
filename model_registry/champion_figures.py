"""What is to be watched of a family's champion: that there is one, by what right, and since when."""

from MLOps.errors import RegistryError
from model_registry.champion import find_champion
from model_registry.family import ModelFamily
from model_registry.registry import RegistryReader


def champion_figures(registry: RegistryReader | None, name: str, family: ModelFamily) -> dict[str, float]:
    """Figures of the champion, each with the name that its family's models are registered under in front.

    Parameters
    ----------
    registry : RegistryReader, optional
        None where nothing was ever registered.
    name : str
        Name that the family's models are registered under; a family may have several, each with its champion.
    family : ModelFamily
        Whose champion.

    Returns
    -------
    dict of str to float
        `champion_version`, 0 if there is none; `champion_has_verdict`, 1 if a passing verdict or the definition of
        the family made it champion, else 0; `champion_since_timestamp_seconds`, when the version was registered, if
        that is known.
    """
    version, has_verdict = None, False
    if registry is not None:
        try:
            version = find_champion(registry, name, family)
            has_verdict = version is not None
        except RegistryError:  # the alias was moved by hand, or is gone
            version = registry.by_alias(name, family.champion_alias)
    figures: dict[str, float] = {
        "champion_version": version.version if version else 0,
        "champion_has_verdict": has_verdict,
    }
    if version and version.registered_at:
        figures["champion_since_timestamp_seconds"] = version.registered_at.timestamp()
    return {f"{name}.{figure}": float(value) for figure, value in figures.items()}
