"""What every source promises, whatever it is, and what the demo market and files promise beside.

A source joins the promises of all by one more entry in `SOURCES`.
"""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import openpyxl
import pyarrow as pa
import pytest
from support import ROOT

from marketpulse.cli.console import progress
from marketpulse.errors import DataError, NotFoundError, UsageError
from marketpulse.extraction.sample import Wanted, sample
from marketpulse.formats import FORMATS, open_writer
from marketpulse.formats.encode import to_text
from marketpulse.model import Column, ForeignKey, MalformedLine
from marketpulse.sources import Source, open_files, open_source
from marketpulse.sources.demo import DemoSource

COLORS = pa.table(
    {
        "MESSAGE_ID": pa.array([17700000000000001, 17700000000000000, 17700000000000001]),
        "CUSIP": ["037833100", " 12345e108", None],
        "DATE": pa.array([datetime.date(2026, 3, 13), None, datetime.date(2026, 3, 12)]),
        "PX": pa.array([Decimal("101.7000"), None, Decimal("-0.5000")], pa.decimal128(9, 4)),
        "NOTE": ["é 東京", 'two\nlines, "quoted"', "=1+1"],
    }
)
CELLS: dict[str, list[str | None]] = {
    "MESSAGE_ID": ["17700000000000001", "17700000000000000", "17700000000000001"],
    "CUSIP": ["037833100", " 12345e108", None],
    "DATE": ["2026-03-13", None, "2026-03-12"],
    "PX": ["101.7000", None, "-0.5000"],
    "NOTE": ["é 東京", 'two\nlines, "quoted"', "=1+1"],
}


def write(path: Path, table: pa.Table = COLORS) -> Path:
    """A file of the format that its name says."""
    writer = open_writer(path.suffix[1:], path, table.schema)
    for batch in table.to_batches(max_chunksize=2):
        writer.write(batch)
    writer.close()
    return path


def text(path: Path, *lines: str) -> Path:
    """A text file of these lines."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


Making: TypeAlias = Callable[[Path], Callable[[], Source]]  # in a folder; then how to open it


def files(*names: str) -> Making:
    """Files of the formats that their names say."""

    def made(folder: Path) -> Callable[[], Source]:
        paths = [write(folder / name) for name in names]
        return lambda: open_files(paths)

    return made


def a_bundle(formats: str, *, zipped: bool = False) -> Making:
    """A bundle of a day and of the demo's odd names, with rows in these formats."""

    def made(folder: Path) -> Callable[[], Source]:
        wanted = Wanted(limit=None, formats=tuple(formats.split(",")), json_rows=None)
        with DemoSource(30) as market:
            names = [
                it.name for it in market.tables() if "json" not in formats or "AL" not in it.name
            ]
            taken = sample(
                *(market, names, wanted),
                output=folder / formats,
                taken_at=datetime.datetime(2026, 3, 13, tzinfo=UTC),
                progress=progress(quiet=True),
                zipped=zipped,
            )
        return lambda: open_source(str(taken.zipped or taken.folder))

    return made


SOURCES: dict[str, Making] = {
    "demo": lambda _: lambda: DemoSource(100),
    **{name: files(f"Day of colors.{name}") for name in FORMATS},
    **{f"bundle of {name}": a_bundle(name) for name in ("csv", "json", "ndjson", "parquet")},
    "bundle of all, zipped": a_bundle("csv,parquet", zipped=True),
    "two files": files("a.csv", "b.parquet"),
}


