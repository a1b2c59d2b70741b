"""Cells of typed columns: which are valid, and what their values are."""

import math
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import colors_model as model
import pyarrow as pa
import pytest
from color_tables import column, reasons, three_colors, where, write_colors

from marketpulse import run_colors
from marketpulse.colors.arrivals import connect_engine
from marketpulse.errors import DataError

LOST = "its last digits were lost to a spreadsheet or a float column"


def test_typed_columns_keep_their_types() -> None:
    """The columns of the result have the types of the input."""
    table = three_colors(NOTE=pa.array([b"\xff", None, b"a"]), SEEN=pa.array([True, None, False]))
    run = run_colors(table)
    assert run.processed is not None
    assert run.excluded is not None
    fields = [field for field in run.processed.schema if field.name in table.column_names]
    assert [(field.name, field.type) for field in fields] == [
        (field.name, field.type) for field in table.schema
    ]
    assert run.processed.schema.field("IS_PARENT").type == pa.bool_()
    assert run.processed.schema.field("PARENT_MESSAGE_ID").type == pa.int64()
    assert run.excluded.schema.names == [*table.column_names, "RULE_ID"]


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ([2.0**53, 2.0**53 - 1, -(2.0**53)], ["9007199254740992", "-9007199254740992"]),
        ([1.0, 2.5, math.inf], ["2.5", "inf"]),
        ([1.0, 2.0, 3.0], []),
    ],
)
def test_a_float_is_an_identifier_below_2_to_the_53rd(
    values: list[float], wrong: list[str]
) -> None:
    """A float that is not whole is not an integer; a large one may have lost digits."""
    run = run_colors(three_colors(MESSAGE_ID=pa.array(values)))
    expected = [
        f"MESSAGE_ID: '{cell}' is not "
        f"{'exact: ' + LOST if abs(float(cell)) >= 2**53 and cell != 'inf' else 'an integer'}"
        for cell in wrong
    ]
    assert reasons(run) == expected


def test_a_null_in_a_pandas_column_of_integers_costs_the_identifiers() -> None:
    """A null turns a pandas column of integers into floats, which lose the 17th digit."""
    frame = three_colors().to_pandas()
    assert not reasons(run_colors(frame))
    frame["MESSAGE_ID"] = [17700000000000001, None, 3]
    run = run_colors(frame)
    assert reasons(run) == [
        f"MESSAGE_ID: '17700000000000000' is not exact: {LOST}",
        "MESSAGE_ID: missing",
    ]


def test_nan_is_null_in_a_typed_column() -> None:
    """NaN comes last in every key and satisfies only is_null, in a rank too."""
    table = three_colors(
        RANK=pa.array([math.nan, 2.0, 1.0]), PX=pa.array([99.0, math.nan, 98.0]), NOTE=[1.5, 2, 3]
    )
    run = run_colors(table, hierarchy="price,rank,date")
    assert column(run.processed, "MESSAGE_ID")[0] == 17700000000000001
    assert math.isnan(column(run.processed, "PX")[-1])
    assert column(run_colors(table).processed, "MESSAGE_ID")[-1] == 17700000000000001
    for name, lost in (("RANK", 17700000000000001), ("PX", 17700000000000002)):
        run = run_colors(table, rules=where(name, "is_null"))
        assert column(run.excluded, "MESSAGE_ID") == [lost]
        run = run_colors(table, rules=where(name, "not_equals", 1000))
        assert lost not in column(run.excluded, "MESSAGE_ID")


@pytest.mark.parametrize("name", ["RANK", "PX", "DATE", "MESSAGE_ID", "BID"])
@pytest.mark.parametrize(
    "values",
    [
        pa.array([True, False, None]),
        pa.array([[1], [2], None]),
        pa.array([{"a": 1}, {"a": 2}, None]),
        pa.array([datetime(2026, 3, 13, tzinfo=UTC), datetime(2026, 3, 12, tzinfo=UTC), None]),
        pa.array([1, 2, None]),
    ],
    ids=lambda values: str(values.type).split("[", maxsplit=1)[0],
)
def test_a_column_of_a_type_that_does_not_fit_rejects_its_rows(name: str, values: pa.Array) -> None:
    """Every value of a wrong type rejects its row, also in a column of a rule. Null is null."""
    kind = model.kind_of(name)
    if pa.types.is_timestamp(values.type) == (kind == "date"):
        values = values if kind != "date" else values.cast(pa.int64())
    if pa.types.is_integer(values.type) and kind != "date":
        values = pa.array([time(1), time(2), None])
    operand = "2026-03-13" if kind == "date" else 1
    columns: dict[str, Any] = {name: values}
    if name == "MESSAGE_ID":  # a null is wrong there, too
        with pytest.raises(
            DataError, match=r"none of the 3 rows .*: MESSAGE_ID: '.*' is not .* \(2\)"
        ):
            run_colors(three_colors(**columns), rules=where(name, "greater_than", operand))
        return
    run = run_colors(three_colors(**columns), rules=where(name, "greater_than", operand))
    wrong = [reason for reason in reasons(run) if " is not a" in reason]
    assert len(wrong) == 2
    assert all(reason.startswith(f"{name}: '") for reason in wrong)
    assert run.counts.parents == 1


