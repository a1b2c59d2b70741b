"""The contract: the columns that the business uses, what their cells hold, how each is found."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType

import pyarrow as pa

from marketpulse.colors.spellings import ROUNDED_DIGITS, DateForm
from marketpulse.errors import DataError, UsageError
from marketpulse.formats.encode import LogicalType, logical_type, value_type
from marketpulse.sources.names import fold_name


class Kind(StrEnum):
    """The kind of a column's values, for ranking and for rules."""

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
KEYS = {"rank": "RANK", "date": "DATE", "price": "PX"}  # the role that each key compares
NEVER_MISSING = ("MESSAGE_ID", "CUSIP")  # a row without one of them is rejected
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


@dataclass(frozen=True, kw_only=True)
class InputColumn:
    """A column of the input. `place` counts from 0; `role` is its name in the contract, if any.

    A column loses its role to another one with `--map date=DATE_1`: it stays a date, but the
    ranking and the rules read the other one as DATE. `declared` is a column beyond the contract
    that has its kind from `--type`.
    """

    place: int
    field: pa.Field
    role: str | None
    kind: Kind
    declared: bool = False
    date_form: DateForm | None = None  # of dates in text and numbers, by permission
    rounded_ids: bool = False  # whether ids that a spreadsheet has rounded are permitted

    @property
    def name(self) -> str:
        """The column's name as the input spells it."""
        return str(self.field.name)

    @property
    def label(self) -> str:
        """The name as messages show it."""
        return self.name.strip()

    @property
    def contract_name(self) -> str | None:
        """The column's role, or its own name if the contract has it."""
        own = fold_name(self.name).upper()
        return self.role or (own if own in CONTRACT else None)

    @property
    def is_checked(self) -> bool:
        """Whether a cell that is not of the column's kind rejects its row."""
        return self.declared or self.contract_name is not None

    @property
    def logical_type(self) -> LogicalType | None:
        """What the column's text stands for; None for a typed column.

        Numbers that `--date-format` permits as dates are read by their text.
        """
        if self.date_form and _is_plain_number(self.field.type):
            return LogicalType.NUMBER
        return logical_type(self.field)

    @property
    def is_id(self) -> bool:
        """Whether the cells are MESSAGE_IDs."""
        return self.contract_name == "MESSAGE_ID"

    @property
    def translation(self) -> str | None:
        """The SQL macro that translates a permitted spelling; None if there is none."""
        if self.date_form and self.logical_type:
            return self.date_form.macro
        return ROUNDED_DIGITS if self.rounded_ids and self.logical_type else None


class Columns:
    """The input's columns, in its order, found by name or by role."""

    def __init__(self, columns: Sequence[InputColumn]) -> None:
        self.all = tuple(columns)
        self._by_name = {fold_name(column.name): column for column in columns}
        self._by_role = {column.role: column for column in columns if column.role}

    def role(self, name: str) -> InputColumn:
        """The column of a role. Raises `KeyError` if the input lacks it."""
        return self._by_role[name]

    def find(self, name: str) -> InputColumn | None:
        """The column of this role or name, ignoring case and outer blanks."""
        folded = fold_name(name)
        # The role comes first: after --map price=MID, a rule on PX means MID.
        return self._by_role.get(folded.upper()) or self._by_name.get(folded)

    def permit(
        self, date_forms: Mapping[str | None, DateForm], *, rounded_ids: bool = False
    ) -> Columns:
        """The same columns with these forms of dates, by column; None stands for all of them.

        Raises `DataError` if a name is neither a column nor in the contract, or holds no dates.
        """
        forms: dict[InputColumn, DateForm] = {}
        for name, form in date_forms.items():
            if name is None:
                continue
            column = self.find(KEYS.get(fold_name(name), name))
            if column and column.kind is Kind.DATE:
                forms[column] = form
            elif column or CONTRACT.get(fold_name(name).upper(), Kind.TEXT) is not Kind.DATE:
                problem = "holds no dates" if column else "is not a column"
                raise DataError(
                    f"--date-format: {name!r} {problem}{'' if column else self.suggest(name)}",
                    hint="name a column of dates, such as DATE=M/D/YYYY",
                    check="MP-DAT-014",
                )
        permitted = []
        for column in self.all:
            is_date = column.kind is Kind.DATE
            permitted.append(
                replace(
                    column,
                    date_form=forms.get(column, date_forms.get(None)) if is_date else None,
                    rounded_ids=rounded_ids and column.is_id,
                )
            )
        return Columns(permitted)

    def suggest(self, name: str) -> str:
        """`, did you mean X?` with the nearest column, or nothing."""
        known = {column.label.casefold(): column.label for column in self.all}
        return suggest(name, known | {role.casefold(): role for role in self._by_role})


