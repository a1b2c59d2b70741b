"""Pydantic models: they read every row that is written, exactly, and run whatever the names."""

import ast
import datetime
import json
import math
import os
import pickle
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from schemas import DEMO_TABLES, ODD_TEXT, table_of
from support import Tool

from marketpulse.errors import OutputError
from marketpulse.extraction.pydantic_models import format_models, write_models
from marketpulse.formats import open_writer
from marketpulse.formats.decode import column_of
from marketpulse.model import Column, ForeignKey, SourceInfo, TableSchema
from marketpulse.sources import Source

DEMO = SourceInfo("demo", "demo")

# Reads a table's files with nothing but the models, in each way that they offer.
READ = """
import csv, json, pickle, sys
from decimal import Decimal
from pathlib import Path
from pydantic import TypeAdapter, ValidationError
import models

assert not any(name.startswith("marketpulse") for name in sys.modules)
model = getattr(models, sys.argv[1])


def plain(value):
    if isinstance(value, models.Row):
        fields = type(value).model_fields.items()
        return {field.alias or name: plain(getattr(value, name)) for name, field in fields}
    return [plain(item) for item in value] if isinstance(value, list) else value


def from_json(row):
    try:
        return TypeAdapter(list[model]).validate_json(f"[{row}]")[0]
    except ValidationError as error:
        assert {detail["type"] for detail in error.errors()} == {"value_error"}, error
        return None


text = Path("rows.json").read_text("utf-8")
rows = json.loads(text, parse_float=Decimal)
lines = Path("rows.ndjson").read_text("utf-8").splitlines()
with open("rows.csv", encoding="utf-8", newline="") as file:
    cells = [{name: cell or None for name, cell in row.items()} for row in csv.DictReader(file)]
read = {
    "list": TypeAdapter(list[model]).validate_python(rows),
    "rows": [model.model_validate(row) for row in rows],
    "json": [from_json(line) for line in lines],
    "csv": [model.model_validate(row) for row in cells],
}
read = {way: [row and plain(row) for row in rows] for way, rows in read.items()}
sys.stdout.buffer.write(pickle.dumps(read))
"""


def run_python(folder: Path, *words: str) -> bytes:
    """Run Python in a folder, without MarketPulse; warnings are errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONUTF8": "1", "PYTHONPATH": str(folder)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def class_names(models: str) -> dict[str, ast.ClassDef]:
    """Return the classes of a file by their names."""
    return {node.name: node for node in ast.parse(models).body if isinstance(node, ast.ClassDef)}


def expected(value: Any, kind: pa.DataType) -> Any:
    """Return a value of Arrow as a model should have it."""
    if isinstance(value, list) and pa.types.is_map(kind):
        parts = (kind.key_type, kind.item_type)
        names = ("key", "value")
        return [
            {
                name: expected(item, part)
                for name, item, part in zip(names, pair, parts, strict=True)
            }
            for pair in value
        ]
    if isinstance(value, list):
        return [expected(item, kind.value_type) for item in value]
    if isinstance(value, dict):
        return {field.name: expected(value[field.name], field.type) for field in kind}
    return value


def is_same(value: Any, source: Any, column: Column, way: str) -> bool:
    """Whether a value that a model read is the one that the source has."""
    if source is None:
        return value is None
    if column.logical_type == "number":
        return bool(isinstance(value, Decimal) and str(value) == source)
    if column.logical_type:
        inner = json.loads(source, parse_float=Decimal)
        as_text = way == "csv" or inner is None or isinstance(inner, str)
        return bool(value == (source if as_text else inner))
    if column.arrow_type in {"float", "double"}:
        if not math.isfinite(source):
            return value is None if way != "csv" else str(value) == str(source)
        narrow = pa.scalar(value, column.arrow_type).as_py()
        return bool(str(narrow) == str(source))
    if way == "csv" and source in ("", b""):
        return value is None
    return bool(type(value) is type(source) and value == source)


@pytest.mark.parametrize("table", DEMO_TABLES)
def test_every_row_that_is_written_is_read(table: str, market: Source, tmp_path: Path) -> None:
    """The models read JSON and CSV of a table; each value is the source's, digit for digit."""
    schema = market.describe(table)
    rows = market.scan(table).read_all()
    for name in ("csv", "json", "ndjson"):
        writer = open_writer(name, tmp_path / f"rows.{name}", rows.schema)
        for batch in rows.to_batches():
            writer.write(batch)
        writer.close()
    write_models(tmp_path / "models.py", DEMO, [schema])
    *_, name = class_names((tmp_path / "models.py").read_text("utf-8"))
    read = pickle.loads(run_python(tmp_path, "-c", READ, name))

    assert read["list"] == read["rows"]
    for way, read_rows in read.items():
        assert len(read_rows) == len(rows)
        for index, row in enumerate(read_rows):
            if row is None:
                assert (way, table) == ("json", "ALL_TYPES")
                continue
            for column, kind in zip(schema.columns, rows.schema.types, strict=True):
                value, cell = row[column.name], rows[column.name][index]
                if "[ns" in column.arrow_type:
                    # Arrow's own text has all nine digits, and may end in a Z.
                    text = str(cell.cast(pa.string())).rstrip("Z")
                    padded = value if value is None or "." in value else f"{value}."
                    assert text == str(None if padded is None else f"{padded:0<{len(text)}}")
                    continue
                assert is_same(value, expected(cell.as_py(), kind), column, way), (
                    way,
                    column,
                    value,
                )