@pytest.fixture
def leftovers(tmp_path: Path) -> Iterator[Callable[[], list[Path]]]:
    """What stands in the folder for temporary files, which the test has for itself."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    yield lambda: list(folder.iterdir())
    tempfile.tempdir = before


@pytest.fixture(params=SOURCES, scope="session")
def opening(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Source]:
    """How to open the source: each time the same one."""
    return SOURCES[request.param](tmp_path_factory.mktemp("source"))


@pytest.fixture
def source(opening: Callable[[], Source]) -> Iterator[Source]:
    """The source, open."""
    with opening() as opened:
        yield opened


def rows(reader: pa.RecordBatchReader) -> list[str]:
    """Each row as text, so that NaN equals NaN and 1.0 is not 1.00."""
    return [row for batch in reader for row in rows_of(batch)]


def rows_of(batch: pa.RecordBatch) -> list[str]:
    """Each row of a batch as text."""
    return [repr(row) for row in batch.to_pylist()]


def names(tables_or_columns: Sequence[Any]) -> list[str]:
    """Their names, in order."""
    return [one.name for one in tables_or_columns]


class TestEverySource:
    """The promises of `Source`."""

    def test_tables(self, source: Source) -> None:
        """The tables stand in the order of their names, each once, and each can be read."""
        tables = source.tables()
        assert names(tables) == sorted(set(names(tables)))
        for table in tables:
            count = source.scan(table.name).read_all().num_rows
            assert table.rows in {None, count}

    def test_describe(self, source: Source) -> None:
        """The described columns are those that arrive, in order, in the type that is told."""
        for table in source.tables():
            described = source.describe(table.name)
            arrived = source.scan(table.name).read_all().schema
            assert described.table == table
            assert names(described.columns) == arrived.names
            assert [it.arrow_type for it in described.columns] == [str(it.type) for it in arrived]

    @pytest.mark.parametrize("limit", [0, 1, 2, 1_000_000])
    def test_limit(self, source: Source, limit: int) -> None:
        """A limit gives the first rows, and all of them where there are fewer."""
        for table in source.tables():
            everything = rows(source.scan(table.name))
            assert rows(source.scan(table.name, limit=limit)) == everything[:limit]

    def test_columns(self, source: Source) -> None:
        """Columns that are asked for come in the order in which they are asked for."""
        for table in source.tables():
            whole = source.scan(table.name).read_all()
            for asked in (whole.column_names[::-1], whole.column_names[-1:]):
                part = source.scan(table.name, asked, limit=10)
                assert rows(part) == rows(whole.select(asked)[:10].to_reader())

    def test_order(self, source: Source) -> None:
        """Rows come in the order that is asked for, missing values last, and then the limit."""
        for table in source.tables():
            name = source.scan(table.name).schema.names[0]
            quoted = '"' + name.replace('"', '""') + '"'
            for direction in ("", " DESC"):
                found = source.scan(table.name, order=quoted + direction).read_all()
                assert sorted(rows(found.to_reader())) == sorted(rows(source.scan(table.name)))
                first = source.scan(table.name, limit=2, order=quoted + direction).read_all()
                assert first[name].to_pylist() == found[name].to_pylist()[:2]
                nulls = [cell is None for cell in found[name].to_pylist()]
                assert nulls == sorted(nulls)

    def test_where(self, source: Source) -> None:
        """A condition and its opposite part the rows, in their order; no cell changes."""
        for table in source.tables():
            name = '"' + source.scan(table.name).schema.names[-1].replace('"', '""') + '"'
            parts = [
                rows(source.scan(table.name, where=f"{name} IS {negated} NULL"))
                for negated in ("", "NOT")
            ]
            everything = rows(source.scan(table.name))
            assert sorted(chain(*parts)) == sorted(everything)
            assert rows(source.scan(table.name, limit=1, where="1 = 1")) == everything[:1]

    def test_no_condition(self, source: Source) -> None:
        """What is no condition about the columns is wrong usage, or an unknown column."""
        table = source.tables()[0].name
        for where in ("", "1", "1 = 1; DROP TABLE x", "1 = 1) OR (1 = 1", "count(*) > 0", "a b"):
            with pytest.raises(UsageError, match="--where") as caught:
                source.scan(table, where=where).read_all()
            assert caught.value.check == "MP-USE-003"
        for order in ("", "1", "a b c", 'upper("x")'):
            with pytest.raises(UsageError, match="--order-by"):
                source.scan(table, order=order).read_all()
        with pytest.raises(NotFoundError, match="no_such"):
            source.scan(table, where="no_such > 1").read_all()
        with pytest.raises(NotFoundError, match="no_such"):
            source.scan(table, order="no_such").read_all()

    def test_unknown_table(self, source: Source) -> None:
        """A table that is not there is an error that names the nearest, for all who look for it."""
        for table in source.tables():
            for look in (source.describe, source.scan, source.find_table):
                with pytest.raises(NotFoundError) as caught:
                    look(table.name + "x")
                assert table.name in caught.value.hint

    def test_no_other_table(self, source: Source) -> None:
        """Another owner's table, half a name, no name: nobody gets what is like it."""
        for table in source.tables():
            for odd in ("OTHER.{}", ".{}", "{}.", '"other"."{}"', '"OTHER.{}"'):
                for look in (source.find_table, source.describe, source.scan):
                    with pytest.raises(NotFoundError, match="there is no table"):
                        look(odd.format(table.name))
        with pytest.raises(NotFoundError, match="there is no table ''"):
            source.find_table("")

    def test_unknown_column(self, source: Source) -> None:
        """A column that is not there is an error that names the nearest."""
        for table in source.tables():
            name = source.describe(table.name).columns[0].name
            with pytest.raises(NotFoundError, match=f"column '{name}x'") as caught:
                source.scan(table.name, [name, name + "x"])
            assert name in caught.value.hint

    def test_again(self, source: Source) -> None:
        """Two readers of one table are independent, and give the same rows in the same order."""
        for table in source.tables():
            first, second = source.scan(table.name), source.scan(table.name)
            early = next(first, None)
            assert rows(second) == ([] if early is None else rows_of(early)) + rows(first)

    def test_case(self, source: Source) -> None:
        """A table is found without regard to case where that leaves one, and by its own name."""
        tables = names(source.tables())
        counts = Counter(name.casefold() for name in tables)
        for name in tables:
            assert source.find_table(f'"{name}"') == source.find_listed_table(name) == name
            if '"' in name:
                assert source.find_table(name) == name
            elif counts[name.casefold()] == 1:
                assert source.find_table(name.swapcase()) == name
                assert source.describe(name.swapcase()).table.name == name
                assert rows(source.scan(name.swapcase())) == rows(source.scan(name))

    def test_info(self, source: Source) -> None:
        """A source says what it is."""
        info = source.info()
        assert info.kind
        assert info.name
        assert info.details

    def test_leaving(
        self, opening: Callable[[], Source], leftovers: Callable[[], list[Path]]
    ) -> None:
        """Nothing temporary stays, whether the source was used, left by an error, or not used."""
        with opening():
            pass
        assert leftovers() == []
        with suppress(ZeroDivisionError), opening() as source:
            reader = source.scan(source.tables()[0].name)
            assert leftovers()
            raise ZeroDivisionError
        assert leftovers() == []
        del reader


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoSource]:
    """The market of a real day's size."""
    with DemoSource() as source:
        yield source


