"""Columns are found by name, case and blanks ignored, after the mapping."""

import random
from pathlib import Path
from typing import Any

import colors_model as model
import pyarrow as pa
import pytest
from color_tables import (
    AT,
    HEADER,
    column,
    outcome_of,
    reasons,
    rows_of,
    where,
    write_colors,
    write_text,
)
from support import COLORS

from marketpulse import run_colors
from marketpulse.colors.columns import (
    CONTRACT,
    Kind,
    parse_hierarchy,
    parse_mapping,
    resolve_columns,
    suggest,
)
from marketpulse.colors.spellings import DateForm
from marketpulse.errors import DataError, MarketPulseError, UsageError
from marketpulse.formats.encode import LogicalType, logical_field


def test_columns_are_mapped_by_role_or_name(tmp_path: Path) -> None:
    """`price` and `date` name what the hierarchy names; a rule finds a column by either name."""
    path = write_colors(
        tmp_path / "in.csv",
        "1,A,1,98.5,2026-03-12,DB",
        "2,A,1,99,2026-03-12,DB",
        "3,A,1,97,2026-03-13,DB",
        "4,A,1,98,x,DB",
        header="MESSAGE_ID,CUSIP,RANK,Mid_Price,CREATED_DATE, dealer ",
    )
    mapping = {"price": "MID_PRICE", "date": "created_date", "SOURCE": "Dealer"}
    for data in (mapping, [f"{key}={own}" for key, own in mapping.items()]):
        run = run_colors(path, mapping=data)
        assert column(run.processed, "MESSAGE_ID") == ["3", "2", "1"]
        assert reasons(run) == ["CREATED_DATE: 'x' is not a date"]
        assert run.mapping == {"PX": "MID_PRICE", "DATE": "created_date", "SOURCE": "Dealer"}
    for name in ("PX", "mid_price"):
        run = run_colors(path, mapping=mapping, rules=where(name, "lt", 98))
        assert column(run.excluded, "MESSAGE_ID") == ["3"]


@pytest.mark.parametrize(
    ("header", "mapping", "words"),
    [
        ("MESSAGE_ID,CUSIP,RANK,DATE", {}, "no column PX"),
        ("MESSAGE_ID,RANK,DATE,PX", {}, "no column CUSIP"),
        (f"{HEADER}, px ", {}, "one name|same name"),
        (f"{HEADER},run_id", {}, "reserved for the output"),
        (f"{HEADER},Rule_ID", {}, "reserved for the output"),
        (HEADER, {"price": "MID"}, "no column 'MID'"),
    ],
)
def test_columns_that_are_missing_double_or_reserved_are_errors(
    header: str, mapping: dict[str, str], words: str, tmp_path: Path
) -> None:
    """The columns are checked before any row is read, and the message names them."""
    path = write_colors(tmp_path / "in.csv", "1,A", header=header)
    with pytest.raises(DataError, match=words):
        run_colors(path, mapping=mapping)


def test_a_mapping_takes_the_role_from_the_namesake(tmp_path: Path) -> None:
    """The input's DATE is carried along, and is still a date; rules on DATE mean DATE_1."""
    path = write_colors(
        tmp_path / "in.csv",
        "1,A,1,2026-03-13,98,2026-03-01",
        "2,A,1,2026-03-12,98,2026-03-02",
        "3,A,1,x,98,2026-03-03",
        header="MESSAGE_ID,CUSIP,RANK,DATE,PX,DATE_1",
    )
    run = run_colors(path, mapping={"date": "date_1"})
    assert column(run.processed, "MESSAGE_ID") == ["2", "1"]
    assert column(run.processed, "DATE") == ["2026-03-12", "2026-03-13"]
    assert reasons(run) == ["DATE: 'x' is not a date"]
    for name in ("DATE", "DATE_1"):
        run = run_colors(path, mapping={"date": "DATE_1"}, rules=where(name, "lt", "2026-03-02"))
        assert column(run.excluded, "MESSAGE_ID") == ["1"]


