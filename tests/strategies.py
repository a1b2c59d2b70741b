"""Hypothesis strategies for Run Colors: inputs, rules and typed columns, with the model's outcome.

Letters whose other case is several letters, or depends on their place, are left out of the texts
(ß, İ, the final sigma): SQL and Python do not agree on them.
"""

import math
import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import colors_model as model
import numpy as np
import pyarrow as pa
from color_tables import HIERARCHIES, book
from hypothesis import reject, settings
from hypothesis import strategies as st

from marketpulse import ColorsRun, run_colors
from marketpulse.errors import DataError

# For each kind: cells as most programs write them, other spellings, and what is rare or wrong.
INTEGERS = (
    [*"12345", "7", "17700000000000001", "17700000000000002", "9007199254740993"],
    ["+2", "02", "007", " 2 ", "2.0", "3.", "-0", "0", "", " ", "9007199254740992"],
    [
        "123456789012345678901234567890",
        "0123456789012345678901234567890.0",
        "-123456789012345678901234567890",
        "999999999999999999",
        "1000000000000000000",
        "2.5",
        "1_000",
        "1.77E+16",
        "NaN",
    ],
)


NUMBERS = (
    ["101.7", "101.70", "101.71", "98.5", "98.50", "0.0", "-1.25", "100.0", "1", "2"],
    [
        *("101.700", " 98.5 ", "-0.0", "5.", "+5", "005", ".5", "NaN", " nan", "", "0", "-0"),
        *("123456789012345", "0.10000000000000", "9007199254740992", "9007199254740993"),
        *("-9007199254740993", "900719925474099.2", "900719925474099.3", "1234567890.12345"),
    ],
    [
        *("1E2", "1e+2", "1E400", "-1E400", "1E-400", "1017e-1", "0e5", "1e999999999999999999"),
        *("123456789012345678901234567890", "123456789012345678901234567890.5"),
        *("0.1000000000000000000000000001", "n/a", "inf", "1_000", "1E1000000000000000000", "."),
    ],
)


DATES = (
    [
        *("2026-03-13", "2026-03-12", "2026-02-28", "0001-01-01", "9999-12-31"),
        *("2026-03-13 10:30:00", "2026-03-13 10:30:00.5", "2026-03-12 10:30:00.000001"),
    ],
    [
        *("2026-03-13T00:00", "2026-03-13 10:30", "2026-03-13T10:30:00", " 2026-03-13 ", ""),
        *("2026-03-13T10:30:00.5", "2026-03-13 10:30:00.500", "2026-03-12 23:59:59.999999"),
    ],
    [
        *("2026-03-13T10:30Z", "2026-03-13 12:30+02:00", "2026-03-13T05:00-0530"),
        *("2026-03-13T10:30:00.500000000001", "2026-03-13T10:30:00.5000000000010"),
        *("2026-03-13 23:00-02", "0001-01-01T00:00+12:00", "9999-12-31T23:59:59.999999999-23:59"),
        *("2026-02-30", "0000-01-01", "2026-3-1", "2026-03-13 24:00", "2026-03-13T10:30+24:00"),
        *("20260313", "13/03/2026"),
    ],
)


TEXTS = (
    ["a", "A", "ab", "b", "NULL", "NaN", "0", "00", "~", "~a", "a%b", "a_b"],
    [
        *("", " ", " a", "a ", "\t", "é", "É", "東京", "b,c", 'say "x"', "l1\nl2", "l1\r\nl2"),
        *("l1\rl2", "=1+1", "\xa0", "\U0001f600", "\uffee", "_x0041_"),
    ],
    ["a" * 20, "\x1fa", "\x00"],
)


CUSIPS = (
    ["00GC0UY95", "1TEKH3IR5", "X1"],
    ["00gc0uy95", " 00GC0UY95", "00Gc0uY95 ", "", "  ", "~x", "É1", "é1", "\t00GC0UY95"],
    ["1TEKH3IR6", "00GC0UY9*"],
)


ALPHABETS = {"integer": INTEGERS, "number": NUMBERS, "date": DATES, "text": TEXTS}


OPTIONAL = ("CONFIDENCE", "BID", "COV_PRICE", "DATE_1", "SOURCE", "NOTE", "DESK")


