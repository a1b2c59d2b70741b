"""The engine: profile first, then one stream of rows for each output."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from color_tables import book, rule, three_colors, write_colors

from marketpulse.colors.engine import DateCensus, InputProfile
from marketpulse.colors.options import RunOptions
from marketpulse.colors.prepare import prepare
from marketpulse.colors.spellings import DateForm
from marketpulse.formats.encode import LogicalType, logical_field

TABLE = three_colors(
    CUSIP=["037833100", " 037833100", "594918104"], PX=["98.5", "n/a", "99"], NOTE=["a", "b", "c"]
)


def digest(table: pa.Table) -> str:
    """The digest of a table's rows."""
    with prepare(table, RunOptions()) as prepared:
        return prepared.engine.profile().digest


def test_the_profile_counts_rows_and_rejected_rows() -> None:
    """The profile has the numbers before any output is streamed."""
    with prepare(TABLE, RunOptions()) as prepared:
        profile = prepared.engine.profile()
        assert (profile.rows, profile.rejected) == (3, 1)


def test_the_digest_depends_on_the_rows_and_not_on_their_order() -> None:
    """Sorted rows have the same digest; one row more, or another cell, has another."""
    reverse = TABLE.take([2, 1, 0])
    other = TABLE.set_column(5, "NOTE", pa.array(["a", "b", "d"]))
    assert digest(TABLE) == digest(reverse)
    assert len({digest(TABLE), digest(TABLE[:2]), digest(other)}) == 3


def test_the_profiles_of_parts_add_up_to_that_of_the_whole(tmp_path: Path) -> None:
    """However an input is cut, also into empty parts, its parts have its counts and its digest."""
    lines = ["MESSAGE_ID,CUSIP,DATE,RANK,PX", "1,037833100,2026-03-13,1,98.5", "2,594918104"]
    lines += ["3,037833100,,1,n/a", "4,594918104,2026-03-13,2,99", "5"]

    def profile(*numbers: int) -> InputProfile:
        path = tmp_path / "part.csv"
        path.write_text("\n".join([lines[0], *(lines[number] for number in numbers)]) + "\n")
        with prepare(path, RunOptions()) as prepared:
            return prepared.engine.profile()

    whole = profile(1, 2, 3, 4, 5)
    parts = profile(4, 5) + profile() + profile(1, 2, 3)
    assert (whole.rows, whole.rejected, whole.malformed) == (5, 3, 2)
    assert (parts, parts.digest) == (whole, whole.digest)
    assert profile(2).digest != profile(5).digest  # malformed lines alone


def test_kept_rows_have_the_normalised_cusip_beside_their_own_cells() -> None:
    """Neither rejected nor excluded rows are kept, and their hashes are a part of all hashes."""
    options = RunOptions(rules=book(rule({"column": "NOTE", "operator": "equals", "value": "c"})))
    table = TABLE.set_column(1, "CUSIP", pa.array([" 037833100", "037833100", "594918104"]))
    with prepare(table, options) as prepared:
        prepared.engine.profile()
        kept = prepared.engine.unranked("security").read_all()
        hashes = prepared.engine.unranked_hashes()
    assert kept["CUSIP"].to_pylist() == [" 037833100"]
    assert kept["security"].to_pylist() == ["037833100"]
    with prepare(table[:1], RunOptions()) as prepared:
        assert prepared.engine.profile().row_hashes == hashes


def test_rows_of_many_batches_stay_in_their_order() -> None:
    """Excluded and rejected rows are in the input's order, however it arrives."""
    numbers = [str(number) for number in range(9, 0, -1)]
    prices = [0.5 if int(number) % 2 else float("inf") for number in numbers]
    table = pa.table({**dict.fromkeys(("CUSIP", "MESSAGE_ID"), numbers), "PX": prices})
    for name, array in {"RANK": pa.nulls(9, pa.int64()), "DATE": pa.nulls(9, pa.date32())}.items():
        table = table.append_column(name, array)
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(2))
    rules = book(rule({"column": "PX", "operator": "less_than", "value": 1}))
    with prepare(reader, RunOptions(rules=rules)) as prepared:
        prepared.engine.profile()
        outputs = prepared.engine.excluded().read_all(), prepared.engine.rejected().read_all()
    assert [output["MESSAGE_ID"].to_pylist() for output in outputs] == [numbers[::2], numbers[1::2]]


