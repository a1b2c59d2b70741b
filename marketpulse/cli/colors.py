"""The commands `run-colors`, `rules check` and `rules test`."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from marketpulse.cli import options as opt
from marketpulse.cli import render
from marketpulse.cli.allocator import keep_freed_memory
from marketpulse.cli.history import check_days, rank_days
from marketpulse.cli.publishing import check_push_target, push_to_target
from marketpulse.cli.reports import check_page, write_page
from marketpulse.cli.session import Session, check_query, check_standard_input
from marketpulse.cli.spark import rank_on_spark, spark_names
from marketpulse.model import Progress, progress_stage
from marketpulse.sources.base import FileOptions

if TYPE_CHECKING:
    from marketpulse.colors.options import RunOptions
    from marketpulse.colors.results import ColorsRun
    from marketpulse.publish import Receipt

_MOST_ROWS = 20  # of a comparison in a table
# Parameters about what a run writes.
_WRITING = ("output", "formats", "workbook", "processing_type", "processed_at", "max_rejected")

rules_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


def run_colors(
    ctx: typer.Context,
    inputs: opt.InputNames = None,
    source: opt.SourceName = None,
    delimiter: opt.FieldDelimiter = None,
    sheet: opt.SheetName = None,
    header_row: opt.HeaderRow = None,
    table: opt.TableName = None,
    query: opt.QueryFile = None,
    binds: opt.BindValues = None,
    where: opt.WhereCondition = None,
    rules: opt.RulesFiles = None,
    hierarchy: opt.Hierarchy = None,
    mapping: opt.ColumnMapping = None,
    types: opt.ColumnTypes = None,
    date_format: opt.DateFormat = None,
    accept_rounded_ids: opt.RoundedIds = False,
    again: opt.Again = False,
    by_day: opt.ByDay = False,
    since: opt.FirstDay = None,
    until: opt.LastDay = None,
    output: opt.RunFolder = Path("processed_colors"),
    formats: opt.RunFormats = None,
    workbook: opt.WorkbookFlag = False,
    processing_type: opt.ProcessingTypeChoice = "MANUAL",
    processed_at: opt.ProcessedAt = None,
    max_rejected: opt.MaxRejected = None,
    memory_limit: opt.MemoryLimit = None,
    engine: opt.EngineChoice = "duckdb",
    master: opt.SparkMaster = None,
    explain: opt.ExplainCusip = None,
    report: opt.ReportFlag = False,
    push: opt.PushTarget = None,
    result_format: opt.ResultFormat = "table",
) -> None:
    """Rank colors into one parent and its children per security.

    Applies your exclusion rules first. Every row ends up in one of three files: processed,
    excluded or rejected.
    """
    session: Session = ctx.obj
    files = FileOptions(delimiter=delimiter, sheet=sheet, header_row=header_row)
    as_json = result_format == "json"
    names = spark_names(session, engine, master, inputs, source, ctx.params)
    check_push_target(push, writes=explain is None)
    check_page(report, writes=explain is None)
    check_query(query, "--table", table)
    check_standard_input(inputs, [source, query], rules)
    check_days(ctx.params)
    progress = session.progress("days" if by_day else "partitions" if names else "rows")
    days = session.input_names(inputs, source) if by_day else []
    opened: AbstractContextManager[object] = nullcontext()
    if not (by_day or names):
        from marketpulse.colors.database import start_database  # noqa: PLC0415 - loads DuckDB

        start_database()
        with progress_stage(progress, "opening"):
            opened = session.open_source(inputs, source, files=files, query=query, binds=binds)
    with opened as data:
        from marketpulse.cli.run_settings import RunSettings  # noqa: PLC0415 - loads pyarrow, 0.1 s

        keep_freed_memory()
        settings = RunSettings(session)
        reading = settings.reading_options(mapping, types, date_format, accept_rounded_ids)
        options = replace(
            reading,
            table=table,
            where=where,
            rules=settings.rules(rules),
            hierarchy=settings.hierarchy(hierarchy),
            again=again,
            output=output,
            formats=settings.formats(formats),
            workbook=workbook,
            processing_type=processing_type,
            processed_at=processed_at,
            max_rejected=max_rejected,
            memory_limit=settings.memory_limit(memory_limit),
            publish=push is not None,
        )
        settings.say()
        if by_day or names:  # these runs open their files by themselves
            options = replace(options, delimiter=delimiter, sheet=sheet, header_row=header_row)
        if explain is not None:
            session.warn_of_options(ctx, "beside --explain, which writes nothing", *_WRITING)
            _explain(data, explain, options, as_json=as_json)
        elif by_day:
            span = (since, until)
            rank_days(session, days, span, options, progress, push, report=report, as_json=as_json)
        elif names:
            rank_on_spark(session, names, options, master, progress, as_json=as_json)
        else:
            _rank(session, data, options, progress, push, as_json=as_json)
            if report:
                write_page(session, output)


def _explain(data: object, cusip: str, options: RunOptions, *, as_json: bool) -> None:
    from marketpulse.colors import explain as explanations  # noqa: PLC0415 - loads the engine

    render.show_explanation(explanations.explain(data, cusip, options), as_json=as_json)


def _rank(
    session: Session,
    data: object,
    options: RunOptions,
    progress: Progress,
    push: str | None,
    *,
    as_json: bool,
) -> None:
    """Rank colors, publish and show the run."""
    from marketpulse.colors.run import run  # noqa: PLC0415 - loads the engine, 0.3 s

    receipt: Receipt | None = None

    # The run calls this while it holds its folder: no other run replaces the files meanwhile.
    def publish(result: ColorsRun) -> None:
        nonlocal receipt
        if not result.unpublished:
            receipt = push_to_target(session, push, Path(str(options.output)))

    result = run(data, options, progress, publish=publish)
    unpublished = result.unpublished if push is not None else None
    render.show_run(result, receipt, unpublished, as_json=as_json, say=session.say)


@rules_app.command("check")
def rules_check(
    ctx: typer.Context,
    rules: opt.RulesFileArguments,
    result_format: opt.ResultFormat = "table",
) -> None:
    """List the errors and warnings of a rules file."""
    from marketpulse.cli.run_settings import (  # noqa: PLC0415 - loads pyarrow, 0.1 s
        RunSettings,
        read_rules_options,
    )
    from marketpulse.colors.rules_check import check_rules as check  # noqa: PLC0415 - not for --help

    session: Session = ctx.obj
    settings = RunSettings(session)
    check_standard_input(rules)
    checked = check(*read_rules_options(rules), types=settings.types(None))
    settings.say()
    render.show_rules_check(checked, as_json=result_format == "json")
    if checked.errors:
        raise typer.Exit(7)


@rules_app.command("test")
def rules_test(
    ctx: typer.Context,
    rules: opt.RequiredRulesFiles,
    inputs: opt.InputNames = None,
    compare: opt.CompareRules = None,
    source: opt.SourceName = None,
    delimiter: opt.FieldDelimiter = None,
    sheet: opt.SheetName = None,
    header_row: opt.HeaderRow = None,
    table: opt.TableName = None,
    mapping: opt.ColumnMapping = None,
    types: opt.ColumnTypes = None,
    date_format: opt.DateFormat = None,
    accept_rounded_ids: opt.RoundedIds = False,
    again: opt.Again = False,
    result_format: opt.ResultFormat = "table",
) -> None:
    """Show how many rows each rule matches, takes and leaves. Writes nothing."""
    session: Session = ctx.obj
    files = FileOptions(delimiter=delimiter, sheet=sheet, header_row=header_row)
    as_json = result_format == "json"
    check_standard_input(inputs, [source], rules, compare)
    with session.open_source(inputs, source, files=files) as data:
        from marketpulse.cli.run_settings import (  # noqa: PLC0415 - the same as below
            RunSettings,
            read_rules_options,
        )
        from marketpulse.colors.funnel import try_rules  # noqa: PLC0415 - loads the engine

        settings = RunSettings(session)
        reading = settings.reading_options(mapping, types, date_format, accept_rounded_ids)
        options = replace(reading, rules=read_rules_options(rules), table=table, again=again)
        other_rules = read_rules_options(compare) if compare else None
        settings.say()
        # A table for people shows the first rows, and how many there are.
        funnel = try_rules(data, options, other_rules, None if as_json else _MOST_ROWS)
    render.show_funnel(funnel, as_json=as_json, say=session.say)
