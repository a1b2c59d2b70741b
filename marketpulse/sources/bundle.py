"""The source of bundles: the tables of a bundle, read like those of a database; and `load`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.bundle import Bundle, BundleTable, Container, DataFile, parse_table_schema
from marketpulse.errors import DataError, NotFoundError, shown_as
from marketpulse.extras import require_extra
from marketpulse.formats import read_back
from marketpulse.formats.decode import field_of
from marketpulse.formats.encode import LogicalType, logical_type
from marketpulse.model import SourceInfo, Table, TableSchema, format_count
from marketpulse.sources.base import FileOptions, RowRequest, Source
from marketpulse.sources.selection import now, select_rows

if TYPE_CHECKING:
    import pandas as pd

_DECIMAL128_DIGITS, _DECIMAL256_DIGITS = 38, 76
_READABLE_FORMATS = ("parquet", "csv", "ndjson", "json")  # the fastest first


class BundleSource(Source):
    """The tables of a bundle, with the rows that were extracted."""

    def __init__(self, place: Path | Container) -> None:
        self.bundle = Bundle(place)
        self._now = now()
        self._tables = {table.name: table for table in self.bundle.manifest.tables}

    def info(self) -> SourceInfo:
        manifest = self.bundle.manifest
        details = {"taken_at": manifest.taken_at, "taken_from": manifest.source.name}
        return SourceInfo("bundle", self.bundle.name, details)

    def tables(self) -> Sequence[Table]:
        return [schema.table for schema in self._schemas.values()]

    def describe(self, table: str) -> TableSchema:
        return self._schemas[self.find_listed_table(table)]

    def read_rows(self, table: str, request: RowRequest) -> pa.RecordBatchReader:
        bundle_table = self._tables[table]
        complete = (file for file in readable_files(bundle_table) if file.rows == bundle_table.rows)
        file = next(complete, None)
        if file is None:
            raise self._incomplete_error(bundle_table)
        rows = self.read(bundle_table, file)
        names = rows.schema.names
        types = (column.type for column in bundle_table.columns)
        return select_rows(
            rows,
            request,
            workspace=self.bundle.workspace,
            now=self._now,
            source_types=dict(zip(names, types, strict=True)),
        )

    def _incomplete_error(self, table: BundleTable) -> NotFoundError:
        # JSON may hold fewer rows than were extracted: --json-rows.
        files = table.files
        count = "no rows"
        if files:
            count = f"only the first {format_count(files[0].rows, 'row')} as {files[0].format}"
        return NotFoundError(
            f"{self.bundle.name}: it holds {count} of {table.name}",
            hint="create it again with --formats csv, or parquet",
            check="MP-BND-007",
        )

    def read(self, table: BundleTable, file: DataFile) -> pa.RecordBatchReader:
        """Read a file's rows with their types.

        Raises `DataError` if the file is damaged or its number of rows has changed.
        """
        path, label = self.bundle.file(file.name), self.bundle.label(file.name)
        try:
            schema = pa.schema([field_of(column) for column in table.columns])
        except ValueError as error:
            raise DataError(f"{label}: {error}", check="MP-BND-002") from error
        batches: Iterator[pa.RecordBatch] = iter(())
        if file.rows:  # an empty file may be only a header
            excel = file.profile == "excel"
            batches = read_back(path, schema, self.bundle.workspace, excel=excel)
        checked = _check_rows(batches, file.rows, path, label)
        return pa.RecordBatchReader.from_batches(schema, checked)

    @cached_property
    def _schemas(self) -> dict[str, TableSchema]:
        schemas = {}
        for name, table in self._tables.items():
            schema = self.read_schema(table)
            schemas[name] = replace(
                schema,
                table=replace(schema.table, rows=table.rows),
                columns=table.columns or schema.columns,
            )
        return schemas

    def read_schema(self, table: BundleTable) -> TableSchema:
        """Read a table's schema file. Raises `DataError` if it is damaged."""
        name = table.schema_file
        return parse_table_schema(self.bundle.file(name).read_bytes(), self.bundle.label(name))

    def close(self) -> None:
        self.bundle.close()