def test_outputs_can_be_streamed_in_any_order_and_again() -> None:
    """A reader may be asked for after another, and a second time, with the same rows."""
    options = RunOptions(rules=book(rule({"column": "NOTE", "operator": "equals", "value": "c"})))
    with prepare(TABLE, options) as prepared:
        engine = prepared.engine
        engine.profile()
        first = [engine.rejected().read_all(), engine.excluded().read_all()]
        processed = engine.processed([]).read_all()
        assert [engine.rejected().read_all(), engine.excluded().read_all()] == first
        assert engine.funnel() == [(1, 1)]
    assert processed["MESSAGE_ID"].to_pylist() == [17700000000000001]
    assert processed["CUSIP"].to_pylist() == ["037833100"]
    assert first[0]["REASON"].to_pylist() == ["PX: 'n/a' is not a number"]
    assert first[1]["RULE_ID"].to_pylist() == ["1"]


@pytest.mark.parametrize("ranks", [[1, 6, 0], [1, 6, 7], ["1.000", "6", "7" * 30]], ids=str)
def test_warnings_are_counted_as_rows_are_streamed(ranks: list[object]) -> None:
    """Odd ranks and invalid CUSIPs of processed rows count; before streaming there are none."""
    table = three_colors(CUSIP=["037833100", "037833101", "037833101"], RANK=ranks)
    with prepare(table, RunOptions()) as prepared:
        prepared.engine.profile()
        assert prepared.engine.warnings() == {"cusip": 0, "rank": 0}
        prepared.engine.processed([]).read_all()
        assert prepared.engine.warnings() == {"cusip": 2, "rank": 1}


@pytest.mark.parametrize(
    ("field", "cusips"),
    [
        (pa.field("CUSIP", pa.float64()), [594918104.0, 594918105.0, 594918104.0]),
        (logical_field("CUSIP", LogicalType.NUMBER), ["594918104.", "594918105.0", "594918104"]),
    ],
    ids=["floats", "texts"],
)
def test_excluded_rows_are_counted_as_processed_ones(field: pa.Field, cusips: list[object]) -> None:
    """A number has the digits of a CUSIP, which count alone; a missing rank is not odd."""
    table = three_colors(RANK=[None, 7, 1], NOTE=["x"] * 3)
    table = table.set_column(1, field, pa.array(cusips, field.type))
    for condition in ("x", "y"):
        rules = book(rule({"column": "NOTE", "operator": "equals", "value": condition}))
        with prepare(table, RunOptions(rules=rules)) as prepared:
            prepared.engine.profile()
            prepared.engine.excluded().read_all()
            prepared.engine.processed([]).read_all()
            assert prepared.engine.warnings() == {"cusip": 1, "rank": 1}


def test_constants_stand_between_the_columns_and_the_marks() -> None:
    """A constant column has the same value in every row."""
    field = pa.field("RUN_ID", pa.string())
    with prepare(TABLE, RunOptions()) as prepared:
        prepared.engine.profile()
        table = prepared.engine.processed([(field, pa.scalar("x"))]).read_all()
    assert table.column_names == [
        *TABLE.column_names,
        *("RUN_ID", "IS_PARENT", "PARENT_MESSAGE_ID", "CHILDREN_COUNT", "GROUP_POSITION"),
    ]
    assert table["RUN_ID"].to_pylist() == ["x", "x"]


LINES = [
    "1,037833100,1,2026-03-13,98.5,a",
    "2,037833100,7,2026-03-13,99,b",
    "3,037833101,1,2026-03-13,98,c",
    "4,594918104,2,2026-03-13,97,x",
    "5,59491810,0,2026-03-13,97,x",
    "6,594918104,1,2026-03-13,n/a,a",
    "7,594918104",
    "8,,2.5,2026-03-13,98,a",
    "9",
    "10,,2.5,2026-03-13,98,a",
    "11,594918104,3,2026-03-13,97,x",
]