# Prints how many threads DuckDB has, and a digest of a market.
DIGEST = """
import hashlib, sys
import duckdb, pyarrow as pa
from marketpulse.sources.demo import DemoSource

digest = hashlib.sha256()
with DemoSource(int(sys.argv[1]), int(sys.argv[2])) as source:
    for table in source.tables():
        reader = source.scan(table.name)
        digest.update(str(reader.schema).encode())
        for batch in reader if table.name in {"COLORS", "SECURITIES"} else ():
            digest.update(str(len(batch)).encode())
            for column in batch.columns:
                digest.update(str(column.cast(pa.string()).to_pylist()).encode())
print(duckdb.execute("SELECT current_setting('threads')").fetchall()[0][0], digest.hexdigest())
"""


def digest(count: int, seed: int = 7, **env: str) -> tuple[int, str]:
    """The number of threads that another process has, and its digest of a market."""
    done = subprocess.run(
        [sys.executable, "-c", DIGEST, str(count), str(seed)],
        env={**os.environ, **env},
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    threads, hexdigest = done.stdout.split()
    return int(threads), hexdigest


def sql(demo: DemoSource, query: str, **tables: str) -> list[Any]:
    """The answer to a query over tables of the demo, under the names given."""
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, demo.scan(table).read_all())
        return connection.execute(query).fetchall()


def check_digit(eight: str) -> str:
    """The ninth character of a CUSIP, as its standard has it."""
    total = 0
    for place, mark in enumerate(eight):
        value = int(mark) if mark.isdigit() else ord(mark) - ord("A") + 10
        total += sum(divmod(value * (1 + place % 2), 10))
    return str(-total % 10)


