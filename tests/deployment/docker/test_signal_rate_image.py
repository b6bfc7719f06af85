"""The image of the signal-rate job, without Docker: the Dockerfile's tree is laid out and its entry point run.

The interpreter has what requirements.txt names and nothing else. What only a build can show (the base image, the
user's rights, the size) is not shown here.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from MLOps.settings.project import project_root

SAMPLES = project_root() / "deployment/docker/signal_rate"
HEADER = "timestamp,open,high,low,close,volume_btc,volume_usd\n"


@pytest.fixture
def container(make_container: Callable[[Path], Any], image_python: Path) -> Any:
    """The image's tree, and six rows of data: one signal."""
    made = make_container(image_python)
    write_closes(made.app / "data.csv", ["1.1"] * 5 + ["1.2"])
    return made


def write_closes(path: Path, closes: list[str]) -> None:
    path.write_text(HEADER + "".join(f"2024-01-06 16:00:00,1,1,1,{close},1,1\n" for close in closes))


def test_prints_the_metrics_and_exits_with_0(container: Any) -> None:
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


def test_fails_with_an_error_and_without_a_traceback(container: Any) -> None:
    (container.app / "data.csv").write_text("")
    done = container.run()
    assert done.returncode != 0
    assert json.loads(done.stdout)["status"] == "error"
    assert "Traceback" not in done.stdout + done.stderr


def test_flags_of_docker_run_take_the_place_of_the_default_ones(container: Any) -> None:
    write_closes(container.app / "results/own.csv", ["1"] * 5)
    flags = ["--input", "results/own.csv", "--config", "config.yaml", "--output", "results/own.json"]
    done = container.run(*flags, "--log-file", "results/own.log")
    assert json.loads(done.stdout)["rows_processed"] == 5
    assert (container.app / "results/own.json").exists()


def test_parquet_is_refused_in_words_as_the_image_has_no_pyarrow(container: Any) -> None:
    (container.app / "data.csv").write_bytes(b"PAR1")
    done = container.run()
    assert done.returncode != 0
    assert "pyarrow" in json.loads(done.stdout)["error_message"]


def test_writes_to_its_results_alone(container: Any) -> None:
    before = container.files()
    container.run()
    assert container.files() - before == {"results/metrics.json", "results/run.log"}


def test_holds_what_the_job_imports_and_no_more(container: Any) -> None:
    told = container.run(flags=("-X", "importtime")).stderr
    imported = {name for name in re.findall(r"\| +(\S+)$", told, re.MULTILINE) if name.startswith(("MLOps", "pipe"))}
    modules = {re.sub(r"(/__init__)?\.py$", "", place).replace("/", ".") for place in container.stage.copied().values()}
    assert modules - imported == {"run", "config.yaml", "requirements.txt", "MLOps.market.parquet_closes"}


def test_has_the_four_files_where_its_users_look(container: Any) -> None:
    assert {"run.py", "config.yaml", "data.csv", "requirements.txt"} <= container.files()
    assert container.stage.all("WORKDIR") == ["/app"]
    assert container.stage.all("COPY")[-1] == "--from=data /data/data.csv ./"


@pytest.mark.slow
def test_real_data_in_an_environment_that_pip_made_give_the_sample(
    make_container: Callable[[Path], Any], tmp_path: Path
) -> None:
    from pipelines.data_ingestion import write_sample_data

    made = make_container(tmp_path / "venv/bin/python")
    assert write_sample_data.main(["--workspace", str(tmp_path)]) == 0
    shutil.copy(tmp_path / "data/sample/data.csv", made.app)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    _, *install = next(run for run in made.stage.all("RUN") if run.startswith("pip ")).split()
    subprocess.run([made.python, "-m", "pip", *install], cwd=made.app, env=os.environ | {"PYTHONPATH": ""}, check=True)
    done = made.run()
    assert done.returncode == 0, done.stderr
    assert without_times(done.stdout) == without_times((SAMPLES / "metrics.json").read_text())
    assert without_times((made.app / "results/run.log").read_text()) == without_times((SAMPLES / "run.log").read_text())


def without_times(text: str) -> str:
    """`text` but for when it was written and how long the run took."""
    text = re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "", text, flags=re.MULTILINE)
    return re.sub(r'(?<="latency_ms": )\d+|\d+(?=ms$)', "", text, flags=re.MULTILINE)
