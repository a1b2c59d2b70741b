"""CSV: what is read, what is refused and where, and how it is written."""

import csv
import io
from pathlib import Path

import colors_model as model
import pyarrow as pa
import pytest
from format_files import TEXTS, TYPED, read, write, write_text
from hypothesis import given, settings
from hypothesis import strategies as st

from marketpulse.errors import DataError
from marketpulse.formats import CsvOptions, open_writer, prepare_scan
from marketpulse.formats.csv import quotes_pair_up
from marketpulse.model import FIRST_ROWS, MalformedLine


def test_csv_quotes_only_where_needed(tmp_path: Path) -> None:
    r"""Null is an empty cell, empty text is "", lines end with \n, plain cells have no quotes."""
    table = pa.table({"A": ["x y", None, "a,b", 'a"b', "a\rb"], "B": ["", "é", "1", " ", None]})
    path = write(tmp_path / "quotes.csv", table, batch_rows=2)
    assert path.read_bytes() == 'A,B\nx y,""\n,é\n"a,b",1\n"a""b", \n"a\rb",\n'.encode()


def test_rows_keep_their_order_however_many_a_batch_has(tmp_path: Path) -> None:
    """CSV is spelled in pieces and in threads; the file has all rows in their order."""
    path = tmp_path / "out.csv"
    numbers = pa.record_batch({"n": pa.array(range(45_001))})
    writer = open_writer("csv", path, numbers.schema)
    for batch in (numbers, numbers[:0], numbers[:1]):
        writer.write(batch)
    writer.close()
    assert path.read_text().split() == ["n", *map(str, range(45_001)), "0"]


def test_typed_values_in_csv_are_canonical(tmp_path: Path) -> None:
    """CSV has the one spelling of every typed value."""
    lines = write(tmp_path / "typed.csv", TYPED).read_text(encoding="utf-8").splitlines()
    assert lines == [
        "K,ID,D,F,B,DAY,AT,L,T",
        "1,17700000000000001,101.700,101.7,true,2026-03-13,1970-01-01 00:00:00,[1],007",
        "2,,-0.001,NaN,,,1970-01-01 00:00:01.5,,",
        '3,2,,inf,false,2026-03-12,,[],""',
    ]


@pytest.mark.parametrize("excel", [False, True])
def test_the_rows_of_a_batch_are_spelled_as_each_alone(excel: bool, tmp_path: Path) -> None:
    """How a batch is spelled depends on all its values; the lines do not."""
    floats = [0.0, -0.0, float("nan"), float("inf"), 2.0, 1e-7, None]
    texts = ["", None, "a,b", '"', "=1", "7", "\n"]
    rows = pa.table({"F": floats, "T": texts, "N": pa.nulls(7)})
    alone = [
        write_csv(tmp_path / "alone.csv", rows[place : place + 1], excel) for place in range(7)
    ]
    lines = [text.split("\n", 1)[1] for text in alone]
    repeated = write_csv(tmp_path / "many.csv", pa.concat_tables([rows] * 100), excel)
    assert repeated.split("\n", 1)[1] == "".join(lines) * 100


def write_csv(path: Path, rows: pa.Table, excel: bool) -> str:
    """Write all rows as one batch, and return the file's text."""
    (batch,) = rows.combine_chunks().to_batches()
    writer = open_writer("csv", path, rows.schema, CsvOptions(excel=excel))
    writer.write(batch)
    writer.close()
    return path.read_text(encoding="utf-8")


CSV_SHAPES = {
    "plain": "A,B\n1,x\n",
    "no line end": "A,B\n1,x",
    "Windows' line ends": "A,B\r\n1,x\r\n",
    "an old Mac's line ends": "A,B\r1,x\r",
    "all line ends": "A,B\r\n1,x\r\n\n\r",
    "a byte order mark": "\ufeffA,B\n1,x\n",
    "a byte order mark and quotes": '\ufeff"A",B\n1,x\n',
    "blank lines": "\n \n\r\nA,B\n\n  \n1,x\n\t\n",
    "a blank line behind a byte order mark": "\ufeff\nA,B\n1,x\n",
    "quotes around all": '"A","B"\n"1","x"\n',
}


