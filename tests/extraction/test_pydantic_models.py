"""Tables declared for others: Pydantic models that read what is written, DuckDB statements."""

import ast
import datetime
import json
import math
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from support import ROOT

from marketpulse.errors import OutputError
from marketpulse.extraction.ddl import format_ddl
from marketpulse.extraction.pydantic_models import format_models, write_models
from marketpulse.formats import open_writer
from marketpulse.formats.decode import column_of
from marketpulse.model import Column, ForeignKey, SourceInfo, Table, TableSchema
from marketpulse.sources import open_source

DEMO = SourceInfo("demo", "demo")
AWKWARD = ['"Quoted"', "A/B", "CON", "x y", "é" * 60]
TABLES = ["ALL_TYPES", "COLORS", "Colors", "DEALERS", "SECURITIES", "SECURITY_COLORS", *AWKWARD]

# Reads a table's files with the models alone, row by row, in each of the ways there are.
READ = """
import csv, json, pickle, sys
from decimal import Decimal
from pathlib import Path
from pydantic import TypeAdapter, ValidationError
import models

assert not any(name.startswith("marketpulse") for name in sys.modules)
model = getattr(models, sys.argv[1])


def told(row):
    return {it.alias or name: getattr(row, name) for name, it in type(row).model_fields.items()}


def plain(value):
    if isinstance(value, models.Row):
        return {name: plain(it) for name, it in told(value).items()}
    return [plain(it) for it in value] if isinstance(value, list) else value


def as_json(row):
    try:
        return TypeAdapter(list[model]).validate_json(f"[{row}]")[0]
    except ValidationError as error:
        assert {it["type"] for it in error.errors()} == {"value_error"}, error
        return None


text = Path("rows.json").read_text("utf-8")
rows = json.loads(text, parse_float=Decimal)
lines = Path("rows.ndjson").read_text("utf-8").splitlines()
with open("rows.csv", encoding="utf-8", newline="") as file:
    cells = [{name: it or None for name, it in row.items()} for row in csv.DictReader(file)]
read = {
    "list": TypeAdapter(list[model]).validate_python(rows),
    "rows": [model.model_validate(row) for row in rows],
    "json": [as_json(line) for line in lines],
    "csv": [model.model_validate(row) for row in cells],
}
read = {way: [row and plain(row) for row in rows] for way, rows in read.items()}
sys.stdout.buffer.write(pickle.dumps(read))
"""


def child(folder: Path, *words: str) -> bytes:
    """Run Python in a folder, where warnings are errors and nothing of ours is at hand."""
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
    """The classes of a file by their names."""
    return {it.name: it for it in ast.parse(models).body if isinstance(it, ast.ClassDef)}


def expected(value: Any, kind: pa.DataType) -> Any:
    """What Arrow holds as a model should tell it."""
    if isinstance(value, list) and pa.types.is_map(kind):
        parts = (kind.key_type, kind.item_type)
        names = ("key", "value")
        return [
            {n: expected(it, t) for n, it, t in zip(names, pair, parts, strict=True)}
            for pair in value
        ]
    if isinstance(value, list):
        return [expected(it, kind.value_type) for it in value]
    if isinstance(value, dict):
        return {it.name: expected(value[it.name], it.type) for it in kind}
    return value


def same(value: Any, wanted: Any, column: Column, way: str) -> bool:
    """Whether a value that was read is the one that the source has."""
    if wanted is None:
        return value is None
    if column.logical_type == "number":
        return bool(isinstance(value, Decimal) and str(value) == wanted)
    if column.logical_type:
        inner = json.loads(wanted, parse_float=Decimal)
        as_text = way == "csv" or inner is None or isinstance(inner, str)
        return bool(value == (wanted if as_text else inner))
    if column.arrow_type in {"float", "double"}:
        if not math.isfinite(wanted):
            return value is None if way != "csv" else str(value) == str(wanted)
        narrow = pa.scalar(value, column.arrow_type).as_py()
        return bool(str(narrow) == str(wanted))
    if way == "csv" and wanted in ("", b""):
        return value is None
    return bool(type(value) is type(wanted) and value == wanted)


@pytest.fixture(scope="module")
def market() -> Iterator[Any]:
    """The demo source."""
    with open_source("demo", rows=300) as source:
        yield source