def test_two_roles_are_swapped(tmp_path: Path) -> None:
    """Each of the two columns has the other's role, in ranking and in rules."""
    path = write_colors(
        tmp_path / "in.csv",
        "1,A,1,2026-03-13,98,2026-03-01",
        "2,A,1,2026-03-12,98,2026-03-02",
        header="MESSAGE_ID,CUSIP,RANK,DATE,PX,DATE_1",
    )
    swap = {"date": "DATE_1", "DATE_1": "DATE"}
    assert column(run_colors(path, mapping=swap).processed, "MESSAGE_ID") == ["2", "1"]
    run = run_colors(path, mapping=swap, rules=where("DATE_1", "equals", "2026-03-12"))
    assert column(run.excluded, "MESSAGE_ID") == ["2"]


@pytest.mark.parametrize("suffix", ["csv", "ndjson", "json", "parquet", "xlsx"])
def test_processed_colors_are_ranked_again(suffix: str, tmp_path: Path) -> None:
    """`again` leaves out the seven columns of the earlier run; the same rows are the same run."""
    day = run_colors(COLORS, output=tmp_path / "one", formats=[suffix], processed_at=AT)
    path = tmp_path / "one" / f"processed_colors.{suffix}"
    with pytest.raises(DataError, match="'RUN_ID' is reserved") as caught:
        run_colors(path)
    assert "--again" in caught.value.hint
    again = run_colors(path, again=True, processed_at=AT)
    assert again.counts.parents == day.counts.parents
    assert again.counts.children == day.counts.children
    ranked, expected = rows_of(again.processed), rows_of(run_colors(COLORS).processed)
    # A number of XLSX comes back without its trailing zeros.
    kept = [slice(0, 1), slice(3, 4), slice(-4, None)]
    assert [[row[part] for part in kept] for row in ranked] == [
        [row[part] for part in kept] for row in expected
    ]


def test_again_is_for_processed_colors(tmp_path: Path) -> None:
    """Rows that no run has written have nothing to leave out; excluded rows are refused."""
    with pytest.raises(DataError, match="none of the columns that a run adds"):
        run_colors(COLORS, again=True)
    run_colors(COLORS, output=tmp_path, rules=where("RANK", "equals", 1))
    for again in (False, True):
        with pytest.raises(DataError):
            run_colors(tmp_path / "excluded_colors.csv", again=again)


TYPES = {"SPREAD": "number", "settled": "date", "LOTS": "integer"}
TYPED_HEADER = f"{HEADER},SPREAD,SETTLED,LOTS"


def typed_day(seed: int) -> list[str]:
    """Rows with cells of three further columns: several spellings, nulls and faults; many ties."""
    random_ = random.Random(seed)
    spreads = ["9", "10", "10.0", " 1e1", "100", "-3", "", "NaN", "n/a"]
    settled = ["2026-03-13", "2026-03-13T16:00", "2026-03-14 10:00:00+02:00", "2026-03-02", "", "x"]
    lots = ["2", "10", "10.", "", "2.5", "017"]
    return [
        ",".join(
            ["1", random_.choice("AB"), "1", "2026-03-12", "98", ""]
            + [random_.choice(cells) for cells in (spreads, settled, lots)]
        )
        for _ in range(60)
    ]


TYPED_RULES = (
    None,
    where("SPREAD", "greater_than", 9),
    where("spread", "between", "-5", value2="9.5"),
    where("Settled", "equals", "2026-03-13"),
    where("LOTS", "in", [10, 17]),
)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rules", TYPED_RULES, ids=range(len(TYPED_RULES)))
def test_types_of_further_columns(rules: dict[str, Any] | None, seed: int, tmp_path: Path) -> None:
    """Rules and ties compare a declared column by value, and reject what is none, as the model."""
    path = write_colors(tmp_path / "in.csv", *typed_day(seed), header=TYPED_HEADER)
    header, records = model.read_csv(path.read_text(encoding="utf-8"))
    documents = rules["rules"] if rules else ()
    expected = model.run(header, records, rules=documents, types=TYPES)

    run = run_colors(path, rules=rules, types=TYPES)
    assert outcome_of(run) == expected
    assert run.types == TYPES
    assert run.summary()["types"] == TYPES
    assert run.run_id != run_colors(path).run_id
    pairs = [f"{name}={kind}" for name, kind in TYPES.items()]
    assert outcome_of(run_colors(path, rules=rules, types=pairs)) == expected