@pytest.mark.parametrize("name", CSV_SHAPES)
def test_csv_is_read_in_any_shape(name: str, tmp_path: Path) -> None:
    """Line ends, blank lines, a byte order mark and unnecessary quotes change nothing."""
    file = read(write_text(tmp_path / "input.csv", CSV_SHAPES[name]))
    assert file.table.schema.names == ["A", "B"]
    assert file.rows() == [["1", "x"]]
    assert not file.malformed_lines


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r", "\n\n", "\n \t\n"])
def test_a_header_alone_is_a_table_without_rows(end: str, tmp_path: Path) -> None:
    """A header has columns and no row, with or without a line end."""
    file = read(write_text(tmp_path / "input.csv", f"A,B{end}"))
    assert file.table.schema.names == ["A", "B"]
    assert file.rows() == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_header_may_have_line_ends_in_quotes(end: str, tmp_path: Path) -> None:
    """A quoted column name may contain a line end."""
    file = read(write_text(tmp_path / "input.csv", f'A,"B{end}C"{end}1,"x{end}y"{end}2,z{end}'))
    assert file.table.schema.names == ["A", f"B{end}C"]
    assert file.rows() == [["1", f"x{end}y"], ["2", "z"]]


def test_malformed_lines_are_reported_in_their_place(tmp_path: Path) -> None:
    """Each malformed line comes with its exact text and the number of rows before it."""
    lines = [
        "A,B",
        "",
        "1",
        "1,2,3",
        "  ",
        "4,5",
        '"x\ny"',
        '6,"7\n8"',
        '""',
        '1,"2,""3""",4',
        "9,9",
    ]
    file = read(write_text(tmp_path / "input.csv", "\n".join(lines)))
    assert file.rows() == [["4", "5"], ["6", "7\n8"], ["9", "9"]]
    assert [(line.after, line.fields, line.text) for line in file.malformed_lines] == [
        (0, 1, "1"),
        (0, 3, "1,2,3"),
        (1, 1, '"x\ny"'),
        (2, 1, '""'),
        (2, 3, '1,"2,""3""",4'),
    ]
    assert {line.expected for line in file.malformed_lines} == {2}


BROKEN_QUOTES = {
    "text behind a quote": ('A,B\n1,x\n2,"x"y\n3,z\n', 3),
    "a blank behind a quote": ('A,B\n1,x\n2,"x" \n3,z\n', 3),
    "an odd quote behind a quote": ('A,B\n1,x\n2,"x"""y"\n3,z\n', 3),
    "a quote that is never closed": ('A,B\n1,x\n2,"x\n3,z\n', 3),
    "one in the last line": ('A,B\n1,x\n2,"x', 3),
    "behind Windows' line ends": ('A,B\r\n1,x\r\n2,"x"y\r\n3,z\r\n', 3),
    "behind an old Mac's line ends": ('A,B\r1,x\r2,"x"y\r3,z\r', 3),
    "never closed, behind an old Mac's line ends": ('A,B\r1,x\r2,"x\r3,z\r', 3),
    "above long lines of an old Mac": ('A,B\r1,x\r2,"x"y\r3,zzzzzzzzzzzzzzzz\r4,z\r', 3),
    "behind a byte order mark": ('\ufeff"A",B\r1,x\r2,"x"y\r', 3),
    "behind a record of two lines": ('A,B\n1,"x\ny"\n2,"x"y\n3,z\n', 4),
    "in the second line of its record": ('A,B\n1,x\n2,"x\ny"z\n', 3),
    "behind plain quotes": ('A,B\n1,5" pipe\n"2","x\n', 3),
    "in the header": ('A,"B"C\n1,x\n', 1),
    "never closed in the header": ('A,"B\n1,x\n', 1),
    "in a header behind blank lines": ('\n\nA,"B"C\n1,x\n', 3),
}


@pytest.mark.parametrize("name", BROKEN_QUOTES)
def test_a_broken_quote_names_its_line(name: str, tmp_path: Path) -> None:
    """A quote that does not end its field is an error, with the line where its record begins."""
    text, line = BROKEN_QUOTES[name]
    with pytest.raises(DataError, match=f"line {line}: a quote is broken"):
        read(write_text(tmp_path / "input.csv", text))


PIECES = [
    '"',
    '""',
    ",",
    "\n",
    "\r",
    "\r\n",
    "a",
    " ",
    "é",
    '"a"',
    '"a\nb"',
    ',"',
    '",',
    '"\n',
    '\n"',
]


