"""Closes of CSV are read as they are written, by blocks or row by row alike, and what is wrong is told with its row."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from MLOps.errors import DataError
from MLOps.market import csv_blocks
from MLOps.market.close_files import read_closes
from MLOps.market.csv_rows import CloseColumn, read_rows

Write = Callable[[bytes | str], Path]
HEADER = "timestamp,open,high,low,close,volume_btc,volume_usd\n"
ROW = "2024-01-06 16:00:00,1,2,0,{close},5.5,6\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write(text)``: a file that holds it."""

    def to_file(text: bytes | str) -> Path:
        path = tmp_path / "data.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return to_file


def closes_in(path: Path) -> list[Fraction]:
    return [Fraction(int(value), 10**block.decimals) for block in read_closes(path) for value in block.values]


def table(*closes: str) -> str:
    return HEADER + "".join(ROW.format(close=close) for close in closes)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("7", "7"),
        ("0", "0"),
        ("-0.0", "0"),
        ("00012.50", "12.5"),
        ("50000.35", "50000.35"),
        ("12345678.12345678", "12345678.12345678"),
        ("123456789.5", "123456789.5"),
        ("0.123456789", "0.123456789"),
        ("123456789012345678901234567890.5", "123456789012345678901234567890.5"),
        ("50000.350000000006", "50000.350000000006"),
        (".5", "0.5"),
        ("5.", "5"),
        ("+5.25", "5.25"),
        ("1e-3", "0.001"),
        ("1.5E+3", "1500"),
        ("5e-324", "5e-324"),
        (" 5.5\t", "5.5"),
        ('"5.5"', "5.5"),
    ],
)
def test_reads_the_number_as_written(write: Write, written: str, meant: str) -> None:
    assert closes_in(write(table("1.5", written, "2"))) == [Fraction("1.5"), Fraction(meant), 2]


NO_CLOSES = ("", " ", "nan", "NaN", "inf", "-Infinity", "None", "abc", "\u0663", "-1", "-1e-9", "--1", "1 2", "1;5")
NO_CLOSES += (".", "1.2.3", "1_000", "0x1p3", "1e", "e5", "+", "1e1e1")


@pytest.mark.parametrize("written", NO_CLOSES)
def test_refuses_what_is_no_close_with_its_row(write: Write, written: str) -> None:
    with pytest.raises(DataError, match="in data row 3; allowed: a finite number of at least 0") as told:
        closes_in(write(table("1", "2", written, "4")))
    assert f"close={written!r}" in str(told.value) or not written.strip()


@pytest.mark.parametrize("written", ["1e-1101", "1e1101", "1e999999999", "9" * 1200, "0." + "3" * 1200])
def test_refuses_more_digits_than_any_float_has(write: Write, written: str) -> None:
    with pytest.raises(DataError, match=r"in data row 2 has more than 1100 digits on one side of the point"):
        closes_in(write(table("1", written)))


