"""Tables as Pydantic models, which read the rows that MarketPulse writes as JSON and CSV."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from keyword import iskeyword
from pathlib import Path

from marketpulse.model import Column, SourceInfo, TableSchema
from marketpulse.names import distinct, one_line
from marketpulse.sealed import sealed_folder

_LINE = 88  # columns, as most formatters have them
_LONGEST = 60  # letters of a class's name

# The same in every file. What no float holds is refused: pydantic's own reader makes a float of
# every fraction in JSON before anybody can ask for its digits.
_BEGIN = '''
From JSON, every digit as it is written, and from CSV:

    rows = json.loads(text, parse_float=Decimal)
    TypeAdapter(list[Table]).validate_python(rows)

    for row in csv.DictReader(file):
        Table.model_validate({name: cell or None for name, cell in row.items()})

`validate_json` reads the same JSON. Its fractions pass through floats: where a float may
have changed a number, the row is refused.
"""

import datetime
import json
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


class Row(BaseModel):
    """A row of a table: a field for each column."""

    model_config = ConfigDict(
        populate_by_name=True, protected_namespaces=(), ser_json_bytes="hex"
    )


def exact(places: int) -> BeforeValidator:
    """Refuse a float too large to tell apart numbers of so many decimals."""

    def check(value: Any) -> Any:
        if isinstance(value, float) and not abs(value) < 10.0 ** (15 - places):
            raise ValueError("digits lost: json.loads(..., parse_float=Decimal)")
        return value

    return BeforeValidator(check)


def without_floats(value: Any) -> Any:
    """Refuse a float, also within a list or an object."""
    if isinstance(value, float):
        raise ValueError("digits lost: json.loads(..., parse_float=Decimal)")
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            without_floats(part)
    return value


def from_text(value: Any) -> Any:
    """Lists and objects stand as JSON in the cells of CSV."""
    return json.loads(value, parse_float=Decimal) if isinstance(value, str) else value


def from_hex(value: Any) -> Any:
    """Bytes are written as hexadecimal digits."""
    return bytes.fromhex(value) if isinstance(value, str) else value


def in_utc(value: datetime.datetime) -> datetime.datetime:
    """Instants are written in UTC, without saying so."""
    return value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)