# What an input may call a column, and how the mapping may name the column of the contract.
ALIASES = {
    "MESSAGE_ID": (["ID"], ["message_id"]),
    "CUSIP": (["SECURITY"], ["CUSIP"]),
    "RANK": (["PRIORITY"], ["rank", " RANK "]),
    "DATE": (["CREATED_DATE", "DATE_1"], ["date", "Date"]),
    "PX": (["MID_PRICE", "ASK"], ["price", "px", "Price"]),
    "BID": (["BEST"], ["bid"]),
    "SOURCE": (["DEALER"], ["Source"]),
}


def alphabets_of(name: str) -> tuple[list[str], list[str], list[str]]:
    """The cells of a column."""
    return CUSIPS if name == "CUSIP" else ALPHABETS[model.kind_of(name)]


def is_usable(name: str, cell: str) -> bool:
    """Whether a row with this cell can be used."""
    if name in {"MESSAGE_ID", "CUSIP"} and not cell.strip():
        return False
    try:
        model.value_of(model.kind_of(name), cell)
    except model.BadCellError:
        return False
    return True


@dataclass(frozen=True)
class Layout:
    """The columns of a generated input: the header, the roles, the mapping between them."""

    header: tuple[str, ...]
    names: tuple[str, ...]
    mapping: dict[str, str]


@dataclass(frozen=True)
class Case:
    """A generated input with the options of its run."""

    text: str
    layout: Layout
    hierarchy: tuple[str, ...]
    rules: list[dict[str, Any]] = field(default_factory=list)

    def expected(self) -> model.Outcome:
        """The model's outcome."""
        header, records = model.read_csv(self.text)
        outcome = model.run(
            header,
            records,
            rules=self.rules,
            hierarchy=self.hierarchy,
            mapping=self.layout.mapping,
        )
        model.check(len(records), outcome)
        return outcome

    def options(self) -> dict[str, Any]:
        """The options for `run_colors`."""
        return {
            "rules": book(*self.rules),
            "hierarchy": self.hierarchy,
            "mapping": self.layout.mapping,
        }

    def rows(self) -> tuple[list[str], list[list[str]]]:
        """The header and the rows, without malformed lines."""
        header, records = model.read_csv(self.text)
        return header, [list(row) for row in records if not isinstance(row, model.MalformedLine)]


def in_any_case(name: str) -> st.SearchStrategy[str]:
    """A name in any case, perhaps with blanks."""
    return st.sampled_from([name, name.lower(), name.title(), f" {name} ", f"{name.lower()} "])


@st.composite
def layouts(draw: st.DrawFn, *, plain: bool = False) -> Layout:
    """Columns in any order and under any name, some of them mapped beside their namesakes."""
    optional = draw(st.lists(st.sampled_from(OPTIONAL), unique=True))
    names = [*draw(st.permutations([*model.REQUIRED, *optional]))]
    namesakes: dict[str, str] = {}
    header: list[str] = []
    mapping: dict[str, str] = {}
    for name in names:
        own = name
        if not plain and name in ALIASES and draw(st.integers(0, 4)) == 0:
            aliases, keys = ALIASES[name]
            own = draw(st.sampled_from([alias for alias in aliases if alias not in names]))
            mapping[draw(st.sampled_from(keys))] = draw(in_any_case(own))
            if draw(st.booleans()):
                namesakes[name] = own
        header.append(own if plain else draw(in_any_case(own)))
    # A namesake comes last, so that `names` finds the column of the role first.
    for name, own in namesakes.items():
        header.append(draw(in_any_case(name)))
        swaps = own in model.NUMBER_COLUMNS + model.DATE_COLUMNS and draw(st.booleans())
        if swaps:
            mapping[own] = name
        names.append(own if swaps else name)
    return Layout(tuple(header), tuple(names), mapping)


@st.composite
def alphabets(draw: st.DrawFn, name: str) -> tuple[list[str], list[str]]:
    """A few valid cells for a column, so that ties are frequent, and its invalid cells."""
    plain, other, rare = alphabets_of(name)
    pool = draw(st.sampled_from([plain, [*plain, *other], [*plain, *other, *rare]]))
    good = st.sampled_from([cell for cell in pool if is_usable(name, cell)])
    bad = [cell for cell in (*plain, *other, *rare) if not is_usable(name, cell)]
    return draw(st.lists(good, min_size=1, max_size=6, unique=True)), bad


