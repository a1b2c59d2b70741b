"""A plain, slow model of Run Colors, for tests to compare the engine with.

It follows the domain's rules and shares no code with the engine. It prefers the obvious to the
fast: one row at a time, values compared two by two, nothing but the standard library.
Everything here is text input, as CSV brings it: an empty cell is ''.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cmp_to_key, total_ordering
from typing import Any

Cell = str | None


@dataclass(frozen=True)
class MalformedLine:
    """Read: a line with too few or too many fields, its text kept as it stood."""

    fields: int
    raw: str


Record = Sequence[str] | MalformedLine


@dataclass(frozen=True)
class Outcome:
    """The three outputs of a run, rows without their header."""

    processed: list[list[Cell]]
    excluded: list[list[Cell]]
    rejected: list[list[Cell]]


# --------------------------------------------------------------------------- Cells: the values

INTEGER_COLUMNS = ("MESSAGE_ID", "RANK", "CONFIDENCE")
NUMBER_COLUMNS = ("PRICE_LEVEL", "BID", "ASK", "PX", "COV_PRICE", "PERCENT_DIFF", "PRICE_DIFF")
DATE_COLUMNS = ("DATE", "DATE_1")

NOT_A = {"integer": "an integer", "number": "a number", "date": "a date"}

INTEGER = re.compile(r"[+-]?[0-9]+(?:\.0*)?")
NUMBER = re.compile(r"([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]{1,18}))?")
DATE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?"
    r"(Z|([+-])([0-9]{2})(?::?([0-9]{2}))?)?)?"
)


@total_ordering
@dataclass(frozen=True)
class Number:
    """Cells: an exact number, sign * 0.digits * 10**point; one type for integers and numbers.

    The digits have no zero at either end, so each value has one spelling, and comparing never
    expands an exponent nor rounds. Zero is (0, 0, '').
    """

    sign: int
    point: int
    digits: str

    def __lt__(self, other: Number) -> bool:
        if self.sign != other.sign:
            return self.sign < other.sign
        mine, theirs = (self.point, self.digits), (other.point, other.digits)
        # Without a zero at the front the greater point is the greater size, and at the same
        # point 0.digits compare as their text does ('1' < '15' < '2').
        return theirs < mine if self.sign < 0 else mine < theirs


@total_ordering
@dataclass(frozen=True)
class Instant:
    """Cells: an exact moment in UTC, whole seconds and the digits after them.

    The digits have no zero at the end, so that their text compares as the fraction does.
    """

    seconds: int
    fraction: str

    def __lt__(self, other: Instant) -> bool:
        return (self.seconds, self.fraction) < (other.seconds, other.fraction)


Value = Number | Instant | str | None

DAY = 24 * 60 * 60


def to_number(text: str) -> Number | None:
    """Cells, number: the exact value of a trimmed text, None where it is not a number."""
    match = NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, whole, fraction, bare_fraction, exponent = match.groups(default="")
    digits = whole + fraction + bare_fraction
    point = len(whole) + int(exponent or "0")
    without_front = digits.lstrip("0")
    point -= len(digits) - len(without_front)
    digits = without_front.rstrip("0")
    if not digits:
        return Number(0, 0, "")
    return Number(-1 if sign == "-" else 1, point, digits)


def to_instant(text: str) -> Instant | None:
    """Cells, date: the moment that a trimmed text names, None where it is not a date.

    Without a time it is midnight, without an offset it is UTC.
    """
    match = DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, _, sign, off_hour, off_minute = match.groups(
        default=""
    )
    try:
        days = date(int(year), int(month), int(day)).toordinal()
    except ValueError:
        return None
    if int(hour or "0") > 23 or int(minute or "0") > 59 or int(second or "0") > 59:
        return None
    if int(off_hour or "0") > 23 or int(off_minute or "0") > 59:
        return None
    clock = int(hour or "0") * 3600 + int(minute or "0") * 60 + int(second or "0")
    offset = int(off_hour or "0") * 3600 + int(off_minute or "0") * 60
    # Clocks east of Greenwich (+) are ahead: the moment in UTC is earlier. Plain integers, since
    # the first and the last day there is may leave their year here.
    moment = days * DAY + clock + (offset if sign == "-" else -offset)
    return Instant(moment, fraction.rstrip("0"))


# ----------------------------------------------- Cells: spoilt and foreign spellings, by permission

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
CLOCK = re.compile(
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(:(?P<second>[0-9]{2})([.](?P<fraction>[0-9]+))?)?"
    r"( ?(?P<half>[AaPp])[.]?[Mm][.]?)?( ?(?P<offset>Z|[+-][0-9]{2}(:?[0-9]{2})?))?"
)


def foreign_day(form: str, text: str) -> str | None:
    """The day that a date of this form names, as YYYY-MM-DD; it need not exist."""
    slashes, dashes = text.split("/"), text.split("-")
    if form in ("M/D/YYYY", "D/M/YYYY"):
        if [len(part) for part in slashes] not in ([1, 1, 4], [1, 2, 4], [2, 1, 4], [2, 2, 4]):
            return None
        month, day, year = slashes if form == "M/D/YYYY" else (slashes[1], slashes[0], slashes[2])
    elif form in ("DD-MON-YY", "DD-MON-YYYY"):
        width = 2 if form == "DD-MON-YY" else 4
        if [len(part) for part in dashes] not in ([1, 3, width], [2, 3, width]):
            return None
        day, name, year = dashes
        if name.upper() not in MONTHS:
            return None
        month = str(MONTHS.index(name.upper()) + 1)
        if width == 2:
            year = ("20" if year < "50" else "19") + year
    else:
        if re.fullmatch("[0-9]{8}([.]0*)?", text) is None:
            return None
        year, month, day = text[:4], text[4:6], text[6:8]
    if not (year + month + day).isascii() or not (year + month + day).isdigit():
        return None
    return f"{year}-{month.zfill(2)}-{day.zfill(2)}"


def excel_instant(text: str) -> Instant | None:
    """The moment of a serial number: days since the end of 1899, a 29 February 1900 among them."""
    if re.fullmatch("[0-9]{1,7}([.][0-9]*)?", text) is None:
        return None
    whole, _, fraction = text.partition(".")
    days = int(whole)
    if not 1 <= days <= 2958465 or days == 60:
        return None
    first = date(1899, 12, 31) if days < 60 else date(1899, 12, 30)
    exact = Decimal("0." + (fraction or "0")) * DAY * 1000
    milliseconds = int(exact.to_integral_value("ROUND_HALF_UP"))
    seconds, rest = divmod(milliseconds, 1000)
    moment = (first.toordinal() + days) * DAY + seconds
    if moment >= (date.max.toordinal() + 1) * DAY:
        return None
    return Instant(moment, f"{rest:03d}".rstrip("0"))


def foreign_instant(form: str, text: str) -> Instant | None:
    """By permission only: the moment that a date of this form names, with or without a time."""
    if form == "excel":
        return excel_instant(text)
    parts = re.fullmatch("(.*?[0-9.])(?:T| +)([0-9].*)", text)
    day = foreign_day(form, text)
    if day is not None:
        return to_instant(day)
    if parts is None:
        return None
    day, time = foreign_day(form, parts[1]), parts[2]
    if "MON" in form:
        time = re.sub("^([0-9]{1,2})[.]([0-9]{2})[.]([0-9]{2})", r"\1:\2:\3", time)
    clock = CLOCK.fullmatch(time.replace("\xa0", " ").replace("\u202f", " "))
    if day is None or clock is None:
        return None
    hour = int(clock["hour"])
    if clock["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if clock["half"] in "Pp" else 0)
    rest = f":{clock['second']}" if clock["second"] else ""
    rest += f".{clock['fraction']}" if clock["fraction"] else ""
    return to_instant(f"{day} {hour:02d}:{clock['minute']}{rest}{clock['offset'] or ''}")


def rounded_number(text: str) -> Number | None:
    """By permission only: a whole number as a spreadsheet shows it, `1.77E+16`."""
    match = re.fullmatch("[+-]?[0-9]*[.]?[0-9]*[eE][+]?[0-9]{1,3}", text)
    number = to_number(text) if match else None
    # 0.digits * 10**point is whole where the point is not inside the digits.
    return number if number and number.point >= len(number.digits) else None


class BadCellError(Exception):
    """Cells: 'anything else in a known column rejects the row'."""


def value_of(
    kind: str, cell: str, *, date_format: str | None = None, rounded_ids: bool = False
) -> Value:
    """Cells, the table: the value of a cell for ranking and rules, None is null."""
    trimmed = cell.strip()
    if not trimmed:
        return None
    value: Value
    if kind == "text":
        return cell
    if kind == "date":
        value = to_instant(trimmed)
        if value is None and date_format is not None:
            value = foreign_instant(date_format, trimmed)
    elif kind == "number":
        if trimmed.lower() == "nan":
            return None
        value = to_number(trimmed)
    else:
        value = to_number(trimmed) if INTEGER.fullmatch(trimmed) else None
        if value is None and rounded_ids:
            value = rounded_number(trimmed)
    if value is None:
        raise BadCellError
    return value


# ----------------------------------------------------------------------- Cells: finding columns

ROLES = {"rank": "RANK", "date": "DATE", "price": "PX"}
REQUIRED = ("MESSAGE_ID", "CUSIP", "RANK", "DATE", "PX")
RESERVED = (
    "RUN_ID",
    "PROCESSED_AT",
    "PROCESSING_TYPE",
    "IS_PARENT",
    "PARENT_MESSAGE_ID",
    "CHILDREN_COUNT",
    "GROUP_POSITION",
    "RULE_ID",
    "REASON",
    "RAW_LINE",
)


# Before the name of a column that has lost its role to another one.
CARRIED = "carried along: "


def plain_name(name: str) -> str:
    """Cells: columns are found by name, case and outer blanks ignored."""
    return name.strip().upper()


@dataclass(frozen=True)
class Column:
    """A column of the input: its place, its own name, its name after the mapping, its type."""

    place: int
    own_name: str
    name: str
    kind: str


def kind_of(name: str) -> str:
    """Cells: a known column has its type, all others are text."""
    if name in INTEGER_COLUMNS:
        return "integer"
    if name in NUMBER_COLUMNS:
        return "number"
    if name in DATE_COLUMNS:
        return "date"
    return "text"


def mapped_names(header: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Cells, the mapping: the name that each mapped column of the input gets."""
    present = [plain_name(own) for own in header]
    mapped: dict[str, str] = {}
    for key, own in mapping.items():
        name = ROLES.get(key.strip().lower(), plain_name(key))
        if plain_name(own) not in present:
            raise ValueError(f"mapping: no column {own}")
        if plain_name(own) in mapped or name in mapped.values():
            raise ValueError(f"mapping: {key} is mapped twice")
        mapped[plain_name(own)] = name
    return mapped


