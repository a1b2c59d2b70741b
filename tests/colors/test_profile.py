"""Profiles: how precisely the values of a column have to be taken, as few cells as may need it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import duckdb
import pyarrow as pa
import pytest

from marketpulse.colors.arrivals import Row
from marketpulse.colors.cells import MACROS, Cell, Precision
from marketpulse.colors.columns import InputColumn, Kind
from marketpulse.colors.profile import CellProfile, finish_profiles
from marketpulse.formats.encode import LogicalType, logical_field

PLAIN, SHORT, EXACT = Precision
NUMBERS = [
    *("98.5", "101.25", "98.50", "0", "-0.0", ".5", "5.", "-.5", "007.25", "123456789012345"),
    *("1e2", "9.85E+1", "+98.5", "1e-07", "97.99999999999999", "1.7976931348623157e+308"),
    *("1234567890123456", "12345678901234567", "0.1234567890123456", "1e400", "1e99999", "5e-324"),
    *("97.63000000000000000000000000000000000001", "98.5000000000000000000"),
    *(" 101.7", "101.7\u3000", "\t5", "NaN", "nan", "", " ", "\u00a0"),
    *("n/a", "inf", "-inf", "1_000", "-", ".", "1-2", "--1", "1.2.3", "1e", "0x10", "5d", "\u0661"),
]
INTEGERS = [
    *("1", "0", "007", "17700000000000001", "999999999999999999", "+5", "-5", "3.", "3.000"),
    *("1000000000000000000", "12345678901234567890", "000000000000000000000012", " 5", "", "2.5"),
    *("1.77E+16", "1_000", "-", "\u0661", "NaN", "nan"),
]
DATES = [
    *("2026-03-13", "0001-01-01", "9999-12-31", "2026-03-13 10:30", "2026-03-13T10:30:05"),
    *("2026-03-13 10:30:05.123456", "2026-03-13T10:30Z", "2026-03-13 10:30:05.5Z"),
    *("2026-03-13T10:30+02:00", "2026-03-13 10:30:05-0530", "2026-03-13 10:30:05+14"),
    *("2026-03-13 10:30:05.1234567", "2026-03-13 10:30:05.123456789+02:00", " 2026-03-13"),
    *("", " ", "0000-03-13", "2026-02-30", "2026-3-13", "2026-03-13 24:00", "2026-03-13 10"),
    *("2026-03-13Z", "2026-03", "20260313", "infinity", "epoch", "13/03/2026", "2026-03-13 10:30:"),
    *("2026-03-13-10:30:05", "2026-03-13 10:30:60", "-2026-03-13", "today", "nan"),
]
TEXTS = ["a", " a", "A", "", " ", "\u3000", "\u00e9", "\u6771", "\u00e9 ", "\x00", "\x1c", "1", "-"]
CUSIPS = [
    "037833100",
    " 037833100",
    "12345e108",
    "12345E108",
    "",
    "\u00df",
    "\u00c9",
    "1\u00a0",
    "*@#",
]
EXAMPLES: dict[Kind, list[str]] = {
    Kind.NUMBER: NUMBERS,
    Kind.INTEGER: INTEGERS,
    Kind.DATE: DATES,
    Kind.TEXT: TEXTS,
}
NEEDED: dict[str, tuple[Kind, list[str | None], Precision]] = {
    "numbers of 15 digits": (Kind.NUMBER, ["98.5", "98.50", "1e2", None], PLAIN),
    "numbers as programs write them": (Kind.NUMBER, ["97.99999999999999", "1e-07"], PLAIN),
    "a blank": (Kind.NUMBER, ["98.5", " 101.7"], SHORT),
    "17 digits": (Kind.NUMBER, ["98.5", "12345678901234567"], EXACT),
    "not a number": (Kind.NUMBER, ["98.5", "n/a"], PLAIN),
    "integers": (Kind.INTEGER, ["1", "1.0", "17700000000000001"], PLAIN),
    "20 digits": (Kind.INTEGER, ["1", "12345678901234567890"], EXACT),
    "days and times": (Kind.DATE, ["2026-03-13", "2026-03-13T10:30Z"], PLAIN),
    "offsets": (Kind.DATE, ["2026-03-13", "2026-03-13T10:30-05:00"], SHORT),
    "nanoseconds": (Kind.DATE, ["2026-03-13 10:30:05.123456789"], EXACT),
    "text": (Kind.TEXT, ["a", " a", "A"], PLAIN),
    "a blank text": (Kind.TEXT, ["a", " "], SHORT),
    "nothing": (Kind.DATE, [None, None], PLAIN),
    "no rows": (Kind.NUMBER, [], PLAIN),
}


class Database:
    """DuckDB with the macros, asked about the relation `doubtful`."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        for macro in MACROS:
            self.connection.execute(f"CREATE MACRO {macro}")

    def ask(self, sql: str, doubtful: pa.Table) -> Row:
        """The one row of a query."""
        self.connection.register("doubtful", doubtful)
        (row,) = self.connection.execute(sql).fetchall()
        return row

    def needs(self, column: InputColumn, cell: str) -> tuple[Precision, bool]:
        """What a cell needs, and whether it is faulty, whatever its bytes look like."""
        sql = Cell(column)
        table = pa.table({"c0": pa.array([cell])})
        row = self.ask(f"SELECT {sql.needed}, {sql.fault or 'false'} FROM doubtful", table)
        return Precision(row[0]), bool(row[1])


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """One database for all tests, which only ask it."""
    database = Database()
    yield database
    database.connection.close()


