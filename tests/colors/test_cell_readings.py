"""`--where` compares cells as the values that ranking sees, and tells of rows it cannot decide."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from color_tables import column, three_colors, write_colors

from marketpulse import ColorsRun, run_colors
from marketpulse.cli.console import progress
from marketpulse.extraction.sample import write_sample
from marketpulse.extraction.sample_options import SampleOptions
from marketpulse.sources import open_source

DAY = (
    "17700000000000001,037833100,1,3/12/2026,98.5,9",
    "1.77E+16, 037833100 ,2,3/13/2026 2:05 PM,99,10",
    "17700000000000003,037833100,3,2026-03-14,n/a,x",
    "17700000000000004,037833100,4,2026-03-15,97,1",
)
HEADER = "MESSAGE_ID,CUSIP,RANK,DATE,PX,SPREAD"
PERMITTED: dict[str, Any] = {"date_formats": "M/D/YYYY", "accept_rounded_ids": True}


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day that a spreadsheet has spoilt."""
    return write_colors(tmp_path_factory.mktemp("day") / "day.csv", *DAY, header=HEADER)


def ranks(run: ColorsRun) -> list[Any]:
    """The RANK of each row that was read, in order."""
    return sorted(column(run.processed, "RANK") + column(run.rejected, "RANK"))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("DATE >= DATE '2026-03-13'", ["2", "3", "4"]),
        ("TO_CHAR(DATE, 'HH24:MI') = '14:05'", ["2"]),
        ("MESSAGE_ID = 17700000000000000", ["2"]),
        ("CUSIP = '037833100'", ["1", "2", "3", "4"]),
        ("PX IS NULL OR RANK = 4", ["3", "4"]),
    ],
)
def test_spellings_that_an_option_permits(day: Path, condition: str, expected: list[str]) -> None:
    """A condition sees the date of a format, and the digits of a rounded id."""
    run = run_colors(day, where=condition, **PERMITTED)
    assert ranks(run) == expected
    assert "undecided_rows" not in run.warnings


def test_a_cusip_is_the_same_on_files_bundles_and_the_demo(day: Path, tmp_path: Path) -> None:
    """Without outer blanks and in capitals, also where a database has stored them."""
    with open_source(str(day)) as source:
        write_sample(
            source,
            (),
            SampleOptions(),
            output=tmp_path / "bundle",
            taken_at=datetime(2026, 3, 13, tzinfo=UTC),
            progress=progress(quiet=True),
        )
    for data in (day, tmp_path / "bundle"):
        run = run_colors(data, where="LENGTH(CUSIP) = 9 AND CUSIP = '037833100'", **PERMITTED)
        assert ranks(run) == ["1", "2", "3", "4"]
    with open_source("demo", rows=500) as market:
        messy = column(run_colors(market, table="COLORS").processed, "CUSIP")[0]
        raw = market.scan("COLORS", columns=["CUSIP"]).read_all().column(0).to_pylist()
        run = run_colors(market, table="COLORS", where=f"CUSIP = '{messy}'")
    assert run.counts.read == sum(str(cell).strip().upper() == messy for cell in raw)


def test_types_beyond_the_contract(day: Path) -> None:
    """A column of --type compares as this type: 10 is more than 9."""
    run = run_colors(day, where="SPREAD >= 9.5", types={"SPREAD": "number"}, **PERMITTED)
    assert ranks(run) == ["2"]
    assert run.warnings["undecided_rows"] == 1


@pytest.mark.parametrize(
    ("condition", "undecided", "cell"),
    [
        ("DATE >= DATE '2026-03-13'", 2, "DATE: '3/12/2026'"),
        ("RANK = 2 AND DATE >= DATE '2026-03-13'", 1, "DATE: '3/13/2026 2:05 PM'"),
        ("MESSAGE_ID > 0 AND RANK < 9", 1, "MESSAGE_ID: '1.77E+16'"),
        ("NVL(px, 0) > 90", 1, "px: 'n/a'"),
        ("NVL(PX, 0) > 90 AND RANK > 0 OR RANK = 3", 0, ""),
        ("PX > 98.7 AND RANK = 2 OR RANK = 4", 0, ""),
    ],
)
def test_undecided_rows_are_told(day: Path, condition: str, undecided: int, cell: str) -> None:
    """Rows that vanish because of a cell that is no value are counted, and a cell is shown."""
    run = run_colors(day, where=condition)
    assert run.warnings.get("undecided_rows", 0) == undecided
    remarks = [remark for remark in run.remarks if remark.startswith("--where")]
    rows = "1 row" if undecided == 1 else f"{undecided} rows"
    assert [cell in remark and f"leaves out {rows} " in remark for remark in remarks] == (
        [True] if undecided else []
    )


