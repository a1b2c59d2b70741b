"""The source of a folder of samples without a manifest, such as an older script made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from marketpulse.artifacts import (
    MANIFEST,
    RUN_SUMMARY,
    is_schema_file,
    is_unfinished,
    split_sample_name,
    split_schema_name,
)
from marketpulse.bundle import parse_table_schema
from marketpulse.errors import DataError, NotFoundError
from marketpulse.model import FileNotes, SourceInfo, Table, TableSchema
from marketpulse.sources.base import RowRequest, Source
from marketpulse.sources.files import FilesSource, join_notes

if TYPE_CHECKING:
    import pyarrow as pa

# Which of several formats is read: JSON often holds the first rows alone.
_FORMATS = ("parquet", "csv", "ndjson", "xlsx", "json")


class SampleFolder(Source):
    """The tables of the files `TABLE_sample_TIME.csv` and `TABLE_schema.json` of a folder.

    The newest sample of each table counts, and its cells are read as those of any file. A schema
    file describes the columns if it is one of ours and names the same ones.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._samples = dict(_newest_samples(path))
        self._schemas: dict[str, TableSchema] = {}
        self._unknown_files: list[str] = []
        for entry in sorted(path.iterdir()):
            if is_schema_file(entry.name):
                try:
                    schema = parse_table_schema(entry.read_bytes(), str(entry))
                except DataError:  # of another program
                    self._unknown_files.append(entry.name)
                else:
                    name = split_schema_name(entry.name)
                    # Nothing says that the rows are those that were counted.
                    table = replace(schema.table, name=name, rows=None)
                    self._schemas[name] = replace(schema, table=table)
        self._opened: dict[str, FilesSource] = {}
        self._resources = ExitStack()

    @property
    def warnings(self) -> Sequence[str]:
        warnings = [
            (
                f"{self._path} has no {MANIFEST}, so its files cannot be checked; "
                "the newest sample of each table is read"
            )
        ]
        if self._unknown_files:
            warnings.append(
                f"{', '.join(self._unknown_files)}: not a description of a table by MarketPulse; "
                "the columns are those of the rows"
            )
        return warnings

    def info(self) -> SourceInfo:
        files = {name: path.name for name, path in self._samples.items()}
        return SourceInfo("folder", str(self._path), files)

    def tables(self) -> Sequence[Table]:
        return [
            self._schemas[name].table if name in self._schemas else Table(name, "table")
            for name in sorted(self._samples.keys() | self._schemas.keys())
        ]

    def describe(self, table: str) -> TableSchema:
        name = self.find_listed_table(table)
        schema = self._schemas.get(name)
        if name not in self._samples and schema:
            return schema
        file = self._file(name)
        columns = file.describe(file.find_table()).columns
        names = [column.name for column in columns]
        if schema is None or names != [column.name for column in schema.columns]:
            return TableSchema(Table(name, "table"), columns)
        described = (
            replace(
                column,
                arrow_type=cell.arrow_type,
                logical_type=cell.logical_type,
                parts=cell.parts,
                mask="",  # nothing proves that these rows have it
            )
            for column, cell in zip(schema.columns, columns, strict=True)
        )
        return replace(schema, columns=tuple(described))

    def read_rows(self, table: str, request: RowRequest) -> pa.RecordBatchReader:
        file = self._file(table)
        return file.read_rows(file.find_table(), request)

    def remarks(self, table: str, *, quote: bool = True) -> Sequence[str]:
        return self._file(self.find_listed_table(table)).file_notes().remarks(quote=quote)

    def file_notes(self) -> FileNotes:
        return join_notes([file.file_notes() for file in self._opened.values()])

    def estimate_rows(self, table: str) -> int | None:
        name = self.find_listed_table(table)
        return self._file(name).estimate_rows(name) if name in self._samples else None

    def _file(self, table: str) -> FilesSource:
        """Return the source of the table's rows. Raises `NotFoundError` if it has none."""
        if table not in self._samples:
            raise NotFoundError(
                f"{self._path}: it holds no rows of {table}",
                hint=f"a file {table}_sample_YYYYMMDD_HHMMSS.csv would hold them",
                check="MP-BND-007",
            )
        if table not in self._opened:
            source = FilesSource([str(self._samples[table])])
            self._opened[table] = self._resources.enter_context(source)
        return self._opened[table]

    def close(self) -> None:
        self._resources.close()


def has_samples(path: Path) -> bool:
    """Whether a folder holds samples of tables, and nothing that a run left unfinished."""
    names = [entry.name for entry in path.iterdir()]
    return any(map(split_sample_name, names)) and not any(
        name.endswith(".part") or is_unfinished(name) or name == RUN_SUMMARY for name in names
    )


def _newest_samples(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield each table with the file of its rows, the oldest sample first."""
    found = []
    for entry in path.iterdir():
        parts = split_sample_name(entry.name)
        if parts:
            stem, time, suffix = parts
            found.append((time, -_FORMATS.index(suffix), stem, entry))
    for _, _, stem, entry in sorted(found):
        yield stem, entry
