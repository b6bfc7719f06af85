"""Prometheus, the Pushgateway, Alertmanager and their tools: installed ones, else Debian's, unpacked without root.

Run: ``python -m deployment.local_services.debian_programs`` to fetch what is missing and tell where each lies.

Debian's programs look for their pages and templates below /usr/share. An unpacked one is therefore started in a
mount namespace of its own, in which /usr/share is the unpacked folder; nothing else on the machine sees that.
"""

import logging
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from MLOps.errors import PlatformError, ServiceUnavailableError
from MLOps.partial_places import partial_place
from MLOps.settings.project import project_root

_LOG = logging.getLogger(__name__)

SERVERS = ("prometheus", "prometheus-pushgateway", "prometheus-alertmanager")
PROGRAMS = (*SERVERS, "promtool", "amtool")
_OTHER_NAMES = {"prometheus-pushgateway": "pushgateway", "prometheus-alertmanager": "alertmanager"}  # outside Debian
_PAGE_PACKAGES = (  # scripts and fonts of their web pages
    "fonts-glyphicons-halflings",
    "libjs-bootstrap4",
    "libjs-d3",
    "libjs-eonasdan-bootstrap-datetimepicker",
    "libjs-jquery",
    "libjs-jquery-hotkeys",
    "libjs-moment",
    "libjs-moment-timezone",
    "libjs-mustache",
    "libjs-popper.js",
    "libjs-rickshaw",
)
_WITH_ITS_OWN_SHARE = 'mount --bind "$0" /usr/share && exec "$@"'


@dataclass(frozen=True)
class Program:
    """A program that can be started.

    Attributes
    ----------
    path : Path
        Its file.
    share : Path or None
        What it must see as /usr/share; None where it is installed.
    """

    path: Path
    share: Path | None = None

    def command(self, *arguments: str) -> tuple[str, ...]:
        """Its command line; where it is only unpacked, in a mount namespace that needs no root."""
        if self.share is None:
            return (str(self.path), *arguments)
        namespace = ("unshare", "--user", "--map-root-user", "--mount")
        return (*namespace, "sh", "-c", _WITH_ITS_OWN_SHARE, str(self.share), str(self.path), *arguments)


def programs_folder() -> Path:
    """Where Debian's packages are unpacked."""
    return project_root() / ".programs"


def find_programs(folder: Path) -> dict[str, Program]:
    """The programs that are installed or were unpacked into `folder`, by Debian's names."""
    return {name: found for name in PROGRAMS if (found := _find(name, folder)) is not None}


def _find(name: str, folder: Path) -> Program | None:
    installed = shutil.which(name) or shutil.which(_OTHER_NAMES.get(name, name))
    if installed is not None:
        return Program(Path(installed))
    unpacked = folder / "usr" / "bin" / name
    if not unpacked.is_file():
        return None
    return Program(unpacked, folder / "usr" / "share" if name in SERVERS else None)


def require_programs(folder: Path) -> dict[str, Program]:
    """All programs; what is missing is fetched from Debian's archive and unpacked into `folder`.

    Raises
    ------
    ServiceUnavailableError
        If they cannot be fetched.
    """
    if len(found := find_programs(folder)) == len(PROGRAMS):
        return found
    _fetch(folder)
    return find_programs(folder)


def _fetch(folder: Path) -> None:
    """Download and unpack the packages, whose digests apt checks; `folder` appears whole or not at all."""
    _LOG.info("fetching %s from Debian's archive (37 MB)", ", ".join(SERVERS))
    with partial_place(folder, is_folder=True) as place:
        downloads = place / "packages"
        downloads.mkdir()
        _download(SERVERS, downloads)
        try:
            _download(_PAGE_PACKAGES, downloads)
        except ServiceUnavailableError as error:
            _LOG.warning("the services' web pages will lack their scripts: %s", error)
        for package in sorted(downloads.glob("*.deb")):
            _run(["dpkg-deb", "-x", str(package), str(place)], place)
        shutil.rmtree(downloads)
        shutil.rmtree(folder, ignore_errors=True)
        place.chmod(0o755)
        place.replace(folder)


def _download(packages: Sequence[str], folder: Path) -> None:
    _run(["apt-get", "download", "--quiet", *packages], folder)


def _run(command: Sequence[str], cwd: Path) -> None:
    advice = f"install {', '.join(SERVERS)} (apt-get install, as root), or put them on PATH"
    try:
        ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ServiceUnavailableError(f"{command[0]} is not here, so nothing can be fetched", mend=advice) from error
    if ended.returncode != 0:
        told = [line for line in ended.stderr.splitlines() if line.startswith("E:")] or ["no message"]
        raise ServiceUnavailableError(f"{' '.join(command[:2])}: {told[0]}", mend=f"apt-get update, or {advice}")


def main() -> int:
    """Fetch what is missing and tell where each program lies."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    try:
        programs = require_programs(programs_folder())
    except PlatformError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    for name, program in programs.items():
        print(f"{name:<24} {program.path}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
