"""Check rules files without an input: their faults, and whether their examples come true."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from marketpulse.colors.rules import (
    CheckedRules,
    RuleBook,
    bind_rules,
    join_books,
    read_rules,
)


def check_rules(*rules: Path | RuleBook, types: Sequence[str] = ()) -> CheckedRules:
    """Check rules files, or books, as one book; their examples have columns of these `types`.

    `types` are as in `RunOptions`. Raises what `read_rules` raises.
    """
    book = join_books([part if isinstance(part, RuleBook) else read_rules(part) for part in rules])
    active = sum(rule.active for rule in book.rules)
    faults = [*bind_rules(book, None).faults, *book.example_faults]
    # Rules with errors stop a run, so nothing would happen to a row.
    if book.examples and not any(fault.fatal for fault in faults):
        from marketpulse.colors.rule_examples import (  # noqa: PLC0415 - loads the engine, 0.3 s
            run_examples,
        )

        faults += run_examples(book, types)
    return CheckedRules(
        name=book.name,
        active=active,
        inactive=len(book.rules) - active,
        examples=len(book.examples),
        faults=tuple(faults),
    )
