"""Why a security's rows came out as they did: the rule, the condition, the key that decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
from sqlglot import exp

from marketpulse.colors.columns import KEYS
from marketpulse.colors.ranking import SortKey, asked, sort_keys, taken_by, tie_breaks
from marketpulse.colors.rules import BoundRule, Operator, describe_operand
from marketpulse.colors.run import Prepared
from marketpulse.errors import NotFoundError
from marketpulse.formats.encode import to_text


@dataclass(frozen=True)
class Answer:
    """A condition of the rule that took a row, and what the row has there."""

    connector: str
    column: str
    operator: str
    asked: str
    cell: str | None
    true: bool


@dataclass(frozen=True)
class Decision:
    """The first key in which a row differs from the one before it in its group."""

    key: str
    above: str | None
    here: str | None


@dataclass(frozen=True)
class ExplainedRow:
    """A row of the security: what became of it, and why."""

    outcome: str  # parent, child, excluded, rejected
    position: int | None
    cells: dict[str, str | None]
    decided: Decision | None = None
    rule: str | None = None
    conditions: tuple[Answer, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class Explanation:
    """All rows of a security, the group first, in its order."""

    cusip: str
    hierarchy: tuple[str, ...]
    rows: tuple[ExplainedRow, ...]
    known_by: tuple[str, ...] = ()  # the columns that tell people which color it is

    def as_json(self) -> dict[str, Any]:
        """The explanation as `--format json` shows it."""
        shown = asdict(self)
        del shown["known_by"]
        return shown


def explain(ready: Prepared, cusip: str) -> Explanation:
    """Explain every row of a security. Raises `NotFoundError` where no row has its CUSIP."""
    wanted = cusip.strip().upper()
    ready.engine.look()
    columns = ready.columns
    keys = sort_keys(columns, ready.hierarchy) + tie_breaks(ready.engine.cells)
    table = ready.engine.table(_statement(ready, keys, wanted))
    if not len(table):
        raise NotFoundError(
            f"no row has the CUSIP {wanted!r}",
            hint="it is compared after trimming and in upper case",
            check="MP-SRC-006",
        )
    texts = _texts(table, [column.field for column in columns.all])
    rows: list[ExplainedRow] = []
    for number, row in enumerate(table.select(table.column_names[len(texts) :]).to_pylist()):
        cells = {
            column.label: text[number] for column, text in zip(columns.all, texts, strict=True)
        }
        rows.append(_explained(row, number, cells, rows, keys, ready.rules))
    known_by = [columns.find(name) for name in ("MESSAGE_ID", *KEYS.values(), "SOURCE", "BIAS")]
    labels = tuple(column.label for column in known_by if column)
    return Explanation(wanted, ready.hierarchy, tuple(rows), labels)


def _statement(ready: Prepared, keys: Sequence[SortKey], cusip: str) -> exp.Select:
    """The security's rows, those that stay first: cells, fate, each condition, each key's tie."""
    cells = ready.engine.cells
    raw = [f"c{column.place}" for column in ready.columns.all]
    answers = [
        exp.alias_(asked(condition, cells[condition.column.place]), f"q{rule}_{number}")
        for rule, bound in enumerate(ready.rules)
        for number, condition in enumerate(bound.conditions)
    ]
    ties = [
        exp.alias_(
            exp.NullSafeEQ(this=key.ordered.this.copy(), expression=_before(key, keys)),
            f"d{number}",
        )
        for number, key in enumerate(keys)
    ]
    fate = exp.alias_(taken_by(ready.rules, cells), "taken_by")
    value = exp.column(f"v{ready.columns.role('CUSIP').place}")
    chosen = exp.select("*", fate).from_("valued").where(value.eq(exp.Literal.string(cusip)))
    kept = exp.and_(exp.column("reason").is_(exp.null()), exp.column("taken_by").is_(exp.null()))
    return (
        exp.select(*raw, "reason", "taken_by", *answers, *ties)
        .from_(chosen.subquery("chosen"))
        .order_by(
            exp.Ordered(this=kept, desc=True, nulls_first=False),
            *(key.ordered for key in keys),
            "n",
        )
    )


def lines(explanation: Explanation) -> Iterator[str]:
    """The explanation in words."""
    order = ", ".join(explanation.hierarchy)
    yield f"{explanation.cusip}: {len(explanation.rows)} rows, ranked by {order}"
    for row in explanation.rows:
        yield ""
        place = "" if row.position is None else f" {row.position}."
        yield f"{place} {row.outcome}: {_brief(row, explanation.known_by)}".lstrip()
        if row.reason:
            yield f"     {row.reason}"
        if row.rule:
            yield f"     {row.rule}"
        for answer in row.conditions:
            held = "yes" if answer.true else "no"
            yield (
                f"     {answer.connector} {answer.column} {answer.operator} {answer.asked}".rstrip()
                + f": {held}, the cell is {_cell(answer.cell)}"
            )
        if row.decided:
            rival = "runner-up" if row.position == 2 else "behind the row above"
            yield (
                f"     {rival}: decided by {row.decided.key}, {_cell(row.decided.here)} here, "
                f"{_cell(row.decided.above)} above"
            )
        elif row.outcome == "child":
            yield "     equal to the row above in every cell"


def _brief(row: ExplainedRow, columns: Sequence[str]) -> str:
    """The cells by which people know a color."""
    shown = ((name, row.cells[name]) for name in columns)
    return ", ".join(f"{name} {_cell(cell)}" for name, cell in shown)


def _cell(cell: str | None) -> str:
    return "nothing" if cell is None else repr(cell)


def _before(key: SortKey, keys: Sequence[SortKey]) -> exp.Expr:
    """The key's value in the row before, in the order of the group."""
    by_arrival = exp.Ordered(this=exp.column("n"))
    order = exp.Order(expressions=[*(one.ordered.copy() for one in keys), by_arrival])
    partition = [exp.func("coalesce", exp.column("reason"), exp.column("taken_by"))]
    lag = exp.Lag(this=key.ordered.this.copy())
    return exp.Window(this=lag, partition_by=partition, order=order)