def columns_of(
    header: Sequence[str], mapping: Mapping[str, str], types: Mapping[str, str] = {}
) -> list[Column]:
    """Cells: the columns of an input, after the mapping; twice, reserved, missing: an error.

    `types` are those of columns beyond the contract, which are then read as known columns are.
    """
    declared = {plain_name(own): kind for own, kind in types.items()}
    mapped = mapped_names(header, mapping)
    columns = []
    for place, own in enumerate(header):
        name = mapped.get(plain_name(own), plain_name(own))
        kind = declared.get(plain_name(own), kind_of(name))
        if name in mapped.values() and plain_name(own) not in mapped:
            name = CARRIED + name  # another column has its role
        columns.append(Column(place, own.strip(), name, kind))
    plain = [plain_name(own) for own in header]
    for name in plain:
        if plain.count(name) > 1:
            raise ValueError(f"the column {name} stands twice")
    names = [column.name for column in columns]
    for own in header:
        if plain_name(own) in RESERVED:
            raise ValueError(f"the column {own} is reserved for the output")
    for name in REQUIRED:
        if name not in names:
            raise ValueError(f"no column {name}")
    return columns


# ------------------------------------------------------------------------------ Read: rejection


@dataclass(frozen=True)
class Row:
    """A row that can be used: its cells as they arrived, and their values."""

    cells: list[str]
    values: list[Value]