@pytest.mark.parametrize("second", ["7", '"7"'], ids=["numbers alone", "next to text"])
def test_an_id_of_json_with_an_exponent_is_undecided(tmp_path: Path, second: str) -> None:
    """Ranking rejects it as it is spelled, so a condition does not see its digits."""
    path = tmp_path / "in.ndjson"
    rest = '"CUSIP": "037833100", "RANK": 1, "DATE": null, "PX": 1E2'
    path.write_text("\n".join(f'{{"MESSAGE_ID": {cell}, {rest}}}' for cell in ("1e3", second)))
    run = run_colors(path, where="MESSAGE_ID IN (7, 1000) AND PX = 100")
    assert column(run.processed, "MESSAGE_ID") == ["7"]
    assert run.warnings["undecided_rows"] == 1
    assert any("MESSAGE_ID: '1e3'" in remark for remark in run.remarks)


def test_dates_of_a_mapped_column(day: Path) -> None:
    """A format of one column is read in the column that has the role."""
    text = day.read_text().replace(",DATE,", ",WHEN,")
    path = day.with_name("mapped.csv")
    path.write_text(text)
    options: dict[str, Any] = {"mapping": {"date": "WHEN"}, "accept_rounded_ids": True}
    for name in ("date", "WHEN"):
        run = run_colors(
            path,
            where="\"WHEN\" < DATE '2026-03-13'",
            date_formats={name: "M/D/YYYY"},
            **options,
        )
        assert ranks(run) == ["1"]


def test_serial_numbers_of_a_spreadsheet(tmp_path: Path) -> None:
    """Numbers that stand for dates compare as dates, in XLSX and in typed columns."""
    with xlsxwriter.Workbook(tmp_path / "day.xlsx") as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, ["MESSAGE_ID", "CUSIP", "RANK", "DATE", "PX"])
        sheet.write_row(1, 0, ["1", "037833100", 1, 46094.5, 98.5])
        sheet.write_row(2, 0, ["2", "037833100", 2, 46093, 98.5])
        sheet.write_formula(3, 3, "=NA()", None, "#N/A")
        sheet.write_row(3, 0, ["3", "037833100", 3])
    for form, cells in (("excel", [46094.5, 46093.0, None]), ("YYYYMMDD", [20260313, 20260312, 0])):
        table = three_colors(DATE=cells, RANK=[1, 2, 3])
        pq.write_table(table, tmp_path / f"{form}.parquet")
    condition = "DATE >= DATE '2026-03-13'"
    for name in ("day.xlsx", "excel.parquet", "YYYYMMDD.parquet"):
        form = "YYYYMMDD" if name.startswith("Y") else "excel"
        run = run_colors(tmp_path / name, where=condition, date_formats=form)
        assert [int(rank) for rank in ranks(run)] == [1]
        assert run.warnings.get("undecided_rows", 0) == (name != "excel.parquet")


@pytest.mark.parametrize(
    ("name", "array", "condition"),
    [
        ("text", pa.array(["a", None, "b"], pa.string_view()), "X = 'b'"),
        ("bytes", pa.array([b"a", None, b"b"], pa.binary_view()), "RANK = 3"),
        ("large", pa.array(["a", None, "b"], pa.large_string()), "X = 'b'"),
        ("large bytes", pa.array([b"a", None, b"b"], pa.large_binary()), "RANK = 3"),
        ("list", pa.array([["a"], None, []], pa.list_(pa.string_view())), "RANK = 3"),
        ("struct", pa.array([{"a": "x"}] * 3, pa.struct([("a", pa.string_view())])), "RANK = 3"),
        ("map", pa.array([[]] * 3, pa.map_(pa.string_view(), pa.int8())), "RANK = 3"),
        ("words", pa.array(["a", None, "b"], pa.large_string()).dictionary_encode(), "X = 'b'"),
    ],
)
def test_views_and_large_types(name: str, array: pa.Array, condition: str, tmp_path: Path) -> None:
    """A condition selects rows of a Parquet file whatever types its other columns have."""
    pq.write_table(three_colors(RANK=[1, 2, 3], X=array), tmp_path / f"{name}.parquet")
    assert ranks(run_colors(tmp_path / f"{name}.parquet", where=condition)) == [3]
