"""The script calls trtexec with present flags, or says in one line why not; the engine is whole or as it was.

The trtexec of these tests is a stand-in that records its arguments: there is no real one to run.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from MLOps.settings.project import project_root

SCRIPT = project_root() / "deployment/scripts/export_tensorrt.sh"
Run = Callable[..., "subprocess.CompletedProcess[str]"]
_WRITES = """
for argument in "$@"; do
    case "$argument" in --saveEngine=*) printf 'engine' > "${argument#--saveEngine=}" ;; esac
done
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The only folder on the PATH of the script: what it needs of the system, and a trtexec."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("bash", "env", "dirname", "basename", "mktemp", "rm", "mv", "chmod", "sed", "head"):
        found = shutil.which(name)
        assert found is not None, name
        (folder / name).symlink_to(found)
    return folder


@pytest.fixture
def stand_in(programs: Path, tmp_path: Path) -> Callable[[str], None]:
    """``stand_in(body)``: put a trtexec in place that records its arguments and then does `body`."""

    def put(body: str = _WRITES) -> None:
        path = programs / "trtexec"
        path.write_text(
            f'#!/usr/bin/env bash\nprintf "%s\\n" "$@" > "{tmp_path}/arguments"\necho "[I] building"\n{body}'
        )
        path.chmod(0o755)

    return put


@pytest.fixture
def run(programs: Path, tmp_path: Path) -> Run:
    (tmp_path / "work").mkdir()
    (tmp_path / "work/model.onnx").write_bytes(b"a network")

    def call(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(SCRIPT), *arguments],
            cwd=tmp_path / "work",
            env={"PATH": str(programs)} | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return call


def _arguments(tmp_path: Path) -> list[str]:
    return (tmp_path / "arguments").read_text().splitlines()


def _files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "work").iterdir())


def test_trtexec_gets_present_flags_and_the_engine_is_moved_into_place(
    tmp_path: Path, run: Run, stand_in: Callable[..., None]
) -> None:
    stand_in()
    done = run("model.onnx", "model.trt")
    assert (done.returncode, done.stdout) == (0, "model.trt\n"), done.stderr
    assert (tmp_path / "work/model.trt").read_text() == "engine"
    assert _files(tmp_path) == ["model.onnx", "model.trt"]
    onnx, engine, *others = _arguments(tmp_path)
    assert onnx == "--onnx=model.onnx"
    assert engine.startswith("--saveEngine=./.model.trt.")
    assert others == [
        "--memPoolSize=workspace:4096",
        "--fp16",
        "--minShapes=observations:1x32",
        "--optShapes=observations:64x32",
        "--maxShapes=observations:1024x32",
    ]


def test_the_width_comes_from_the_settings_beside_the_model(
    tmp_path: Path, run: Run, stand_in: Callable[..., None]
) -> None:
    stand_in()
    (tmp_path / "work/settings.json").write_text(
        '{\n  "observation": {\n    "size": 18,\n    "window_size": 16\n  }\n}'
    )
    assert run("model.onnx", "model.trt").returncode == 0
    assert "--optShapes=observations:64x18" in _arguments(tmp_path)
    assert run("model.onnx", "model.trt", "9").returncode == 0
    assert "--optShapes=observations:64x9" in _arguments(tmp_path)


def test_batches_come_from_the_environment(tmp_path: Path, run: Run, stand_in: Callable[..., None]) -> None:
    stand_in()
    assert run("model.onnx", "b.engine", TRT_MIN_BATCH="2", TRT_OPT_BATCH="4", TRT_MAX_BATCH="8").returncode == 0
    assert [flag.rpartition(":")[2] for flag in _arguments(tmp_path)[-3:]] == ["2x32", "4x32", "8x32"]
    done = run("model.onnx", "b.engine", TRT_OPT_BATCH="2000")
    assert done.returncode == 2
    assert "batches 1, 2000, 1024; allowed: TRT_MIN_BATCH <= TRT_OPT_BATCH" in done.stderr


def test_names_with_spaces_and_dashes_are_names(tmp_path: Path, run: Run, stand_in: Callable[..., None]) -> None:
    stand_in()
    odd = tmp_path / "work" / "-a b;c"
    odd.mkdir()
    (odd / "m $x.onnx").write_bytes(b"a network")
    assert run("-a b;c/m $x.onnx", "-a b;c/m $x.trt").returncode == 0
    assert _arguments(tmp_path)[0] == "--onnx=-a b;c/m $x.onnx"
    assert (odd / "m $x.trt").read_text() == "engine"