def raw_line(cells: Sequence[str]) -> str:
    """RAW_LINE of a misfit that came as cells: the line that CSV would have, least quotes."""
    if list(cells) == [""]:
        return '""'  # an empty line would be no row
    fields = []
    for cell in cells:
        quoted = any(mark in cell for mark in ',"\r\n')
        fields.append('"' + cell.replace('"', '""') + '"' if quoted else cell)
    return ",".join(fields)


def reject_misfit(malformed_line: MalformedLine, width: int) -> list[Cell]:
    """Rejected: the number of fields comes first, the cells stay empty, RAW_LINE is filled."""
    fields = malformed_line.fields
    reason = f"{fields} field{'s' if fields != 1 else ''} instead of {width}"
    return [*[""] * width, reason, malformed_line.raw]


def read_row(
    cells: Sequence[str],
    columns: Sequence[Column],
    date_formats: Mapping[str, str] = {},
    rounded_ids: bool = False,
) -> Row | str:
    """Read: the row, or the reason that it is rejected, the first faulty column's.

    Normalise happens here too: the value of CUSIP is trimmed and upper-cased.
    """
    values: list[Value] = []
    for column in columns:
        cell = cells[column.place]
        try:
            value = value_of(
                column.kind,
                cell,
                date_format=date_formats.get(column.name, date_formats.get("")),
                rounded_ids=rounded_ids and column.name.removeprefix(CARRIED) == "MESSAGE_ID",
            )
        except BadCellError:
            return f"{column.own_name}: '{cell}' is not {NOT_A[column.kind]}"
        if value is None and column.name in ("MESSAGE_ID", "CUSIP"):
            return f"{column.own_name}: missing"
        if column.name == "CUSIP":
            value = normal_cusip(cell)
        values.append(value)
    return Row(list(cells), values)


