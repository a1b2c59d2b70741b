"""How many rows each exclusion rule matches, takes and leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from marketpulse.colors.run import prepared


@dataclass(frozen=True)
class Stage:
    """One active rule: the rows it matches alone, the rows it takes first, the rows left then."""

    id: str
    name: str
    matches: int
    takes: int
    left: int


@dataclass(frozen=True)
class Funnel:
    """The way of the rows through the rules, in the file's order."""

    read: int
    rejected: int
    stages: tuple[Stage, ...]
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The funnel as `--format json` shows it."""
        return asdict(self)


def test_rules(data: Any, *, rules: Any, table: str | None, mapping: Sequence[str]) -> Funnel:
    """Try rules on an input. Raises what `run_colors` raises; writes nothing."""
    with prepared(data, table=table, rules=rules, mapping=mapping) as ready:
        seen = ready.engine.look()
        rejected = sum(len(batch) for batch in ready.engine.rejected())
        left = seen.rows - rejected
        stages = []
        for bound, (matches, takes) in zip(ready.rules, ready.engine.funnel(), strict=True):
            left -= takes
            stages.append(Stage(bound.rule.id, bound.rule.name, matches, takes, left))
        return Funnel(seen.rows, rejected, tuple(stages), tuple(map(str, ready.faults)))
