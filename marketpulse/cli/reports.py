"""The command `report`, and the option `--report` of the commands that write a bundle or a run."""

from __future__ import annotations

from pathlib import Path

import typer

from marketpulse.cli import console, render
from marketpulse.cli import options as opt
from marketpulse.cli.session import Session
from marketpulse.errors import UsageError


def report(
    ctx: typer.Context,
    source: opt.ReportSource,
    output: opt.ReportFile = None,
    result_format: opt.ResultFormat = "table",
) -> None:
    """Write a page about a bundle or a run: one HTML file that needs no network.

    A bundle: tables, keys, a profile of each column, first rows. A run: what the rows became, and
    each security with its prices and its ranking.
    """
    from marketpulse.report import report_page, write_report  # noqa: PLC0415 - not for --help

    session: Session = ctx.obj
    files = session.file_options([source])
    if output == Path("-"):
        if result_format == "json":
            raise UsageError(
                "--output - prints the page, not JSON", hint="leave out --output - or --format"
            )
        _, page = report_page(source, files)
        console.show_code(page)
        return
    written = write_report(source, output, files)
    render.show_report(written, as_json=result_format == "json")


def check_page(wanted: bool, *, writes: bool) -> None:
    """Check before a run that its page can be written. Raises `UsageError`."""
    if not wanted:
        return
    if not writes:
        raise UsageError(
            "--explain writes no results to report on", hint="leave out --explain or --report"
        )
    from marketpulse.report import require_charts  # noqa: PLC0415 - not for --help

    require_charts()


def write_page(session: Session, folder: Path) -> None:
    """Write the page of a folder beside it, and say where."""
    from marketpulse.report import write_report  # noqa: PLC0415 - not for --help

    session.say(f"report: {write_report(folder).path}")
