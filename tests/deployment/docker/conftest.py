"""A Dockerfile's tree and entry point without Docker."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib.metadata import distribution
from pathlib import Path, PurePosixPath

import pytest

from MLOps.settings.project import project_root

ROOT = project_root()
FOLDER = ROOT / "deployment/docker/signal_rate"


@dataclass(frozen=True)
class BuildStage:
    """What stands between one FROM and the next."""

    image: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, keyword: str) -> list[str]:
        return [rest for word, rest in self.instructions if word == keyword]

    def copied(self) -> dict[str, str]:
        """Where each file that comes out of the project is put, below the working directory."""
        places = {}
        for rest in self.all("COPY"):
            if not rest.startswith("--from"):
                *sources, target = rest.split()
                for source in sources:
                    places[source] = str(PurePosixPath(target, Path(source).name)) if target.endswith("/") else target
        return places

    def lay_out(self, app: Path) -> Path:
        """Put the files there, compile them as the image does, make its folder of results."""
        (app / "results").mkdir(parents=True)
        for source, target in self.copied().items():
            (app / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, app / target)
        subprocess.run([sys.executable, "-m", "compileall", "-q", app], check=True)
        return app


@pytest.fixture(scope="session")
def stages() -> tuple[BuildStage, BuildStage]:
    """The Dockerfile's stages, which make the data and the job; of its language, what it uses."""
    stages: list[BuildStage] = []
    text = re.sub(r"^#.*\n", "", (FOLDER / "Dockerfile").read_text(), flags=re.MULTILINE)
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append(BuildStage(rest.partition(" AS ")[0]))
        elif word and stages:  # what stands before the first FROM belongs to none
            stages[-1].instructions.append((word, rest))
    data, job = stages
    return data, job


@pytest.fixture(scope="session")
def job_stage(stages: tuple[BuildStage, BuildStage]) -> BuildStage:
    return stages[1]


@dataclass(frozen=True)
class Container:
    """The job's folder, and the interpreter that runs it."""

    app: Path
    python: Path
    stage: BuildStage

    def run(self, *arguments: str, flags: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
        """What ``docker run`` does; `arguments` take the place of CMD, `flags` are Python's own."""
        (entry,), (default,) = (map(json.loads, self.stage.all(word)) for word in ("ENTRYPOINT", "CMD"))
        command = [self.python, *flags, *entry[1:], *(arguments or default)]
        return subprocess.run(command, cwd=self.app, env={}, capture_output=True, text=True, check=False)

    def files(self) -> set[str]:
        return {str(path.relative_to(self.app)) for path in self.app.rglob("*") if path.is_file()}


@pytest.fixture
def make_container(job_stage: BuildStage, tmp_path: Path) -> Callable[[Path], Container]:
    """``make_container(python)``: the job's tree, still without data.csv, for an interpreter."""
    return lambda python: Container(job_stage.lay_out(tmp_path / "app"), python, job_stage)


@pytest.fixture(scope="session")
def pins() -> dict[str, str]:
    """Version by name in requirements.txt."""
    return dict(re.findall(r"^([\w-]+)==(\S+)", (FOLDER / "requirements.txt").read_text(), re.MULTILINE))


@pytest.fixture(scope="session")
def image_python(pins: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with what requirements.txt names, linked from the project's environment, and nothing else."""
    place = tmp_path_factory.mktemp("image") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    (site,) = place.glob("lib/python3.*/site-packages")
    for name in pins:
        files = distribution(name).files or ()
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            (site / top).symlink_to(distribution(name).locate_file(top))
    return place / "bin" / "python"


@pytest.fixture(scope="session")
def is_sent_to_builder() -> Callable[[Path, str], bool]:
    """``is_sent_to_builder(ignore_file, path)``: whether the last pattern that fits it or a folder of it lets it in."""

    def is_sent(ignore_file: Path, path: str) -> bool:
        places = [path, *map(str, PurePosixPath(path).parents)]
        decided = True
        for pattern in ignore_file.read_text().splitlines():
            if not pattern.startswith("#") and any(fnmatch(place, pattern.removeprefix("!")) for place in places):
                decided = pattern.startswith("!")
        return decided

    return is_sent


@pytest.fixture(scope="session")
def promised_digests() -> dict[str, str]:
    """Digest by file, as the build checks them."""
    lines = (FOLDER / "sha256sums").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}