def test_every_row_of_a_small_day(tmp_path: Path) -> None:
    """By hand: what becomes of each row, in which order, and what is counted."""
    conditions = [
        {"column": "NOTE", "operator": "in", "value": "y, z"},
        {"column": "NOTE", "operator": "equals", "value": "X"},
        {"column": "RANK", "operator": "less_than", "value": "1"},
    ]
    rules = book(*(rule(condition, number=n) for n, condition in enumerate(conditions)))
    path = write_colors(tmp_path / "in.csv", *LINES, header="MESSAGE_ID,CUSIP,RANK,DATE,PX,NOTE")
    with prepare(path, RunOptions(rules=rules)) as prepared:
        engine = prepared.engine
        profile = engine.profile()
        assert (profile.rows, profile.rejected, profile.malformed) == (11, 5, 2)
        processed = engine.processed([]).read_all()
        assert engine.warnings() == {"cusip": 1, "rank": 1}
        excluded, rejected = engine.excluded().read_all(), engine.rejected().read_all()
        assert engine.warnings() == {"cusip": 2, "rank": 2}
        assert engine.funnel() == [(0, 0), (3, 3), (1, 0)]
        kept = engine.unranked("security").read_all()["MESSAGE_ID"].to_pylist()
    assert sorted(kept) == ["1", "2", "3"]
    marks = zip(*(processed[name].to_pylist() for name in ("MESSAGE_ID", "IS_PARENT")), strict=True)
    assert list(marks) == [("1", True), ("2", False), ("3", True)]
    assert excluded.select(["MESSAGE_ID", "RULE_ID"]).to_pydict() == {
        "MESSAGE_ID": ["4", "5", "11"],
        "RULE_ID": ["1", "1", "1"],
    }
    reasons = rejected.select(["MESSAGE_ID", "REASON", "RAW_LINE"]).to_pylist()
    assert [tuple(row.values()) for row in reasons] == [
        ("6", "PX: 'n/a' is not a number", None),
        (None, "2 fields instead of 6", "7,594918104"),
        ("8", "CUSIP: missing", None),
        (None, "1 field instead of 6", "9"),
        ("10", "CUSIP: missing", None),
    ]


def test_dates_of_another_form(tmp_path: Path) -> None:
    """Forms are looked for where most cells are no dates; by permission they are counted."""
    header = "MESSAGE_ID,CUSIP,RANK,DATE,PX,DATE_1,NOTE"
    lines = ["1,A,1,3/25/2026,1,3/4/2026,x", "2,A,1,3/26/2026,1,2026-03-13,x"]
    lines += ["3,A,1,2026-03-13,1,2026-03-13,x", "4,A,1,,1,,x", "5,A,1,3/27/2026,n/a,,x"]
    path = write_colors(tmp_path / "in.csv", *lines, header=header)
    most = DateCensus(present=4, invalid=3, forms=(DateForm.US,))
    with prepare(path, RunOptions()) as prepared:
        prepared.engine.profile()
        few = DateCensus(present=3, invalid=1)
        assert prepared.engine.date_census() == {"DATE": most, "DATE_1": few}
        census = prepared.engine.date_census(suspected_only=False)
        assert census["DATE_1"] == replace(few, forms=(DateForm.US, DateForm.EUROPEAN))
    assert (most.fitting_forms, census["DATE_1"].fitting_forms) == ((DateForm.US,), ())
    assert DateCensus(present=4, invalid=2).fitting_forms == ()
    assert most + census["DATE_1"] == DateCensus(present=7, invalid=4, forms=(DateForm.US,))
    with prepare(path, RunOptions(date_formats=["DATE=M/D/YYYY", "DATE_1=M/D/YYYY"])) as prepared:
        prepared.engine.profile()
        permitted = prepared.engine.permitted()
        assert {column.label: n for column, n in permitted.items()} == {"DATE": 2, "DATE_1": 1}
        assert prepared.engine.warnings()["foreign_dates"] == 3