class TestDemo:
    """The market that comes with the package."""

    @pytest.mark.skipif(sys.platform != "linux", reason="only there DuckDB heeds the variable")
    def test_threads(self) -> None:
        """The same rows and seed give the same market with any number of threads."""
        (one, alone), (two, together) = (
            digest(250_000, SLURM_CPUS_ON_NODE=threads) for threads in ("1", "2")
        )
        assert (one, two) == (1, 2)
        assert alone == together

    def test_processes(self) -> None:
        """The same rows and seed give the same market in any process and time zone."""
        here, there = (
            digest(1000, PYTHONHASHSEED=hashing, TZ=zone)
            for hashing, zone in (("1", "UTC"), ("2", "Asia/Kathmandu"))
        )
        assert here == there

    def test_seed(self) -> None:
        """Another seed gives another market of the same size."""
        with DemoSource(50) as one, DemoSource(50, seed=8) as other:
            assert names(one.tables()) == names(other.tables())
            assert [it.rows for it in one.tables()] == [it.rows for it in other.tables()]
            for table in ("COLORS", "SECURITIES"):
                assert rows(one.scan(table)) != rows(other.scan(table))

    @pytest.mark.parametrize("count", [0, 1, 2, 159, 160, 161, 3001])
    def test_rows(self, count: int) -> None:
        """There are as many colors as asked for, each of a security, each security with a color."""
        with DemoSource(count) as source:
            assert {it.name: it.rows for it in source.tables()}["COLORS"] == count
            colors = source.scan("COLORS", ["SECURITY_ID"]).read_all()["SECURITY_ID"].to_pylist()
            securities = source.scan("SECURITIES", ["SECURITY_ID"]).read_all()["SECURITY_ID"]
            assert len(colors) == count
            assert set(colors) == set(securities.to_pylist())

    def test_no_rows(self) -> None:
        """Fewer colors than none are refused."""
        with pytest.raises(UsageError, match="-1"):
            DemoSource(-1)

    def test_speed(self) -> None:
        """Ten thousand colors take no longer than a moment."""
        started = time.perf_counter()
        with DemoSource(10_000) as source:
            assert source.scan("COLORS").read_all().num_rows == 10_000
        assert time.perf_counter() - started < 10

    def test_info(self) -> None:
        """The demo tells its rows and its seed without being made."""
        info = DemoSource(10**15, seed=3).info()
        assert (info.kind, info.name) == ("demo", "demo")
        assert info.details == {"rows": str(10**15), "seed": "3"}

    def test_names(self, demo: DemoSource) -> None:
        """Names that a file system, a shell or another database trips over are there."""
        awkward = {'"Quoted"', "A/B", "CON", "x y", "é" * 60}
        found = {it.name: it for it in demo.tables()}
        assert set(found) == awkward | {
            *("ALL_TYPES", "COLORS", "Colors", "DEALERS", "SECURITIES", "SECURITY_COLORS")
        }
        for name in awkward:
            assert names(demo.describe(name).columns) == ["select", "a b", "ä"]
        assert {name for name, it in found.items() if it.kind == "view"} == {"SECURITY_COLORS"}
        assert all(it.comment for it in found.values())

    def test_twins(self, demo: DemoSource) -> None:
        """Of two names that differ in case only the one in capitals needs no quotes."""
        assert demo.describe("COLORS").table.rows == 2000
        assert demo.describe("Colors").table.rows == 6
        for name in ("COLORS", "Colors", "colors", '"COLORS"'):
            assert demo.find_table(name) == "COLORS"
        assert demo.find_table('"Colors"') == "Colors"
        with pytest.raises(NotFoundError, match="no table") as caught:
            demo.scan('"colors"')
        assert caught.value.hint == "did you mean: COLORS, Colors"

    def test_unnamed(self, demo: DemoSource) -> None:
        """Where no table is named, the error lists what there is."""
        with pytest.raises(NotFoundError, match="11 tables") as caught:
            demo.find_table()
        assert "COLORS, CON, Colors" in caught.value.hint

    def test_keys(self, demo: DemoSource) -> None:
        """Keys, conditions and what points where are told."""
        securities = demo.describe("SECURITIES")
        assert securities.primary_key == ("CUSIP",)
        assert securities.unique == (("SECURITY_ID",),)
        assert securities.foreign_keys == (ForeignKey(("LEAD",), "DEALERS", ("CODE",)),)
        assert "(length(CUSIP) = 9)" in securities.checks
        assert "(MATURES > ISSUED)" in securities.checks
        dealers = demo.describe("DEALERS")
        assert (dealers.primary_key, dealers.unique) == (("CODE",), (("NAME",),))
        colors = demo.describe("COLORS")
        assert (colors.primary_key, colors.unique) == ((), ())
        assert colors.foreign_keys == (
            ForeignKey(("SOURCE",), "DEALERS", ("NAME",)),
            ForeignKey(("SECURITY_ID",), "SECURITIES", ("SECURITY_ID",)),
        )
        assert demo.describe("SECURITY_COLORS").primary_key == ()

    def test_columns(self, demo: DemoSource) -> None:
        """A column tells its own type, how it travels, whether it may be null, and its comment."""
        columns = {it.name: it for it in demo.describe("COLORS").columns}
        assert columns["MESSAGE_ID"] == Column(
            *("MESSAGE_ID", "BIGINT", "int64", False),
            comment="The message that contained the color; not unique",
        )
        assert columns["PRICE_DIFF"] == Column("PRICE_DIFF", "DECIMAL(12,5)", "decimal128(12, 5)")
        assert columns["DATE"] == Column("DATE", "TIMESTAMP", "timestamp[us]")
        view = {it.name: it for it in demo.describe("SECURITY_COLORS").columns}
        assert view["COLORS"].comment == "The number of colors"

    def test_cusips(self) -> None:
        """Every security has a CUSIP of its own with the right check digit."""
        assert check_digit("03783310") == "0"
        with DemoSource(30_000) as source:
            cusips = source.scan("SECURITIES", ["CUSIP"]).read_all()["CUSIP"].to_pylist()
        assert len(set(cusips)) == len(cusips) == 4503
        assert all(cusip[8] == check_digit(cusip[:8]) for cusip in cusips)
        assert any(cusip.isdigit() and cusip.startswith("0") for cusip in cusips)
        assert any(cusip.replace("E", "", 1).isdigit() and "E" in cusip for cusip in cusips)

    def test_groups(self, demo: DemoSource) -> None:
        """Groups are of 1 to 50 colors, six or seven on average, of securities that are known."""
        query = """SELECT upper(trim(c.CUSIP)) AS clean, count(*), count(DISTINCT c.TICKER)
            FROM colors c JOIN securities s ON s.CUSIP = upper(trim(c.CUSIP))
                AND s.SECURITY_ID = c.SECURITY_ID GROUP BY clean"""
        groups = sql(demo, query, colors="COLORS", securities="SECURITIES")
        sizes = [size for _, size, _ in groups]
        assert (min(sizes), max(sizes), sum(sizes)) == (1, 50, 2000)
        assert 6 < sum(sizes) / len(sizes) < 7
        assert {tickers for *_, tickers in groups} == {1}

    def test_messages(self, demo: DemoSource) -> None:
        """Fifty messages bring a day's colors, and their numbers are not what a float can keep."""
        ids = demo.scan("COLORS", ["MESSAGE_ID"]).read_all()["MESSAGE_ID"].to_pylist()
        assert {len(str(one)) for one in ids} == {17}
        assert len(set(ids)) == 50
        assert len(set(map(float, ids))) < 50

    def test_kinds(self, demo: DemoSource) -> None:
        """Each kind of color has its rank, as the table of kinds has it, and dealers give all."""
        query = "SELECT DISTINCT BIAS, RANK FROM colors WHERE RANK IS NOT NULL ORDER BY RANK"
        kinds = "SELECT BIAS, RANK FROM kinds ORDER BY RANK"
        assert sql(demo, query, colors="COLORS") == sql(demo, kinds, kinds="Colors")
        assert sql(demo, "SELECT count(*) FROM dealers", dealers="DEALERS") == [(17,)]
        query = "SELECT count(DISTINCT SOURCE) FROM colors"
        assert sql(demo, query, colors="COLORS")[0][0] > 10

    @pytest.mark.parametrize("column", ["PX", "COV_PRICE", "RANK"])
    def test_nulls(self, demo: DemoSource, column: str) -> None:
        """Some of the values that ranking uses are missing, most are not."""
        missing = demo.scan("COLORS", [column]).read_all()[column].null_count
        assert 10 < missing < 400

    def test_ties(self, demo: DemoSource) -> None:
        """Some colors of a security are equal in every key, down to their message."""
        query = """SELECT count(*) FROM colors
            GROUP BY upper(trim(CUSIP)), RANK, DATE, PX, MESSAGE_ID HAVING count(*) > 1"""
        assert len(sql(demo, query, colors="COLORS")) >= 5

    def test_feed(self, demo: DemoSource) -> None:
        """Cells are as untidy as a feed's: blanks and lower case, notes that look like others."""
        query = "SELECT CUSIP FROM colors WHERE CUSIP <> upper(trim(CUSIP))"
        untidy = [cusip for (cusip,) in sql(demo, query, colors="COLORS")]
        assert any(cusip.startswith(" ") for cusip in untidy)
        assert any(cusip.endswith(" ") for cusip in untidy)
        assert any(cusip.islower() for cusip in untidy)
        assert len(untidy) < 200
        notes = set(demo.scan("COLORS", ["NOTE"]).read_all()["NOTE"].to_pylist())
        assert notes >= {None, "", "é ü 東京", "two\nlines", "=1+1", "NULL", "NA", "0012", "1E5"}
        assert '"quoted",\r\nthen more' in notes

    def test_every_type(self, demo: DemoSource) -> None:
        """Every type that a DuckDB table can have is among the columns of ALL_TYPES."""
        with duckdb.connect() as connection:
            query = "SELECT DISTINCT logical_type FROM duckdb_types()"
            known = {name for (name,) in connection.execute(query).fetchall()}
        found = {column.type.partition("(")[0] for column in demo.describe("ALL_TYPES").columns}
        shown = {"INTEGER[]": "LIST", "VARCHAR[][]": "LIST", "DOUBLE[2]": "ARRAY"}
        assert {shown.get(name, name) for name in found} >= known - {"TYPE", "NULL"}


