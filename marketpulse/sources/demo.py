"""A small bond market in memory: colors, securities, dealers, and tables that are hard to carry.

Everything is drawn from the MD5 of the seed, a purpose and a number, never from a generator with
a state, so a market is the same to the byte on any machine, with any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa

from marketpulse.errors import UsageError
from marketpulse.formats.decode import column_of
from marketpulse.formats.encode import LogicalType, is_text, logical_field
from marketpulse.model import (
    Column,
    ForeignKey,
    OnMalformedLine,
    SourceInfo,
    Table,
    TableSchema,
)
from marketpulse.names import quoted
from marketpulse.sources.base import Source, unknown
from marketpulse.sources.selection import condition, ordering, told

# A third of DuckDB's own portions: so the batches are the same with any number of threads.
_BATCH = 40_960

# How many colors each of 24 securities has; then it begins again. 160 colors in all.
_GROUPS = (4, 1, 7, 2, 4, 10, 3, 1, 5, 11, 4, 2, 8, 3, 50, 4, 6, 1, 9, 4, 2, 5, 11, 3)
_OWNERS = [security for security, colors in enumerate(_GROUPS) for _ in range(colors)]

_MACROS = r"""
CREATE TEMP MACRO draw(purpose, number) AS
    md5_number_lower(concat_ws(' ', getvariable('seed'), purpose, number));
-- One draw gives several picks: each begins some bits further on.
CREATE TEMP MACRO pick(draw, bits, choices) AS CAST((draw >> bits) % choices AS INTEGER);
CREATE TEMP MACRO last36(number) AS
    '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'[number % 36 + 1];
-- Digits count as they are, letters from 10, every second one twice; then the sum of all digits.
CREATE TEMP MACRO weight(code, place) AS
    (strpos('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ', code[place]) - 1) * (2 - place % 2);
