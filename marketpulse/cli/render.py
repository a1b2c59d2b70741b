"""Every result as a person reads it, or as JSON.

Results go to standard output. Notes and warnings go to `say`, which prints on standard error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from marketpulse.cli import console
from marketpulse.model import Table, format_count

if TYPE_CHECKING:
    from marketpulse.aws.parameters import ParametersReport
    from marketpulse.bundle import BundleTable
    from marketpulse.colors.explain import ExplainedRow, Explanation
    from marketpulse.colors.funnel import Funnel, RulesComparison
    from marketpulse.colors.history import DaysRun
    from marketpulse.colors.results import ColorsRun
    from marketpulse.colors.rules import CheckedRules
    from marketpulse.doctor import Step
    from marketpulse.extraction.catalog import Schemas, TableListing
    from marketpulse.extraction.sample import Sample
    from marketpulse.extraction.sample_options import PlannedTable
    from marketpulse.extraction.source_comparison import SourceComparison
    from marketpulse.extraction.verify import Verification
    from marketpulse.model import TableSchema
    from marketpulse.publish import Receipt
    from marketpulse.report import Report
    from marketpulse.settings.load import SettingsReport

Say: TypeAlias = Callable[[str], None]


# -- colors ----------------------------------------------------------------------------------------


def show_run(
    run: ColorsRun,
    receipt: Receipt | None = None,
    unpublished: str | None = None,
    *,
    as_json: bool,
    say: Say,
) -> None:
    """Show what became of the rows of a run, and its warnings.

    `unpublished` is why `--push` has published nothing.
    """
    if as_json:
        push_part = _push_part(receipt)
        if unpublished:
            push_part = {"push": None, "unpublished": unpublished}
        console.show_json({**run.summary(), "output": str(run.output), **push_part})
    else:
        _show_counts(run)
        console.show_text(f"run {run.run_id}: " + ", ".join(file.name for file in run.files))
        console.show_text(f"in {run.output}")
    _warn_of_rows(run, say)
    if unpublished:
        say(f"warning: nothing is published: {unpublished}")
    if receipt and not as_json:
        show_receipt(receipt, as_json=False, say=say)


def show_days(ranked: DaysRun, receipt: Receipt | None, *, as_json: bool, say: Say) -> None:
    """Show what became of each day of a history, and the warnings of those that were ranked."""
    if as_json:
        days = [result.as_json() for result in ranked.days]
        console.show_json({"days": days, **_push_part(receipt)})
    else:
        counts = ("read", "parents", "children", "excluded", "rejected")
        lines = []
        for result in ranked.days:
            rows = (result.summary or {}).get("rows")
            numbers = [rows.get(name) for name in counts] if isinstance(rows, dict) else [""] * 5
            lines.append((result.day, result.state, *numbers, result.output))
        console.show_table(("day", "state", *counts, "results"), lines)
    for result in ranked.days:
        if result.run:
            _warn_of_rows(result.run, lambda text, day=result.day: say(f"{day}: {text}"))  # type: ignore[misc]  # mypy knows no lambda with a default
        if result.error:
            console.say(f"{result.day}: error: {result.error.message}")
            console.say(f"  hint: {result.error.hint}")
    if receipt and not as_json:
        show_receipt(receipt, as_json=False, say=say)


def _show_counts(run: ColorsRun) -> None:
    rows = run.counts
    ranked = rows.read - rows.excluded - rows.rejected
    source = run.input if run.where is None else f"{run.input}, of which {run.where}"
    lines: list[tuple[str, int, str]] = [
        ("rows read", rows.read, source),
        ("rejected", rows.rejected, "see rejected_colors" if rows.rejected else ""),
        ("excluded", rows.excluded, f"by {run.rules}" if run.rules != "no rules" else run.rules),
        ("parents", rows.parents, "one for each security"),
        ("children", rows.children, f"of {format_count(ranked, 'ranked color')}"),
    ]
    console.show_table(("", "rows", ""), lines)


def _warn_of_rows(run: ColorsRun, say: Say) -> None:
    if run.counts.rejected:
        say(f"warning: {format_count(run.counts.rejected, 'row was', 'rows were')} rejected:")
        reasons = list(run.rejected_by_reason.items())
        for reason, count in reasons[:5]:
            say(f"  {count}: {reason}")
        if len(reasons) > 5:
            say(f"  and {format_count(len(reasons) - 5, 'more reason')}, see rejected_colors")
        for hint in run.hints:
            say(f"  hint: {hint}")
    if count := run.warnings["cusip"]:
        say(f"warning: {_kept(count)} an invalid CUSIP")
    if count := run.warnings["rank"]:
        say(f"warning: {_kept(count)} a rank outside 1 to 6")
    for remark in run.remarks:
        say(f"warning: {remark}")
    for warning in run.rule_warnings:
        say(f"warning: {warning}")


def _kept(count: int) -> str:
    return f"{format_count(count, 'row is', 'rows are')} kept with"


def show_explanation(explanation: Explanation, *, as_json: bool) -> None:
    """Show why each row of a security became a parent, a child, or neither."""
    if as_json:
        console.show_json(explanation.as_json())
        return
    for line in format_explanation(explanation):
        console.show_text(line)


def format_explanation(explanation: Explanation) -> Iterator[str]:
    """The explanation as lines of text."""
    order = ", ".join(explanation.hierarchy)
    yield f"{explanation.cusip}: {format_count(len(explanation.rows), 'row')}, ranked by {order}"
    for row in explanation.rows:
        yield ""
        number = "" if row.position is None else f" {row.position}."
        cells = ", ".join(f"{name} {_quote(row.cells[name])}" for name in explanation.main_columns)
        yield f"{number} {row.outcome}: {cells}".lstrip()
        yield from (f"     {detail}" for detail in _explain_row(row))


def _explain_row(row: ExplainedRow) -> Iterator[str]:
    if row.reason:
        yield row.reason
    if row.rule:
        yield row.rule
    for result in row.conditions:
        condition = f"{result.connector} {result.column} {result.operator} {result.asked}".rstrip()
        yield f"{condition}: {'yes' if result.true else 'no'}, the cell is {_quote(result.cell)}"
    if row.decided:
        rival = "runner-up" if row.position == 2 else "behind the row above"
        yield (
            f"{rival}: decided by {row.decided.key}, {_quote(row.decided.here)} here, "
            f"{_quote(row.decided.above)} above"
        )
    elif row.outcome == "child":
        yield "equal to the row above in every cell"


def _quote(cell: str | None) -> str:
    return "empty" if cell is None else repr(cell)


def show_rules_check(checked: CheckedRules, *, as_json: bool) -> None:
    """Show the errors and warnings of a rules file."""
    if as_json:
        console.show_json(checked.as_json())
        return
    rows = [
        ("error" if fault.fatal else "warning", fault.place, fault.message)
        for fault in checked.faults
    ]
    if rows:
        console.show_table(("", "where", "what"), rows)
    console.show_text(
        f"{checked.name}: {format_count(checked.active, 'active rule')}, "
        f"{checked.inactive} switched off, {format_count(checked.errors, 'error')}, "
        f"{format_count(len(checked.faults) - checked.errors, 'warning')}"
        + (f", {format_count(checked.examples, 'example')}" if checked.examples else "")
    )


def show_funnel(funnel: Funnel, *, as_json: bool, say: Say) -> None:
    """Show how many rows each rule matches, takes and leaves."""
    if as_json:
        console.show_json(funnel.as_json())
        return
    rows: list[tuple[object, ...]] = [
        ("rows read", "", "", funnel.read),
        ("rejected", "", funnel.rejected, funnel.read - funnel.rejected),
    ]
    rows += [
        (f"{stage.id} {stage.name}", stage.matches, stage.takes, stage.left)
        for stage in funnel.stages
    ]
    console.show_table(("rule", "matches", "takes", "left"), rows)
    if funnel.comparison:
        _show_comparison(funnel.comparison)
    for warning in funnel.warnings:
        say(f"warning: {warning}")


def _show_comparison(comparison: RulesComparison) -> None:
    here, there = comparison.rules, comparison.other_rules
    rows = format_count(comparison.differing, "row is", "rows are")
    console.show_text(f"\n{rows} treated differently by {there}")
    if not comparison.differing:
        return
    changes = [(change.rows, change.fate, change.other_fate) for change in comparison.changes]
    console.show_table(("rows", f"with {here}", f"with {there}"), changes)
    console.show_text("")
    names = comparison.main_columns
    lines = [
        (*(row.cells[name] for name in names), row.fate, row.other_fate) for row in comparison.rows
    ]
    console.show_table((*names, f"with {here}", f"with {there}"), lines)
    if hidden := comparison.differing - len(lines):
        console.show_text(f"and {format_count(hidden, 'more row')}; --format json has all")


# -- extraction ------------------------------------------------------------------------------------


def show_listing(listing: TableListing) -> None:
    """Show the tables with their row counts and comments."""
    estimated = any(table.rows_as_of for table in listing.tables)
    rows = []
    for table in listing.tables:
        as_of = (table.rows_as_of,) if estimated else ()
        comment = f"for {table.target}" if table.target else table.comment
        rows.append((table.name, table.kind, table.rows, *as_of, comment))
    headers = ("table", "kind", "rows", *(("as of",) if estimated else ()), "comment")
    console.show_table(headers, rows)


def show_listing_as_csv(listing: TableListing) -> None:
    """Show the tables as CSV, with all that is known of each."""
    _, *names = (field.name for field in fields(Table))
    console.show_csv(("table", *names), [[*table.values()] for table in listing.as_json()])


def show_schemas(schemas: Schemas, *, as_json: bool) -> None:
    """Show the columns, keys and comments of tables."""
    if as_json:
        console.show_json(schemas.as_json())
        return
    for number, schema in enumerate(schemas.tables):
        if number:
            console.show_text("")
        _show_schema(schema)


def _show_schema(schema: TableSchema) -> None:
    table = schema.table
    rows = "" if table.rows is None else f", {format_count(table.rows, 'row')}"
    console.show_text(f"{table.name}: {table.kind}{rows}. {table.comment}".rstrip(" ."))
    masked = any(column.mask for column in schema.columns)
    lines = [
        (
            column.name,
            column.type,
            "" if column.nullable else "no",
            *((column.mask,) if masked else ()),
            column.comment,
        )
        for column in schema.columns
    ]
    console.show_table(("column", "type", "null", *(("mask",) if masked else ()), "comment"), lines)
    if schema.primary_key:
        console.show_text(f"primary key: {', '.join(schema.primary_key)}")
    for unique in schema.unique:
        console.show_text(f"unique: {', '.join(unique)}")
    for key in schema.foreign_keys:
        columns, references = ", ".join(key.columns), ", ".join(key.references)
        console.show_text(f"{columns} points to {key.table}: {references}")
    for check in schema.checks:
        console.show_text(f"check: {check}")


def show_plan(planned: Sequence[PlannedTable], *, as_json: bool) -> None:
    """Show what a sample would read and write."""
    if as_json:
        console.show_json([asdict(table) for table in planned])
        return
    for table in planned:
        rows = "" if table.rows is None else f" ({format_count(table.rows, 'row')})"
        console.show_text(f"{table.statement}{rows}\n  {', '.join(table.files)}")
        if table.masks:
            console.show_text(f"  masked: {_list_masks(table.masks)}")


def _list_masks(masks: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {mask}" for name, mask in masks.items())


def show_sample(sample: Sample, receipt: Receipt | None, *, as_json: bool, say: Say) -> None:
    """Show the tables and files of a new bundle, and which tables are missing."""
    manifest = sample.manifest
    if as_json:
        console.show_json({**sample.as_json(), **_push_part(receipt)})
    else:
        rows = [
            (table.name, table.row_count, ", ".join(file.name for file in table.files))
            for table in _with_files(manifest.tables)
        ]
        console.show_table(("table", "rows", "files"), rows)
        console.show_text(
            f"in {sample.folder}" + (f" and {sample.zip_file}" if sample.zip_file else "")
        )
    if receipt and not as_json:
        show_receipt(receipt, as_json=False, say=say)
    _show_remarks_on_masks(sample, say)
    _show_remarks(sample, say)


def _show_remarks(sample: Sample, say: Say) -> None:
    """Say what is unusual about a sample."""
    if sample.continued:
        say(f"resumed an interrupted sample: {sample.continued} were already there")
    if sample.kept_tables:
        say(f"{sample.folder} still holds {', '.join(sample.kept_tables)} of an earlier sample")
    if sample.replaced_tables:
        say(f"the earlier rows of {', '.join(sample.replaced_tables)} are replaced")
    if sample.outdated_zip:
        say(f"warning: {sample.outdated_zip} holds an earlier sample; --zip replaces it")
    for note, names in _tables_by_note(sample.manifest.tables).items():
        say(f"warning: {', '.join(names)}: {note}")
    # Even with --quiet: the exit code says that something is missing.
    for gap in sample.manifest.missing:
        console.say(f"error: {gap.table} is missing: {gap.why}")
    if sample.unfinished:
        say(f"{sample.unfinished} keeps what was read: run the same command again to resume")


def _show_remarks_on_masks(sample: Sample, say: Say) -> None:
    if sample.began_again:
        say("the interrupted sample used other masks or another key, so this one started over")
    if sample.unmasked:
        have = "has" if len(sample.unmasked) == 1 else "have"
        say(
            f"warning: {', '.join(sample.unmasked)} of an earlier sample {have} no such mask; "
            "--replace removes the earlier tables"
        )


def _tables_by_note(tables: Iterable[BundleTable]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for table in tables:
        for note in table.notes:
            names.setdefault(note, []).append(table.name)
    return names


def show_verification(verification: Verification, *, as_json: bool) -> None:
    """Show the tables of a bundle, and the files that are not as they were written."""
    if as_json:
        console.show_json(verification.as_json())
        return
    rows = [
        (table.name, table.row_count, ", ".join(file.format for file in table.files))
        for table in _with_files(verification.manifest.tables)
    ]
    console.show_table(("table", "rows", "as"), rows)
    for table in _with_files(verification.manifest.tables):
        if table.masks:
            console.show_text(f"{table.name} is masked: {_list_masks(table.masks)}")
    for fault in verification.faults:
        console.show_text(f"{fault.file}: {fault.what}")
    for gap in verification.manifest.missing:
        console.show_text(f"missing: {gap.table}: {gap.why}")
    faults = len(verification.faults)
    verdict = format_count(faults, "error") if faults else "every file is unchanged"
    console.show_text(f"{verification.bundle}: {verdict}")


def _with_files(tables: Iterable[BundleTable]) -> list[BundleTable]:
    """The tables whose rows are in the bundle, not only their schemas."""
    return [table for table in tables if table.files]


def show_comparison(comparison: SourceComparison, *, as_json: bool, say: Say) -> None:
    """Show what two sources have differently."""
    for table in comparison.skipped:
        say(f"warning: the rows of {table.table} were not compared: {table.why}")
    if as_json:
        console.show_json(comparison.as_json())
        return
    left, right = comparison.left.name, comparison.right.name
    if comparison.differences:
        rows = [
            (change.table, change.column, change.what, _side(change.left), _side(change.right))
            for change in comparison.differences
        ]
        console.show_table(("table", "column", "what", left, right), rows)
    count = len(comparison.differences)
    verdict = format_count(count, "difference") if count else "no difference"
    tables = format_count(len(comparison.tables), "table")
    console.show_text(f"{left} and {right}: {verdict} in {tables}")


def _side(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(value) or "none"
    return "none" if value is None else str(value)


def show_report(report: Report, *, as_json: bool) -> None:
    """Show where the page is."""
    if as_json:
        console.show_json(report.as_json())
    else:
        console.show_text(f"{report.path}")


# -- publishing ------------------------------------------------------------------------------------


def show_receipt(receipt: Receipt, *, as_json: bool, say: Say) -> None:
    """Show what a push did with each object."""
    if as_json:
        console.show_json(receipt.as_json())
    else:
        rows = [(pushed.action, pushed.bytes, pushed.key) for pushed in receipt.objects]
        console.show_table(("", "bytes", f"in s3://{receipt.bucket}"), rows)
    if not receipt.complete:
        say("warning: the manifest of a bundle says that tables are missing")
    for folder in receipt.left_out:
        say(f"warning: {folder} is a folder inside a folder, and is left out without --recursive")
    if any(pushed.action == "kept" for pushed in receipt.objects):
        say("this run is already published with another PROCESSED_AT, which stays")
    sizes = [pushed.bytes for pushed in receipt.objects if pushed.action in {"sent", "would send"}]
    verb = "would send" if receipt.dry_run else "sent"
    skipped = len(receipt.objects) - len(sizes)
    sent = f"{format_count(len(sizes), 'object')}, {format_count(sum(sizes), 'byte')}"
    say(f"{verb} {sent}; skipped {skipped}")


def _push_part(receipt: Receipt | None) -> dict[str, object]:
    """The receipt as a part of the JSON of another result."""
    return {} if receipt is None else {"push": receipt.as_json()}


def show_terraform(
    folder: Path, names: Sequence[str], written: Sequence[str], *, as_json: bool, say: Say
) -> None:
    """Show the Terraform files of a folder, and how many of them are new."""
    if as_json:
        console.show_json({"output": str(folder), "files": [*names], "written": [*written]})
        return
    for name in names:
        console.show_text(str(folder / name))
    say(f"{format_count(len(written), 'file')} written, {len(names) - len(written)} unchanged")


def show_parameters(report: ParametersReport, *, as_json: bool) -> None:
    """Show the state of each SSM parameter, never its value."""
    if as_json:
        console.show_json(report.as_json())
        return
    rows = [(parameter.name, parameter.state) for parameter in report.parameters]
    console.show_table(("parameter", ""), rows)
    console.show_text(f"in {report.path} of {report.region}; mask_key is one level above")


# -- diagnosis -------------------------------------------------------------------------------------


def show_settings(report: SettingsReport, *, as_json: bool, say: Say) -> None:
    """Show each setting, where its value comes from, and what it overrides."""
    if report.warning:
        say(f"warning: {report.warning}")
    if as_json:
        console.show_json(
            [
                {
                    "name": setting.variable,
                    "value": setting.text,
                    "from": setting.origin,
                    "also": [*setting.overridden],
                }
                for setting in report.origins
            ]
        )
        return
    rows = [
        (setting.variable, setting.text, setting.origin, ", ".join(setting.overridden))
        for setting in report.origins
    ]
    console.show_table(("setting", "value", "from", "overridden in"), rows)


def show_diagnosis(steps: Iterable[Step], *, as_json: bool) -> int:
    """Show each step of `doctor` as it ends. Returns the exit code of the last."""
    ended = []
    for step in steps:
        ended.append(step)
        if not as_json:
            console.show_text(
                f"{step.state:8} {step.layer:14} {step.seconds:5.2f} s  {step.detail}"
            )
    last = ended[-1]
    if as_json:
        console.show_json(
            {"exit_code": last.exit_code, "steps": [step.as_json() for step in ended]}
        )
    elif last.check:
        console.show_text(f"{last.check}: {last.hint}")
    return last.exit_code


# -- the tour --------------------------------------------------------------------------------------


def show_tour_step(text: str, command: Sequence[str]) -> None:
    """Show what a step of the tour is about, and the command that it runs."""
    console.show_text(f"\n{text}\n")
    if command:
        console.show_text(f"    $ {console.program()} {' '.join(command)}\n")
