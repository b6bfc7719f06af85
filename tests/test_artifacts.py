"""Outputs are made once, whole, and under a key that their settings and inputs decide."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from MLOps import failpoints
from MLOps.artifacts import Made, Output, make_once, read_result, sha256_of, write_text, written_whole
from MLOps.errors import DataError
from MLOps.partial_places import partial_place
from MLOps.settings.project import project_root
from MLOps.settings.stage_settings import StageSettings
from MLOps.stage import MemoryTracker


class Killed(BaseException):
    """Stands for the end of the process at a failpoint."""


def raise_killed() -> None:
    raise Killed


def shared_settings(workspace: Path) -> StageSettings:
    values = yaml.safe_load((project_root() / "config/common/global_vars.yaml").read_text())
    return StageSettings.model_validate(values | {"paths": {"workspace": workspace}})


@pytest.fixture
def settings(workspace: Path) -> StageSettings:
    return shared_settings(workspace)


@pytest.fixture
def output(workspace: Path, settings: StageSettings) -> Callable[..., Output]:
    source = workspace / "source.txt"
    source.write_text("one")

    def make(**changes: object) -> Output:
        values = {"stage": "probe", "root": workspace / "out", "inputs": {"source": source}, "publish": ("file.txt",)}
        return Output(settings=settings, **(values | changes))  # type: ignore[arg-type]

    return make


def write_file(folder: Path, _key: str) -> Made:
    (folder / "file.txt").write_text("made")
    return Made(files={"file": "file.txt"}, metrics={"rows": 3}, details={"note": "x"})


def test_second_run_finds_the_output_and_says_so(output: Callable[..., Output]) -> None:
    first = make_once(output(), write_file, MemoryTracker())
    second = make_once(output(), lambda *_: pytest.fail("made again"), MemoryTracker())
    assert (first.status, second.status) == ("made", "already_made")
    assert second.artifacts == first.artifacts
    assert second.metrics == {"rows": 3.0}


def test_output_is_published_through_latest(output: Callable[..., Output], workspace: Path) -> None:
    result = make_once(output(), write_file, MemoryTracker())
    assert (workspace / "out" / "latest").resolve() == result.folder
    assert (workspace / "out" / "file.txt").read_text() == "made"


def test_file_that_the_latest_output_lacks_is_published_no_longer(
    output: Callable[..., Output], workspace: Path
) -> None:
    make_once(output(), write_file, MemoryTracker())
    make_once(output(version=2), lambda *_: Made(files={}), MemoryTracker())
    assert not (workspace / "out" / "file.txt").is_symlink()


def test_key_follows_inputs_settings_version_and_extra(output: Callable[..., Output], workspace: Path) -> None:
    keys = {
        make_once(output(**change), write_file, MemoryTracker()).key
        for change in ({}, {"version": 2}, {"extra": {"as_of": "x"}})
    }
    (workspace / "source.txt").write_text("two")
    keys.add(make_once(output(), write_file, MemoryTracker()).key)
    assert len(keys) == 4


def test_place_of_the_workspace_is_no_part_of_the_key(tmp_path: Path, output: Callable[..., Output]) -> None:
    elsewhere = shared_settings(tmp_path / "other")
    assert output().key({}) == Output(stage="probe", root=tmp_path, settings=elsewhere).key({})


@pytest.mark.parametrize("point", ["before_write", "before_rename", "after_rename"])
def test_kill_at_a_point_leaves_nothing_half_written_and_a_retry_ends_the_same(
    point: failpoints.Point, output: Callable[..., Output], workspace: Path
) -> None:
    failpoints.arm(point, raise_killed)
    with pytest.raises(Killed):
        make_once(output(), write_file, MemoryTracker())
    assert not (workspace / "out" / "latest").exists()
    failpoints.disarm()
    result = make_once(output(), write_file, MemoryTracker())
    assert sha256_of(result.folder / "file.txt") == result.artifacts["file"].sha256
    assert (workspace / "out" / "latest").resolve() == result.folder
    assert not list((workspace / "out").glob(".*"))


def test_folder_that_a_dead_process_left_is_cleared(output: Callable[..., Output], workspace: Path) -> None:
    abandoned = workspace / "out" / f".run-abc.{os.getpid()}.partial"
    abandoned.mkdir(parents=True)
    make_once(output(), write_file, MemoryTracker())
    assert not abandoned.exists()


def test_folder_that_a_living_process_fills_is_left_alone(output: Callable[..., Output], workspace: Path) -> None:
    (workspace / "out").mkdir()
    with partial_place(workspace / "out" / "run-abc", is_folder=True) as folder:
        make_once(output(), write_file, MemoryTracker())
        assert folder.is_dir()
    assert not folder.exists()


def test_file_that_a_dead_process_left_is_cleared_by_the_next_write(tmp_path: Path) -> None:
    (tmp_path / ".a.txt.xyz.partial").touch()
    (tmp_path / ".b.txt.xyz.partial").touch()
    write_text(tmp_path / "a.txt", "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.txt.xyz.partial", "a.txt"]


def test_file_is_written_whole_into_a_folder_that_is_not_whole_yet(output: Callable[..., Output]) -> None:
    def make(folder: Path, _key: str) -> Made:
        write_text(folder / "made.txt", "made")
        return Made(files={"made": "made.txt"})

    assert make_once(output(), make, MemoryTracker()).artifacts["made"].path.read_text() == "made"


def test_key_follows_the_versions_of_the_packages_that_decide(
    output: Callable[..., Output], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [output(packages=packages).key({}) for packages in ((), ("numpy",))]
    monkeypatch.setattr("MLOps.artifacts.version", lambda _name: "0.0")
    assert len({*keys, output(packages=("numpy",)).key({})}) == 3


def test_failed_making_keeps_the_last_good_output(output: Callable[..., Output], workspace: Path) -> None:
    good = make_once(output(), write_file, MemoryTracker())

    def fail(folder: Path, _key: str) -> Made:
        (folder / "file.txt").write_text("half")
        raise DataError("bad rows")

    with pytest.raises(DataError, match="bad rows"):
        make_once(output(version=2), fail, MemoryTracker())
    assert (workspace / "out" / "latest").resolve() == good.folder
    assert [entry.name for entry in (workspace / "out").iterdir() if not entry.is_symlink()] == [good.folder.name]


def test_output_has_the_same_bytes_wherever_it_is_made(output: Callable[..., Output], tmp_path: Path) -> None:
    here = make_once(output(), write_file, MemoryTracker())
    there = make_once(output(root=tmp_path / "elsewhere"), write_file, MemoryTracker())
    assert sha256_of(here.folder) == sha256_of(there.folder)


def test_output_that_a_twin_made_meanwhile_is_kept(output: Callable[..., Output], tmp_path: Path) -> None:
    twins = make_once(output(root=tmp_path / "elsewhere"), write_file, MemoryTracker())

    def overtaken(folder: Path, key: str) -> Made:
        made = write_file(folder, key)
        (folder / "file.txt").write_text("made later")
        twins.folder.rename(output().root / twins.folder.name)
        return made

    result = make_once(output(), overtaken, MemoryTracker())
    assert result.artifacts["file"].path.read_text() == "made"


def test_altered_output_is_made_again(output: Callable[..., Output]) -> None:
    first = make_once(output(), write_file, MemoryTracker())
    (first.folder / "file.txt").write_text("altered")
    assert read_result(first.folder) is None
    again = make_once(output(), write_file, MemoryTracker())
    assert again.status == "made"
    assert again.artifacts == first.artifacts


def test_moved_workspace_still_reads_its_results(output: Callable[..., Output], tmp_path: Path) -> None:
    first = make_once(output(), write_file, MemoryTracker())
    moved = first.folder.rename(tmp_path / first.folder.name)
    result = read_result(moved)
    assert result is not None
    assert result.artifacts["file"].path == moved / "file.txt"


def test_missing_input_is_told_with_its_path(output: Callable[..., Output], workspace: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.txt does not exist"):
        make_once(output(inputs={"source": workspace / "absent.txt"}), write_file, MemoryTracker())


def test_interrupted_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def interrupted() -> None:
        with written_whole(path) as temporary:
            temporary.write_text("ne")
            raise Killed

    with pytest.raises(Killed):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folder_digest_follows_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    before = sha256_of(tmp_path / "a")
    (tmp_path / "a" / "x").rename(tmp_path / "a" / "y")
    assert sha256_of(tmp_path / "a") != before
