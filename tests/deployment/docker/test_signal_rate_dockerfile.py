"""What the Dockerfile of the signal-rate job pins, and what reaches its builder."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from MLOps.settings.project import project_root

ROOT = project_root()
FOLDER = ROOT / "deployment/docker/signal_rate"
IGNORE_FILE = ROOT / ".dockerignore"
HADOLINT = shutil.which("hadolint", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


def test_is_pinned_and_not_root(stages: tuple[Any, Any]) -> None:
    data, job = stages
    assert data.image == job.image
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", job.image)
    (user,) = job.all("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


def test_packages_and_their_digests_are_those_of_the_lock(pins: dict[str, str]) -> None:
    lock = (ROOT / "requirements.lock").read_text()
    for name, version in pins.items():
        (block,) = re.findall(rf"^{name}=={re.escape(version)} (?:.*\\\n)*.*", lock, re.MULTILINE)
        (ours,) = re.findall(rf"^{name}==(?:.*\\\n)*.*", (FOLDER / "requirements.txt").read_text(), re.MULTILINE)
        digests = re.findall(r"sha256:[0-9a-f]{64}", ours)
        assert len(digests) == 2
        assert [digest for digest in digests if digest not in block] == []


def test_all_that_is_copied_reaches_the_builder(
    stages: tuple[Any, Any], is_sent_to_builder: Callable[[Path, str], bool]
) -> None:
    paths = [path for stage in stages for path in stage.copied()]
    assert [path for path in paths if not ((ROOT / path).is_file() and is_sent_to_builder(IGNORE_FILE, path))] == []


@pytest.mark.parametrize(
    "path",
    [
        "config/api_keys.yaml",
        "deployment/docker/.env",
        "deployment/docker/signal_rate/.env",
        ".git/config",
        "data/sample/data.csv",
        ".venv/bin/python",
        "mlruns.db",
        "MLOps/settings/compose.py",
        "MLOps/market/__pycache__/signal_rate.pyc",
    ],
)
def test_the_rest_stays_out_of_the_builder(path: str, is_sent_to_builder: Callable[[Path, str], bool]) -> None:
    assert not is_sent_to_builder(IGNORE_FILE, path)


def test_configuration_is_that_of_the_sample() -> None:
    sample = yaml.safe_load((ROOT / "config/stages/write_sample_data.yaml").read_text())
    assert yaml.safe_load((FOLDER / "config.yaml").read_text()) == sample["job"]


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
def test_hadolint_finds_nothing() -> None:
    done = subprocess.run([HADOLINT, FOLDER / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
