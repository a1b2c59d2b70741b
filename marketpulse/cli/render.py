"""Results as people read them, or as JSON; what else is to be said goes to `say`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeAlias

from marketpulse.cli import console

if TYPE_CHECKING:
    from marketpulse.aws.parameters import ParametersReport
    from marketpulse.colors.explain import Explanation
    from marketpulse.colors.run import ColorsRun
    from marketpulse.extraction.catalog import Listing
    from marketpulse.extraction.sample import Planned, Sample
    from marketpulse.model import Table, TableSchema
    from marketpulse.publish import Receipt

# A whole number that is said to be none has come as a float.
_TOO_LONG = re.compile(r"'[+-]?\d{16,}(\.0*)?' is not an integer$")

Say: TypeAlias = Callable[[str], None]


def show_listing(found: Listing) -> None:
    """The tables, how many rows each has, and what it is for."""
    estimated = any(it.rows_as_of for it in found.tables)
    rows = [
        (it.name, it.kind, it.rows, *([it.rows_as_of] if estimated else []), _about(it))
        for it in found.tables
    ]
    console.show_table(
        ("table", "kind", "rows", *(["as of"] if estimated else []), "comment"), rows
    )


def _about(table: Table) -> str:
    return f"for {table.target}" if table.target else table.comment


def show_run(run: ColorsRun, pushed: Receipt | None, *, as_json: bool, say: Say) -> None:
    """A run's account, and what the user should know of it."""
    rows = run.counts
    if as_json:
        console.show_json({**run.summary(), "output": str(run.output), **_as_part(pushed)})
    else:
        left = rows.read - rows.excluded - rows.rejected
        told = run.input if run.where is None else f"{run.input}, of which {run.where}"
        table: list[tuple[str, object, str]] = [("rows read", rows.read, told)]
        table += [("rejected", rows.rejected, "see rejected_colors" if rows.rejected else "")]
        table += [("excluded", rows.excluded, f"by {run.rules}")]
        table += [("parents", rows.parents, "one for each security")]
        table += [("children", rows.children, f"of {left} colors that stay")]
        console.show_table(("", "rows", ""), table)
        console.show_text(f"run {run.run_id}: " + ", ".join(file.name for file in run.files))
        console.show_text(f"in {run.output}")
    if rows.rejected:
        reasons = list(run.rejected_by_reason.items())
        say(f"warning: {rows.rejected} rows were rejected:")
        for reason, count in reasons[:5]:
            say(f"  {count}: {reason}")
        if len(reasons) > 5:
            say(f"  and {len(reasons) - 5} more reasons, in rejected_colors")
        if any(map(_TOO_LONG.search, run.rejected_by_reason)):
            say(
                "  hint: a spreadsheet or a float keeps 15 digits of a number; "
                "have that column written as text"
            )
    if run.warnings["cusip"]:
        say(f"warning: {run.warnings['cusip']} rows with a CUSIP that is none; kept")
    if run.warnings["rank"]:
        say(f"warning: {run.warnings['rank']} rows with a rank outside 1 to 6; kept")
    for warning in run.rule_warnings:
        say(f"warning: {warning}")
    if pushed and not as_json:
        show_receipt(pushed, as_json=False, say=say)


def _as_part(pushed: Receipt | None) -> dict[str, Any]:
    """A receipt as a part of another result's JSON."""
    return {} if pushed is None else {"push": pushed.as_json()}


def show_plan(planned: Sequence[Planned], *, as_json: bool) -> None:
    """What a sample would take and write."""
    if as_json:
        console.show_json([asdict(it) for it in planned])
        return
    for it in planned:
        known = "" if it.rows is None else f" ({it.rows} rows)"
        console.show_text(f"{it.statement}{known}\n  {', '.join(it.files)}")


def show_sample(taken: Sample, pushed: Receipt | None, *, as_json: bool, say: Say) -> None:
    """A bundle's tables and files, and what is missing."""
    manifest = taken.manifest
    if as_json:
        console.show_json({**taken.as_json(), **_as_part(pushed)})
    else:
        tables = [it for it in manifest.tables if it.files]
        rows = [(it.name, it.rows, ", ".join(file.name for file in it.files)) for it in tables]
        console.show_table(("table", "rows", "files"), rows)
        console.show_text(f"in {taken.folder}" + (f" and {taken.zipped}" if taken.zipped else ""))
    if pushed and not as_json:
        show_receipt(pushed, as_json=False, say=say)
    if taken.old_zip:
        say(f"warning: {taken.old_zip} is of an earlier sample; --zip renews it")
    for table in manifest.tables:
        for note in table.notes:
            say(f"warning: {table.name}: {note}")
    for gap in manifest.missing:
        console.say(f"error: {gap.table} is missing: {gap.why}")


def show_receipt(receipt: Receipt, *, as_json: bool, say: Say) -> None:
    """What a push did, object by object."""
    if as_json:
        console.show_json(receipt.as_json())
    else:
        rows = [(it.action, it.bytes, it.key) for it in receipt.objects]
        console.show_table(("", "bytes", f"in s3://{receipt.bucket}"), rows)
    if not receipt.complete:
        say("warning: a bundle says of itself that it is not complete")
    sent = [it.bytes for it in receipt.objects if it.action in {"sent", "would send"}]
    verb = "would send" if receipt.dry_run else "sent"
    skipped = len(receipt.objects) - len(sent)
    if any(it.action == "kept" for it in receipt.objects):
        say("this run is published already, with another PROCESSED_AT, which stays")
    say(f"{verb} {len(sent)} objects, {sum(sent)} bytes; skipped {skipped}")


def show_schema(described: TableSchema) -> None:
    """A table's columns, keys and comments."""
    table = described.table
    rows = "" if table.rows is None else f", {table.rows} rows"
    console.show_text(f"{table.name}: {table.kind}{rows}. {table.comment}".rstrip(" ."))
    console.show_table(
        ("column", "type", "null", "comment"),
        [(it.name, it.type, "" if it.nullable else "no", it.comment) for it in described.columns],
    )
    if described.primary_key:
        console.show_text(f"primary key: {', '.join(described.primary_key)}")
    for unique in described.unique:
        console.show_text(f"unique: {', '.join(unique)}")
    for key in described.foreign_keys:
        ours, theirs = ", ".join(key.columns), ", ".join(key.references)
        console.show_text(f"{ours} points to {key.table}: {theirs}")
    for check in described.checks:
        console.show_text(f"check: {check}")


def show_explanation(explanation: Explanation, *, as_json: bool) -> None:
    """Why a security's rows came out as they did."""
    if as_json:
        console.show_json(explanation.as_json())
        return
    from marketpulse.colors.explain import lines  # noqa: PLC0415 - when it is needed

    for line in lines(explanation):
        console.show_text(line)


def show_parameters(report: ParametersReport, *, as_json: bool) -> None:
    """How the parameters are, without their values."""
    if as_json:
        console.show_json(report.as_json())
        return
    console.show_table(("parameter", ""), [(it.name, it.state) for it in report.parameters])
    console.show_text(f"in {report.path} of {report.region}")