@pytest.mark.parametrize("table", TABLES)
def test_every_row_that_is_written_is_read(table: str, market: Any, tmp_path: Path) -> None:
    """The models read JSON and CSV of a table, and each value is the source's, digit for digit."""
    schema = market.describe(table)
    rows = market.scan(table).read_all()
    for name in ("csv", "json", "ndjson"):
        writer = open_writer(name, tmp_path / f"rows.{name}", rows.schema)
        for batch in rows.to_batches():
            writer.write(batch)
        writer.close()
    write_models(tmp_path / "models.py", DEMO, [schema])
    *_, name = class_names((tmp_path / "models.py").read_text("utf-8"))
    read = pickle.loads(child(tmp_path, "-c", READ, name))

    assert read["list"] == read["rows"]
    for way, found in read.items():
        assert len(found) == len(rows)
        for place, row in enumerate(found):
            if row is None:
                assert (way, table) == ("json", "ALL_TYPES")
                continue
            for column, kind in zip(schema.columns, rows.schema.types, strict=True):
                value, cell = row[column.name], rows[column.name][place]
                if "[ns" in column.arrow_type:
                    # Arrow's own words, which have all nine digits and may end in a Z.
                    words = str(cell.cast(pa.string())).rstrip("Z")
                    whole = value if value is None or "." in value else f"{value}."
                    assert words == str(None if whole is None else f"{whole:0<{len(words)}}")
                    continue
                assert same(value, expected(cell.as_py(), kind), column, way), (way, column, value)


def written(*columns: Column, table: str = "T", comment: str = "", **keys: Any) -> TableSchema:
    """A table of these columns."""
    return TableSchema(Table(table, comment=comment), columns, **keys)


def loaded(*schemas: TableSchema, source: SourceInfo = DEMO) -> dict[str, Any]:
    """The names of a file of models, which this process runs."""
    names: dict[str, Any] = {"__name__": "models"}
    exec(compile(format_models(source, schemas), "models.py", "exec"), names)
    return names


@pytest.mark.parametrize(
    "number", ["100000.0000000001", "9999999999999999999999999999.9999999999", "1e400"]
)
def test_digits_that_a_float_may_lose_are_refused(number: str) -> None:
    """Where pydantic's own reader might change a number, the row is refused, never altered."""
    exact = loaded(written(column_of(pa.field("x", pa.decimal128(38, 10)))))["T"]
    free = loaded(written(Column("x", "", "string", logical_type="number")))["T"]
    for model in (exact, free):
        with pytest.raises(ValueError, match="digits lost"):
            model.model_validate_json(f'{{"x": {number}}}')
    kept = free.model_validate(json.loads(f'{{"x": {number}}}', parse_float=Decimal))
    assert kept.x == Decimal(number)


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(0, 20))
def test_digits_that_a_float_keeps(digits: int, places: int) -> None:
    """Up to fifteen digits come exact out of JSON, and more are never changed."""
    number = Decimal(digits).scaleb(-places)
    model = DECIMALS[places]
    assert model.model_validate_json(f'{{"x": {number:f}}}').x == number


DECIMALS = [
    loaded(written(column_of(pa.field("x", pa.decimal128(38, it)))))["T"] for it in range(21)
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
    """A model takes what its column's type can hold, and nothing else."""
    model = loaded(written(column_of(pa.field("x", kind))))["T"]
    for value in inside:
        model.model_validate({"x": value})
    for value in outside:
        with pytest.raises(ValueError, match="validation error"):
            model.model_validate({"x": value})


def test_an_instant_says_that_it_is_in_utc() -> None:
    """The text has no offset; the value has."""
    model = loaded(written(column_of(pa.field("x", pa.timestamp("us", "UTC")))))["T"]
    row = model.model_validate({"x": "2026-03-13 12:00:00"})
    assert row.x == datetime.datetime(2026, 3, 13, 12, tzinfo=datetime.UTC)


def test_nulls() -> None:
    """A null has its place where the source says so, and every column has to be there."""
    kind = pa.field("x", pa.int8())
    model = loaded(written(column_of(kind), column_of(kind.with_name("y"), nullable=False)))["T"]
    assert model.model_validate({"x": None, "y": 1}).x is None
    for row in ({"x": 1, "y": None}, {"y": 1}):
        with pytest.raises(ValueError, match="1 validation error"):
            model.model_validate(row)


NASTY = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.sampled_from(
        [
            *("class", "None", "__init__", "__class__", "_x", "model_config", "model_dump", "copy"),
            *("schema", "copy_", "Copy", "self", "Row", "Any", "Decimal", "date", "datetime"),
            *('"""', "'\"", "\\", '\\"""', "a\nb", "\r", "ﬁ", "fi", "ß", "²", "1", "a b", "a_b"),
            *("# coding: latin-1", "{}", "%s", "Int8", "x_2", "X", "x", "\x00", "\u2028", "mro"),
        ]
    ),
)