def load(*schemas: TableSchema, source: SourceInfo = DEMO) -> dict[str, Any]:
    """Run a file of models in this process; return what it defines, by name."""
    names: dict[str, Any] = {"__name__": "models"}
    exec(compile(format_models(source, schemas), "models.py", "exec"), names)
    return names


@pytest.mark.parametrize(
    "number", ["100000.0000000001", "9999999999999999999999999999.9999999999", "1e400"]
)
def test_digits_that_a_float_may_lose_are_refused(number: str) -> None:
    """If pydantic's JSON parser might change a number, the row is refused."""
    exact = load(table_of(column_of(pa.field("x", pa.decimal128(38, 10)))))["T"]
    free = load(table_of(Column("x", "", "string", logical_type="number")))["T"]
    for model in (exact, free):
        with pytest.raises(ValueError, match="digits lost"):
            model.model_validate_json(f'{{"x": {number}}}')
    row = free.model_validate(json.loads(f'{{"x": {number}}}', parse_float=Decimal))
    assert row.x == Decimal(number)


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(0, 20))
def test_digits_that_a_float_keeps(digits: int, places: int) -> None:
    """Numbers of up to fifteen digits are read exactly."""
    number = Decimal(digits).scaleb(-places)
    model = DECIMALS[places]
    assert model.model_validate_json(f'{{"x": {number:f}}}').x == number


DECIMALS = [
    load(table_of(column_of(pa.field("x", pa.decimal128(38, scale)))))["T"] for scale in range(21)
]


@pytest.mark.parametrize(
    ("kind", "inside", "outside"),
    [
        (pa.int8(), [-128, 127], [-129, 128, 1.5]),
        (pa.uint64(), [0, 2**64 - 1], [-1, 2**64]),
        (pa.decimal128(4, 2), ["99.99", "-99.99", "0.01"], ["100", "0.001"]),
        (pa.decimal128(3, 5), ["0.00123"], ["1", "0.000001"]),
        (pa.decimal128(3, -2), ["99900", 100], ["100000", "0.1"]),
        (pa.date32(), ["2026-03-13"], ["13.03.2026"]),
        (pa.timestamp("us", "UTC"), ["2026-03-13 12:00:00.5"], ["noon"]),
        (pa.binary(), ["00ff"], ["0x"]),
        (pa.list_(pa.int8()), ["[1, null]", [1]], ["[128]", "1"]),
        (pa.null(), [None], [0]),
    ],
)
def test_bounds(kind: pa.DataType, inside: list[Any], outside: list[Any]) -> None:
    """A model accepts what its column's type can hold, and nothing else."""
    model = load(table_of(column_of(pa.field("x", kind))))["T"]
    for value in inside:
        model.model_validate({"x": value})
    for value in outside:
        with pytest.raises(ValueError, match="validation error"):
            model.model_validate({"x": value})


def test_an_instant_is_in_utc() -> None:
    """The text has no time zone; the value has."""
    model = load(table_of(column_of(pa.field("x", pa.timestamp("us", "UTC")))))["T"]
    row = model.model_validate({"x": "2026-03-13 12:00:00"})
    assert row.x == datetime.datetime(2026, 3, 13, 12, tzinfo=datetime.UTC)


