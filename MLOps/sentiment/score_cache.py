"""Probabilities of sentences that were computed before, by content, in append-only Parquet parts.

One folder holds what one model computed under one set of reading rules. A part is named by the digest of
its bytes and appears by a rename: one that is cut short or altered is known, processes that write at the
same time do not meet, and a part that two of them write twice is the same file.
"""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from MLOps.artifacts import written_whole
from MLOps.sentiment.scorer import LABELS, FloatArray

_SCHEMA = pa.schema(
    [
        ("content_sha256", pa.string()),  # of title and text
        ("probabilities", pa.list_(pa.float64())),  # of its sentences one after the other, three each
    ]
)
_LOG = logging.getLogger(__name__)


class ScoreCache:
    """What is known under one key.

    Parameters
    ----------
    folder : Path
        Of that key; other processes may add to it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> dict[str, FloatArray]:
        """(K, 3) probabilities by the content's digest; a broken part is told, removed and read over."""
        known: dict[str, FloatArray] = {}
        for part in sorted(self._folder.glob("*.parquet")):
            try:
                content = part.read_bytes()
            except FileNotFoundError:  # broken, and another process removed it since it was listed
                continue
            if hashlib.sha256(content).hexdigest() != part.stem:
                _LOG.warning("%s is broken; its articles are scored again", part)
                part.unlink(missing_ok=True)
                continue
            table = pq.read_table(pa.BufferReader(content), schema=_SCHEMA)
            for article, row in zip(*(table[name].to_pylist() for name in _SCHEMA.names), strict=True):
                known[article] = np.array(row, dtype=np.float64).reshape(-1, len(LABELS))
        return known

    def add(self, scored: Mapping[str, FloatArray]) -> None:
        """Keep what was scored, whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        contents = sorted(scored)
        rows = [scored[content].ravel().tolist() for content in contents]
        bytes_of_part = _parquet(pa.table([contents, rows], schema=_SCHEMA))
        name = hashlib.sha256(bytes_of_part).hexdigest()
        with written_whole(self._folder / f"{name}.parquet") as temporary:
            temporary.write_bytes(bytes_of_part)


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())
