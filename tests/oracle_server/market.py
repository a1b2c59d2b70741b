"""A market for tests: colors, securities, every type, and difficult names."""

from __future__ import annotations

import random
from datetime import datetime
from decimal import Decimal

from oracle_server.answers import DayInterval, MonthInterval, Timestamp, Value
from oracle_server.catalog import Catalog, Column, Synonym, Table

OWNER, READER = "MARKET", "ANALYST"
_ANALYZED = datetime(2026, 3, 1, 22, 0, 0)  # noqa: DTZ001 - a DATE has no zone
_DEALERS = ("AMBERLEY", "BRANTWOOD", "CALDERSTONE", 'O\'Hara "Sons"', "北浜 KITAHAMA", "Lumière")
_KINDS = ("TRADE", "BWIC COVER", "BID", "OFFER", "BWIC TALK", "VALUATION")
_CUSIPS = ("037833100", "12345E108", "594918104", "88160R101", "02079K305", "67066G104")

_COLORS = (
    Column("MESSAGE_ID", "NUMBER(17,0)", nullable=False, comment="One message brings many colors"),
    Column("TICKER", "VARCHAR2(40 CHAR)"),
    Column("SECTOR", "VARCHAR2(40 CHAR)"),
    Column("CUSIP", "CHAR(9)", nullable=False, comment="Nine characters"),
    Column("DATE", "TIMESTAMP(6)"),
    Column("PRICE_LEVEL", "NUMBER(12,4)"),
    Column("BID", "NUMBER(12,4)", default="0"),
    Column("ASK", "NUMBER(12,4)"),
    Column("PX", "NUMBER", comment="The price that ranking uses"),
    Column("SOURCE", "VARCHAR2(60 CHAR)"),
    Column("BIAS", "VARCHAR2(20)"),
    Column("RANK", "NUMBER(2,0)"),
    Column("COV_PRICE", "NUMBER(12,5)"),
    Column("PERCENT_DIFF", "NUMBER(7,2)"),
    Column("PRICE_DIFF", "NUMBER(12,5)"),
    Column("CONFIDENCE", "NUMBER(2,0)"),
    Column("DATE_1", "DATE"),
    Column("DIFF_STATUS", "VARCHAR2(30)"),
    Column("NOTE", "CLOB"),
    Column("CHANGED", "TIMESTAMP(9) WITH TIME ZONE"),
)