def _explained(
    row: dict[str, Any],
    number: int,
    cells: dict[str, str | None],
    earlier: Sequence[ExplainedRow],
    keys: Sequence[SortKey],
    rules: Sequence[BoundRule],
) -> ExplainedRow:
    if row["reason"] is not None:
        return ExplainedRow("rejected", None, cells, reason=row["reason"])
    if row["taken_by"] is not None:
        index = next(i for i, rule in enumerate(rules) if rule.rule.id == row["taken_by"])
        found = [row[f"q{index}_{i}"] for i in range(len(rules[index].conditions))]
        answers = _answers(rules[index], found, cells)
        return ExplainedRow(
            "excluded", None, cells, rule=rules[index].rule.place, conditions=answers
        )
    if not number:
        return ExplainedRow("parent", 1, cells)
    decision = None
    key = next((key for i, key in enumerate(keys) if not row[f"d{i}"]), None)
    if key is not None:
        column = key.column.label
        decision = Decision(key.label, earlier[-1].cells[column], cells[column])
    return ExplainedRow("child", number + 1, cells, decided=decision)


def _answers(
    bound: BoundRule, found: Sequence[bool], cells: dict[str, str | None]
) -> tuple[Answer, ...]:
    answers = []
    for condition, true in zip(bound.conditions, found, strict=True):
        operator = condition.written.operator
        joint = " and " if operator is Operator.BETWEEN else ", "
        answers.append(
            Answer(
                condition.written.connector,
                condition.column.label,
                operator.value,
                joint.join(map(describe_operand, condition.operands)),
                cells[condition.column.label],
                true,
            )
        )
    return tuple(answers)


def _texts(table: pa.Table, fields: Sequence[pa.Field]) -> list[list[str | None]]:
    return [
        to_text(table.column(place).combine_chunks().cast(field.type), field).to_pylist()
        for place, field in enumerate(fields)
    ]
