"""What a sample contains: its options, and the plan that follows from them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from marketpulse.artifacts import sample_file
from marketpulse.errors import UsageError
from marketpulse.extraction.catalog import Schemas
from marketpulse.formats import parse_formats
from marketpulse.model import CellReading, Table

# Each profile with its default formats: a spreadsheet user wants a workbook, too.
PROFILES = {"lossless": ("csv", "json"), "excel": ("csv", "json", "xlsx")}


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """Which rows of each table to read, and how to write them.

    `limit` and `json_rows` are None for all rows, `formats` is None for those of the profile.
    `cell_readings` says as what `where` and `order` compare text cells of files.
    Raises `UsageError` for invalid options.
    """

    limit: int | None = 1000
    where: str | None = None
    order: str | None = None
    columns: tuple[str, ...] | None = None
    formats: Sequence[str] | None = None
    profile: str = "lossless"
    json_rows: int | None = 100
    cell_readings: Mapping[str, CellReading] | None = None

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise UsageError(
                f"--profile: unknown profile {self.profile!r}",
                hint=f"the profiles are {', '.join(PROFILES)}",
            )
        formats = self.output_formats()
        if self.profile == "excel" and not {"csv", "xlsx"} & {*formats}:
            raise UsageError(
                f"--profile excel changes nothing in {', '.join(formats)}",
                hint="add csv or xlsx to --formats, or leave out --profile",
            )

    def output_formats(self) -> tuple[str, ...]:
        """Return the formats to write. Raises `UsageError` for an unknown one."""
        return PROFILES[self.profile] if self.formats is None else parse_formats(self.formats)

    def statement(self, table: str) -> str:
        """Return what is read as SQL, for the manifest."""
        sql = f"SELECT {', '.join(self.columns or '*')} FROM {table}"  # noqa: S608 - never executed
        sql += f" WHERE {self.where}" if self.where else ""
        sql += f" ORDER BY {self.order}" if self.order else ""
        return sql if self.limit is None else f"{sql} FETCH FIRST {self.limit} ROWS ONLY"

    def expected_rows(self, table: Table) -> int | None:
        """Return how many rows will be read; None if that is not known."""
        if self.where or table.rows is None:
            return None
        return table.rows if self.limit is None else min(table.rows, self.limit)


def parse_column_names(text: str) -> tuple[str, ...]:
    """Split names at commas, without duplicates; a name in double quotes may hold a comma."""
    names = next(csv.reader([text], skipinitialspace=True), [])
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


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


def plan_sample(schemas: Schemas, options: SampleOptions, taken_at: datetime) -> list[PlannedTable]:
    """Return what a sample will read and write. Reads no row."""
    return [
        PlannedTable(
            table=schema.table.name,
            rows=options.expected_rows(schema.table),
            statement=options.statement(schema.table.name),
            files=tuple(
                sample_file(schemas.stems[schema.table.name], taken_at, suffix)
                for suffix in options.output_formats()
            ),
        )
        for schema in schemas.tables
    ]
