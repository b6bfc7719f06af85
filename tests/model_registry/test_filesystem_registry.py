"""The filesystem registry's lock: held by every writer, so that nothing can name a version that goes meanwhile."""

from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from model_registry import filesystem_registry
from model_registry.open_registry import open_registry
from model_registry.verdict import Verdict

NAME = "stock_trading"


@pytest.mark.parametrize("write", ["set_alias", "store_verdict"])
def test_writer_holds_the_lock_until_it_has_written(
    registry_settings: Callable[..., object],
    make_model: Callable[[float], Path],
    make_verdict: Callable[..., Verdict],
    monkeypatch: pytest.MonkeyPatch,
    tracked_workspace: Path,
    write: str,
) -> None:
    registry = open_registry(registry_settings("filesystem"))  # type: ignore[arg-type]
    version = registry.register(make_model(0.1), NAME, {})
    verdict = make_verdict(version.digest, None, passed=True)
    lock = tracked_workspace / "models" / "registry" / NAME / ".lock"
    written = []

    def note(path: Path, _text: str) -> None:
        with pytest.raises(Timeout):
            FileLock(lock).acquire(timeout=0)
        written.append(path)

    monkeypatch.setattr(filesystem_registry, "write_text", note)
    if write == "set_alias":
        registry.set_alias(NAME, "champion", version.version)
    else:
        registry.store_verdict(version, verdict)
    assert len(written) == 1
    with FileLock(lock, timeout=0):
        assert len(registry.versions(NAME)) == 1
