"""The contract: which columns the business uses, what their cells may hold, how each is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

import pyarrow as pa

from marketpulse.errors import DataError, UsageError
from marketpulse.formats.encode import LogicalType, logical_type


class Kind(StrEnum):
    """What a column's cells are values of, for ranking and for rules."""

    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    TEXT = "text"


CONTRACT: dict[str, Kind] = {
    "MESSAGE_ID": Kind.INTEGER,
    "TICKER": Kind.TEXT,
    "SECTOR": Kind.TEXT,
    "CUSIP": Kind.TEXT,
    "DATE": Kind.DATE,
    "PRICE_LEVEL": Kind.NUMBER,
    "BID": Kind.NUMBER,
    "ASK": Kind.NUMBER,
    "PX": Kind.NUMBER,
    "SOURCE": Kind.TEXT,
    "BIAS": Kind.TEXT,
    "RANK": Kind.INTEGER,
    "COV_PRICE": Kind.NUMBER,
    "PERCENT_DIFF": Kind.NUMBER,
    "PRICE_DIFF": Kind.NUMBER,
    "CONFIDENCE": Kind.INTEGER,
    "DATE_1": Kind.DATE,
    "DIFF_STATUS": Kind.TEXT,
}
HIERARCHY = ("rank", "date", "price")
KEYS = {"rank": "RANK", "date": "DATE", "price": "PX"}
NEVER_MISSING = ("MESSAGE_ID", "CUSIP")
RUN_COLUMNS = (
    "RUN_ID",
    "PROCESSED_AT",
    "PROCESSING_TYPE",
    "IS_PARENT",
    "PARENT_MESSAGE_ID",
    "CHILDREN_COUNT",
    "GROUP_POSITION",
)
RESERVED = (*RUN_COLUMNS, "RULE_ID", "REASON", "RAW_LINE")


@dataclass(frozen=True)
class InputColumn:
    """A column of the input: `place` counts from 0, `role` is its name in the contract, if any."""

    place: int
    field: pa.Field
    role: str | None
    kind: Kind

    @property
    def name(self) -> str:
        """The column's name as the input spells it."""
        return str(self.field.name)

    @property
    def label(self) -> str:
        """The name as messages show it."""
        return self.name.strip()

    @property
    def logical_type(self) -> LogicalType | None:
        """What its text stands for; None where the column is typed."""
        return logical_type(self.field)


class Columns:
    """The input's columns, in its order, found by name or by role."""

    def __init__(self, columns: Sequence[InputColumn]) -> None:
        self.all = tuple(columns)
        self._by_name = {column.name.strip().casefold(): column for column in columns}
        self._by_role = {column.role: column for column in columns if column.role}

    def role(self, name: str) -> InputColumn:
        """The column of this role; it is known to be there."""
        return self._by_role[name]

    def find(self, name: str) -> InputColumn | None:
        """The column that a user calls so: by its role or its own name, case and blanks aside."""
        folded = name.strip().casefold()
        return self._by_role.get(folded.upper()) or self._by_name.get(folded)

    def nearest(self, name: str) -> str:
        """The known name that is most like this one."""
        known = {it.label.casefold(): it.label for it in self.all} | {
            role.casefold(): role for role in self._by_role
        }
        return nearest(name, known)


def nearest(name: str, known: Mapping[str, str]) -> str:
    """The value whose folded key is most like `name`, as `, did you mean X?`, or nothing."""
    found = get_close_matches(name.strip().casefold(), known, n=1, cutoff=0.5)
    return f", did you mean {known[found[0]]}?" if found else ""


def parse_hierarchy(text: str | Sequence[str]) -> tuple[str, ...]:
    """The order of the three keys, each once. Raises `UsageError`."""
    parts = text.split(",") if isinstance(text, str) else list(text)
    keys = tuple(part.strip().lower() for part in parts)
    for key in keys:
        if key not in HIERARCHY:
            guess = nearest(key, {name: name for name in HIERARCHY})
            raise UsageError(
                f"--hierarchy: {key!r} is not a key{guess}",
                hint="the keys are rank, date and price, each once, for instance rank,date,price",
            )
    if sorted(keys) != sorted(HIERARCHY):
        raise UsageError(
            f"--hierarchy: {','.join(keys)} does not name each of rank, date and price once",
            hint="for instance rank,date,price",
        )
    return keys


