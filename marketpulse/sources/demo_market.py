"""The data of the demo market, as SQL for DuckDB.

Every value is a hash (MD5) of the seed, a purpose and a number. There is no random generator with a
state, so the same seed makes the same market on any machine, with any number of threads.
"""

from __future__ import annotations

from itertools import zip_longest

import duckdb

from marketpulse.sources.names import quoted

# The number of colors of each security, for 24 securities with 160 colors; then it repeats.
_GROUP_SIZES = (4, 1, 7, 2, 4, 10, 3, 1, 5, 11, 4, 2, 8, 3, 50, 4, 6, 1, 9, 4, 2, 5, 11, 3)
# For each of the 160 colors its security, 0 to 23.
_SECURITY_OF_COLOR = [security for security, size in enumerate(_GROUP_SIZES) for _ in range(size)]

_MACROS = r"""
CREATE TEMP MACRO draw(purpose, number) AS
    md5_number_lower(concat_ws(' ', getvariable('seed'), purpose, number));
-- One hash gives several choices: each takes other bits of it.
CREATE TEMP MACRO pick(draw, bits, choices) AS CAST((draw >> bits) % choices AS INTEGER);
CREATE TEMP MACRO last36(number) AS
    '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'[number % 36 + 1];
-- A digit counts as itself, A as 10, and so on; every second one counts twice. The check digit
-- completes the sum of all resulting digits to a multiple of ten.
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
COMMENT ON TABLE DEALERS IS 'The dealers who send colors';
COMMENT ON COLUMN DEALERS.NAME IS 'The name in COLORS.SOURCE';
COMMENT ON COLUMN DEALERS.SINCE IS 'The first day of trading; not known for all dealers';
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
WITH deals AS (  -- six tranches each
    SELECT number, number % 6 + 1 AS tranche,
        draw('security', number) AS own,
        draw('deal', number // 6) AS deal,
        -- The prime shares no factor with 1000 * 36 ** 3, so each deal has a unique code.
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
COMMENT ON TABLE SECURITIES IS 'The securities that have colors';
COMMENT ON COLUMN SECURITIES.CUSIP IS 'Nine characters; the last is a check digit';
COMMENT ON COLUMN SECURITIES.COUPON IS 'In percent; empty if the tranche has no coupon';
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
WITH mixed AS (  -- in pairs: a dealer's list often has two colors of a security
    SELECT 2 * pair AS first,
        2 * (row_number() OVER (ORDER BY draw('pair', pair), pair) - 1) AS sent_as,
    FROM range((getvariable('rows') + 1) // 2) AS pairs(pair)
), messages AS (  -- 40 colors in a message, 50 messages in a day
    SELECT sent_as + half AS number, first + half AS place,
        number // 40 AS message,
        draw('color', number) AS own,
        draw('message', message) AS sent,
        (getvariable('rows') - 1) // 2000 - number // 2000 + pick(sent, 0, 10) AS days_ago,
    FROM mixed, range(2) AS halves(half)
    WHERE place < getvariable('rows')
), dated AS (
    SELECT *,
        CAST(place // 160 * 24 + getvariable('owners')[place % 160 + 1] + 1 AS INTEGER) AS security,
        -- Weekdays only.
        DATE '2026-03-13' - CAST(days_ago // 5 * 7 + days_ago % 5 AS INTEGER) AS day,
        CASE WHEN pick(own, 0, 40) < 1 THEN 1 WHEN pick(own, 0, 40) < 6 THEN 2
            WHEN pick(own, 0, 40) < 17 THEN 3 WHEN pick(own, 0, 40) < 28 THEN 4
            WHEN pick(own, 0, 40) < 35 THEN 5 ELSE 6 END AS kind,
    FROM messages
), priced AS (
    SELECT dated.*, TICKER, SECTOR, CUSIP,
        CAST(ISSUE_PRICE + (pick(own, 6, 8) - 4) * 0.125 AS DECIMAL(12, 4)) AS level,
        CASE WHEN pick(own, 9, 32) > 0 THEN level END AS px,
        CASE WHEN pick(own, 14, 12) > 0
            THEN CAST(level + (pick(own, 18, 1301) - 650) * 0.00113 AS DECIMAL(12, 5)) END AS cover,
        CAST(abs(px - cover) * 100 / cover AS DECIMAL(7, 2)) AS percent,
    FROM dated JOIN SECURITIES ON SECURITY_ID = security
)
SELECT
    -- Two adjacent numbers each time: as floats they would be equal.
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
COMMENT ON TABLE COLORS IS 'Price indications by dealers, in order of arrival; a row is a color';
COMMENT ON COLUMN COLORS.MESSAGE_ID IS 'The message that contained the color; not unique';
COMMENT ON COLUMN COLORS.CUSIP IS
    'As sent: some are in lower case or have blanks. SECURITY_ID is the key';
COMMENT ON COLUMN COLORS.PX IS 'The price for the ranking';
COMMENT ON COLUMN COLORS.BID IS '0 if this side is not quoted';
COMMENT ON COLUMN COLORS.ASK IS '0 if this side is not quoted';
COMMENT ON COLUMN COLORS.RANK IS 'The priority of the kind of color; 1 is the best';
COMMENT ON COLUMN COLORS.NOTE IS 'Free text; "quotes", 東京 and line breaks are common';
COMMENT ON COLUMN COLORS.SECURITY_ID IS 'The security of the CUSIP';

CREATE VIEW SECURITY_COLORS AS
SELECT s.CUSIP, s.TICKER, count(c.MESSAGE_ID) AS COLORS, max(c.DATE) AS NEWEST,
    min(c.PX) AS LOWEST, max(c.PX) AS HIGHEST,
FROM SECURITIES s LEFT JOIN COLORS c USING (SECURITY_ID)
GROUP BY s.CUSIP, s.TICKER
ORDER BY s.CUSIP;
COMMENT ON VIEW SECURITY_COLORS IS 'The number and the price range of each security''s colors';
COMMENT ON COLUMN SECURITY_COLORS.COLORS IS 'The number of colors';

-- In a schema of DuckDB names are equal if they differ only in case.
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
    'The kinds of color; the name differs from COLORS only in case';
"""

