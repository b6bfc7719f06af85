"""The signal-rate job in a folder of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from MLOps.settings.project import project_root

SCRIPT = project_root() / "pipelines" / "signal_rate" / "run_signal_rate.py"
NOBODY = 65_534


class SignalRateJob:
    """The job with a good input and a good configuration, until a test spoils them.

    With its window of 3 the rows give: no mean, no mean, a tie, above, above, below.
    """

    columns = "timestamp,open,high,low,close,volume_btc,volume_usd\n"
    closes = ("0.3", "0.1", "0.2", "0.9", "1.0", "0.1")

    def __init__(self, folder: Path) -> None:
        self.input, self.config = folder / "data.csv", folder / "config.yaml"
        self.output, self.log_file = folder / "metrics.json", folder / "run.log"
        self.input.write_text(self.table(*self.closes))
        self.configure()

    def table(self, *closes: str) -> str:
        """A CSV file with these closes."""
        return self.columns + "".join(f"2024-01-06 16:00:00,1,2,0,{close},5.5,6\n" for close in closes)

    def configure(self, window: int = 3, more: str = "") -> None:
        """Write the configuration with this window and further lines."""
        self.config.write_text(f"seed: 42\nwindow: {window}\nversion: v1\n{more}")

    @property
    def arguments(self) -> list[str]:
        flags = {"input": self.input, "config": self.config, "output": self.output, "log-file": self.log_file}
        return [text for name, path in flags.items() for text in (f"--{name}", str(path))]

    @property
    def command(self) -> list[str]:
        return [sys.executable, str(SCRIPT), *self.arguments]

    def start(self, **how: object) -> subprocess.CompletedProcess[str]:
        """Run it as a process."""
        return subprocess.run(self.command, **{"capture_output": True, "text": True, "check": False, **how})

    @property
    def log(self) -> list[str]:
        """Lines of the log."""
        return self.log_file.read_text().splitlines()


@pytest.fixture
def job(tmp_path: Path) -> SignalRateJob:
    return SignalRateJob(tmp_path)


@pytest.fixture
def plain_users_job() -> Iterator[SignalRateJob]:
    """The job of a user to whom a locked folder is locked: root, to whom none is, is nobody meanwhile."""
    is_root = os.geteuid() == 0
    with TemporaryDirectory() as name:  # pytest's own folders are closed to nobody
        folder = Path(name)
        folder.chmod(0o777)
        if is_root:
            os.seteuid(NOBODY)
        try:
            yield SignalRateJob(folder)
        finally:
            if is_root:
                os.seteuid(0)
