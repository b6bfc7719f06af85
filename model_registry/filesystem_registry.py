"""A model registry in a folder: no server, no database.

    <root>/<name>/versions/<n>/version.json     what was registered
                               model/           the model's files
                               verdicts/<key>.json
    <root>/<name>/aliases/<alias>               holds a version's number

Writers of one name wait for each other at a lock that the system frees when its holder dies. Readers
take no lock: every file and folder appears whole, by a rename.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock

from MLOps.artifacts import write_text
from MLOps.errors import RegistryError
from MLOps.inference.model_files import check_digest, model_digest
from model_registry.registry import (
    ModelVersion,
    check_alias,
    check_binding,
    check_name,
    check_removable,
    is_name,
    unknown_version,
)
from model_registry.verdict import Verdict

_PARTIAL = ".partial"


class FilesystemRegistry:
    """Model versions below one folder; see the module for its layout."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def register(self, folder: Path, name: str, tags: Mapping[str, str], run_id: str = "") -> ModelVersion:
        digest = model_digest(folder)
        with self._lock(name):
            for version in self.versions(name):
                if version.digest == digest:
                    return version
            version = ModelVersion(name, self._next_number(name), digest, run_id, dict(tags))
            self._write(folder, version)
        return version

    def set_alias(self, name: str, alias: str, version: int) -> None:
        file = self._alias_file(name, alias)
        with self._lock(name):  # so that the version is not removed before the alias protects it
            self.by_version(name, version)
            write_text(file, f"{version}\n")

    def by_alias(self, name: str, alias: str) -> ModelVersion | None:
        path = self._alias_file(name, alias)
        return self.by_version(name, _number_in(path)) if path.is_file() else None

    def by_version(self, name: str, version: int) -> ModelVersion:
        found = _read(self._folder(name, version))
        if found is None:
            raise unknown_version(name, version)
        return found

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(path.parent.name for path in self._root.glob("*/versions") if is_name(path.parent.name)))

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        found = [_read(self._folder(name, number)) for number in self._numbers(name)]
        return tuple(version for version in found if version is not None)

    def aliases(self, name: str) -> dict[str, int]:
        folder = self._home(name) / "aliases"
        return {path.name: _number_in(path) for path in sorted(folder.glob("[!.]*"))}

    def store_verdict(self, version: ModelVersion, verdict: Verdict) -> None:
        check_binding(version, verdict)
        with self._lock(version.name):
            folder = self._folder(version.name, self.by_version(version.name, version.version).version)
            write_text(folder / "verdicts" / f"{verdict.key}.json", verdict.model_dump_json(indent=2) + "\n")

    def verdicts(self, version: ModelVersion) -> tuple[Verdict, ...]:
        files = (self._folder(version.name, version.version) / "verdicts").glob("[!.]*.json")
        found = [Verdict.model_validate_json(path.read_bytes()) for path in files]
        return tuple(sorted(found, key=lambda verdict: (str(verdict.as_of or ""), verdict.key)))

    def fetch(self, version: ModelVersion) -> Path:
        kept = self.by_version(version.name, version.version)
        folder = self._folder(kept.name, kept.version) / "model"
        check_digest(folder, version.digest)
        return folder

    def remove(self, version: ModelVersion) -> None:
        with self._lock(version.name):
            check_removable(version, self.aliases(version.name), self.verdicts(version))
            folder = self._folder(version.name, version.version)
            (folder / "version.json").unlink(missing_ok=True)  # from here on no reader sees the version
            for path in folder.iterdir():
                shutil.rmtree(path)  # the empty folder stays and keeps the number

    def _write(self, source: Path, version: ModelVersion) -> None:
        final = self._folder(version.name, version.version)
        for abandoned in final.parent.glob(f"*{_PARTIAL}"):
            shutil.rmtree(abandoned)  # the lock is ours, so whoever began it is gone
        partial = final.with_name(final.name + _PARTIAL)
        try:
            shutil.copytree(source, partial / "model")
            check_digest(partial / "model", version.digest)
            write_text(partial / "version.json", json.dumps(asdict(version), indent=2, sort_keys=True) + "\n")
            partial.rename(final)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _lock(self, name: str) -> FileLock:
        home = self._home(name)
        (home / "versions").mkdir(parents=True, exist_ok=True)
        return FileLock(home / ".lock")

    def _next_number(self, name: str) -> int:
        return max(self._numbers(name), default=0) + 1

    def _numbers(self, name: str) -> list[int]:
        folder = self._home(name) / "versions"
        return sorted(int(path.name) for path in folder.glob("*") if path.name.isdecimal())

    def _home(self, name: str) -> Path:
        return self._root / check_name(name)

    def _folder(self, name: str, version: int) -> Path:
        return self._home(name) / "versions" / str(int(version))

    def _alias_file(self, name: str, alias: str) -> Path:
        return self._home(name) / "aliases" / check_alias(alias)


def _read(folder: Path) -> ModelVersion | None:
    try:
        text = (folder / "version.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return ModelVersion(**json.loads(text))


def _number_in(path: Path) -> int:
    text = path.read_text(encoding="utf-8").strip()
    if not text.isdecimal():
        raise RegistryError(f"{path} holds {text[:20]!r}", "a version's number", "set the alias again")
    return int(text)