def test_types_break_ties_by_value(tmp_path: Path) -> None:
    """As text 10 is before 9, as a number it is after."""
    path = write_colors(
        tmp_path / "in.csv",
        "1,A,1,2026-03-12,98,,10",
        "1,A,1,2026-03-12,98,,9",
        header=f"{HEADER},SPREAD",
    )
    assert column(run_colors(path).processed, "SPREAD") == ["10", "9"]
    assert column(run_colors(path, types={"SPREAD": "number"}).processed, "SPREAD") == ["9", "10"]


@pytest.mark.parametrize(
    ("types", "message"),
    [
        (["SPREAD"], "--type: 'SPREAD' is not COLUMN=TYPE"),
        (["=number"], "--type: '=number' is not COLUMN=TYPE"),
        (["SPREAD=numbr"], "--type: SPREAD: 'numbr' is not a type, did you mean number?"),
        (["rank=number"], "--type: rank is a column of the contract, and has its type from there"),
        (["SPREAD=number", "spread=date"], "--type: spread has two types"),
        (["SPRED=number"], "--type: the input has no column 'SPRED', did you mean SPREAD?"),
        (["MID=number"], "--type: 'MID' is mapped to COV_PRICE, and has its type from there"),
    ],
)
def test_types_that_mean_nothing(types: list[str], message: str, tmp_path: Path) -> None:
    """An unknown type or column is an error that names it, before any row is read."""
    path = write_colors(tmp_path / "in.csv", "1,A", header=f"{HEADER},SPREAD,MID")
    with pytest.raises(MarketPulseError) as refused:
        run_colors(path, types=types, mapping={"COV_PRICE": "MID"})
    assert refused.value.message == message


@pytest.mark.parametrize("suffix", ["ndjson", "parquet", "xlsx"])
def test_types_in_other_formats(suffix: str, tmp_path: Path) -> None:
    """Text of a declared column counts as its type in every format."""
    path = tmp_path / f"in.{suffix}"
    rows = [["1", "A", "1", "2026-03-12", "98", "", spread] for spread in ("9", "100", "n/a")]
    write_text(path, [*HEADER.split(","), "SPREAD"], rows)
    run = run_colors(path, types={"SPREAD": "number"}, rules=where("SPREAD", "gt", 9))

    assert column(run.excluded, "SPREAD") == ["100"]
    assert column(run.processed, "SPREAD") == ["9"]
    assert reasons(run) == ["SPREAD: 'n/a' is not a number"]


def test_parse_hierarchy() -> None:
    """The three keys are text with commas or a sequence, in any case."""
    assert parse_hierarchy("Price, date,RANK") == ("price", "date", "rank")
    assert parse_hierarchy(["date", " Rank", "price"]) == ("date", "rank", "price")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rank,dates", "--hierarchy: 'dates' is not a key, did you mean date?"),
        ("rank,date", "--hierarchy: rank,date does not name each of rank, date and price once"),
        ("rank,rank,date,price",
         "--hierarchy: rank,rank,date,price does not name each of rank, date and price once"),
    ],
)  # fmt: skip
def test_an_invalid_hierarchy(text: str, message: str) -> None:
    """Unknown, missing and repeated keys are errors with an example."""
    with pytest.raises(UsageError) as caught:
        parse_hierarchy(text)
    assert caught.value.message == message
    assert "for instance rank,date,price" in caught.value.hint


def test_parse_mapping() -> None:
    """A role is a key or a name of the contract; a column may contain an equals sign."""
    pairs = ["price=A=B", " Date = D ", "source=S"]
    assert parse_mapping(pairs) == {"PX": "A=B", "DATE": "D", "SOURCE": "S"}


@pytest.mark.parametrize(
    ("pairs", "message", "hint"),
    [
        (["price"], "--map: 'price' is not NAME=COLUMN", "--map price=MID_PRICE"),
        (["price= "], "--map: 'price= ' is not NAME=COLUMN", "--map price=MID_PRICE"),
        ([" =A"], "--map: ' =A' is not NAME=COLUMN", "--map price=MID_PRICE"),
        ([" prce =A"], "--map: 'prce' is not a column of the contract, did you mean price?",
         "the names are " + ", ".join(("rank", "date", "price", *CONTRACT))),
        (["SOURC=A"], "--map: 'SOURC' is not a column of the contract, did you mean SOURCE?",
         "the names are " + ", ".join(("rank", "date", "price", *CONTRACT))),
        (["price=A", "PX=B"], "--map: PX is mapped twice", "map each name once"),
    ],
)  # fmt: skip
def test_an_invalid_mapping(pairs: list[str], message: str, hint: str) -> None:
    """Each mistake has a message that names it, and a hint."""
    with pytest.raises(UsageError) as caught:
        parse_mapping(pairs)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_suggest() -> None:
    """The nearest name is suggested, if one is near at all."""
    known = {"rank": "RANK", "px": "PX", "ranks": "RANKS"}
    assert suggest(" RANk ", known) == ", did you mean RANK?"
    assert suggest("zzz", known) == ""
    assert suggest("rxxk", {"rank": "RANK"}) == ", did you mean RANK?"  # half of it is enough