INFINITY = float("inf")
MIDNIGHT = datetime.time()
UTC = datetime.UTC
# What stands in ALL_TYPES; in every column the rest of the rows is null.
VALUES: dict[str, list[object]] = {
    "A_BOOLEAN": [True, False],
    "A_TINYINT": [-128, 127],
    "A_SMALLINT": [-32768, 32767],
    "AN_INTEGER": [-2147483648, 2147483647],
    "A_BIGINT": [
        *(-9223372036854775808, 9223372036854775807, 9007199254740993, 17700000000000001),
    ],
    "A_HUGEINT": [
        "-170141183460469231731687303715884105728",
        "170141183460469231731687303715884105727",
        "100000000000000000000000000000000000000",
    ],
    "A_UTINYINT": [0, 255],
    "A_USMALLINT": [0, 65535],
    "A_UINTEGER": [0, 4294967295],
    "A_UBIGINT": [0, 18446744073709551615],
    "A_UHUGEINT": ["0", "340282366920938463463374607431768211455"],
    "A_BIGNUM": ["-1" + "0" * 60, "1" + "0" * 59 + "1"],
    "A_FLOAT": [
        *(float("nan"), INFINITY, -INFINITY, -0.0, 0.10000000149011612),
        *(9.999999350456404e-39, 3.4028234663852886e38),
    ],
    "A_DOUBLE": [
        *(float("nan"), INFINITY, -INFINITY, -0.0, 0.1, 1e-300, 1.7976931348623157e308),
        *(5e-324, 100.0, 9007199254740992.0),
    ],
    "A_DECIMAL_38_10": [
        Decimal("9999999999999999999999999999.9999999999"),
        Decimal("-9999999999999999999999999999.9999999999"),
        Decimal("1E-10"),
        Decimal("101.7000000000"),
    ],
    "A_DECIMAL_18_0": [Decimal(10**18 - 1), Decimal(1 - 10**18)],
    "A_DECIMAL_4_4": [Decimal("0.9999"), Decimal("-0.0001")],
    "A_DATE": [
        *(datetime.date(1, 1, 1), datetime.date(9999, 12, 31)),
        *(datetime.date(2024, 2, 29), datetime.date(1969, 12, 31)),
    ],
    "A_TIMESTAMP_S": ["0001-01-01 00:00:00", "9999-12-31 23:59:59"],
    "A_TIMESTAMP_MS": ["0001-01-01 00:00:00.001", "9999-12-31 23:59:59.999"],
    "A_TIMESTAMP": [
        *("0001-01-01 00:00:00.000001", "9999-12-31 23:59:59.999999"),
        *("2026-03-13 00:00:00.000000", "1969-12-31 23:59:59.500000"),
    ],
    "A_TIMESTAMP_NS": [
        *("1678-01-01 00:00:00.000000001", "2262-04-11 23:47:16.854775806"),
        "2026-03-13 16:00:00.123456789",
    ],
    "A_TIMESTAMPTZ": [
        *("2026-03-29 01:30:00.123456Z", "2026-03-14 11:29:59.000000Z"),
        "0001-01-01 00:00:00.000000Z",
    ],
    "A_TIMESTAMPTZ_NS": ["2026-03-13 10:15:00.123456789Z"],
    "A_TIME": ["00:00:00.000000", "23:59:59.999999", "12:00:00.500000"],
    "A_TIME_NS": ["00:00:00.000000001", "23:59:59.999999999"],
    "A_TIMETZ": ["12:34:56.123456+05:45", "00:00:00-11"],
    "AN_INTERVAL": [
        *("1 year 2 months 3 days 04:05:06.000007", "-1 year -2 months", "00:00:00", "1000:00:00"),
    ],
    "A_BLOB": [b"", b"\x00\xff\n\\x41", bytes(range(256))],
    "A_UUID": ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    "A_BIT": ["0", "0000000011", "1" * 70],
    "A_VARCHAR": [
        *("two\nlines", 'said "firm", he\'d', "é ü", "東京 \U0001d54f", "", " ", "NULL", "NA"),
        *("NaN", "=1+1", "0012", "1E5", "TRUE", "tab\tand\r\nreturn", "\\N"),
    ],
    "AN_ENUM": ["BID", "a, b", ""],
    "A_LIST": [[1, None, 3], []],
    "A_LIST_OF_LISTS": [[["é", "NULL", None], []], [None]],
    "AN_ARRAY": [[0.1, None]],
    "A_STRUCT": [{"px": Decimal("101.7000"), "a b": '"'}],
    "A_TUPLE": [{"element1": 1, "element2": "a"}],
    "A_MAP": [[("é", 1), ("", None)], []],
    "A_UNION": ['{"number":1}', '{"word":"1"}'],
    "A_VARIANT": ["1", '"1"', '{"of":["a",null],"px":101.5}'],
    "A_JSON": ['{"px": 101.700, "of": [17700000000000001, "é"]}', "null", '"text"'],
    "A_GEOMETRY": ["POINT (1 2)"],
}