CREATE TEMP MACRO check_digit(code) AS (10 - list_sum(list_transform(range(1, 9),
    lambda place: weight(code, place) // 10 + weight(code, place) % 10)) % 10) % 10;
"""

_DEALERS = """
CREATE TABLE DEALERS (
    CODE VARCHAR PRIMARY KEY CHECK (length(CODE) = 3),
    NAME VARCHAR NOT NULL UNIQUE,
    CITY VARCHAR,
    SINCE DATE
);
INSERT INTO DEALERS VALUES
    ('AMB', 'AMBERLEY', 'New York', '1987-03-02'),
    ('BRW', 'BRANTWOOD', 'New York', '1999-11-15'),
    ('CLD', 'CALDERSTONE', 'London', '1964-06-01'),
    ('DRV', 'Darrow & Vane', 'Charlotte', '2001-01-08'),
    ('EST', 'EASTERLY', 'Boston', '1978-09-18'),
    ('FNM', 'FENMORE', 'New York', '2010-04-12'),
    ('GRH', 'GREYHAVEN', NULL, NULL),
    ('HLB', 'HOLBECK', 'London', '1991-02-25'),
    ('IRN', 'IRONBRIDGE', 'Chicago', '2006-08-07'),
    ('KTH', '北浜 KITAHAMA', '大阪', '1949-04-01'),
    ('LUM', 'Lumière', 'Paris', '1958-10-04'),
    ('MRT', 'MARTLET', 'New York', '1995-05-30'),
    ('NRD', 'NORDVIK', 'Malmö', '1983-12-05'),
    ('OHS', 'O''Hara "Sons"', 'Dublin', '2015-07-20'),
    ('PNC', 'PENCARROW', 'Toronto', '1972-01-31'),
    ('QRY', 'QUARRY HILL', 'Stamford', '2019-09-09'),
    ('RVS', 'RAVENSCAR', 'New York', '1989-10-16');
COMMENT ON TABLE DEALERS IS 'Those who give colors';
COMMENT ON COLUMN DEALERS.NAME IS 'As it stands in COLORS.SOURCE';
COMMENT ON COLUMN DEALERS.SINCE IS 'Trading since; not known of all';
"""

_SECURITIES = r"""
CREATE TABLE SECURITIES (
    CUSIP VARCHAR PRIMARY KEY CHECK (length(CUSIP) = 9),
    SECURITY_ID INTEGER NOT NULL UNIQUE,
    TICKER VARCHAR NOT NULL,
    SECTOR VARCHAR NOT NULL,
    ISSUED DATE NOT NULL,
    MATURES DATE NOT NULL,
    COUPON DECIMAL(7, 4) CHECK (COUPON BETWEEN 0 AND 20),
    ISSUE_PRICE DECIMAL(9, 4) NOT NULL CHECK (ISSUE_PRICE > 0),
    FACE DECIMAL(18, 2) CHECK (FACE > 0),
    LEAD VARCHAR REFERENCES DEALERS (CODE),
    CHECK (MATURES > ISSUED)
);
INSERT INTO SECURITIES
WITH deals AS (  -- of six tranches each
    SELECT number, number % 6 + 1 AS tranche,
        draw('security', number) AS own,
        draw('deal', number // 6) AS deal,
        -- A prime that 1000 * 36 ** 3 has no factor of: no two deals have one code.
        (number // 6 * 1_000_000_007 + pick(draw('cusip', 0), 0, 46_656_000)) % 46_656_000 AS code,
    FROM range(getvariable('securities')) AS numbers(number)
), coded AS (
    SELECT *, DATE '2012-01-02' + pick(deal, 0, 4800) AS issued,
        lpad(CAST(code // 46_656 AS VARCHAR), 3, '0')
            || last36(code // 1296) || last36(code // 36) || last36(code)
            || ['AA', 'AC', '10', 'AE', 'E1', 'AG'][tranche] AS eight,
    FROM deals
)
SELECT
    eight || check_digit(eight),
    number + 1,
    ['ABCLO', 'BRKWD', 'CEDAR', 'DNMRE', 'ELMPK', 'FRSTL', 'GLNOK', 'HWTHN', 'IVYRD', 'JNPER',
        'KESTR', 'LARCH', 'MYRTL', 'NTHGT', 'OAKHL', 'PINEX'][pick(deal, 13, 16) + 1]
        || ' ' || year(issued) || '-' || pick(deal, 17, 99) + 1 || 'A '
        || ['A', 'A1R', 'B', 'C', 'D', 'ER'][tranche],
    CASE pick(deal, 24, 8) WHEN 0 THEN 'MM-CLO' WHEN 1 THEN 'A_BSL' ELSE
        ['2.0_AAA_Senior', '2.0_AAA_Mez', '2.0_Senior', '2.0_Mezz', '2.0_Mezz', '2.0_Mezz'][tranche]
        END,
    issued,
    issued + to_years(10 + pick(deal, 32, 4)),
    CASE WHEN pick(own, 0, 16) > 0 THEN 0.75 + tranche * 0.9 + pick(own, 4, 5000) * 0.0001 END,
    101 - tranche * 1.5 + pick(own, 17, 160) * 0.0125,
    (1 + pick(own, 25, 400)) * 250_000,
    (SELECT list(CODE ORDER BY CODE) FROM DEALERS)[pick(deal, 40, 17) + 1],
FROM coded
ORDER BY number;
COMMENT ON TABLE SECURITIES IS 'The tranches that colors are about';
COMMENT ON COLUMN SECURITIES.CUSIP IS 'Nine characters, the last one a check digit';
COMMENT ON COLUMN SECURITIES.COUPON IS 'In percent; none for a tranche without one';
COMMENT ON COLUMN SECURITIES.LEAD IS 'The dealer who brought the deal to the market';
"""

_COLORS = r"""
CREATE TABLE COLORS (
    MESSAGE_ID BIGINT NOT NULL,
    TICKER VARCHAR,
    SECTOR VARCHAR,
    CUSIP VARCHAR NOT NULL,
    "DATE" TIMESTAMP,
    PRICE_LEVEL DECIMAL(12, 4),
    BID DECIMAL(12, 4),
    ASK DECIMAL(12, 4),
    PX DECIMAL(12, 4),
    SOURCE VARCHAR REFERENCES DEALERS (NAME),
    BIAS VARCHAR,
    "RANK" INTEGER CHECK ("RANK" BETWEEN 1 AND 6),
    COV_PRICE DECIMAL(12, 5),
    PERCENT_DIFF DECIMAL(7, 2),
    PRICE_DIFF DECIMAL(12, 5),
    CONFIDENCE INTEGER CHECK (CONFIDENCE BETWEEN 0 AND 10),
    DATE_1 DATE,
    DIFF_STATUS VARCHAR,
    NOTE VARCHAR,
    SECURITY_ID INTEGER NOT NULL REFERENCES SECURITIES (SECURITY_ID)
);
INSERT INTO COLORS
WITH mixed AS (  -- two by two: a dealer's list often has two colors of one security
    SELECT 2 * pair AS first,
        2 * (row_number() OVER (ORDER BY draw('pair', pair), pair) - 1) AS sent_as,
    FROM range((getvariable('rows') + 1) // 2) AS pairs(pair)
), fed AS (  -- forty colors a message, fifty messages a day
    SELECT sent_as + half AS number, first + half AS place,
        number // 40 AS message,
        draw('color', number) AS own,
        draw('message', message) AS sent,
        (getvariable('rows') - 1) // 2000 - number // 2000 + pick(sent, 0, 10) AS days_ago,
    FROM mixed, range(2) AS halves(half)
    WHERE place < getvariable('rows')
), told AS (
    SELECT *,
        CAST(place // 160 * 24 + getvariable('owners')[place % 160 + 1] + 1 AS INTEGER) AS security,
        -- Weekends are left out.
        DATE '2026-03-13' - CAST(days_ago // 5 * 7 + days_ago % 5 AS INTEGER) AS day,
        CASE WHEN pick(own, 0, 40) < 1 THEN 1 WHEN pick(own, 0, 40) < 6 THEN 2
            WHEN pick(own, 0, 40) < 17 THEN 3 WHEN pick(own, 0, 40) < 28 THEN 4
            WHEN pick(own, 0, 40) < 35 THEN 5 ELSE 6 END AS kind,
    FROM fed
), priced AS (
    SELECT told.*, TICKER, SECTOR, CUSIP,
        CAST(ISSUE_PRICE + (pick(own, 6, 8) - 4) * 0.125 AS DECIMAL(12, 4)) AS level,
        CASE WHEN pick(own, 9, 32) > 0 THEN level END AS px,
        CASE WHEN pick(own, 14, 12) > 0
            THEN CAST(level + (pick(own, 18, 1301) - 650) * 0.00113 AS DECIMAL(12, 5)) END AS cover,
        CAST(abs(px - cover) * 100 / cover AS DECIMAL(7, 2)) AS percent,
    FROM told JOIN SECURITIES ON SECURITY_ID = security
)
SELECT
    -- Every second one is the next number: a float cannot tell the two apart.
    17_700_000_000_000_000 + message // 2 * 1_000_003 * 2 + message % 2,
    TICKER,
    SECTOR,
    CASE pick(own, 29, 50) WHEN 0 THEN ' ' || CUSIP WHEN 1 THEN CUSIP || '  '
        WHEN 2 THEN lower(CUSIP) ELSE CUSIP END,
    day + CASE pick(sent, 8, 4) WHEN 0 THEN INTERVAL 0 SECOND
        ELSE to_seconds(8 * 3600 + pick(sent, 10, 36_000))
            + to_microseconds(CASE pick(sent, 26, 5) WHEN 0 THEN 250_000 ELSE 0 END) END,
    level,
    CASE WHEN kind = 4 THEN 0 ELSE level END,
    CASE WHEN kind IN (2, 3) THEN 0 WHEN kind = 4 THEN level
        ELSE level + pick(own, 35, 9) * 0.0625 END,
    px,
    (SELECT list(NAME ORDER BY CODE) FROM DEALERS)[pick(sent, 32, 17) + 1],
    ['TRADE', 'BWIC COVER', 'BID', 'OFFER', 'BWIC TALK', 'VALUATION'][kind],
    CASE WHEN pick(own, 39, 50) > 0 THEN kind END,
    cover,
    percent,
    px - cover,
    pick(own, 45, 11),
    day - pick(own, 49, 2),
    CASE WHEN percent >= 0.5 THEN 'Significant Difference'
        WHEN percent IS NOT NULL THEN 'Small Difference' END,
    [NULL, 'é ü 東京', E'two\nlines', 'said "firm"', 'comma, inside', '=1+1', 'NULL', 'NA', '0012',
        'talk only', '1E5', ' blanks ', E'"quoted",\r\nthen more', '007', 'TRUE', '',
        NULL, NULL, NULL, NULL][pick(own, 50, 20) + 1],
    security,
FROM priced
ORDER BY number;
COMMENT ON TABLE COLORS IS 'What dealers said about prices, as it arrives: one row a color';
COMMENT ON COLUMN COLORS.MESSAGE_ID IS 'One message brings many colors: not unique';
COMMENT ON COLUMN COLORS.CUSIP IS
    'As sent, some in lower case or with blanks, so no key; SECURITY_ID is the key';
COMMENT ON COLUMN COLORS.PX IS 'The price that ranking uses';
COMMENT ON COLUMN COLORS.BID IS '0 where that side is not quoted';
COMMENT ON COLUMN COLORS.ASK IS '0 where that side is not quoted';
COMMENT ON COLUMN COLORS.RANK IS 'Priority of the kind of color, 1 is best';
COMMENT ON COLUMN COLORS.NOTE IS 'The desk''s own words; "quotes", 東京 and line ends are common';
COMMENT ON COLUMN COLORS.SECURITY_ID IS 'The security that CUSIP means';

CREATE VIEW SECURITY_COLORS AS
SELECT s.CUSIP, s.TICKER, count(c.MESSAGE_ID) AS COLORS, max(c.DATE) AS NEWEST,
    min(c.PX) AS LOWEST, max(c.PX) AS HIGHEST,
FROM SECURITIES s LEFT JOIN COLORS c USING (SECURITY_ID)
GROUP BY s.CUSIP, s.TICKER
ORDER BY s.CUSIP;
COMMENT ON VIEW SECURITY_COLORS IS 'Each security with the number and the range of its colors';
COMMENT ON COLUMN SECURITY_COLORS.COLORS IS 'How many there are';

-- One schema cannot hold two names that differ in case only.
CREATE SCHEMA other_case;
CREATE TABLE other_case."Colors" (
    "RANK" INTEGER PRIMARY KEY,
    "BIAS" VARCHAR NOT NULL UNIQUE,
    "Meaning" VARCHAR
);
INSERT INTO other_case."Colors" VALUES
    (1, 'TRADE', 'a price that was paid'),
    (2, 'BWIC COVER', 'the second best bid of a bid list'),
    (3, 'BID', 'what a dealer pays'),
    (4, 'OFFER', 'what a dealer asks'),
    (5, 'BWIC TALK', 'what is expected of a bid list'),
    (6, 'VALUATION', NULL);
COMMENT ON TABLE other_case."Colors" IS
    'The kinds of color; only its case tells its name from COLORS';
"""

# Column, type, values. Three cannot be carried: no table has a column of the type TYPE, and Arrow
# has neither infinite dates and timestamps nor the time 24:00:00.
_ALL_TYPES: tuple[tuple[str, str, *tuple[object, ...]], ...] = (
    ("A_BOOLEAN", "BOOLEAN", True, False),
    ("A_TINYINT", "TINYINT", -(2**7), 2**7 - 1),
    ("A_SMALLINT", "SMALLINT", -(2**15), 2**15 - 1),
    ("AN_INTEGER", "INTEGER", -(2**31), 2**31 - 1),
    ("A_BIGINT", "BIGINT", -(2**63), 2**63 - 1, 2**53 + 1, 17700000000000001),
    ("A_HUGEINT", "HUGEINT", str(-(2**127)), str(2**127 - 1), str(10**38)),
    ("A_UTINYINT", "UTINYINT", 0, 2**8 - 1),
    ("A_USMALLINT", "USMALLINT", 0, 2**16 - 1),
    ("A_UINTEGER", "UINTEGER", 0, 2**32 - 1),
    ("A_UBIGINT", "UBIGINT", 0, 2**64 - 1),
    ("A_UHUGEINT", "UHUGEINT", "0", str(2**128 - 1)),
    ("A_BIGNUM", "BIGNUM", str(-(10**60)), str(10**60 + 1)),
    ("A_FLOAT", "FLOAT", "NaN", "Infinity", "-Infinity", "-0.0", "0.1", "1e-38", "3.4028235e38"),
    (
        *("A_DOUBLE", "DOUBLE", "NaN", "Infinity", "-Infinity", "-0.0", "0.1", "1e-300"),
        *("1.7976931348623157e308", "5e-324", "100", "9007199254740993"),
    ),
    (
        *("A_DECIMAL_38_10", "DECIMAL(38, 10)", "9999999999999999999999999999.9999999999"),
        *("-9999999999999999999999999999.9999999999", "0.0000000001", "101.7000000000"),
    ),
    ("A_DECIMAL_18_0", "DECIMAL(18, 0)", "999999999999999999", "-999999999999999999"),
    ("A_DECIMAL_4_4", "DECIMAL(4, 4)", "0.9999", "-0.0001"),
    ("A_DATE", "DATE", "0001-01-01", "9999-12-31", "2024-02-29", "1969-12-31"),
    ("A_TIMESTAMP_S", "TIMESTAMP_S", "0001-01-01 00:00:00", "9999-12-31 23:59:59"),
    ("A_TIMESTAMP_MS", "TIMESTAMP_MS", "0001-01-01 00:00:00.001", "9999-12-31 23:59:59.999"),
    (
        *("A_TIMESTAMP", "TIMESTAMP", "0001-01-01 00:00:00.000001", "9999-12-31 23:59:59.999999"),
        *("2026-03-13 00:00:00", "1969-12-31 23:59:59.5"),
    ),
    (
        *("A_TIMESTAMP_NS", "TIMESTAMP_NS", "1678-01-01 00:00:00.000000001"),
        *("2262-04-11 23:47:16.854775806", "2026-03-13 16:00:00.123456789"),
    ),
    (
        *("A_TIMESTAMPTZ", "TIMESTAMPTZ", "2026-03-29 02:30:00.123456+01:00"),
        *("2026-03-13 23:59:59-11:30", "0001-01-01 00:00:00+00"),
    ),
    ("A_TIMESTAMPTZ_NS", "TIMESTAMPTZ_NS", "2026-03-13 16:00:00.123456789+05:45"),
    ("A_TIME", "TIME", "00:00:00", "23:59:59.999999", "12:00:00.5"),
    ("A_TIME_NS", "TIME_NS", "00:00:00.000000001", "23:59:59.999999999"),
    ("A_TIMETZ", "TIMETZ", "12:34:56.123456+05:45", "00:00:00-11"),
    (
        *("AN_INTERVAL", "INTERVAL", "1 year 2 months 3 days 04:05:06.000007", "-14 months"),
        *("0 seconds", "1000 hours"),
    ),
    ("A_BLOB", "BLOB", b"", b"\x00\xff\n\\x41", bytes(range(256))),
    (
        *("A_UUID", "UUID", "00000000-0000-0000-0000-000000000000"),
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ),
    ("A_BIT", "BIT", "0", "0000000011", "1" * 70),
    (
        *("A_VARCHAR", "VARCHAR", "two\nlines", 'said "firm", he\'d', "é ü", "東京 \U0001d54f", ""),
        *(" ", "NULL", "NA", "NaN", "=1+1", "0012", "1E5", "TRUE", "tab\tand\r\nreturn", "\\N"),
    ),
    ("AN_ENUM", "ENUM('BID', 'OFFER', 'a, b', '')", "BID", "a, b", ""),
    ("A_LIST", "INTEGER[]", [1, None, 3], []),
    ("A_LIST_OF_LISTS", "VARCHAR[][]", [["é", "NULL", None], []], [None]),
    ("AN_ARRAY", "DOUBLE[2]", [0.1, None]),
    ("A_STRUCT", 'STRUCT(px DECIMAL(9, 4), "a b" VARCHAR)', {"px": "101.7000", "a b": '"'}),
    ("A_TUPLE", "TUPLE(INTEGER, VARCHAR)", "(1, 'a')"),
    ("A_MAP", "MAP(VARCHAR, INTEGER)", {"key": ["é", ""], "value": [1, None]}, "{}"),
    ("A_UNION", "UNION(number INTEGER, word VARCHAR)", 1, "1"),
    ("A_VARIANT", "VARIANT", 1, "1", {"px": 101.5, "of": ["a", None]}),
    ("A_JSON", "JSON", '{"px": 101.700, "of": [17700000000000001, "é"]}', "null", '"text"'),
    ("A_GEOMETRY", "GEOMETRY", "POINT (1 2)"),
)
_CREATE_ALL_TYPES = """
CREATE TABLE ALL_TYPES ({columns});
COMMENT ON TABLE ALL_TYPES IS 'Every type, and the values that get lost';
"""
_INSERT_ALL_TYPES = "INSERT INTO ALL_TYPES VALUES ({places})"

# Types that DuckDB cannot give to Arrow, or not without a loss, and those that Arrow has but no
# file format: they travel as text. The form is SQL's.
_AS_TEXT = {
    "HUGEINT": ("CAST({} AS VARCHAR)", LogicalType.NUMBER),  # 39 digits; Arrow's decimal has 38
    "UHUGEINT": ("CAST({} AS VARCHAR)", LogicalType.NUMBER),  # would arrive negative
    "BIGNUM": ("CAST({} AS VARCHAR)", LogicalType.NUMBER),
    "BIT": ("CAST({} AS VARCHAR)", LogicalType.TEXT),  # would arrive as DuckDB keeps it in memory
    "TIME WITH TIME ZONE": ("CAST({} AS VARCHAR)", LogicalType.TEXT),  # would lose the offset
    "INTERVAL": ("CAST({} AS VARCHAR)", LogicalType.TEXT),
    "GEOMETRY": ("CAST({} AS VARCHAR)", LogicalType.TEXT),
    "UNION": ("CAST(to_json({}) AS VARCHAR)", LogicalType.JSON),
    "VARIANT": ("CAST(CAST({} AS JSON) AS VARCHAR)", LogicalType.JSON),
    "JSON": ("CAST({} AS VARCHAR)", LogicalType.JSON),
}

_AWKWARD_NAMES = {
    "A/B": "Its name is a path",
    "CON": "Its name is a device on Windows",
    "x y": "Its name has a blank",
    '"Quoted"': "The quotes are part of its name",
    "é" * 60: "Its name has 60 characters and 120 bytes",
}
_AWKWARD = """
CREATE TABLE {table} ("select" INTEGER PRIMARY KEY, "a b" VARCHAR, "ä" DECIMAL(9, 2));
INSERT INTO {table} VALUES (1, 'first', 0.10), (2, 'zweite', NULL), (3, NULL, -3.00);
COMMENT ON TABLE {table} IS '{comment}';
COMMENT ON COLUMN {table}."a b" IS 'Its name has a blank';
"""

_TABLES = """
SELECT schema_name, table_name, 'table', coalesce(comment, '') FROM duckdb_tables()
UNION ALL
SELECT schema_name, view_name, 'view', coalesce(comment, '') FROM duckdb_views() WHERE NOT internal
"""
_COLUMNS = """
SELECT column_name, data_type, is_nullable, coalesce(comment, '') FROM duckdb_columns()
WHERE schema_name = ? AND table_name = ? ORDER BY column_index
"""
_CONSTRAINTS = """
SELECT constraint_type, constraint_column_names, referenced_table, referenced_column_names,
    expression
FROM duckdb_constraints()
WHERE schema_name = ? AND table_name = ? ORDER BY constraint_index
"""
_SET = "SET VARIABLE {name} = ?"
_COUNT = "SELECT count(*) FROM {table}"
_SCAN = "SELECT {columns} FROM {table} WHERE {where} {rest}"


@dataclass(frozen=True)
class _Selected:
    """A column, what selects it, and the Arrow field in which it arrives."""

    column: Column
    sql: str
    field: pa.Field


class DemoSource(Source):
    """A market of this many colors; the same `rows` and `seed` give the same market.

    It is made when something is first asked of it.
    """

    def __init__(self, rows: int = 2000, seed: int = 7) -> None:
        if rows < 0:
            raise UsageError(f"{rows} is no number of colors", hint="0 or more")
        self._rows = rows
        self._seed = seed
        self._open = ExitStack()

    def info(self) -> SourceInfo:
        return SourceInfo("demo", "demo", {"rows": str(self._rows), "seed": str(self._seed)})

    def tables(self) -> Sequence[Table]:
        return [table for _, table in self._tables.values()]

    def describe(self, table: str) -> TableSchema:
        schema, found = self._tables[self.listed(table)]
        constraints = self._fetch(_CONSTRAINTS, schema, found.name)
        columns = {
            wanted: tuple(tuple(names) for kind, names, *_ in constraints if kind == wanted)
            for wanted in ("PRIMARY KEY", "UNIQUE")
        }
        return TableSchema(
            found,
            tuple(it.column for it in self._columns(schema, found.name).values()),
            primary_key=next(iter(columns["PRIMARY KEY"]), ()),
            unique=columns["UNIQUE"],
            foreign_keys=tuple(
                ForeignKey(tuple(names), other, tuple(references))
                for kind, names, other, references, _ in constraints
                if kind == "FOREIGN KEY"
            ),
            checks=tuple(condition for kind, *_, condition in constraints if kind == "CHECK"),
        )

    def scan(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        on_malformed_line: OnMalformedLine | None = None,  # noqa: ARG002 - a database has none
        where: str | None = None,
        order: str | None = None,
    ) -> pa.RecordBatchReader:
        schema, found = self._tables[self.listed(table)]
        known = self._columns(schema, found.name)
        for name in columns or ():
            if name not in known:
                raise unknown("column", name, list(known))
        selected = [known[name] for name in (known if columns is None else columns)]
        # The condition is about the columns as they are in the database.
        own = pa.schema([_own(it) for it in known.values()])
        rest = f"ORDER BY {ordering(order, own).sql}" if order is not None else ""
        statement = _SCAN.format(
            columns=", ".join(it.sql for it in selected),
            table=_placed(schema, found.name),
            where="true" if where is None else condition(where, own).sql,
            rest=rest if limit is None else f"{rest} LIMIT {limit:d}",
        )
        # A cursor of its own for each, so that several readers can be open.
        cursor = _silent(self._database.cursor())
        with told():
            reader = cursor.sql(statement).to_arrow_reader(_BATCH)
        fields = pa.schema([it.field for it in selected])
        return pa.RecordBatchReader.from_batches(fields, _as_fields(reader, fields))

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        folder = self._open.enter_context(TemporaryDirectory(prefix="marketpulse-"))
        database = self._open.enter_context(
            duckdb.connect(
                config={"autoinstall_known_extensions": "false", "temp_directory": folder}
            )
        )
        _make_market(_silent(database), self._rows, self._seed)
        _make_all_types(database)
        for name, comment in _AWKWARD_NAMES.items():
            database.execute(_AWKWARD.format(table=quoted(name), comment=comment))
        return database

    @cached_property
    def _tables(self) -> dict[str, tuple[str, Table]]:
        """All tables in the order of their names, and the schema of each."""
        tables = {}
        for schema, name, kind, comment in sorted(self._fetch(_TABLES), key=lambda it: it[1]):
            ((rows,),) = self._fetch(_COUNT.format(table=_placed(schema, name)))
            tables[name] = (schema, Table(name, kind, rows, comment))
        return tables

    def _columns(self, schema: str, table: str) -> dict[str, _Selected]:
        """The table's columns in order, by name."""
        known = self._fetch(_COLUMNS, schema, table)
        forms = [_AS_TEXT.get(words.partition("(")[0], ("{}", None)) for _, words, *_ in known]
        selects = [
            f"{form.format(quoted(name))} AS {quoted(name)}"
            for (name, *_), (form, _) in zip(known, forms, strict=True)
        ]
        nothing = _SCAN.format(
            columns=", ".join(selects), table=_placed(schema, table), where="false", rest=""
        )
        given = self._database.sql(nothing).to_arrow_reader(1).schema
        columns = {}
        for row, (_, kind), sql, plain in zip(known, forms, selects, given, strict=True):
            name, words, nullable, comment = row
            field = logical_field(name, kind) if kind else _in_utc(plain)
            column = column_of(field, words, nullable=nullable, comment=comment)
            columns[name] = _Selected(column, sql, field)
        return columns

    def _fetch(self, statement: str, *values: object) -> list[Any]:
        return self._database.execute(statement, values).fetchall()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()


def _silent(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Without the progress that DuckDB shows on standard output where no script is running."""
    return connection.execute("SET enable_progress_bar = false")


def _make_market(database: duckdb.DuckDBPyConnection, rows: int, seed: int) -> None:
    blocks, rest = divmod(rows, len(_OWNERS))
    securities = blocks * len(_GROUPS) + (_OWNERS[rest - 1] + 1 if rest else 0)
    settings = {"rows": rows, "seed": seed, "securities": securities, "owners": _OWNERS}
    for name, value in settings.items():
        database.execute(_SET.format(name=name), [value])
    for statements in (_MACROS, _DEALERS, _SECURITIES, _COLORS):
        database.execute(statements)


def _make_all_types(database: duckdb.DuckDBPyConnection) -> None:
    columns = ", ".join(f"{name} {words}" for name, words, *_ in _ALL_TYPES)
    database.execute(_CREATE_ALL_TYPES.format(columns=columns))
    rows = zip_longest(*(values for _, _, *values in _ALL_TYPES))
    nulls = (None,) * len(_ALL_TYPES)
    places = ", ".join("?" * len(_ALL_TYPES))
    database.executemany(_INSERT_ALL_TYPES.format(places=places), [*rows, nulls])


def _as_fields(reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with told():
        for batch in reader:
            columns = [
                column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)
            ]
            yield pa.record_batch(columns, schema)


def _own(selected: _Selected) -> pa.Field:
    """The field without what only its way as text has done to it."""
    only_on_its_way = is_text(selected.field.type) and selected.column.type != "VARCHAR"
    return pa.field(selected.field.name, pa.null() if only_on_its_way else selected.field.type)


def _in_utc(field: pa.Field) -> pa.Field:
    """The field with UTC as an instant's zone, whatever the machine's own is."""
    if pa.types.is_timestamp(field.type) and field.type.tz:
        return pa.field(field.name, pa.timestamp(field.type.unit, "UTC"))
    return field


def _placed(schema: str, table: str) -> str:
    return f"{quoted(schema)}.{quoted(table)}"