PLAIN = table("1.5", "20", "0.25")
CLOSES = [Fraction(3, 2), Fraction(20), Fraction(1, 4)]


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.removesuffix("\n"),
        PLAIN + "\n\r\n\n",
        PLAIN + "\n" * 1_000_000,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r\n").removesuffix("\r\n"),
        "\ufeff" + PLAIN,
        PLAIN.replace("2024-01-06 16:00:00", "\u20bf"),
        PLAIN.replace("2024-01-06 16:00:00", '"a, b"'),
        PLAIN.replace("2024-01-06 16:00:00", '"two\nlines ""quoted"""'),
        PLAIN.replace("timestamp", '"timestamp"').replace("close", " close "),
        PLAIN.replace("2024-01-06 16:00:00", "a" * 200_000),
        PLAIN.replace("timestamp", "t" * 200_000),
        PLAIN.replace("2024-01-06 16:00:00", '"' + "a," * 100_000 + '"'),
        "close\n1.5\n20\n0.25\n",
        "close\r\n1.5\r\n20\r\n0.25",
        "close,x\n1.5,\n20,\n0.25,\n",
        "x,close\n,1.5\n,20\n,0.25\n",
        "x,close\r\n,1.5\r\n,20\r\n,0.25\r\n",
    ],
)
def test_reads_every_form_of_the_same_table(write: Write, text: str) -> None:
    assert closes_in(write(text)) == CLOSES


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("\ufeff \r\n\n", "is empty"),
        (HEADER, "holds a header and no row"),
        (HEADER.removesuffix("\n") + "\r\n\n\n", "holds a header and no row"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not a CSV file: it holds zero bytes"),
        (PLAIN.encode("utf-16"), "is encoded in UTF-16; allowed: CSV in UTF-8"),
        (PLAIN.encode("utf-32"), "is encoded in UTF-32; allowed: CSV in UTF-8"),
        (PLAIN.encode("utf-16-le"), "is not a CSV file: it holds zero bytes"),
        (PLAIN.replace("open", "\u00f6ffnen").encode("latin-1"), "is not encoded in UTF-8: byte 11 of its header"),
        ((PLAIN + ROW.replace("16", "\u00e9")).encode("latin-1"), "data row 4 is not encoded in UTF-8"),
        ('{"close": [1, 2]}', "has no column 'close' among"),
        ("just words\n", "is not a CSV file: its first line has no comma"),
        (PLAIN.replace(",", ";"), "is not a CSV file: its first line has no comma"),
        (PLAIN.replace("\n", "\r"), "header, new-line character seen in unquoted field"),
        ('"timestamp,close\n1,2\n', "is not a CSV file: its header, unexpected end of data"),
        (PLAIN.replace("close", "Close"), "has no column 'close' among timestamp, open, high, low, Close"),
        (PLAIN.replace("open", "close"), "has several columns 'close'"),
        (PLAIN + "1,2,3\n" + ROW.format(close=1), "data row 4 has 3 fields; allowed: 7, as the header"),
        (PLAIN + "1,2,3,4,5,6,7,8\n", "data row 4 has 8 fields; allowed: 7, as the header"),
        (PLAIN + "1,2,3,4,5,6\n1,2,3,4,5,6,7,8\n", "data row 4 has 6 fields"),
        (HEADER + ROW.format(close=1).replace(",", "\n", 1) * 7, "data row 1 has 1 fields"),
        (PLAIN + "\n" + ROW.format(close=1), "data row 4 has 0 fields"),
        (PLAIN + ROW.format(close=1).replace("16", "1\r6"), "data row 4: new-line character seen in unquoted field"),
        (PLAIN + ROW.format(close=1).replace("16", '"16'), None),
        (PLAIN + '"16,2\n', "data row 4: unexpected end of data"),
        (PLAIN + '"a"b,2,3,4,5,6,7\n', "data row 4: ',' expected after '\"'"),
        ("close\n1\n\n2\n", "data row 2 has 0 fields; allowed: 1, as the header"),
    ],
)
def test_tells_what_is_wrong_with_the_file(write: Write, text: str | bytes, told: str | None) -> None:
    path = write(text)
    if told is None:  # a quote within a field is a character like any other
        assert len(closes_in(path)) == 4
        return
    with pytest.raises(DataError) as error:
        closes_in(path)
    assert told in str(error.value)
    assert str(path) in str(error.value)


def test_tells_of_a_missing_file_and_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv does not exist"):
        closes_in(tmp_path / "none.csv")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        closes_in(tmp_path)


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 64)


