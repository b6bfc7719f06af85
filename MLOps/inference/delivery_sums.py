"""What the ``SHA256SUMS`` of a delivery promises: a digest of each file, or two while another delivery replaces it."""

import re
from pathlib import Path

NETWORK_FILE, SETTINGS_FILE, SUMS_FILE = "model.onnx", "settings.json", "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")


def read_sums(folder: Path) -> dict[str, frozenset[str]]:
    """Digests that a delivery's files may have, by name; empty where it promises nothing.

    A file has several while it is replaced, or after an export was killed at that: the old version and the new one
    are whole and meant to lie there, and which of them does is seen by its digest.
    """
    try:
        lines = (folder / SUMS_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return {}
    promised: dict[str, frozenset[str]] = {}
    for line in lines:
        if match := _LINE.fullmatch(line):
            promised[match[2]] = promised.get(match[2], frozenset()) | {match[1]}
    return promised


def sums_text(promised: dict[str, frozenset[str]]) -> str:
    """``SHA256SUMS`` as ``sha256sum`` writes it, by file and digest."""
    return "".join(f"{digest}  {file}\n" for file, digests in sorted(promised.items()) for digest in sorted(digests))