def normal_cusip(cell: str) -> str:
    """Normalise: CUSIP is trimmed and upper-cased."""
    return cell.strip().upper()


# ------------------------------------------------------------------------------ Exclusion rules

# The operators by all their spellings: the name itself and what the table's last column lists.
SPELLINGS = {
    "equals": ("equal to", "is equal to", "eq"),
    "not_equals": ("not equal to", "is not equal to", "ne"),
    "less_than": ("less than", "is less than", "lt"),
    "greater_than": ("greater than", "is greater than", "gt"),
    "less_or_equal": ("less than equal to", "lte"),
    "greater_or_equal": ("greater than equal to", "gte"),
    "between": (),
    "contains": (),
    "not_contains": ("does not contain",),
    "starts_with": ("starts with",),
    "ends_with": ("ends with",),
    "in": (),
    "not_in": (),
    "is_null": (),
    "is_not_null": (),
}


def operator_of(spelling: str) -> str:
    """Exclusion rules: the operator's own name, of any of its spellings."""
    wanted = spelling.strip().lower()
    for operator, others in SPELLINGS.items():
        if wanted == operator or wanted in others:
            return operator
    raise ValueError(f"unknown operator {spelling!r}")


def fold(text: str) -> str:
    """Exclusion rules: text is compared without regard to case and outer blanks."""
    return text.strip().lower()


@dataclass(frozen=True)
class NumberSpan:
    """A number that a rule names: it is its own first and last."""

    first: Number

    def before(self, value: Value) -> bool:
        """Say whether the span lies wholly before the value."""
        assert isinstance(value, Number)
        return self.first < value

    def after(self, value: Value) -> bool:
        """Say whether the span lies wholly after the value."""
        assert isinstance(value, Number)
        return value < self.first


@dataclass(frozen=True)
class DateSpan:
    """A date that a rule names: a moment, or without a time its whole day."""

    first: Instant
    whole_day: bool

    def before(self, value: Value) -> bool:
        """Say whether the span is over at the value: a whole day is when the next has begun."""
        assert isinstance(value, Instant)
        if self.whole_day:
            return value >= Instant(self.first.seconds + DAY, "")
        return self.first < value

    def after(self, value: Value) -> bool:
        """Say whether the span lies wholly after the value."""
        assert isinstance(value, Instant)
        return value < self.first


Span = NumberSpan | DateSpan