def parse_mapping(pairs: Sequence[str]) -> dict[str, str]:
    """`price=MID_PRICE` and its like: role to input column. Raises `UsageError`."""
    mapping: dict[str, str] = {}
    for pair in pairs:
        key, equals, column = pair.partition("=")
        if not (equals and key.strip() and column.strip()):
            raise UsageError(f"--map: {pair!r} is not NAME=COLUMN", hint="--map price=MID_PRICE")
        role = KEYS.get(key.strip().lower(), key.strip().upper())
        if role not in CONTRACT:
            known = {name.casefold(): name for name in (*KEYS, *CONTRACT)}
            raise UsageError(
                f"--map: {key.strip()!r} is not a column of the contract{nearest(key, known)}",
                hint="the names are " + ", ".join((*KEYS, *CONTRACT)),
            )
        if role in mapping:
            raise UsageError(f"--map: {role} is mapped twice", hint="map each name once")
        mapping[role] = column.strip()
    return mapping


def resolve(schema: pa.Schema, mapping: Mapping[str, str]) -> Columns:
    """Find the contract's columns in an input. Unknown columns keep the kind of their type.

    Raises `DataError` for a column that is missing, two of one name, or a name that the output
    reserves.
    """
    roles = _mapped(schema, mapping)
    columns = []
    taken: dict[str, str] = {}
    for place, field in enumerate(schema):
        folded = field.name.strip().casefold()
        role = roles.get(folded)
        if role is None and folded.upper() in CONTRACT:
            role = folded.upper()
        for name in {folded, (role or folded).casefold()}:
            if name in taken:
                raise DataError(
                    f"two columns of one name: {taken[name]!r} and {field.name!r}",
                    hint="names are compared without case and outer blanks, after --map",
                    check="MP-DAT-008",
                )
            taken[name] = field.name
        if folded.upper() in RESERVED:
            raise DataError(
                f"the column name {field.name!r} is one that the output adds",
                hint="this may be the output of an earlier run: rank its input instead, "
                "or rename the column",
                check="MP-DAT-013",
            )
        kind = CONTRACT[role] if role else _own_kind(field)
        columns.append(InputColumn(place, field, role, kind))
    found = Columns(columns)
    _require(found, columns)
    return found


def _mapped(schema: pa.Schema, mapping: Mapping[str, str]) -> dict[str, str]:
    names = {name.strip().casefold(): name.strip() for name in schema.names}
    roles: dict[str, str] = {}
    for role, column in mapping.items():
        folded = column.strip().casefold()
        if folded not in names:
            raise DataError(
                f"--map: the input has no column {column!r}{nearest(column, names)}",
                hint=f"its columns are {', '.join(names.values())}",
                check="MP-DAT-014",
            )
        if folded in roles:
            raise DataError(
                f"--map: {column!r} is mapped to both {roles[folded]} and {role}",
                check="MP-DAT-014",
            )
        roles[folded] = role
    return roles


def _require(found: Columns, columns: Sequence[InputColumn]) -> None:
    present = {column.role for column in columns}
    needed = (*NEVER_MISSING, *KEYS.values())
    missing = [name for name in needed if name not in present]
    if missing:
        first = missing[0]
        key = next((key for key, role in KEYS.items() if role == first), first.lower())
        raise DataError(
            f"the input has no column {' and no column '.join(missing)}{found.nearest(first)}",
            hint=f"if it has another name there: --map {key}=NAME; "
            f"its columns are {', '.join(column.label for column in columns)}",
            check="MP-DAT-014",
        )


def _own_kind(field: pa.Field) -> Kind:
    types = pa.types
    if logical_type(field) in {LogicalType.NUMBER, LogicalType.FLOAT}:
        return Kind.NUMBER
    if types.is_integer(field.type) or types.is_decimal(field.type):
        return Kind.NUMBER
    if types.is_floating(field.type):
        return Kind.NUMBER
    if logical_type(field) is LogicalType.DATE or types.is_date(field.type):
        return Kind.DATE
    return Kind.DATE if types.is_timestamp(field.type) else Kind.TEXT
