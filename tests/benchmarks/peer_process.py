"""A peer in an interpreter of another environment, which times itself when it is asked to."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from MLOps.settings.project import project_root


class PeerProcess:
    """Speaks with a script that writes one JSON line once it is warm, and one for each line it reads."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.greeting = self._answer()

    def run(self) -> dict[str, Any]:
        """Let it run once; gives its figures."""
        assert self._process.stdin is not None
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise RuntimeError(f"the peer ended with status {self._process.wait()}; its words stand above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def peer_process(python: Path, script: Path, arguments: Sequence[Path | str]) -> Iterator[PeerProcess]:
    """Start a script; it ends with the context."""
    command = list(map(str, [python, script, *arguments]))
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield PeerProcess(process)
    finally:
        process.kill()
        process.communicate()


def installed_peer(name: str) -> Path:
    """The interpreter of a peer's own environment, made by the Makefile if it is not there yet.

    Raises
    ------
    subprocess.CalledProcessError
        If it cannot be installed.
    """
    root = project_root()
    subprocess.run(["make", "--silent", f".bench/{name}/.stamp"], cwd=root, check=True)
    return root / ".bench" / name / "bin" / "python"
