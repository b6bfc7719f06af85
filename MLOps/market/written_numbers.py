"""Decimal numbers as they are written, digit by digit: no float comes between."""

import re
from typing import NamedTuple

MOST_DIGITS = 1_100  # before the point and after it; every float64, written out, has fewer
_NUMBER = re.compile(r"[ \t]*([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,9}))?[ \t]*", re.ASCII)


class WrittenNumber(NamedTuple):
    """The number ``digits / 10**decimals``; `decimals` is negative where zeros follow the digits."""

    digits: int
    decimals: int


def written_number(text: str) -> WrittenNumber | None:
    """The number that `text` says in ASCII, as ``-12.50``, ``.5``, ``5.`` or ``1e-3``, with blanks around it.

    None if it says no finite number.

    Raises
    ------
    OverflowError
        If more than `MOST_DIGITS` lie on one side of the point.
    """
    found = _NUMBER.fullmatch(text)
    if not found:
        return None
    sign, whole, fraction, exponent = found.groups(default="")
    if not (whole or fraction):
        return None
    moved = int(exponent or 0)
    if max(len(whole) + moved, len(fraction) - moved) > MOST_DIGITS:
        raise OverflowError(f"more than {MOST_DIGITS} digits on one side of the point")
    digits = int(whole + fraction)
    return WrittenNumber(-digits if sign == "-" else digits, len(fraction) - moved)
