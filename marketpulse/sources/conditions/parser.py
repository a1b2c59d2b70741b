"""Oracle's grammar of one condition, and of a list of sort keys.

Precedence, the tightest first:

    -x    * /    + - ||    = < IN LIKE BETWEEN IS    NOT    AND    OR

`||` stands beside `+` and `-`, as in Oracle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn

from marketpulse.sources.conditions import syntax
from marketpulse.sources.conditions.syntax import Node
from marketpulse.sources.conditions.tokens import ConditionError, Token, TokenKind, tokenize

_COMPARISONS = {"!=": "<>", "^=": "<>", "~=": "<>"} | {
    symbol: symbol for symbol in ("=", "<>", "<", "<=", ">", ">=")
}
_FORBIDDEN = {
    ";": "no second statement is allowed, and no ; at the end",
    "@": "a link to another database is not allowed",
    ":": "a bind variable has no value here",
    "SELECT": "a subquery is not allowed",
    "OVER": "a window function has no value in a condition",
}
_AGGREGATES = {
    *("AVG", "COUNT", "MAX", "MEDIAN", "MIN", "SUM", "STDDEV", "VARIANCE", "LISTAGG", "XMLAGG"),
    *("STDDEV_POP", "STDDEV_SAMP", "VAR_POP", "VAR_SAMP", "STATS_MODE", "GROUPING", "COLLECT"),
    *("CORR", "COVAR_POP", "COVAR_SAMP", "APPROX_COUNT_DISTINCT", "JSON_ARRAYAGG"),
    *("JSON_OBJECTAGG", "ANY_VALUE", "CHECKSUM", "BIT_AND_AGG", "BIT_OR_AGG", "BIT_XOR_AGG"),
}
# Words that begin no value. A column of such a name needs quotes.
_NO_VALUES = {
    *("AND", "OR", "NOT", "IN", "IS", "LIKE", "BETWEEN", "ESCAPE", "THEN", "WHEN", "ELSE", "FROM"),
    *("AS", "ASC", "BY", "CONNECT", "FOR", "GROUP", "HAVING", "INTERSECT", "INTO", "MINUS"),
    *("ORDER", "START", "UNION", "WHERE", "WITH", "EXISTS", "DISTINCT"),
    *("LIKEC", "LIKE2", "LIKE4", "DESC"),
}
_UNSUPPORTED = {"MEMBER", "SUBMULTISET", "OVERLAPS"}  # conditions on collections and periods
_MOST_NESTED = 40
# The functions of Oracle that are true or false.
_PREDICATES = {
    *("REGEXP_LIKE", "LNNVL", "XMLEXISTS", "JSON_EXISTS", "JSON_TEXTCONTAINS", "JSON_EQUAL"),
    *("EQUALS_PATH", "UNDER_PATH"),
}


@dataclass(frozen=True, kw_only=True)
class OrderTerm:
    """A column to sort by."""

    column: syntax.Name
    descending: bool
    nulls_first: bool


def parse_condition(text: str) -> Node:
    """Parse one condition. Raises `ConditionError` for anything else, and names the word."""
    parser = _Parser(text)
    node = parser.junction()
    parser.expect_end()
    if not is_condition(node):
        word = "" if isinstance(node, syntax.Number | syntax.Text) else text[node.start : node.end]
        raise ConditionError(word, "it is not a condition: compare it with something")
    return node


def is_condition(node: Node) -> bool:
    """Return whether a part is true or false of a row."""
    if isinstance(node, syntax.Row):
        return len(node.values) == 1 and is_condition(node.values[0])
    is_predicate = isinstance(node, syntax.Call) and node.name in _PREDICATES
    # What is skipped may be either: Oracle decides.
    is_opaque = isinstance(node, syntax.Opaque)
    return isinstance(node, syntax.CONDITIONS) or is_predicate or is_opaque


def parse_order(text: str) -> list[OrderTerm]:
    """Parse a list of columns, each with ASC or DESC and NULLS FIRST or LAST; they come last."""
    parser = _Parser(text)
    keys = [parser.order_term()]
    while parser.take(","):
        keys.append(parser.order_term())
    parser.expect_end()
    return keys


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._index = 0
        self._depth = 0
        for token, following in zip(self._tokens, self._tokens[1:], strict=False):
            self._refuse_forbidden(token, following)

    def _refuse_forbidden(self, token: Token, following: Token) -> None:
        if token.kind not in {TokenKind.NAME, TokenKind.SYMBOL}:
            return
        if reason := _FORBIDDEN.get(token.value):
            raise ConditionError(self._text[token.start : token.end], reason)
        if token.value in _AGGREGATES and following.value == "(":
            word = self._text[token.start : token.end]
            raise ConditionError(
                word, "it is an aggregate of many rows, and a condition is about one"
            )

    # -- tokens ----------------------------------------------------------------------------------

    @property
    def _next(self) -> Token:
        return self._tokens[self._index]

    def _peek(self, *values: str, ahead: int = 0) -> bool:
        """Return whether these words or symbols come next."""
        tokens = self._tokens[self._index + ahead : self._index + ahead + len(values)]
        return [token.value for token in tokens] == list(values) and all(
            token.kind in {TokenKind.NAME, TokenKind.SYMBOL} for token in tokens
        )

    def take(self, *values: str) -> bool:
        """Go past these words or symbols, if they come next."""
        if not self._peek(*values):
            return False
        self._index += len(values)
        return True

    def _expect(self, value: str) -> None:
        if not self.take(value):
            self._refuse(f"{value} is expected here")

    def expect_end(self) -> None:
        """Raise `ConditionError` unless everything has been read."""
        if self._next.kind is TokenKind.NAME and self._next.value in _UNSUPPORTED:
            self._refuse("Oracle has it, but it is not supported here")
        if self._next.kind is not TokenKind.END:
            self._refuse("the condition ends before it, so it is not one condition")

    def _refuse(self, reason: str) -> NoReturn:
        token = self._next
        word = self._text[token.start : token.end]
        raise ConditionError(word, reason if word else f"it is not complete: {reason}")

    def _advance(self) -> Token:
        token = self._next
        self._index += 1
        return token

    @property
    def _end(self) -> int:
        """Where the last token ends."""
        return self._tokens[self._index - 1].end

    # -- conditions ------------------------------------------------------------------------------

    def junction(self) -> Node:
        """Parse conditions with AND and OR between them, or a single value."""
        self._depth += 1
        if self._depth > _MOST_NESTED:
            self._refuse("the parentheses are nested too deeply")
        node = self._chain("OR", lambda: self._chain("AND", self._negation))
        self._depth -= 1
        return node

    def _chain(self, word: str, parse: Callable[[], Node]) -> Node:
        start = self._next.start
        parts = [parse()]
        while self.take(word):
            parts.append(parse())
        if len(parts) == 1:
            return parts[0]
        return syntax.Junction(start=start, end=self._end, word=word, conditions=tuple(parts))

    def _negation(self) -> Node:
        start = self._next.start
        negations = 0
        while self.take("NOT"):
            negations += 1
        node = self._comparison()
        for _ in range(negations):
            node = syntax.Not(start=start, end=self._end, condition=node)
        return node

    def _comparison(self) -> Node:
        start = self._next.start
        left = self._sum()
        if self._next.kind is TokenKind.SYMBOL and self._next.value in _COMPARISONS:
            operator = _COMPARISONS[self._advance().value]
            right = self._sum()
            return syntax.Comparison(
                start=start, end=self._end, operator=operator, left=left, right=right
            )
        if self.take("IS"):
            return self._is(left)
        is_negated = self.take("NOT")
        node = self._other_comparison(left, start)
        if node is None:
            if is_negated:
                self._refuse("IN, LIKE or BETWEEN is expected after NOT")
            return left
        return syntax.Not(start=start, end=self._end, condition=node) if is_negated else node

    def _other_comparison(self, left: Node, start: int) -> Node | None:
        """Parse IN, BETWEEN or LIKE and what follows."""
        if self.take("IN"):
            choices = self._arguments() if self._peek("(") else (self._sum(),)
            return syntax.In(start=start, end=self._end, value=left, choices=choices)
        if self.take("BETWEEN"):
            low = self._sum()
            self._expect("AND")
            high = self._sum()
            return syntax.Between(start=start, end=self._end, value=left, low=low, high=high)
        word = self._next.value
        if self.take("LIKE") or self.take("LIKEC") or self.take("LIKE2") or self.take("LIKE4"):
            pattern = self._sum()
            escape = self._sum() if self.take("ESCAPE") else None
            if word != "LIKE":
                return self._opaque(start, word, left, pattern, *([escape] if escape else []))
            return syntax.Like(
                start=start, end=self._end, value=left, pattern=pattern, escape=escape
            )
        return None

    def _is(self, left: Node) -> Node:
        is_negated = self.take("NOT")
        node: Node
        if self.take("NULL"):
            node = syntax.IsNull(start=left.start, end=self._end, value=left)
        else:
            word = self._text[self._next.start : self._next.end]
            if self._next.kind is not TokenKind.NAME or self._next.value in _NO_VALUES:
                self._refuse("NULL is expected here")
            self._skip_until("AND", "OR", "THEN")
            node = self._opaque(left.start, f"IS {word}", left)
        return syntax.Not(start=left.start, end=self._end, condition=node) if is_negated else node

    # -- values ----------------------------------------------------------------------------------

    def _sum(self) -> Node:
        return self._operation(
            {"+", "-", "||"}, lambda: self._operation({"*", "/"}, self._signed_value)
        )

    def _operation(self, operators: set[str], parse: Callable[[], Node]) -> Node:
        start = self._next.start
        left = parse()
        while self._next.kind is TokenKind.SYMBOL and self._next.value in operators:
            operator = self._advance().value
            right = parse()
            left = syntax.Arithmetic(
                start=start, end=self._end, operator=operator, left=left, right=right
            )
        return left

    def _signed_value(self) -> Node:
        start = self._next.start
        is_negative = False
        while self._peek("-") or self._peek("+"):
            is_negative ^= self._advance().value == "-"
        node = self._value()
        return syntax.Negative(start=start, end=self._end, value=node) if is_negative else node

    def _value(self) -> Node:
        token = self._next
        if token.kind is TokenKind.NUMBER:
            self._advance()
            digits = token.value.rstrip("dDfF")
            return syntax.Number(
                start=token.start,
                end=token.end,
                value=Decimal(digits),
                is_binary=digits != token.value,
            )
        if token.kind is TokenKind.TEXT:
            self._advance()
            return syntax.Text(start=token.start, end=token.end, value=token.value)
        if self._peek("("):
            return self._row()
        is_name = token.kind is TokenKind.NAME and token.value not in _NO_VALUES
        if not is_name and token.kind is not TokenKind.QUOTED_NAME:
            self._refuse("a value is expected here")
        node = self._value_of_name()
        if self._peek("(+)"):
            self._refuse("an outer join needs a second table")
        if self._peek("AT", "TIME", "ZONE") or self._peek("AT", "LOCAL") or self._peek("COLLATE"):
            word = self._next.value
            self._skip_until("AND", "OR", "THEN", "IS", "IN", "NOT", "LIKE", "BETWEEN")
            return self._opaque(token.start, word, node)
        return node

    def _row(self) -> Node:
        start = self._next.start
        values = self._arguments()
        if not values:
            self._refuse("a value is expected in the parentheses")
        return syntax.Row(start=start, end=self._end, values=values)

    def _arguments(self) -> tuple[Node, ...]:
        """Parse a list in parentheses."""
        self._expect("(")
        if self.take(")"):
            return ()
        values = [self.junction()]
        while self.take(","):
            values.append(self.junction())
        self._expect(")")
        return tuple(values)

    def _value_of_name(self) -> Node:
        """Parse what begins with a name: a literal, CASE, a function or a column."""
        token, following = self._next, self._tokens[self._index + 1]
        if token.kind is TokenKind.NAME:
            if token.value in {"DATE", "TIMESTAMP"} and following.kind is TokenKind.TEXT:
                self._index += 2
                return syntax.Date(
                    start=token.start, end=self._end, word=token.value, value=following.value
                )
            if token.value == "INTERVAL" and following.kind is TokenKind.TEXT:
                return self._interval()
            if token.value == "CASE":
                return self._case()
            if token.value == "NULL":
                self._advance()
                return syntax.Null(start=token.start, end=token.end)
            if token.value in {"TRUE", "FALSE"}:
                self._advance()
                is_true = token.value == "TRUE"
                return syntax.Boolean(start=token.start, end=token.end, value=is_true)
        self._advance()
        names = [token.value]
        while self.take("."):
            names.append(self._advance().value)
        if self._peek("("):
            return self._call(token, ".".join(names))
        if len(names) > 1:
            return self._opaque(token.start, ".".join(names))
        is_quoted = token.kind is TokenKind.QUOTED_NAME
        return syntax.Name(start=token.start, end=token.end, value=token.value, quoted=is_quoted)

    def _interval(self) -> Node:
        start = self._next.start
        self._index += 2
        units = {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "TO"}
        while self._next.value in units or self._peek("("):
            if self._peek("("):
                self._skip_parentheses()
            else:
                self._advance()
        return self._opaque(start, "INTERVAL")

    def _case(self) -> Node:
        start = self._advance().start
        subject = None if self._peek("WHEN") else self.junction()
        branches = []
        while self.take("WHEN"):
            condition = self.junction()
            self._expect("THEN")
            branches.append((condition, self.junction()))
        if not branches:
            self._refuse("WHEN is expected here")
        default = self.junction() if self.take("ELSE") else None
        self._expect("END")
        return syntax.Case(
            start=start, end=self._end, subject=subject, branches=tuple(branches), default=default
        )

    def _call(self, token: Token, name: str) -> Node:
        start, after_name = token.start, self._end
        if name == "TRIM":
            return self._trim(start)
        index, depth = self._index, self._depth
        try:
            arguments = self._arguments()
        except ConditionError:
            # Oracle has arguments with words: CAST(x AS NUMBER), EXTRACT(YEAR FROM x).
            self._index, self._depth = index + 1, depth
            return self._special_call(start, name, index)
        return syntax.Call(
            start=start, end=self._end, name=name, arguments=arguments, after_name=after_name
        )

    def _special_call(self, start: int, name: str, index: int) -> Node:
        if name == "EXTRACT" and self._peek("FROM", ahead=1):
            self._index += 2
        columns: list[Node] = []
        if name in {"CAST", "EXTRACT", "XMLCAST", "TREAT"}:
            columns = [self.junction()]
        self._index = index
        self._skip_parentheses()
        return self._opaque(start, name, *columns)

    def _trim(self, start: int) -> Node:
        self._expect("(")
        side = "BOTH"
        if self._next.value in {"LEADING", "TRAILING", "BOTH"} and not self._peek(")", ahead=1):
            side = self._advance().value
        characters = None if self._peek("FROM") else self._sum()
        value = characters
        if self.take("FROM"):
            value = self._sum()
        else:
            characters = None
        self._expect(")")
        if value is None:
            self._refuse("a value is expected here")
        return syntax.Trim(
            start=start, end=self._end, side=side, characters=characters, value=value
        )

    # -- what only Oracle understands ------------------------------------------------------------

    def _opaque(self, start: int, name: str, *parts: Node) -> Node:
        columns = tuple(name for part in parts for name in names_in(part))
        return syntax.Opaque(start=start, end=self._end, name=name, columns=columns)

    def _skip_until(self, *words: str) -> None:
        """Go past tokens until one of these words, or the end of the parentheses."""
        while self._next.kind is not TokenKind.END and not self._peek(")"):
            if any(self._peek(word) for word in words):
                return
            if self._peek("("):
                self._skip_parentheses()
            else:
                self._advance()

    def _skip_parentheses(self) -> None:
        self._expect("(")
        while not self.take(")"):
            if self._next.kind is TokenKind.END:
                self._refuse(") is expected here")
            if self._peek("("):
                self._skip_parentheses()
            else:
                self._advance()

    # -- sort keys -------------------------------------------------------------------------------

    def order_term(self) -> OrderTerm:
        """Parse a column, its direction and the place of its nulls."""
        token = self._advance()
        is_quoted = token.kind is TokenKind.QUOTED_NAME
        if not is_quoted and token.kind is not TokenKind.NAME:
            word = self._text[token.start : token.end]
            raise ConditionError(word, "it is not a column")
        column = syntax.Name(start=token.start, end=token.end, value=token.value, quoted=is_quoted)
        descending = self.take("DESC")
        if not descending:
            self.take("ASC")
        nulls_first = self.take("NULLS", "FIRST")
        if not nulls_first:
            self.take("NULLS", "LAST")
        if not self._peek(",") and self._next.kind is not TokenKind.END:
            self._refuse("write COLUMN [ASC | DESC] [NULLS FIRST | NULLS LAST]")
        return OrderTerm(column=column, descending=descending, nulls_first=nulls_first)


def names_in(node: Node) -> Sequence[syntax.Name]:
    """Return every name in a part that may be a column, in their order."""
    if isinstance(node, syntax.Name):
        return [node]
    if isinstance(node, syntax.Opaque):
        return node.columns
    names: list[syntax.Name] = []
    waiting: list[object] = [getattr(node, name) for name in node.__dataclass_fields__]
    while waiting:
        part = waiting.pop(0)
        if isinstance(part, tuple):
            waiting[:0] = part
        elif isinstance(part, Node):
            names.extend(names_in(part))
    return names
