"""The data of the demo: the same on every machine, like a real market, with every type."""

import datetime
import os
import subprocess
import sys
import time
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from samples import names
from support import ROOT

from marketpulse.sources.demo import DemoSource

# Prints the number of DuckDB's threads, and a digest of a market.
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
    """Return the number of threads of another process, and its digest of a market."""
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
    """Return the result of a query on tables of the demo, under these names."""
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, demo.scan(table).read_all())
        return connection.execute(query).fetchall()


def check_digit(code: str) -> str:
    """Return the ninth character of a CUSIP, by the rule of its standard."""
    total = 0
    for index, character in enumerate(code):
        value = int(character) if character.isdigit() else ord(character) - ord("A") + 10
        total += sum(divmod(value * (1 + index % 2), 10))
    return str(-total % 10)


@pytest.mark.skipif(sys.platform != "linux", reason="DuckDB reads the variable only on Linux")
def test_threads() -> None:
    """The same rows and seed make the same market with any number of threads."""
    (one, single), (two, double) = (
        digest(150_000, SLURM_CPUS_ON_NODE=threads) for threads in ("1", "2")
    )
    assert (one, two) == (1, 2)
    assert single == double


def test_processes() -> None:
    """The same rows and seed make the same market in any process and time zone."""
    in_utc, in_nepal = (
        digest(1000, PYTHONHASHSEED=hashing, TZ=zone)
        for hashing, zone in (("1", "UTC"), ("2", "Asia/Kathmandu"))
    )
    assert in_utc == in_nepal


@pytest.mark.parametrize("count", [0, 1, 2, 159, 160, 161, 3001])
def test_rows(count: int) -> None:
    """The number of colors is exact; each has a security, and each security has a color."""
    with DemoSource(count) as source:
        assert source.describe("COLORS").table.rows == count
        colors = source.scan("COLORS", ["SECURITY_ID"]).read_all()["SECURITY_ID"].to_pylist()
        securities = source.scan("SECURITIES", ["SECURITY_ID"]).read_all()["SECURITY_ID"]
        assert len(colors) == count
        assert set(colors) == set(securities.to_pylist())


def test_speed() -> None:
    """Ten thousand colors take less than ten seconds."""
    started = time.perf_counter()
    with DemoSource(10_000) as source:
        assert source.scan("COLORS").read_all().num_rows == 10_000
    assert time.perf_counter() - started < 10


def test_cusips() -> None:
    """Every security has a unique CUSIP with a correct check digit."""
    assert check_digit("03783310") == "0"
    with DemoSource(30_000) as source:
        cusips = source.scan("SECURITIES", ["CUSIP"]).read_all()["CUSIP"].to_pylist()
    assert len(set(cusips)) == len(cusips) == 4503
    assert all(cusip[8] == check_digit(cusip[:8]) for cusip in cusips)
    assert any(cusip.isdigit() and cusip.startswith("0") for cusip in cusips)
    assert any(cusip.replace("E", "", 1).isdigit() and "E" in cusip for cusip in cusips)


def test_groups(demo: DemoSource) -> None:
    """A security has 1 to 50 colors, six or seven on average."""
    query = """SELECT upper(trim(c.CUSIP)) AS clean, count(*), count(DISTINCT c.TICKER)
        FROM colors c JOIN securities s ON s.CUSIP = upper(trim(c.CUSIP))
            AND s.SECURITY_ID = c.SECURITY_ID GROUP BY clean"""
    groups = sql(demo, query, colors="COLORS", securities="SECURITIES")
    sizes = [size for _, size, _ in groups]
    assert (min(sizes), max(sizes), sum(sizes)) == (1, 50, 2000)
    assert 6 < sum(sizes) / len(sizes) < 7
    assert {tickers for *_, tickers in groups} == {1}


def test_messages(demo: DemoSource) -> None:
    """A day has fifty messages, whose ids a float cannot hold."""
    ids = demo.scan("COLORS", ["MESSAGE_ID"]).read_all()["MESSAGE_ID"].to_pylist()
    assert {len(str(message_id)) for message_id in ids} == {17}
    assert len(set(ids)) == 50
    assert len(set(map(float, ids))) < 50