# For each type a column: its name, its type, values that are easily lost.
ALL_TYPES: tuple[tuple[str, str, tuple[Value, ...]], ...] = (
    ("ID", "NUMBER(9,0)", ()),
    ("N_17", "NUMBER(17,0)", (17_700_000_000_000_001, -(10**17) + 1)),
    ("N_18", "NUMBER(18,0)", (10**18 - 1, -(10**18) + 1)),
    ("N_19", "NUMBER(19,0)", (10**19 - 1, -(10**19) + 1)),
    ("N_38", "NUMBER(38,0)", (10**38 - 1, -(10**38) + 1)),
    ("N_12_4", "NUMBER(12,4)", (Decimal("101.7000"), Decimal("-99999999.9999"), 0)),
    ("N_38_10", "NUMBER(38,10)", (Decimal("9999999999999999999999999999.9999999999"),)),
    ("N_5_M2", "NUMBER(5,-2)", (1_234_500, -100)),
    ("N_5_7", "NUMBER(5,7)", (Decimal("0.0012345"), Decimal("-0.0000001"))),
    ("N_38_127", "NUMBER(38,127)", (Decimal("1E-127"), Decimal("12345678E-127"))),
    ("N_38_M84", "NUMBER(38,-84)", (Decimal("99E+120"), Decimal("-1E+84"))),
    ("N", "NUMBER", (Decimal(".5"), Decimal("-.5"), Decimal("1E+125"), Decimal("1E-130"),
                     Decimal("3.14159265358979323846264338327950288419"), 10**39 - 1, 0)),
    ("N_INTEGER", "INTEGER", (10**38 - 1, -1)),
    ("N_STAR_3", "NUMBER(*,3)", (Decimal("1.125"), Decimal("-0.001"))),
    ("A_FLOAT", "FLOAT(126)", (Decimal("0.1"), Decimal("1E-100"), Decimal("-1.5E+100"))),
    ("A_BINARY_FLOAT", "BINARY_FLOAT", (0.5, float("nan"), float("inf"), -0.0)),
    ("A_BINARY_DOUBLE", "BINARY_DOUBLE", (0.1, float("nan"), float("-inf"), 5e-324, 1.7e308)),
    ("A_DATE", "DATE", (Timestamp(1, 1, 1), Timestamp(9999, 12, 31, 23, 59, 59),
                        Timestamp(1582, 10, 4), Timestamp(2024, 2, 29, 12, 0, 1),
                        Timestamp(-44, 3, 15, 8, 30, 0))),
    ("T_0", "TIMESTAMP(0)", (Timestamp(1, 1, 1), Timestamp(9999, 12, 31, 23, 59, 59))),
    ("T_3", "TIMESTAMP(3)", (Timestamp(2026, 3, 13, 16, 0, 0, 123_000_000),)),
    ("T_6", "TIMESTAMP(6)", (Timestamp(9999, 12, 31, 23, 59, 59, 999_999_000), Timestamp(1, 1, 1),
                              Timestamp(-4712, 1, 1, 0, 0, 0, 1000))),
    ("T_9", "TIMESTAMP(9)", (Timestamp(2026, 3, 13, 16, 0, 0, 123_456_789), Timestamp(1, 1, 1))),
    ("T_TZ", "TIMESTAMP(9) WITH TIME ZONE",
     (Timestamp(2026, 3, 29, 2, 30, 0, 1, 60), Timestamp(2026, 3, 13, 23, 59, 59, 5, -690))),
    ("T_LTZ", "TIMESTAMP(6) WITH LOCAL TIME ZONE",
     (Timestamp(2026, 3, 13, 16, 0, 0, 123_456_000),)),
    ("I_DS", "INTERVAL DAY TO SECOND", (DayInterval(2, 11_045, 6000), DayInterval(0, -3600))),
    ("I_YM", "INTERVAL YEAR TO MONTH", (MonthInterval(14), MonthInterval(-1))),
    ("V", "VARCHAR2(4000)", ("x" * 4000, "é ü", 'said "firm"', "two\nlines", "NULL", " ", "=1+1")),
    ("V_CHAR", "VARCHAR2(20 CHAR)", ("東京 \U0001d54f", "NA", "0012")),
    ("NV", "NVARCHAR2(20)", ("東京 é", "a")),
    ("C", "CHAR(6)", ("ab    ", "123456")),
    ("NC", "NCHAR(3)", ("é  ",)),
    ("A_CLOB", "CLOB", ("a long text " * 5000, "short", "é\r\n\"")),
    ("AN_NCLOB", "NCLOB", ("東京" * 3000,)),
    ("A_RAW", "RAW(16)", (b"\x00\xff", bytes(range(16)))),
    ("A_BLOB", "BLOB", (bytes(range(256)) * 200, b"\n")),
    ("A_ROWID", "ROWID", ("AAAR3sAAEAAAACXAAA", "AAAR3sAAEAAAACXAAB")),
    ("A_UROWID", "UROWID", ("*BAEAAKsCwQL+",)),
    ("AN_XML", "XMLTYPE", ("<a>é</a>",)),
    ("A_JSON", "JSON", ('{"px": 101.700, "of": [17700000000000001, "é"]}',)),
    ("A_VECTOR", "VECTOR", ("[1.5,2]",)),
    ("A_BOOLEAN", "BOOLEAN", (True, False)),
    ("A_BFILE", "BFILE", (b"outside",)),
    ("AN_OBJECT", "OBJECT", ("<POINT><X>1</X></POINT>",)),
)  # fmt: skip


