"""A bundle that a client sent, as if it were the database that it was taken from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter

from marketpulse.bundle import Bundle, BundleTable, DataFile
from marketpulse.errors import DataError, NotFoundError
from marketpulse.formats import read_back
from marketpulse.formats.decode import field_of
from marketpulse.formats.encode import LogicalType, logical_type
from marketpulse.model import OnMalformedLine, SourceInfo, Table, TableSchema
from marketpulse.sources.base import Source
from marketpulse.sources.selection import Selection, with_columns

if TYPE_CHECKING:
    import pandas as pd

_MOST_DIGITS = 76  # of Arrow's decimals
_PREFERRED = ("parquet", "csv", "ndjson", "json")  # to be read


class BundleSource(Source):
    """The tables of a bundle, each with the rows that were taken."""

    def __init__(self, path: Path) -> None:
        self.bundle = Bundle(path)
        self._taken = {table.name: table for table in self.bundle.manifest.tables}

    def info(self) -> SourceInfo:
        manifest = self.bundle.manifest
        details = {"taken_at": manifest.taken_at, "taken_from": manifest.source.name}
        return SourceInfo("bundle", str(self.bundle.path), details)

    def tables(self) -> Sequence[Table]:
        return [schema.table for schema in self._schemas.values()]

    def describe(self, table: str) -> TableSchema:
        return self._schemas[self.listed(table)]

    def scan(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        on_malformed_line: OnMalformedLine | None = None,  # noqa: ARG002 - a bundle has none
        where: str | None = None,
        order: str | None = None,
    ) -> pa.RecordBatchReader:
        taken = self._taken[self.listed(table)]
        file = next((it for it in readable(taken) if it.rows == taken.rows), None)
        if file is None:
            cut = f"only the first {taken.files[0].rows} as {taken.files[0].format}"
            raise NotFoundError(
                f"{self.bundle.path}: it holds {cut if taken.files else 'no'} rows of {taken.name}",
                hint="take it again with --formats csv, or parquet",
                check="MP-BND-007",
            )
        selection = Selection(where, order, limit, self.bundle.workspace)
        return with_columns(selection.of(self.read(taken, file)), columns)

    def read(self, taken: BundleTable, file: DataFile) -> pa.RecordBatchReader:
        """A file's rows, typed. Raises `DataError` where they are not those that were taken."""
        path = self.bundle.file(file.name)
        try:
            schema = pa.schema([field_of(column) for column in taken.columns])
        except ValueError as error:
            raise DataError(f"{path}: {error}", check="MP-BND-002") from error
        batches: Iterator[pa.RecordBatch] = iter(())
        if file.rows:  # else there may be a header alone
            excel = file.profile == "excel"
            batches = read_back(path, schema, self.bundle.workspace, excel=excel)
        return pa.RecordBatchReader.from_batches(schema, _counted(path, batches, file.rows))

    @cached_property
    def _schemas(self) -> dict[str, TableSchema]:
        schemas = {}
        for name, taken in self._taken.items():
            described = _described(self.bundle.file(taken.schema_file))
            schemas[name] = replace(
                described,
                table=replace(described.table, rows=taken.rows),
                columns=taken.columns or described.columns,
            )
        return schemas

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.bundle.close()


def _described(path: Path) -> TableSchema:
    """What a `TABLE_schema.json` says. Raises `DataError` where it is none."""
    try:
        parts = json.loads(path.read_bytes())
        table = {name: parts.pop(name) for name in ("name", "kind", "rows", "comment")}
        return TypeAdapter(TableSchema).validate_python({"table": table, **parts})
    except (ValueError, KeyError, AttributeError) as error:  # pydantic's is a ValueError
        raise DataError(
            f"{path}: this does not describe a table",
            hint="ask for the bundle again",
            check="MP-BND-002",
        ) from error


def readable(taken: BundleTable) -> list[DataFile]:
    """The table's files that can be read back, the quickest first."""
    found = [file for file in taken.files if file.format in _PREFERRED]
    return sorted(found, key=lambda file: _PREFERRED.index(file.format))


def _counted(
    path: Path, batches: Iterator[pa.RecordBatch], expected: int
) -> Iterator[pa.RecordBatch]:
    rows = 0
    for batch in batches:
        rows += len(batch)
        yield batch
    if rows != expected:
        raise DataError(
            f"{path}: it has {rows} rows instead of {expected}",
            hint="ask for the bundle again",
            check="MP-BND-006",
        )


class Loaded(Mapping[str, "pd.DataFrame"]):
    """The tables of a bundle by name, read when they are asked for, typed to the last digit."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with BundleSource(path) as source:
            self._names = [table.name for table in source.tables() if table.rows is not None]

    def __getitem__(self, name: str) -> pd.DataFrame:
        """A table as a data frame; its columns are Arrow's, so that none becomes a float."""
        import pandas as pd  # noqa: PLC0415 - only where a data frame is wanted

        frame: pd.DataFrame = self.arrow(name).to_pandas(types_mapper=pd.ArrowDtype)
        return frame

    def arrow(self, name: str) -> pa.Table:
        """A table as Arrow has it."""
        if name not in self._names:
            raise KeyError(name)
        with BundleSource(self._path) as source:
            table = source.scan(name).read_all()
        for place, field in enumerate(table.schema):
            if logical_type(field) is LogicalType.NUMBER:
                numbers = _decimals(table.column(place))
                table = table.set_column(place, field.name, numbers)
        return table

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def load(path: str | Path) -> Loaded:
    """The tables of a bundle that a client sent, a folder or a zip.

    `load(path)["COLORS"]` is a pandas data frame, `load(path).arrow("COLORS")` an Arrow table.
    Numbers without a fixed precision are decimals with as many places as the longest needs; they
    stay text where one has more than 76 digits. Raises `NotFoundError` where there is no bundle,
    `DataError` where it is not whole, or a file is not what the manifest says.
    """
    return Loaded(Path(path))


def _decimals(text: Any) -> Any:
    """Exact numbers of any length as decimals, where Arrow has room for them."""
    digits = pc.replace_substring_regex(text, r"^-?0*|\..*$", "")
    places = pc.replace_substring_regex(text, r"^[^.]*\.?", "")
    whole, scale = (pc.max(pc.binary_length(part)).as_py() or 0 for part in (digits, places))
    if whole + scale > _MOST_DIGITS:
        return text
    wide = whole + scale > 38  # what 128 bits hold
    shape = (max(whole + scale, 1), scale)
    return text.cast(pa.decimal256(*shape) if wide else pa.decimal128(*shape))
