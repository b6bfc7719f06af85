"""Programs are taken from the machine, else out of Debian's packages; what is missing is told in one line."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deployment.local_services import debian_programs
from deployment.local_services.debian_programs import PROGRAMS, Program, find_programs, require_programs
from MLOps.errors import ServiceUnavailableError

TOOLS = "/usr/bin:/bin"
DPKG = shutil.which("dpkg-deb", path=TOOLS) or ""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """Where packages are unpacked; not there yet."""
    return tmp_path / "programs"


def _put(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def _package(folder: Path, build: Path) -> None:
    """A real Debian package that holds all programs."""
    for name in PROGRAMS:
        _put(build / "usr" / "bin" / name)
    (build / "usr" / "share" / "prometheus").mkdir(parents=True)
    (build / "DEBIAN").mkdir()
    (build / "DEBIAN" / "control").write_text(
        "Package: prometheus\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: none\n"
    )
    subprocess.run([DPKG, "--build", build, folder / "all.deb"], env={"PATH": TOOLS}, check=True, capture_output=True)


def test_nothing_is_found_on_an_empty_machine(machine: Path, unpacked: Path) -> None:  # noqa: ARG001
    assert find_programs(unpacked) == {}


def test_an_installed_program_is_started_as_it_is(machine: Path, unpacked: Path) -> None:
    _put(unpacked / "usr/bin/prometheus")
    path = _put(machine / "prometheus")
    found = find_programs(unpacked)["prometheus"]
    assert found.command("--version") == (str(path), "--version")


def test_a_program_under_its_makers_name_is_taken(machine: Path, unpacked: Path) -> None:
    path = _put(machine / "alertmanager")
    assert find_programs(unpacked) == {"prometheus-alertmanager": Program(path)}


@pytest.mark.usefixtures("machine")
def test_an_unpacked_server_sees_the_unpacked_share(unpacked: Path) -> None:
    server, tool = _put(unpacked / "usr/bin/prometheus"), _put(unpacked / "usr/bin/promtool")
    found = find_programs(unpacked)
    command = found["prometheus"].command("--version")
    assert command[0] == "unshare"
    assert command[-3:] == (str(unpacked / "usr/share"), str(server), "--version")
    assert found["promtool"].command("--version") == (str(tool), "--version")


def test_an_unpacked_server_finds_its_files_where_they_would_be_installed(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-Urm", "true"], check=False).returncode != 0:
        pytest.skip("this machine gives nobody but root a mount namespace")
    share = tmp_path / "a place" / "share"
    share.mkdir(parents=True)
    (share / "template").write_text("hello")
    program = Program(_put(tmp_path / "server", 'cat "/usr/share/$1"'), share)
    ended = subprocess.run(program.command("template"), capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("hello", "")


@pytest.mark.skipif(not DPKG, reason="dpkg-deb is not installed")
def test_packages_are_unpacked_whole(machine: Path, unpacked: Path, tmp_path: Path) -> None:
    _package(tmp_path, tmp_path / "build")
    _put(machine / "dpkg-deb", f'PATH={TOOLS} exec {DPKG} "$@"')
    _put(machine / "apt-get", f'PATH={TOOLS} exec cp "{tmp_path}/all.deb" .')
    assert set(require_programs(unpacked)) == set(PROGRAMS)
    assert sorted(path.name for path in unpacked.iterdir()) == ["usr"]
    _put(machine / "apt-get", "exit 1")
    assert set(require_programs(unpacked)) == set(PROGRAMS), "nothing is fetched twice"


@pytest.mark.parametrize(
    ("apt", "told"),
    [
        (None, "apt-get is not here"),
        ("echo 'W: something' >&2; echo 'E: Unable to locate package prometheus' >&2; exit 100", "E: Unable to locate"),
        ("exit 100", "no message"),
    ],
    ids=["no apt", "no such package", "silent"],
)
def test_what_cannot_be_fetched_is_told_in_one_line(
    machine: Path,
    unpacked: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    apt: str,
    told: str,
) -> None:
    if apt is not None:
        _put(machine / "apt-get", apt)
    monkeypatch.setattr(debian_programs, "programs_folder", lambda: unpacked)
    assert debian_programs.main() == ServiceUnavailableError.exit_code
    *_, line = capfd.readouterr().err.splitlines()
    assert told in line
    assert "apt-get install" in line
    assert not unpacked.exists()
    assert list(unpacked.parent.glob(".*.partial")) == []
