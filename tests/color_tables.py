"""Inputs and results of Run Colors, for tests: builders, readers and the expected days."""

import csv
import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import date
from itertools import permutations
from pathlib import Path
from typing import Any

import colors_model as model
import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter
from support import COLORS, DAY, RULES

from marketpulse import ColorsRun, run_colors

REPEATS = DAY / "repeats_day.csv"  # the same quote comes in several messages


EXPECTED = {
    "rank_date_price": ("rank,date,price", None),
    "rank_date_price_rules": ("rank,date,price", RULES),
    "date_rank_price_rules": ("date,rank,price", RULES),
    "repeats_rank_date_price_rules": ("rank,date,price", RULES),
    "repeats_price_date_rank": ("price,date,rank", None),
}


def day_of(name: str) -> Path:
    """The input of which this is expected."""
    return REPEATS if name.startswith("repeats_") else COLORS


RUN_ONLY = ("RUN_ID", "PROCESSED_AT", "PROCESSING_TYPE")


AT = "2026-03-13T18:00:00Z"


HIERARCHIES = tuple(permutations(("rank", "date", "price")))


Table = list[list[str | None]]


HEADER = "MESSAGE_ID,CUSIP,RANK,DATE,PX,NOTE"


def read_csv(path: Path) -> Table:
    """The rows of a CSV file, without RUN_ID, PROCESSED_AT and PROCESSING_TYPE."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    places = [place for place, name in enumerate(header) if name not in RUN_ONLY]
    return [[row[place] for place in places] for row in rows]


def rows_of(table: pa.Table | None) -> Table:
    """The rows of a result as text, without RUN_ID, PROCESSED_AT and PROCESSING_TYPE."""
    assert table is not None
    names = [name for name in table.column_names if name not in RUN_ONLY]
    columns = [table.column(name).to_pylist() for name in names]
    return [[csv_text(cell) for cell in row] for row in zip(*columns, strict=True)]


def csv_text(cell: object) -> str:
    """A cell as CSV spells it."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return "" if cell is None else str(cell)


def outcome_of(run: ColorsRun) -> model.Outcome:
    """The tables of a run, as the model's outcome."""
    return model.Outcome(*map(rows_of, (run.processed, run.excluded, run.rejected)))


def outcome_in(output: Path) -> model.Outcome:
    """The CSV files of a run, as the model's outcome."""
    names = ("processed", "excluded", "rejected")
    return model.Outcome(*(read_csv(output / f"{name}_colors.csv") for name in names))


def without_malformed_lines(outcome: model.Outcome) -> model.Outcome:
    """The outcome without malformed lines, which only CSV has."""
    rejected = [row for row in outcome.rejected if not row[-1]]
    return model.Outcome(outcome.processed, outcome.excluded, rejected)


def rule(*conditions: dict[str, Any], number: int = 1, active: bool = True) -> dict[str, Any]:
    """A rule of a rules file; its conditions are joined by `and` unless they say otherwise."""
    documents = [
        {"type": "and" if place else "where", **condition}
        for place, condition in enumerate(conditions)
    ]
    return {"id": number, "name": f"rule {number}", "is_active": active, "conditions": documents}


def book(*rules: dict[str, Any]) -> dict[str, Any]:
    """A rules file."""
    return {"rules": list(rules)}


def where(column: str, operator: str, value: Any = None, value2: Any = None) -> dict[str, Any]:
    """Rules with one condition."""
    condition = {"column": column, "operator": operator, "value": value, "value2": value2}
    return book(rule({key: part for key, part in condition.items() if part is not None}))


def day() -> tuple[list[str], list[list[str]]]:
    """The header and the rows of the real day, without malformed lines."""
    header, records = model.read_csv(COLORS.read_text(encoding="utf-8"))
    return header, [list(row) for row in records if not isinstance(row, model.MalformedLine)]


def expected(name: str) -> model.Outcome:
    """The expected outcome of the real day."""
    path = DAY / "expected" / name
    return model.Outcome(
        *(read_csv(path.with_name(f"{name}{part}.csv")) for part in ("", ".excluded", ".rejected"))
    )


def three_colors(**columns: Any) -> pa.Table:
    """Three colors of one security, with other or more columns."""
    return pa.table(
        {
            "MESSAGE_ID": [17700000000000001, 17700000000000002, 17700000000000003],
            "CUSIP": ["1TEKH3IR5"] * 3,
            "RANK": [1, 1, 1],
            "DATE": ONE_DAY,
            "PX": [98.5, 98.5, 98.5],
        }
        | columns
    )


