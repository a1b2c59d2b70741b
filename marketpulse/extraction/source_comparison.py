"""Compares what two sources hold: tables, columns, types and keys, then a profile of the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation

from marketpulse.errors import NotFoundError, UsageError
from marketpulse.extraction.catalog import find_tables
from marketpulse.extraction.column_profile import ColumnProfile, profile_columns
from marketpulse.model import Progress, SourceInfo, TableSchema, progress_stage
from marketpulse.sources import Source

# A side of a difference: a name, a count, a value as text, the columns of keys; None is nothing.
Side = str | int | bool | list[str] | None
_DATABASES = {"oracle", "demo"}
_NO_ROWS = "MP-BND-007"  # of the bundle's error


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What two sources have differently. `column` is empty for what is about a whole table.

    `what` is `table`, `column`, `order`, `type`, `nullable`, `mask`, `primary key`, `unique keys`,
    `foreign keys`, `rows`, `nulls`, `distinct`, `lowest` or `highest`.
    """

    table: str
    column: str
    what: str
    left: Side
    right: Side


@dataclass(frozen=True, kw_only=True)
class SkippedRows:
    """A table whose rows were not compared, because one source does not have all of them."""

    table: str
    why: str


@dataclass(frozen=True, kw_only=True)
class SourceComparison:
    """The result of `compare_sources`."""

    left: SourceInfo
    right: SourceInfo
    tables: tuple[str, ...]
    differences: tuple[Difference, ...]
    skipped: tuple[SkippedRows, ...]

    def as_json(self) -> dict[str, object]:
        """Return all of it, and whether both sides are equal."""
        content = asdict(self)
        return {"equal": not self.differences, **content}


def compare_sources(
    left: Source, right: Source, names: Sequence[str], *, schema_only: bool, progress: Progress
) -> SourceComparison:
    """Compare tables of two sources: those that a user names, or all of both.

    Of a database only the tables of the other side are compared, unless that is a database, too.
    Files are one table, whatever it is called on the other side. Rows are compared by their number
    and the profile of each column.

    Raises `NotFoundError` if neither source has a table that is named, `UsageError` if several are
    named and one source is files, and what `Source.scan` raises.
    """
    pairs = list(_pairs(left, right, names))
    common = [(on_left, on_right) for _, on_left, on_right in pairs if on_left and on_right]
    schemas = (
        source.describe_all([pair[side] for pair in common]) if common else []
        for side, source in enumerate((left, right))
    )
    on_both = zip(*schemas, strict=True)
    differences: list[Difference] = []
    skipped: list[SkippedRows] = []
    for table, on_left, on_right in pairs:
        if on_left is None or on_right is None:
            differences.append(
                Difference(table=table, column="", what="table", left=on_left, right=on_right)
            )
            continue
        described = next(on_both)
        differences += _schema_differences(table, *described)
        if not schema_only:
            try:
                with progress_stage(progress, table):
                    differences += _row_differences(table, (left, right), described)
            except NotFoundError as error:  # a bundle may describe a table without its rows
                if error.check != _NO_ROWS:
                    raise
                skipped.append(SkippedRows(table=table, why=error.message))
    return SourceComparison(
        left=left.info(),
        right=right.info(),
        tables=tuple(table for table, *_ in pairs),
        differences=tuple(differences),
        skipped=tuple(skipped),
    )


