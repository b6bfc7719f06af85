"""What the platform's image pins, and what reaches its builder."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from MLOps.settings.project import project_root

ROOT = project_root()
FOLDER = ROOT / "deployment/docker/platform"
DOCKERFILE = re.sub(r"\\\n\s*", "", (FOLDER / "Dockerfile").read_text())
COPIED = [source for line in re.findall(r"^COPY (.*)", DOCKERFILE, re.MULTILINE) for source in line.split()[:-1]]
IGNORE_FILE = FOLDER / "Dockerfile.dockerignore"
HADOLINT = shutil.which("hadolint", path=str(ROOT / ".venv" / "bin"))


def test_all_that_is_copied_exists_and_reaches_the_builder(is_sent_to_builder: Callable[[Path, str], bool]) -> None:
    assert len(COPIED) > 10
    assert [path for path in COPIED if not ((ROOT / path).exists() and is_sent_to_builder(IGNORE_FILE, path))] == []


def test_every_package_of_the_project_is_copied() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages | {"config", "hyperparameters", "dags"} <= set(COPIED)


@pytest.mark.parametrize(
    "path",
    [
        "config/api_keys.yaml",
        "deployment/docker/.env",
        ".git/config",
        "data/raw/x.parquet",
        ".venv/bin/python",
        "mlruns.db",
    ],
)
def test_the_rest_stays_out_of_the_builder(path: str, is_sent_to_builder: Callable[[Path, str], bool]) -> None:
    assert not is_sent_to_builder(IGNORE_FILE, path)


def test_versions_are_those_of_the_makefile() -> None:
    (torch,) = re.findall(r"^TORCH_VERSION := (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert f"torch=={torch}" in DOCKERFILE
    other = (ROOT / "deployment/docker/signal_rate/Dockerfile").read_text()
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == set(
        re.findall(r"^FROM (\S+)", other, re.MULTILINE)
    )


def test_runs_as_the_owner_of_its_workspace() -> None:
    (owner,) = re.findall(r"--owner=(\d+) --group=\1 workspace mlartifacts", DOCKERFILE)
    assert re.findall(r"^USER (.*)", DOCKERFILE, re.MULTILINE) == [f"{owner}:{owner}"]
    compose = yaml.safe_load((FOLDER.parent / "compose.yaml").read_text())
    assert {"/app/workspace", "/app/mlartifacts"} == {
        mount.split(":")[1]
        for service in ("airflow-scheduler", "mlflow")
        for mount in compose["services"][service]["volumes"]
        if not mount.startswith(".")
    }


def test_what_the_image_adds_is_pinned_and_not_in_the_lock() -> None:
    text = (FOLDER / "requirements.txt").read_text()
    assert re.findall(r"^([\w-]+)==\S+ \\\n +--hash=sha256:[0-9a-f]{64}$", text, re.MULTILINE) == ["asyncpg"]
    assert "asyncpg==" not in (ROOT / "requirements.lock").read_text()


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
def test_hadolint_finds_nothing() -> None:
    done = subprocess.run([HADOLINT, FOLDER / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