NAMES = ("MESSAGE_ID", "CUSIP", "RANK", "DATE", "PX")


@pytest.mark.parametrize(
    ("names", "mapping", "message", "hint"),
    [
        (NAMES, {"SOURCE": "RANKK"},
         "--map: the input has no column 'RANKK', did you mean RANK?",
         "its columns are MESSAGE_ID, CUSIP, RANK, DATE, PX"),
        ((*NAMES, " A "), {"SOURCE": "A", "BIAS": "a"},
         "--map: 'a' is mapped to both SOURCE and BIAS", "map each column once"),
        ((*NAMES[:-1], " PXX "), {}, "the input has no column PX",
         ("if the column has another name: --map price=PXX; "
         "the columns are MESSAGE_ID, CUSIP, RANK, DATE, PXX")),
        (("RANK", "DATE"), {}, "the input has no columns MESSAGE_ID, CUSIP, PX",
         ("if the column has another name: --map message_id=NAME --map cusip=NAME "
         "--map price=NAME; the columns are RANK, DATE")),
        (("MSG_ID", "CUSIP ID", "RANK", "MID_PRICE", "DATE_1"), {},
         "the input has no columns MESSAGE_ID, CUSIP, DATE, PX",
         ("if the column has another name: --map message_id=MSG_ID --map cusip='CUSIP ID' "
         "--map date=NAME --map price=MID_PRICE; "
         "the columns are MSG_ID, CUSIP ID, RANK, MID_PRICE, DATE_1")),
        (("MESSAGE\nID", *NAMES[1:]), {}, "the input has no column MESSAGE_ID",
         ("if the column has another name: --map message_id=NAME; the columns are MESSAGE\\nID, "
         "CUSIP, RANK, DATE, PX; \\n is a line break in a name: rename the column")),
        ((), {}, "the input has no columns",
         "without colors, too, it has to name its columns, as the header of CSV does"),
        ((*NAMES, " px "), {}, "the columns 'PX' and ' px ' have the same name",
         "names are compared ignoring case and surrounding blanks"),
    ],
)  # fmt: skip
def test_what_a_missing_column_says(
    names: tuple[str, ...], mapping: dict[str, str], message: str, hint: str
) -> None:
    """The message names the column, the hint says how to map another one."""
    schema = pa.schema([(name, pa.string()) for name in names])
    with pytest.raises(DataError) as caught:
        resolve_columns(schema, mapping)
    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert caught.value.check == ("MP-DAT-008" if "same name" in message else "MP-DAT-014")


def test_places_roles_and_kinds() -> None:
    """A column keeps its place; its kind is that of its role, of its own name, or of its type."""
    more = [
        ("MID", pa.string()), ("WHOLE", pa.int8()), ("EXACT", pa.decimal128(5, 2)),
        ("FLOAT", pa.float32()), ("DAY", pa.date32()), ("SENT", pa.timestamp("us")),
        ("NOTE", pa.string()),
    ]  # fmt: skip
    fields = [pa.field(name, pa.string()) for name in NAMES]
    fields += [pa.field(name, data_type) for name, data_type in more]
    fields.append(logical_field("SPREAD", LogicalType.NUMBER))
    columns = resolve_columns(pa.schema(fields), {"PX": " mid "})

    assert [column.place for column in columns.all] == list(range(len(fields)))
    assert [column.role for column in columns.all][:6] == [*NAMES[:4], None, "PX"]
    px = columns.find("px")
    assert px is columns.role("PX")
    assert px is not None
    assert px.name == "MID"
    by_name = {column.name: column.kind for column in columns.all}
    assert by_name["PX"] is by_name["MID"] is CONTRACT["PX"]
    assert [by_name[name] for name, _ in more[1:]] == [
        Kind.NUMBER, Kind.NUMBER, Kind.NUMBER, Kind.DATE, Kind.DATE, Kind.TEXT,
    ]  # fmt: skip
    assert by_name["SPREAD"] is Kind.NUMBER


