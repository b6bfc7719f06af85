"""How a command ends: one line of JSON for a machine, a few readable lines where standard output is a terminal."""

import json
import math
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from MLOps.stage import Scalar, StageResult

_DIGESTS = re.compile(r"[0-9a-f]{64}(,[0-9a-f]{64})*")
_SHOWN = 300  # characters of a fact
_WIDTH = 100  # columns
_TIED = "\N{NO-BREAK SPACE}"  # between what is not to be parted by the end of a line
_METRICS = 12  # figures that are shown; the JSON has all


def print_told(told: Mapping[str, Any], lines: Sequence[str]) -> None:
    """Print `lines` on a terminal, else `told` as one line of JSON in ASCII, which every standard output takes."""
    text = "\n".join(lines) if sys.stdout.isatty() else json.dumps(told)
    encoding = sys.stdout.encoding or "ascii"
    print(text.encode(encoding, "replace").decode(encoding), flush=True)  # noqa: T201


def result_lines(result: StageResult) -> list[str]:
    """A stage's result for a person: where its files lie, and what came out; no digests."""
    made = "made" if result.status == "made" else "was already made"
    files = [
        str(path.relative_to(result.folder) if path.is_relative_to(result.folder) else path)
        for path in dict.fromkeys(artifact.path for artifact in result.artifacts.values())
    ]
    facts = {name: text for name, value in result.details.items() if (text := _fact(value))}
    return [
        f"{result.stage}: {made} ({result.seconds:.1f} s)",
        *told_lines({"folder": str(result.folder), "files": ", ".join(files), **facts}),
        *told_lines({"figures": _figures(result.metrics)}),
    ]


def told_lines(facts: Mapping[str, str]) -> list[str]:
    """``name: text`` of each fact that there is, indented and wrapped; a path stays whole, beside its name."""
    return [line for name, text in facts.items() if text for line in _wrapped(name, text)]


def _wrapped(name: str, text: str) -> list[str]:
    """A fact in lines of `_WIDTH` columns, between whose words alone they break."""
    head, *rest = text.split(" ")
    lines = textwrap.wrap(
        " ".join([f"{name}:{_TIED}{head}", *rest]),
        _WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_TIED, " ") for line in lines]


def _fact(value: Scalar) -> str:
    if value is None or (isinstance(value, str) and _DIGESTS.fullmatch(value)):
        return ""
    text = " ".join(str(value).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _figures(metrics: Mapping[str, float]) -> str:
    shown = [f"{name}{_TIED}{_number(value)}" for name, value in list(metrics.items())[:_METRICS]]
    if more := len(metrics) - len(shown):
        shown.append(f"and {more} more")
    return ", ".join(shown)


def _number(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) and value == round(value) else f"{value:.4g}"
