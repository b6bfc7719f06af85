"""Digests, whole-or-nothing writes, and `make_once`, which makes a stage idempotent.

An output lives in ``<root>/<label>-<key>/``, where the key is the hash of the stage's name and
version, its settings and its inputs' digests. It is made under a temporary name and renamed, so a
reader sees it whole or not at all; ``<root>/latest`` points to the one that was asked for last.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from MLOps import failpoints
from MLOps.errors import DataError, DigestError
from MLOps.partial_places import partial_place
from MLOps.settings.stage_settings import StageSettings, fingerprint
from MLOps.stage import Artifact, Scalar, StageResult, Tracker

_LOG = logging.getLogger(__name__)
RESULT_FILE = "result.json"


def sha256_of(path: Path) -> str:
    """Digest of a file's bytes, or of a folder's sorted relative names and digests.

    Raises
    ------
    DataError
        If nothing is at `path`.
    """
    if path.is_dir():
        listing = "".join(
            f"{file.relative_to(path).as_posix()} {sha256_of(file)}\n"
            for file in sorted(path.rglob("*"))
            if file.is_file()
        )
        return hashlib.sha256(listing.encode()).hexdigest()
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", "an existing file", "run the stage that makes it first") from error


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it is flushed to disk and renamed to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with partial_place(path) as temporary:
        yield temporary
        temporary.chmod(0o644)
        _flush(temporary)
        temporary.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class Made:
    """What the making function declares: its files by name (relative to the folder), figures, facts."""

    files: Mapping[str, str]
    metrics: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """Where and under which identity a stage's output is made.

    Attributes
    ----------
    stage : str
        Name of the stage.
    root : Path
        Folder of all versions.
    settings : StageSettings
        Its fingerprint enters the key.
    inputs : mapping of str to Path
        Files and folders whose digests enter the key.
    label : str
        Readable start of the folder's name, the date of the data as a rule.
    version : int
        Raised when the code changes what the stage makes from the same settings and inputs.
    extra : mapping of str to str
        Further identity that neither settings nor inputs hold, such as a resolved date.
    packages : tuple of str
        Libraries that decide what is made; their installed versions enter the key.
    publish : tuple of str
        Files, where the stage made them, that are also reachable as ``<root>/<file>``, through ``latest``.
    """

    stage: str
    root: Path
    settings: StageSettings
    inputs: Mapping[str, Path] = field(default_factory=dict)
    label: str = "run"
    version: int = 1
    extra: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()

    def input_digests(self) -> dict[str, str]:
        """Sha256 of each input, by name."""
        return {name: sha256_of(path) for name, path in sorted(self.inputs.items())}

    def key(self, digests: Mapping[str, str]) -> str:
        """The first 16 hexadecimal digits of the identity's sha256."""
        packages = {name: version(name) for name in self.packages}
        identity = [self.stage, self.version, fingerprint(self.settings), dict(digests), dict(self.extra), packages]
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def make_once(output: Output, make: Callable[[Path, str], Made], tracker: Tracker) -> StageResult:
    """Make an output unless it already stands whole, publish it, and tell its result.

    Parameters
    ----------
    output : Output
        Identity and place.
    make : callable
        ``make(folder, key)`` writes its files into the empty `folder` and returns `Made`.
    tracker : Tracker
        Is begun with the output's key before anything is made.

    Raises
    ------
    DataError
        If an input is missing, or `make` declared a file that it did not write.
    """
    digests = output.input_digests()
    key = output.key(digests)
    final = output.root / f"{output.label}-{key}"
    result = read_result(final)
    tracker.begin(key, digests, is_made=result is not None)
    if result is not None:
        _LOG.info("%s: output %s is already made", output.stage, final.name)
        result = result.model_copy(update={"status": "already_made"})
    else:
        result = _make(output, make, final, key, digests)
    _publish(output, final)
    return result


def read_result(folder: Path) -> StageResult | None:
    """The result of a whole output folder; None if the folder is absent or its files were altered."""
    try:
        result = StageResult.model_validate_json((folder / RESULT_FILE).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    result = _moved(result, folder)
    for artifact in result.artifacts.values():
        if not artifact.path.exists() or sha256_of(artifact.path) != artifact.sha256:
            _LOG.warning("%s was altered or removed after it was made; it will be made again", artifact.path)
            return None
    return result


def check_unaltered(folder: Path) -> None:
    """Raise DigestError if a stage made `folder`, and its declared files are no longer what it made."""
    if (folder / RESULT_FILE).is_file() and read_result(folder) is None:
        raise DigestError(f"{folder} was altered after it was made", "what its stage made", "run that stage again")


def _moved(result: StageResult, folder: Path) -> StageResult:
    """The result as it reads when its output lies in `folder`."""
    artifacts = {
        name: artifact.model_copy(update={"path": folder / artifact.path.relative_to(result.folder)})
        for name, artifact in result.artifacts.items()
    }
    return result.model_copy(update={"artifacts": artifacts, "folder": folder})


def _make(
    output: Output, make: Callable[[Path, str], Made], final: Path, key: str, digests: Mapping[str, str]
) -> StageResult:
    output.root.mkdir(parents=True, exist_ok=True)
    with partial_place(final, is_folder=True) as folder:
        failpoints.reach("before_write")
        made = make(folder, key)
        result = StageResult(
            stage=output.stage,
            key=key,
            status="made",
            folder=final,
            metrics={name: float(value) for name, value in made.metrics.items()},
            artifacts={
                name: Artifact(path=final / file, sha256=sha256_of(folder / file)) for name, file in made.files.items()
            },
            details=dict(made.details),
            inputs=dict(digests),
        )
        # paths relative to the folder: wherever the output is made, its bytes are the same
        told = _moved(result, Path())
        (folder / RESULT_FILE).write_text(told.model_dump_json(indent=2) + "\n", encoding="utf-8")
        for path in folder.rglob("*"):
            _flush(path)
        failpoints.reach("before_rename")
        if (twins := read_result(final)) is not None:
            return twins
        shutil.rmtree(final, ignore_errors=True)  # altered after it was made
        folder.chmod(0o755)
        folder.rename(final)
        _flush(output.root)
        failpoints.reach("after_rename")
    return result


def _publish(output: Output, final: Path) -> None:
    _point(output.root / "latest", final.name)
    for file in output.publish:
        if (final / file).exists():
            _point(output.root / file, f"latest/{file}")
        else:
            (output.root / file).unlink(missing_ok=True)


def _point(link: Path, target: str) -> None:
    """Let the symbolic link `link` name `target`, in one step."""
    if link.is_symlink() and link.readlink() == Path(target):
        return
    temporary = link.with_name(f".{link.name}.{os.getpid()}.link")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)