@pytest.mark.usefixtures("short_blocks")
class TestManyBlocks:
    """Blocks of 64 bytes, so that each row may meet a border."""

    def test_closes_stay_in_order(self, write: Write) -> None:
        closes = [str(n / 4) for n in range(300)]
        assert closes_in(write("x,close\n" + "".join(f"1,{close}\n" for close in closes))) == [
            Fraction(close) for close in closes
        ]

    @pytest.mark.parametrize("odd", ["1e2", " 7", '"100"'])
    def test_odd_rows_are_read_among_plain_ones(self, write: Write, odd: str) -> None:
        closes = [odd if n % 37 == 36 else str(n) for n in range(200)]
        meant = [Fraction(close.strip(' "')) for close in closes]
        assert closes_in(write("x,close\n" + "".join(f"1,{close}\n" for close in closes))) == meant

    @pytest.mark.parametrize("odd", ['"a, b"', '"a\nb"', 'a"b'])
    def test_rows_after_an_odd_one_are_read_by_blocks_again(
        self, write: Write, odd: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rows_read_one_by_one = []
        number = CloseColumn.number

        def noted(column: CloseColumn, fields: Sequence[str], row: int) -> object:
            rows_read_one_by_one.append(row)
            return number(column, fields, row)

        monkeypatch.setattr(CloseColumn, "number", noted)
        rows = [f"1,{n}\n" for n in range(300)]
        rows[30] = f"{odd},30\n"
        assert closes_in(write("x,close\n" + "".join(rows))) == list(range(300))
        assert 31 in rows_read_one_by_one
        assert len(rows_read_one_by_one) < 60

    def test_row_numbers_count_through_blocks(self, write: Write) -> None:
        rows = [f"1,{n}\n" for n in range(200)]
        rows[120], rows[150] = "1,x\n", "1\n"
        with pytest.raises(DataError, match="close='x' in data row 121;"):
            closes_in(write("x,close\n" + "".join(rows)))
        rows[30] = '"a, b",2\n'  # its block is read row by row
        with pytest.raises(DataError, match="close='x' in data row 121;"):
            closes_in(write("x,close\n" + "".join(rows)))
        rows[120] = "1,1\n"
        with pytest.raises(DataError, match="data row 151 has 1 fields"):
            closes_in(write("x,close\n" + "".join(rows)))

    def test_quoted_field_may_cross_blocks(self, write: Write) -> None:
        text = "x,close\n" + "1,2\n" * 30 + '"' + "a\n,b" * 40 + '",3\n' + "1,4\n" * 30
        assert closes_in(write(text)) == [2] * 30 + [3] + [4] * 30

    def test_zero_byte_late_in_the_file_is_told(self, write: Write) -> None:
        with pytest.raises(DataError, match="zero bytes"):
            closes_in(write(b"x,close\n" + b"1,2\n" * 60 + b"\0,2\n"))

    def test_line_longer_than_a_block_is_told(self, write: Write) -> None:
        with pytest.raises(DataError, match="a line is longer than 64 bytes"):
            closes_in(write("x,close\n1,2\n" + "a" * 200 + ",2\n"))


NUMBERS = ("1", "2.5", "0.125", "12345678.5", "1e2", "", "x", "-1", " 4", "a\rb", "\u20bf")
QUOTED = ('"3"', '""', '"', '""""', '"a,b"', '"a""b"', 'a"b', '"a\nb"', '","', '"5', '6"', '"7"8')
FIELDS = st.sampled_from(NUMBERS) | st.sampled_from(QUOTED)
ENDS = st.sampled_from(["\n"] * 6 + ["\r\n"] * 2 + ["\n\n"])


GOOD_ROWS = st.tuples(FIELDS, st.sampled_from(("1", "2.5", "0.125", "12345678.5", '"3"', "1e2", " 4")))
ROWS = GOOD_ROWS | st.lists(FIELDS, min_size=1, max_size=3)


@given(st.lists(st.tuples(ROWS, ENDS), min_size=1, max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=120)
@pytest.mark.usefixtures("short_blocks")
def test_blocks_and_rows_read_alike(write: Write, rows: list[tuple[Sequence[str], str]]) -> None:
    """Whatever the rows look like, the file reads as it does row by row, down to the words of the error."""
    body = "".join(",".join(fields) + end for fields, end in rows)
    path = write("x,close\n1,1\n" + body + "1,1\n")
    column = CloseColumn(path, count=2, place=1)

    def told(read: Callable[[], list[Fraction]]) -> list[Fraction] | str:
        try:
            return read()
        except DataError as error:
            return str(error)

    def row_by_row() -> list[Fraction]:
        blocks = read_rows([bytearray(csv_blocks.LEAD + b"1,1\n" + body.encode() + b"1,1\n")], column, rows_before=0)
        return [Fraction(int(value), 10**block.decimals) for block in blocks for value in block.values]

    assert told(lambda: closes_in(path)) == told(row_by_row)