def test_an_infinite_price_is_rejected_and_elsewhere_it_is_a_value() -> None:
    """Infinity is not a number in a column of the contract, but a value in any other."""
    table = three_colors(
        PX=pa.array([math.inf, 1.0, 2.0]), NOTE=pa.array([1.0, math.inf, -math.inf])
    )
    run = run_colors(table)
    assert reasons(run) == ["PX: 'inf' is not a number"]
    assert run.counts.parents + run.counts.children == 2


def test_of_several_faults_the_first_column_is_named(tmp_path: Path) -> None:
    """The number of fields comes first, then the first faulty column in the input's order."""
    header = "PX,RANK,MESSAGE_ID,CUSIP,DATE"
    path = write_colors(
        tmp_path / "in.csv",
        *("n/a,2.5,,,x", "1,2.5,,,x", "1,2,,,x", "n/a,2.5,,", "1,2,3,A,"),
        header=header,
    )
    assert reasons(run_colors(path)) == [
        "PX: 'n/a' is not a number",
        "RANK: '2.5' is not an integer",
        "MESSAGE_ID: missing",
        "4 fields instead of 5",
    ]


ACCEPTED = {
    "integer": ["3", "+3", "-3", "3.", "3.0", "007", "17700000000000001", "9" * 40],
    "number": ["1", "+1.5", "-.5", "5.", ".5", "1e2", "1E+400", "1e-7", "1e-123456789012345678"],
    "date": [
        *("2026-03-13", "2024-02-29", "0001-01-01", "9999-12-31", "2026-03-13T10:30"),
        *("2026-03-13 23:59:59", "2026-03-13T10:30:05.123456789Z", "2026-03-13 10:30Z"),
        *("2026-03-13 10:30+02:00", "2026-03-13 10:30-0530", "2026-03-13 10:30:05+23"),
    ],
}
REFUSED = {
    "integer": ["2.5", "3.05", "1.77E+16", "1e2", "1_000", "inf", ".", ".0", "+", "1 0", "\u0663"],
    "number": ["inf", "1_000", "n/a", ".", "-", "1e", "1e1.5", "0x1", "1,5", "--1", "1.2.3", "e5"],
    "date": [
        *("2026-02-29", "2026-13-01", "2026-03-32", "0000-01-01", "2026-3-13", "13-03-2026"),
        *("2026-03-13 24:00", "2026-03-13 10:60", "2026-03-13 10:30:60", "2026-03-13 10"),
        *("2026-03-13Z", "2026-03-13 10:30:05.", "2026-03-13 10:30+24:00", "2026-03-13_10:30"),
        *("2026-03-13 10:30+02:60", "2026-03-13 10:30+2", "today", "2026-03-13 "),
    ],
}
# Ascending; the texts of a line are equal.
NUMBERS_IN_ORDER = [
    *(["-1e500"], ["-1.1e400"], ["-1e400"], ["-20", "-2e1", "-020.0", "-200E-1"], ["-3"]),
    *(["-2.50000000000000011"], ["-2.5000000000000001"], ["-2.5", "-2.5000000000000000000"]),
    *(["-2.49999999999999999"], ["-2.04"], ["-2"], ["-0.25"], ["-1e-400"], ["-1e-401"]),
    *(["0", "-0.0", "0e5", ".0", "00", "0e999", "-0.000000000000000000"], ["1e-400"], ["1e-301"]),
    *(["1e-300"], [".05", "5e-2", "0.050000000000000000"], ["0.05000000000000000001"], ["0.5"]),
    *(["1", "1.0", "+1", "001.", "10e-1"], ["1.04"], ["2"], ["9"], ["9.999999999999999999"]),
    *(["10", "1E+1", "10.", "10.0000000000000000"], ["10.00000000000000000001"], ["98.5", "98.50"]),
    ["98.50000000000001", "98.5000000000000100", "00098.50000000000001", "9850000000000001e-14"],
    *(["98.500000000000012"], ["9007199254740992"], ["9007199254740993", "9007199254740993.0"]),
    *(["123456789012345678.5"], ["1e300"], ["9e301"], ["1e302"], ["1e400", "10e399"], ["1e401"]),
]
DATES_IN_ORDER = [
    *(["0001-01-01"], ["1969-12-31 23:59:59.9"], ["1970-01-01"], ["2026-03-12T23:59:59.999999999"]),
    ["2026-03-13", "2026-03-13T00:00:00.000Z", "2026-03-13 02:00+02:00", "2026-03-12 19:00-0500"],
    ["2026-03-13 00:00:00.000000001", "2026-03-13 00:00:00.0000000010"],
    *(["2026-03-13 00:00:00.09"], ["2026-03-13 00:00:00.1", "2026-03-13 01:00:00.100+01"]),
    *(["2026-03-13 00:00:01"], ["9999-12-31 23:59:59.999999999"]),
]


