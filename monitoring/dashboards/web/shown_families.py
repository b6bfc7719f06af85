"""Which families of models the pages show, under which of their names, and what these are called on the screen."""

from collections.abc import Mapping
from dataclasses import dataclass

from MLOps.settings.dashboard import DashboardSettings
from model_registry.champion import names_of
from model_registry.family import CRYPTO_TIMING, SENTIMENT, STOCK_TRADING, ModelFamily
from model_registry.open_registry import find_registry
from model_registry.registry import RegistryReader
from monitoring.dashboards.web.family_history import FamilyHistory, read_family

BUY_TIMING = "Buy-timing"


@dataclass(frozen=True)
class ShownFamily:
    """Models that a page shows together.

    Attributes
    ----------
    family : ModelFamily
    name : str
        Name that they are registered under.
    label : str
        For a person.
    coin : str
        The coin that they buy; empty where they buy none, or none was trained yet.
    """

    family: ModelFamily
    name: str
    label: str
    coin: str = ""


def shown_families(settings: DashboardSettings) -> list[ShownFamily]:
    """The families, buy-timing once for each name that its models are registered under.

    Raises
    ------
    ServiceUnavailableError
        If the registry is MLflow's, and its store cannot be reached.
    """
    return [
        stock_family(settings),
        ShownFamily(SENTIMENT, settings.sentiment_model_name, "Sentiment"),
        *timing_families(settings),
    ]


def stock_family(settings: DashboardSettings) -> ShownFamily:
    """The agents that trade stocks."""
    return ShownFamily(STOCK_TRADING, settings.registry.model_name, "Stock trading")


def timing_families(settings: DashboardSettings) -> list[ShownFamily]:
    """Buy-timing, as a rule one name a coin; under the family's own name where none is registered."""
    registry = find_registry(settings)
    if registry is None or not (names := names_of(registry, CRYPTO_TIMING)):
        return [ShownFamily(CRYPTO_TIMING, CRYPTO_TIMING.name, BUY_TIMING)]
    coins = {name: _coin(registry, name) for name in names}
    return [ShownFamily(CRYPTO_TIMING, name, _label(name, coins), coins[name]) for name in names]


def read_history(settings: DashboardSettings, shown: ShownFamily) -> FamilyHistory:
    """The history of a family, out of the registry that the settings name.

    Raises
    ------
    ServiceUnavailableError
        If the registry is MLflow's, and its store cannot be reached.
    """
    return read_family(find_registry(settings), shown.name, shown.family)


def _coin(registry: RegistryReader, name: str) -> str:
    """The coin of the models; several, with commas, where an earlier release let them share a name."""
    coins = {version.tags["symbol"]: None for version in registry.versions(name) if "symbol" in version.tags}
    return ", ".join(coins)


def _label(name: str, coins: Mapping[str, str]) -> str:
    """With the coin, and with the name too where another one has the same coin, or none is known."""
    coin = coins[name]
    if not coin or list(coins.values()).count(coin) > 1:
        return " ".join(part for part in (BUY_TIMING, coin, f"({name})") if part)
    return f"{BUY_TIMING} {coin}"
