"""Dates and ids that spreadsheets and Oracle spell in their own way: read by permission only."""

import json
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import colors_model as model
import duckdb
import pyarrow as pa
import pytest
import xlsxwriter
from color_tables import book, column, outcome_of, reasons, rule, write_colors
from hypothesis import given, settings
from hypothesis import strategies as st
from support import Tool

from marketpulse import run_colors
from marketpulse.colors.arrivals import connect_engine
from marketpulse.colors.spellings import ROUNDED_DIGITS, DateForm, parse_date_forms
from marketpulse.errors import DataError, UsageError

HEADER = "MESSAGE_ID,CUSIP,RANK,DATE,PX"

# What the forms mean; null is not a date.
MEANINGS = {
    "M/D/YYYY": {
        "3/13/2026": "2026-03-13",
        "03/13/2026 2:05 PM": "2026-03-13 14:05",
        "3/13/2026 14:05:09.25": "2026-03-13 14:05:09.25",
        "3/13/2026 12:00 am": "2026-03-13",
        "3/13/2026 12:30 p.m.": "2026-03-13 12:30",
        "3/13/2026 2:05:09\u202fPM": "2026-03-13 14:05:09",
        "3/13/2026 14:05 +01:00": "2026-03-13 13:05",
        "2026-03-13": "2026-03-13",
        "13/3/2026": None,
        "2/29/2026": None,
        "3/13/26": None,
        "3/13/2026 13:05 PM": None,
        "3/13/2026 0:05 AM": None,
        "3/13/2026 24:00": None,
    },
    "D/M/YYYY": {"13/03/2026": "2026-03-13", "3/4/2026": "2026-04-03", "3/13/2026": None},
    "DD-MON-YY": {
        "13-MAR-26": "2026-03-13",
        "1-mar-49": "2049-03-01",
        "01-Jan-50": "1950-01-01",
        "13-MAR-99 02.05.09.123456 PM": "1999-03-13 14:05:09.123456",
        "13-MAR-26 14:05:09": "2026-03-13 14:05:09",
        "13-MAR-26 02.05": None,
        "13-MAR-2026": None,
        "13-ANF-26": None,
        "31-FEB-26": None,
    },
    "DD-MON-YYYY": {"13-MAR-2026": "2026-03-13", "13-MAR-26": None},
    "YYYYMMDD": {
        "20260313": "2026-03-13",
        "20260313.0": "2026-03-13",
        "20260313 14:05": "2026-03-13 14:05",
        "20261301": None,
        "2026031": None,
    },
    "excel": {
        "46094": "2026-03-13",
        "46094.5": "2026-03-13 12:00",
        "46094.58689814815": "2026-03-13 14:05:08",
        "1": "1900-01-01",
        "59": "1900-02-28",
        "60": None,
        "61": "1900-03-01",
        "0": None,
        "2958465": "9999-12-31",
        "2958466": None,
        "46094 14:05": None,
        "-1": None,
    },
}


@pytest.mark.parametrize("form", MEANINGS)
def test_a_date_of_a_permitted_form_is_that_date(form: str, tmp_path: Path) -> None:
    """Rules see the value, a rejected cell is not a date, and every cell is written as it came."""
    cells = MEANINGS[form]
    rows = [f"{number},A,1,{cell},98" for number, cell in enumerate(cells)]
    path = write_colors(tmp_path / "in.csv", *rows, header=HEADER)
    run = run_colors(path, date_formats=form)
    wrong = [cell for cell, meaning in cells.items() if meaning is None]
    assert reasons(run) == [f"DATE: '{cell}' is not a date" for cell in wrong]
    # A day stands for all its times: those come before it.
    meanings = sorted({meaning for meaning in cells.values() if meaning}, key=len, reverse=True)
    rules = [
        rule(
            {"column": "DATE", "operator": "between", "value": meaning, "value2": meaning},
            number=number,
        )
        for number, meaning in enumerate(meanings)
    ]
    excluded = run_colors(path, date_formats={"date": form}, rules=book(*rules)).excluded
    chosen = zip(column(excluded, "DATE"), column(excluded, "RULE_ID"), strict=True)
    assert {cell: meanings[int(number)] for cell, number in chosen} == {
        cell: meaning for cell, meaning in cells.items() if meaning
    }
    foreign = [
        cell for cell, meaning in cells.items() if meaning and model.to_instant(cell) is None
    ]
    assert run.warnings["foreign_dates"] == len(foreign)
    assert run.date_formats == {"DATE": form}


