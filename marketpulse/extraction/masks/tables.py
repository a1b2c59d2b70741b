"""The masks of a sample: applied to rows, and to everything that may quote them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from marketpulse.errors import UsageError
from marketpulse.extraction.catalog import Schemas
from marketpulse.extraction.masks.columns import mask_column, masked_field, refusal
from marketpulse.extraction.masks.key import MaskKey
from marketpulse.extraction.masks.rules import MaskKind, MaskRule, find_masks
from marketpulse.model import Column, Index, TableSchema
from marketpulse.sources import Source


class TableMasks:
    """The masks of a table's rows."""

    def __init__(
        self, schema: TableSchema, kinds: Mapping[str, MaskKind], key: MaskKey | None
    ) -> None:
        self._kinds = kinds
        self._nullable = {column.name: column.nullable for column in schema.columns}
        self._key = key

    def apply(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows with masks. Raises `DataError` for a cell that can have none."""
        columns = [
            mask_column(column, field, kind, self._nullable[field.name], self._key)
            if (kind := self._kinds.get(field.name))
            else column
            for field, column in zip(rows.schema, rows.columns, strict=True)
        ]
        return pa.record_batch(columns, self.schema(rows.schema))

    def schema(self, schema: pa.Schema) -> pa.Schema:
        """Return the schema of rows with masks."""
        return pa.schema(
            [masked_field(field) if field.name in self._kinds else field for field in schema]
        )

    def hides(self, names: Sequence[str]) -> bool:
        """Whether one of these columns has a mask."""
        return not self._kinds.keys().isdisjoint(names)

    @property
    def can_encrypt(self) -> bool:
        """Whether there is a key; `redact` needs none."""
        return self._key is not None

    def encrypt(self, rows: pa.RecordBatch) -> bytes:
        """Return rows without masks, for the disk."""
        stream = pa.BufferOutputStream()
        with pa.ipc.new_stream(stream, rows.schema) as writer:
            writer.write_batch(rows)
        return self._required_key.encrypt(stream.getvalue().to_pybytes())

    def decrypt(self, content: bytes) -> pa.RecordBatch:
        """Return the rows that were encrypted. Raises `ValueError` if it was by another key."""
        return pa.ipc.open_stream(self._required_key.decrypt(content)).read_next_batch()

    @property
    def _required_key(self) -> MaskKey:
        if self._key is None:
            raise AssertionError("the caller has asked `can_encrypt`")
        return self._key


class SampleMasks:
    """The masks of all tables of a sample.

    Raises `NotFoundError` for a rule that no column fits, and `UsageError` for a mask that a column
    cannot have. Without a key there is only `redact`.
    """

    def __init__(
        self, source: Source, schemas: Schemas, rules: Sequence[MaskRule], key: MaskKey | None
    ) -> None:
        self._kinds = find_masks(source, schemas.tables, rules)
        self._key = key
        self._schemas = {schema.table.name: schema for schema in schemas.tables}
        for table, column, kind in self._columns():
            if not column.unreadable and (reason := refusal(column, kind)):
                raise UsageError(
                    f"{table}.{column.name} cannot have the mask {kind}: {reason}",
                    hint="mask it with redact, or leave it out with --columns",
                )
        self._refuse_names_of_files(source)

    def of(self, table: str) -> TableMasks | None:
        """Return the masks of a table, if it has any."""
        kinds = self._kinds[table]
        return TableMasks(self._schemas[table], kinds, self._key) if kinds else None

    def describe(self, schemas: Schemas) -> Schemas:
        """Return the schemas with the masks, and without what may quote a value that has one."""
        return replace(schemas, tables=tuple(map(self._describe, schemas.tables)))

    def remarks(self, table: str) -> Iterator[str]:
        """Yield what the masks of a table break, as sentences."""
        for key in self._schemas[table].foreign_keys:
            if key.table not in self._kinds:
                continue
            for name, target in zip(key.columns, key.references, strict=True):
                kind, other = self._kinds[table].get(name), self._kinds[key.table].get(target)
                if kind is not other or kind is MaskKind.REDACT:
                    yield (
                        f"{name} no longer joins {key.table}.{target}: the masks are "
                        f"{kind or 'none'} and {other or 'none'}"
                    )

    def _columns(self) -> Iterator[tuple[str, Column, MaskKind]]:
        for table, schema in self._schemas.items():
            for column in schema.columns:
                if kind := self._kinds[table].get(column.name):
                    yield table, column, kind

    def _describe(self, schema: TableSchema) -> TableSchema:
        kinds = self._kinds[schema.table.name]
        if not kinds:
            return schema
        columns = (
            self._describe_column(column, kinds[column.name])
            if column.name in kinds
            else replace(column, default="" if _mentions(column.default, kinds) else column.default)
            for column in schema.columns
        )
        return replace(
            schema,
            columns=tuple(columns),
            checks=tuple(check for check in schema.checks if not _mentions(check, kinds)),
            indexes=tuple(index for index in schema.indexes if not _has_expression(index, kinds)),
        )

    def _describe_column(self, column: Column, kind: MaskKind) -> Column:
        label = (
            str(kind)
            if self._key is None or kind is MaskKind.REDACT
            else f"{kind}:{self._key.fingerprint}"
        )
        # An enumeration lists its values.
        is_list = "'" in column.type
        return replace(
            column,
            type="VARCHAR" if is_list else column.type,
            arrow_type="string"
            if column.arrow_type.startswith("dictionary")
            else column.arrow_type,
            comment="",
            default="",
            mask=label,
        )

    def _refuse_names_of_files(self, source: Source) -> None:
        """Raise `UsageError` if folders such as `CUSIP=037833100` show values that have a mask."""
        info = source.info()
        places = [info.name, *info.details.values()]
        for _, column, _ in self._columns():
            mark = re.compile(rf"(^|[/\\]){re.escape(column.name)}=", re.IGNORECASE)
            if any(mark.search(place) for place in places):
                raise UsageError(
                    f"{column.name} cannot be masked: the names of folders have its values",
                    hint="leave out the mask, or read files that are in no such folders",
                )


def _mentions(text: str, names: Mapping[str, MaskKind]) -> bool:
    """Whether SQL has one of these names in it."""
    return any(
        re.search(rf"(?<![\w$#]){re.escape(name)}(?![\w$#])", text, re.IGNORECASE) for name in names
    )


def _has_expression(index: Index, names: Mapping[str, MaskKind]) -> bool:
    """Whether an index is on more than columns, and one of these names is in it."""
    return any(part not in names and _mentions(part, names) for part in index.columns)