class TestAllTypes:
    """The table of types and of values that get lost elsewhere."""

    def test_all_are_tested(self, demo: DemoSource) -> None:
        """Every column is looked at below."""
        assert names(demo.describe("ALL_TYPES").columns) == list(VALUES)

    @pytest.mark.parametrize("column", VALUES)
    def test_values(self, demo: DemoSource, column: str) -> None:
        """Every awkward value arrives whole."""
        values = demo.scan("ALL_TYPES", [column]).read_all()[column]
        if pa.types.is_temporal(values.type) and not pa.types.is_date(values.type):
            values = values.cast(pa.string())  # Python's own types have no nanoseconds
        expected = VALUES[column]
        nulls = [None] * (len(values) - len(expected))
        assert nulls
        assert repr(values.to_pylist()) == repr([*expected, *nulls])

    def test_kinds_of_text(self, demo: DemoSource) -> None:
        """What travels as text for want of an Arrow type says what it stands for."""
        schema = demo.scan("ALL_TYPES", limit=0).schema
        said = {field.name: field.metadata[b"marketpulse"] for field in schema if field.metadata}
        numbers = dict.fromkeys(("A_HUGEINT", "A_UHUGEINT", "A_BIGNUM"), b"number")
        assert said == numbers | dict.fromkeys(("A_UNION", "A_VARIANT", "A_JSON"), b"json")

    def test_nulls(self, demo: DemoSource) -> None:
        """The last row has nothing but nulls."""
        assert set(demo.scan("ALL_TYPES").read_all().to_pylist()[-1].values()) == {None}


def scanned(
    source: Source, *, columns: Sequence[str] | None = None, limit: int | None = None
) -> dict[str, list[Any]]:
    """The columns of the only table."""
    found: dict[str, list[Any]] = (
        source.scan(source.find_table(), columns, limit).read_all().to_pydict()
    )
    return found


def as_written(source: Source) -> dict[str, list[str | None]]:
    """The columns of the only table, each cell as text."""
    found = source.scan(source.find_table()).read_all().combine_chunks()
    return {
        field.name: to_text(found[field.name].chunk(0), field).to_pylist() for field in found.schema
    }


