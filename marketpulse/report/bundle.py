"""The page of a bundle: its tables, their keys, the profile of each column, the first rows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pyarrow as pa

from marketpulse.bundle import BundleTable, Container
from marketpulse.extraction.column_profile import ColumnProfile, profile_columns
from marketpulse.formats.encode import to_text
from marketpulse.model import Column, TableSchema
from marketpulse.report.diagram import draw_foreign_keys
from marketpulse.report.page import fill
from marketpulse.sources.bundle import BundleSource, readable_files
from marketpulse.version import __version__

_FIRST_ROWS = 10


@dataclass(frozen=True, kw_only=True)
class TableSection:
    """A table on the page. Profiles and first rows are empty if the bundle has no rows of it."""

    anchor: str
    schema: TableSchema
    table: BundleTable
    profiles: dict[str, ColumnProfile]
    first_rows: list[list[str | None]]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns as they were written, or as the schema file has them."""
        return self.table.columns or self.schema.columns

    @property
    def skipped(self) -> tuple[Column, ...]:
        """The columns of the table that were not written."""
        written = {column.name for column in self.columns}
        return tuple(column for column in self.schema.columns if column.name not in written)


def bundle_page(place: Path | Container, title: str) -> str:
    """Return the page of a bundle, a folder or a zip or another container.

    Raises `DataError` if the bundle is incomplete or a file differs from the manifest.
    """
    with BundleSource(place) as source:
        manifest = source.bundle.manifest
        sections = [_section(source, number, table) for number, table in enumerate(manifest.tables)]
    return fill(
        "bundle.html.j2",
        title=title,
        manifest=manifest,
        sections=sections,
        diagram=draw_foreign_keys([section.schema for section in sections]),
        anchors={section.table.name: section.anchor for section in sections},
        version=__version__,
    )


def _section(bundle_source: BundleSource, number: int, table: BundleTable) -> TableSection:
    profiles: dict[str, ColumnProfile] = {}
    first_rows: list[list[str | None]] = []
    if files := readable_files(table):
        # If only JSON was written, the bundle may hold no more than the first rows.
        reader = bundle_source.read(table, max(files, key=lambda file: file.rows))
        head = next(reader, None)
        first_rows = [] if head is None else _first_rows(head)
        batches = chain([] if head is None else [head], reader)
        whole = pa.RecordBatchReader.from_batches(reader.schema, batches)
        profiles = {profile.name: profile for profile in profile_columns(whole)}
    return TableSection(
        anchor=f"table-{number}",
        schema=bundle_source.read_schema(table),
        table=table,
        profiles=profiles,
        first_rows=first_rows,
    )


def _first_rows(batch: pa.RecordBatch) -> list[list[str | None]]:
    head = batch.slice(0, _FIRST_ROWS)
    columns = [
        to_text(column, field).to_pylist()
        for column, field in zip(head.columns, head.schema, strict=True)
    ]
    return [list(row) for row in zip(*columns, strict=True)]