DIGITS = st.text("0123456789", min_size=1, max_size=4)
CLOCKS = st.builds(
    "{}{}:{}{}{}{}".format,
    st.sampled_from([" ", "T", "  "]),
    st.sampled_from(["0", "2", "12", "13", "02", "24", "7"]),
    st.sampled_from(["05", "59", "60"]),
    st.sampled_from(["", ":09", ":59.999", ":09.1234567890123"]),
    st.sampled_from(["", " PM", "am", "\xa0a.m.", " P.M."]),
    st.sampled_from(["", "Z", "+01:00", " -0530", "-23"]),
)
DAYS = st.one_of(
    st.builds("{}/{}/{}".format, DIGITS, DIGITS, st.sampled_from(["2026", "26", "0001", "0000"])),
    st.builds(
        "{}-{}-{}".format,
        st.sampled_from(["1", "01", "13", "31", "32", "0"]),
        st.sampled_from([*model.MONTHS, "mar", "Feb", "XXX", "03"]),
        st.sampled_from(["26", "49", "50", "99", "00", "2026"]),
    ),
    st.dates().map("{:%Y%m%d}".format),
    st.decimals(-1, 3000000, allow_nan=False, places=15).map("{:f}".format),
    st.dates().map("{0.month}/{0.day}/{0.year:04d}".format),
    st.integers(0, 3000000).map(str),
)


@cache
def database() -> duckdb.DuckDBPyConnection:
    """A database with the macros, one for all examples."""
    return connect_engine()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(DAYS, st.one_of(st.just(""), CLOCKS)).map("".join), max_size=30))
def test_translations_agree_with_the_model(cells: list[str]) -> None:
    """Each form of each cell, in SQL and in the plain model, is the same moment or none."""
    connection = database()
    connection.register("cells", pa.table({"t": cells}))
    for form in DateForm:
        sql = f"SELECT date_key({form.macro}(t)) FROM cells"
        for cell, (key,) in zip(cells, connection.execute(sql).fetchall(), strict=True):
            instant = model.foreign_instant(form, cell)
            epoch = date(1970, 1, 1).toordinal() * model.DAY
            expected = instant and (instant.seconds - epoch, instant.fraction)
            assert (key and tuple(key)) == expected, (form, cell)


@given(st.from_regex(r"[+-]?[0-9]{0,3}\.?[0-9]{0,4}[eE]\+?[0-9]{1,3}", fullmatch=True))
@settings(max_examples=50, deadline=None)
def test_rounded_ids_agree_with_the_model(cell: str) -> None:
    """The digits that are left, in SQL and in the plain model."""
    ((digits,),) = database().execute(f"SELECT {ROUNDED_DIGITS}(?)", [cell]).fetchall()
    number = model.rounded_number(cell)
    assert (digits and model.to_number(digits)) == number


FOREIGN = [
    *("3/4/2026", "03/04/2026", "4/3/2026", "3/4/2026 0:00", "4/3/2026 12:00 AM", "13/3/2026"),
    *("2026-03-04", "04-MAR-26", "4-Mar-26", "20260304", "46085", "46085.0", "2026-04-03", "", "x"),
]
IDS = ["17700000000000000", "1.77E+16", "1.77E16", "1.5E+1", "15", "15.", "1.55E+1", "17E-1", "x"]


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_runs_agree_with_the_model(data: st.DataObject, tmp_path_factory: Any) -> None:
    """Ties, ranking and rejections with permitted spellings in both columns of dates."""
    draw = data.draw
    row = st.tuples(*map(st.sampled_from, (IDS, ["A", "B"], FOREIGN, FOREIGN)))
    rows = [
        f"{number},{cusip},1,{date},98,{date_1}"
        for number, cusip, date, date_1 in draw(st.lists(row, min_size=1, max_size=40))
    ]
    header = f"{HEADER},DATE_1"
    path = write_colors(tmp_path_factory.mktemp("runs") / "in.csv", *rows, header=header)
    form = st.sampled_from([form.value for form in DateForm])
    forms = draw(st.dictionaries(st.sampled_from(["", "DATE", "DATE_1"]), form))
    rounded, mapping = draw(st.booleans()), draw(st.sampled_from([{}, {"date": "DATE_1"}]))
    named = [f"{name}={text}" if name else text for name, text in forms.items()]
    if mapping and "DATE_1" in forms:  # the column has the role DATE, and so both names
        forms = {name: text for name, text in forms.items() if name != "DATE"}
        named = [f"{name}={text}" if name else text for name, text in forms.items()]
        forms = {"DATE" if name == "DATE_1" else name: text for name, text in forms.items()}
    head, records = model.read_csv(path.read_text(encoding="utf-8"))
    expected = model.run(head, records, mapping=mapping, date_formats=forms, rounded_ids=rounded)
    try:
        run = run_colors(path, date_formats=named, accept_rounded_ids=rounded, mapping=mapping)
    except DataError:
        assert len(expected.rejected) == len(records)
        return
    assert outcome_of(run) == expected


