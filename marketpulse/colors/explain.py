"""Explain the rows of a security: the rule, the condition or the sort key that decided.

`rank_securities` says so of many securities at once, for a report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Concatenate, ParamSpec

import pyarrow as pa

from marketpulse.colors.cells import literal
from marketpulse.colors.columns import KEYS, Columns, InputColumn
from marketpulse.colors.options import RunOptions
from marketpulse.colors.prepare import PreparedRun, prepare
from marketpulse.colors.ranking import (
    SortKey,
    condition_predicate,
    excluding_rule,
    sort_keys,
    tie_breaks,
)
from marketpulse.colors.rules import BoundRule, Operator, describe_operand
from marketpulse.errors import NotFoundError, UsageError
from marketpulse.formats.encode import to_text

_Keywords = ParamSpec("_Keywords")
_GROUP = "security_group"  # a window
Cells = dict[str, str | None]  # the text of a row's cells, by the name of the column

# The field names of these classes are the keys of `run-colors --explain --format json`.


@dataclass(frozen=True, kw_only=True)
class ConditionResult:
    """A condition of the rule that excludes a row, and the row's cell."""

    connector: str
    column: str
    operator: str
    asked: str  # the value of the condition
    cell: str | None
    true: bool


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The first key in which a row differs from the row above it in its group."""

    key: str
    above: str | None
    here: str | None


@dataclass(frozen=True, kw_only=True)
class ExplainedRow:
    """A row of the security: its outcome, and why."""

    outcome: str  # parent, child, excluded, rejected
    position: int | None = None
    cells: Cells
    decided: Decision | None = None
    rule: str | None = None
    conditions: tuple[ConditionResult, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """All rows of a security: its group in order, then excluded and rejected rows."""

    cusip: str
    hierarchy: tuple[str, ...]
    rows: tuple[ExplainedRow, ...]
    main_columns: tuple[str, ...]  # by which a person recognizes a color

    def as_json(self) -> dict[str, object]:
        """The explanation as `--format json` shows it."""
        document = asdict(self)
        del document["main_columns"]
        return document


def explain(data: object, cusip: str, options: RunOptions) -> Explanation:
    """Explain why each row of a security is the parent, a child, excluded or rejected.

    `data` is what `run_colors` takes. Raises what `run_colors` raises, and `NotFoundError` if no
    row has the CUSIP.
    """
    if not isinstance(cusip, str):
        raise UsageError(
            f"the CUSIP is {type(cusip).__name__}, not text", hint="for instance '037833100'"
        )
    with prepare(data, options) as prepared:
        prepared.engine.profile()
        return _explain(prepared, cusip.strip().upper())


def _with_keywords(
    make_options: Callable[_Keywords, RunOptions],
) -> Callable[Concatenate[object, str, _Keywords], Explanation]:
    # As for run_colors: type checkers take the keywords from RunOptions.
    def explain_colors(
        data: object, cusip: str, /, *args: _Keywords.args, **keywords: _Keywords.kwargs
    ) -> Explanation:
        return explain(data, cusip, make_options(*args, **keywords))

    explain_colors.__doc__ = f"{explain.__doc__}\n    The keywords are the fields of `RunOptions`."
    return explain_colors


explain_colors = _with_keywords(RunOptions)


def _explain(prepared: PreparedRun, cusip: str) -> Explanation:
    columns = prepared.columns
    keys = _keys(prepared)
    table = prepared.engine.table(_statement(prepared, keys, cusip))
    if not len(table):
        raise NotFoundError(
            f"no row has the CUSIP {cusip!r}",
            hint="CUSIPs are compared after trimming and in upper case",
            check="MP-SRC-006",
        )
    labels = [column.label for column in columns.all]
    texts = cell_texts(table, columns.all)
    verdicts = table.select(table.column_names[len(labels) :]).to_pylist()
    rows: list[ExplainedRow] = []
    above: Cells = {}
    for position, (verdict, *row_texts) in enumerate(zip(verdicts, *texts, strict=True), 1):
        row = dict(zip(labels, row_texts, strict=True))
        if verdict["reason"] is not None:
            explained = ExplainedRow(outcome="rejected", cells=row, reason=verdict["reason"])
        elif verdict["excluded_by"] is not None:
            explained = _exclusion(verdict, row, prepared.rules)
        elif position == 1:
            explained = ExplainedRow(outcome="parent", position=1, cells=row)
        else:
            decision = _decision(verdict, keys, above, row)
            explained = ExplainedRow(
                outcome="child", position=position, cells=row, decided=decision
            )
        rows.append(explained)
        above = row
    return Explanation(
        cusip=cusip,
        hierarchy=prepared.plan.hierarchy,
        rows=tuple(rows),
        main_columns=main_columns(columns),
    )


def _keys(prepared: PreparedRun) -> list[SortKey]:
    """All keys of the total order."""
    cells = prepared.engine.cells
    return sort_keys(cells, prepared.plan.hierarchy) + tie_breaks(cells)


def _statement(prepared: PreparedRun, keys: Sequence[SortKey], cusip: str) -> str:
    """The security's rows, the group first: cells, reason, rule, conditions, equal keys.

    q0_1 is whether the second condition of the first rule is true. d2 is whether the third key is
    equal to that of the row above.
    """
    cells = prepared.engine.cells
    conditions = [
        f"{condition_predicate(condition, cells[condition.column.place])} AS q{rule}_{number}"
        for rule, bound in enumerate(prepared.rules)
        for number, condition in enumerate(bound.conditions)
    ]
    equal = [f"{_equals_above(key)} AS d{number}" for number, key in enumerate(keys)]
    rule = excluding_rule(prepared.rules, cells)
    is_wanted = f"v{prepared.columns.role('CUSIP').place} = {literal(cusip)}"
    security = f"SELECT *, {rule} AS excluded_by FROM valued WHERE {is_wanted}"
    raw = [f"c{column.place}" for column in prepared.columns.all]
    return (
        f"SELECT {', '.join([*raw, 'reason', 'excluded_by', *conditions, *equal])} "
        f"FROM ({security}) WINDOW {_group(keys, 'coalesce(reason, excluded_by)')} "
        f"ORDER BY (reason IS NULL AND excluded_by IS NULL) DESC, {_in_order(keys)}"
    )


def _group(keys: Sequence[SortKey], partition: str) -> str:
    """The window of a row: its group in order. It has a name, because fifty keys refer to it."""
    return f"{_GROUP} AS (PARTITION BY {partition} ORDER BY {_in_order(keys)})"


def _in_order(keys: Sequence[SortKey]) -> str:
    return ", ".join([*(key.ordered for key in keys), "n"])


def _equals_above(key: SortKey) -> str:
    """Whether the key's value is that of the row above in its group."""
    return f"({key.value} IS NOT DISTINCT FROM lag({key.value}) OVER {_GROUP})"


