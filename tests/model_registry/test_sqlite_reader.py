"""MLflow's SQLite store, read without MLflow: the same as MLflow tells, and nothing of what is not known."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from MLOps.errors import DigestError, RegistryError, ServiceUnavailableError
from MLOps.inference.model_files import model_digest
from MLOps.settings.promotion import PromotionSettings
from model_registry.champion import ensure_champion, find_champion
from model_registry.family import STOCK_TRADING
from model_registry.open_registry import find_registry, open_registry
from model_registry.registry import ModelRegistry, RegistryReader
from model_registry.sqlite_reader import SqliteReader
from model_registry.verdict import Verdict

ModelMaker = Callable[[float], Path]
NAME = "stock_trading"


@pytest.fixture
def settings(registry_settings: Callable[[str], PromotionSettings]) -> PromotionSettings:
    return registry_settings("mlflow")


@pytest.fixture
def registry(settings: PromotionSettings) -> ModelRegistry:
    """The registry through MLflow, empty."""
    return open_registry(settings)


@pytest.fixture
def reader(settings: PromotionSettings) -> RegistryReader:
    """The same one, read; so the installed MLflow makes the tables that are known."""
    found = find_registry(settings)
    assert isinstance(found, SqliteReader)
    return found


def change(workspace: Path, statement: str) -> None:
    with closing(sqlite3.connect(workspace / "mlruns.db")) as store, store:
        store.execute(statement)


def test_reads_what_mlflow_tells(
    registry: ModelRegistry, reader: RegistryReader, make_model: ModelMaker, make_verdict: Callable[..., Verdict]
) -> None:
    assert (reader.versions(NAME), reader.by_alias(NAME, "challenger")) == ((), None)
    first, second, removed = (registry.register(make_model(bias), NAME, {"agent": "ppo"}) for bias in (0.1, 0.2, 0.3))
    registry.register(make_model(0.1), "other", {})
    registry.set_alias(NAME, "challenger", second.version)
    for key, passed in [("b", True), ("a", False)]:
        registry.store_verdict(first, make_verdict(first.digest, second.digest, passed=passed, key=key))
    registry.remove(removed)
    assert reader.names() == registry.names() == ("other", NAME)
    assert reader.versions(NAME) == registry.versions(NAME) == (first, second)
    assert reader.by_alias(NAME, "challenger") == registry.by_alias(NAME, "challenger") == second
    assert reader.by_alias(NAME, "champion") is None
    assert reader.verdicts(first) == registry.verdicts(first) != ()
    assert model_digest(reader.fetch(second)) == second.digest
    for ask in (reader.fetch, reader.verdicts, lambda version: reader.by_version(version.name, version.version)):
        with pytest.raises(RegistryError, match="holds no version 3 of stock_trading"):
            ask(removed)


def test_finds_the_champion_that_mlflow_keeps(registry: ModelRegistry, reader: RegistryReader) -> None:
    assert find_champion(reader, NAME, STOCK_TRADING) is None
    champion = ensure_champion(registry, NAME, STOCK_TRADING)
    assert find_champion(reader, NAME, STOCK_TRADING) == champion


def test_altered_files_are_refused(
    registry: ModelRegistry, reader: RegistryReader, make_model: ModelMaker, tracked_workspace: Path
) -> None:
    version = registry.register(make_model(0.1), NAME, {})
    for path in (tracked_workspace / "mlartifacts").rglob("model.json"):
        path.write_text(path.read_text().replace("AAA", "AAB"))
    with pytest.raises(DigestError, match=version.digest[:16]):
        reader.fetch(version)


@pytest.mark.parametrize("name", ["../evil", "a'b", ""])
def test_names_cannot_lead_out_of_the_store(reader: RegistryReader, name: str) -> None:
    for attempt in (
        lambda: reader.versions(name),
        lambda: reader.by_version(name, 1),
        lambda: reader.by_alias(name, "champion"),
        lambda: reader.by_alias(NAME, name),
    ):
        with pytest.raises(RegistryError, match="letters, digits, _ and -"):
            attempt()


def test_files_that_lie_elsewhere_are_fetched_by_mlflow(
    registry: ModelRegistry, make_model: ModelMaker, tracked_workspace: Path
) -> None:
    version = registry.register(make_model(0.1), NAME, {})
    change(tracked_workspace, "UPDATE model_versions SET source = 's3://bucket/model'")
    asked: list[bool] = []

    def open_whole() -> RegistryReader:
        asked.append(True)
        change(tracked_workspace, "UPDATE model_versions SET source = storage_location")
        return registry

    fetched = SqliteReader(tracked_workspace / "mlruns.db", open_whole).fetch(version)
    assert (asked, model_digest(fetched)) == ([True], version.digest)


def test_tables_of_another_release_are_left_to_mlflow(settings: PromotionSettings, tracked_workspace: Path) -> None:
    change(tracked_workspace, "UPDATE alembic_version SET version_num = 'another'")
    reader = SqliteReader(tracked_workspace / "mlruns.db", lambda: open_registry(settings))
    assert not reader.can_read()
    with pytest.raises(ServiceUnavailableError, match="database schema"):
        find_registry(settings)
    change(tracked_workspace, "DROP TABLE alembic_version")
    assert not reader.can_read()


@pytest.mark.usefixtures("settings")
def test_locked_store_is_unavailable_and_not_of_another_release(tracked_workspace: Path) -> None:
    def open_whole() -> RegistryReader:
        raise AssertionError("MLflow is not asked: it would wait as well")

    reader = SqliteReader(tracked_workspace / "mlruns.db", open_whole, busy_seconds=0.01)
    with closing(sqlite3.connect(tracked_workspace / "mlruns.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        for ask in (reader.can_read, lambda: reader.by_alias(NAME, "champion")):
            with pytest.raises(ServiceUnavailableError, match=r"mlruns\.db is locked by another program for 0\.01 s"):
                ask()
    assert reader.can_read()


def test_where_there_is_no_store_there_is_no_registry(settings: PromotionSettings, tracked_workspace: Path) -> None:
    (tracked_workspace / "mlruns.db").unlink()
    assert find_registry(settings) is None
    assert list(tracked_workspace.iterdir()) == []