@pytest.mark.parametrize("form", ["3/13/26", "MM-DD-YYYY", "", "=excel", "DATE=", "M/D/YYYY HH:MM"])
def test_an_unknown_form_is_refused(form: str) -> None:
    """The hint has all forms."""
    with pytest.raises(UsageError) as caught:
        parse_date_forms(form)
    assert all(known in caught.value.hint for known in DateForm)


def test_forms_in_other_words() -> None:
    """Case and doubled letters do not matter; a column has one form."""
    assert parse_date_forms(["mm/dd/yyyy", "DATE_1 = dd-mon-rr"]) == {
        None: DateForm.US,
        "DATE_1": DateForm.ORACLE,
    }
    with pytest.raises(UsageError, match="two formats"):
        parse_date_forms(["M/D/YYYY", "D/M/YYYY"])


@pytest.mark.parametrize(
    ("name", "words"), [("PX", "holds no dates"), ("DATUM", "not a column, did you mean DATE")]
)
def test_a_form_is_for_a_column_of_dates(name: str, words: str, tmp_path: Path) -> None:
    """A column that is not there, or holds no dates, is an error; DATE_1 may be missing."""
    path = write_colors(tmp_path / "in.csv", "1,A,1,2026-03-13,98", header=HEADER)
    with pytest.raises(DataError, match=words):
        run_colors(path, date_formats={name: "excel"})
    assert run_colors(path, date_formats={"DATE_1": "excel"}).counts.parents == 1


@pytest.mark.parametrize(
    ("cells", "named", "unnamed"),
    [
        (["3/13/2026", "3/4/2026", "2026-03-13"], ["M/D/YYYY"], ["D/M", "excel", "DATE="]),
        (["13/3/2026", "3/4/2026"], ["D/M/YYYY"], ["M/D", "YYYYMMDD"]),
        (["1/3/2026", "3/4/2026"], ["M/D/YYYY or --date-format D/M/YYYY"], ["excel"]),
        (["13-MAR-26"], ["DD-MON-YY"], ["DD-MON-YYYY"]),
        (["20260313"], ["YYYYMMDD"], ["excel"]),
        (["46094.5", "46095"], ["excel"], ["YYYYMMDD"]),
        (["3/13/2026", "13-MAR-26"], ["--date-format"], ["M/D/YYYY", "DD-MON"]),
        (["3/13/2026", "2026-03-13", "2026-03-13"], ["--date-format"], ["M/D/YYYY"]),
    ],
)
def test_the_hint_names_the_one_form_that_fits(
    cells: list[str], named: list[str], unnamed: list[str], tmp_path: Path
) -> None:
    """Only where most cells fail and one form fits all of them; else the option alone."""
    rows = [f"{number},A,1,{cell},98" for number, cell in enumerate(cells)]
    path = write_colors(tmp_path / "in.csv", *rows, header=HEADER)
    with pytest.raises(DataError) as caught:
        run_colors(path, max_rejected=0)
    assert all(words in caught.value.hint for words in ["--date-format", *named])
    assert not any(words in caught.value.hint for words in unnamed)


def test_columns_of_two_forms_are_named(tmp_path: Path) -> None:
    """If one option does not do for both columns, the hint has one for each."""
    rows = [f"{number},A,1,3/13/2026,98,13-MAR-26" for number in range(3)]
    path = write_colors(tmp_path / "in.csv", *rows, header=f"{HEADER},DATE_1")
    with pytest.raises(DataError) as caught:
        run_colors(path)
    assert "DATE=M/D/YYYY" in caught.value.hint
    formats = ["DATE=M/D/YYYY", "DATE_1=DD-MON-YY"]
    assert run_colors(path, date_formats=formats).counts.rejected == 0


