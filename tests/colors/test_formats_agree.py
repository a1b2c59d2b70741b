"""The same colors give the same outcome, whatever format and types they come in."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import colors_model as model
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from color_tables import (
    EXPECTED,
    column,
    csv_text,
    day,
    expected,
    outcome_in,
    outcome_of,
    reasons,
    without_malformed_lines,
    write_json,
    write_text,
)
from hypothesis import given
from hypothesis import strategies as st
from strategies import Case, cases, few, run_or_reject
from support import RULES

from marketpulse import run_colors
from marketpulse.formats import FORMATS


@pytest.mark.parametrize("suffix", ["ndjson", "jsonl", "json", "parquet", "xlsx"])
def test_a_real_day_is_the_same_from_every_format(suffix: str, tmp_path: Path) -> None:
    """Text cells of every format give the same outcome as CSV."""
    path = tmp_path / f"day.{suffix}"
    write_text(path, *day())
    hierarchy, rules = EXPECTED["date_rank_price_rules"]
    run_colors(path, rules=rules, hierarchy=hierarchy, output=tmp_path / "out")
    assert outcome_in(tmp_path / "out") == without_malformed_lines(
        expected("date_rank_price_rules")
    )


@pytest.mark.parametrize("suffix", ["ndjson", "json"])
def test_a_real_day_is_the_same_from_numbers_of_json(suffix: str, tmp_path: Path) -> None:
    """Numbers of JSON keep their spelling, also next to text in the same column."""
    path = tmp_path / f"day.{suffix}"
    write_json(path, *day(), numbers=True)
    run_colors(path, rules=RULES, output=tmp_path / "out", formats=["csv", "ndjson"])
    assert outcome_in(tmp_path / "out") == without_malformed_lines(
        expected("rank_date_price_rules")
    )
    lines = (tmp_path / "out/processed_colors.ndjson").read_text(encoding="utf-8")
    for line in lines.splitlines():
        color = json.loads(line, parse_int=Decimal, parse_float=Decimal)
        assert isinstance(color["MESSAGE_ID"], Decimal)
        assert color["RANK"] is None or isinstance(color["RANK"], Decimal)


@pytest.mark.parametrize("text", ["", '"x"'], ids=["numbers alone", "next to text"])
def test_an_exponent_of_json_is_that_of_text(text: str, tmp_path: Path) -> None:
    """An id with an exponent has lost digits, and a CUSIP was changed; a price is a price."""
    path = tmp_path / "exponents.ndjson"
    colors = ('1.77e16, "CUSIP": "037833100"', '2, "CUSIP": 12345e108', '3, "CUSIP": "594918104"')
    others = f', "RANK": {text}, "PX": {text}' if text else ""
    lines = [f'{{"MESSAGE_ID": {color}, "RANK": 1, "DATE": null, "PX": 1.5E1}}' for color in colors]
    lines += [f'{{"MESSAGE_ID": {text}, "CUSIP": "594918104"{others}}}'] if text else []
    path.write_text("\n".join(lines), encoding="utf-8")

    refused = run_colors(path)
    accepted = run_colors(path, accept_rounded_ids=True)

    assert reasons(refused)[:2] == [
        "MESSAGE_ID: '1.77e16' is not an integer",
        "CUSIP: '12345e108' is not a CUSIP: a spreadsheet has changed it",
    ]
    assert column(refused.processed, "PX") == ["15"]
    assert column(accepted.processed, "MESSAGE_ID") == ["17700000000000000", "3"]
    assert accepted.warnings["rounded_ids"] == 1


def test_an_exponent_of_json_stays_one_beside_other_files(tmp_path: Path) -> None:
    """An id that has lost digits is refused next to ids that are text, or floats, too."""
    color = {"CUSIP": "037833100", "RANK": 1, "DATE": None, "PX": 1}
    numbers, text, floats = (tmp_path / name for name in ("a.ndjson", "b.ndjson", "c.parquet"))
    line = json.dumps({"MESSAGE_ID": 0, **color})
    numbers.write_text(line.replace(": 0", ": 1.77e16", 1))
    text.write_text(line.replace(": 0", ': "2"', 1))
    pq.write_table(pa.table({"MESSAGE_ID": [3.0], **{k: [v] for k, v in color.items()}}), floats)
    for others in ([text], [floats], [text, floats]):
        run = run_colors([numbers, *others])
        assert reasons(run) == ["MESSAGE_ID: '1.77e16' is not an integer"]
        assert run.counts.children == len(others) - 1


def typed_day() -> tuple[pa.Table, list[str], list[list[str]]]:
    """The usable rows of the real day as typed columns, and as canonical text."""
    header, rows = day()
    columns = model.columns_of(header, {})
    usable = [row for row in rows if not isinstance(model.read_row(row, columns), str)]
    arrays: list[pa.Array] = []
    texts: list[list[str]] = []
    for place, name in enumerate(header):
        cells = [row[place] for row in usable]
        kind = model.kind_of(name)
        array: pa.Array
        if kind == "integer":
            whole = [int(Decimal(cell)) if cell else None for cell in cells]
            array = pa.array(whole, pa.int64())
            text = ["" if number is None else str(number) for number in whole]
        elif kind == "number":
            floats = [float(cell) if cell not in {"", "NaN"} else None for cell in cells]
            array = pa.array(floats, pa.float64())
            text = ["" if number is None else repr(number) for number in floats]
        elif kind == "date":
            timestamps = [datetime.fromisoformat(cell) if cell else None for cell in cells]
            array = pa.array(timestamps, pa.timestamp("us"))
            text = [
                "" if timestamp is None else timestamp.isoformat(" ") for timestamp in timestamps
            ]
        else:
            array = pa.array([cell or None for cell in cells], pa.string())
            text = cells
        arrays.append(array)
        texts.append(text)
    return pa.table(arrays, names=header), header, [list(row) for row in zip(*texts, strict=True)]


@pytest.mark.parametrize("form", ["table", "batch", "reader", "pandas", "parquet"])
def test_a_real_day_of_typed_values_ranks_as_its_text(form: str, tmp_path: Path) -> None:
    """Typed columns in any form give the same outcome as their canonical text."""
    table, header, texts = typed_day()
    data: Any = table
    if form == "batch":
        data = table.combine_chunks().to_batches()[0]
    elif form == "reader":
        data = table.to_reader(max_chunksize=700)
    elif form == "pandas":
        data = table.to_pandas(types_mapper=pd.ArrowDtype)
    elif form == "parquet":
        data = tmp_path / "day.parquet"
        pq.write_table(table, data, row_group_size=500)
    rules = json.loads(RULES.read_text())
    run_colors(data, rules=rules, output=tmp_path / "out")
    assert outcome_in(tmp_path / "out") == model.run(header, texts, rules=rules["rules"])


def test_a_real_day_in_a_spreadsheet_ranks_as_its_values(tmp_path: Path) -> None:
    """Numbers and dates of a spreadsheet give the same outcome as their canonical text."""
    table, header, _ = typed_day()
    texts = []
    with xlsxwriter.Workbook(tmp_path / "day.xlsx") as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, header)
        date_format = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for place, row in enumerate(table.to_pylist(), 1):
            texts.append([sheet_text(cell) for cell in row.values()])
            for number, (name, cell) in enumerate(row.items()):
                if name == "MESSAGE_ID" or isinstance(cell, str):
                    sheet.write_string(place, number, str(cell))
                elif isinstance(cell, datetime):
                    sheet.write_datetime(place, number, cell, date_format)
                elif cell is not None:
                    sheet.write_number(place, number, cell)
    rules = json.loads(RULES.read_text())
    run_colors(tmp_path / "day.xlsx", rules=rules, output=tmp_path / "out")
    assert outcome_in(tmp_path / "out") == model.run(header, texts, rules=rules["rules"])


def sheet_text(cell: Any) -> str:
    """The canonical text of a value of a spreadsheet."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime) and cell.time() == datetime.min.time():
        return cell.date().isoformat()
    return cell.isoformat(" ") if isinstance(cell, datetime) else csv_text(cell)


@few
@given(case=cases(rules=True, strange=False), suffix=st.sampled_from(FORMATS[1:]))
def test_any_text_cells_are_the_same_from_every_format(
    case: Case, suffix: str, folder: Path
) -> None:
    """NDJSON, JSON, Parquet and XLSX of text cells give the model's outcome of the CSV."""
    header, rows = case.rows()
    if suffix in {"json", "ndjson"} and not rows:
        return  # no object, no columns
    if suffix == "xlsx":  # what is no row in CSV is none in a sheet: one without any text
        rows = [row for row in rows if any(cell.strip() for cell in row)]
    path = folder / f"generated.{suffix}"
    write_text(path, header, rows)
    expected_outcome = model.run(
        header, rows, rules=case.rules, hierarchy=case.hierarchy, mapping=case.layout.mapping
    )
    assert outcome_of(run_or_reject(path, case)) == expected_outcome
