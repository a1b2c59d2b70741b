"""The tree of a condition. Each part knows its place in the user's text."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, kw_only=True)
class Node:
    """A part of a condition; its text is from `start` to `end`, its name ends at `name_end`."""

    start: int
    end: int

    @property
    def name_end(self) -> int:
        """Where the part that names it ends: a function's name; else all of it."""
        return self.end


@dataclass(frozen=True, kw_only=True)
class Number(Node):
    """A number, as it is written; `is_binary` is whether a D or F follows it."""

    value: Decimal
    is_binary: bool = False


@dataclass(frozen=True, kw_only=True)
class Text(Node):
    """A text in quotes."""

    value: str


@dataclass(frozen=True, kw_only=True)
class Date(Node):
    """DATE '...' or TIMESTAMP '...'."""

    word: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Null(Node):
    """The word NULL."""


@dataclass(frozen=True, kw_only=True)
class Boolean(Node):
    """The word TRUE or FALSE."""

    value: bool


@dataclass(frozen=True, kw_only=True)
class Name(Node):
    """A column, or a word such as SYSDATE. A name in quotes is exact."""

    value: str
    quoted: bool


@dataclass(frozen=True, kw_only=True)
class Call(Node):
    """A function and its arguments."""

    name: str
    arguments: tuple[Node, ...]
    after_name: int

    @property
    def name_end(self) -> int:
        return self.after_name


@dataclass(frozen=True, kw_only=True)
class Trim(Node):
    """TRIM: `side` is LEADING, TRAILING or BOTH."""

    side: str
    characters: Node | None
    value: Node

    @property
    def name_end(self) -> int:
        return self.start + len("TRIM")


@dataclass(frozen=True, kw_only=True)
class Opaque(Node):
    """What only Oracle understands. `name` is the word that says so."""

    name: str
    columns: tuple[Name, ...]


@dataclass(frozen=True, kw_only=True)
class Negative(Node):
    """A value with a minus before it."""

    value: Node


@dataclass(frozen=True, kw_only=True)
class Arithmetic(Node):
    """Two values with one of + - * / || between them."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, kw_only=True)
class Case(Node):
    """CASE: without a `subject` each branch begins with a condition."""

    subject: Node | None
    branches: tuple[tuple[Node, Node], ...]
    default: Node | None


@dataclass(frozen=True, kw_only=True)
class Row(Node):
    """Several values in parentheses."""

    values: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison(Node):
    """Two values with one of = <> < <= > >= between them."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, kw_only=True)
class IsNull(Node):
    """IS NULL."""

    value: Node


@dataclass(frozen=True, kw_only=True)
class Like(Node):
    """LIKE."""

    value: Node
    pattern: Node
    escape: Node | None


@dataclass(frozen=True, kw_only=True)
class In(Node):
    """IN."""

    value: Node
    choices: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class Between(Node):
    """BETWEEN."""

    value: Node
    low: Node
    high: Node


@dataclass(frozen=True, kw_only=True)
class Not(Node):
    """NOT."""

    condition: Node


@dataclass(frozen=True, kw_only=True)
class Junction(Node):
    """Conditions with AND, or with OR, between them."""

    word: str
    conditions: tuple[Node, ...]


# What is true or false; everything else is a value.
CONDITIONS = (Comparison, IsNull, Like, In, Between, Not, Junction, Boolean)