def _pairs(
    left: Source, right: Source, names: Sequence[str]
) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield each table that is compared, and its name on both sides."""
    kinds = [source.info().kind for source in (left, right)]
    if "files" in kinds:
        if len(names) > 1:
            raise UsageError(
                "files count as one table, but several are named",
                hint="name the table of the other side",
            )
        on_left, on_right = (_only_table(source, names) for source in (left, right))
        yield on_left, on_left, on_right
        return
    tables = [{table.name for table in source.tables()} for source in (left, right)]
    is_database = [kind in _DATABASES for kind in kinds]
    if names:
        wanted = _named_tables(left, right, names)
    elif is_database[0] != is_database[1]:
        # Of the many tables of a database only some are in a bundle.
        wanted = tables[1] if is_database[0] else tables[0]
    else:
        wanted = tables[0] | tables[1]
    for name in sorted(wanted):
        yield (name, name if name in tables[0] else None, name if name in tables[1] else None)


def _only_table(source: Source, names: Sequence[str]) -> str:
    name = names[0] if names and source.info().kind != "files" else None
    return source.find_table(name)


def _named_tables(left: Source, right: Source, names: Sequence[str]) -> set[str]:
    """Return the tables of either source that have these names."""
    wanted: set[str] = set()
    for name in names:
        found: set[str] = set()
        for source in (left, right):
            try:
                found |= {*find_tables(source, [name])}
            except NotFoundError as error:
                missing = error
        if not found:
            raise missing
        wanted |= found
    return wanted


def _schema_differences(table: str, left: TableSchema, right: TableSchema) -> Iterator[Difference]:
    columns = [{column.name: column for column in schema.columns} for schema in (left, right)]
    common = [name for name in columns[0] if name in columns[1]]
    for name in dict.fromkeys([*columns[0], *columns[1]]):
        sides = [side[name].type if name in side else None for side in columns]
        if None in sides:
            yield Difference(table=table, column=name, what="column", left=sides[0], right=sides[1])
    order = [name for name in columns[1] if name in columns[0]]
    yield from _differences(table, "", {"order": (common, order)})
    for name in common:
        first, second = columns[0][name], columns[1][name]
        facts: dict[str, tuple[Side, Side]] = {
            "type": (first.type, second.type),
            "nullable": (first.nullable, second.nullable),
            "mask": (first.mask or None, second.mask or None),
        }
        yield from _differences(table, name, facts)
    yield from _differences(
        table,
        "",
        {
            "primary key": ([*left.primary_key], [*right.primary_key]),
            "unique keys": (_unique_keys(left), _unique_keys(right)),
            "foreign keys": (_foreign_keys(left), _foreign_keys(right)),
        },
    )


def _unique_keys(schema: TableSchema) -> list[str]:
    return sorted(", ".join(key) for key in schema.unique)


def _foreign_keys(schema: TableSchema) -> list[str]:
    return sorted(
        f"{', '.join(key.columns)} → {key.table} ({', '.join(key.references)})"
        for key in schema.foreign_keys
    )


def _row_differences(
    table: str, sources: tuple[Source, Source], schemas: tuple[TableSchema, TableSchema]
) -> Iterator[Difference]:
    """Yield how the rows differ. Raises what `Source.scan` raises."""
    readable = [
        [column.name for column in schema.columns if not column.unreadable] for schema in schemas
    ]
    names = [name for name in readable[0] if name in readable[1]]
    # Without a common column the rows are counted all the same.
    profiles = [
        profile_columns(source.scan(schema.table.name, names or None))
        for source, schema in zip(sources, schemas, strict=True)
    ]
    rows = [profile[0].rows if profile else 0 for profile in profiles]
    yield from _differences(table, "", {"rows": (rows[0], rows[1])})
    for left, right in zip(*profiles, strict=True) if names else ():
        yield from _profile_differences(table, left, right)


def _profile_differences(
    table: str, left: ColumnProfile, right: ColumnProfile
) -> Iterator[Difference]:
    ranges = {"lowest": (left.lowest, right.lowest), "highest": (left.highest, right.highest)}
    facts: dict[str, tuple[Side, Side]] = {
        "nulls": (left.nulls, right.nulls),
        "distinct": (left.distinct, right.distinct),
        **{what: ends for what, ends in ranges.items() if _value(ends[0]) != _value(ends[1])},
    }
    yield from _differences(table, left.name, facts)


def _value(text: str | None) -> object:
    """Return a number where the text is one: sources write different places after the point."""
    try:
        return Decimal(text or "")
    except InvalidOperation:
        return text


def _differences(
    table: str, column: str, facts: dict[str, tuple[Side, Side]]
) -> Iterator[Difference]:
    for what, (left, right) in facts.items():
        if left != right:
            yield Difference(table=table, column=column, what=what, left=left, right=right)
