"""What a row of a CSV file with closes may look like, and its close, read row by row.

Fields are separated by commas and may be quoted as in RFC 4180; lines end with a line feed, before which a
carriage return may stand. Each row has as many fields as the header: an empty line is a row without a field.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from reprlib import repr as shortened

from MLOps.errors import DataError
from MLOps.market.csv_blocks import LEAD, MOST_CHARACTERS
from MLOps.market.scaled_decimals import ScaledDecimals, from_written
from MLOps.market.written_numbers import WrittenNumber, written_number

_NAME = "close"
_BATCH_ROWS = 65_536


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

    def number(self, fields: Sequence[str], row: int) -> WrittenNumber:
        """The close of data row `row`, which counts from 1.

        Raises
        ------
        DataError
            If the row is ragged, or its close not a finite number of at least 0.
        """
        if len(fields) != self.count:
            raise DataError(f"{self.source}: data row {row} has {len(fields)} fields", f"{self.count}, as the header")
        try:
            number = written_number(fields[self.place])
        except OverflowError as error:
            raise DataError(f"{self._said(fields, row)} has {error}", "fewer digits") from error
        if number is None or number.digits < 0:
            raise DataError(self._said(fields, row), "a finite number of at least 0")
        return number

    def _said(self, fields: Sequence[str], row: int) -> str:
        return f"{self.source}: {_NAME}={shortened(fields[self.place])} in data row {row}"


def read_rows(blocks: Iterable[bytearray], column: CloseColumn, rows_before: int) -> Iterator[ScaledDecimals]:
    """The closes of the rows that follow `LEAD` in `blocks`, and `rows_before` others.

    Stops at the first end of a block that is the end of a row, and takes no block after it.

    Raises
    ------
    DataError
        If a row is not encoded in UTF-8, wrongly quoted or ragged, or its close is not a number as above.
    """
    csv.field_size_limit(MOST_CHARACTERS)  # of the whole process: csv knows no other
    lines = _Lines(blocks)
    rows = csv.reader(lines, strict=True)
    numbers: list[WrittenNumber] = []
    row = rows_before
    try:
        for row, fields in enumerate(rows, rows_before + 1):
            numbers.append(column.number(fields, row))
            if rows.line_num == lines.begun:
                break
            if len(numbers) == _BATCH_ROWS:
                yield from_written(numbers)
                numbers = []
    except csv.Error as error:
        raise DataError(f"{column.source}: data row {row + 1}: {error}", "a row of CSV") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{column.source}: data row {row + 1} is not encoded in UTF-8", "CSV in UTF-8") from error
    if numbers:
        yield from_written(numbers)


class _Lines:
    """The lines of `blocks`; `begun` counts those of all blocks that were taken, read or not yet."""

    def __init__(self, blocks: Iterable[bytearray]) -> None:
        self.begun = 0
        self._blocks = blocks

    def __iter__(self) -> Iterator[str]:
        for block in self._blocks:
            self.begun += block.count(b"\n", len(LEAD))
            for line in BytesIO(block[len(LEAD) :]):
                yield line.decode("utf-8")