@dataclass(frozen=True, kw_only=True)
class RankedColors:
    """The colors of many securities in the order of their groups, by CUSIP.

    `columns` are their cells as text, by the name of the column. `decided[i]` is the first key in
    which color i differs from the one above it in its group, with both cells: `RANK: 3 after 2`.
    It is None for a parent, and for a color that equals the one above in all keys.
    """

    cusips: list[str]
    positions: list[int]  # 1 is the parent
    columns: dict[str, list[str | None]]
    decided: list[str | None]


def rank_securities(prepared: PreparedRun, names: Sequence[str], limit: int) -> RankedColors:
    """Rank an input whose profile is taken: the first securities, with at most `limit` colors.

    `names` are the columns to return, as far as the input has them. Rules are not applied.
    """
    columns = prepared.columns
    keys = _keys(prepared)
    found = {column.label: column for name in names if (column := columns.find(name))}
    cusip = f"v{columns.role('CUSIP').place}"
    # A key that differs decides, and those before it are equal. The first row has no row above.
    differing = (f"WHEN NOT {_equals_above(key)} THEN {number}" for number, key in enumerate(keys))
    selected = [
        f"{cusip} AS cusip",
        f"row_number() OVER {_GROUP} AS position",
        f"CASE {' '.join(differing)} END AS decided",
        f"count(*) OVER (ORDER BY {cusip}) AS so_far",
        *(f"c{column.place}" for column in columns.all),
    ]
    ranked = (
        f"SELECT {', '.join(selected)} FROM valued WHERE reason IS NULL "
        f"WINDOW {_group(keys, cusip)}"
    )
    table = prepared.engine.table(
        f"SELECT * EXCLUDE (so_far) FROM ({ranked}) WHERE so_far <= {limit:d} "
        "ORDER BY cusip, position"
    )
    decided = table.column("decided").to_pylist()
    deciding = {keys[number].column for number in {*decided} - {None}}
    needed = [column for column in columns.all if column in deciding or column in found.values()]
    texts = cell_texts(table.select([f"c{column.place}" for column in needed]), needed)
    by_column = dict(zip(needed, texts, strict=True))
    positions = table.column("position").to_pylist()
    return RankedColors(
        cusips=table.column("cusip").to_pylist(),
        positions=positions,
        columns={label: by_column[column] for label, column in found.items()},
        decided=[
            None
            if number is None or position == 1  # a parent has no color above
            else _difference(keys[number].label, by_column[keys[number].column], row)
            for row, (number, position) in enumerate(zip(decided, positions, strict=True))
        ],
    )


def _difference(key: str, cells: Sequence[str | None], row: int) -> str:
    here, above = ("null" if cells[place] is None else cells[place] for place in (row, row - 1))
    return f"{key}: {here} after {above}"


def _exclusion(
    verdict: Mapping[str, Any], cells: Cells, rules: Sequence[BoundRule]
) -> ExplainedRow:
    number, bound = next(
        (number, rule)
        for number, rule in enumerate(rules)
        if rule.rule.id == verdict["excluded_by"]
    )
    results = []
    for place, condition in enumerate(bound.conditions):
        operator, label = condition.written.operator, condition.column.label
        separator = " and " if operator is Operator.BETWEEN else ", "
        result = ConditionResult(
            connector=condition.written.connector,
            column=label,
            operator=operator.value,
            asked=separator.join(map(describe_operand, condition.operands)),
            cell=cells[label],
            true=verdict[f"q{number}_{place}"],
        )
        results.append(result)
    return ExplainedRow(
        outcome="excluded", cells=cells, rule=bound.rule.place, conditions=tuple(results)
    )


def _decision(
    verdict: Mapping[str, Any], keys: Sequence[SortKey], above: Cells, here: Cells
) -> Decision | None:
    for number, key in enumerate(keys):
        if not verdict[f"d{number}"]:
            label = key.column.label
            return Decision(key=key.label, above=above[label], here=here[label])
    return None


def main_columns(columns: Columns) -> tuple[str, ...]:
    """The columns by which a person recognizes a color, as far as the input has them."""
    main = [columns.find(name) for name in ("MESSAGE_ID", *KEYS.values(), "SOURCE", "BIAS")]
    return tuple(column.label for column in main if column)


def cell_texts(table: pa.Table, columns: Sequence[InputColumn]) -> list[list[str | None]]:
    """The cells of a table, which begins with these columns, as text, column by column."""
    fields = enumerate(column.field for column in columns)
    return [
        to_text(table.column(place).combine_chunks().cast(field.type), field).to_pylist()
        for place, field in fields
    ]