def suggest(name: str, known: Mapping[str, str]) -> str:
    """`, did you mean X?` with the value of the key nearest to `name`, or nothing.

    The keys are in lower case.
    """
    matches = get_close_matches(fold_name(name), known, n=1, cutoff=0.5)
    return f", did you mean {known[matches[0]]}?" if matches else ""


def parse_hierarchy(text: str | Sequence[str]) -> tuple[str, ...]:
    """The order of the three keys, each once. Raises `UsageError`."""
    parts = text.split(",") if isinstance(text, str) else list(text)
    keys = tuple(part.strip().lower() for part in parts)
    for key in keys:
        if key not in HIERARCHY:
            raise UsageError(
                f"--hierarchy: {key!r} is not a key{suggest(key, {name: name for name in KEYS})}",
                hint="the keys are rank, date and price, each once, for instance rank,date,price",
            )
    if sorted(keys) != sorted(HIERARCHY):
        raise UsageError(
            f"--hierarchy: {','.join(keys)} does not name each of rank, date and price once",
            hint="for instance rank,date,price",
        )
    return keys


def parse_mapping(pairs: Sequence[str]) -> dict[str, str]:
    """The column of each role in `price=MID_PRICE` and the like. Raises `UsageError`."""
    mapping: dict[str, str] = {}
    for pair in pairs:
        key, equals, column = pair.partition("=")
        if not (equals and key.strip() and column.strip()):
            raise UsageError(f"--map: {pair!r} is not NAME=COLUMN", hint="--map price=MID_PRICE")
        role = KEYS.get(key.strip().lower(), key.strip().upper())
        if role not in CONTRACT:
            known = {name.casefold(): name for name in (*KEYS, *CONTRACT)}
            raise UsageError(
                f"--map: {key.strip()!r} is not a column of the contract{suggest(key, known)}",
                hint="the names are " + ", ".join((*KEYS, *CONTRACT)),
            )
        if role in mapping:
            raise UsageError(f"--map: {role} is mapped twice", hint="map each name once")
        mapping[role] = column.strip()
    return mapping


def parse_types(pairs: Sequence[str]) -> dict[str, Kind]:
    """The kinds of columns beyond the contract: `SPREAD=number`. Raises `UsageError`."""
    types: dict[str, Kind] = {}
    folded: set[str] = set()
    for pair in pairs:
        # A column's name may contain an equals sign; a kind does not.
        name, equals, kind = (part.strip() for part in pair.rpartition("="))
        if not (equals and name and kind):
            raise UsageError(f"--type: {pair!r} is not COLUMN=TYPE", hint="--type SPREAD=number")
        if kind.lower() not in {*Kind}:
            raise UsageError(
                f"--type: {name}: {kind!r} is not a type"
                f"{suggest(kind, {known.value: known.value for known in Kind})}",
                hint=f"the types are {', '.join(Kind)}",
            )
        if fold_name(name).upper() in CONTRACT:
            raise UsageError(
                f"--type: {name} is a column of the contract, and has its type from there",
                hint="leave it out; if the column means something else, rename it",
            )
        if fold_name(name) in folded:
            raise UsageError(f"--type: {name} has two types", hint="name each column once")
        folded.add(fold_name(name))
        types[name] = Kind(kind.lower())
    return types