def test_forms_of_dates_by_column() -> None:
    """One for all columns of dates, others by name; digits are permitted where ids are."""
    fields = [(name, pa.string()) for name in (*NAMES, "SENT", "NOTE")]
    columns = resolve_columns(pa.schema(fields), {}, types={"SENT": Kind.DATE})
    forms = {None: DateForm.US, "date": DateForm.ORACLE}
    permitted = columns.permit(forms, rounded_ids=True)
    assert {column.name: column.date_form for column in permitted.all if column.date_form} == {
        "DATE": DateForm.ORACLE,
        "SENT": DateForm.US,
    }
    assert [column.name for column in permitted.all if column.rounded_ids] == ["MESSAGE_ID"]
    assert [column.name for column in permitted.all if column.declared] == ["SENT"]
    for same in (columns.permit({}), columns.permit({"DATE_1": DateForm.US})):  # not in each input
        assert not any(column.date_form or column.rounded_ids for column in same.all)
    for name, problem in (
        ("PX", "'PX' holds no dates"),
        ("BIAS", "'BIAS' is not a column"),
        ("SEND", "'SEND' is not a column, did you mean SENT?"),
    ):
        with pytest.raises(DataError) as caught:
            columns.permit({name: DateForm.US})
        assert caught.value.message == f"--date-format: {problem}"


@pytest.mark.parametrize(
    ("data_type", "expected"),
    [
        (pa.int64(), LogicalType.NUMBER),
        (pa.float64(), LogicalType.NUMBER),
        (pa.decimal128(9, 2), LogicalType.NUMBER),
        (pa.date32(), None),
        (pa.string(), LogicalType.TEXT),
    ],
    ids=str,
)
def test_numbers_are_dates_by_option(data_type: pa.DataType, expected: LogicalType | None) -> None:
    """A number is read by its text as a form of dates tells; without one it is no date."""
    columns = resolve_columns(
        pa.schema({**dict.fromkeys(NAMES, pa.string()), "DATE": data_type}), {}
    )
    permitted = columns.permit({None: DateForm.EXCEL})
    assert permitted.role("DATE").logical_type is expected
    is_text = data_type == pa.string()
    assert columns.role("DATE").logical_type is (LogicalType.TEXT if is_text else None)


@pytest.mark.parametrize("data_type", [pa.binary(), pa.large_binary(), pa.binary(9)], ids=str)
def test_bytes_are_no_values(data_type: pa.DataType) -> None:
    """A column of the contract holds text; any other one may hold bytes."""
    fields = dict.fromkeys(NAMES, pa.string())
    resolve_columns(pa.schema({**fields, "HASH": data_type}), {})
    with pytest.raises(DataError, match="the column 'CUSIP' holds bytes"):
        resolve_columns(pa.schema({**fields, "CUSIP": data_type}), {})


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        (" run_id", "rank the processed colors of a run with --again"),
        ("RULE_ID", "these are the excluded or rejected rows of a run: rank its input instead"),
    ],
)
def test_columns_of_a_result(name: str, remedy: str) -> None:
    """The hint depends on which table of a run the input is."""
    with pytest.raises(DataError, match="is reserved for the output") as caught:
        resolve_columns(pa.schema([(column, pa.string()) for column in (*NAMES, name)]), {})
    assert caught.value.hint == f"{remedy}, or rename the column"


@pytest.mark.parametrize(
    ("number", "cells", "words"),
    [
        (2, ("cusip ", "MESSAGE_ID"), "row 2 looks like the header: delete the row above it"),
        (4, ("ID", "CUSIP", "MESSAGE_ID"), "row 4 looks like the header: delete the 3 rows above"),
        (2, ("CUSIP", "RANK"), "if the column has another name"),
    ],
)
def test_a_header_below_a_title(number: int, cells: tuple[str, ...], words: str) -> None:
    """A row with the ids' columns is the header, wherever it is."""
    with pytest.raises(DataError) as caught:
        resolve_columns(pa.schema([("Colors of the day", pa.string())]), {}, [(number, cells)])
    assert caught.value.hint.startswith(words)
