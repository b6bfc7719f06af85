"""The header and the rows of a CSV file, in blocks of whole lines and in bounded memory."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from MLOps.errors import DataError

BLOCK_BYTES = 1 << 20  # the arrays made of one block stay in a processor's cache
_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


def read_blocks(path: Path) -> tuple[list[str], Iterator[bytes]]:
    """The names of the columns, and the rows after them in blocks that end with a line feed.

    Line ends at the end of the file belong to no row; the last row may come without one.

    Raises
    ------
    DataError
        If there is no such file, it cannot be read, is empty, or is no CSV file in UTF-8. While the blocks are
        read: if there is no row, or a line is longer than a block.
    """
    blocks = _whole_lines(path)
    header, _, rows = next(blocks).partition(b"\n")
    return _columns(path, header), _rows(path, rows, blocks)


def _rows(path: Path, first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    first = first or next(others, b"")
    if not first:
        raise DataError(f"{path} holds a header and no row", "at least one row")
    yield first
    yield from others


def _whole_lines(path: Path) -> Iterator[bytes]:
    with opened(path) as file:
        held = file.read(BLOCK_BYTES)
        _check_beginning(path, held)
        held = held.removeprefix(_BOM)
        while chunk := file.read(BLOCK_BYTES):
            _check_chunk(path, chunk)
            held += chunk
            end = held.rfind(b"\n", 0, len(held.rstrip(b"\r\n"))) + 1  # the last line, and line ends after it, wait
            if end:
                yield held[:end]
                held = held[end:]
            elif len(held) > BLOCK_BYTES:
                raise DataError(f"{path} is not a CSV file: a line is longer than {BLOCK_BYTES} bytes", "CSV in UTF-8")
        yield held.rstrip(b"\r\n") + b"\n"


def opened(path: Path) -> BinaryIO:
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
    if chunk.startswith(_UTF16_BOMS):
        raise DataError(f"{path} is encoded in UTF-16", "CSV in UTF-8")
    _check_chunk(path, chunk)


def _check_chunk(path: Path, chunk: bytes) -> None:
    if b"\0" in chunk:
        raise DataError(f"{path} is not a CSV file: it holds zero bytes", "CSV in UTF-8")


def _columns(path: Path, header: bytes) -> list[str]:
    try:
        columns = next(csv.reader([header.decode("utf-8")], strict=True), [])
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not encoded in UTF-8: byte {error.start + 1} of its header", "UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV file: its header, {error}", "CSV in UTF-8") from error
    return [column.strip() for column in columns]
