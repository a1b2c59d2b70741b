"""The answers of `rules test`: how many rows each rule takes, and what other rules would change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from marketpulse.colors.explain import Cells, cell_texts, main_columns
from marketpulse.colors.options import RunOptions
from marketpulse.colors.prepare import PreparedRun, prepare, rule_book
from marketpulse.colors.ranking import excluding_rule
from marketpulse.colors.rules import BoundRule

# The field names of these classes are the keys of `rules test --format json`.


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One active rule: the rows that it matches, takes as the first rule, and leaves."""

    id: str
    name: str
    matches: int
    takes: int
    left: int


@dataclass(frozen=True, kw_only=True)
class ComparedRow:
    """A row with another fate under the other rules: kept, or excluded by one of them."""

    cells: Cells
    fate: str
    other_fate: str


@dataclass(frozen=True, kw_only=True)
class FateChange:
    """How many rows have this fate under the rules, and that one under the other rules."""

    fate: str
    other_fate: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class RulesComparison:
    """The rows with another fate under other rules, in the order of the input."""

    rules: str
    other_rules: str
    differing: int
    changes: tuple[FateChange, ...]
    rows: tuple[ComparedRow, ...]
    main_columns: tuple[str, ...]  # by which a person recognizes a color


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """The rows after each rule, in the file's order."""

    read: int
    rejected: int
    stages: tuple[Stage, ...]
    warnings: tuple[str, ...]
    comparison: RulesComparison | None

    def as_json(self) -> dict[str, object]:
        """The funnel as `--format json` shows it."""
        document = asdict(self)
        if self.comparison is None:
            del document["comparison"]
        else:
            del document["comparison"]["main_columns"]
        return document


def try_rules(
    data: object, options: RunOptions, compare: object = None, limit: int | None = None
) -> Funnel:
    """Count the rows that each rule matches and takes. Raises what `run_colors` raises.

    With `compare`, other rules of the same kinds as `options.rules`, find the rows whose fate
    differs: all of them, or the first ones up to `limit`.
    """
    other_book = rule_book(compare)
    with prepare(data, options, other_book) as prepared:
        read = prepared.engine.profile().rows
        rejected = sum(len(batch) for batch in prepared.engine.rejected())
        left = read - rejected
        stages = []
        for bound, (matches, takes) in zip(prepared.rules, prepared.engine.funnel(), strict=True):
            left -= takes
            stages.append(
                Stage(
                    id=bound.rule.id, name=bound.rule.name, matches=matches, takes=takes, left=left
                )
            )
        return Funnel(
            read=read,
            rejected=rejected,
            stages=tuple(stages),
            warnings=tuple(map(str, prepared.plan.warnings)),
            comparison=None if compare is None else _compare(prepared, other_book.name, limit),
        )


def _compare(prepared: PreparedRun, other_name: str, limit: int | None) -> RulesComparison:
    pairs = (
        f"SELECT here, there, count(*) AS rows FROM {_differing(prepared)} GROUP BY ALL "
        "ORDER BY rows DESC, here NULLS LAST, there NULLS LAST"
    )
    message_id, *others = main_columns(prepared.columns)
    fate, other_fate = _fates(prepared.rules), _fates(prepared.plan.other_rules)
    changes = tuple(
        FateChange(fate=fate[pair["here"]], other_fate=other_fate[pair["there"]], rows=pair["rows"])
        for pair in prepared.engine.table(pairs).to_pylist()
    )
    return RulesComparison(
        rules=prepared.plan.book.name,
        other_rules=other_name,
        differing=sum(change.rows for change in changes),
        changes=changes,
        rows=_compared_rows(prepared, fate, other_fate, limit),
        main_columns=(message_id, prepared.columns.role("CUSIP").label, *others),
    )


def _compared_rows(
    prepared: PreparedRun,
    fate: dict[str | None, str],
    other_fate: dict[str | None, str],
    limit: int | None,
) -> tuple[ComparedRow, ...]:
    columns = prepared.columns
    cells = ", ".join(f"c{column.place}" for column in columns.all)
    statement = f"SELECT {cells}, here, there FROM {_differing(prepared)} ORDER BY n"
    first = "" if limit is None else f" LIMIT {limit:d}"
    table = prepared.engine.table(statement + first)
    labels = [column.label for column in columns.all]
    texts = cell_texts(table, columns.all)
    fates = zip(table["here"].to_pylist(), table["there"].to_pylist(), strict=True)
    return tuple(
        ComparedRow(
            cells=dict(zip(labels, row, strict=True)), fate=fate[here], other_fate=other_fate[there]
        )
        for (here, there), *row in zip(fates, *texts, strict=True)
    )


def _differing(prepared: PreparedRun) -> str:
    """The usable rows that the two books treat differently, with the rule of each."""
    cells = prepared.engine.cells
    here = excluding_rule(prepared.rules, cells)
    there = excluding_rule(prepared.plan.other_rules, cells)
    fates = f"SELECT *, {here} AS here, {there} AS there FROM valued WHERE reason IS NULL"
    return f"({fates}) WHERE here IS DISTINCT FROM there"


def _fates(rules: Sequence[BoundRule]) -> dict[str | None, str]:
    """What becomes of a row, by the id of the rule that excludes it."""
    fates: dict[str | None, str] = {None: "kept"}
    return fates | {bound.rule.id: f"excluded by {bound.rule.place}" for bound in rules}