def test_another_form_is_another_run(tmp_path: Path) -> None:
    """RUN_ID follows from the forms that matter, and from no other."""
    path = write_colors(tmp_path / "in.csv", "1,A,1,3/4/2026,98", header=HEADER)
    american, european = (run_colors(path, date_formats=form) for form in ("M/D/YYYY", "D/M/YYYY"))
    assert american.run_id != european.run_id
    path = write_colors(tmp_path / "in.csv", "1,A,1,2026-03-04,98", header=HEADER)
    runs = [run_colors(path), run_colors(path, date_formats="excel", accept_rounded_ids=True)]
    assert runs[0].run_id == runs[1].run_id
    assert runs[1].date_formats == {}


@pytest.mark.parametrize("data_type", [pa.int64(), pa.float64(), pa.decimal128(12, 4)])
def test_typed_numbers_are_dates_by_permission(data_type: pa.DataType) -> None:
    """Serial numbers and 20260313 as numbers of Parquet or a data frame."""
    for form, cells in (("excel", [46094, 46095, None]), ("YYYYMMDD", [20260313, 20260314, None])):
        table = pa.table(
            {
                "MESSAGE_ID": [1, 2, 3],
                "CUSIP": ["A"] * 3,
                "RANK": [1] * 3,
                "DATE": pa.array(cells, pa.float64()).cast(data_type),
                "PX": [98.5] * 3,
            }
        )
        with pytest.raises(DataError, match=r"DATE: .* is not a date") as caught:
            run_colors(table, max_rejected=0)
        assert f"--date-format {form}" in caught.value.hint
        run = run_colors(table, date_formats=form)
        assert column(run.processed, "MESSAGE_ID") == [2, 1, 3]
        assert run.warnings["foreign_dates"] == 2


def workbook(path: Path, rows: list[list[Any]]) -> Path:
    """A workbook with these rows below the header."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for place, name in enumerate(HEADER.split(",")):
            sheet.write_string(0, place, name)
        for number, row in enumerate(rows, 1):
            for place, cell in enumerate(row):
                is_day = isinstance(cell, datetime)
                sheet.write(number, place, cell, *([day] if is_day else []))
    return path


def test_cells_of_a_workbook(tmp_path: Path) -> None:
    """Rounded numbers say that they are; serial numbers stand beside real dates."""
    rows = [
        [17679633591029710, "A", 1, 46094, 98],
        [17679633591029999, "A", 1, datetime(2026, 3, 14, tzinfo=UTC).replace(tzinfo=None), 98],
        ["17679633591029711", "A", 1, "46095", 98],
    ]
    path = workbook(tmp_path / "in.xlsx", rows)
    run = run_colors(path, date_formats="excel")
    lost = "is not exact: its last digits were lost to a spreadsheet"
    assert [reason.partition("' ")[2] for reason in reasons(run)] == [lost, lost]
    (hint,) = run.hints
    assert hint.startswith("MESSAGE_ID: the last digits were lost to a spreadsheet")
    assert "--accept-rounded-ids" in hint
    run = run_colors(path, date_formats="excel", accept_rounded_ids=True)
    assert (run.counts.rejected, run.warnings["rounded_ids"]) == (0, 2)
    assert column(run.processed, "PARENT_MESSAGE_ID")[0] is None
    assert run.counts.children == 2


def test_the_command_names_and_takes_the_options(tool: Tool) -> None:
    """A day of a spreadsheet fails with the options that help, and works with them."""
    rows = [f"1.7{number}E+16,037833100,1,3/{number + 13}/2026,98" for number in range(3)]
    write_colors(tool.folder / "day.csv", *rows, header=HEADER)
    refused = tool.run("run-colors", "day.csv")
    assert refused.code == 7
    assert "its last digits were lost to a spreadsheet" in refused.err
    assert "--accept-rounded-ids" in refused.err
    words = ("run-colors", "day.csv", "--accept-rounded-ids", "--format", "json")
    dates = tool.run(*words)
    assert dates.code == 7
    assert "--date-format M/D/YYYY" in dates.err
    done = tool.run(*words, "--date-format", "M/D/YYYY")
    printed = json.loads(done.out)
    assert printed["warnings"]["foreign_dates"] == printed["warnings"]["rounded_ids"] == 3
    assert printed["date_formats"] == {"DATE": "M/D/YYYY"}
    assert "DATE: 3 cells are read as dates of the format M/D/YYYY" in done.err
    assert "MESSAGE_ID: 3 cells are rounded by a spreadsheet" in done.err