def as_field(cell: str, *, always: bool) -> str:
    """A cell as a field of CSV."""
    if always or any(mark in cell for mark in ',"\r\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


@st.composite
def texts(draw: st.DrawFn, layout: Layout, *, strange: bool = True) -> str:
    """A CSV text of up to 200 rows. Hypothesis draws the cells to choose from, not each cell."""
    cells = [draw(alphabets(name)) for name in layout.names]
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    always = draw(st.booleans())
    invalid = draw(st.sampled_from([0, 0, 20]))
    odd = draw(st.sampled_from([0, 20])) if strange else 0
    dice = random.Random(draw(st.integers(0, 2**32)))
    width = len(layout.names)
    no_rows = ["", " ", "\t ", "x", "a,b", '"q,\n",b', '"  "', "," * width, '"a""b",' * width, "é"]
    lines = [",".join(as_field(name, always=always) for name in layout.header)]
    for _ in range(draw(st.sampled_from([0, 1, 2, 5, 20, 100, 200]))):
        if odd and dice.randrange(odd) == 0:
            lines.append(dice.choice(no_rows))
            continue
        row = [dice.choice(good) for good, _ in cells]
        while invalid and dice.randrange(invalid) == 0:
            place = dice.randrange(width)
            row[place] = dice.choice(cells[place][1] or [row[place]])
        lines.append(",".join(as_field(cell, always=always) for cell in row))
    begin = draw(st.sampled_from(["", "\ufeff", end, f"  {end}"])) if strange else ""
    return begin + end.join(lines) + draw(st.sampled_from(["", end, end + end]))


RULE_NUMBERS: tuple[Any, ...] = (
    *(cell for kind in (*NUMBERS, *INTEGERS) for cell in kind if is_usable("PX", cell)),
    *range(-2, 8),
    *(98.5, 0.1, 17700000000000001, 10**30, Decimal("101.70"), Decimal("1E+2")),
)


# A rule's date stays in the years that there are, with its offset too.
BEYOND_THE_YEARS = ("0001-01-01T00:00+12:00", "9999-12-31T23:59:59.999999999-23:59")


def rule_values(name: str) -> st.SearchStrategy[Any]:
    """Values that a condition on this column may have."""
    kind = model.kind_of(name)
    if kind in {"integer", "number"}:
        numbers = [
            number for number in RULE_NUMBERS if str(number).strip().lower() not in {"", "nan"}
        ]
        return st.sampled_from(numbers)
    cells = [cell for cells in alphabets_of(name) for cell in cells]
    usable = [cell for cell in cells if cell.strip() and is_usable(name, cell)]
    values = st.sampled_from([cell for cell in usable if cell not in BEYOND_THE_YEARS])
    if kind == "date":
        return values
    return st.one_of(values, values.map(str.swapcase), values.map(lambda cell: f" {cell} "))


@st.composite
def conditions(draw: st.DrawFn, layout: Layout, connector: str) -> dict[str, Any]:
    """A valid condition, in any of its spellings."""
    name, own = draw(st.sampled_from(list(zip(layout.names, layout.header, strict=True))))
    ordered = ("less_than", "greater_than", "less_or_equal", "greater_or_equal", "between")
    matching = ("contains", "not_contains", "starts_with", "ends_with")
    lists, nulls = ("in", "not_in"), ("is_null", "is_not_null")
    fitting = matching if model.kind_of(name) == "text" else ordered
    operator = draw(st.sampled_from(["equals", "not_equals", *lists, *nulls, *fitting]))
    spelled = [operator, operator.upper(), f" {operator} ", *model.SPELLINGS[operator]]
    condition = {
        "type": draw(st.sampled_from([connector, connector.upper(), f" {connector}"])),
        "column": draw(in_any_case(draw(st.sampled_from([name, own.strip()])))),
        "operator": draw(st.sampled_from(spelled)),
    }
    values = rule_values(name)
    if operator in lists:
        items = draw(st.lists(values, min_size=1, max_size=3))
        as_text = not any("," in str(item) for item in items) and draw(st.booleans())
        condition["value"] = ",".join(map(str, items)) if as_text else items
    elif operator not in nulls:
        condition["value"] = draw(values)
    if operator == "between":
        condition["value2"] = draw(values)
    return condition


@st.composite
def rule_books(draw: st.DrawFn, layout: Layout) -> list[dict[str, Any]]:
    """Up to three rules of up to three conditions, some switched off."""
    rules = []
    for number in range(draw(st.integers(1, 3))):
        parts = [draw(conditions(layout, "where"))]
        for _ in range(draw(st.integers(0, 2))):
            connector = draw(st.sampled_from(["and", "or"]))
            parts += [draw(conditions(layout, connector))]
        rules.append(
            {
                "id": draw(st.sampled_from([number, f"r{number}"])),
                "name": "generated",
                "is_active": draw(st.sampled_from([True, True, True, False])),
                "conditions": parts,
            }
        )
    return rules


@st.composite
def cases(
    draw: st.DrawFn, *, rules: bool = False, strange: bool = True, plain: bool = False
) -> Case:
    """An input, a hierarchy and perhaps rules."""
    layout = draw(layouts(plain=plain))
    text = draw(texts(layout, strange=strange))
    hierarchy = draw(st.sampled_from(HIERARCHIES))
    return Case(text, layout, hierarchy, draw(rule_books(layout)) if rules else [])


@dataclass(frozen=True)
class Typed:
    """A typed column: its type, its values, and each value in canonical text."""

    type: pa.DataType
    values: list[Any]
    texts: list[str]


def of_integers(data_type: pa.DataType, *values: int) -> Typed:
    """Whole numbers; the canonical text is their digits."""
    return Typed(data_type, list(values), [str(value) for value in values])


def of_decimals(scale: int, *values: str, precision: int = 38) -> Typed:
    """Decimals; the canonical text has as many decimals as the type."""
    numbers = [Decimal(value) for value in values]
    texts = [f"{number:.{scale}f}" for number in numbers]
    return Typed(pa.decimal128(precision, scale), numbers, texts)


def of_floats(data_type: pa.DataType, *values: float) -> Typed:
    """Floats; the canonical text is the shortest, without exponent, with a point."""
    cast = np.float32 if data_type == pa.float32() else np.float64
    texts = []
    for value in values:
        text = f"{Decimal(str(cast(value))):f}"
        texts.append("NaN" if math.isnan(value) else text if "." in text else f"{text}.0")
    return Typed(data_type, list(values), texts)


def of_timestamps(unit: str, zone: str | None, *values: int) -> Typed:
    """Times counted in a unit since 1970; the canonical text is in UTC."""
    digits = {"s": 0, "ms": 3, "us": 6, "ns": 9}[unit]
    texts = []
    for value in values:
        seconds, rest = divmod(value, 10**digits)
        timestamp = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        fraction = f".{rest:0{digits}d}".rstrip("0") if rest else ""
        texts.append(f"{timestamp:%Y-%m-%d %H:%M:%S}{fraction}")
    return Typed(pa.timestamp(unit, zone), list(values), texts)


def of_days(data_type: pa.DataType, *values: str) -> Typed:
    """Days; the canonical text has no time."""
    return Typed(data_type, [date.fromisoformat(value) for value in values], list(values))


SECOND = 1773396000


PRICES = (
    of_floats(pa.float64(), 101.7, 101.70000000000002, 0.1, -0.0, 0.0, 1e22, 1e-7, math.nan),
    of_floats(pa.float32(), 101.7, 0.1, 98.5, -0.0, 0.0, 16777216, math.nan),
    of_decimals(10, "101.7", "101.7000000001", "0.1", "98.5", "0", "100"),
    of_decimals(3, "101.7", "0.1", "-98.5", "100", precision=9),
    of_integers(pa.int64(), 101, 98, 100, 9007199254740993, 9007199254740992),
    of_integers(pa.uint8(), 101, 98, 1, 0),
)


IDENTIFIERS = (
    of_integers(pa.int64(), 17700000000000001, 17700000000000002, 9007199254740993, 1, 2),
    of_integers(pa.uint64(), 17700000000000001, 18446744073709551615, 1),
    of_decimals(0, "17700000000000001", "123456789012345678901234567890", "2"),
    of_decimals(2, "17700000000000001", "17700000000000002", "2", precision=20),
    of_floats(pa.float64(), 1, 2, 9007199254740991, -3),
)


RANKS = (
    of_integers(pa.int8(), 1, 2, 3, 7),
    of_integers(pa.int64(), 1, 2, 0),
    of_floats(pa.float64(), 1, 2, 6, 7),
    of_decimals(2, "1", "2", "7", precision=5),
)


TYPED_DATES = (
    of_days(pa.date32(), "2026-03-13", "2026-03-12", "0001-01-01", "9999-12-31"),
    of_days(pa.date64(), "2026-03-13", "2026-03-12"),
    of_timestamps("s", None, SECOND, SECOND + 1, -1, 0),
    of_timestamps("ms", "UTC", SECOND * 1000, SECOND * 1000 + 500, -1),
    of_timestamps("us", None, SECOND * 10**6, SECOND * 10**6 + 500000, SECOND * 10**6 + 1, -1),
    of_timestamps("us", "America/New_York", SECOND * 10**6, SECOND * 10**6 + 1),
    of_timestamps("ns", None, SECOND * 10**9, SECOND * 10**9 + 1, SECOND * 10**9 + 500000000),
    of_timestamps("ns", "UTC", SECOND * 10**9, SECOND * 10**9 + 1, SECOND * 10**9 - 1),
)


def of_texts(data_type: pa.DataType, *values: str) -> Typed:
    """Text, in any of Arrow's types."""
    return Typed(data_type, list(values), list(values))


NOTES = tuple(
    of_texts(data_type, "a", "A", "é", " a ", " ", "NaN", "007", "b")
    for data_type in (
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
    )
)


SECURITIES = tuple(
    of_texts(data_type, "00GC0UY95", " 00gc0uy95", "1TEKH3IR5")
    for data_type in (pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string()))
)