Int8 = Annotated[int, Field(ge=-(2**7), lt=2**7)]
Int16 = Annotated[int, Field(ge=-(2**15), lt=2**15)]
Int32 = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
UInt8 = Annotated[int, Field(ge=0, lt=2**8)]
UInt16 = Annotated[int, Field(ge=0, lt=2**16)]
UInt32 = Annotated[int, Field(ge=0, lt=2**32)]
UInt64 = Annotated[int, Field(ge=0, lt=2**64)]
Number = Annotated[Decimal, BeforeValidator(without_floats)]  # as many digits as it has
Binary = Annotated[bytes, BeforeValidator(from_hex)]
Instant = Annotated[datetime.datetime, AfterValidator(in_utc)]
Nanoseconds = str  # a time, or a date and time, with more digits than Python's have
Duration = str  # ISO 8601, in seconds: PT1.5S
Json = Annotated[Any, BeforeValidator(without_floats)]  # any value; in CSV its text
'''
_TYPES = {
    **{f"int{bits}": f"Int{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"UInt{bits}" for bits in (8, 16, 32, 64)},
    **dict.fromkeys(("halffloat", "float", "double"), "float"),
    **dict.fromkeys(("date32", "date64"), "datetime.date"),
    **dict.fromkeys(("binary", "large_binary", "binary_view", "fixed_size_binary"), "Binary"),
    **dict.fromkeys(("time32", "time64"), "datetime.time"),
    "duration": "Duration",
    "bool": "bool",
    "null": "None",
}
_STANDS_FOR = {
    "number": "Number",
    "float": "float",
    "boolean": "bool",
    "json": "Json",
    "mixed": "Json",
}
# What stands in the file, or in every model, under a name of its own.
_IN_THE_FILE = """
    datetime json Decimal Annotated Any AfterValidator BaseModel BeforeValidator ConfigDict Field
    Row exact without_floats from_text from_hex in_utc Number Binary Instant Nanoseconds Duration
    Json ValueError abs bool bytes dict float int isinstance list str
    Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 None True False
""".split()  # noqa: SIM905 - words are read in lines
_IN_A_MODEL = """
    construct copy dict from_orm json mro parse_file parse_obj parse_raw register schema
    schema_json update_forward_refs validate
""".split()  # noqa: SIM905 - so too


def write_models(path: Path, source: SourceInfo, tables: Sequence[TableSchema]) -> None:
    """Write the models of these tables into a file, which appears whole or not at all.

    Raises `OutputRefused` where that cannot be.
    """
    with sealed_folder(path.parent, path.name, lambda _: False) as folder:
        part = folder.part(path.name)
        part.write_text(as_models(source, tables), encoding="utf-8", newline="\n")
        part.replace(path)


def as_models(source: SourceInfo, tables: Sequence[TableSchema]) -> str:
    """A Pydantic model for each table, as Python that needs pydantic 2 and nothing else."""
    wanted = {it.table.name: _class_name(it.table.name) for it in tables}
    names = distinct(wanted, str.casefold, _IN_THE_FILE)
    classes = _Classes(names.values())
    for it in tables:
        about = it.table.comment or f"A row of {it.table.name}."
        classes.add(names[it.table.name], about, it.columns, _notes(it))
    # Not in the first two lines: there Python obeys whoever speaks of a coding.
    origin = _escaped(f"Generated by `marketpulse schema --models` from {source.name}.", '"')
    begin = f'"""Rows as MarketPulse writes them, a class for each table.\n\n{origin}\n{_BEGIN}'
    return "\n\n\n".join([begin + classes.decimals(), *classes.texts]) + "\n"


class _Classes:
    """The classes of a file, each behind those that its fields are made of."""

    def __init__(self, tables: Iterable[str]) -> None:
        self.texts: list[str] = []
        self._names = {*_IN_THE_FILE, *tables}
        self._decimals: set[tuple[int, int]] = set()

    def add(
        self, name: str, about: str, columns: Sequence[Column], notes: Iterable[str] = ()
    ) -> None:
        """Write a class with a field for each column."""
        reserved = self._names.union(_IN_A_MODEL)
        names = distinct({it.name: _field_name(it.name, reserved) for it in columns}, str.casefold)
        fields = [self._field(names[it.name], it, name) for it in columns]
        comments = [f"# {one_line(note)}".rstrip() for note in notes]
        blank = [""] if fields or comments else []
        body = [_docstring(about), *blank, *comments, *fields]
        lines = [f"    {line}" if line else "" for line in body]
        self.texts.append("\n".join([f"class {name}(Row):", *lines]))

    def decimals(self) -> str:
        """The kinds of decimals that the fields have."""
        lines = [
            f"Decimal_{digits}_{places} = Annotated["
            f"Decimal, Field(max_digits={digits}, decimal_places={places}), exact({places})]"
            for digits, places in sorted(self._decimals)
        ]
        return "\n".join(lines)

    def _field(self, name: str, column: Column, owner: str) -> str:
        """The line of a field, or its lines where one would be too long."""
        parts = [self._type(column, owner)]
        if column.parts and not column.stands_for:
            parts.append("BeforeValidator(from_text)")
        told = [f"alias={_literal(column.name)}"] if name != column.name else []
        told += [f"description={_literal(column.comment)}"] if column.comment else []
        if told:
            parts.append(f"Field({', '.join(told)})")
        if len(parts) == 1:
            return f"{name}: {parts[0]}"
        line = f"{name}: Annotated[{', '.join(parts)}]"
        if _width(line) <= _LINE - 4:
            return line
        if told and _width(parts[-1]) >= _LINE - 8:
            parts[-1] = "\n".join(["Field(", *(f"            {it}," for it in told), "        )"])
        return "\n".join([f"{name}: Annotated[", *(f"        {it}," for it in parts), "    ]"])

    def _type(self, column: Column, owner: str) -> str:
        words = self._filled(column, owner)
        # JSON has no NaN and no infinities: null stands for them, whatever the source promises.
        optional = words == "float" or (column.nullable and words != "None")
        return f"{words} | None" if optional else words

    def _filled(self, column: Column, owner: str) -> str:
        """The type of a value that is there."""
        if column.stands_for:
            return _STANDS_FOR.get(column.stands_for, "str")
        words = column.travels
        parts = [Column(it.name, "", it.travels, parts=it.parts) for it in column.parts]
        if words.startswith("struct<"):
            return self._inner(column, owner, parts)
        if words.startswith("map<"):
            key, value = parts
            pair = [replace(key, name="key", nullable=False), replace(value, name="value")]
            return f"list[{self._inner(column, owner, pair)}]"
        if parts:
            return f"list[{self._type(replace(parts[0], name=column.name), owner)}]"
        if found := re.fullmatch(r"decimal\d+\((\d+), (-?\d+)\)", words):
            digits, places = int(found[1]), int(found[2])
            shape = (max(digits, digits - places, places), max(places, 0))
            self._decimals.add(shape)
            return "Decimal_{}_{}".format(*shape)
        return _plain(words)

    def _inner(self, column: Column, owner: str, parts: Sequence[Column]) -> str:
        """The name of a class for the inner values of a column."""
        wish = (owner + _class_name(column.name))[:_LONGEST]
        (name,) = distinct({wish: wish}, str.casefold, self._names).values()
        self._names.add(name)
        self.add(name, f"A value of {column.name}.", parts)
        return name


def _plain(words: str) -> str:
    """The type of values that are made of no others. What has none in Python is text."""
    if words.startswith("dictionary<"):
        words = words.removeprefix("dictionary<values=").partition(",")[0]
    kind, _, unit = words.rstrip("]").partition("[")
    if kind in {"time32", "time64", "timestamp"} and unit.startswith("ns"):
        return "Nanoseconds"
    if kind == "timestamp":
        return "Instant" if ", tz=" in unit else "datetime.datetime"
    return _TYPES.get(kind, "str")


def _notes(schema: TableSchema) -> Iterator[str]:
    """The table's keys and checks in words."""
    if schema.primary_key:
        yield f"primary key: {', '.join(schema.primary_key)}"
    for unique in schema.unique:
        yield f"unique: {', '.join(unique)}"
    for key in schema.foreign_keys:
        yield f"{', '.join(key.columns)} points to {key.table}: {', '.join(key.references)}"
    for check in schema.checks:
        yield f"check: {check}"


def _class_name(name: str) -> str:
    """The words of a name in CamelCase."""
    words = re.findall("[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", _ascii(name))
    camel = "".join(map(str.capitalize, words))
    return (camel if camel[:1].isalpha() else f"Table{camel}")[:_LONGEST]


def _field_name(name: str, reserved: Collection[str]) -> str:
    """The name itself, where it can be a field's, else one like it."""
    plain = name
    # Python takes letters of the same shape for one another: the field would have another name.
    if not name.isidentifier() or unicodedata.normalize("NFKC", name) != name or name[0] == "_":
        plain = "_".join(re.findall("[A-Za-z0-9]+", _ascii(name)))
        plain = plain if plain[:1].isalpha() else f"column_{plain}".rstrip("_")
    # Pydantic keeps `model_` for itself.
    unfit = iskeyword(plain) or plain in reserved or plain.startswith("model_")
    return f"{plain}_" if unfit else plain


def _ascii(name: str) -> str:
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")


def _docstring(text: str) -> str:
    return f'"""{_escaped(" ".join(text.split()), chr(34))}"""'


def _literal(text: str) -> str:
    quote = '"' if text.count('"') <= text.count("'") else "'"
    return f"{quote}{_escaped(text, quote)}{quote}"


def _escaped(text: str, quote: str) -> str:
    """The text as it stands between such quotes, on one line."""
    return one_line(text.replace("\\", r"\\").replace(quote, f"\\{quote}"))


def _width(line: str) -> int:
    return sum(1 if it.isascii() else 2 for it in line)
