"""What a sample contains: its options, and the plan that follows from them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from marketpulse.artifacts import sample_file
from marketpulse.errors import UsageError
from marketpulse.extraction.catalog import Schemas
from marketpulse.extraction.masks.rules import MaskRule
from marketpulse.extraction.table_columns import find_key, newest_first, select_columns
from marketpulse.formats import parse_formats
from marketpulse.model import CellReading, NewestRows, RandomRows, RowChoice, TableSchema, masks_of
from marketpulse.sources.names import quoted

# Each profile with its default formats: a spreadsheet user wants a workbook, too.
PROFILES = {"lossless": ("csv", "json"), "excel": ("csv", "json", "xlsx")}
# What the manifest has in place of the user's own SQL.
LEFT_OUT = "/* left out: it may hold a value of a masked column */"
# How the names of Oracle's types begin whose values have a hash; LOBs and objects have none.
_HASHABLE = (
    "NUMBER", "FLOAT", "BINARY_", "VARCHAR2", "NVARCHAR2", "CHAR", "NCHAR", "RAW", "DATE",
    "TIMESTAMP",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """Which rows of each table to read, and how to write them.

    `limit` and `json_rows` are None for all rows, `formats` is None for those of the profile.
    `cell_readings` says as what `where` and `order` compare text cells of files. `masks` say which
    columns are masked.

    With a `seed` the rows are random, with `per` the newest `per_rows` of each value of these
    columns; otherwise they are the first. `follow` adds the rows that foreign keys refer to.
    Raises `UsageError` for invalid options.
    """

    limit: int | None = 1000
    where: str | None = None
    order: str | None = None
    seed: int | None = None
    per: tuple[str, ...] = ()
    per_rows: int = 1
    follow: bool = False
    columns: tuple[str, ...] | None = None
    formats: Sequence[str] | None = None
    profile: str = "lossless"
    json_rows: int | None = 100
    cell_readings: Mapping[str, CellReading] | None = None
    masks: tuple[MaskRule, ...] = ()

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise UsageError(
                f"--profile: unknown profile {self.profile!r}",
                hint=f"the profiles are {', '.join(PROFILES)}",
            )
        self._refuse_contradictions()
        formats = self.output_formats()
        if self.profile == "excel" and not {"csv", "xlsx"} & {*formats}:
            raise UsageError(
                f"--profile excel changes nothing in {', '.join(formats)}",
                hint="add csv or xlsx to --formats, or leave out --profile",
            )

    def output_formats(self) -> tuple[str, ...]:
        """Return the formats to write. Raises `UsageError` for an unknown one."""
        return parse_formats(PROFILES[self.profile] if self.formats is None else self.formats)

    def _refuse_contradictions(self) -> None:
        """Raise `UsageError` for options of which one would change nothing."""
        if self.seed is not None and (self.order is not None or self.per):
            other = "--per" if self.per else "--order-by"
            raise UsageError(
                f"--random and {other} both say which rows to take", hint="leave out one of them"
            )
        if self.seed is not None and self.limit is None:
            raise UsageError(
                "--random and --all: --all already takes every row", hint="give --limit N"
            )
        if self.per and self.per_rows < 1:
            raise UsageError("--per: the number of rows is 1 or more", hint="--per CUSIP 3")
        if self.follow and self.columns is not None:
            raise UsageError(
                "--follow needs the columns of all keys, and --columns leaves some out",
                hint="leave out one of them",
            )

    def without_choice(self) -> SampleOptions:
        """Return the options of a table whose rows follow from those of others."""
        return replace(self, limit=None, where=None, order=None, seed=None, per=())

    def choice(self, schema: TableSchema) -> RowChoice | None:
        """Return which rows of a table are read; None for the first.

        Raises `NotFoundError` for an unknown column, `UsageError` if nothing says what is new.
        """
        if self.seed is not None:
            columns = find_key(schema) or _hashable_columns(schema)
            return RandomRows(seed=self.seed, columns=columns)
        if not self.per:
            return None
        key = tuple(column.name for column in select_columns(schema, self.per))
        order = self.order or newest_first(schema, self.cell_readings or {})
        # Equal rows have an order of their own, so that the same ones are taken again.
        others = find_key(schema) or _hashable_columns(schema)
        order += "".join(f", {quoted(name)} DESC" for name in others if quoted(name) not in order)
        return NewestRows(key=key, count=self.per_rows, order=order)

    def statement(self, schema: TableSchema, kind: str) -> str:
        """Return what is read of a table as SQL, for the manifest. `kind` is that of the source."""
        choice = self.choice(schema)
        columns, rows = ", ".join(self.columns or "*"), schema.table.name
        rows += f" WHERE {self.where}" if self.where else ""
        order = self.order
        if isinstance(choice, RandomRows):
            order = f"RANDOM({choice.seed})"
            if kind == "oracle":
                from marketpulse.sources.clauses import random_order_in_oracle  # noqa: PLC0415 - 0.05 s

                order = random_order_in_oracle(choice)
        if isinstance(choice, NewestRows):
            order = choice.order
            number = f"ROW_NUMBER() OVER (PARTITION BY {', '.join(choice.key)} ORDER BY {order})"
            table = schema.table.name
            rows = (
                f"(SELECT {table}.*, {number} AS ROW_OF_KEY FROM {rows}) "  # noqa: S608 - never executed
                f"WHERE ROW_OF_KEY <= {choice.count}"
            )
        sql = f"SELECT {columns} FROM {rows}"  # noqa: S608 - never executed
        sql += f" ORDER BY {order}" if order else ""
        return sql if self.limit is None else f"{sql} FETCH FIRST {self.limit} ROWS ONLY"

    def expected_rows(self, schema: TableSchema) -> int | None:
        """Return how many rows will be read; None if that is not known."""
        rows = schema.table.rows
        if self.where or self.per or self.follow or rows is None:
            return None
        return rows if self.limit is None else min(rows, self.limit)


def parse_column_names(text: str) -> tuple[str, ...]:
    """Split names at commas, without duplicates; a name in double quotes may hold a comma.

    Raises `UsageError` if there is none.
    """
    texts = next(csv.reader([text], skipinitialspace=True), [])
    names = tuple(dict.fromkeys(name.strip() for name in texts if name.strip()))
    if not names:
        raise UsageError(f"{text!r} names no column", hint="separate names by commas: CUSIP,PX")
    return names


def parse_row_count(text: str) -> int | None:
    """Parse the value of --json-rows; `all` is None. Raises `UsageError`."""
    if text.lower() == "all":
        return None
    if not text.isdecimal():
        raise UsageError(f"--json-rows: {text!r} is not a number of rows", hint="give 100, or all")
    return int(text)


@dataclass(frozen=True, kw_only=True)
class PlannedTable:
    """A table that a sample will read, and the files that it will write."""

    table: str
    rows: int | None
    statement: str
    files: tuple[str, ...]
    masks: Mapping[str, str]  # of columns, see `Column.mask`


def plan_sample(schemas: Schemas, options: SampleOptions, taken_at: datetime) -> list[PlannedTable]:
    """Return what a sample will read and write. Reads no row.

    With masks, the statements have no condition: it may hold a value of a masked column.
    """
    if options.masks and options.where:
        options = replace(options, where=LEFT_OUT)
    names = {name.casefold() for name in options.columns or ()}
    return [
        PlannedTable(
            table=schema.table.name,
            rows=options.expected_rows(schema),
            statement=_statement(schemas, schema, options),
            files=tuple(
                sample_file(schemas.stems[schema.table.name], taken_at, suffix)
                for suffix in options.output_formats()
            ),
            masks=masks_of([c for c in schema.columns if not names or c.name.casefold() in names]),
        )
        for schema in schemas.tables
    ]


def _statement(schemas: Schemas, schema: TableSchema, options: SampleOptions) -> str:
    """Return what is read of a table, with the rows that foreign keys refer to."""
    name = schema.table.name
    parts = []
    if name not in schemas.reached:
        parts.append(options.statement(schema, schemas.source.kind))
    conditions = [
        f"({', '.join(key.references)}) IN (SELECT {', '.join(key.columns)} FROM {table})"  # noqa: S608 - never executed
        for table, keys in ((other.table.name, other.foreign_keys) for other in schemas.tables)
        for key in keys
        if key.table == name and options.follow
    ]
    if conditions:
        parts.append(f"SELECT * FROM {name} WHERE {' OR '.join(conditions)}")  # noqa: S608 - never executed
    return f"({parts[0]}) UNION {parts[1]}" if len(parts) > 1 else parts[0]


def _hashable_columns(schema: TableSchema) -> tuple[str, ...]:
    """Return the columns whose values Oracle can hash and sort."""
    return tuple(
        column.name
        for column in schema.columns
        if column.type.upper().startswith(_HASHABLE) and not column.unreadable
    )
