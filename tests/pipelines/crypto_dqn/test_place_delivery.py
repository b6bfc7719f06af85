"""Over an earlier delivery the new one comes file by file: readers and a kill find whole files, others' files stay."""

import fcntl
import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployment.serving.model_sources import FolderSource
from MLOps import failpoints
from MLOps.artifacts import sha256_of
from MLOps.errors import DigestError, SettingsError
from MLOps.inference.delivery_sums import read_sums, sums_text
from MLOps.inference.model_files import model_digest
from MLOps.inference.timing_onnx import timing_onnx_of_folder
from pipelines.crypto_dqn.place_delivery import place_delivery

FILES = ("model.onnx", "settings.json", "README.md", "SHA256SUMS")
REPLACED = 5  # the sums of both, the three others, the sums of the new one


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    failpoints.disarm()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, make_timing_model: Callable[..., str]) -> tuple[Path, Path]:
    """Two whole deliveries, none of whose files are equal; only read them."""
    root = tmp_path_factory.mktemp("made")
    for seed in (1, 2):
        model, folder = root / f"model_{seed}", root / f"delivery_{seed}"
        make_timing_model(model, seed=seed, window_size=6)
        folder.mkdir()
        (folder / "model.onnx").write_bytes(timing_onnx_of_folder(model, model_digest(model)))
        settings = {
            "kind": "rainbow_timing",
            "model_digest": model_digest(model),
            "provenance": {"seed": seed},
            "observation": {"window_size": 6, "size": 8},
            "market": {"symbol": "BTC", "frequency": "1h", "cycle_steps": 24},
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        (folder / "README.md").write_text(f"seed {seed}")
        sums = {file: frozenset({sha256_of(folder / file)}) for file in FILES[:-1]}
        (folder / "SHA256SUMS").write_text(sums_text(sums))
    return root / "delivery_1", root / "delivery_2"


@pytest.fixture
def place(made: tuple[Path, Path], tmp_path: Path) -> Path:
    """The first delivery in its place, with a file of the user's beside it."""
    place = tmp_path / "trained_models" / "BTC_777"
    place_delivery(made[0], place, FILES)
    (place / "model.trt").write_bytes(b"mine")
    return place


def held(folder: Path) -> dict[str, bytes]:
    return {file: (folder / file).read_bytes() for file in FILES}


def served(place: Path) -> str:
    return FolderSource(place, threads=1).wanted().load().info.digest


def test_readers_find_a_whole_network_that_is_promised_at_every_step(made: tuple[Path, Path], place: Path) -> None:
    former, wanted = served(made[0]), served(made[1])
    seen: list[str] = []
    failpoints.arm("before_rename", lambda: seen.append(served(place)))
    place_delivery(made[1], place, FILES)
    assert seen == [former, former, wanted, wanted, wanted]
    assert len(seen) == REPLACED
    assert held(place) == held(made[1])


def test_reader_between_sums_and_network_looks_again(
    made: tuple[Path, Path], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has read the old sums when all is replaced, and then reads the new network."""
    looked: list[Path] = []

    def read_late(folder: Path) -> dict[str, frozenset[str]]:
        found = read_sums(folder)
        if not looked:
            place_delivery(made[1], place, FILES)
        looked.append(folder)
        return found

    candidate = FolderSource(place, threads=1).wanted()
    monkeypatch.setattr("deployment.serving.delivery.read_sums", read_late)
    assert candidate.load().info.digest == served(made[1])


@pytest.mark.parametrize("step", range(REPLACED))
def test_killed_at_any_step_it_leaves_a_delivery_that_serves_and_the_next_one_ends_it(
    made: tuple[Path, Path], place: Path, in_copy: Callable[[Callable[[], object]], int], step: int
) -> None:
    def doomed() -> None:
        steps = iter(range(REPLACED))
        failpoints.arm("before_rename", lambda: next(steps) == step and signal.raise_signal(signal.SIGKILL))
        place_delivery(made[1], place, FILES)

    assert in_copy(doomed) == -signal.SIGKILL
    assert served(place) in {served(made[0]), served(made[1])}
    assert (place / "model.trt").read_bytes() == b"mine"
    place_delivery(made[1], place, FILES)
    assert held(place) == held(made[1])
    assert {path.name for path in place.iterdir()} == {*FILES, "model.trt"}


def test_network_that_neither_delivery_promises_is_refused_in_between(made: tuple[Path, Path], place: Path) -> None:
    (place / "model.onnx").write_bytes(b"altered")
    refused: list[str] = []

    def look() -> None:
        try:
            served(place)
        except DigestError as error:
            refused.append(str(error))

    failpoints.arm("before_rename", look)
    place_delivery(made[1], place, FILES)
    assert len(refused) == 2
    assert served(place) == served(made[1])


def test_what_is_right_already_is_not_written(made: tuple[Path, Path], place: Path) -> None:
    before = {file: (place / file).stat().st_ino for file in FILES}
    place_delivery(made[0], place, FILES)
    assert {file: (place / file).stat().st_ino for file in FILES} == before


@pytest.mark.parametrize("content", ["", "0" * 64 + "  thesis.txt\n", "no sums"])
def test_folder_of_another_purpose_is_refused(made: tuple[Path, Path], tmp_path: Path, content: str) -> None:
    place = tmp_path / "BTC_777"
    place.mkdir()
    (place / "SHA256SUMS").write_text(content)
    with pytest.raises(SettingsError, match="is a folder without a delivery's SHA256SUMS; allowed: a free place"):
        place_delivery(made[0], place, FILES)
    assert [path.name for path in place.iterdir()] == ["SHA256SUMS"]


def test_file_or_folder_in_the_way_is_told(made: tuple[Path, Path], place: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SettingsError, match="file is no folder"):
        place_delivery(made[0], tmp_path / "file", FILES)
    (place / "README.md").unlink()
    (place / "README.md").mkdir()
    with pytest.raises(SettingsError, match=r"holds a folder named README\.md"):
        place_delivery(made[1], place, FILES)


def test_another_model_that_is_replaced_is_told_and_the_same_one_is_not(made: tuple[Path, Path], place: Path) -> None:
    former = json.loads((made[0] / "settings.json").read_text())["model_digest"]
    assert place_delivery(made[0], place, FILES) == ""
    assert place_delivery(made[1], place, FILES).endswith(former[:12])


def test_what_is_replaced_is_told_as_of_the_moment_when_it_is(
    made: tuple[Path, Path], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another export may hold the lock: whoever waits for it replaces what that one put there."""
    monkeypatch.setattr(fcntl, "flock", lambda *_: shutil.copyfile(made[1] / "settings.json", place / "settings.json"))
    assert place_delivery(made[1], place, FILES) == ""


@pytest.mark.parametrize("lost", ["model.onnx", "settings.json"])
def test_a_delivery_of_another_model_that_lost_a_file_is_put_right(
    lost: str, made: tuple[Path, Path], place: Path
) -> None:
    """With a card beside it, as whoever keeps model and delivery in one folder has."""
    shutil.copyfile(made[0].parent / "model_1" / "model.json", place / "model.json")
    (place / lost).unlink()
    place_delivery(made[1], place, FILES)
    assert held(place) == held(made[1])