def resolve_columns(
    schema: pa.Schema,
    mapping: Mapping[str, str],
    first_rows: Sequence[tuple[int, tuple[str, ...]]] = (),
    *,
    types: Mapping[str, Kind] = MappingProxyType({}),
) -> Columns:
    """Find the contract's columns in an input.

    Any other column has the kind that `types` declares, or else that of its type.

    A mapped column takes its role away from the column of that name, which keeps its kind.

    `first_rows` are rows below the header, with their numbers: one of them is the real header if
    the file begins with a title. Only the error for a missing column needs them.

    Raises `DataError` for a missing column, two columns of the same name, or a reserved name.
    """
    header = _find_header(first_rows, mapping)
    roles = _mapped_roles(schema, mapping, header)
    declared = _declared_kinds(schema, roles, types)
    columns = []
    names: dict[str, str] = {}
    for place, field in enumerate(schema):
        folded = fold_name(field.name)
        own_role = folded.upper() if folded.upper() in CONTRACT else None
        role = roles.get(folded) or (own_role if own_role not in mapping else None)
        if folded in names:
            raise DataError(
                f"the columns {names[folded]!r} and {field.name!r} have the same name",
                hint="names are compared ignoring case and surrounding blanks",
                check="MP-DAT-008",
            )
        names[folded] = field.name
        if folded.upper() in RESERVED:
            raise _reserved_error(field.name)
        contract_name = role or own_role
        own_kind = declared.get(folded) or _kind_of_type(field)
        kind = CONTRACT[contract_name] if contract_name else own_kind
        is_declared = folded in declared
        columns.append(
            InputColumn(place=place, field=field, role=role, kind=kind, declared=is_declared)
        )
    _require_roles(columns, header)
    _refuse_bytes(columns)
    return Columns(columns)


def _refuse_bytes(columns: Sequence[InputColumn]) -> None:
    """Refuse bytes where the contract has values. Impala and old Hive write text so to Parquet."""
    types = pa.types
    for column in columns:
        data_type = column.field.type
        is_bytes = types.is_binary(data_type) or types.is_large_binary(data_type)
        is_bytes = is_bytes or types.is_fixed_size_binary(data_type)
        if column.contract_name and is_bytes:
            raise DataError(
                f"the column {column.label!r} holds bytes ({data_type}), not values",
                hint="write the column as text, for instance with CAST(... AS STRING)",
                check="MP-DAT-018",
            )


def without_run_columns(schema: pa.Schema) -> list[str]:
    """The names of an earlier result's columns, without those that a run adds.

    Raises `DataError` if it is not the processed colors of a run.
    """
    names: list[str] = [name for name in schema.names if fold_name(name).upper() not in RUN_COLUMNS]
    if len(names) == len(schema.names):
        raise DataError(
            "--again: the input has none of the columns that a run adds",
            hint="leave out --again, or give the processed_colors of a run",
            check="MP-DAT-014",
        )
    return names


def _reserved_error(name: str) -> DataError:
    is_processed = fold_name(name).upper() in RUN_COLUMNS
    remedy = (
        "rank the processed colors of a run with --again"
        if is_processed
        else "these are the excluded or rejected rows of a run: rank its input instead"
    )
    return DataError(
        f"the column name {name!r} is reserved for the output",
        hint=f"{remedy}, or rename the column",
        check="MP-DAT-013",
    )


def _find_header(
    rows: Sequence[tuple[int, tuple[str, ...]]], mapping: Mapping[str, str]
) -> str | None:
    """The hint that a row below the first names the columns; None if no row does."""
    names = {fold_name(mapping.get(role, role)) for role in NEVER_MISSING}
    for number, cells in rows:
        if names <= set(map(fold_name, cells)):
            above = "row above it" if number == 2 else f"{number - 1} rows above it"
            return (
                f"row {number} looks like the header: delete the {above}, or name it, in XLSX, "
                f"with --header-row {number}"
            )
    return None


