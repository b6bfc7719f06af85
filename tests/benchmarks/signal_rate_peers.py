"""pandas and polars over one table, each in its own interpreter, warm."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from peer_process import PeerProcess, peer_process

BoolArray = npt.NDArray[np.bool_]
_SCRIPT = Path(__file__).parent / "dataframes_peer.py"


class DataFrames:
    """The libraries of one environment.

    Attributes
    ----------
    signals : dict of str to numpy.ndarray
        (rows,) what each way decides.
    versions : dict of str to str
        Of the libraries.
    runs : list of dict of str to dict
        ``seconds`` and ``cpu_seconds`` of each run so far, by way.
    """

    def __init__(self, process: PeerProcess, signals: dict[str, BoolArray]) -> None:
        self.signals, self.versions = signals, process.greeting
        self._process = process
        self.runs: list[dict[str, dict[str, float]]] = []

    def run(self) -> None:
        """Let each way run once more."""
        self.runs.append(self._process.run())

    def seconds(self, way: str) -> float:
        """Median of the runs so far."""
        return median(run[way]["seconds"] for run in self.runs)

    def cpu_seconds(self, way: str) -> float:
        """Processor time, which a busy machine bends less: the least of the runs so far."""
        return min(run[way]["cpu_seconds"] for run in self.runs)

    def named(self, way: str) -> str:
        """The library and its version."""
        library = way.partition("_")[0]
        return f"{library} {self.versions[library]}"


@contextmanager
def data_frames(python: Path, table: Path, window: int, ways: Sequence[str]) -> Iterator[DataFrames]:
    """Start an environment's libraries over `table`; they end with the context."""
    with TemporaryDirectory() as folder:
        arguments = [table, str(window), folder, *ways]
        with peer_process(python, _SCRIPT, arguments) as process:
            signals = {way: np.load(Path(folder, f"{way}.npy")).astype(bool) for way in ways}
            yield DataFrames(process, signals)