def number_span(value: Any) -> NumberSpan:
    """Exclusion rules: a rule's number, which may stand as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise TypeError(f"{value!r} is not a number")
    if isinstance(value, float):
        value = repr(value)
    elif isinstance(value, int):
        value = Decimal(value)  # exact, and unlike str() of an int without a limit of digits
    number = to_number(str(value).strip())
    if number is None:
        raise ValueError(f"{value!r} is not a number")
    return NumberSpan(number)


def date_span(value: Any) -> DateSpan:
    """Exclusion rules: a rule's date; without a time it means its whole day."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a date")
    instant = to_instant(value.strip())
    if instant is None:
        raise ValueError(f"{value!r} is not a date")
    return DateSpan(instant, whole_day=":" not in value)


def span_of(kind: str, value: Any) -> Span:
    """Exclusion rules: what a rule names for a number column or a date column."""
    return date_span(value) if kind == "date" else number_span(value)


def rule_text(value: Any) -> str:
    """Exclusion rules: a rule's text, ready to be compared."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    if not value.strip():
        raise ValueError("a value is missing")
    return fold(value)


def items_of(value: Any) -> list[Any]:
    """Exclusion rules, in and not_in: an array, or text with commas."""
    if isinstance(value, str):
        return value.split(",")
    if isinstance(value, Sequence):
        return list(value)
    return [value]


def holds_for_text(operator: str, cell: str, condition: Mapping[str, Any]) -> bool:
    """Exclusion rules, the text column of the table, for a cell that is not null."""
    mine = fold(cell)
    if operator in ("in", "not_in"):
        found = mine in [rule_text(item) for item in items_of(condition["value"])]
        return found if operator == "in" else not found
    theirs = rule_text(condition["value"])
    answers = {
        "equals": mine == theirs,
        "not_equals": mine != theirs,
        "contains": theirs in mine,
        "not_contains": theirs not in mine,
        "starts_with": mine.startswith(theirs),
        "ends_with": mine.endswith(theirs),
    }
    if operator not in answers:
        raise ValueError(f"{operator} is not for text")
    return answers[operator]


def is_within(span: Span, value: Value) -> bool:
    """Exclusion rules: equality; with a whole day, any moment of the day."""
    return not span.before(value) and not span.after(value)


def holds_for_order(kind: str, operator: str, value: Value, condition: Mapping[str, Any]) -> bool:
    """Exclusion rules, the number and the date columns of the table, for a value not null."""
    if operator in ("in", "not_in"):
        spans = [span_of(kind, item) for item in items_of(condition["value"])]
        found = any(is_within(span, value) for span in spans)
        return found if operator == "in" else not found
    span = span_of(kind, condition["value"])
    if operator == "between":
        # Both ends are in: a whole day as the second end is in to its last moment.
        last = span_of(kind, condition["value2"])
        return not span.after(value) and not last.before(value)
    answers = {
        "equals": is_within(span, value),
        "not_equals": not is_within(span, value),
        "less_than": span.after(value),
        "greater_than": span.before(value),
        "less_or_equal": not span.before(value),
        "greater_or_equal": not span.after(value),
    }
    if operator not in answers:
        raise ValueError(f"{operator} is not for a {kind}")
    return answers[operator]


def rule_column(name: str, columns: Sequence[Column]) -> Column:
    """Exclusion rules: the column that a condition names, after the mapping."""
    for column in columns:
        if column.name == plain_name(name):
            return column
    for column in columns:
        if plain_name(column.own_name) == plain_name(name):
            return column
    raise ValueError(f"unknown column {name!r}")


def holds(condition: Mapping[str, Any], row: Row, columns: Sequence[Column]) -> bool:
    """Exclusion rules: whether one condition holds. A null satisfies only is_null."""
    column = rule_column(condition["column"], columns)
    operator = operator_of(condition["operator"])
    value = row.values[column.place]
    if operator == "is_null":
        return value is None
    if value is None:
        return False
    if operator == "is_not_null":
        return True
    if isinstance(value, str):
        return holds_for_text(operator, value, condition)
    return holds_for_order(column.kind, operator, value, condition)


def takes(rule: Mapping[str, Any], row: Row, columns: Sequence[Column]) -> bool:
    """Exclusion rules: conditions fold from left to right, the row leaves when all is true."""
    conditions: Sequence[Mapping[str, Any]] = rule["conditions"]
    result = holds(conditions[0], row, columns)
    for condition in conditions[1:]:
        now = holds(condition, row, columns)
        connector = str(condition["type"]).strip().lower()
        if connector == "and":
            result = result and now
        elif connector == "or":
            result = result or now
        else:
            raise ValueError(f"unknown connector {connector!r}")
    return result


def first_rule(
    rules: Sequence[Mapping[str, Any]], row: Row, columns: Sequence[Column]
) -> str | None:
    """Exclude: the id of the first active rule, in the file's order, that takes the row."""
    for rule in rules:
        if rule.get("is_active", True) and takes(rule, row, columns):
            return str(rule["id"])
    return None