def test_nulls() -> None:
    """A column may be null if the source says so; it may not be missing."""
    kind = pa.field("x", pa.int8())
    model = load(table_of(column_of(kind), column_of(kind.with_name("y"), nullable=False)))["T"]
    assert model.model_validate({"x": None, "y": 1}).x is None
    for row in ({"x": 1, "y": None}, {"y": 1}):
        with pytest.raises(ValueError, match="1 validation error"):
            model.model_validate(row)


def aliases(model: Any) -> list[str]:
    """Return the names of the columns of a model's fields."""
    fields = model.model_fields.items()
    return [name if field.alias is None else field.alias for name, field in fields]


@settings(deadline=None)
@given(
    st.lists(ODD_TEXT, min_size=1, max_size=3, unique=True),
    st.lists(ODD_TEXT, min_size=1, max_size=8, unique=True),
    ODD_TEXT,
)
def test_any_name_and_comment(tables: list[str], names: list[str], comment: str) -> None:
    """Whatever they are, the file runs, and each field has its column's name and comment."""
    inner = pa.struct([(names[0], pa.int8()), (f"{names[0]} ", pa.string())])
    fields = [pa.field(name, [pa.int8(), inner][len(name) % 2]) for name in names]
    columns = tuple(column_of(field, comment=comment) for field in fields)
    key = ForeignKey((names[0],), comment, (comment,))
    schemas = [
        table_of(
            *columns,
            table=table,
            comment=comment,
            primary_key=(names[0],),
            unique=((comment,),),
            foreign_keys=(key,),
            checks=(comment,),
        )
        for table in tables
    ]
    source = SourceInfo("files", comment)
    definitions = load(*schemas, source=source)

    assert format_models(source, schemas) == format_models(source, schemas)
    classes = [item for item in definitions.values() if isinstance(item, type(definitions["Row"]))]
    models: list[Any] = [model for model in classes if aliases(model) == names]
    assert len(models) == len(tables)
    for model in models:
        assert {field.description for field in model.model_fields.values()} == {comment or None}
        assert model.__doc__.split() == comment.split() or not comment.split()
        row = dict.fromkeys(names)
        assert model.model_validate(row).model_dump(by_alias=True) == row


def test_no_field_hides_another_name() -> None:
    """No field has a name that the file or pydantic's models use."""
    text = format_models(DEMO, [])
    nodes = list(ast.walk(ast.parse(text)))
    bound = {node.id for node in nodes if isinstance(node, ast.Name)}
    bound |= {node.asname or node.name for node in nodes if isinstance(node, ast.alias)}
    inherited = {*dir(BaseModel), *dir(type(BaseModel))}
    names = sorted(name for name in bound | inherited if not name.startswith("_"))
    locals_of_functions = {"check", "part", "places", "value", "model_config"}
    columns = [Column(name, "", "string") for name in names if name not in locals_of_functions]
    model = load(table_of(*columns))["T"]
    assert not model.model_fields.keys() & (bound | inherited) - locals_of_functions
    assert aliases(model) == [column.name for column in columns]


def test_the_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """A failure leaves nothing behind; files that are not ours are not overwritten."""
    write_models(tmp_path / "new" / "models.py", DEMO, [table_of(Column("x", "", "int8"))])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["models.py"]
    (tmp_path / "taken.py").mkdir()
    for name in ("taken.py", "new/models.py/models.py"):
        with pytest.raises(OutputError):
            write_models(tmp_path / name, DEMO, [])
    (tmp_path / "mine.py").write_text("mine = 1")
    with pytest.raises(OutputError, match="did not write it"):
        write_models(tmp_path / "mine.py", DEMO, [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.py", "new", "taken.py"]


def test_the_command_writes_the_same_file_each_time(tool: Tool) -> None:
    """The file says which command made it, and from which source."""
    names = [f'"{name}"' for name in DEMO_TABLES]
    texts = set()
    for _ in range(2):
        result = tool.run("schema", *names, "--source", "demo", "--models", "models.py")
        assert (result.code, result.err) == (0, "models.py: models of 11 tables\n")
        texts.add((tool.folder / "models.py").read_text("utf-8"))
    (text,) = texts
    assert "Generated by `marketpulse schema --models` from demo." in text
    run_python(tool.folder, "models.py")


def test_bytes_are_written_as_they_are_read() -> None:
    """JSON that a model writes has the bytes as MarketPulse writes them."""
    model = load(table_of(column_of(pa.field("x", pa.binary()))))["T"]
    assert model(x=b"\x00\xff").model_dump_json() == '{"x":"00ff"}'