def text_column(kind: Kind, role: str | None = None) -> InputColumn:
    """A checked column of text."""
    field = logical_field("X", LogicalType.TEXT)
    return InputColumn(place=0, field=field, role=role, kind=kind, declared=True)


def profile(database: Database, column: InputColumn, *batches: Sequence[str | None]) -> CellProfile:
    """The profile of a column of these cells."""
    profile = CellProfile(column)
    for cells in batches:
        # A part of a longer array, as a batch may be.
        profile.add(pa.array(["x", *cells, "x"], pa.string())[1:-1], database.ask)
    finish_profiles([profile], database.ask)
    return profile


@pytest.mark.parametrize("name", NEEDED)
def test_the_precision_of_a_column(database: Database, name: str) -> None:
    """A column is taken as precisely as its cells need, and no more."""
    kind, cells, precision = NEEDED[name]
    assert profile(database, text_column(kind), cells).precision is precision


def test_doubtful_cells_of_many_batches_are_asked_about_together(database: Database) -> None:
    """A query costs more than the cells of a batch, but no more of them wait than memory allows."""
    asked: list[int] = []

    def ask(sql: str, doubtful: pa.Table) -> Row:
        asked.append(len(doubtful))
        return database.ask(sql, doubtful)

    found = CellProfile(text_column(Kind.NUMBER))
    for _ in range(3):
        found.add(pa.array(["98.5", "9.85e1", "n/a"]), ask)
    assert not asked
    for mark in " \t":
        assert not asked
        found.add(pa.array([mark * (3 << 20)]), ask)
    assert asked == [4]
    finish_profiles([found], ask)
    assert (asked, found.precision, found.suspected) == ([4], SHORT, True)


def test_few_cells_of_several_columns_are_asked_about_together(database: Database) -> None:
    """The cells of one do not count for another, however many it has."""
    asked: list[tuple[list[str], int]] = []

    def ask(sql: str, doubtful: pa.Table) -> Row:
        asked.append((doubtful.column_names, len(doubtful)))
        return database.ask(sql, doubtful)

    cells = {
        "c0": (Kind.NUMBER, ["98.5", " 98.5"]),
        "c1": (Kind.NUMBER, ["98.5", "97"]),
        "c2": (Kind.DATE, ["2026-03-13 10:30:05.123456789", *"abcd"]),
        "c3": (Kind.NUMBER, ["9" * 40 + str(number) for number in range(2000)]),
        "c4": (Kind.INTEGER, ["1", None, "x"]),
    }
    profiles = []
    for place, (kind, texts) in enumerate(cells.values()):
        profiles.append(CellProfile(replace(text_column(kind), place=place)))
        profiles[-1].add(pa.array(texts), ask)
    finish_profiles(profiles, ask)

    assert asked == [(["c0", "c2", "c4"], 5), (["c3"], 2000)]
    assert [found.precision for found in profiles] == [SHORT, PLAIN, EXACT, EXACT, PLAIN]
    assert [found.suspected for found in profiles] == [False, False, True, False, True]


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_bytes_of_cells_hide_no_odd_cell(database: Database, kind: Kind) -> None:
    """What the bytes of a batch say is what SQL says, for each cell alone and among others."""
    column = text_column(kind)
    plain = EXAMPLES[kind][0]
    odd = f" {plain}"
    needed_by_odd, _ = database.needs(column, odd)
    for cell in EXAMPLES[kind]:
        needed, is_faulty = database.needs(column, cell)
        for batch in ([cell], [None, plain, cell, plain, None]):
            alone = profile(database, column, batch)
            assert (alone.precision, alone.suspected) == (needed, is_faulty), cell
        beside_odd = CellProfile(column)
        beside_odd.add(pa.array([odd, cell, cell, None], pa.large_string()), database.ask)
        finish_profiles([beside_odd], database.ask)
        assert beside_odd.precision is max(needed, needed_by_odd), cell
        assert beside_odd.suspected is is_faulty, cell


@pytest.mark.parametrize("kind", [Kind.NUMBER, Kind.INTEGER])
def test_an_odd_cell_after_forty_digits_is_seen(database: Database, kind: Kind) -> None:
    """Once all digits are read, long cells are not asked about, but what is no number is."""
    column, long = text_column(kind), "9" * 40
    for cell in [*EXAMPLES[kind], f"{long}.{long}.", f"{long}x", f"{long}-1"]:
        found = profile(database, column, [long])
        found.add(pa.array([long, cell]), database.ask)
        finish_profiles([found], database.ask)
        assert (found.precision, found.suspected) == (EXACT, database.needs(column, cell)[1]), cell


