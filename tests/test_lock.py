"""requirements.lock pins everything that pyproject.toml asks for, by hash, and names no index."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from MLOps.settings.project import project_root

PROJECT = tomllib.loads((project_root() / "pyproject.toml").read_text())
LOCK = (project_root() / "requirements.lock").read_text()
PINS = {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", LOCK, re.MULTILINE)}
CORRECTED = PROJECT["tool"]["uv"]["dependency-metadata"]
ASKED = [
    *PROJECT["project"]["dependencies"],
    *PROJECT["project"]["optional-dependencies"]["dev"],
    *(requirement for package in CORRECTED for requirement in package["requires-dist"]),
]


@pytest.mark.parametrize("text", ASKED)
def test_pin_satisfies_what_pyproject_asks_for(text: str) -> None:
    requirement = Requirement(text)
    pin = PINS.get(canonicalize_name(requirement.name))
    assert pin is not None, f"{text} is not in requirements.lock: run `make lock`"
    assert requirement.specifier.contains(pin, prereleases=True), f"{pin} is locked: run `make lock`"


@pytest.mark.parametrize("package", CORRECTED, ids=lambda package: package["name"])
def test_corrected_metadata_belongs_to_the_locked_version(package: dict[str, str]) -> None:
    assert PINS[canonicalize_name(package["name"])] == package["version"]


def test_every_dependency_earns_its_place_in_a_decision() -> None:
    table = (project_root() / "MLOps/decisions/0002-dependencies.md").read_text()
    explained = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^\| (.+?) \|", table, re.MULTILINE))))
    assert {Requirement(text).name for text in PROJECT["project"]["dependencies"]} - explained == set()


def test_every_pin_has_a_hash() -> None:
    blocks = re.split(r"^(?=\S)", LOCK, flags=re.MULTILINE)
    assert [block.split()[0] for block in blocks if block.strip() and "--hash=sha256:" not in block] == []


def test_lock_names_no_index_and_no_path() -> None:
    assert re.findall(r"://|^-|file:|/", LOCK, re.MULTILINE) == []


def test_torch_and_cuda_stay_out_of_the_lock() -> None:
    assert [name for name in PINS if name == "torch" or name.startswith(("nvidia-", "triton"))] == []
