"""Run Colors: the engine against the model, on a real day and on what Hypothesis makes up.

Letters whose other case is several letters, or depends on their place, are left out of the texts
here (ß, İ, the final sigma): SQL and Python do not agree on them.
"""

import csv
import json
import math
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import colors_model as model
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from support import COLORS, DAY, ROOT, RULES

from marketpulse import ColorsRun, MarketPulseError, run_colors
from marketpulse.colors import explain, funnel
from marketpulse.colors.options import RunOptions
from marketpulse.errors import DataError, NotFoundError, RulesError, UsageError
from marketpulse.formats import FORMATS

REPEATS = DAY / "repeats_day.csv"  # the same quote comes in several messages
EXPECTED = {
    "rank_date_price": ("rank,date,price", None),
    "rank_date_price_rules": ("rank,date,price", RULES),
    "date_rank_price_rules": ("date,rank,price", RULES),
    "repeats_rank_date_price_rules": ("rank,date,price", RULES),
    "repeats_price_date_rank": ("price,date,rank", None),
}
OF_THE_RUN = ("RUN_ID", "PROCESSED_AT", "PROCESSING_TYPE")
AT = "2026-03-13T18:00:00Z"
HIERARCHIES = tuple(permutations(("rank", "date", "price")))

few = settings(max_examples=max(1, settings().max_examples // 3))

Table = list[list[str | None]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all examples of a test share."""
    return tmp_path_factory.mktemp("colors")


def read_csv(path: Path) -> Table:
    """The rows of a CSV file without its header and the run's own three columns."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    kept = [place for place, name in enumerate(header) if name not in OF_THE_RUN]
    return [[row[place] for place in kept] for row in rows]


def rows_of(table: pa.Table | None) -> Table:
    """The rows of a result in which every cell of the input is text; nothing is ''."""
    assert table is not None
    kept = [name for name in table.column_names if name not in OF_THE_RUN]
    columns = [table.column(name).to_pylist() for name in kept]
    return [[shown(cell) for cell in row] for row in zip(*columns, strict=True)]


def shown(cell: object) -> str:
    """A cell as CSV has it."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return "" if cell is None else str(cell)


def outcome_of(run: ColorsRun) -> model.Outcome:
    """What a run gave, in the model's terms."""
    return model.Outcome(*(rows_of(it) for it in (run.processed, run.excluded, run.rejected)))


def outcome_in(output: Path) -> model.Outcome:
    """What a run wrote as CSV, in the model's terms."""
    names = ("processed", "excluded", "rejected")
    return model.Outcome(*(read_csv(output / f"{name}_colors.csv") for name in names))


def without_malformed_lines(outcome: model.Outcome) -> model.Outcome:
    """The same without the lines of too few or too many fields."""
    rejected = [row for row in outcome.rejected if not row[-1]]
    return model.Outcome(outcome.processed, outcome.excluded, rejected)


def rule(*conditions: dict[str, Any], number: int = 1, active: bool = True) -> dict[str, Any]:
    """A rule as a file has it; the conditions after the first are connected by `and`."""
    written = [
        {"type": "and" if place else "where", **condition}
        for place, condition in enumerate(conditions)
    ]
    return {"id": number, "name": f"rule {number}", "is_active": active, "conditions": written}


def book(*rules: dict[str, Any]) -> dict[str, Any]:
    """A rules file."""
    return {"rules": list(rules)}


def where(column: str, operator: str, value: Any = None, value2: Any = None) -> dict[str, Any]:
    """The rules of one condition."""
    condition = {"column": column, "operator": operator, "value": value, "value2": value2}
    return book(rule({key: it for key, it in condition.items() if it is not None}))


# ---------------------------------------------------------------------------------- The real day


def day() -> tuple[list[str], list[list[str]]]:
    """The header of the real day and its rows, those lines left out that are none."""
    header, records = model.read_csv(COLORS.read_text(encoding="utf-8"))
    return header, [list(it) for it in records if not isinstance(it, model.MalformedLine)]


def day_of(name: str) -> Path:
    """The input of which this is expected."""
    return REPEATS if name.startswith("repeats_") else COLORS


def expected(name: str) -> model.Outcome:
    """What is expected of the real day."""
    path = DAY / "expected" / name
    return model.Outcome(
        *(read_csv(path.with_name(f"{name}{it}.csv")) for it in ("", ".excluded", ".rejected"))
    )


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_day_comes_out_as_expected(name: str, tmp_path: Path) -> None:
    """Processed, excluded and rejected rows of a real day are the expected ones, cell for cell."""
    hierarchy, rules = EXPECTED[name]
    run_colors(day_of(name), rules=rules, hierarchy=hierarchy, output=tmp_path / "out")
    assert outcome_in(tmp_path / "out") == expected(name)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_model_agrees_with_the_expected_day(name: str) -> None:
    """The model that generated inputs are compared with gives the real day's expected rows."""
    hierarchy, rules = EXPECTED[name]
    header, records = model.read_csv(day_of(name).read_text(encoding="utf-8"))
    written = json.loads(rules.read_text())["rules"] if rules else ()
    outcome = model.run(header, records, rules=written, hierarchy=hierarchy.split(","))
    model.check(len(records), outcome)
    assert outcome == expected(name)


JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


def json_cell(name: str, cell: str, *, numbers: bool) -> str:
    """A cell as JSON, a number of a number column as a number where that spells it the same."""
    if not cell:
        return "null"
    typed = numbers and model.kind_of(name) in {"integer", "number"}
    return cell if typed and JSON_NUMBER.fullmatch(cell) else json.dumps(cell, ensure_ascii=False)


def write_json(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = False
) -> None:
    """Write the rows as objects, by hand, so that numbers keep their spelling."""
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
    """Write the rows as text cells, an empty one not at all."""
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
    """Write the rows as text cells of the format that the path's name tells."""
    writers = {".xlsx": write_xlsx, ".parquet": write_parquet}
    writers.get(path.suffix, write_json)(path, header, rows)


@pytest.mark.parametrize("suffix", ["ndjson", "jsonl", "json", "parquet", "xlsx"])
def test_a_real_day_is_the_same_from_every_format(suffix: str, tmp_path: Path) -> None:
    """Text cells of any format give what the same cells of CSV give."""
    path = tmp_path / f"day.{suffix}"
    write_text(path, *day())
    hierarchy, rules = EXPECTED["date_rank_price_rules"]
    run_colors(path, rules=rules, hierarchy=hierarchy, output=tmp_path / "out")
    assert outcome_in(tmp_path / "out") == without_malformed_lines(
        expected("date_rank_price_rules")
    )


@pytest.mark.parametrize("suffix", ["ndjson", "json"])
def test_a_real_day_is_the_same_from_numbers_of_json(suffix: str, tmp_path: Path) -> None:
    """Numbers of JSON come out as they are spelled, beside text in the same column."""
    path = tmp_path / f"day.{suffix}"
    write_json(path, *day(), numbers=True)
    run_colors(path, rules=RULES, output=tmp_path / "out", formats=["csv", "ndjson"])
    assert outcome_in(tmp_path / "out") == without_malformed_lines(
        expected("rank_date_price_rules")
    )
    written = (tmp_path / "out/processed_colors.ndjson").read_text(encoding="utf-8")
    for line in written.splitlines():
        color = json.loads(line, parse_int=Decimal, parse_float=Decimal)
        assert isinstance(color["MESSAGE_ID"], Decimal)
        assert color["RANK"] is None or isinstance(color["RANK"], Decimal)


def typed_day() -> tuple[pa.Table, list[str], list[list[str]]]:
    """The usable rows of the real day as typed columns, and those values as canonical text."""
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
            text = ["" if it is None else str(it) for it in whole]
        elif kind == "number":
            floats = [float(cell) if cell not in {"", "NaN"} else None for cell in cells]
            array = pa.array(floats, pa.float64())
            text = ["" if it is None else repr(it) for it in floats]
        elif kind == "date":
            moments = [datetime.fromisoformat(cell) if cell else None for cell in cells]
            array = pa.array(moments, pa.timestamp("us"))
            text = ["" if it is None else it.isoformat(" ") for it in moments]
        else:
            array = pa.array([cell or None for cell in cells], pa.string())
            text = cells
        arrays.append(array)
        texts.append(text)
    return pa.table(arrays, names=header), header, [list(row) for row in zip(*texts, strict=True)]


@pytest.mark.parametrize("given_as", ["table", "batch", "reader", "pandas", "parquet"])
def test_a_real_day_of_typed_values_ranks_as_its_text(given_as: str, tmp_path: Path) -> None:
    """Typed columns, however they are handed over, give what their canonical text gives."""
    table, header, texts = typed_day()
    data: Any = table
    if given_as == "batch":
        data = table.combine_chunks().to_batches()[0]
    elif given_as == "reader":
        data = table.to_reader(max_chunksize=700)
    elif given_as == "pandas":
        data = table.to_pandas(types_mapper=pd.ArrowDtype)
    elif given_as == "parquet":
        data = tmp_path / "day.parquet"
        pq.write_table(table, data, row_group_size=500)
    rules = json.loads(RULES.read_text())
    run_colors(data, rules=rules, output=tmp_path / "out")
    assert outcome_in(tmp_path / "out") == model.run(header, texts, rules=rules["rules"])


def test_a_real_day_in_a_spreadsheet_ranks_as_its_values(tmp_path: Path) -> None:
    """Numbers and dates as a spreadsheet has them give what their canonical text gives."""
    table, header, _ = typed_day()
    texts = []
    with xlsxwriter.Workbook(tmp_path / "day.xlsx") as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, header)
        moment = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for place, row in enumerate(table.to_pylist(), 1):
            texts.append([in_a_sheet(cell) for cell in row.values()])
            for number, (name, cell) in enumerate(row.items()):
                if name == "MESSAGE_ID" or isinstance(cell, str):
                    sheet.write_string(place, number, str(cell))
                elif isinstance(cell, datetime):
                    sheet.write_datetime(place, number, cell, moment)
                elif cell is not None:
                    sheet.write_number(place, number, cell)
    rules = json.loads(RULES.read_text())
    run_colors(tmp_path / "day.xlsx", rules=rules, output=tmp_path / "out")
    assert outcome_in(tmp_path / "out") == model.run(header, texts, rules=rules["rules"])


def in_a_sheet(cell: Any) -> str:
    """The canonical text of a spreadsheet's value."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime) and cell.time() == datetime.min.time():
        return cell.date().isoformat()
    return cell.isoformat(" ") if isinstance(cell, datetime) else shown(cell)


def shuffled_day(seed: int) -> str:
    """The real day with its lines in another order."""
    lines = [raw for _, raw in model.split_csv(COLORS.read_text(encoding="utf-8"))]
    rows = lines[1:]
    random.Random(seed).shuffle(rows)
    return "\n".join([lines[0], *rows]) + "\n"


def test_shuffled_rows_give_the_same_processed_bytes(tmp_path: Path) -> None:
    """With the time given, the order of the input's rows changes no byte, in no format."""
    (tmp_path / "shuffled.csv").write_text(shuffled_day(1), encoding="utf-8")
    runs = [
        run_colors(path, rules=RULES, output=tmp_path / name, formats=FORMATS, processed_at=AT)
        for path, name in ((COLORS, "one"), (tmp_path / "shuffled.csv", "other"))
    ]
    for suffix in FORMATS:
        name = f"processed_colors.{suffix}"
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    assert runs[0].run_id == runs[1].run_id


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a way to take cores away")
def test_the_number_of_cores_changes_nothing(tmp_path: Path) -> None:
    """One core gives the same bytes as all of them, on an input of several portions."""
    header, rows = day()
    cusip = header.index("CUSIP")
    with (tmp_path / "many.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for copy in "ABCDEFGHIJK":
            for row in rows:
                moved = row[cusip].strip() and row[cusip] + copy  # other groups, the same ties
                writer.writerow([*row[:cusip], moved, *row[cusip + 1 :]])
    script = (
        "import os, sys; cores = sorted(os.sched_getaffinity(0)); "
        "os.sched_setaffinity(0, cores[: int(sys.argv[1]) or None]); "
        "from marketpulse import run_colors; "
        f"run_colors('many.csv', rules={str(RULES)!r}, output=sys.argv[1], processed_at={AT!r})"
    )
    for cores in ("1", "0"):  # 0 takes none away
        subprocess.run(
            [sys.executable, "-c", script, cores],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
        )
    for name in ("processed", "excluded", "rejected"):
        path = f"{name}_colors.csv"
        assert (tmp_path / "1" / path).read_bytes() == (tmp_path / "0" / path).read_bytes()


# ---------------------------------------------------------------------------- Generated: alphabets

# For each kind: cells as most programs write them, other spellings, and what is rare or wrong.
INTEGERS = (
    [*"12345", "7", "17700000000000001", "17700000000000002", "9007199254740993"],
    ["+2", "02", "007", " 2 ", "2.0", "3.", "-0", "0", "", " ", "9007199254740992"],
    [
        "123456789012345678901234567890",
        "0123456789012345678901234567890.0",
        "-123456789012345678901234567890",
        "999999999999999999",
        "1000000000000000000",
        "2.5",
        "1_000",
        "1.77E+16",
        "NaN",
    ],
)
NUMBERS = (
    ["101.7", "101.70", "101.71", "98.5", "98.50", "0.0", "-1.25", "100.0", "1", "2"],
    [
        *("101.700", " 98.5 ", "-0.0", "5.", "+5", "005", ".5", "NaN", " nan", "", "0", "-0"),
        *("123456789012345", "0.10000000000000", "9007199254740992", "9007199254740993"),
        *("-9007199254740993", "900719925474099.2", "900719925474099.3", "1234567890.12345"),
    ],
    [
        *("1E2", "1e+2", "1E400", "-1E400", "1E-400", "1017e-1", "0e5", "1e999999999999999999"),
        *("123456789012345678901234567890", "123456789012345678901234567890.5"),
        *("0.1000000000000000000000000001", "n/a", "inf", "1_000", "1E1000000000000000000", "."),
    ],
)
DATES = (
    [
        *("2026-03-13", "2026-03-12", "2026-02-28", "0001-01-01", "9999-12-31"),
        *("2026-03-13 10:30:00", "2026-03-13 10:30:00.5", "2026-03-12 10:30:00.000001"),
    ],
    [
        *("2026-03-13T00:00", "2026-03-13 10:30", "2026-03-13T10:30:00", " 2026-03-13 ", ""),
        *("2026-03-13T10:30:00.5", "2026-03-13 10:30:00.500", "2026-03-12 23:59:59.999999"),
    ],
    [
        *("2026-03-13T10:30Z", "2026-03-13 12:30+02:00", "2026-03-13T05:00-0530"),
        *("2026-03-13T10:30:00.500000000001", "2026-03-13T10:30:00.5000000000010"),
        *("2026-03-13 23:00-02", "0001-01-01T00:00+12:00", "9999-12-31T23:59:59.999999999-23:59"),
        *("2026-02-30", "0000-01-01", "2026-3-1", "2026-03-13 24:00", "2026-03-13T10:30+24:00"),
        *("20260313", "13/03/2026"),
    ],
)
TEXTS = (
    ["a", "A", "ab", "b", "NULL", "NaN", "0", "00", "~", "~a", "a%b", "a_b"],
    [
        *("", " ", " a", "a ", "\t", "é", "É", "東京", "b,c", 'say "x"', "l1\nl2", "l1\r\nl2"),
        *("l1\rl2", "=1+1", "\xa0", "\U0001f600", "\uffee", "_x0041_"),
    ],
    ["a" * 20, "\x1fa", "\x00"],
)
CUSIPS = (
    ["00GC0UY95", "1TEKH3IR5", "X1"],
    ["00gc0uy95", " 00GC0UY95", "00Gc0uY95 ", "", "  ", "~x", "É1", "é1", "\t00GC0UY95"],
    ["1TEKH3IR6", "00GC0UY9*"],
)
ALPHABETS = {"integer": INTEGERS, "number": NUMBERS, "date": DATES, "text": TEXTS}

OPTIONAL = ("CONFIDENCE", "BID", "COV_PRICE", "DATE_1", "SOURCE", "NOTE", "DESK")
# What an input may call a column, and how the mapping may name the column of the contract.
ALIASES = {
    "MESSAGE_ID": (["ID"], ["message_id"]),
    "CUSIP": (["SECURITY"], ["CUSIP"]),
    "RANK": (["PRIORITY"], ["rank", " RANK "]),
    "DATE": (["CREATED_DATE"], ["date", "Date"]),
    "PX": (["MID_PRICE", "ASK"], ["price", "px", "Price"]),
    "BID": (["BEST"], ["bid"]),
    "SOURCE": (["DEALER"], ["Source"]),
}


def alphabets_of(name: str) -> tuple[list[str], list[str], list[str]]:
    """The cells of a column."""
    return CUSIPS if name == "CUSIP" else ALPHABETS[model.kind_of(name)]


def is_usable(name: str, cell: str) -> bool:
    """Whether a cell of this column leaves its row usable."""
    if name in {"MESSAGE_ID", "CUSIP"} and not cell.strip():
        return False
    try:
        model.value_of(model.kind_of(name), cell)
    except model.BadCellError:
        return False
    return True


@dataclass(frozen=True)
class Layout:
    """The columns of a generated input: as it calls them and as the contract does."""

    header: tuple[str, ...]
    names: tuple[str, ...]
    mapping: dict[str, str]


@dataclass(frozen=True)
class Case:
    """A generated input, and what is asked of it."""

    text: str
    layout: Layout
    hierarchy: tuple[str, ...]
    rules: list[dict[str, Any]] = field(default_factory=list)

    def expected(self) -> model.Outcome:
        """What the model makes of it."""
        header, records = model.read_csv(self.text)
        outcome = model.run(
            header,
            records,
            rules=self.rules,
            hierarchy=self.hierarchy,
            mapping=self.layout.mapping,
        )
        model.check(len(records), outcome)
        return outcome

    def asked(self) -> dict[str, Any]:
        """The same for the engine."""
        return {
            "rules": book(*self.rules),
            "hierarchy": self.hierarchy,
            "mapping": self.layout.mapping,
        }

    def rows(self) -> tuple[list[str], list[list[str]]]:
        """The header and the rows, those lines left out that are none."""
        header, records = model.read_csv(self.text)
        return header, [list(it) for it in records if not isinstance(it, model.MalformedLine)]


def in_any_case(name: str) -> st.SearchStrategy[str]:
    """A name as people may write it."""
    return st.sampled_from([name, name.lower(), name.title(), f" {name} ", f"{name.lower()} "])


@st.composite
def layouts(draw: st.DrawFn, *, plain: bool = False) -> Layout:
    """Columns in any order and under any name, some of them mapped."""
    optional = draw(st.lists(st.sampled_from(OPTIONAL), unique=True))
    names = draw(st.permutations([*model.REQUIRED, *optional]))
    header: list[str] = []
    mapping: dict[str, str] = {}
    for name in names:
        own = name
        if not plain and name in ALIASES and draw(st.integers(0, 4)) == 0:
            aliases, keys = ALIASES[name]
            own = draw(st.sampled_from(aliases))
            mapping[draw(st.sampled_from(keys))] = draw(in_any_case(own))
        header.append(own if plain else draw(in_any_case(own)))
    return Layout(tuple(header), tuple(names), mapping)


@st.composite
def alphabets(draw: st.DrawFn, name: str) -> tuple[list[str], list[str]]:
    """A few cells for a column, so that there are ties; and those that make a row unusable."""
    plain, other, rare = alphabets_of(name)
    pool = draw(st.sampled_from([plain, [*plain, *other], [*plain, *other, *rare]]))
    good = st.sampled_from([cell for cell in pool if is_usable(name, cell)])
    bad = [cell for cell in (*plain, *other, *rare) if not is_usable(name, cell)]
    return draw(st.lists(good, min_size=1, max_size=6, unique=True)), bad


def as_field(cell: str, *, always: bool) -> str:
    """A cell as a field of CSV."""
    if always or any(mark in cell for mark in ',"\r\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


@st.composite
def texts(draw: st.DrawFn, layout: Layout, *, strange: bool = True) -> str:
    """A CSV text of up to 200 rows; Hypothesis chooses what they are made of, not each cell."""
    cells = [draw(alphabets(name)) for name in layout.names]
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    always = draw(st.booleans())
    spoiled = draw(st.sampled_from([0, 0, 20]))
    odd = draw(st.sampled_from([0, 20])) if strange else 0
    dice = random.Random(draw(st.integers(0, 2**32)))
    width = len(layout.names)
    no_rows = ["", " ", "\t ", "x", "a,b", '"q,\n",b', '"  "', "," * width, '"a""b",' * width, "é"]
    lines = [",".join(as_field(name, always=always) for name in layout.header)]
    for _ in range(draw(st.sampled_from([0, 1, 2, 5, 20, 100, 200]))):
        if odd and dice.randrange(odd) == 0:
            lines.append(dice.choice(no_rows))
            continue
        row = [dice.choice(good) for good, _ in cells]
        while spoiled and dice.randrange(spoiled) == 0:
            place = dice.randrange(width)
            row[place] = dice.choice(cells[place][1] or [row[place]])
        lines.append(",".join(as_field(cell, always=always) for cell in row))
    begin = draw(st.sampled_from(["", "\ufeff", end, f"  {end}"])) if strange else ""
    return begin + end.join(lines) + draw(st.sampled_from(["", end, end + end]))


RULE_NUMBERS: tuple[Any, ...] = (
    *(cell for kind in (*NUMBERS, *INTEGERS) for cell in kind if is_usable("PX", cell)),
    *range(-2, 8),
    *(98.5, 0.1, 17700000000000001, 10**30, Decimal("101.70"), Decimal("1E+2")),
)
# A rule's date stays in the years that there are, with its offset too.
BEYOND_THE_YEARS = ("0001-01-01T00:00+12:00", "9999-12-31T23:59:59.999999999-23:59")


def rule_values(name: str) -> st.SearchStrategy[Any]:
    """Values that a condition on this column may have."""
    kind = model.kind_of(name)
    if kind in {"integer", "number"}:
        numbers = (it for it in RULE_NUMBERS if str(it).strip().lower() not in {"", "nan"})
        return st.sampled_from(list(numbers))
    cells = [cell for cells in alphabets_of(name) for cell in cells]
    usable = [it for it in cells if it.strip() and is_usable(name, it)]
    values = st.sampled_from([it for it in usable if it not in BEYOND_THE_YEARS])
    if kind == "date":
        return values
    return st.one_of(values, values.map(str.swapcase), values.map(lambda it: f" {it} "))


@st.composite
def conditions(draw: st.DrawFn, layout: Layout, connector: str) -> dict[str, Any]:
    """A condition that is no error, in any of its spellings."""
    name, own = draw(st.sampled_from(list(zip(layout.names, layout.header, strict=True))))
    ordered = ("less_than", "greater_than", "less_or_equal", "greater_or_equal", "between")
    matching = ("contains", "not_contains", "starts_with", "ends_with")
    lists, nulls = ("in", "not_in"), ("is_null", "is_not_null")
    fitting = matching if model.kind_of(name) == "text" else ordered
    operator = draw(st.sampled_from(["equals", "not_equals", *lists, *nulls, *fitting]))
    spelled = [operator, operator.upper(), f" {operator} ", *model.SPELLINGS[operator]]
    condition = {
        "type": draw(st.sampled_from([connector, connector.upper(), f" {connector}"])),
        "column": draw(in_any_case(draw(st.sampled_from([name, own.strip()])))),
        "operator": draw(st.sampled_from(spelled)),
    }
    values = rule_values(name)
    if operator in lists:
        items = draw(st.lists(values, min_size=1, max_size=3))
        as_text = not any("," in str(item) for item in items) and draw(st.booleans())
        condition["value"] = ",".join(map(str, items)) if as_text else items
    elif operator not in nulls:
        condition["value"] = draw(values)
    if operator == "between":
        condition["value2"] = draw(values)
    return condition


@st.composite
def rule_books(draw: st.DrawFn, layout: Layout) -> list[dict[str, Any]]:
    """Up to three rules of up to three conditions, some switched off."""
    rules = []
    for number in range(draw(st.integers(1, 3))):
        asked = [draw(conditions(layout, "where"))]
        for _ in range(draw(st.integers(0, 2))):
            connector = draw(st.sampled_from(["and", "or"]))
            asked += [draw(conditions(layout, connector))]
        rules.append(
            {
                "id": draw(st.sampled_from([number, f"r{number}"])),
                "name": "generated",
                "is_active": draw(st.sampled_from([True, True, True, False])),
                "conditions": asked,
            }
        )
    return rules


@st.composite
def cases(
    draw: st.DrawFn, *, rules: bool = False, strange: bool = True, plain: bool = False
) -> Case:
    """An input, a hierarchy and perhaps rules."""
    layout = draw(layouts(plain=plain))
    text = draw(texts(layout, strange=strange))
    hierarchy = draw(st.sampled_from(HIERARCHIES))
    return Case(text, layout, hierarchy, draw(rule_books(layout)) if rules else [])


def run_case(case: Case, folder: Path) -> ColorsRun:
    """What the engine makes of a generated input."""
    path = folder / "generated.csv"
    path.write_text(case.text, encoding="utf-8", newline="")
    return ranked(path, case)


def ranked(data: Any, case: Case, **options: Any) -> ColorsRun:
    """The run; one of which the model can use no row fails, and the example ends there."""
    try:
        return run_colors(data, **case.asked(), **options)
    except DataError as fault:
        outcome = case.expected()
        if fault.check != "MP-DAT-020" or outcome.processed or outcome.excluded:
            raise
        reject()


def check_accounts(run: ColorsRun, outcome: model.Outcome) -> None:
    """Check that the run's numbers are those of its rows."""
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
    """Whether this is a CUSIP: its last character checks the eight before, counted from right."""
    if not re.fullmatch("[0-9A-Z*@#]{8}[0-9]", text):
        return False
    total = 0
    for place, mark in enumerate(text[:8]):
        value = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*@#".index(mark) * (2 if place % 2 else 1)
        total += value // 10 + value % 10
    return (10 - total % 10) % 10 == int(text[8])


def doubtful(names: Sequence[str], outcome: model.Outcome) -> dict[str, int]:
    """The warnings that the rows call for."""
    rows = [*outcome.processed, *outcome.excluded]
    cusip, rank = names.index("CUSIP"), names.index("RANK")
    ranks = [model.to_number((row[rank] or "").strip()) for row in rows]
    one, six = model.to_number("1"), model.to_number("6")
    assert one is not None
    assert six is not None
    return {
        "cusip": sum(not is_cusip((row[cusip] or "").strip().upper()) for row in rows),
        "rank": sum(it is not None and not one <= it <= six for it in ranks),
    }


# --------------------------------------------------------------------------- Generated: properties


@given(case=cases())
def test_any_rows_come_out_as_the_model_says(case: Case, folder: Path) -> None:
    """Engine and model agree on any rows, lines that are none, names and hierarchies."""
    run, outcome = run_case(case, folder), case.expected()
    assert outcome_of(run) == outcome
    check_accounts(run, outcome)
    assert run.warnings == doubtful(case.layout.names, outcome)


@given(case=cases(rules=True, strange=False))
def test_any_rules_take_the_rows_that_the_model_says(case: Case, folder: Path) -> None:
    """Engine and model agree on any rules, in any spelling, on columns of every kind."""
    run, outcome = run_case(case, folder), case.expected()
    assert outcome_of(run) == outcome
    check_accounts(run, outcome)
    assert run.warnings == doubtful(case.layout.names, outcome)


@few
@given(case=cases(rules=True, strange=False), suffix=st.sampled_from(FORMATS[1:]))
def test_any_text_cells_are_the_same_from_every_format(
    case: Case, suffix: str, folder: Path
) -> None:
    """NDJSON, JSON, Parquet and XLSX of text cells give what the model makes of CSV."""
    header, rows = case.rows()
    if suffix in {"json", "ndjson"} and not rows:
        return  # no object, no columns
    if suffix == "xlsx":  # what is no row in CSV is none in a sheet: one without any text
        rows = [row for row in rows if any(cell.strip() for cell in row)]
    path = folder / f"generated.{suffix}"
    write_text(path, header, rows)
    wanted = model.run(
        header, rows, rules=case.rules, hierarchy=case.hierarchy, mapping=case.layout.mapping
    )
    assert outcome_of(ranked(path, case)) == wanted


@few
@given(case=cases(strange=False), data=st.data())
def test_the_order_of_the_rows_changes_nothing(
    case: Case, data: st.DataObject, folder: Path
) -> None:
    """Shuffled rows have the same run and the same processed rows; another row has another run."""
    header, rows = case.rows()
    shuffled = data.draw(st.permutations(rows))
    write_parquet(folder / "one.parquet", header, rows)
    write_parquet(folder / "other.parquet", header, shuffled)
    one, other = (
        ranked(folder / f"{name}.parquet", case, processed_at=AT) for name in ("one", "other")
    )
    assert one.run_id == other.run_id
    assert one.processed == other.processed
    if rows:
        write_parquet(folder / "more.parquet", header, [*rows, rows[0]])
        assert run_colors(folder / "more.parquet", **case.asked()).run_id != one.run_id


@few
@given(case=cases(rules=True, strange=False, plain=True))
def test_any_explanation_names_what_decided(case: Case, folder: Path) -> None:
    """Every row of a security is explained by the key, the conditions or the reason it had."""
    path = folder / "explained.csv"
    path.write_text(case.text, encoding="utf-8", newline="")
    outcome = case.expected()
    if not outcome.processed:
        return
    columns = model.columns_of(case.layout.header, {})
    place = case.layout.names.index("CUSIP")
    cusip = outcome.processed[len(outcome.processed) // 2][place] or ""
    rows = explain.explain(path, f" {cusip.lower()} ", RunOptions(**case.asked())).rows

    def group(lines: Table) -> list[list[str]]:
        return [
            [cell or "" for cell in line]
            for line in lines
            if (line[place] or "").strip().upper() == cusip
        ]

    def cells(row: explain.ExplainedRow) -> list[str]:
        return [cell or "" for cell in row.cells.values()]

    kept = [row for row in rows if row.position]
    assert [row.position for row in kept] == list(range(1, len(kept) + 1))
    normalised = [[*(it := cells(row))[:place], cusip, *it[place + 1 :]] for row in kept]
    width = len(case.layout.names)
    assert normalised == [line[:width] for line in group(outcome.processed)]
    for above, here in pairwise(kept):
        key = None if here.decided is None else here.decided.key
        assert key == deciding(cells(above), cells(here), columns, case.hierarchy)
    taken = sorted((row.rule or "", cells(row)) for row in rows if row.outcome == "excluded")
    wanted = [(f"rule {line[-1]} ('generated')", line[:-1]) for line in group(outcome.excluded)]
    assert taken == sorted(wanted)
    unusable = sorted((row.reason or "", cells(row)) for row in rows if row.outcome == "rejected")
    assert unusable == sorted((line[-2], line[:-2]) for line in group(outcome.rejected))
    for row in rows:
        if row.outcome == "excluded":
            check_answers(row, case, columns)


def check_answers(row: explain.ExplainedRow, case: Case, columns: Sequence[model.Column]) -> None:
    """Check that an excluded row's conditions are answered as the model answers them."""
    usable = model.read_row([cell or "" for cell in row.cells.values()], columns)
    assert isinstance(usable, model.Row)
    its = next(it for it in case.rules if row.rule == f"rule {it['id']} ('generated')")
    assert [answer.true for answer in row.conditions] == [
        model.holds(condition, usable, columns) for condition in its["conditions"]
    ]


def deciding(
    above: list[str], here: list[str], columns: Sequence[model.Column], hierarchy: Sequence[str]
) -> str | None:
    """The name of the first key in which two neighbours differ, by the model's values."""
    one, other = model.read_row(above, columns), model.read_row(here, columns)
    assert isinstance(one, model.Row)
    assert isinstance(other, model.Row)
    keys = {model.ROLES[key]: key for key in hierarchy}
    keys["MESSAGE_ID"] = "the later message wins"
    for column in model.order_columns(columns, hierarchy):
        if one.values[column.place] != other.values[column.place]:
            key = keys.get(column.name)
            return f"{column.own_name} ({key})" if key else column.own_name
    message_id = next(column for column in columns if column.name == "MESSAGE_ID")
    for column in (message_id, *columns):
        if above[column.place] != here[column.place]:
            return f"{column.own_name} (its spelling)"
    return None


@few
@given(case=cases(rules=True))
def test_any_funnel_adds_up(case: Case, folder: Path) -> None:
    """Each rule matches what it matches alone, takes what no earlier one took, leaves the rest."""
    path = folder / "funnel.csv"
    path.write_text(case.text, encoding="utf-8", newline="")
    mapping = [f"{key}={own}" for key, own in case.layout.mapping.items()]
    seen = funnel.test_rules(path, RunOptions(rules=book(*case.rules), mapping=mapping))
    outcome = case.expected()
    header, rows = case.rows()
    columns = model.columns_of(header, case.layout.mapping)
    usable = [it for row in rows if isinstance(it := model.read_row(row, columns), model.Row)]
    assert seen.rejected == len(outcome.rejected)
    assert seen.read - seen.rejected == len(usable)
    left = len(usable)
    active = [it for it in case.rules if it["is_active"]]
    taken = Counter(row[-1] for row in outcome.excluded)
    for its, stage in zip(active, seen.stages, strict=True):
        left -= taken[str(its["id"])]
        assert stage.matches == sum(model.takes(its, row, columns) for row in usable)
        assert (stage.id, stage.takes, stage.left) == (str(its["id"]), taken[stage.id], left)
    assert left == len(outcome.processed)


# --------------------------------------------------------------------------------- Generated: typed


@dataclass(frozen=True)
class Typed:
    """A typed column: its type, its values, and each value in canonical text."""

    type: pa.DataType
    values: list[Any]
    texts: list[str]


def of_integers(data_type: pa.DataType, *values: int) -> Typed:
    """Whole numbers; canonically just their digits."""
    return Typed(data_type, list(values), [str(value) for value in values])


def of_decimals(scale: int, *values: str, precision: int = 38) -> Typed:
    """Decimals; canonically with as many digits after the point as the type has."""
    numbers = [Decimal(value) for value in values]
    texts = [f"{number:.{scale}f}" for number in numbers]
    return Typed(pa.decimal128(precision, scale), numbers, texts)


def of_floats(data_type: pa.DataType, *values: float) -> Typed:
    """Floats; canonically their shortest digits, never an exponent, always a point."""
    cast = np.float32 if data_type == pa.float32() else np.float64
    texts = []
    for value in values:
        text = f"{Decimal(str(cast(value))):f}"
        texts.append("NaN" if math.isnan(value) else text if "." in text else f"{text}.0")
    return Typed(data_type, list(values), texts)


def of_moments(unit: str, zone: str | None, *values: int) -> Typed:
    """Instants counted in a unit since 1970; canonically in UTC."""
    digits = {"s": 0, "ms": 3, "us": 6, "ns": 9}[unit]
    texts = []
    for value in values:
        seconds, rest = divmod(value, 10**digits)
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        fraction = f".{rest:0{digits}d}".rstrip("0") if rest else ""
        texts.append(f"{moment:%Y-%m-%d %H:%M:%S}{fraction}")
    return Typed(pa.timestamp(unit, zone), list(values), texts)


def of_days(data_type: pa.DataType, *values: str) -> Typed:
    """Days; canonically without a time."""
    return Typed(data_type, [date.fromisoformat(value) for value in values], list(values))


SECOND = 1773396000
PRICES = (
    of_floats(pa.float64(), 101.7, 101.70000000000002, 0.1, -0.0, 0.0, 1e22, 1e-7, math.nan),
    of_floats(pa.float32(), 101.7, 0.1, 98.5, -0.0, 0.0, 16777216, math.nan),
    of_decimals(10, "101.7", "101.7000000001", "0.1", "98.5", "0", "100"),
    of_decimals(3, "101.7", "0.1", "-98.5", "100", precision=9),
    of_integers(pa.int64(), 101, 98, 100, 9007199254740993, 9007199254740992),
    of_integers(pa.uint8(), 101, 98, 1, 0),
)
IDENTIFIERS = (
    of_integers(pa.int64(), 17700000000000001, 17700000000000002, 9007199254740993, 1, 2),
    of_integers(pa.uint64(), 17700000000000001, 18446744073709551615, 1),
    of_decimals(0, "17700000000000001", "123456789012345678901234567890", "2"),
    of_decimals(2, "17700000000000001", "17700000000000002", "2", precision=20),
    of_floats(pa.float64(), 1, 2, 9007199254740991, -3),
)
RANKS = (
    of_integers(pa.int8(), 1, 2, 3, 7),
    of_integers(pa.int64(), 1, 2, 0),
    of_floats(pa.float64(), 1, 2, 6, 7),
    of_decimals(2, "1", "2", "7", precision=5),
)
MOMENTS = (
    of_days(pa.date32(), "2026-03-13", "2026-03-12", "0001-01-01", "9999-12-31"),
    of_days(pa.date64(), "2026-03-13", "2026-03-12"),
    of_moments("s", None, SECOND, SECOND + 1, -1, 0),
    of_moments("ms", "UTC", SECOND * 1000, SECOND * 1000 + 500, -1),
    of_moments("us", None, SECOND * 10**6, SECOND * 10**6 + 500000, SECOND * 10**6 + 1, -1),
    of_moments("us", "America/New_York", SECOND * 10**6, SECOND * 10**6 + 1),
    of_moments("ns", None, SECOND * 10**9, SECOND * 10**9 + 1, SECOND * 10**9 + 500000000),
    of_moments("ns", "UTC", SECOND * 10**9, SECOND * 10**9 + 1, SECOND * 10**9 - 1),
)


def of_texts(data_type: pa.DataType, *values: str) -> Typed:
    """Text, stored in any way."""
    return Typed(data_type, list(values), list(values))


NOTES = tuple(
    of_texts(data_type, "a", "A", "é", " a ", " ", "NaN", "007", "b")
    for data_type in (
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
    )
)
SECURITIES = tuple(
    of_texts(data_type, "00GC0UY95", " 00gc0uy95", "1TEKH3IR5")
    for data_type in (pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string()))
)
TYPED = {
    "MESSAGE_ID": IDENTIFIERS,
    "CUSIP": SECURITIES,
    "RANK": RANKS,
    "DATE": MOMENTS,
    "PX": PRICES,
    "BID": PRICES,
    "DATE_1": MOMENTS,
    "NOTE": NOTES,
}


@st.composite
def typed_inputs(draw: st.DrawFn) -> tuple[pa.Table, Case]:
    """A table of typed columns, and the CSV of the same values."""
    names = tuple(draw(st.permutations(list(TYPED))))
    columns = [draw(st.sampled_from(TYPED[name])) for name in names]
    dice = random.Random(draw(st.integers(0, 2**32)))
    rows = []
    for _ in range(draw(st.sampled_from([0, 1, 2, 20, 100]))):
        places = [dice.randrange(len(column.values)) for column in columns]
        never = ("MESSAGE_ID", "CUSIP")
        rows.append(
            [
                None if name not in never and dice.randrange(8) == 0 else place
                for name, place in zip(names, places, strict=True)
            ]
        )
    arrays, written = [], []
    for place, column in enumerate(columns):
        chosen = [row[place] for row in rows]
        values = [None if it is None else column.values[it] for it in chosen]
        arrays.append(stored(values, column.type))
        written.append(["" if it is None else column.texts[it] for it in chosen])
    cells = [",".join(row) for row in zip(*written, strict=True)]
    layout = Layout(names, names, {})
    text = "\n".join([",".join(names), *cells]) + "\n"
    hierarchy = draw(st.sampled_from(HIERARCHIES))
    return pa.table(arrays, names=names), Case(text, layout, hierarchy, draw(rule_books(layout)))


def stored(values: list[Any], data_type: pa.DataType) -> pa.Array:
    """The values as an array; instants are counts."""
    if pa.types.is_timestamp(data_type):
        return pa.array(values, pa.int64()).cast(data_type)
    if pa.types.is_dictionary(data_type):
        return pa.array(values, data_type.value_type).dictionary_encode().cast(data_type)
    return pa.array(values, data_type)


@settings(max_examples=max(1, settings().max_examples // 2))
@given(given_as=typed_inputs())
def test_any_typed_values_come_out_as_their_text(
    given_as: tuple[pa.Table, Case], folder: Path
) -> None:
    """Typed columns are ranked, excluded and spelled as the same values in canonical text."""
    table, case = given_as
    output = folder / "typed"
    run = ranked(table, case, output=output)
    outcome = case.expected()
    assert outcome_in(output) == outcome
    check_accounts(run, outcome)
    assert run.warnings == doubtful(case.layout.names, outcome)


# ------------------------------------------------------------------------------------ Typed columns

ONE_DAY = [date(2026, 3, 13)] * 3


def colors(**columns: Any) -> pa.Table:
    """Three colors of one security that only the given columns tell apart."""
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
    """Why rows were rejected."""
    assert run.rejected is not None
    return [str(it) for it in run.rejected.column("REASON").to_pylist()]


def column(table: pa.Table | None, name: str) -> list[Any]:
    """A column of a result."""
    assert table is not None
    values: list[Any] = table.column(name).to_pylist()
    return values


def test_typed_columns_keep_their_types() -> None:
    """What comes out has the types that came in; CSV's columns are text."""
    table = colors(NOTE=pa.array([b"\xff", None, b"a"]), SEEN=pa.array([True, None, False]))
    run = run_colors(table)
    assert run.processed is not None
    assert run.excluded is not None
    kept = [it for it in run.processed.schema if it.name in table.column_names]
    assert [(it.name, it.type) for it in kept] == [(it.name, it.type) for it in table.schema]
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
    """Floats that are not whole, or may have lost digits, are no integers."""
    run = run_colors(colors(MESSAGE_ID=pa.array(values)))
    assert reasons(run) == [f"MESSAGE_ID: '{it}' is not an integer" for it in wrong]


def test_a_null_in_a_pandas_column_of_integers_costs_the_identifiers() -> None:
    """A pandas column of integers with one null is floats: identifiers of 17 digits are lost."""
    frame = colors().to_pandas()
    assert not reasons(run_colors(frame))
    frame["MESSAGE_ID"] = [17700000000000001, None, 3]
    run = run_colors(frame)
    assert reasons(run) == [
        "MESSAGE_ID: '17700000000000000' is not an integer",
        "MESSAGE_ID: missing",
    ]


def test_nan_is_null_in_a_typed_column() -> None:
    """NaN comes last in every key and satisfies only is_null, in a rank too."""
    table = colors(
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
        pa.array([b"1", b"2", None]),
        pa.array([[1], [2], None]),
        pa.array([{"a": 1}, {"a": 2}, None]),
        pa.array([datetime(2026, 3, 13, tzinfo=UTC), datetime(2026, 3, 12, tzinfo=UTC), None]),
        pa.array([1, 2, None]),
    ],
    ids=lambda values: str(values.type).split("[", maxsplit=1)[0],
)
def test_a_column_of_a_type_that_does_not_fit_rejects_its_rows(name: str, values: pa.Array) -> None:
    """Every value of a wrong type is a reason, whatever rules ask of its column; null is null."""
    kind = model.kind_of(name)
    if pa.types.is_timestamp(values.type) == (kind == "date"):
        values = values if kind != "date" else values.cast(pa.int64())
    if pa.types.is_integer(values.type) and kind != "date":
        values = values.cast(pa.string_view()).cast(pa.binary())
    asked = "2026-03-13" if kind == "date" else 1
    columns: dict[str, Any] = {name: values}
    if name == "MESSAGE_ID":  # a null is wrong there, too
        with pytest.raises(
            DataError, match=r"none of the 3 rows .*: MESSAGE_ID: '.*' is not .* \(2\)"
        ):
            run_colors(colors(**columns), rules=where(name, "greater_than", asked))
        return
    run = run_colors(colors(**columns), rules=where(name, "greater_than", asked))
    wrong = [reason for reason in reasons(run) if " is not a" in reason]
    assert len(wrong) == 2
    assert all(reason.startswith(f"{name}: '") for reason in wrong)
    assert run.counts.parents == 1


@pytest.mark.parametrize(
    "values",
    [
        pa.array(np.array([1, 2, 3], np.float16)),
        pa.array([Decimal(1), Decimal(2), None], pa.decimal256(50, 3)),
        pa.array([timedelta(1), None, None]),
    ],
    ids=lambda values: str(values.type).split("[", maxsplit=1)[0],
)
def test_a_type_that_the_engine_does_not_know_is_said_so(values: pa.Array) -> None:
    """A column that cannot be read is bad data, not a fault of ours."""
    with pytest.raises(DataError, match="a column has a type that cannot be read"):
        run_colors(colors(NOTE=values))


def test_an_infinite_price_is_rejected_and_elsewhere_it_is_a_value() -> None:
    """Infinity is not a number of a known column; an unknown column may hold what it likes."""
    table = colors(PX=pa.array([math.inf, 1.0, 2.0]), NOTE=pa.array([1.0, math.inf, -math.inf]))
    run = run_colors(table)
    assert reasons(run) == ["PX: 'inf' is not a number"]
    assert run.counts.parents + run.counts.children == 2


def test_unknown_typed_columns_break_ties_as_values_of_their_type() -> None:
    """Ten comes after nine in a column of numbers, and before it in a column of text."""
    numbers = run_colors(colors(MESSAGE_ID=[1, 1, 1], SIZE=[10, 9, None]))
    assert column(numbers.processed, "SIZE") == [9, 10, None]
    text = run_colors(colors(MESSAGE_ID=[1, 1, 1], SIZE=["10", "9", None]))
    assert column(text.processed, "SIZE") == ["10", "9", None]


def test_unknown_numbers_of_json_are_numbers(tmp_path: Path) -> None:
    """Numbers of an unknown column of JSON break ties, and answer rules, as exact numbers."""
    sizes = ["10", "9", "9.50", "null", "1E1", "NaN"]
    same = '"MESSAGE_ID": 1, "CUSIP": "A", "RANK": 1, "DATE": "2026-03-13", "PX": 98.5'
    path = tmp_path / "in.ndjson"
    path.write_text("\n".join(f'{{{same}, "SIZE": {size}}}' for size in sizes))
    run = run_colors(path, rules=where("SIZE", "less_or_equal", "9.5"))
    assert column(run.processed, "SIZE") == ["10", "10", None, "NaN"]
    assert column(run.excluded, "SIZE") == ["9", "9.50"]


def test_kinds_that_meet_in_a_column_tie_by_their_text(tmp_path: Path) -> None:
    """Cells of one value are told apart by their text, whatever kind of JSON they are."""
    ranks = ['"2.0"', "2", '" 2"', '"1"', "1", "2.00"]
    same = '"MESSAGE_ID": 1, "CUSIP": "A", "DATE": "2026-03-13", "PX": 98.5'
    path = tmp_path / "in.ndjson"
    for order in (1, -1):
        path.write_text("\n".join(f'{{{same}, "RANK": {rank}}}' for rank in ranks[::order]))
        run = run_colors(path, output=tmp_path / "out", formats=["ndjson"])
        assert run.counts.children == 5
        written = (tmp_path / "out/processed_colors.ndjson").read_text().splitlines()
        found = [line.partition('"RANK": ')[2].partition(", ")[0] for line in written]
        assert found == ["1", '"1"', '" 2"', "2", '"2.0"', "2.00"]


def test_one_value_of_two_kinds_leaves_the_tie_to_the_next_column(tmp_path: Path) -> None:
    """Before the kinds of two equal cells, the columns after them decide."""
    same = '"MESSAGE_ID": 1, "CUSIP": "A", "RANK": 1, "DATE": "2026-03-13", "PX": 98.5'
    cells = ['"SIZE": "5", "NOTE": "a"', '"SIZE": 5, "NOTE": "b"']
    path = tmp_path / "in.ndjson"
    for order in (1, -1):
        path.write_text("\n".join(f"{{{same}, {cell}}}" for cell in cells[::order]))
        assert column(run_colors(path).processed, "NOTE") == ["a", "b"]


def taken(table: pa.Table, *asked: Any) -> list[int]:
    """Which of three colors, counted from 1, a condition takes."""
    run = run_colors(table, rules=where(*asked))
    return [it - 17700000000000000 for it in column(run.excluded, "MESSAGE_ID")]


def test_rules_on_decimals_are_exact() -> None:
    """A decimal equals only itself, however many digits the rule's number has."""
    values = [Decimal("98.500"), Decimal("98.501"), None]
    for data_type in (pa.decimal128(5, 3), pa.decimal128(38, 3), pa.decimal128(20, 10)):
        table = colors(PX=pa.array(values, data_type))
        assert taken(table, "PX", "equals", "98.5") == [1]
        assert taken(table, "PX", "greater_than", "98.5000000000000000000000000001") == [2]
        assert taken(table, "PX", "not_equals", Decimal("98.5010")) == [1]
        assert taken(table, "PX", "less_than", "1E400") == [1, 2]
        assert taken(table, "PX", "in", "98.5, 98.5010, 7") == [1, 2]


def test_rules_on_timestamps_see_every_nanosecond() -> None:
    """A rule tells instants apart that differ in a nanosecond; a date is its whole day."""
    second = SECOND * 10**9
    for zone in (None, "UTC", "Asia/Tokyo"):
        values = [second + 1, second + 2, second - second % (86400 * 10**9)]
        table = colors(DATE=pa.array(values, pa.int64()).cast(pa.timestamp("ns", zone)))
        assert taken(table, "DATE", "equals", "2026-03-13T10:00:00.000000002Z") == [2]
        assert taken(table, "DATE", "equals", "2026-03-13T10:00:00.0000000020001Z") == []
        assert taken(table, "DATE", "greater_than", "2026-03-13 12:00:00.000000001+02:00") == [2]
        assert taken(table, "DATE", "equals", "2026-03-13") == [1, 2, 3]
        assert taken(table, "DATE", "greater_than", "2026-03-13") == []
        assert taken(table, "DATE", "less_or_equal", "2026-03-12") == []
        assert taken(table, "DATE", "between", "2026-03-12", "2026-03-13") == [1, 2, 3]


def test_rules_on_floats_mean_the_digits_that_are_shown() -> None:
    """A float equals the number that it is written as: 0.1 is 0.1, in 32 bits as in 64."""
    for data_type in (pa.float32(), pa.float64()):
        table = colors(PX=pa.array([0.1, 0.2, None], data_type))
        assert taken(table, "PX", "equals", "0.1") == [1]
        assert taken(table, "PX", "less_or_equal", 0.1) == [1]
        assert taken(table, "PX", "greater_than", "0.10") == [2]
        assert taken(table, "PX", "between", "0.1", "0.2") == [1, 2]
    table = colors(PX=pa.array([0.1 + 0.2, 0.3, 1e22]))
    assert taken(table, "PX", "equals", "0.3") == [2]
    assert taken(table, "PX", "equals", "0.30000000000000004") == [1]
    assert taken(table, "PX", "equals", "10000000000000000000000") == [3]


def test_rules_on_integers_take_any_number() -> None:
    """A rule on integers may name a fraction, an exponent or a number beyond 64 bits."""
    for data_type in (pa.int64(), pa.uint64(), pa.decimal128(20, 0)):
        table = colors(CONFIDENCE=pa.array([1, 2, 9007199254740993], data_type))
        assert taken(table, "CONFIDENCE", "greater_than", "1.5") == [2, 3]
        assert taken(table, "CONFIDENCE", "equals", "9007199254740993") == [3]
        assert taken(table, "CONFIDENCE", "equals", "9007199254740992") == []
        assert taken(table, "CONFIDENCE", "less_than", "1E30") == [1, 2, 3]
        assert taken(table, "CONFIDENCE", "equals", "2.0") == [2]


# ------------------------------------------------------------------------------ Inputs and mappings

HEADER = "MESSAGE_ID,CUSIP,RANK,DATE,PX,NOTE"


def written(path: Path, *lines: str, header: str = HEADER) -> Path:
    """A CSV file of these lines."""
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


TWO_DAYS = ("1,A,2,2026-03-12,98.5,x", "2,A,1,2026-03-13,99,x"), ("3,A,1,2026-03-14,97,x",)


@pytest.fixture
def two_files(tmp_path: Path) -> tuple[Path, Path]:
    """Two days of one security, in two files."""
    one, other = (
        written(tmp_path / f"day_{number}.csv", *lines) for number, lines in enumerate(TWO_DAYS)
    )
    return one, other


def test_many_files_are_one_input(two_files: tuple[Path, Path]) -> None:
    """A list of paths, a glob and a folder give what one file of all their rows gives."""
    folder = two_files[0].parent
    for data in (list(two_files), tuple(map(str, two_files)), str(folder / "day_*.csv"), folder):
        run = run_colors(data)
        assert column(run.processed, "MESSAGE_ID") == ["3", "2", "1"]
        assert run.counts.read == 3


def test_files_of_different_types_meet_as_text(two_files: tuple[Path, Path]) -> None:
    """A column that is text in one file and typed in another is text, canonically spelled."""
    folder = two_files[0].parent
    table = colors(NOTE=["x", "y", "z"]).set_column(0, "Message_id", pa.array([4, 5, 6]))
    pq.write_table(table, folder / "more.parquet")
    run = run_colors([*two_files, folder / "more.parquet"])
    assert column(run.processed, "MESSAGE_ID") == ["6", "5", "4", "3", "2", "1"]
    assert column(run.processed, "PX")[0] == "98.5"
    assert column(run.processed, "DATE")[0] == "2026-03-13"


def test_a_reader_is_read_once() -> None:
    """A stream of batches is enough: every row is read, none twice."""
    table = colors()
    schema = table.schema
    batches = (pa.record_batch(batch.columns, schema) for batch in table.to_batches(1))
    run = run_colors(pa.RecordBatchReader.from_batches(schema, batches))
    assert run.counts.read == 3
    assert run.input == "reader"


def test_columns_are_mapped_by_role_or_name(tmp_path: Path) -> None:
    """`price` and `date` name what the hierarchy names; a rule finds a column by either name."""
    path = written(
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
        (f"{HEADER},MID", {"price": "MID"}, "have the same name"),
        (f"{HEADER},run_id", {}, "reserved for the output"),
        (f"{HEADER},Rule_ID", {}, "reserved for the output"),
        (HEADER, {"price": "MID"}, "no column 'MID'"),
    ],
)
def test_columns_that_are_missing_double_or_reserved_are_errors(
    header: str, mapping: dict[str, str], words: str, tmp_path: Path
) -> None:
    """The columns are checked before any row is read, and named."""
    path = written(tmp_path / "in.csv", "1,A", header=header)
    with pytest.raises(DataError, match=words):
        run_colors(path, mapping=mapping)


def test_a_header_alone_gives_empty_outputs(tmp_path: Path) -> None:
    """An input without rows is a run: every output is there with its columns, in every format."""
    path = written(tmp_path / "in.csv")
    run = run_colors(path, output=tmp_path / "out", formats=FORMATS)
    assert run.counts.read == 0
    assert (tmp_path / "out/rejected_colors.csv").read_text() == f"{HEADER},REASON,RAW_LINE\n"
    assert (tmp_path / "out/excluded_colors.csv").read_text() == f"{HEADER},RULE_ID\n"
    assert (tmp_path / "out/processed_colors.json").read_text() == "[]\n"
    assert (tmp_path / "out/processed_colors.ndjson").read_text() == ""
    table = pq.read_table(tmp_path / "out/processed_colors.parquet")
    assert table.column_names[-4:] == [
        "IS_PARENT",
        "PARENT_MESSAGE_ID",
        "CHILDREN_COUNT",
        "GROUP_POSITION",
    ]
    empty = run_colors(colors()[:0], rules=where("PX", "gt", 1), max_rejected=0)
    assert empty.counts.read == 0


def test_where_no_row_can_be_used_the_run_fails(tmp_path: Path) -> None:
    """The message has the commonest reasons, the hint a remedy for each; nothing is written."""
    lines = ("1,A,1,3/13/2026,1,x", "2,A,1,3/12/2026,1,x", "3,A,1", "x,A,,,,", "5,,1,,1,x")
    path = written(tmp_path / "in.csv", *lines)
    with pytest.raises(DataError) as raised:
        run_colors(path, output=tmp_path / "out", max_rejected=5)
    assert raised.value.check == "MP-DAT-020"
    assert raised.value.message == (
        "none of the 5 rows can be used: DATE: '3/13/2026' is not a date (2); "
        "3 fields instead of 6 (1); MESSAGE_ID: 'x' is not an integer (1); CUSIP: missing (1)"
    )
    for words in (
        "DATE: write dates as 2026-03-13",
        "MESSAGE_ID: export",
        "--map CUSIP=",
        "quotes",
    ):
        assert words in raised.value.hint
    assert not (tmp_path / "out").exists()


def test_an_excluded_row_can_be_used(tmp_path: Path) -> None:
    """Rules may take every row that is not rejected: that is a run."""
    path = written(tmp_path / "in.csv", "1,A,1,2026-03-13,1,x", "1,A,1,2026-03-13,n/a,x")
    run = run_colors(path, rules=where("NOTE", "equals", "x"), output=tmp_path / "out")
    assert (run.counts.read, run.counts.excluded, run.counts.rejected) == (2, 1, 1)


def test_rejected_rows_come_back(tmp_path: Path) -> None:
    """A row that cannot be used comes back as it arrived, with its reason."""
    lines = ("1,,1,2026-03-13,1,x", "1,A,1,2026-03-13,1", "x,A,,,,", "1,A,1,2026-03-13,1,x")
    run = run_colors(written(tmp_path / "in.csv", *lines))
    assert reasons(run) == [
        "CUSIP: missing",
        "5 fields instead of 6",
        "MESSAGE_ID: 'x' is not an integer",
    ]
    assert column(run.rejected, "RAW_LINE") == [None, "1,A,1,2026-03-13,1", None]
    assert column(run.rejected, "MESSAGE_ID") == ["1", None, "x"]


def test_of_several_faults_the_first_column_is_named(tmp_path: Path) -> None:
    """The number of fields comes first, then the first faulty column in the input's order."""
    header = "PX,RANK,MESSAGE_ID,CUSIP,DATE"
    path = written(
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


def test_more_rejected_rows_than_allowed_end_the_run(tmp_path: Path) -> None:
    """Beyond max_rejected nothing is written, and the commonest reasons are told."""
    lines = ("1,A,1,2026-03-13,n/a,x", "2,A,1,2026-03-13,n/a,x", "3,A,1", "4,A,1,2026-03-13,1,x")
    path = written(tmp_path / "in.csv", *lines)
    assert run_colors(path, max_rejected=3).counts.rejected == 3
    with pytest.raises(DataError, match=r"3 of 4 rows .* PX: 'n/a' is not a number \(2\)"):
        run_colors(path, max_rejected=2, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("limit", "fails"),
    [
        ("75%", False),
        ("75.0 %", False),
        ("74.99%", True),
        ("0%", True),
        ("100%", False),
        ("3", False),
    ],
)
def test_a_share_of_the_rows_may_be_rejected(limit: str, fails: bool, tmp_path: Path) -> None:
    """A limit of rejected rows may be a share of the rows read, counted exactly."""
    lines = ("1,A,1,2026-03-13,n/a,x", "2,A,1,2026-03-13,n/a,x", "3,A,1", "4,A,1,2026-03-13,1,x")
    path = written(tmp_path / "in.csv", *lines)
    if fails:
        with pytest.raises(DataError, match=re.escape(f"more than --max-rejected {limit}:")):
            run_colors(path, max_rejected=limit)
    else:
        assert run_colors(path, max_rejected=limit).counts.rejected == 3


@pytest.mark.parametrize("limit", ["few", "-1", "101%", "%", "1/2", "", "5.5", -1])
def test_a_limit_that_is_none(limit: Any) -> None:
    """What is neither a number of rows nor a share of them is told before anything is read."""
    with pytest.raises(UsageError, match="--max-rejected"):
        run_colors("no such file", max_rejected=limit)


def test_doubtful_rows_are_kept_and_counted(tmp_path: Path) -> None:
    """A CUSIP that is none and a rank outside 1 to 6 are warnings, for rows that can be used."""
    lines = (
        "1, 1tekh3ir5 ,1,2026-03-13,1,right",
        "2,1TEKH3IR6,0,2026-03-13,1,wrong check digit",
        "3,1TEKH3IR,7,2026-03-13,1,short",
        "4,1TEKH3IR6,-1,2026-03-13,n/a,rejected",
        "5,A,,2026-03-13,1,excluded",
        "6,1TEKH3IR6,0123456789012345678901234567890,2026-03-13,1,wrong check digit",
    )
    path = written(tmp_path / "in.csv", *lines)
    run = run_colors(path, rules=where("NOTE", "equals", "excluded"))
    assert run.counts.rejected == 1
    assert run.warnings == {"cusip": 4, "rank": 3}


# ------------------------------------------------------------------------------------ Run and rules


def test_a_run_is_known_by_its_rows_rules_and_hierarchy(tmp_path: Path) -> None:
    """RUN_ID is the same for the same rows in any order, and another for anything else."""
    lines = ["1,A,2,2026-03-12,98.5,x", "2,A,1,2026-03-13,99,x", "too,few"]
    path = written(tmp_path / "in.csv", *lines)
    rules = where("PX", "lt", 98)
    run_id = run_colors(path, rules=rules).run_id
    assert re.fullmatch("[0-9a-f]{16}", run_id)
    assert column(run_colors(path, rules=rules).processed, "RUN_ID") == [run_id] * 2
    same = written(tmp_path / "same.csv", *reversed(lines))
    assert (
        run_colors(same, rules=rules, processed_at=AT, processing_type="AUTOMATED").run_id == run_id
    )
    others = [
        run_colors(written(tmp_path / "a.csv", *lines[:2]), rules=rules),
        run_colors(written(tmp_path / "b.csv", *lines[:2], "too,many"), rules=rules),
        run_colors(written(tmp_path / "c.csv", *lines, lines[0]), rules=rules),
        run_colors(written(tmp_path / "d.csv", *lines[1:], f"{lines[0]} "), rules=rules),
        run_colors(written(tmp_path / "e.csv", *lines, header=f"{HEADER}S"), rules=rules),
        run_colors(path),
        run_colors(path, rules=where("PX", "lte", 98)),
        run_colors(path, rules=where("PX", "lt", "98.1")),
        *(run_colors(path, rules=rules, hierarchy=it) for it in HIERARCHIES[1:]),
    ]
    assert len({run_id, *(run.run_id for run in others)}) == len(others) + 1


def test_the_moment_and_the_kind_of_a_run_are_written(tmp_path: Path) -> None:
    """PROCESSED_AT is the given moment in UTC, PROCESSING_TYPE what the caller says."""
    path = written(tmp_path / "in.csv", "1,A,2,2026-03-12,98.5,x")
    moment = datetime(2026, 3, 13, 18, tzinfo=UTC)
    for given_at in (AT, "2026-03-13T20:00:00+02:00", "2026-03-13 18:00", moment):
        run = run_colors(path, processed_at=given_at, processing_type="AUTOMATED")
        assert column(run.processed, "PROCESSED_AT") == [moment]
        assert column(run.processed, "PROCESSING_TYPE") == ["AUTOMATED"]
    for wrong in ({"processed_at": "soon"}, {"processing_type": "BY_HAND"}, {"formats": ["xls"]}):
        with pytest.raises(UsageError):
            run_colors(path, **wrong)
    for hierarchy in ("rank,date", "rank,rank,price", "rank,date,size", ""):
        with pytest.raises(UsageError):
            run_colors(path, hierarchy=hierarchy)


def test_rules_are_the_same_as_document_json_and_toml(tmp_path: Path) -> None:
    """Numbers and dates of a rule mean the same however the rule came."""
    path = written(
        tmp_path / "in.csv",
        "1,A,2,2026-03-12,98.5,x",
        "2,A,1,2026-03-13 10:00,99,x",
        "3,A,1,,0.1,x",
    )
    rules = book(
        rule({"column": "PX", "operator": "eq", "value": 98.5}, number=1),
        rule({"column": "DATE", "operator": "is equal to", "value": "2026-03-13"}, number=2),
        rule({"column": "PX", "operator": "in", "value": [0.1, 7]}, number=3),
    )
    (tmp_path / "rules.json").write_text(json.dumps(rules), encoding="utf-8-sig")
    (tmp_path / "rules.toml").write_text(
        """
        [[rules]]
        id = 1
        name = "rule 1"
        is_active = true
        conditions = [{type = "where", column = "PX", operator = "eq", value = 98.5}]
        [[rules]]
        id = 2
        name = "rule 2"
        is_active = true
        conditions = [{type = "where", column = "DATE", operator = "eq", value = 2026-03-13}]
        [[rules]]
        id = 3
        name = "rule 3"
        is_active = true
        conditions = [{type = "where", column = "PX", operator = "in", value = [0.1, 7]}]
        """
    )
    runs = [
        run_colors(path, rules=it)
        for it in (rules, tmp_path / "rules.json", tmp_path / "rules.toml")
    ]
    assert [run.excluded_by_rule for run in runs] == [{"1": 1, "2": 1, "3": 1}] * 3
    assert len({run.run_id for run in runs}) == 1


WRONG_RULES = {
    "an unknown column": ("SUORCE", "equals", "x", r"no column 'SUORCE', did you mean SOURCE"),
    "an unknown operator": (
        "PX",
        "equal",
        "1",
        r"'equal' is not an operator, did you mean 'equals'",
    ),
    "an operator for text on a number": ("PX", "contains", "1", "no operator 'contains'"),
    "an operator for numbers on text": ("SOURCE", "gt", "1", "no operator 'greater_than'"),
    "an operator for text on a date": ("DATE", "starts with", "2026", "no operator 'starts_with'"),
    "text for a number": ("PX", "lt", "cheap", "'cheap' is not a number"),
    "NaN for a number": ("PX", "lt", math.nan, "'nan' is not a number"),
    "a number for text": ("SOURCE", "equals", 5, "'5' is not text"),
    "a number for a date": ("DATE", "equals", 20260313, "'20260313' is not a date"),
    "a day that is none": ("DATE", "equals", "2026-02-30", "'2026-02-30' is not a date"),
    "a value of blanks": ("SOURCE", "equals", "  ", '"value" is missing'),
    "no value": ("SOURCE", "equals", None, '"value" is missing'),
    "no second value": ("PX", "between", "1", '"value2" is missing'),
    "an empty list": ("PX", "in", [], '"value" is missing'),
    "an empty element": ("PX", "in", "1,,2", "element 2 of the list: '' is not a number"),
    "a boolean": ("RANK", "equals", True, "'True' is not an integer"),
}


@pytest.mark.parametrize("name", WRONG_RULES)
def test_a_wrong_rule_stops_the_run_and_is_named(name: str) -> None:
    """Rule, condition and nearest word are told before any row is read; no rule is dropped."""
    col, operator, value, words = WRONG_RULES[name]
    rules = where(col, operator, value)
    table = colors(SOURCE=["DB", "GS", "MS"])

    def batches() -> Iterator[pa.RecordBatch]:
        raise AssertionError("a row was read")
        yield

    unread = pa.RecordBatchReader.from_batches(table.schema, batches())
    with pytest.raises(RulesError, match=words) as error:
        run_colors(unread, rules=rules)
    assert "rule 1 ('rule 1'), condition 1" in str(error.value)
    rules["rules"][0]["is_active"] = False
    run = run_colors(table, rules=rules)
    assert run.counts.excluded == 0
    assert len(run.rule_warnings) == 1
    assert re.search(words, run.rule_warnings[0])
    assert run.rule_warnings[0].endswith("(switched off)")


def test_an_unknown_connector_or_shape_is_an_error() -> None:
    """Conditions begin with `where` and go on with `and` or `or`; a rules file has a list."""
    good = {"column": "PX", "operator": "lt", "value": 1}
    wrong: list[Any] = [
        book(rule({**good, "type": "and"})),
        book(rule(good, {**good, "type": "where"})),
        book(rule(good, {**good, "type": "xor"})),
        book(rule()),
        book(rule(good), rule(good)),
        {"rule": []},
        [],
        book({"id": 1, "name": "x", "conditions": [{**good, "type": "where"}]}),
    ]
    for rules in wrong:
        with pytest.raises(RulesError):
            run_colors(colors(), rules=rules)


def test_percent_and_underscore_are_ordinary_characters() -> None:
    """Text operators know no pattern."""
    table = colors(NOTE=["a%b", "a_b", "axb"])
    assert taken(table, "NOTE", "contains", "%") == [1]
    assert taken(table, "NOTE", "starts_with", "A_") == [2]
    assert taken(table, "NOTE", "equals", "a_b") == [2]
    assert taken(table, "NOTE", "not_contains", "_") == [1, 3]


def test_a_quote_in_a_rule_or_a_name_is_only_text() -> None:
    """What looks like SQL in names, cells and rules is compared, never run."""
    name = "it's; DROP TABLE colors --\""
    columns: dict[str, Any] = {name: ["x' OR '1'='1", '"', "z"]}
    table = colors(**columns)
    assert taken(table, name, "equals", "X' or '1'='1") == [1]
    assert taken(table, name, "contains", '"') == [2]
    assert run_colors(table).counts.parents == 1


# ------------------------------------------------------------------------------------- Explanations


def test_an_explanation_says_what_became_of_each_row(tmp_path: Path) -> None:
    """Parent, child, excluded, rejected: the key, the conditions or the reason, in words too."""
    path = written(
        tmp_path / "in.csv",
        "4,A,1,2026-03-13,98.5,x",
        "1,a,1,2026-03-13,99,x",
        "2,A,2,2026-03-13,99,x",
        "3,A,1,2026-03-13,98.50,x",
        "3,A,1,2026-03-13,98.5,x",
        "3,A,1,2026-03-13,98.5,x",
        "5,A,1,2026-03-13,10,TALK",
        "6,A,1,2026-03-13,n/a,x",
        "7,B,1,2026-03-13,n/a,x",
    )
    asked = (
        {"column": "note", "operator": "equals", "value": "talk"},
        {"type": "or", "column": "PX", "operator": "between", "value": 5, "value2": 9.5},
    )
    explanation = explain.explain(path, " a ", RunOptions(rules=book(rule(*asked))))
    rows = explanation.rows
    assert explanation.cusip == "A"
    assert [row.outcome for row in rows] == ["parent", *["child"] * 5, "excluded", "rejected"]
    assert rows[0].cells["MESSAGE_ID"] == "1"
    assert [row.decided for row in rows] == [
        None,
        explain.Decision(key="PX (price)", above="99", here="98.5"),
        explain.Decision(key="MESSAGE_ID (the later message wins)", above="4", here="3"),
        None,
        explain.Decision(key="PX (its spelling)", above="98.5", here="98.50"),
        explain.Decision(key="RANK (rank)", above="1", here="2"),
        None,
        None,
    ]
    assert [answer.true for answer in rows[6].conditions] == [True, False]
    assert rows[6].conditions[1].asked == "5 and 9.5"
    assert rows[6].rule == "rule 1 ('rule 1')"
    assert rows[7].reason == "PX: 'n/a' is not a number"
    words = "\n".join(explain.format_explanation(explanation))
    assert "runner-up: decided by PX (price), '98.5' here, '99' above" in words
    assert "decided by MESSAGE_ID (the later message wins), '3' here, '4' above" in words
    assert "where NOTE equals talk: yes, the cell is 'TALK'" in words
    assert "equal to the row above in every cell" in words
    assert json.loads(json.dumps(explanation.as_json()))["cusip"] == "A"


def test_a_security_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    """Explaining a CUSIP that no row has is an error of its own kind."""
    path = written(tmp_path / "in.csv", "4,A,1,2026-03-13,98.5,x")
    with pytest.raises(NotFoundError, match="no row has the CUSIP 'B'"):
        explain.explain(path, "b", RunOptions())


def test_every_error_names_what_to_do(tmp_path: Path) -> None:
    """What is no table, or no file, is an error with an exit code, not a fault of ours."""
    for data in (5, object(), pd.DataFrame({"MESSAGE_ID": [1, "x"]})):
        with pytest.raises(MarketPulseError):
            run_colors(data)
    with pytest.raises(NotFoundError):
        run_colors(tmp_path / "none.csv")
    with pytest.raises(NotFoundError):
        run_colors(COLORS, rules=tmp_path / "none.json")
