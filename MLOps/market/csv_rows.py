"""What a row of a CSV file with closes may look like, and its close, read row by row.

Fields are separated by commas and may be quoted as in RFC 4180; lines end with a line feed, before which a
carriage return may stand. Each row has as many fields as the header: an empty line is a row without a field.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from pathlib import Path

from MLOps.errors import DataError
from MLOps.market.scaled_decimals import ScaledDecimals, from_decimals

_NAME = "close"
_BATCH_ROWS = 65_536
_NUMBER = re.compile(r"[ \t]*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?)[ \t]*")
_MOST_DIGITS = 1_100  # every float64, written out, has fewer on either side of the point
_ALLOWED = "a finite number of at least 0"


@dataclass(frozen=True)
class CloseColumn:
    """The column ``close`` of a file with `count` columns; `place` counts from 0."""

    source: Path
    count: int
    place: int

    @classmethod
    def among(cls, names: Sequence[str], source: Path) -> "CloseColumn":
        """The column of that name.

        Raises
        ------
        DataError
            If no name is ``close``, or several are.
        """
        if len(names) == 1 and names[0] != _NAME:
            raise DataError(f"{source} is not a CSV file: its first line has no comma", "columns separated by commas")
        if names.count(_NAME) != 1:
            found = "several columns" if _NAME in names else "no column"
            raise DataError(f"{source} has {found} {_NAME!r} among {', '.join(names)}", f"one column {_NAME!r}")
        return cls(source, len(names), names.index(_NAME))

    def number(self, fields: Sequence[str], row: int) -> Decimal:
        """The close of data row `row`, which counts from 1.

        Raises
        ------
        DataError
            If the row is ragged, or its close not a finite number of at least 0.
        """
        if len(fields) != self.count:
            raise DataError(f"{self.source}: data row {row} has {len(fields)} fields", f"{self.count}, as the header")
        found = _NUMBER.fullmatch(fields[self.place])
        number = Decimal(found[1]) if found else Decimal(-1)
        if number < 0:
            raise DataError(f"{self.source}: close={fields[self.place]!r} in data row {row}", _ALLOWED)
        if max(number.adjusted(), -int(number.as_tuple().exponent)) > _MOST_DIGITS:
            place = f"{self.source}: close={fields[self.place][:50]!r} in data row {row}"
            raise DataError(f"{place} has too many digits", f"at most {_MOST_DIGITS} before and after the point")
        return number


def read_rows(blocks: Iterable[bytes], column: CloseColumn, rows_before: int) -> Iterator[ScaledDecimals]:
    """The closes of the rows in `blocks`, which follow `rows_before` others.

    Raises
    ------
    DataError
        If a row is not encoded in UTF-8, wrongly quoted or ragged, or its close is not a number as above.
    """
    rows = csv.reader((line.decode("utf-8") for block in blocks for line in BytesIO(block)), strict=True)
    numbers: list[Decimal] = []
    row = rows_before
    try:
        for row, fields in enumerate(rows, rows_before + 1):
            numbers.append(column.number(fields, row))
            if len(numbers) == _BATCH_ROWS:
                yield from_decimals(numbers)
                numbers = []
    except csv.Error as error:
        raise DataError(f"{column.source}: data row {row + 1}: {error}", "a row of CSV") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{column.source}: data row {row + 1} is not encoded in UTF-8", "CSV in UTF-8") from error
    if numbers:
        yield from_decimals(numbers)
