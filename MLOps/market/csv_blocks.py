"""The header and the rows of a CSV file, in blocks of whole lines and in bounded memory."""

import csv
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from MLOps.errors import DataError
from MLOps.market import digit_words

BLOCK_BYTES = 1 << 20  # the arrays made of one block stay in a processor's cache
MOST_CHARACTERS = 2 * BLOCK_BYTES  # of a field: no line is longer
LEAD = b"0" * (digit_words.LEAD - 1) + b"\n"  # stands before the rows of each block, so that the first may be as others
_BOM = b"\xef\xbb\xbf"
_LINE_ENDS = b"\r\n"
_OTHER_BOMS = {  # in this order: one of UTF-32 begins as one of UTF-16
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def read_blocks(path: Path) -> tuple[list[str], Iterator[bytearray]]:
    """The names of the columns, and the rows after them in blocks: `LEAD`, then whole lines.

    Line ends at the end of the file belong to no row; the last row may come without one.

    Raises
    ------
    DataError
        If there is no such file, it cannot be read, is empty, or is no CSV file in UTF-8. While the blocks are
        read: if there is no row, or a line is longer than a block.
    """
    blocks = _whole_lines(path)
    first = next(blocks)
    end = first.index(b"\n", len(LEAD))
    columns = _columns(path, bytes(first[len(LEAD) : end]))
    del first[len(LEAD) : end + 1]
    return columns, _rows(path, first, blocks)


def _rows(path: Path, first: bytearray, others: Iterator[bytearray]) -> Iterator[bytearray]:
    if len(first) == len(LEAD):
        first = next(others, first)
    if len(first) == len(LEAD):
        raise DataError(f"{path} holds a header and no row", "at least one row")
    yield first
    yield from others


def _whole_lines(path: Path) -> Iterator[bytearray]:
    with opened(path) as file:
        held = file.read(BLOCK_BYTES)
        _check_beginning(path, held)
        held = held.removeprefix(_BOM)
        while (block := _filled(file, held)) is not None:
            if b"\0" in block:
                raise DataError(f"{path} is not a CSV file: it holds zero bytes", "CSV in UTF-8")
            end = block.rfind(b"\n", len(LEAD), _last_character(block)) + 1
            held = bytes(block[end or len(LEAD) :])  # the last line, and line ends after it, wait
            if end:
                del block[end:]
                yield block
            elif len(held) > BLOCK_BYTES:
                raise DataError(f"{path} is not a CSV file: a line is longer than {BLOCK_BYTES} bytes", "CSV in UTF-8")
        yield bytearray(LEAD + held.rstrip(_LINE_ENDS) + b"\n")


def _filled(file: BufferedReader, held: bytes) -> bytearray | None:
    """`LEAD`, what is held, and more of the file, read into its place; None at the end of the file."""
    block = bytearray(len(LEAD) + len(held) + BLOCK_BYTES)
    start = len(LEAD) + len(held)
    block[:start] = LEAD + held
    with memoryview(block) as whole, whole[start:] as free:
        read = file.readinto(free)
    del block[start + read :]
    return block if read else None


def _last_character(block: bytearray) -> int:
    """Place of the last one that is no line end."""
    place = len(block) - 1
    while block[place] in _LINE_ENDS:
        place -= 1
    return place


def opened(path: Path) -> BufferedReader:
    """The file, open for reading its bytes.

    Raises
    ------
    DataError
        If there is no such file, or it cannot be read.
    """
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", "a CSV or Parquet file") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "a CSV or Parquet file") from error


def _check_beginning(path: Path, chunk: bytes) -> None:
    if not chunk.removeprefix(_BOM).strip():
        raise DataError(f"{path} is empty", "a CSV file with a header and rows")
    for bom, encoding in _OTHER_BOMS.items():
        if chunk.startswith(bom):
            raise DataError(f"{path} is encoded in {encoding}", "CSV in UTF-8")
    if b"\0" in chunk:
        raise DataError(f"{path} is not a CSV file: it holds zero bytes", "CSV in UTF-8")


def _columns(path: Path, header: bytes) -> list[str]:
    csv.field_size_limit(MOST_CHARACTERS)
    try:
        columns = next(csv.reader([header.decode("utf-8")], strict=True), [])
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not encoded in UTF-8: byte {error.start + 1} of its header", "UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV file: its header, {error}", "CSV in UTF-8") from error
    return [column.strip() for column in columns]