@settings(max_examples=5 * settings().max_examples)
@given(
    header=st.sampled_from(["A,B\n", "A,B\r\n", "\ufeffA,B\n", '"A",B\r']),
    body=st.lists(st.sampled_from(PIECES), max_size=25).map("".join),
)
def test_any_text_is_read_as_csv_or_refused(header: str, body: str, folder: Path) -> None:
    """What Python's strict reader refuses is refused; other cells are those of the model."""
    text = header + body
    path = write_text(folder / "input.csv", text)
    try:
        list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True))
    except csv.Error:
        with pytest.raises(DataError, match="a quote is broken"):
            read(path)
        return
    file = read(path)
    rows: list[list[str | None]] = []
    malformed_lines = []
    for record in model.read_csv(text)[1]:
        if isinstance(record, model.MalformedLine):
            malformed_lines.append(MalformedLine(len(rows), record.fields, 2, record.raw))
        else:
            rows.append([cell or None for cell in record])
    assert file.rows() == rows
    assert file.malformed_lines == malformed_lines


NO_UTF_8 = {
    "Latin-1": (b"A,B\n1,x\n2,\xe9\n", r"line 3: byte 0xE9 at column 3 is not UTF-8"),
    "Latin-1 in a line of one field": (b"A,B\n1,x\n\xe9\n", r"line 3: byte 0xE9 at column 1"),
    "Latin-1 in the header": (b"A,\xe9\n1,x\n", r"line 1: byte 0xE9 at column 3"),
    "Latin-1 in a record of two lines": (b'A,B\n1,"x\n\xe9"\n', r"line 3: byte 0xE9 at column 1"),
    "Latin-1 far down": (b"A,B\n" + b"1,x\n" * 300000 + b"2,\xfc\n", r"line 300002: byte 0xFC"),
    "Latin-1 behind an old Mac's line ends": (b"A,B\r1,x\r\xc3\xa9,\xe9\r", "line 3: .* column 4"),
    "UTF-16": ("A,B\n1,x\n".encode("utf-16"), r"line 1: the text is UTF-16"),
    "UTF-16 without a mark": ("A,B\n1,x\n".encode("utf-16-be"), r"line 1: the text is UTF-16"),
    "UTF-16 the other way round": ("A,B\n1,x\n".encode("utf-16-le"), r"line 1: the text is UTF-16"),
}


@pytest.mark.parametrize("name", NO_UTF_8)
def test_text_that_is_not_utf_8_names_its_line(name: str, tmp_path: Path) -> None:
    """Another encoding is an error with the line and the byte, never other letters."""
    text, words = NO_UTF_8[name]
    with pytest.raises(DataError, match=words):
        read(write_text(tmp_path / "input.csv", text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("\ufeff", "the file is empty"),
        ("\n \r\n", "the file is empty"),
        ("A;B\n1;x\n", "the columns are separated by ';'"),
        ("A\tB\n1\tx\n", r"the columns are separated by '\\t'"),
    ],
)
def test_files_that_are_not_csv_are_refused(text: str, words: str, tmp_path: Path) -> None:
    """An empty file and other separators are errors that say so."""
    with pytest.raises(DataError, match=words):
        read(write_text(tmp_path / "input.csv", text))


def test_records_may_be_long(tmp_path: Path) -> None:
    """Records of megabytes are read completely, also across the blocks in which Arrow reads."""
    long = "x,y\n" * 400_000
    rows = [["1", long], ["2", "z"], *([str(number), "short"] for number in range(3, 2_000_000, 9))]
    rows += [[str(number), long] for number in range(12)]
    path = tmp_path / "long.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([["A", "B"], *rows])
    assert read(path).rows() == rows


def test_cells_of_csv_stay_exact_text(tmp_path: Path) -> None:
    """No cell becomes a number, a null or a boolean; only an empty cell is null."""
    cells = [text for text in TEXTS if text]
    text = "".join(
        f'"{cell.replace(chr(34), chr(34) * 2)}",{place}\n' for place, cell in enumerate(cells)
    )
    file = read(write_text(tmp_path / "input.csv", f'A,B\n{text},x\n"",y\n'))
    assert file.column("A") == [*cells, None, None]