TYPED = {
    "MESSAGE_ID": IDENTIFIERS,
    "CUSIP": SECURITIES,
    "RANK": RANKS,
    "DATE": TYPED_DATES,
    "PX": PRICES,
    "BID": PRICES,
    "DATE_1": TYPED_DATES,
    "NOTE": NOTES,
}


@st.composite
def typed_inputs(draw: st.DrawFn) -> tuple[pa.Table, Case]:
    """A table of typed columns, and the CSV of the same values."""
    names = tuple(draw(st.permutations(list(TYPED))))
    columns = [draw(st.sampled_from(TYPED[name])) for name in names]
    dice = random.Random(draw(st.integers(0, 2**32)))
    rows = []
    for _ in range(draw(st.sampled_from([0, 1, 2, 20, 100]))):
        places = [dice.randrange(len(column.values)) for column in columns]
        never = ("MESSAGE_ID", "CUSIP")
        rows.append(
            [
                None if name not in never and dice.randrange(8) == 0 else place
                for name, place in zip(names, places, strict=True)
            ]
        )
    arrays, texts = [], []
    for place, column in enumerate(columns):
        chosen = [row[place] for row in rows]
        values = [None if index is None else column.values[index] for index in chosen]
        arrays.append(typed_array(values, column.type))
        texts.append(["" if index is None else column.texts[index] for index in chosen])
    cells = [",".join(row) for row in zip(*texts, strict=True)]
    layout = Layout(names, names, {})
    text = "\n".join([",".join(names), *cells]) + "\n"
    hierarchy = draw(st.sampled_from(HIERARCHIES))
    return pa.table(arrays, names=names), Case(text, layout, hierarchy, draw(rule_books(layout)))


def typed_array(values: list[Any], data_type: pa.DataType) -> pa.Array:
    """The values as an array; times are counts."""
    if pa.types.is_timestamp(data_type):
        return pa.array(values, pa.int64()).cast(data_type)
    if pa.types.is_dictionary(data_type):
        return pa.array(values, data_type.value_type).dictionary_encode().cast(data_type)
    return pa.array(values, data_type)


few = settings(max_examples=max(1, settings().max_examples // 3))


def run_case(case: Case, folder: Path) -> ColorsRun:
    """The run of a generated input."""
    path = folder / "generated.csv"
    path.write_text(case.text, encoding="utf-8", newline="")
    return run_or_reject(path, case)


def run_or_reject(data: Any, case: Case, **options: Any) -> ColorsRun:
    """The run. If no row can be used, it must fail, and the example is discarded."""
    try:
        return run_colors(data, **case.options(), **options)
    except DataError as fault:
        outcome = case.expected()
        if fault.check != "MP-DAT-020" or outcome.processed or outcome.excluded:
            raise
        reject()