# -------------------------------------------------------------------------------- Group and order


def compare_values(left: Value, right: Value, descending: bool) -> int:
    """Order: -1, 0 or 1 for two values of one column. Nulls come last, descending or not."""
    if left is None or right is None:
        return (left is None) - (right is None)
    if left == right:
        return 0
    # Both have their column's one type, so that less-than is defined.
    ascending = -1 if left < right else 1  # type: ignore[operator] # see above
    return -ascending if descending else ascending


def order_columns(columns: Sequence[Column], hierarchy: Sequence[str]) -> list[Column]:
    """Order: the columns in the order that they decide: hierarchy, MESSAGE_ID, the others."""
    if sorted(key.strip().lower() for key in hierarchy) != sorted(ROLES):
        raise ValueError("the hierarchy is rank, date and price, once each")
    first = [ROLES[key.strip().lower()] for key in hierarchy] + ["MESSAGE_ID"]
    ordered = [column for name in first for column in columns if column.name == name]
    return ordered + [column for column in columns if column.name not in first]


def compare_rows(left: Row, right: Row, ordered: Sequence[Column]) -> int:
    """Order: which of two rows of a group comes first, -1, 0 or 1.

    By value: rank ascending, date newest first, price highest first, in the hierarchy's order;
    then MESSAGE_ID, the later message first, and the remaining columns, ascending. CUSIP is the
    same in the whole group.
    Last by the cells' text, ascending: MESSAGE_ID's, then that of all other columns in the
    input's order. There CUSIP does count: as it arrived, its spelling may be all that two rows
    differ in before a later column's spelling.
    """
    for column in ordered:
        descending = column.name in ("DATE", "PX", "MESSAGE_ID")
        value, other = left.values[column.place], right.values[column.place]
        result = compare_values(value, other, descending)
        if result != 0:
            return result
    message_id = next(column.place for column in ordered if column.name == "MESSAGE_ID")
    for place in (message_id, *range(len(left.cells))):
        my_text, their_text = left.cells[place], right.cells[place]
        if my_text != their_text:
            return -1 if my_text < their_text else 1
    return 0


def group_rows(
    rows: Sequence[Row], columns: Sequence[Column], hierarchy: Sequence[str]
) -> list[list[Row]]:
    """Group by CUSIP, the groups sorted by it; each group in its order, the parent first."""
    place = next(column.place for column in columns if column.name == "CUSIP")
    ordered = order_columns(columns, hierarchy)

    def in_order(left: Row, right: Row) -> int:
        return compare_rows(left, right, ordered)

    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(normal_cusip(row.cells[place]), []).append(row)
    return [sorted(groups[cusip], key=cmp_to_key(in_order)) for cusip in sorted(groups)]


def processed_group(group: Sequence[Row], columns: Sequence[Column]) -> list[list[Cell]]:
    """Parent and children: the first of a group is the parent of the others."""
    message_id = next(column.place for column in columns if column.name == "MESSAGE_ID")
    cusip = next(column.place for column in columns if column.name == "CUSIP")
    rows: list[list[Cell]] = []
    for position, row in enumerate(group, start=1):
        cells: list[Cell] = list(row.cells)
        cells[cusip] = normal_cusip(row.cells[cusip])
        if position == 1:
            beside = ["true", "", str(len(group) - 1), "1"]
        else:
            beside = ["false", group[0].cells[message_id], "0", str(position)]
        rows.append([*cells, *beside])
    return rows