def readable_files(table: BundleTable) -> list[DataFile]:
    """Return the table's files that can be read with their types, the fastest format first."""
    files = [file for file in table.files if file.format in _READABLE_FORMATS]
    return sorted(files, key=lambda file: _READABLE_FORMATS.index(file.format))


def _check_rows(
    batches: Iterator[pa.RecordBatch], expected: int, path: Path, label: str
) -> Iterator[pa.RecordBatch]:
    """Yield the batches. Raises `DataError` at the end if there are more or fewer rows."""
    rows = 0
    with shown_as(path, label):
        for batch in batches:
            rows += len(batch)
            yield batch
    if rows != expected:
        raise DataError(
            f"{label}: it has {format_count(rows, 'row')} instead of {expected}",
            hint="ask for the bundle again",
            check="MP-BND-006",
        )


class Loaded(Mapping[str, "pd.DataFrame"]):
    """The tables of a bundle by name, as data frames; each is read when you access it."""

    def __init__(self, place: str | Path) -> None:
        self._place = place
        # Open for each access alone: nobody has to close a mapping.
        with open_bundle(place) as source:
            self._names = [table.name for table in source.tables() if table.rows is not None]

    def __getitem__(self, name: str) -> pd.DataFrame:
        """Return a table as a data frame with Arrow types, so that no number becomes a float."""
        require_extra("pandas", "a data frame", instead="take .arrow(NAME)")
        import pandas as pd  # noqa: PLC0415 - pandas takes 0.5 s

        frame: pd.DataFrame = self.arrow(name).to_pandas(types_mapper=pd.ArrowDtype)
        return frame

    def arrow(self, name: str) -> pa.Table:
        """Return a table as an Arrow table. Raises `KeyError` for an unknown name."""
        if name not in self._names:
            raise KeyError(name)
        with open_bundle(self._place) as source:
            table = source.scan(name).read_all()
        for index, field in enumerate(table.schema):
            if logical_type(field) is LogicalType.NUMBER:
                table = table.set_column(index, field.name, _to_decimals(table.column(index)))
        return table

    def __repr__(self) -> str:
        return f"<{self._place}: {', '.join(self._names) or 'no rows'}>"

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def load(path: str | Path) -> Loaded:
    """Open a bundle, to read its tables: a folder, a zip, or `s3://bucket/prefix/` in S3.

    `load(path)["COLORS"]` is a pandas data frame, `load(path).arrow("COLORS")` an Arrow table.
    Numbers without a fixed precision become decimals with as many places as the longest needs;
    they stay text if one has more than 76 digits. Raises `NotFoundError` if there is no bundle,
    `DataError` if it is incomplete or a file differs from the manifest, and `AwsError` if S3 fails.
    """
    return Loaded(path)


def open_bundle(place: str | Path, files: FileOptions | None = None) -> BundleSource:
    """Open a bundle: a folder, a zip, or the address of a prefix in S3.

    Raises `NotFoundError` if there is none, `DataError` if it is incomplete or damaged, and
    `AwsError` if S3 fails.
    """
    if not str(place).startswith("s3://"):
        return BundleSource(Path(place))
    from marketpulse.sources.remote import open_remote_bundle  # noqa: PLC0415 - only for S3

    return BundleSource(open_remote_bundle(str(place), files or FileOptions()))


def _to_decimals(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Turn numbers written as text into decimals; return them as they are if one is too long."""
    before_point = pc.replace_substring_regex(text, r"^-?0*|\..*$", "")
    after_point = pc.replace_substring_regex(text, r"^[^.]*\.?", "")
    digits, scale = (
        pc.max(pc.binary_length(part)).as_py() or 0 for part in (before_point, after_point)
    )
    precision = max(digits + scale, 1)
    if precision > _DECIMAL256_DIGITS:
        return text
    decimal_type = pa.decimal128 if precision <= _DECIMAL128_DIGITS else pa.decimal256
    return text.cast(decimal_type(precision, scale))
