"""How a command ends: JSON for machines, a few lines for a person at a terminal."""

import io
import json
from pathlib import Path

import pytest

from experiment_tracking.told_result import print_told, result_lines, told_lines
from MLOps.stage import Artifact, StageResult

FOLDER = Path("/srv/reports/decisions/btc-0123")
RESULT = StageResult(
    stage="infer_crypto_timing",
    key="0123",
    status="already_made",
    folder=FOLDER,
    metrics={"decisions": 4296.0, "advantage_bps": -3.6049, "nothing": float("nan")},
    artifacts={
        "decisions": Artifact(path=FOLDER / "decisions.csv", sha256="a" * 64),
        "copy": Artifact(path=Path("/elsewhere/copy.csv"), sha256="b" * 64),
    },
    details={"newest": "hold at\n9,000", "digest": "c" * 64, "version": None, "is_replay": True, "long": "x" * 400},
    inputs={"bars": "d" * 64},
    seconds=1.26,
)


class Terminal(io.TextIOWrapper):
    """Standard output that a person looks at."""

    def isatty(self) -> bool:
        return True


def test_person_reads_where_the_files_lie_and_what_came_out() -> None:
    assert result_lines(RESULT) == [
        "infer_crypto_timing: was already made (1.3 s)",
        "  folder: /srv/reports/decisions/btc-0123",
        "  files: decisions.csv, /elsewhere/copy.csv",
        "  newest: hold at 9,000",
        "  is_replay: True",
        f"  long: {'x' * 300}...",
        "  figures: decisions 4,296, advantage_bps -3.605, nothing nan",
    ]


def test_many_figures_are_counted_and_long_lines_wrapped() -> None:
    many = RESULT.model_copy(update={"metrics": {f"figure_number_{number}": 0.5 for number in range(30)}})
    assert " ".join(line.strip() for line in result_lines(many)).endswith("figure_number_11 0.5, and 18 more")
    assert not [line for line in result_lines(many) if line.startswith("    0.5")]  # a figure stays with its name
    assert max(len(line) for line in result_lines(many) if "x" * 300 not in line) <= 100
    path = f"/with-hyphens/{'y' * 120}"
    assert told_lines({"empty": "", "path": path}) == [f"  path: {path}"]


@pytest.mark.parametrize(
    ("encoding", "expected"), [("utf-8", "  coin: \u20bf\n"), ("ascii", "  coin: ?\n")], ids=["utf-8", "ascii"]
)
def test_terminal_gets_lines_whatever_its_encoding(
    encoding: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.BytesIO()
    monkeypatch.setattr("sys.stdout", Terminal(screen, encoding=encoding))
    print_told({"coin": "\u20bf"}, told_lines({"coin": "\u20bf"}))
    assert screen.getvalue().decode(encoding) == expected


def test_anything_else_gets_one_line_of_json(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(pipe, encoding="ascii"))
    print_told({"coin": "\u20bf"}, ["nothing of this"])
    assert pipe.getvalue().endswith(b"\n")
    assert json.loads(pipe.getvalue()) == {"coin": "\u20bf"}
