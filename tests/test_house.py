"""The walls of the house: floors, names, places, comments."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from MLOps.settings.project import project_root

ROOT = project_root()
PACKAGES = ("MLOps", "experiment_tracking", "model_registry", "monitoring", "pipelines", "deployment")
PLAIN_FOLDERS = ("config", "hyperparameters", "dags", "notebooks", "tests")
MAX_LINES = 300


def _tracked(*patterns: str) -> list[Path]:
    """Files of the checkout that git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


MODULES = [path for package in PACKAGES for path in _tracked(f"{package}/**.py")]
SETTINGS_FILES = _tracked("config/**.yaml", "hyperparameters/**.yaml")


def test_floors_and_walls_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    told = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


@pytest.mark.parametrize("folder", PLAIN_FOLDERS)
def test_plain_folder_shadows_no_package(folder: str) -> None:
    assert [_relative(path) for path in (ROOT / folder).rglob("__init__.py")] == []


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES}), ids=_relative)
def test_package_face_holds_a_docstring_only(folder: Path) -> None:
    face = ast.parse((folder / "__init__.py").read_text())
    assert ast.get_docstring(face)
    assert len(face.body) == 1


def test_no_drawer_is_named_utils_common_or_helpers() -> None:
    stems = {"utils", "util", "common", "helpers", "helper", "misc"}
    assert [_relative(path) for path in _tracked("**.py") if path.stem in stems] == []


def test_no_module_hides_one_of_the_standard_library() -> None:
    """``python pipelines/x/y.py`` puts its own folder first on the path."""
    rooms = _tracked("pipelines/**.py", "deployment/**.py", "dags/*.py")
    assert [_relative(path) for path in rooms if path.stem in sys.stdlib_module_names] == []


def test_module_fits_its_one_idea() -> None:
    lengths = {_relative(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_ports_do_not_collide() -> None:
    ports = yaml.safe_load((ROOT / "config/common/global_vars.yaml").read_text())["ports"]
    assert len(ports) == 12
    assert len(set(ports.values())) == len(ports)


def _uncommented(path: Path) -> set[str]:
    """Keys that hold a value, without a comment on their line or on the line above.

    Sections may go without; a key that comes back in each item of a list is explained once.
    """
    lines = path.read_text().splitlines()
    bare, explained = set(), set()
    for name, row in _keys_with_values(yaml.compose(path.read_text()), ""):
        above = lines[row - 1].strip() if row else ""
        has_comment = " # " in lines[row] or above.startswith("# ")
        (explained if has_comment else bare).add(name)
    return bare - explained


def _keys_with_values(section: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, int]]:
    """Dotted names and rows, Hydra's defaults list left out."""
    for key, value in section.value:
        name = f"{prefix}{key.value}"
        if name == "defaults":
            continue
        items = value.value if isinstance(value, yaml.SequenceNode) else [value]
        sections = [item for item in items if isinstance(item, yaml.MappingNode) and item.value]
        for inner in sections:
            yield from _keys_with_values(inner, f"{name}.")
        if not sections:
            yield name, key.start_mark.line


@pytest.mark.parametrize("path", SETTINGS_FILES, ids=_relative)
def test_every_setting_has_its_comment(path: Path) -> None:
    assert _uncommented(path) == set()


def test_missing_comment_is_found(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("a: 1 # said\nb:\n  c: 2\n  # said above\n  d: [1, 2]\ne:\n  - 3\nf:\n  - g: 4\n")
    assert _uncommented(path) == {"b.c", "e", "f.g"}


def test_repository_names_no_machine_and_no_registry() -> None:
    places, hosts = "work|opt|root|home|mnt", "pythonhoste[d]|npmj[s]|artifactory|jfrog|nexus|pkg\\.dev"
    pattern = re.compile(rf"(?<![\w.~}}])/({places})/\w|://[^\s/]*({hosts})")
    found = []
    for path in _tracked():
        if path == Path(__file__) or path.suffix in {".parquet", ".png", ".zip"}:
            continue
        rows = path.read_text(encoding="utf-8").splitlines()
        found += [f"{_relative(path)}:{n}: {row.strip()}" for n, row in enumerate(rows, 1) if pattern.search(row)]
    assert found == []


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "MLOps" / "decisions"
    files = {path.name for path in folder.glob("0*.md")}
    assert set(re.findall(r"\]\((0\d{3}-[a-z0-9-]+\.md)\)", (folder / "README.md").read_text())) == files


@pytest.mark.parametrize("path", _tracked("**.md"), ids=_relative)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!\w+://|#)([^)#\s]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["config/data/btc.yaml", "MLOps/models/x.py", "deployment/reports/x.py", "data.py"])
def test_sources_are_not_ignored(name: str) -> None:
    assert not _is_ignored(name)


MADE_BY_RUNS = ("data/raw/x", "models/x", "reports/x", "mlruns.db", "mlruns.db-wal", "mlartifacts/x", ".airflow/x")


@pytest.mark.parametrize("name", [*MADE_BY_RUNS, "uv.lock", "config/api_keys.yaml"])
def test_what_runs_make_is_ignored(name: str) -> None:
    assert _is_ignored(name)


def _is_ignored(name: str) -> bool:
    return subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT, check=False).returncode == 0
