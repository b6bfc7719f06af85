"""The one door to DVC: keep a folder or file so that it can be had back by its md5.

The DVC repository is the workspace itself, without DVC's Git integration (decision 0012). Pointers
are plain files in a folder of their own. DVC is used through its Python interface, because its
command line takes seconds to start.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from MLOps.artifacts import write_text
from MLOps.errors import DataError, SourceUnavailableError
from MLOps.settings.versioning import VersioningSettings

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import Stage as DvcStage

_LOG = logging.getLogger(__name__)
_REMOTE = "storage"
_MEND = "the versioning settings or the remote"


@dataclass(frozen=True)
class DataVersion:
    """What DVC knows a piece of data by; `md5` ends in ``.dir`` for a folder."""

    md5: str
    pointer: Path

    def details(self) -> dict[str, str]:
        """Facts for a stage's result."""
        return {"dvc_md5": self.md5, "dvc_pointer": str(self.pointer)}


def version_data(path: Path, workspace: Path, settings: VersioningSettings) -> DataVersion | None:
    """Keep the folder or file at `path`, below `workspace`, in DVC's cache and remote.

    Doing it again changes nothing. What is kept already stays: where the same place now holds other
    bytes, their pointer gets the start of their md5 into its name. The files stay as they are: DVC
    copies, so that year files that snapshots share by hard link stay shared.

    Returns
    -------
    DataVersion or None
        None where the settings switch versioning off.

    Raises
    ------
    SourceUnavailableError
        If the remote cannot be reached or written.
    """
    if not settings.enabled:
        return None
    pointer = _pointer(path, workspace, settings)
    pointer.parent.mkdir(parents=True, exist_ok=True)
    with _repository(workspace, settings) as repo:
        with repo.lock:
            stage = _added(repo, path, pointer)
            md5 = stage.outs[0].hash_info.value
            if pointer.is_file() and _md5(pointer) != md5:
                _LOG.warning("%s is not what %s keeps; both are kept", path.name, pointer.name)
                pointer = pointer.with_name(f"{path.name}.{md5[:8]}.dvc")
                stage = _added(repo, path, pointer)
            # not by stage.dump(): a kill could leave half a pointer
            write_text(pointer, yaml.safe_dump(stage.dumpd(), sort_keys=False))
        with _told_in_one_line(settings):
            repo.push(targets=[str(pointer)], remote=_REMOTE)
    version = DataVersion(_md5(pointer), pointer)
    _LOG.info("DVC keeps %s as %s", path.name, version.md5)
    return version


def _added(repo: "Repo", path: Path, pointer: Path) -> "DvcStage":
    """The data at `path` in DVC's cache, and its pointer, which is not written yet."""
    stage: DvcStage = repo.stage.create(
        single_stage=True, validate=False, fname=str(pointer), wdir=str(path.parent), outs=[path.name], force=True
    )
    stage.add_outs(relink=False)
    return stage


def restore_if_kept(path: Path, workspace: Path, settings: VersioningSettings) -> bool:
    """Bring back the first version that was kept of `path`; False if there is none or versioning is off.

    Raises
    ------
    SourceUnavailableError
        If neither the cache nor the remote has the data.
    """
    if not settings.enabled or not (pointer := _pointer(path, workspace, settings)).is_file():
        return False
    restore_data(str(pointer), workspace, settings)
    _LOG.info("DVC gave %s back", path.name)
    return True


def restore_data(version: str, workspace: Path, settings: VersioningSettings) -> Path:
    """Bring a version back to the place where it was made.

    Parameters
    ----------
    version : str
        A pointer's path, its md5 (with or without ``.dir``), or the name of the folder it was made as.
    workspace : Path
        Root of the DVC repository.
    settings : VersioningSettings
        Where DVC keeps data.

    Raises
    ------
    DataError
        If no pointer answers to `version`.
    SourceUnavailableError
        If neither the cache nor the remote has the data.
    """
    pointer = _find_pointer(version, workspace, settings)
    with _repository(workspace, settings) as repo, _told_in_one_line(settings):
        repo.pull(targets=[str(pointer)], remote=_REMOTE, force=True)
    return _target(pointer)


def _pointer(path: Path, workspace: Path, settings: VersioningSettings) -> Path:
    below = path.resolve().relative_to(workspace.resolve())
    inside = below.relative_to("data") if below.parts[0] == "data" else below
    return workspace / settings.pointer_folder / f"{inside}.dvc"


def _find_pointer(version: str, workspace: Path, settings: VersioningSettings) -> Path:
    pointers = sorted((workspace / settings.pointer_folder).rglob("*.dvc"))
    for pointer in pointers:
        names = {str(pointer), str(pointer.relative_to(workspace)), pointer.stem, _md5(pointer)}
        if names & {version, f"{version}.dir"}:
            return pointer
    raise DataError(
        f"no pointer for {version}",
        f"a pointer, md5 or folder name of the {len(pointers)} versions in {workspace / settings.pointer_folder}",
        "the command line",
    )


def _md5(pointer: Path) -> str:
    return str(yaml.safe_load(pointer.read_text(encoding="utf-8"))["outs"][0]["md5"])


def _target(pointer: Path) -> Path:
    content = yaml.safe_load(pointer.read_text(encoding="utf-8"))
    return Path(pointer.parent, content.get("wdir", "."), content["outs"][0]["path"]).resolve()


@contextmanager
def _repository(workspace: Path, settings: VersioningSettings) -> Iterator["Repo"]:
    """The workspace's DVC repository, made if it is not there; one process at a time."""
    from dvc.repo import Repo

    folder = workspace / ".dvc"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "turn.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        config = _config(workspace, settings)
        if not (folder / "config").is_file() or (folder / "config").read_text(encoding="utf-8") != config:
            write_text(folder / "config", config)
        with Repo(str(workspace)) as repo:
            yield repo


def _config(workspace: Path, settings: VersioningSettings) -> str:
    """What ``dvc init --no-scm`` and ``dvc remote add`` would write, and no telemetry."""
    is_remote_path = "://" not in settings.remote
    url = os.path.relpath(workspace / settings.remote, workspace / ".dvc") if is_remote_path else settings.remote
    endpoint = f"    endpointurl = {settings.s3_endpoint_url}\n" if settings.s3_endpoint_url else ""
    return (
        "[core]\n    no_scm = True\n    analytics = false\n    check_update = false\n"
        f"    site_cache_dir = {workspace / '.dvc' / 'tmp' / 'site'}\n    remote = {_REMOTE}\n"
        f"['remote \"{_REMOTE}\"']\n    url = {url}\n{endpoint}"
    )


@contextmanager
def _told_in_one_line(settings: VersioningSettings) -> Iterator[None]:
    """The errors of DVC and of each kind of remote as one of ours; what the disk says stays what it is."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise SourceUnavailableError(f"DVC remote {settings.remote}: {text}", mend=_MEND) from error
