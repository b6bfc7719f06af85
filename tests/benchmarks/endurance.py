"""What a long run showed."""

from dataclasses import dataclass
from typing import Any, Protocol

from machine import resident_mib

_ALLOWED_GROWTH_MIB = 16.0


class NotSoundError(Exception):
    """A long run broke what it was to show."""


@dataclass(frozen=True)
class Endured:
    """What a long run found.

    Attributes
    ----------
    check : str
        What held to the end.
    findings : tuple of str
        What to print, a line each.
    figures : mapping
        Each with its unit in its name.
    """

    check: str
    findings: tuple[str, ...]
    figures: dict[str, Any]


class Endures(Protocol):
    """What the module of a long run offers."""

    def __call__(self, *, is_quick: bool) -> Endured:
        """Run; `NotSoundError` or `NotEqualError` if something broke."""


class Memory:
    """Resident memory along a run; the first look comes when the run is warm."""

    def __init__(self) -> None:
        self._seen_mib = [resident_mib()]

    def look(self) -> None:
        """Note what is resident now.

        Raises
        ------
        NotSoundError
            If it has grown by more than 16 MiB since the first look.
        """
        self._seen_mib.append(resident_mib())
        if self.growth_mib > _ALLOWED_GROWTH_MIB:
            raise NotSoundError(f"memory grew from {self._seen_mib[0]:.0f} to {self._seen_mib[-1]:.0f} MiB")

    @property
    def growth_mib(self) -> float:
        """Since the first look."""
        return self._seen_mib[-1] - self._seen_mib[0]

    def figures(self) -> dict[str, float]:
        """Of the first look and the last, and the greatest."""
        first, *_, last = self._seen_mib
        return {"resident_mib_first": first, "resident_mib_last": last, "resident_mib_greatest": max(self._seen_mib)}

    def in_words(self) -> str:
        """For a person."""
        return f"memory: {self._seen_mib[0]:,.0f} MiB warm, {self._seen_mib[-1]:,.0f} MiB in the end"