# Column, type, values. Three things are missing: a table cannot have a column of the type TYPE, and
# Arrow has neither infinite dates and timestamps nor the time 24:00:00.
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
COMMENT ON TABLE ALL_TYPES IS 'Every type, with values that are easily lost';
"""
_INSERT_ALL_TYPES = "INSERT INTO ALL_TYPES VALUES ({placeholders})"

_AWKWARD_NAMES = {
    "A/B": "Its name is a path",
    "CON": "Its name is a device name on Windows",
    "x y": "Its name contains a blank",
    '"Quoted"': "The double quotes belong to its name",
    "é" * 60: "Its name has 60 characters and 120 bytes",
}
_CREATE_AWKWARD = """
CREATE TABLE {table} ("select" INTEGER PRIMARY KEY, "a b" VARCHAR, "ä" DECIMAL(9, 2));
INSERT INTO {table} VALUES (1, 'first', 0.10), (2, 'zweite', NULL), (3, NULL, -3.00);
COMMENT ON TABLE {table} IS '{comment}';
COMMENT ON COLUMN {table}."a b" IS 'Its name contains a blank';
"""

_SET = "SET VARIABLE {name} = ?"


def create_market(database: duckdb.DuckDBPyConnection, colors: int, seed: int) -> None:
    """Create all tables, with this many rows in COLORS."""
    _create_colors(database, colors, seed)
    _create_all_types(database)
    for name, comment in _AWKWARD_NAMES.items():
        database.execute(_CREATE_AWKWARD.format(table=quoted(name), comment=comment))


def _create_colors(database: duckdb.DuckDBPyConnection, colors: int, seed: int) -> None:
    cycles, rest = divmod(colors, len(_SECURITY_OF_COLOR))
    securities = cycles * len(_GROUP_SIZES) + (_SECURITY_OF_COLOR[rest - 1] + 1 if rest else 0)
    variables = {
        "rows": colors, "seed": seed, "securities": securities, "owners": _SECURITY_OF_COLOR,
    }  # fmt: skip
    for name, value in variables.items():
        database.execute(_SET.format(name=name), [value])
    for statements in (_MACROS, _DEALERS, _SECURITIES, _COLORS):
        database.execute(statements)


def _create_all_types(database: duckdb.DuckDBPyConnection) -> None:
    columns = ", ".join(f"{name} {sql_type}" for name, sql_type, *_ in _ALL_TYPES)
    database.execute(_CREATE_ALL_TYPES.format(columns=columns))
    rows = zip_longest(*(values for _, _, *values in _ALL_TYPES))
    nulls = (None,) * len(_ALL_TYPES)
    placeholders = ", ".join("?" * len(_ALL_TYPES))
    database.executemany(_INSERT_ALL_TYPES.format(placeholders=placeholders), [*rows, nulls])