def test_cells_that_are_spelled_once_differ_in_value(database: Database) -> None:
    """Where the spelling breaks no tie, no two of the cells have the same value."""
    for kind in (Kind.NUMBER, Kind.INTEGER, Kind.DATE):
        column = text_column(kind)
        usual = {Kind.NUMBER: "98.5", Kind.INTEGER: "5", Kind.DATE: "2026-03-13"}[kind]
        assert profile(database, column, [usual, None], [None]).cell.spellings == ()
        once = []
        for text in EXAMPLES[kind]:
            alone = profile(database, column, [text, None])
            assert profile(database, column, [usual, None, text]).cell == alone.cell, text
            if not (alone.cell.spellings or alone.suspected):
                once.append(text)
        database.connection.register("doubtful", pa.table({"c0": once}))
        counts = f"count(DISTINCT {Cell(column).value}), count(*)"
        ((values, texts),) = database.connection.execute(
            f"SELECT {counts} FROM doubtful"
        ).fetchall()
        assert values == texts > 1


def is_usual(kind: Kind, text: str) -> bool:
    """Whether this is how programs write the value."""
    if kind is Kind.INTEGER:
        return text.isdigit() and text == str(int(text))
    try:
        return text == repr(float(text)) and text != "-0.0"  # which equals 0.0
    except ValueError:
        return False


@pytest.mark.parametrize(
    ("kind", "marks"), [(Kind.NUMBER, "-0.5"), (Kind.INTEGER, "05.-")], ids=str
)
def test_numbers_as_programs_write_them_are_spelled_once(
    database: Database, kind: Kind, marks: str
) -> None:
    """So are they beside others of their kind, but in no large text, which is not looked at."""
    usual = {Kind.NUMBER: "98.5", Kind.INTEGER: "70"}[kind]
    for length in range(1, 6):
        for text in map("".join, product(marks, repeat=length)):
            found = CellProfile(text_column(kind))
            found.add(pa.array([usual, text, usual]), database.ask)
            assert found.cell.spelled_once is is_usual(kind, text), text
    found = CellProfile(text_column(kind))
    found.add(pa.array([usual], pa.large_string()), database.ask)
    assert not found.cell.spelled_once


def test_a_cusip_is_plain_in_capitals_without_blanks(database: Database) -> None:
    """Only a CUSIP that is normal already may stand for itself; a missing one is suspected."""
    column = text_column(Kind.TEXT, "CUSIP")
    for cell in CUSIPS:
        normal = cell == cell.strip().upper()
        found = profile(database, column, ["037833100", cell])
        assert found.precision is (PLAIN if normal else SHORT), cell
        assert found.suspected is (not cell.strip()), cell
    assert profile(database, column, ["037833100", None]).suspected
    assert profile(database, column, [" 037833100", None]).suspected  # whatever SQL says of others


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_plain_cell_is_its_exact_value(database: Database, kind: Kind) -> None:
    """Two cells that a cast reads compare as their exact keys do."""
    if kind is Kind.TEXT:
        return
    column = text_column(kind)
    cells = [cell for cell in EXAMPLES[kind] if database.needs(column, cell)[1] is False]
    for precision in (PLAIN, SHORT):
        enough = [cell for cell in cells if database.needs(column, cell)[0] <= precision]
        table = pa.table({"c0": pa.array(enough)})
        taken, exact = Cell(column, precision).value, Cell(column, EXACT).value
        database.connection.register("doubtful", table)
        (same,) = database.connection.execute(
            "SELECT bool_and(by_cast = by_key) FROM (SELECT "
            f"dense_rank() OVER (ORDER BY {taken} NULLS LAST) AS by_cast, "
            f"dense_rank() OVER (ORDER BY {exact} NULLS LAST) AS by_key FROM doubtful)"
        ).fetchall()[0]
        assert same, precision


@pytest.mark.parametrize(
    ("numbers", "precision"),
    [
        ([1.0, None, 0.0], PLAIN),
        ([1.0, float("nan")], SHORT),
        ([0.0, -0.0], SHORT),
        ([float("inf")], PLAIN),
    ],
)
def test_a_float_is_plain_unless_two_of_its_spellings_are_equal(
    database: Database, numbers: list[float | None], precision: Precision
) -> None:
    """Only NaN, which is null, and -0.0 have an equal; an infinite price is a fault."""
    for data_type in (pa.float64(), pa.float32()):
        field = pa.field("PX", data_type)
        found = CellProfile(InputColumn(place=0, field=field, role="PX", kind=Kind.NUMBER))
        found.add(pa.array(numbers, data_type), database.ask)
        finish_profiles([found], database.ask)
        assert found.precision is precision
        assert found.suspected is (numbers == [float("inf")])


def test_a_float_that_is_no_integer_is_suspected(database: Database) -> None:
    """A rank of 1.5 rejects its row; a rank of 1.0 is one."""
    for numbers, suspected in (([1.0, None, 2.0], False), ([1.0, None, 1.5], True)):
        field = pa.field("RANK", pa.float64())
        found = CellProfile(InputColumn(place=0, field=field, role="RANK", kind=Kind.INTEGER))
        found.add(pa.array(numbers), database.ask)
        finish_profiles([found], database.ask)
        assert found.suspected is suspected