def reasons(run: ColorsRun) -> list[str]:
    """The reasons of the rejected rows."""
    assert run.rejected is not None
    return list(map(str, run.rejected.column("REASON").to_pylist()))


def column(table: pa.Table | None, name: str) -> list[Any]:
    """A column of a result."""
    assert table is not None
    values: list[Any] = table.column(name).to_pylist()
    return values


def matching_rows(table: pa.Table, *condition: Any) -> list[int]:
    """The numbers, from 1, of the three colors that a condition matches."""
    run = run_colors(table, rules=where(*condition))
    return [number - 17700000000000000 for number in column(run.excluded, "MESSAGE_ID")]


def write_colors(path: Path, *lines: str, header: str = HEADER) -> Path:
    """A CSV file of these lines."""
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def check_accounts(run: ColorsRun, outcome: model.Outcome) -> None:
    """Check that the counts of the run are those of its rows."""
    parents = sum(row[-4] == "true" for row in outcome.processed)
    counts = run.counts
    assert (counts.parents, counts.children) == (parents, len(outcome.processed) - parents)
    assert (counts.excluded, counts.rejected) == (len(outcome.excluded), len(outcome.rejected))
    assert counts.read == 0 or counts.rejected < counts.read
    assert counts.read == len(outcome.processed) + len(outcome.excluded) + len(outcome.rejected)
    by_rule = Counter(row[-1] for row in outcome.excluded)
    assert {name: count for name, count in run.excluded_by_rule.items() if count} == by_rule
    assert run.rejected_by_reason == Counter(row[-2] for row in outcome.rejected)


def is_cusip(text: str) -> bool:
    """Whether the text is a CUSIP with the right check digit."""
    if not re.fullmatch("[0-9A-Z*@#]{8}[0-9]", text):
        return False
    total = 0
    for place, mark in enumerate(text[:8]):
        value = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*@#".index(mark) * (2 if place % 2 else 1)
        total += value // 10 + value % 10
    return (10 - total % 10) % 10 == int(text[8])


def expected_warnings(names: Sequence[str], outcome: model.Outcome) -> dict[str, int]:
    """The warnings for these rows."""
    rows = [*outcome.processed, *outcome.excluded]
    cusip, rank_place = names.index("CUSIP"), names.index("RANK")
    ranks = [model.to_number((row[rank_place] or "").strip()) for row in rows]
    first, last = model.to_number("1"), model.to_number("6")
    assert first is not None
    assert last is not None
    return {
        "cusip": sum(not is_cusip((row[cusip] or "").strip().upper()) for row in rows),
        "rank": sum(rank is not None and not first <= rank <= last for rank in ranks),
    }


ONE_DAY = [date(2026, 3, 13)] * 3


JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


def json_cell(name: str, cell: str, *, numbers: bool) -> str:
    """A cell as JSON; with `numbers` a number if JSON can spell it the same."""
    if not cell:
        return "null"
    typed = numbers and model.kind_of(name) in {"integer", "number"}
    return cell if typed and JSON_NUMBER.fullmatch(cell) else json.dumps(cell, ensure_ascii=False)


def write_json(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = False
) -> None:
    """Write the rows as objects. The text is put together here, so numbers keep their spelling."""
    objects = []
    for row in rows:
        pairs = zip(header, row, strict=True)
        cells = [
            f"{json.dumps(name)}: {json_cell(name, cell, numbers=numbers)}" for name, cell in pairs
        ]
        objects.append("{" + ", ".join(cells) + "}")
    if path.suffix == ".json":
        path.write_text("[" + ",\n".join(objects) + "]", encoding="utf-8")
    else:
        path.write_text("\n".join(objects) + "\n", encoding="utf-8")


def write_xlsx(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write the rows as text cells, and nothing for an empty cell."""
    with xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet()
        for place, row in enumerate([header, *rows]):
            for column, cell in enumerate(row):
                if cell:
                    sheet.write_string(place, column, cell)


def write_parquet(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write the rows as text columns, an empty cell as null."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    arrays = [pa.array([cell or None for cell in column], pa.string()) for column in columns]
    pq.write_table(pa.table(arrays, names=list(header)), path)


def write_text(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write the rows as text cells, in the format of the file name."""
    writers = {".xlsx": write_xlsx, ".parquet": write_parquet}
    writers.get(path.suffix, write_json)(path, header, rows)