def test_without_trtexec_it_says_so(tmp_path: Path, run: Run) -> None:
    done = run("model.onnx", "model.trt")
    assert done.returncode == 4
    assert done.stderr.startswith("export_tensorrt.sh: trtexec is not on the PATH; mend: install NVIDIA TensorRT")
    assert len(done.stderr.splitlines()) == 1
    assert _files(tmp_path) == ["model.onnx"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("exit 3", "trtexec failed with status 3; model.trt is as it was"),
        (_WRITES + "exit 1", "trtexec failed with status 1"),
        ("", "trtexec wrote no engine"),
        ('rm -f "${2#--saveEngine=}"', "trtexec wrote no engine"),
    ],
)
def test_a_failure_leaves_the_old_engine(
    tmp_path: Path, run: Run, stand_in: Callable[..., None], body: str, told: str
) -> None:
    stand_in(body)
    (tmp_path / "work/model.trt").write_text("the old one")
    done = run("model.onnx", "model.trt")
    assert done.returncode == 1
    assert told in done.stderr.splitlines()[-1]
    assert (tmp_path / "work/model.trt").read_text() == "the old one"
    assert _files(tmp_path) == ["model.onnx", "model.trt"]


@pytest.mark.parametrize(("name", "status"), [("TERM", 143), ("INT", 130)])
def test_interrupted_it_ends_trtexec_and_leaves_nothing(
    tmp_path: Path, run: Run, stand_in: Callable[..., None], name: str, status: int
) -> None:
    """The stand-in waits for a word that never comes, and would tell if it came to its end."""
    os.mkfifo(tmp_path / "word")
    ends = f'printf ended > "{tmp_path}/ended"'
    stand_in(f'{_WRITES}kill -{name} $PPID\nread -r -t 20 _ <> "{tmp_path}/word"\n{ends}\n')
    (tmp_path / "work/model.trt").write_text("the old one")
    done = run("model.onnx", "model.trt")
    assert (done.returncode, done.stdout) == (status, "")
    assert not (tmp_path / "ended").exists()
    assert (tmp_path / "work/model.trt").read_text() == "the old one"
    assert _files(tmp_path) == ["model.onnx", "model.trt"]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ((), 2, "0 arguments; allowed: MODEL.onnx MODEL.trt"),
        (("model.onnx",), 2, "1 arguments"),
        (("model.onnx", "model.trt", "32", "x"), 2, "4 arguments"),
        (("model.pkl", "model.trt"), 2, "MODEL=model.pkl; allowed: a file named *.onnx"),
        (("model_int8.onnx", "model.trt"), 2, "is quantised for ONNX Runtime; allowed: the model.onnx beside it"),
        (("model.onnx", "model.onnx"), 2, "ENGINE=model.onnx; allowed: a file named *.trt or *.engine"),
        (("none.onnx", "model.trt"), 3, "none.onnx is missing, empty or not readable"),
        (("model.onnx", "nowhere/model.trt"), 2, "a folder that exists and can be written"),
        (("model.onnx", "folder.trt"), 2, "ENGINE=folder.trt is a folder"),
        (("model.onnx", "model.trt", "32x"), 2, "OBSERVATION_SIZE=32x; allowed: a whole number"),
        (("model.onnx", "model.trt", "0"), 2, "OBSERVATION_SIZE=0"),
        (("model.onnx", "model.trt", "a[$(touch hacked)]"), 2, "OBSERVATION_SIZE=a["),
    ],
)
def test_wrong_arguments_are_told_before_trtexec_is_called(
    tmp_path: Path, run: Run, stand_in: Callable[..., None], arguments: tuple[str, ...], status: int, told: str
) -> None:
    stand_in()
    (tmp_path / "work/folder.trt").mkdir()
    before = _files(tmp_path)
    done = run(*arguments)
    assert done.returncode == status
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "arguments").exists()
    assert _files(tmp_path) == before


def test_it_can_be_run_and_says_that_it_was_not_run_for_real() -> None:
    assert os.access(SCRIPT, os.X_OK)
    assert "not with a real trtexec" in SCRIPT.read_text()