def evaluate(expression: str, texts: list[str]) -> list[Any]:
    """The values of an SQL expression with the engine's macros, for each text `t`."""
    with connect_engine() as engine:
        sql = f"SELECT {expression} FROM (SELECT unnest($1) AS t, unnest($2) AS n) ORDER BY n"
        return [row[0] for row in engine.execute(sql, [texts, list(range(len(texts)))]).fetchall()]


@pytest.mark.parametrize("kind", ACCEPTED)
def test_cells_that_are_accepted(kind: str) -> None:
    """Integers, numbers and dates as text, and what is none."""
    texts = [*ACCEPTED[kind], *REFUSED[kind]]
    given = dict(zip(texts, evaluate(f"is_{kind}(t)", texts), strict=True))
    assert given == {text: text in ACCEPTED[kind] for text in texts}


@pytest.mark.parametrize(
    ("key", "groups"), [("number_key", NUMBERS_IN_ORDER), ("date_key", DATES_IN_ORDER)]
)
def test_cells_are_compared_exactly(key: str, groups: list[list[str]]) -> None:
    """Of any size, sign and spelling: equal values are one value, others are in their order."""
    texts = [text for group in groups for text in group]
    ranks = evaluate(f"dense_rank() OVER (ORDER BY {key}(t))", texts)
    given = [[text for text, rank in zip(texts, ranks, strict=True) if rank == n + 1]
             for n in range(len(groups))]  # fmt: skip
    assert given == groups


def test_blanks() -> None:
    """All blanks of Unicode are cut off at both ends, none within, and no other character."""
    blanks = [mark for mark in map(chr, range(0x3001)) if mark.isspace()]
    assert evaluate("trimmed(t)", [f"{mark}a{mark}b{mark} {mark}" for mark in blanks]) == [
        f"a{mark}b" for mark in blanks
    ]
    assert evaluate("is_blank(t)", [*blanks, "".join(blanks), "", " . ", "\u200b"]) == [
        *[True] * (len(blanks) + 2), False, False,
    ]  # fmt: skip
    assert evaluate("is_nan(t)", ["NaN", "nan", "NAN", "na", "NaNa"]) == [True] * 3 + [False] * 2


@pytest.mark.parametrize(
    ("kind", "exact", "beyond"),
    [
        ("integer", ["9" * 18, "-" + "9" * 18, "7.00"], ["9223372036854775808", "1" + "0" * 18]),
        (
            "number",
            ["123456789012345", "1234567.1234567", "97.99999999999999", "1e22", "-0.5E-3"],
            ["9007199254740993", "100000000000000.01", "97.630000000000000001", "1e400", "1e100"],
        ),
        (
            "date",
            ["2026-03-13 10:30:05.123456", "2026-03-13"],
            ["2026-03-13 10:30:05.1234567", "2026-02-30"],
        ),
    ],
)
def test_cells_that_a_cast_reads_exactly(kind: str, exact: list[str], beyond: list[str]) -> None:
    """18 digits of an integer, 15 of a number, six of a second; all others need an exact key."""
    texts = [*exact, *beyond]
    given = dict(zip(texts, evaluate(f"is_short_{kind}(t)", texts), strict=True))
    assert given == {text: text in exact for text in texts}
