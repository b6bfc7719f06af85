"""The blocks of a page as HTML: tiles, tables, alerts, notes, and what stands where there is nothing yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from jinja2 import Environment

Tone = Literal["", "good", "bad", "note", "model", "quiet"]


@dataclass(frozen=True)
class Tile:
    """A figure with its caption, and a line below it."""

    caption: str
    value: str
    note: str = ""
    tone: Tone = ""


@dataclass(frozen=True)
class Chip:
    """A word in a coloured pill."""

    text: str
    tone: Tone = "quiet"


Cell = str | tuple[Chip, ...]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    title : str
    look : str
        Words among `number` (to the right), `short` (never broken), `strong`, and `minor` (left out on a phone).
    """

    title: str
    look: str = ""


@dataclass(frozen=True)
class AlertBox:
    """An alert as a page shows it."""

    name: str
    state: str
    tone: Tone
    when: str
    subject: str
    message: str
    action: str
    log_url: str


def style() -> str:
    """The style that every page begins with."""
    return _environment().get_template("style.html.j2").render()


def heading(title: str, lead: str = "", badge: str = "") -> str:
    """What a page is headed by."""
    return _block("heading", title, lead, badge)


def section(title: str, lead: str = "") -> str:
    """What a part of a page is headed by."""
    return _block("section", title, lead)


def tiles(items: Sequence[Tile]) -> str:
    """Tiles in a grid."""
    return _block("tiles", items)


def notes(lines: Sequence[str], tone: Tone = "note") -> str:
    """What a reader must know."""
    return _block("notes", lines, tone)


def empty(title: str, text: str, command: str = "") -> str:
    """What stands in place of what is not there yet, and the command that makes it."""
    return _block("empty", title, text, command)


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> str:
    """A table; every row has a cell for each column."""
    return _block("table", columns, rows)


def alerts(boxes: Sequence[AlertBox]) -> str:
    """Alerts, one below the other."""
    return _block("alerts", boxes)


def _block(name: str, *arguments: object) -> str:
    return str(getattr(_environment().get_template("blocks.html.j2").module, name)(*arguments))


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