def aliases(model: Any) -> list[str]:
    """The columns that a model's fields stand for."""
    fields = model.model_fields.items()
    return [name if it.alias is None else it.alias for name, it in fields]


@settings(deadline=None)
@given(
    st.lists(NASTY, min_size=1, max_size=3, unique=True),
    st.lists(NASTY, min_size=1, max_size=8, unique=True),
    NASTY,
)
def test_names_and_comments_stay_text(tables: list[str], names: list[str], words: str) -> None:
    """Whatever they are, the file runs, and each field tells its column's name and comment."""
    inner = pa.struct([(names[0], pa.int8()), (f"{names[0]} ", pa.string())])
    fields = [pa.field(name, [pa.int8(), inner][len(name) % 2]) for name in names]
    columns = tuple(column_of(it, comment=words) for it in fields)
    key = ForeignKey((names[0],), words, (words,))
    schemas = [
        TableSchema(Table(it, comment=words), columns, (names[0],), ((words,),), (key,), (words,))
        for it in tables
    ]
    source = SourceInfo("files", words)
    made = loaded(*schemas, source=source)

    assert format_models(source, schemas) == format_models(source, schemas)
    models = [it for it in made.values() if isinstance(it, type(made["Row"]))]
    found: list[Any] = [it for it in models if aliases(it) == names]
    assert len(found) == len(tables)
    for model in found:
        assert {it.description for it in model.model_fields.values()} == {words or None}
        assert model.__doc__.split() == words.split() or not words.split()
        row = dict.fromkeys(names)
        assert model.model_validate(row).model_dump(by_alias=True) == row


def test_the_names_that_are_taken_are_known() -> None:
    """No field has the name of something that the file or pydantic's models have already."""
    text = format_models(DEMO, [])
    bound = {it.id for it in ast.walk(ast.parse(text)) if isinstance(it, ast.Name)}
    bound |= {it.asname or it.name for it in ast.walk(ast.parse(text)) if isinstance(it, ast.alias)}
    inherited = {*dir(BaseModel), *dir(type(BaseModel))}
    names = sorted(it for it in bound | inherited if not it.startswith("_"))
    locals_of_functions = {"check", "part", "places", "value", "model_config"}
    columns = [Column(it, "", "string") for it in names if it not in locals_of_functions]
    model = loaded(written(*columns))["T"]
    assert not model.model_fields.keys() & (bound | inherited) - locals_of_functions
    assert [it.alias for it in model.model_fields.values()] == [it.name for it in columns]


def test_the_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """What cannot be written leaves nothing behind, and is one error."""
    write_models(tmp_path / "new" / "models.py", DEMO, [written(Column("x", "", "int8"))])
    assert [it.name for it in (tmp_path / "new").iterdir()] == ["models.py"]
    (tmp_path / "taken.py").mkdir()
    for name in ("taken.py", "new/models.py/models.py"):
        with pytest.raises(OutputError):
            write_models(tmp_path / name, DEMO, [])
    (tmp_path / "mine.py").write_text("mine = 1")
    with pytest.raises(OutputError, match="did not write it"):
        write_models(tmp_path / "mine.py", DEMO, [])
    assert sorted(it.name for it in tmp_path.iterdir()) == ["mine.py", "new", "taken.py"]


def test_the_models_on_a_command_line(tmp_path: Path) -> None:
    """The file is the same each time, and says who made it, and from what."""
    names = [f'"{name}"' for name in TABLES]
    words = ("-m", "marketpulse", "schema", *names, "--source", "demo", "--models", "models.py")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    texts = set()
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=env, capture_output=True, check=True
        )
        assert done.stderr == b"models.py: models of 11 tables\n"
        texts.add((tmp_path / "models.py").read_text("utf-8"))
    (text,) = texts
    assert "Generated by `marketpulse schema --models` from demo." in text
    child(tmp_path, "models.py")