class TestFiles:
    """Files, many as one table, and what may be wrong with them."""

    def test_glob(self, tmp_path: Path) -> None:
        """A pattern stands for its files, in the order of their names."""
        for name in ("b", "a", "c"):
            text(tmp_path / f"day-{name}.csv", "PX", name)
        text(tmp_path / "other.csv", "PX", "other")
        with open_files([tmp_path / "day-*.csv"]) as source:
            assert scanned(source)["PX"] == ["a", "b", "c"]
            assert source.tables()[0].kind == "files"
            assert [Path(path).name for path in source.info().details.values()] == [
                *("day-a.csv", "day-b.csv", "day-c.csv")
            ]

    def test_pattern_as_name(self, tmp_path: Path) -> None:
        """A file whose own name looks like a pattern is that file."""
        text(tmp_path / "[ab].csv", "PX", "itself")
        text(tmp_path / "a.csv", "PX", "matched")
        with open_files([tmp_path / "[ab].csv"]) as source:
            assert scanned(source)["PX"] == ["itself"]

    def test_folder(self, tmp_path: Path) -> None:
        """A folder stands for its files, however their names' endings are spelled."""
        text(tmp_path / "b.csv", "PX", "3")
        text(tmp_path / "A.CSV", "PX", "1", "2")
        text(tmp_path / "notes.txt", "no", "color")
        (tmp_path / "deeper.csv").mkdir()
        with open_files([tmp_path]) as source:
            assert scanned(source)["PX"] == ["1", "2", "3"]

    def test_not_the_users(self, tmp_path: Path) -> None:
        """Hidden files and a spreadsheet's lock files are no input."""
        write(tmp_path / "day.xlsx")
        for name in ("~$day.xlsx", "._day.xlsx", ".hidden.csv"):
            (tmp_path / name).write_bytes(b"\0\5another program's")
        for given in (tmp_path, tmp_path / "*.xlsx"):
            with open_files([given]) as source:
                assert len(scanned(source)["PX"]) == 3

    def test_order_of_names(self, tmp_path: Path) -> None:
        """Several names are read in the order in which they are given."""
        paths = [text(tmp_path / f"{name}.csv", "PX", name) for name in "cab"]
        with open_files(paths) as source:
            assert scanned(source)["PX"] == ["c", "a", "b"]
            assert scanned(source, limit=2)["PX"] == ["c", "a"]

    def test_order_of_columns(self, tmp_path: Path) -> None:
        """Columns go by name, without regard to case and outer blanks, as the first file has it."""
        text(tmp_path / "1.csv", "CUSIP,PX", "a,1")
        text(tmp_path / "2.csv", " px ,cusip", "2,b")
        with open_files([tmp_path]) as source:
            assert scanned(source) == {"CUSIP": ["a", "b"], "PX": ["1", "2"]}
            assert scanned(source, columns=["PX"]) == {"PX": ["1", "2"]}

    def test_types_that_differ(self, tmp_path: Path) -> None:
        """A column whose type differs from file to file becomes text that tells what it was."""
        names_only = ["MESSAGE_ID", "PX", "NOTE"]
        floats = COLORS.select(names_only).set_column(1, "PX", pa.array([1e-7, None, 2.0]))
        write(tmp_path / "1.parquet", COLORS.select(names_only))
        write(tmp_path / "2.parquet", floats)
        with open_files([tmp_path]) as source:
            arrow_type = [it.arrow_type for it in source.describe(source.tables()[0].name).columns]
            assert arrow_type == ["int64", "string", "string"]
            found = scanned(source)
        assert found["PX"] == ["n101.7000", None, "n-0.5000", "f0.0000001", None, "f2.0"]
        assert found["MESSAGE_ID"] == COLORS["MESSAGE_ID"].to_pylist() * 2

    @pytest.mark.parametrize("name", FORMATS)
    def test_values(self, tmp_path: Path, name: str) -> None:
        """Every cell arrives as it was written, in every format."""
        with open_files([write(tmp_path / f"day.{name}")]) as source:
            assert as_written(source) == CELLS

    def test_formats_that_differ(self, tmp_path: Path) -> None:
        """The same rows in several formats are the same text where they have no common type."""
        with open_files([write(tmp_path / f"day.{name}") for name in FORMATS]) as source:
            found = as_written(source)
        assert found == {name: cells * len(FORMATS) for name, cells in CELLS.items()}

    def test_misfits(self, tmp_path: Path) -> None:
        """Lines that fit no row are told with their places among all files' rows."""
        text(tmp_path / "1.csv", "CUSIP,PX", "a,1", "short", "b,2")
        text(tmp_path / "2.csv", "CUSIP,PX", "c,3", 'x,"y, z",1', "", "d,4", "end")
        malformed_lines: list[MalformedLine] = []
        with open_files([tmp_path]) as source:
            found = source.scan(
                source.tables()[0].name, on_malformed_line=malformed_lines.append
            ).read_all()
        assert found["PX"].to_pylist() == ["1", "2", "3", "4"]
        assert malformed_lines == [
            *(
                MalformedLine(1, 1, 2, "short"),
                MalformedLine(3, 3, 2, 'x,"y, z",1'),
                MalformedLine(4, 1, 2, "end"),
            ),
        ]

    def test_misfit_in_a_sheet(self, tmp_path: Path) -> None:
        """A row of a sheet with a cell beyond its header is a misfit too."""
        book = openpyxl.Workbook()
        for row in (["CUSIP", "PX"], ["a", 1.5], ["b", 2.5, "x"], ["c"]):
            book.worksheets[0].append(row)
        book.save(tmp_path / "day.xlsx")
        malformed_lines: list[MalformedLine] = []
        with open_files([tmp_path / "day.xlsx"]) as source:
            found = (
                source.scan("day", on_malformed_line=malformed_lines.append).read_all().to_pydict()
            )
        assert found == {"CUSIP": ["a", "c"], "PX": ["1.5", None]}
        assert malformed_lines == [MalformedLine(1, 3, 2, "b,2.5,x")]

    def test_misfits_unheard(self, tmp_path: Path) -> None:
        """Where nobody listens, a line that fits no row is an error that says where it is."""
        path = text(tmp_path / "day.csv", "CUSIP,PX", "a,1", "b,2,x")
        wanted = r"day\.csv: after 1 rows: 3 fields instead of 2: 'b,2,x'"
        with open_files([path]) as source, pytest.raises(DataError, match=wanted) as caught:
            scanned(source)
        assert caught.value.check == "MP-DAT-012"

    @pytest.mark.parametrize("header", ["CUSIP,cusip ", "PX,PX", "A,A", "PX,,", 'B,"b"'])
    def test_one_name_twice(
        self, tmp_path: Path, header: str, leftovers: Callable[[], list[Path]]
    ) -> None:
        """Two columns of one name are an error, however the name is spelled."""
        path = text(tmp_path / "day.csv", header, "1,2" + ",3" * (header.count(",") - 1))
        with pytest.raises(DataError, match="two columns of one name") as caught:
            open_files([path])
        assert caught.value.check == "MP-DAT-008"
        assert leftovers() == []

    @pytest.mark.parametrize("name", ["ndjson", "json", "parquet", "xlsx"])
    def test_one_name_twice_elsewhere(self, tmp_path: Path, name: str) -> None:
        """Two columns of one name are an error in every format."""
        table = pa.table([["1"], ["2"]], names=["A", "A"])
        with pytest.raises(DataError, match="two columns of") as caught:
            open_files([write(tmp_path / f"day.{name}", table)])
        assert caught.value.check == "MP-DAT-008"

    def test_other_columns(self, tmp_path: Path) -> None:
        """Files of different columns are no table; the error names what they do not share."""
        text(tmp_path / "1.csv", "CUSIP,PX", "a,1")
        text(tmp_path / "2.csv", "CUSIP,PRICE", "b,2")
        with pytest.raises(DataError, match="'price', 'px'") as caught:
            open_files([tmp_path])
        assert caught.value.check == "MP-DAT-011"

    def test_missing_file(self, tmp_path: Path) -> None:
        """A file that is not there is an error that names the nearest."""
        write(tmp_path / "colors.csv")
        with pytest.raises(NotFoundError, match=r"colour\.csv: no such file") as caught:
            open_files([tmp_path / "colour.csv"])
        assert caught.value.hint == "did you mean: colors.csv"

    def test_missing_folder(self, tmp_path: Path) -> None:
        """Where the folder is not there either, the error says that."""
        with pytest.raises(NotFoundError) as caught:
            open_files([tmp_path / "nowhere" / "colors.csv"])
        assert caught.value.hint == f"there is no folder {tmp_path / 'nowhere'}"

    def test_pattern_without_files(self, tmp_path: Path) -> None:
        """A pattern that matches nothing is an error, not an empty table."""
        with pytest.raises(NotFoundError, match="no such file"):
            open_files([tmp_path / "*.csv"])

    def test_folder_without_files(self, tmp_path: Path) -> None:
        """A folder without a file of a known format is an error that lists the formats."""
        text(tmp_path / "notes.txt", "no color")
        with pytest.raises(NotFoundError, match=r"holds no \.csv, \.ndjson") as caught:
            open_files([tmp_path])
        assert caught.value.check == "MP-SRC-002"

    def test_unknown_suffix(self, tmp_path: Path) -> None:
        """A file whose name ends in no known format is refused by name."""
        with pytest.raises(NotFoundError, match=r"colors\.dat: .* none of \.csv") as caught:
            open_files([text(tmp_path / "colors.dat", "PX", "1")])
        assert caught.value.check == "MP-SRC-003"

    def test_header_alone(self, tmp_path: Path) -> None:
        """A file with a header alone is a table without rows."""
        with open_files([text(tmp_path / "day.csv", "CUSIP,PX")]) as source:
            assert scanned(source) == {"CUSIP": [], "PX": []}


class TestOpening:
    """Which source a name stands for."""

    def test_demo(self) -> None:
        """`demo` is the market, with as many colors as are asked for."""
        with open_source("demo", rows=3) as source:
            assert source.info().details == {"rows": "3", "seed": "7"}
        with open_source("demo") as source:
            assert source.info().details == {"rows": "2000", "seed": "7"}

    def test_file(self, tmp_path: Path) -> None:
        """Any other name is a file's, a pattern or a folder."""
        write(tmp_path / "day.csv")
        for name in ("day.csv", "*.csv", ""):
            with open_source(str(tmp_path / name)) as source:
                assert source.find_table() == "day"

    def test_missing(self) -> None:
        """What is neither is an error."""
        with pytest.raises(NotFoundError, match="no such file"):
            open_source("nothing of this name")