def run(
    header: Sequence[str],
    records: Sequence[Record],
    *,
    rules: Sequence[Mapping[str, Any]] = (),
    hierarchy: Sequence[str] = ("rank", "date", "price"),
    mapping: Mapping[str, str] = {},
    types: Mapping[str, str] = {},
    date_formats: Mapping[str, str] = {},
    rounded_ids: bool = False,
) -> Outcome:
    """Run Colors: read, normalise, exclude, group, order; parents and children.

    Processed rows are the input's columns and IS_PARENT, PARENT_MESSAGE_ID, CHILDREN_COUNT,
    GROUP_POSITION; excluded rows the cells as they arrived and RULE_ID; rejected rows the same
    and REASON and RAW_LINE. `date_formats` are permitted by a column's name, '' is all.
    Excluded and rejected rows keep the input's order.
    """
    columns = columns_of(header, mapping, types)
    order_columns(columns, hierarchy)  # a wrong hierarchy is an error without any row, too
    ranked: list[Row] = []
    excluded: list[list[Cell]] = []
    rejected: list[list[Cell]] = []
    for record in records:
        if isinstance(record, MalformedLine):
            rejected.append(reject_misfit(record, len(header)))
            continue
        if len(record) != len(header):
            malformed_line = MalformedLine(len(record), raw_line(record))
            rejected.append(reject_misfit(malformed_line, len(header)))
            continue
        row = read_row(record, columns, date_formats, rounded_ids)
        if isinstance(row, str):
            rejected.append([*record, row, ""])
            continue
        rule_id = first_rule(rules, row, columns)
        if rule_id is None:
            ranked.append(row)
        else:
            excluded.append([*row.cells, rule_id])
    processed: list[list[Cell]] = []
    for group in group_rows(ranked, columns, hierarchy):
        processed.extend(processed_group(group, columns))
    return Outcome(processed, excluded, rejected)


def check(rows_read: int, outcome: Outcome) -> None:
    """Accounting: rows read = parents + children + excluded + rejected, and groups add up."""
    parents = [row for row in outcome.processed if row[-4] == "true"]
    children = [row for row in outcome.processed if row[-4] == "false"]
    assert len(parents) + len(children) == len(outcome.processed)
    out = len(parents) + len(children) + len(outcome.excluded) + len(outcome.rejected)
    assert rows_read == out, f"{rows_read} rows read, {out} rows written"
    assert sum(int(row[-2] or "") for row in parents) == len(children)
    assert all(row[-2] == "0" for row in children)
    position = 0
    for row in outcome.processed:
        position = 1 if row[-4] == "true" else position + 1
        assert row[-1] == str(position), f"position {row[-1]} where {position} is due"
        assert (row[-3] == "") == (position == 1)


# ------------------------------------------------------------------------------------ Reading CSV


def split_csv(text: str) -> list[tuple[list[str], str]]:
    r"""CSV: the records of a text, each with its own text as it stood, without its line end.

    A quote opens only at a field's start; inside, a doubled quote is one quote and a line end is
    a character. What follows a closing quote before the comma belongs to the field. Lines end
    with \n, \r\n or \r. A blank line is no row, and white space alone is blank.
    """
    records: list[tuple[list[str], str]] = []
    at = 0
    while at < len(text):
        start = at
        fields: list[str] = []
        more = True
        while more:
            field = ""
            if text[at : at + 1] == '"':
                at += 1
                while at < len(text):
                    if text[at : at + 2] == '""':
                        field += '"'
                        at += 2
                    elif text[at] == '"':
                        at += 1
                        break
                    else:
                        field += text[at]
                        at += 1
            while at < len(text) and text[at] not in ",\r\n":
                field += text[at]
                at += 1
            fields.append(field)
            more = text[at : at + 1] == ","
            if more:
                at += 1
        raw = text[start:at]
        at += 2 if text[at : at + 2] == "\r\n" else 1
        if raw.strip():
            records.append((fields, raw))
    return records


def read_csv(text: str) -> tuple[list[str], list[Record]]:
    """Read: the header and the records of a CSV text, misfits with their raw text."""
    lines = split_csv(text.removeprefix("\ufeff"))
    header = lines[0][0]
    records: list[Record] = []
    for fields, raw in lines[1:]:
        records.append(fields if len(fields) == len(header) else MalformedLine(len(fields), raw))
    return header, records