def market(*, rows: int = 200) -> Catalog:
    """Return the database, the same each time."""
    difficult = [
        Table(name, (Column("select", "NUMBER(3,0)"), Column("a b", "VARCHAR2(10)")), [(1, "one")])
        for name in ("A/B", "CON", "x y", "Colors", "é" * 64, "select", "a.b")
    ]
    invalid = (Column("ID", "NUMBER(3,0)"), Column("WORDS", "VARCHAR2(10)"))
    single = (Column("ID", "NUMBER(3,0)"),)
    return Catalog(
        [
            _colors(rows),
            _securities(),
            _all_types(),
            *difficult,
            Table("EMPTY", _COLORS),
            Table("BROKEN", invalid, [(1, "caf\U0010ffe9"), (2, "fine")]),
            Table("CHAPTERS", (Column("ID", "NUMBER(3,0)"), Column("BODY", "LONG")),
                  [(1, "long " * 2000), (2, None), (3, "short")]),
            Table("SECURITY_COLORS", single, [(1,)], kind="VIEW", comment="Colors by security"),
            Table("DAILY", single, [(1,)], kind="MATERIALIZED VIEW", num_rows=1),
            Table("FORBIDDEN", single, [(1,)], readable_by=()),
            Table("HIDDEN", single, [(1,)], visible_to=()),
            Table("RATES", single, [(7,)], schema="TREASURY", comment="Another schema's"),
            Table("DUAL$", single, [(1,)], schema="SYS"),
        ],
        [
            Synonym("QUOTES", "COLORS_TABLE", OWNER),
            Synonym("YIELDS", "RATES", "TREASURY", owner=OWNER),
            Synonym("DANGLING", "NOWHERE", OWNER),
            Synonym("FAR", "COLORS", OWNER, link="OTHERDB"),
        ],
    )  # fmt: skip


def _colors(rows: int) -> Table:
    draw = random.Random(7)
    colors: list[tuple[Value, ...]] = []
    for number in range(rows):
        price = Decimal(draw.randrange(950_000, 1_050_000)).scaleb(-4)
        security = draw.randrange(len(_CUSIPS))
        colors.append((
            17_700_000_000_000_001 + number // 4 * 1009, f"ABCLO 2022-{security}A ER",
            "2.0_Mezz", _CUSIPS[security], Timestamp(2026, 3, 13, 8 + number % 9, number % 60),
            price, 0 if number % 3 else price, price, price.normalize() if number % 11 else None,
            _DEALERS[number % 6], _KINDS[number % 6], number % 6 + 1,
            None if number % 5 else price, None, None, number % 11, Timestamp(2026, 3, 12),
            "Small Difference" if number % 2 else None, None if number % 4 else f"note {number}\n",
            Timestamp(2026, 3, 13, 17, 0, 0, number, -300),
        ))  # fmt: skip
    return Table(
        "COLORS_TABLE", _COLORS, colors, comment="What dealers said about prices",
        foreign_keys=[(("CUSIP",), "MARKET.SECURITIES", ("CUSIP",))],
        checks=['"RANK" BETWEEN 1 AND 6'], num_rows=rows, analyzed=_ANALYZED,
        indexes={"COLORS_CUSIP": ("CUSIP", "DATE"), "COLORS_UPPER": ("UPPER(TICKER)",)},
    )  # fmt: skip


def _securities() -> Table:
    columns = (
        Column("CUSIP", "CHAR(9)", nullable=False),
        Column("TICKER", "VARCHAR2(40)", nullable=False),
        Column("FACE", "NUMBER(18,2)"),
    )
    rows = [(cusip, f"T{index}", Decimal(index * 250_000)) for index, cusip in enumerate(_CUSIPS)]
    return Table(
        "SECURITIES", columns, rows, primary_key=("CUSIP",), unique=[("TICKER",)],
        num_rows=6, analyzed=_ANALYZED,
    )  # fmt: skip


def _all_types() -> Table:
    columns = tuple(
        Column(name, ddl_type, type_owner="MARKET" if ddl_type == "OBJECT" else "")
        for name, ddl_type, _ in ALL_TYPES
    )
    most = max(len(values) for _, _, values in ALL_TYPES)
    rows = [
        (index, *(values[index] if index < len(values) else None for _, _, values in ALL_TYPES[1:]))
        for index in range(most + 1)
    ]
    return Table("ALL_TYPES", columns, rows, comment="Every type, with values that are easily lost")
