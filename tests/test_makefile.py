"""`make` explains itself, and the set-up says in one line what is missing."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from MLOps.settings.project import project_root

USE = {"demo", "up", "down", "services-up", "services-down", "dashboard", "clean-runs", "sample-data"}
TARGETS = USE | {"setup", "test", "test-slow", "test-services", "bench", "bench-long", "check", "format", "lock"}


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the set-up begins with, and nothing that it made."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(project_root() / name, tmp_path)
    return tmp_path


def fake_python(folder: Path, refused: str) -> Path:
    """A python3.11 that fails on code that holds the word `refused`."""
    script = folder / "python3.11"
    script.write_text(f'#!/bin/sh\ncase "$*" in *{refused}*) exit 1;; esac\n')
    script.chmod(0o755)
    return script


def test_make_alone_tells_each_target_in_one_line(clone: Path) -> None:
    told = make(clone)
    assert told.returncode == 0
    assert set(re.findall(r"^  make ([a-z-]+) +\S", told.stdout, re.MULTILINE)) == TARGETS
    assert all(len(line) <= 120 for line in told.stdout.splitlines())


@pytest.mark.parametrize(
    ("refused", "advice"), [("ensurepip", "apt-get install python3.11-venv"), ("version_info", "is not Python 3.11")]
)
def test_setup_says_what_the_interpreter_lacks(clone: Path, refused: str, advice: str) -> None:
    told = make(clone, "setup", f"PYTHON={fake_python(clone, refused)}")
    assert told.returncode != 0
    assert advice in told.stderr.splitlines()[0]
    assert not (clone / ".uv").exists()


def test_setup_says_that_python_is_missing(clone: Path) -> None:
    told = make(clone, "setup", "PYTHON=python3.11-that-is-not-here")
    assert told.returncode != 0
    assert "apt-get install python3.11" in told.stderr.splitlines()[0]