def test_kinds(demo: DemoSource) -> None:
    """Each kind of color has the rank of the table of kinds; there are several dealers."""
    query = "SELECT DISTINCT BIAS, RANK FROM colors WHERE RANK IS NOT NULL ORDER BY RANK"
    kinds = "SELECT BIAS, RANK FROM kinds ORDER BY RANK"
    assert sql(demo, query, colors="COLORS") == sql(demo, kinds, kinds="Colors")
    assert sql(demo, "SELECT count(*) FROM dealers", dealers="DEALERS") == [(17,)]
    query = "SELECT count(DISTINCT SOURCE) FROM colors"
    assert sql(demo, query, colors="COLORS")[0][0] > 10


@pytest.mark.parametrize("column", ["PX", "COV_PRICE", "RANK"])
def test_nulls(demo: DemoSource, column: str) -> None:
    """A few of the values for the ranking are missing."""
    missing = demo.scan("COLORS", [column]).read_all()[column].null_count
    assert 10 < missing < 400


def test_ties(demo: DemoSource) -> None:
    """Some colors of a security are equal in every key, even in their message."""
    query = """SELECT count(*) FROM colors
        GROUP BY upper(trim(CUSIP)), RANK, DATE, PX, MESSAGE_ID HAVING count(*) > 1"""
    assert len(sql(demo, query, colors="COLORS")) >= 5


def test_feed(demo: DemoSource) -> None:
    """Some CUSIPs have blanks or lower case; some notes look like numbers, formulas or nulls."""
    query = "SELECT CUSIP FROM colors WHERE CUSIP <> upper(trim(CUSIP))"
    untidy = [cusip for (cusip,) in sql(demo, query, colors="COLORS")]
    assert any(cusip.startswith(" ") for cusip in untidy)
    assert any(cusip.endswith(" ") for cusip in untidy)
    assert any(cusip.islower() for cusip in untidy)
    assert len(untidy) < 200
    notes = set(demo.scan("COLORS", ["NOTE"]).read_all()["NOTE"].to_pylist())
    assert notes >= {None, "", "é ü 東京", "two\nlines", "=1+1", "NULL", "NA", "0012", "1E5"}
    assert '"quoted",\r\nthen more' in notes


def test_every_type(demo: DemoSource) -> None:
    """Every type that a DuckDB table can have is among the columns of ALL_TYPES."""
    with duckdb.connect() as connection:
        query = "SELECT DISTINCT logical_type FROM duckdb_types()"
        known = {name for (name,) in connection.execute(query).fetchall()}
    types = {column.type.partition("(")[0] for column in demo.describe("ALL_TYPES").columns}
    kinds = {"INTEGER[]": "LIST", "VARCHAR[][]": "LIST", "DOUBLE[2]": "ARRAY"}
    assert {kinds.get(name, name) for name in types} >= known - {"TYPE", "NULL"}


INFINITY = float("inf")

MIDNIGHT = datetime.time()

UTC = datetime.UTC

# The values of ALL_TYPES; the other rows of each column are null.
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


def test_all_are_tested(demo: DemoSource) -> None:
    """The tests below cover every column."""
    assert names(demo.describe("ALL_TYPES").columns) == list(VALUES)


@pytest.mark.parametrize("column", VALUES)
def test_values(demo: DemoSource, column: str) -> None:
    """Every value arrives without loss."""
    values = demo.scan("ALL_TYPES", [column]).read_all()[column]
    if pa.types.is_temporal(values.type) and not pa.types.is_date(values.type):
        values = values.cast(pa.string())  # Python's own types have no nanoseconds
    expected = VALUES[column]
    nulls = [None] * (len(values) - len(expected))
    assert nulls
    assert repr(values.to_pylist()) == repr([*expected, *nulls])


def test_the_last_row(demo: DemoSource) -> None:
    """The last row has only nulls."""
    assert set(demo.scan("ALL_TYPES").read_all().to_pylist()[-1].values()) == {None}
