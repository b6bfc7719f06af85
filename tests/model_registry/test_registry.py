"""What every registry promises, whichever store it keeps its models in."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from MLOps.errors import DataError, DigestError, RegistryError
from MLOps.inference.model_files import model_digest
from MLOps.settings.promotion import PromotionSettings
from model_registry.open_registry import open_registry
from model_registry.registry import ModelRegistry
from model_registry.verdict import Verdict

ModelMaker = Callable[[float], Path]
SettingsMaker = Callable[[str], PromotionSettings]
NAME = "stock_trading"


def test_same_folder_twice_is_the_same_version(registry: ModelRegistry, make_model: ModelMaker) -> None:
    first = registry.register(make_model(0.1), NAME, {"agent": "ppo"})
    again = registry.register(make_model(0.1), NAME, {"agent": "other"})
    other = registry.register(make_model(0.2), NAME, {})
    assert (first.version, again, other.version) == (1, first, 2)
    assert first.tags == {"agent": "ppo"}
    assert first.digest == model_digest(make_model(0.1))
    assert registry.versions(NAME) == (first, other)


def test_same_folder_under_another_name_is_another_model(registry: ModelRegistry, make_model: ModelMaker) -> None:
    registry.register(make_model(0.1), NAME, {})
    assert registry.register(make_model(0.1), "crypto", {}).version == 1
    assert len(registry.versions(NAME)) == 1


def test_empty_registry_has_nothing(registry: ModelRegistry) -> None:
    assert registry.versions(NAME) == ()
    assert registry.aliases(NAME) == {}
    assert registry.by_alias(NAME, "champion") is None
    with pytest.raises(RegistryError, match="holds no version 7 of stock_trading"):
        registry.by_version(NAME, 7)
    with pytest.raises(RegistryError, match="holds no version 7"):
        registry.set_alias(NAME, "champion", 7)


def test_alias_moves(registry: ModelRegistry, make_model: ModelMaker) -> None:
    first, second = (registry.register(make_model(bias), NAME, {}) for bias in (0.1, 0.2))
    registry.set_alias(NAME, "challenger", first.version)
    registry.set_alias(NAME, "challenger", second.version)
    registry.set_alias(NAME, "champion", first.version)
    assert registry.by_alias(NAME, "challenger") == second
    assert registry.aliases(NAME) == {"challenger": 2, "champion": 1}


def test_fetched_files_are_the_registered_ones(registry: ModelRegistry, make_model: ModelMaker) -> None:
    version = registry.register(make_model(0.1), NAME, {})
    for _ in range(2):
        assert model_digest(registry.fetch(version)) == version.digest


@pytest.mark.parametrize("file", ["model.json", "policy.safetensors"])
@pytest.mark.parametrize("harm", ["altered", "removed"])
def test_altered_file_is_refused(
    registry: ModelRegistry, make_model: ModelMaker, tracked_workspace: Path, file: str, harm: str
) -> None:
    version = registry.register(make_model(0.1), NAME, {})
    registry.fetch(version)
    kept = [path for path in tracked_workspace.rglob(file) if "cache" not in path.parts]
    for path in kept:
        if harm == "altered":
            path.write_bytes(path.read_bytes().replace(b'"seed": 1', b'"seed": 2') + b" ")
        else:
            path.unlink()
    assert kept
    with pytest.raises(DataError, match=r"has digest|does not exist"):
        registry.fetch(version)


def test_folder_without_a_model_is_refused(registry: ModelRegistry, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"model\.json does not exist"):
        registry.register(tmp_path, NAME, {})
    assert registry.versions(NAME) == ()


def test_export_rides_along(registry: ModelRegistry, make_model: ModelMaker, tracked_workspace: Path) -> None:
    source = make_model(0.1)
    registry.register(source, NAME, {})
    assert [path.read_bytes() for path in tracked_workspace.rglob("model.zip")] == [b"a library's own format"]


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".", "..", "a b", "a'b", "x" * 101, "name\n"])
def test_names_cannot_lead_out_of_the_store(registry: ModelRegistry, make_model: ModelMaker, name: str) -> None:
    folder = make_model(0.1)
    version = registry.register(folder, NAME, {})
    for attempt in (
        lambda: registry.register(folder, name, {}),
        lambda: registry.versions(name),
        lambda: registry.aliases(name),
        lambda: registry.by_version(name, 1),
        lambda: registry.by_alias(name, "champion"),
        lambda: registry.by_alias(NAME, name),
        lambda: registry.set_alias(NAME, name, version.version),
    ):
        with pytest.raises(RegistryError, match="letters, digits, _ and -"):
            attempt()


@pytest.mark.parametrize("alias", ["latest", "Latest", "v1"])
def test_aliases_that_mlflow_reads_itself_are_refused(
    registry: ModelRegistry, make_model: ModelMaker, alias: str
) -> None:
    registry.register(make_model(0.1), NAME, {})
    with pytest.raises(RegistryError, match="a role such as challenger"):
        registry.set_alias(NAME, alias, 1)


def test_verdicts_are_kept_with_their_version(
    registry: ModelRegistry, make_model: ModelMaker, make_verdict: Callable[..., Verdict]
) -> None:
    first, second = (registry.register(make_model(bias), NAME, {}) for bias in (0.1, 0.2))
    rejected = make_verdict(first.digest, second.digest, passed=False, key="a")
    passed = make_verdict(first.digest, second.digest, passed=True, key="b")
    for verdict in (passed, rejected, passed):
        registry.store_verdict(first, verdict)
    assert registry.verdicts(first) == (rejected, passed)
    assert registry.verdicts(second) == ()
    assert registry.by_version(NAME, 1) == first


def test_verdict_on_another_model_is_refused(
    registry: ModelRegistry, make_model: ModelMaker, make_verdict: Callable[..., Verdict]
) -> None:
    first, second = (registry.register(make_model(bias), NAME, {}) for bias in (0.1, 0.2))
    with pytest.raises(RegistryError, match="judges the model"):
        registry.store_verdict(first, make_verdict(second.digest, None, passed=True))
    assert registry.verdicts(first) == ()


def test_removed_version_is_gone_and_its_number_is_not_given_again(
    registry: ModelRegistry, make_model: ModelMaker
) -> None:
    first, second = (registry.register(make_model(bias), NAME, {}) for bias in (0.1, 0.2))
    registry.remove(second)
    assert registry.versions(NAME) == (first,)
    with pytest.raises(RegistryError, match="holds no version 2"):
        registry.by_version(NAME, 2)
    with pytest.raises(RegistryError, match="holds no version 2"):
        registry.fetch(second)
    assert registry.register(make_model(0.2), NAME, {}).version == 3


def test_version_with_an_alias_or_a_passing_verdict_is_not_removed(
    registry: ModelRegistry, make_model: ModelMaker, make_verdict: Callable[..., Verdict]
) -> None:
    first, second = (registry.register(make_model(bias), NAME, {}) for bias in (0.1, 0.2))
    registry.set_alias(NAME, "challenger", first.version)
    registry.store_verdict(second, make_verdict(second.digest, first.digest, passed=True))
    with pytest.raises(RegistryError, match="is challenger"):
        registry.remove(first)
    with pytest.raises(RegistryError, match="has a passing verdict"):
        registry.remove(second)
    assert registry.versions(NAME) == (first, second)


@pytest.mark.parametrize("kind", ["filesystem", "mlflow"])
def test_registry_opened_again_holds_the_same(
    kind: str, make_model: ModelMaker, registry_settings: SettingsMaker
) -> None:
    version = open_registry(registry_settings(kind)).register(make_model(0.1), NAME, {"agent": "ppo"})
    assert open_registry(registry_settings(kind)).versions(NAME) == (version,)


_REGISTER = """
import sys
from pathlib import Path
from MLOps.settings.compose import compose_settings
from MLOps.settings.promotion import PromotionSettings
from model_registry.open_registry import open_registry

