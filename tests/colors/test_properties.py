"""Properties of any run: it agrees with the model, and the order of the rows changes nothing."""

from pathlib import Path

import pyarrow as pa
from color_tables import (
    AT,
    check_accounts,
    expected_warnings,
    outcome_in,
    outcome_of,
    write_parquet,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import Case, cases, few, run_case, run_or_reject, typed_inputs

from marketpulse import run_colors


@given(case=cases())
def test_any_rows_give_the_outcome_of_the_model(case: Case, folder: Path) -> None:
    """Engine and model agree on any rows, malformed lines, names and hierarchies."""
    run, outcome = run_case(case, folder), case.expected()
    assert outcome_of(run) == outcome
    check_accounts(run, outcome)
    assert run.warnings == expected_warnings(case.layout.names, outcome)


@given(case=cases(rules=True, strange=False))
def test_any_rules_exclude_the_rows_of_the_model(case: Case, folder: Path) -> None:
    """Engine and model agree on any rules, in any spelling, on columns of every kind."""
    run, outcome = run_case(case, folder), case.expected()
    assert outcome_of(run) == outcome
    check_accounts(run, outcome)
    assert run.warnings == expected_warnings(case.layout.names, outcome)


@few
@given(case=cases(strange=False), data=st.data())
def test_the_order_of_the_rows_changes_nothing(
    case: Case, data: st.DataObject, folder: Path
) -> None:
    """Shuffled rows have the same run and the same processed rows; another row has another run."""
    header, rows = case.rows()
    shuffled = data.draw(st.permutations(rows))
    write_parquet(folder / "sorted.parquet", header, rows)
    write_parquet(folder / "shuffled.parquet", header, shuffled)
    first, second = (
        run_or_reject(folder / f"{name}.parquet", case, processed_at=AT)
        for name in ("sorted", "shuffled")
    )
    assert first.run_id == second.run_id
    assert first.processed == second.processed
    if rows:
        write_parquet(folder / "more.parquet", header, [*rows, rows[0]])
        assert run_colors(folder / "more.parquet", **case.options()).run_id != first.run_id


@settings(max_examples=max(1, settings().max_examples // 2))
@given(form=typed_inputs())
def test_any_typed_values_give_the_outcome_of_their_text(
    form: tuple[pa.Table, Case], folder: Path
) -> None:
    """Typed columns are ranked, excluded and spelled as the same values in canonical text."""
    table, case = form
    output = folder / "typed"
    run = run_or_reject(table, case, output=output)
    outcome = case.expected()
    assert outcome_in(output) == outcome
    check_accounts(run, outcome)
    assert run.warnings == expected_warnings(case.layout.names, outcome)
