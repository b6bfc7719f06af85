"""What is told of a champion: its right, its age, and that there is one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from MLOps.settings.promotion import PromotionSettings
from model_registry.champion import ensure_champion
from model_registry.champion_figures import champion_figures
from model_registry.family import STOCK_TRADING
from model_registry.open_registry import find_registry, open_registry
from model_registry.registry import ModelRegistry

_NAME = "stock_trading"
_VERSION, _RIGHT, _SINCE = (
    f"stock_trading.champion_{figure}" for figure in ("version", "has_verdict", "since_timestamp_seconds")
)


def test_nothing_registered_is_no_champion(registry: ModelRegistry) -> None:
    assert champion_figures(None, _NAME, STOCK_TRADING) == {_VERSION: 0, _RIGHT: 0}
    assert champion_figures(registry, _NAME, STOCK_TRADING) == {_VERSION: 0, _RIGHT: 0}
    assert registry.versions(_NAME) == ()


def test_baseline_is_champion_by_right_since_it_was_registered(registry: ModelRegistry) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)  # the tag tells whole seconds
    ensure_champion(registry, _NAME, STOCK_TRADING)
    figures = champion_figures(registry, _NAME, STOCK_TRADING)
    assert (figures[_VERSION], figures[_RIGHT]) == (1, 1)
    assert before.timestamp() <= figures[_SINCE] <= datetime.now(UTC).timestamp()


def test_alias_that_was_moved_by_hand_has_no_right(
    registry: ModelRegistry, make_model: Callable[[float], Path]
) -> None:
    ensure_champion(registry, _NAME, STOCK_TRADING)
    moved = registry.register(make_model(1.0), _NAME, {})
    registry.set_alias(_NAME, STOCK_TRADING.champion_alias, moved.version)
    assert champion_figures(registry, _NAME, STOCK_TRADING) == {_VERSION: 2, _RIGHT: 0}


def test_store_is_read_without_mlflow_too(registry_settings: Callable[[str], PromotionSettings]) -> None:
    settings = registry_settings("mlflow")
    registry = open_registry(settings)
    ensure_champion(registry, _NAME, STOCK_TRADING)
    read = champion_figures(find_registry(settings), _NAME, STOCK_TRADING)
    assert read == champion_figures(registry, _NAME, STOCK_TRADING)
