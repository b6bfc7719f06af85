"""The package index is read as pip reads it: files first, variables over them."""

import ensurepip
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Never

import pytest

from MLOps.package_archive.pip_config import read_pip_config


def _written(folder: Path, text: str) -> Path:
    path = folder / "pip.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _index_of_pip_itself() -> str:
    """What the pip that Python brings along asks by default; a distribution may keep it in a folder of its own."""
    folder = sysconfig.get_config_var("WHEEL_PKG_DIR") or Path(ensurepip.__file__).parent / "_bundled"
    wheel = max(Path(folder).glob("pip-*.whl"))
    code = "import sys; sys.path.insert(0, sys.argv[1]); from pip._internal.models.index import PyPI as index"
    command = [sys.executable, "-I", "-c", f"{code}; print(index.simple_url)", str(wheel)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_without_configuration_it_is_pips_own_and_nobody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Never:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    index = read_pip_config({"PIP_CONFIG_FILE": "/dev/null", "HOME": str(tmp_path)})
    (url,) = index.index_urls
    assert url.rstrip("/") == _index_of_pip_itself()
    assert index.find_links == index.trusted_hosts == ()
    assert index.certificate is None


def test_a_configured_folder_does_not_replace_the_index(tmp_path: Path) -> None:
    nothing = {"PIP_CONFIG_FILE": "/dev/null", "HOME": str(tmp_path)}
    index = read_pip_config(nothing | {"PIP_FIND_LINKS": "/archives"})
    assert index.index_urls == read_pip_config(nothing).index_urls
    assert index.find_links == ("/archives",)


def test_the_users_file_counts(tmp_path: Path) -> None:
    _written(tmp_path / ".config" / "pip", "[global]\nindex-url = https://mirror/simple\ncert = /ca.pem\n")
    index = read_pip_config({"HOME": str(tmp_path)})
    assert index.index_urls[0] == "https://mirror/simple"
    assert index.certificate == "/ca.pem"


def test_lists_take_several_lines_and_the_download_section_wins(tmp_path: Path) -> None:
    text = (
        "[global]\nfind_links = /a\n[download]\nfind-links =\n    /b\n    /c\nextra-index-url = https://x https://y\n"
    )
    index = read_pip_config({"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(_written(tmp_path, text))})
    assert index.find_links == ("/b", "/c")
    assert index.index_urls[-2:] == ("https://x", "https://y")


def test_variables_win_over_files(tmp_path: Path) -> None:
    file = _written(tmp_path, "[global]\nindex-url = https://mirror/simple\n")
    environment = {"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(file), "PIP_INDEX_URL": "https://other/simple"}
    assert read_pip_config(environment).index_urls[0] == "https://other/simple"


def test_no_index_leaves_the_folders_only() -> None:
    environment = {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/archives"}
    index = read_pip_config(environment)
    assert index.index_urls == ()
    assert index.find_links == ("/archives",)
