"""The masks of a sample: applied to rows, and to everything that may quote them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote

import pyarrow as pa

from marketpulse.bundle import BundleTable
from marketpulse.errors import UsageError
from marketpulse.extraction.catalog import Schemas
from marketpulse.extraction.masks.columns import mask_column, masked_field, refusal
from marketpulse.extraction.masks.key import MaskKey
from marketpulse.extraction.masks.rules import MaskKind, MaskRule, find_masks, fitting_columns
from marketpulse.model import Column, Index, TableSchema, masks_of
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
        self._rules = rules
        self._key = key
        self._schemas = {schema.table.name: schema for schema in schemas.tables}
        self._kinds = self._without_present(find_masks(source, schemas.tables, rules))
        for table, column, kind in self._columns():
            if not column.unreadable and (reason := refusal(column, kind)):
                others = (MaskKind.SHIFT, MaskKind.REDACT)
                possible = " or ".join(other for other in others if not refusal(column, other))
                raise UsageError(
                    f"{table}.{column.name} cannot have the mask {kind}: {reason}",
                    hint=(f"mask it with {possible}, or " if possible else "")
                    + "leave it out with --columns",
                )
        self._refuse_names_of_files(source)
        self._masks = {
            name: masks_of(self._describe(schema).columns) for name, schema in self._schemas.items()
        }

    def of(self, table: str) -> TableMasks | None:
        """Return the masks of a table, if it has any."""
        kinds = self._kinds[table]
        return TableMasks(self._schemas[table], kinds, self._key) if kinds else None

    def describe(self, schemas: Schemas) -> Schemas:
        """Return the schemas with the masks, and without what may quote a value that has one."""
        return replace(schemas, tables=tuple(map(self._describe, schemas.tables)))

    def remarks(self, table: str) -> Iterator[str]:
        """Yield what the masks of a table break, as sentences."""
        schema, masks = self._schemas[table], self._masks[table]
        nullable = {column.name for column in schema.columns if column.nullable}
        for key in dict.fromkeys((schema.primary_key, *schema.unique)):
            redacted = [name for name in key if masks.get(name) == MaskKind.REDACT]
            # Where null is allowed, a redacted value is one, and no null equals another.
            if redacted and nullable.isdisjoint(redacted):
                yield f"the key {', '.join(key)} is no longer unique: {redacted[0]} is redacted"
        for foreign_key in schema.foreign_keys:
            if foreign_key.table not in self._masks:
                continue
            others = self._masks[foreign_key.table]
            for name, target in zip(foreign_key.columns, foreign_key.references, strict=True):
                mask, other = masks.get(name, "none"), others.get(target, "none")
                if mask != other or mask == MaskKind.REDACT:
                    yield (
                        f"{name} no longer joins {foreign_key.table}.{target}: the masks are "
                        f"{mask} and {other}"
                    )

    def find_missed(self, tables: Iterable[BundleTable]) -> Iterator[str]:
        """Yield the columns of earlier tables of a bundle that should have a mask and do not."""
        for table in tables:
            names = [column.name for column in table.columns]
            kinds = {
                column: rule.kind
                for rule in self._rules
                for column in fitting_columns(rule.name, table.name, names)
            }
            for column in table.columns:
                kind = kinds.get(column.name)
                if kind and not self._has(column, kind):
                    yield f"{table.name}.{column.name}"

    def _without_present(
        self, kinds: Mapping[str, Mapping[str, MaskKind]]
    ) -> dict[str, dict[str, MaskKind]]:
        """Leave out the masks that columns of a bundle have already."""
        return {
            name: {
                column.name: kinds[name][column.name]
                for column in schema.columns
                if column.name in kinds[name] and not self._has(column, kinds[name][column.name])
            }
            for name, schema in self._schemas.items()
        }

    def _has(self, column: Column, kind: MaskKind) -> bool:
        # Of a redacted value nothing is left to mask. A mask of another key can be masked again.
        return column.mask == MaskKind.REDACT or column.mask.endswith(self._label(kind))

    def _label(self, kind: MaskKind) -> str:
        if self._key is None or kind is MaskKind.REDACT:
            return str(kind)
        return f"{kind}:{self._key.fingerprint}"

    def _columns(self) -> Iterator[tuple[str, Column, MaskKind]]:
        for table, schema in self._schemas.items():
            for column in schema.columns:
                if kind := self._kinds[table].get(column.name):
                    yield table, column, kind

    def _describe(self, schema: TableSchema) -> TableSchema:
        kinds = self._kinds[schema.table.name]
        if not kinds:
            return schema
        # SQL that names a column may quote one of its values.
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
        label = self._label(kind)
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
            mask=f"{column.mask}, {label}" if column.mask and ":" in label else label,
        )

    def _refuse_names_of_files(self, source: Source) -> None:
        """Raise `UsageError` if folders such as `CUSIP=037833100` show values that have a mask."""
        info = source.info()
        places = [unquote(place) for place in (info.name, *info.details.values())]
        for _, column, _ in self._columns():
            mark = re.compile(rf"(^|[/\\]){re.escape(column.name)}=", re.IGNORECASE)
            if any(mark.search(place) for place in places):
                raise UsageError(
                    f"{column.name} cannot be masked: the names of folders have its values",
                    hint="leave out the mask, or read files that are in no such folders",
                )


def _mentions(text: str, names: Mapping[str, MaskKind]) -> bool:
    """Whether SQL has one of these names in it."""
    # In Oracle $ and # may be in the middle of a name.
    return any(
        re.search(rf"(?<![\w$#]){re.escape(name)}(?![\w$#])", text, re.IGNORECASE) for name in names
    )


def _has_expression(index: Index, names: Mapping[str, MaskKind]) -> bool:
    """Whether an index is on more than columns, and one of these names is in it."""
    return any(part not in names and _mentions(part, names) for part in index.columns)