@pytest.mark.parametrize("marks", [1, 2, 3])
@pytest.mark.parametrize("start", ["", "\n", "sep=,\r\n", '"sep=,"\n'])
def test_byte_order_marks(tmp_path: Path, marks: int, start: str) -> None:
    """Byte order marks, also doubled ones, and a first line `sep=` belong to no column."""
    path = tmp_path / "marked.csv"
    path.write_text("\ufeff" * marks + f'{start}"A",B\n"1","x,y"\n', encoding="utf-8")
    assert read(path).table.to_pydict() == {"A": ["1"], "B": ["x,y"]}


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ('a,"x""y",b\n', True),
        ('"a","b"', True),
        ('"""a"""\r\n""\n', True),
        ('a,"x\n,y"\n', True),
        ('a,b"c,d\n', False),
        ('"a"b\n', False),
        ('a,"b\n', False),
        ('5" pipe,6" pipe\n', False),
    ],
)
def test_quotes_pair_up_wherever_a_chunk_ends(tmp_path: Path, text: str, pairs: bool) -> None:
    """A file is read in chunks, and a quote may stand at the end of one."""
    path = tmp_path / "in.csv"
    path.write_bytes(text.encode())
    for size in (1, 2, 3, 5, 100):
        assert quotes_pair_up(path, ",", size) is pairs


@pytest.mark.parametrize(
    ("text", "message", "hint", "check"),
    [
        (
            "A;B\n1;x\n",
            "the columns are separated by ';', not by commas",
            "read it with --delimiter semicolon",
            "MP-DAT-004",
        ),
        (
            "sep=|\nA,B\n",
            "the columns are separated by ',', not by '|'",
            "read it with --delimiter comma",
            "MP-DAT-004",
        ),
        (
            'A,B\n1,"x"y\n',
            """line 2: a quote is broken (',' expected after '"')""",
            'a field that begins with " also ends with "; write a " inside it twice',
            "MP-DAT-003",
        ),
        (
            b"A,B\n1,\xe9\n",
            "line 2: byte 0xE9 at column 3 is not UTF-8 (Latin-1 or Windows-1252?)",
            "save it as CSV in UTF-8",
            "MP-DAT-005",
        ),
    ],
)
def test_a_message_says_what_to_do(
    text: str | bytes, message: str, hint: str, check: str, tmp_path: Path
) -> None:
    """Each refusal has a place, a remedy and the id of its check."""
    path = write_text(tmp_path / "input.csv", text)
    with pytest.raises(DataError) as caught:
        read(path)
    error = caught.value
    assert (error.message, error.hint, error.check) == (f"{path}: {message}", hint, check)


def test_another_delimiter(tmp_path: Path) -> None:
    """It is an option, or what the suffix says; quotes are checked with it, too."""
    path = write_text(tmp_path / "input.csv", 'A;B\n1;5" pipe\n"2,3";x\n')
    scan = prepare_scan(path, tmp_path, delimiter=";")
    assert scan(lambda _: None).read_all().to_pydict() == {"A": ["1", "2,3"], "B": ['5" pipe', "x"]}
    path = write_text(tmp_path / "input.TSV", "A\tB\n1,2\tx\n")
    assert read(path).table.to_pydict() == {"A": ["1,2"], "B": ["x"]}
    with pytest.raises(DataError, match=r"separated by '\\t', not by commas"):
        prepare_scan(path, tmp_path, delimiter=",")


@pytest.mark.parametrize(("excel", "header"), [(True, "\ufeff'=A,B\n"), (False, "=A,B\n")])
def test_the_header_for_spreadsheets(excel: bool, header: str, tmp_path: Path) -> None:
    """No name becomes a formula in a spreadsheet; elsewhere a name is as it is."""
    schema = pa.schema([("=A", pa.string()), ("B", pa.string())])
    path = tmp_path / "header.csv"
    open_writer("csv", path, schema, CsvOptions(excel=excel)).close()
    assert path.read_text(encoding="utf-8") == header


def test_the_first_rows_have_their_lines(tmp_path: Path) -> None:
    """They are shown where a header is missing: blank lines and line ends in quotes count."""
    path = write_text(tmp_path / "input.csv", 'sep=;\n\nA;"B\n"\n1;"x\ny"\n2;"z,"\n3;w\n')
    notes = prepare_scan(path, tmp_path).notes
    assert notes.first_rows == ((5, ("1", "x\ny")), (7, ("2", "z,")), (8, ("3", "w")))
    path = write_text(tmp_path / "input.csv", "A\n" + "1\n" * 100)
    assert len(prepare_scan(path, tmp_path).notes.first_rows) == FIRST_ROWS