def _mapped_roles(
    schema: pa.Schema, mapping: Mapping[str, str], header: str | None
) -> dict[str, str]:
    """The role of each mapped column, by its folded name."""
    names = {fold_name(name): name.strip() for name in schema.names}
    roles: dict[str, str] = {}
    for role, column in mapping.items():
        folded = fold_name(column)
        if folded not in names:
            raise DataError(
                f"--map: the input has no column {column!r}{suggest(column, names)}",
                hint=header or f"its columns are {', '.join(names.values())}",
                check="MP-DAT-014",
            )
        if folded in roles:
            raise DataError(
                f"--map: {column!r} is mapped to both {roles[folded]} and {role}",
                hint="map each column once",
                check="MP-DAT-014",
            )
        roles[folded] = role
    return roles


def _declared_kinds(
    schema: pa.Schema, roles: Mapping[str, str], types: Mapping[str, Kind]
) -> dict[str, Kind]:
    """The kind of each declared column, by its folded name."""
    names = {fold_name(name): name.strip() for name in schema.names}
    kinds: dict[str, Kind] = {}
    for column, kind in types.items():
        folded = fold_name(column)
        if folded not in names:
            raise DataError(
                f"--type: the input has no column {column!r}{suggest(column, names)}",
                hint=f"its columns are {', '.join(names.values())}",
                check="MP-DAT-014",
            )
        if folded in roles:
            raise DataError(
                f"--type: {column!r} is mapped to {roles[folded]}, and has its type from there",
                hint="leave out its type",
                check="MP-DAT-014",
            )
        kinds[folded] = kind
    return kinds


def _require_roles(columns: Sequence[InputColumn], header: str | None) -> None:
    roles = {column.role for column in columns}
    missing = [role for role in (*NEVER_MISSING, *KEYS.values()) if role not in roles]
    if missing and not columns:
        raise DataError(
            "the input has no columns",
            hint="without colors, too, it has to name its columns, as the header of CSV does",
            check="MP-DAT-014",
        )
    if missing:
        names = ", ".join(column.label.replace("\n", "\\n") for column in columns)
        raise DataError(
            f"the input has no {'column' if len(missing) == 1 else 'columns'} {', '.join(missing)}",
            hint=header
            or f"if the column has another name: {_suggest_mapping(missing, columns)}; "
            f"the columns are {names}"
            + ("; \\n is a line break in a name: rename the column" if "\\n" in names else ""),
            check="MP-DAT-014",
        )


def _suggest_mapping(missing: Sequence[str], columns: Sequence[InputColumn]) -> str:
    """The options that would name the missing columns: the nearest, or else NAME."""
    others = {
        fold_name(column.name): column.label
        for column in columns
        if column.contract_name is None and "\n" not in column.label
    }
    keys = {role: key for key, role in KEYS.items()}
    options = []
    for role in missing:
        key = keys.get(role, role.lower())
        near = [
            *get_close_matches(key, others, n=1, cutoff=0.6),
            *get_close_matches(role.lower(), others, n=1, cutoff=0.6),
        ]
        name = others.pop(near[0]) if near else "NAME"
        options.append(f"--map {key}={shlex.quote(name)}")
    return " ".join(options)


def _is_plain_number(data_type: pa.DataType) -> bool:
    types = pa.types
    is_exact = types.is_integer(data_type) or types.is_decimal(data_type)
    return bool(is_exact or types.is_floating(data_type))


def _kind_of_type(field: pa.Field) -> Kind:
    """The kind of a column beyond the contract."""
    types = pa.types
    if value_type(field) in {LogicalType.NUMBER, LogicalType.FLOAT}:
        return Kind.NUMBER
    if types.is_integer(field.type) or types.is_decimal(field.type):
        return Kind.NUMBER
    if types.is_floating(field.type):
        return Kind.NUMBER
    if value_type(field) is LogicalType.DATE or types.is_date(field.type):
        return Kind.DATE
    return Kind.DATE if types.is_timestamp(field.type) else Kind.TEXT
