"""Figures, moments and lengths of time as people read them; a dash where there is none."""

from datetime import datetime

_DASH, _MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction in percent."""
    return _DASH if value is None else f"{value:.{digits}%}".replace("-", _MINUS)


def number(value: float | None, digits: int = 2) -> str:
    """A number with so many decimals."""
    return _DASH if value is None else f"{value:.{digits}f}".replace("-", _MINUS)


def signed(value: float, digits: int = 1) -> str:
    """A difference with its sign; none where nothing is left of it."""
    told = f"{value:+.{digits}f}"
    return told[1:] if float(told) == 0 else told.replace("-", _MINUS)


def times(value: float | None) -> str:
    """A multiple."""
    return _DASH if value is None else f"{value:.1f}\N{MULTIPLICATION SIGN}"


def moment(at: datetime | None) -> str:
    """A moment to the minute, UTC."""
    return _DASH if at is None else f"{at:%d %b %Y %H:%M}"


def duration(seconds: float | None) -> str:
    """Seconds up to two minutes, minutes up to two hours, else hours."""
    if seconds is None:
        return _DASH
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def plain(name: str) -> str:
    """A name of the code as words."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def count(amount: int, one: str, many: str = "") -> str:
    """So many of a thing."""
    return f"{amount} {one if amount == 1 else many or one + 's'}"