workspace, kind, folders = sys.argv[1], sys.argv[2], sys.argv[3:]
settings = compose_settings(
    PromotionSettings, "promote_to_paper", [f"paths.workspace={workspace}", f"registry.kind={kind}"]
)
registry = open_registry(settings)
print("ready", flush=True)
sys.stdin.readline()
for folder in folders:
    print(registry.register(Path(folder), "stock_trading", {}).version)
"""


@pytest.mark.parametrize("kind", ["filesystem", "mlflow"])
def test_two_processes_register_at_once(
    kind: str, make_model: ModelMaker, tracked_workspace: Path, registry_settings: SettingsMaker
) -> None:
    folders = [make_model(bias) for bias in (0.1, 0.2, 0.3)]
    command = [sys.executable, "-c", _REGISTER, str(tracked_workspace), kind, *map(str, folders)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate()[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert said[0] == said[1]
    registry = open_registry(registry_settings(kind))
    versions = registry.versions(NAME)
    assert sorted(version.digest for version in versions) == sorted(model_digest(folder) for folder in folders)
    assert [str(version.version) for version in versions] == sorted(said[0], key=int)
    for version in versions:
        registry.fetch(version)


def test_digest_error_names_both_digests(
    registry: ModelRegistry, make_model: ModelMaker, tracked_workspace: Path
) -> None:
    version = registry.register(make_model(0.1), NAME, {})
    for path in tracked_workspace.rglob("model.json"):
        path.write_text(path.read_text().replace("AAA", "AAB"))
    with pytest.raises(DigestError, match=version.digest[:16]):
        registry.fetch(version)