def test_statements_are_no_json(tmp_path: Path) -> None:
    """SQL cannot be had as JSON, and that is said before anything is done."""
    words = ("schema", "COLORS", "--source", "demo", "--ddl", "duckdb", "--format", "json")
    done = subprocess.run(
        [sys.executable, "-m", "marketpulse", *words, "--models", "models.py"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (2, b"", [])


TABLES_MADE = "SELECT table_name, comment FROM duckdb_tables() ORDER BY table_oid"
COLUMNS_MADE = """
SELECT column_name, comment FROM duckdb_columns() WHERE NOT internal
ORDER BY table_oid, column_index
"""


def created(statements: str) -> duckdb.DuckDBPyConnection:
    """A new database in which the statements have run."""
    database = duckdb.connect()
    database.execute(statements)
    return database


@pytest.mark.parametrize("tables", [*([it] for it in TABLES), TABLES], ids=lambda it: it[-1])
def test_the_statements_make_tables_for_the_rows(tables: list[str], market: Any) -> None:
    """DuckDB runs them as they are, and the tables give back each value that is put into them."""
    schemas = [market.describe(it) for it in tables]
    statements = format_ddl(schemas)
    assert statements == format_ddl(schemas)
    with created(statements) as database:
        made = dict(database.execute(TABLES_MADE).fetchall())
        assert list(made.values()) == [it.table.comment or None for it in schemas]
        for name, schema in zip(made, schemas, strict=True):
            rows = market.scan(schema.table.name).read_all()
            quoted = '"' + name.replace('"', '""') + '"'
            database.execute(f"INSERT INTO {quoted} SELECT * FROM rows")
            found: Any = database.sql(f"FROM {quoted}").to_arrow_table()
            assert found.column_names == [it.name for it in schema.columns]
            for column, wanted in zip(found.columns, rows.columns, strict=True):
                assert str(column.cast(wanted.type).to_pylist()) == str(wanted.to_pylist())


def test_the_statements_know_the_keys(market: Any) -> None:
    """Keys are the tables' own; what points to other tables and what the source checks is told."""
    statements = format_ddl([market.describe("SECURITIES")])
    with created(statements) as database:
        keys = database.execute(
            "SELECT constraint_type, constraint_column_names FROM duckdb_constraints() "
            "WHERE constraint_type <> 'NOT NULL'"
        ).fetchall()
    assert sorted(keys) == [("PRIMARY KEY", ["CUSIP"]), ("UNIQUE", ["SECURITY_ID"])]
    assert '-- foreign key "LEAD" references "DEALERS": "CODE"' in statements
    assert "-- check: (MATURES > ISSUED)" in statements


def test_what_duckdb_cannot_hold_is_text_and_said_to_be() -> None:
    """No type is one that loses something."""
    kinds = [pa.float16(), pa.decimal256(60, 2), pa.duration("ns")]
    kinds += [pa.struct([("a", pa.int8()), ("A", pa.int8())]), pa.decimal128(5, -2)]
    columns = [column_of(pa.field(f"c{place}", kind)) for place, kind in enumerate(kinds)]
    columns.append(Column("n", "", "string", logical_type="number"))
    statements = format_ddl([written(*columns)])
    assert statements.count(" as text: DuckDB has no such type") == len(kinds)
    assert '"n" VARCHAR  -- text, logical type number' in statements
    created(statements).close()


@settings(deadline=None, max_examples=50)
@given(st.lists(NASTY, min_size=1, unique=True), st.lists(NASTY, min_size=1, unique=True), NASTY)
def test_statements_keep_names_and_comments(
    tables: list[str], names: list[str], words: str
) -> None:
    """Names that DuckDB has are kept to the letter; others get a number."""
    columns = [Column(it, "", "int8", comment=words) for it in names]
    keys = {"primary_key": (names[0],), "foreign_keys": (ForeignKey((words,), words, (words,)),)}
    statements = format_ddl(
        [written(*columns, table=it, comment=words, checks=(words,), **keys) for it in tables]
    )
    with created(statements) as database:
        for question, wanted in ((TABLES_MADE, tables), (COLUMNS_MADE, names * len(tables))):
            found = database.execute(question).fetchall()
            assert [comment or "" for _, comment in found] == [words] * len(wanted)
            for (name, _), asked in zip(found, wanted, strict=True):
                assert name == asked or re.fullmatch(re.escape(asked or "_") + r"(_\d+)?", name)


def test_bytes_are_written_as_they_are_read() -> None:
    """JSON that a model writes has the bytes as MarketPulse writes them."""
    model = loaded(written(column_of(pa.field("x", pa.binary()))))["T"]
    assert model(x=b"\x00\xff").model_dump_json() == '{"x":"00ff"}'
