"""The commands `list-tables`, `schema`, `sample`, `verify` and `diff`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from marketpulse.artifacts import format_json
from marketpulse.cli import console, render
from marketpulse.cli import options as opt
from marketpulse.cli.completion import remember_tables
from marketpulse.cli.masks import read_masks
from marketpulse.cli.publishing import check_push_target, push_to_target
from marketpulse.cli.reports import write_page
from marketpulse.cli.session import Session, check_query
from marketpulse.errors import UsageError
from marketpulse.model import format_count
from marketpulse.sources.base import FileOptions, Source

if TYPE_CHECKING:
    from marketpulse.extraction.catalog import Schemas, TableListing
    from marketpulse.extraction.sample import Sample
    from marketpulse.extraction.sample_options import SampleOptions


def list_tables(
    ctx: typer.Context,
    inputs: opt.ListedInput = None,
    source: opt.SourceName = None,
    delimiter: opt.FieldDelimiter = None,
    sheet: opt.SheetName = None,
    header_row: opt.HeaderRow = None,
    like: opt.NamePattern = None,
    schema: opt.SchemaName = None,
    system: opt.IncludeSystem = False,
    exact: opt.ExactCounts = False,
    output: opt.CopyFolder = None,
    result_format: opt.ListFormatChoice = "table",
) -> None:
    """List the tables of the database or of another source, with row counts and comments."""
    session: Session = ctx.obj
    files = FileOptions(delimiter=delimiter, sheet=sheet, header_row=header_row)
    with session.open_source(inputs, source, files=files, system=system) as data:
        from marketpulse.extraction import catalog  # noqa: PLC0415 - not for --help

        listing = catalog.list_tables(data, like, schema=schema, exact=exact)
    if output is None:
        _refuse_secrets(session, listing)
    else:
        session.say(f"{output}: {', '.join(listing.write(output, session.secrets()))}")
    remember_tables(table.name for table in listing.tables)
    if result_format == "json":
        console.show_json(listing.as_json())
    elif result_format == "csv":
        render.show_listing_as_csv(listing)
    else:
        render.show_listing(listing)


def schema(
    ctx: typer.Context,
    tables: opt.DescribedTables = None,
    source: opt.SourceName = None,
    delimiter: opt.FieldDelimiter = None,
    sheet: opt.SheetName = None,
    header_row: opt.HeaderRow = None,
    output: opt.CopyFolder = None,
    models: opt.ModelsFile = None,
    ddl: opt.DdlDialect = None,
    result_format: opt.ResultFormat = "table",
) -> None:
    """Describe tables: their columns with types and comments, and their keys."""
    if ddl and result_format == "json":
        raise UsageError("--ddl prints SQL, not JSON", hint="leave out --ddl or --format")
    session: Session = ctx.obj
    files = FileOptions(delimiter=delimiter, sheet=sheet, header_row=header_row)
    source, names = session.split_source(tables, source)
    with session.open_source(source=source, files=files) as data:
        from marketpulse.extraction.catalog import describe, describe_all  # noqa: PLC0415 - not for --help

        schemas = describe(data, names) if names else describe_all(data)
    if output is None:
        _refuse_secrets(session, schemas)
    else:
        session.say(f"{output}: {', '.join(schemas.write(output, session.secrets()))}")
    if models is not None:
        from marketpulse.extraction.pydantic_models import format_models, write_models  # noqa: PLC0415 - not for --help

        if models == Path("-"):
            console.show_code(format_models(schemas.source, schemas.tables))
            return
        write_models(models, schemas.source, schemas.tables, session.secrets())
        session.say(f"{models}: models of {format_count(len(schemas.tables), 'table')}")
    if ddl:
        from marketpulse.extraction.ddl import format_ddl  # noqa: PLC0415 - not for --help

        console.show_code(format_ddl(schemas.tables))
    else:
        render.show_schemas(schemas, as_json=result_format == "json")


def _refuse_secrets(session: Session, shown: TableListing | Schemas) -> None:
    """Raise `SecretFoundError` if a comment in a database holds its password."""
    from marketpulse.bundle import refuse_secrets  # noqa: PLC0415 - not for --help

    if shown.source.kind == "oracle":  # others are read without a password
        secrets = session.secrets()
        for name, document in shown.documents().items():
            refuse_secrets(format_json(document), secrets, name)


def sample(
    ctx: typer.Context,
    tables: opt.TableNames = None,
    source: opt.SourceName = None,
    delimiter: opt.FieldDelimiter = None,
    sheet: opt.SheetName = None,
    header_row: opt.HeaderRow = None,
    limit: opt.RowLimit = 1000,
    all_rows: opt.AllRows = False,
    query: opt.QueryFile = None,
    binds: opt.BindValues = None,
    where: opt.WhereCondition = None,
    columns: opt.ColumnNames = None,
    mask: opt.MaskColumns = None,
    mask_file: opt.MaskFile = None,
    order: opt.OrderBy = None,
    random: opt.RandomChoice = False,
    seed: opt.RandomSeed = 0,
    per: opt.NewestPerKey = None,
    follow: opt.FollowFlag = False,
    formats: opt.BundleFormats = None,
    profile: opt.ProfileChoice = "lossless",
    json_rows: opt.JsonRows = "100",
    output: opt.BundleFolder = Path("sample_data"),
    max_lob: opt.MaxLob = None,
    jobs: opt.SampleJobs = 1,
    replace: opt.ReplaceFlag = False,
    restart: opt.RestartFlag = False,
    zipped: opt.ZipFlag = False,
    report: opt.ReportFlag = False,
    push: opt.PushTarget = None,
    taken_at: opt.TakenAt = None,
    dry_run: opt.SampleDryRun = False,
    result_format: opt.ResultFormat = "table",
) -> None:
    """Write rows of tables, with their schemas and checksums, to a folder that you can send."""
    session: Session = ctx.obj
    files = FileOptions(delimiter=delimiter, sheet=sheet, header_row=header_row)
    as_json = result_format == "json"
    check_push_target(push, writes=not dry_run)
    check_query(query, "TABLE", tables)
    source, names = session.split_source(tables, source)
    masks, mask_key = read_masks(session, mask, mask_file)
    with session.open_source(
        source=source, files=files, max_lob=max_lob, query=query, binds=binds
    ) as data:
        from marketpulse.colors.cell_readings import cell_readings  # noqa: PLC0415 - loads Arrow
        from marketpulse.extraction import sample_options  # noqa: PLC0415 - not for --help
        from marketpulse.extraction.sample import preview_sample, write_sample  # noqa: PLC0415 - not for --help

        options = sample_options.SampleOptions(
            limit=None if all_rows else _row_limit(session, ctx, limit),
            where=where,
            order=order,
            seed=seed if random else None,
            per=() if per is None else sample_options.parse_column_names(per[0]),
            per_rows=1 if per is None else per[1],
            follow=follow,
            columns=None if columns is None else sample_options.parse_column_names(columns),
            formats=None if formats is None else formats.split(","),
            profile=profile,
            json_rows=sample_options.parse_row_count(json_rows),
            cell_readings=cell_readings(),
            masks=masks,
        )
        _warn_of_options(session, ctx, options)
        if dry_run:
            planned = preview_sample(data, names, options, mask_key=mask_key, taken_at=taken_at)
            render.show_plan(planned, as_json=as_json)
            return
        written = write_sample(
            data,
            names,
            options,
            output=output,
            taken_at=taken_at,
            progress=session.progress(),
            with_zip=zipped,
            replace=replace,
            restart=restart,
            secrets=session.secrets(),
            mask_key=mask_key,
            jobs=jobs,
        )
    _warn_of_jobs(session, ctx, data, written, follow=follow)
    receipt = push_to_target(session, push, output)
    render.show_sample(written, receipt, as_json=as_json, say=session.say)
    if report:
        write_page(session, output)
    if written.manifest.missing:
        raise typer.Exit(9)


def _row_limit(session: Session, ctx: typer.Context, limit: int) -> int | None:
    """The rows to take of each table. With --per the keys are the limit, unless it is given."""
    has_keys = ctx.params["per"] is not None
    return None if has_keys and not session.is_given(ctx, "limit") else limit


def _warn_of_options(session: Session, ctx: typer.Context, options: SampleOptions) -> None:
    if ctx.params["all_rows"]:
        session.warn_of_options(ctx, "beside --all", "limit")
    if options.seed is None:
        session.warn_of_options(ctx, "without --random", "seed")
    if "json" not in options.output_formats():
        session.warn_of_options(ctx, "without a JSON file: --formats has no json", "json_rows")


def _warn_of_jobs(
    session: Session, ctx: typer.Context, source: Source, written: Sample, *, follow: bool
) -> None:
    """Say why there was one session although more were allowed."""
    if written.sessions > 1 or ctx.params["jobs"] == 1 or written.continued:
        return
    reason = "for a single table"
    if not source.is_distant:
        reason = "on a source that is not an Oracle database"
    elif follow:
        reason = "with --follow: the rows of one table depend on those of others"
    session.warn_of_options(ctx, reason, "jobs")


def verify(
    ctx: typer.Context, bundle: opt.BundlePath, result_format: opt.ResultFormat = "table"
) -> None:
    """Check that a bundle is complete and unchanged. Reads every row."""
    from marketpulse.extraction.verify import verify_bundle  # noqa: PLC0415 - not for --help

    session: Session = ctx.obj
    verification = verify_bundle(bundle, session.file_options([bundle]))
    render.show_verification(verification, as_json=result_format == "json")
    if verification.faults:
        raise typer.Exit(7)
    if not verification.manifest.complete:
        raise typer.Exit(9)


def diff(
    ctx: typer.Context,
    left: opt.LeftSource,
    right: opt.RightSource,
    tables: opt.ComparedTables = None,
    schema_only: opt.SchemaOnly = False,
    result_format: opt.ResultFormat = "table",
) -> None:
    """Compare two bundles or other sources: tables, columns and keys, then the rows."""
    session: Session = ctx.obj
    with session.open_source(source=left) as first, session.open_source(source=right) as second:
        from marketpulse.extraction.source_comparison import compare_sources  # noqa: PLC0415 - not for --help

        comparison = compare_sources(
            first, second, tables or (), schema_only=schema_only, progress=session.progress()
        )
    render.show_comparison(comparison, as_json=result_format == "json", say=session.say)
    if comparison.differences:
        raise typer.Exit(7)
    if comparison.skipped:
        raise typer.Exit(9)
