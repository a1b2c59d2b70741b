"""The funnel of `rules test`: how many rows each rule matches, takes and leaves."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from marketpulse.colors.options import RunOptions
from marketpulse.colors.prepare import prepare


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One active rule: the rows that it matches, takes as the first rule, and leaves."""

    id: str
    name: str
    matches: int
    takes: int
    left: int


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """The rows after each rule, in the file's order."""

    read: int
    rejected: int
    stages: tuple[Stage, ...]
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The funnel as `--format json` shows it."""
        return asdict(self)


def test_rules(data: object, options: RunOptions) -> Funnel:
    """Count the rows that each rule matches and takes. Raises what `run_colors` raises."""
    with prepare(data, options) as prepared:
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
        warnings = tuple(map(str, prepared.warnings))
        return Funnel(read=read, rejected=rejected, stages=tuple(stages), warnings=warnings)
