"""The command line: options in, one call, one result out."""

from __future__ import annotations

import errno
import gc
import logging
import os
import shlex
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from marketpulse import __version__, model
from marketpulse.cli import console, render
from marketpulse.cli.options import (
    AskNobody,
    Bundle,
    BundleFormats,
    Chosen,
    Credentials,
    Dialect,
    Driver,
    Endpoint,
    Everything,
    Explained,
    Format,
    ForWhom,
    Hierarchy,
    Inputs,
    Jobs,
    JsonRows,
    KmsKey,
    Limit,
    ListShape,
    LogFormat,
    Mapping,
    MaxLob,
    MaxRejected,
    MemoryLimit,
    Order,
    Output,
    Overwrite,
    PrefixTemplate,
    ProcessedAt,
    ProcessingType,
    Profile,
    Push,
    ReadNothing,
    ReceiptFile,
    RulesFile,
    Sent,
    Shape,
    SourceName,
    Sse,
    Table,
    Tables,
    Tags,
    TakenAt,
    Where,
    Zipped,
)
from marketpulse.errors import (
    AwsError,
    MarketPulseError,
    OutputError,
    SettingsError,
    UsageError,
)

if TYPE_CHECKING:
    from marketpulse.publish import Receipt
    from marketpulse.settings import OracleSettings, Provenance, Settings
    from marketpulse.sources import Source

_interrupted = threading.Event()  # by Ctrl-C


@dataclass
class Session:
    """What the options before the command say; kept for the command."""

    source: str | None = None
    env_file: Path | None = None
    credentials: str | None = None
    driver: str | None = None
    deadline: float | None = None
    verbose: int = 0
    quiet: bool = False
    _settings: tuple[Settings, tuple[Provenance, ...]] | None = field(default=None, repr=False)
    _oracle: OracleSettings | None = field(default=None, repr=False)

    def settings(self) -> tuple[Settings, tuple[Provenance, ...]]:
        """The settings and where each came from; found when first asked for."""
        if self._settings is None:
            from marketpulse.settings import load_settings  # noqa: PLC0415 - 0.2 s, if asked for

            self._settings = load_settings(self.options, os.environ, self.env_file)
        return self._settings

    def oracle(self) -> OracleSettings:
        """What is needed to connect to the database; SSM is asked for what is missing."""
        if self._oracle is None:
            from marketpulse.settings import oracle_settings  # noqa: PLC0415 - so too

            self._oracle = oracle_settings(self.options, os.environ, self.env_file)
        return self._oracle

    @property
    def options(self) -> dict[str, str | None]:
        """What the options say, by the names of the settings."""
        return {
            "MARKETPULSE_SOURCE": self.source,
            "MARKETPULSE_CREDENTIALS": self.credentials,
            "ORACLE_DRIVER": self.driver,
            "MARKETPULSE_DEADLINE": None if self.deadline is None else str(self.deadline),
        }

    def secrets(self) -> list[str]:
        """The passwords that are known here, those of less than eight characters aside."""
        settings, _ = self.settings()
        known = [settings.oracle_password, settings.oracle_wallet_password]
        known += [self._oracle.password] if self._oracle else []
        found = dict.fromkeys(it.get_secret_value() for it in known if it)
        return [secret for secret in found if len(secret) >= 8]

    def say(self, text: str) -> None:
        """Words on standard error, unless they are not wanted."""
        if not self.quiet:
            console.say(text)


class Commands(TyperGroup):
    """The commands. The process and tests in the process both pass here."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options before the command."""
        with _answered(ctx, args):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        arguments = [*ctx._protected_args, *ctx.args]  # noqa: SLF001 - before parsing
        with _answered(ctx, arguments):
            return super().invoke(ctx)


@contextmanager
def _answered(ctx: Any, arguments: Sequence[str]) -> Iterator[None]:
    """The one place where an error becomes a message and an exit code."""
    as_json = _wants_json(arguments)
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except BrokenPipeError:
        console.close_quietly()
        raise typer.Exit(0) from None
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, typer.TyperException) and not as_json:
            raise
        code = _tell(error, as_json=as_json, verbose=bool(ctx.obj and ctx.obj.verbose))
        _let_go(error)
        raise typer.Exit(code) from None


def _tell(error: BaseException, *, as_json: bool, verbose: bool) -> int:
    """Say what happened; the exit code is the answer."""
    # DuckDB makes errors of its own of a KeyboardInterrupt.
    if isinstance(error, KeyboardInterrupt) or _interrupted.is_set():
        console.say("interrupted")
        return 130
    fault = _as_fault(error)
    if fault is not error and verbose:
        console.say("".join(traceback.format_tb(error.__traceback__)).rstrip())
    console.show_error(fault, as_json=as_json)
    return fault.exit_code


def _let_go(error: BaseException | None) -> None:
    """Free what the error's frames hold: DuckDB complains of what is still there at the end."""
    freed: set[int] = set()
    while error and id(error) not in freed:  # SQLAlchemy's and the driver's lead to each other
        freed.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _wants_json(arguments: Sequence[str]) -> bool:
    return "--format=json" in arguments or ("--format", "json") in pairwise(arguments)


def _as_fault(error: BaseException) -> MarketPulseError:
    """The error in our words: what happened and where, without any values."""
    if isinstance(error, MarketPulseError):
        return error
    if isinstance(error, typer.TyperException):
        return UsageError(error.format_message(), hint="see --help")
    if isinstance(error, OSError):
        message = f"{error.filename}: " if error.filename else ""
        message += error.strerror or str(error)
        if error.errno == errno.ENOSPC:
            return OutputError(message, hint="make room, also for temporary files (TMPDIR)")
        return UsageError(message, hint="check the name, and who may read and write there")
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    first_line = str(error).partition("\n")[0]
    return MarketPulseError(
        f"a fault of MarketPulse {__version__}: {type(error).__name__} in {place}: {first_line}",
        hint="please report this line; -v before the command shows more",
    )


app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,  # help in colour doubles the time that help takes
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)
rules_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
app.add_typer(rules_app, name="rules", help="Check and try exclusion rules.")
ssm_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
app.add_typer(ssm_app, name="ssm", help="The database's parameters in AWS SSM.")


def _show_version(wanted: bool) -> None:
    if wanted:
        console.show_text(f"marketpulse {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    source: SourceName = None,
    env_file: Annotated[
        Path | None,
        typer.Option(
            "--env-file", metavar="FILE", readable=False, help="Settings file instead of ./.env."
        ),
    ] = None,
    credentials: Annotated[
        Credentials | None,
        typer.Option(
            "--credentials", show_default=False, help="env: never ask SSM; ssm: ask nobody else."
        ),
    ] = None,
    driver: Annotated[
        Driver | None,
        typer.Option("--driver", show_default=False, help="How to connect; auto finds out."),
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option("--deadline", min=0.1, metavar="S", help="Give up after so many seconds."),
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="How -v writes.")
    ] = LogFormat.TEXT,
    verbose: Annotated[
        int,
        typer.Option(
            "-v", "--verbose", count=True, show_default=False, help="Say more on standard error."
        ),
    ] = 0,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Say nothing on standard error but errors.")
    ] = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Extract bond market colors safely, rank them into parents and children, publish them."""
    ctx.obj = Session(source, env_file, credentials, driver, deadline, verbose, quiet)
    if verbose:
        console.log(logging.DEBUG if verbose > 1 else logging.INFO, as_json=log_format == "json")


@app.command("run-colors")
def run_colors(
    ctx: typer.Context,
    inputs: Inputs = None,
    source: SourceName = None,
    table: Table = None,
    where: Where = None,
    rules: RulesFile = None,
    hierarchy: Hierarchy = "rank,date,price",
    mapping: Mapping = None,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="The folder for the results.")
    ] = Path("processed_colors"),
    formats: Annotated[
        str | None,
        typer.Option(
            "--formats",
            help="Any of csv,ndjson,json,parquet,xlsx.  [default: csv; with --push csv,parquet]",
        ),
    ] = None,
    processing_type: Annotated[
        ProcessingType, typer.Option("--processing-type", help="What PROCESSING_TYPE says.")
    ] = ProcessingType.MANUAL,
    processed_at: ProcessedAt = None,
    max_rejected: MaxRejected = None,
    memory_limit: MemoryLimit = None,
    explain: Explained = None,
    push: Push = None,
    shape: Format = Shape.TABLE,
) -> None:
    """Turn colors into parents and children per security, after the exclusion rules."""
    as_json = shape is Shape.JSON
    _check_push(push, writes=explain is None)
    with _source(ctx, inputs, source) as data:
        from marketpulse.colors import run  # noqa: PLC0415 - the engine, when there is an input

        usual = "csv,parquet" if push else "csv"
        asked: dict[str, Any] = {
            "table": table,
            "where": where,
            "rules": rules,
            "hierarchy": hierarchy,
            "mapping": mapping or (),
            "memory_limit": memory_limit,
        }
        if explain is not None:
            from marketpulse.colors.explain import explain as explained  # noqa: PLC0415 - so too

            with run.prepared(data, **asked) as ready:
                render.show_explanation(explained(ready, explain), as_json=as_json)
            return
        result = run.run_colors(
            data,
            output=output,
            formats=(usual if formats is None else formats).split(","),
            processing_type=processing_type.value,
            processed_at=processed_at,
            max_rejected=max_rejected,
            **asked,
        )
    sent = _pushed(ctx.obj, output, push)
    render.show_run(result, sent, as_json=as_json, say=ctx.obj.say)


@app.command("list-tables")
def list_tables(
    ctx: typer.Context,
    source: SourceName = None,
    like: Annotated[
        str | None,
        typer.Option("--like", metavar="NAME", help="Only tables like it: COLOR, or COLOR%."),
    ] = None,
    schema: Annotated[
        str | None, typer.Option("--schema", metavar="OWNER", help="Only tables of this schema.")
    ] = None,
    system: Annotated[
        bool, typer.Option("--include-system", help="Oracle's own schemas, too.")
    ] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Count the rows: slow where there are many.")
    ] = False,
    output: Output = None,
    shape: Annotated[ListShape, typer.Option("--format", help="How the list is printed.")] = (
        ListShape.TABLE
    ),
) -> None:
    """List the tables, how many rows each has, and what it is for."""
    with _source(ctx, None, source, system=system) as data:
        from marketpulse.extraction import catalog as extract  # noqa: PLC0415 - when there is a source

        listing = extract.list_tables(data, like, schema=schema, exact=exact)
    if output is not None:
        ctx.obj.say(f"{output}: {', '.join(listing.write(output))}")
    if shape is ListShape.JSON:
        console.show_json(listing.as_json())
        return
    if shape is ListShape.CSV:
        _, *others = (it.name for it in fields(model.Table))
        console.show_csv(("table", *others), [[*it.values()] for it in listing.as_json()])
    else:
        render.show_listing(listing)


@app.command("schema")
def schema(
    ctx: typer.Context,
    tables: Tables = None,
    source: SourceName = None,
    output: Output = None,
    models: Annotated[
        Path | None,
        typer.Option("--models", metavar="FILE.py", help="Write Pydantic models of them, too."),
    ] = None,
    ddl: Annotated[
        Dialect | None,
        typer.Option("--ddl", help="Print the statements that create them instead."),
    ] = None,
    shape: Format = Shape.TABLE,
) -> None:
    """Describe tables: columns and their types, keys, and the tables that they point to."""
    if ddl and shape is Shape.JSON:
        raise UsageError("--ddl prints SQL, not JSON", hint="leave out one of --ddl and --format")
    with _source(ctx, None, source) as data:
        from marketpulse.extraction import catalog as extract  # noqa: PLC0415 - when there is a source

        schemas = extract.describe(data, tables or ())
        described_source = data.info()
    if output is not None:
        ctx.obj.say(f"{output}: {', '.join(schemas.write(output))}")
    if models is not None:
        from marketpulse.extraction.pydantic_models import write_models  # noqa: PLC0415 - if asked for

        write_models(models, described_source, schemas.tables)
        ctx.obj.say(f"{models}: models of {len(schemas.tables)} tables")
    if ddl:
        from marketpulse.extraction.ddl import as_ddl  # noqa: PLC0415 - if asked for

        console.show_code(as_ddl(schemas.tables))
    elif shape is Shape.JSON:
        console.show_json(schemas.as_json())
    else:
        for number, described in enumerate(schemas.tables):
            if number:
                console.show_text("")
            render.show_schema(described)


@app.command("sample")
def sample(
    ctx: typer.Context,
    tables: Tables = None,
    source: SourceName = None,
    limit: Limit = 1000,
    everything: Everything = False,
    where: Where = None,
    columns: Chosen = None,
    order: Order = None,
    formats: BundleFormats = None,
    profile: ForWhom = Profile.LOSSLESS,
    json_rows: JsonRows = "100",
    output: Bundle = Path("sample_data"),
    max_lob: MaxLob = None,
    zipped: Zipped = False,
    push: Push = None,
    taken_at: TakenAt = None,
    dry_run: ReadNothing = False,
    shape: Format = Shape.TABLE,
) -> None:
    """Write rows of tables, and all that describes them, as one folder to send."""
    as_json = shape is Shape.JSON
    _check_push(push, writes=not dry_run)
    with _source(ctx, None, source, max_lob=max_lob) as data:
        from marketpulse import timestamps  # noqa: PLC0415 - when there is a source
        from marketpulse.extraction import catalog as extract  # noqa: PLC0415 - when there is a source
        from marketpulse.extraction import sample as job  # noqa: PLC0415 - so too

        usual = "csv,json,xlsx" if profile is Profile.EXCEL else "csv,json"
        wanted = job.Wanted(
            limit=None if everything else limit,
            where=where,
            order=order,
            columns=None if columns is None else job.listed(columns),
            formats=tuple((usual if formats is None else formats).split(",")),
            profile=profile.value,
            json_rows=job.rows(json_rows),
        )
        moment = timestamps.parse_timestamp(taken_at, "--taken-at")
        if dry_run:
            planned = job.plan(extract.describe(data, tables or ()), wanted, moment)
            render.show_plan(planned, as_json=as_json)
            return
        taken = job.sample(
            data,
            tables or (),
            wanted,
            output=output,
            taken_at=moment,
            progress=console.progress(quiet=ctx.obj.quiet),
            zipped=zipped,
            secrets=ctx.obj.secrets(),
        )
    sent = _pushed(ctx.obj, output, push)
    render.show_sample(taken, sent, as_json=as_json, say=ctx.obj.say)
    if taken.manifest.missing:
        raise typer.Exit(9)


@app.command("verify")
def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A folder, or a zip of it.")],
    shape: Format = Shape.TABLE,
) -> None:
    """Prove that a bundle is whole: each file as it was written, each row still there."""
    from marketpulse.extraction.verify import verify as verified  # noqa: PLC0415 - when it is needed

    found = verified(bundle)
    if shape is Shape.JSON:
        console.show_json(found.as_json())
    else:
        tables = [it for it in found.manifest.tables if it.files]
        rows = [(it.name, it.rows, ", ".join(file.format for file in it.files)) for it in tables]
        console.show_table(("table", "rows", "as"), rows)
        for fault in found.faults:
            console.show_text(f"{fault.file}: {fault.what}")
        for gap in found.manifest.missing:
            console.show_text(f"missing: {gap.table}: {gap.why}")
        word = f"{len(found.faults)} faults" if found.faults else "every file is as it was written"
        console.show_text(f"{bundle}: {word}")
    if found.faults:
        raise typer.Exit(7)
    if not found.manifest.complete:
        raise typer.Exit(9)


@rules_app.command("check")
def rules_check(
    rules: Annotated[
        Path,
        typer.Argument(metavar="FILE", readable=False, help="Exclusion rules, JSON or TOML."),
    ],
    shape: Format = Shape.TABLE,
) -> None:
    """List every fault of a rules file, and what is suspicious in it."""
    from marketpulse.colors.rules import check_rules  # noqa: PLC0415 - when it is needed

    checked = check_rules(rules)
    if shape is Shape.JSON:
        console.show_json(checked.as_json())
    else:
        rows = [("error" if it.fatal else "warning", it.place, it.message) for it in checked.faults]
        if rows:
            console.show_table(("", "where", "what"), rows)
        console.show_text(
            f"{checked.name}: {checked.active} active rules, {checked.inactive} switched off, "
            f"{checked.errors} errors, {len(checked.faults) - checked.errors} warnings"
        )
    if checked.errors:
        raise typer.Exit(7)


@rules_app.command("test")
def rules_test(
    ctx: typer.Context,
    rules: Annotated[
        Path,
        typer.Option("--rules", metavar="FILE", readable=False, help="Exclusion rules."),
    ],
    inputs: Inputs = None,
    source: SourceName = None,
    table: Table = None,
    mapping: Mapping = None,
    shape: Format = Shape.TABLE,
) -> None:
    """Show the funnel: how many rows each rule matches, how many it takes, what is left."""
    with _source(ctx, inputs, source) as data:
        from marketpulse.colors.funnel import test_rules  # noqa: PLC0415 - so too

        funnel = test_rules(data, rules=rules, table=table, mapping=mapping or ())
    if shape is Shape.JSON:
        console.show_json(funnel.as_json())
        return
    rows: list[tuple[object, ...]] = [
        ("rows read", "", "", funnel.read),
        ("rejected", "", funnel.rejected, funnel.read - funnel.rejected),
    ]
    rows += [(f"{it.id} {it.name}", it.matches, it.takes, it.left) for it in funnel.stages]
    console.show_table(("rule", "matches", "takes", "left"), rows)
    for warning in funnel.warnings:
        ctx.obj.say(f"warning: {warning}")


@app.command("push-s3")
def push_s3(
    ctx: typer.Context,
    paths: Sent = None,
    dry_run: AskNobody = False,
    force: Overwrite = False,
    endpoint_url: Endpoint = None,
    jobs: Jobs = 16,
    sse: Sse = None,
    kms_key: KmsKey = None,
    tags: Tags = None,
    prefix_template: PrefixTemplate = None,
    receipt: ReceiptFile = None,
    shape: Format = Shape.TABLE,
) -> None:
    """Send results into an S3 bucket, whole sets only, and nothing twice."""
    if paths is None or len(paths) < 2:
        raise UsageError(
            "push-s3 needs what is to be sent and, last, where to",
            hint="for instance: marketpulse push-s3 processed_colors s3://bucket/prefix/",
        )
    from marketpulse.publish import check_receipt, push  # noqa: PLC0415 - when it is needed

    settings, _ = ctx.obj.settings()
    if receipt is not None:
        check_receipt(receipt)
    pushed = push(
        paths[:-1],
        paths[-1],
        region=settings.aws_region,
        endpoint_url=endpoint_url,
        force=force,
        dry_run=dry_run,
        jobs=jobs,
        sse=sse,
        kms_key_id=kms_key,
        tags=tags or (),
        prefix_template=prefix_template,
        patience=settings.deadline,
        progress=console.progress(quiet=ctx.obj.quiet, unit="bytes"),
    )
    if receipt is not None:
        pushed.write(receipt)
    render.show_receipt(pushed, as_json=shape is Shape.JSON, say=ctx.obj.say)


@app.command("terraform")
def terraform(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files are written.")],
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files that are not as this version has them.")
    ] = False,
    shape: Format = Shape.TABLE,
) -> None:
    """Write the Terraform files of the function, its schedule, parameters and bucket."""
    from marketpulse import terraform as files  # noqa: PLC0415 - when it is needed

    written = files.write(folder, force=force)
    if shape is Shape.JSON:
        console.show_json({"output": str(folder), "files": files.names(), "written": written})
        return
    for name in files.names():
        console.show_text(str(folder / name))
    ctx.obj.say(f"{len(written)} files written, {len(files.names()) - len(written)} were there")


@ssm_app.command("put")
def ssm_put(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Only these: password. Asked for at a terminal."),
    ] = None,
    kms_key: Annotated[
        str | None,
        typer.Option("--kms-key-id", metavar="KEY", help="Encrypt user and password with it."),
    ] = None,
    shape: Format = Shape.TABLE,
) -> None:
    """Write the database's parameters: lines NAME=VALUE of standard input, or what you type."""
    from marketpulse.aws import parameters  # noqa: PLC0415 - when it is needed
    from marketpulse.settings import parameter_path  # noqa: PLC0415 - when it is needed

    wanted = names or [*parameters.PARAMETERS]
    unknown = [name for name in wanted if name not in parameters.PARAMETERS]
    if unknown:
        raise UsageError(
            f"there is no parameter {unknown[0].partition('=')[0]!r}",
            hint=f"the names are {', '.join(parameters.PARAMETERS)}; "
            "never put a value on the command line",
        )
    if sys.stdin is None:
        raise UsageError("standard input is closed", hint="ssm put < parameters.txt")
    if sys.stdin.isatty():
        values = {name: _asked_for(name, hidden=name in parameters.SECRET_NAMES) for name in wanted}
        values = {name: value for name, value in values.items() if value}
    else:
        given = parameters.parse_parameters(sys.stdin.buffer.read())
        values = {name: value for name, value in given.items() if name in wanted}
    settings, _ = ctx.obj.settings()
    written = parameters.put(parameter_path(settings), settings.aws_region, values, kms_key)
    render.show_parameters(written, as_json=shape is Shape.JSON)
    ctx.obj.say(f"written: {', '.join(values)}")


@ssm_app.command("check")
def ssm_check(ctx: typer.Context, shape: Format = Shape.TABLE) -> None:
    """Look whether all seven parameters are there, and none is a placeholder."""
    from marketpulse.aws import parameters  # noqa: PLC0415 - when it is needed
    from marketpulse.settings import parameter_path  # noqa: PLC0415 - when it is needed

    settings, _ = ctx.obj.settings()
    checked = parameters.check(parameter_path(settings), settings.aws_region)
    render.show_parameters(checked, as_json=shape is Shape.JSON)
    if not checked.complete:
        raise typer.Exit(3)


@app.command("config")
def config(ctx: typer.Context, shape: Format = Shape.TABLE) -> None:
    """Show every setting, the place it came from, and the places that lost."""
    from marketpulse.settings import load_settings  # noqa: PLC0415 - when it is needed

    session: Session = ctx.obj
    settings, provenances = session.settings()
    if settings.credentials != "env":
        try:
            asked = load_settings(session.options, os.environ, session.env_file, ssm=True)
            provenances = asked[1]
        except (AwsError, SettingsError) as fault:
            session.say(f"warning: {fault.message}")
    if shape is Shape.JSON:
        console.show_json(
            [
                {"name": it.variable, "value": it.shown, "from": it.winner, "also": [*it.losers]}
                for it in provenances
            ]
        )
        return
    rows = [(it.variable, it.shown, it.winner, ", ".join(it.losers)) for it in provenances]
    console.show_table(("setting", "value", "from", "also in"), rows)


@app.command("doctor")
def doctor(
    ctx: typer.Context,
    table: Annotated[
        str | None,
        typer.Argument(metavar="TABLE", help="May it be read? Else ORACLE_TABLE_NAME."),
    ] = None,
    bucket: Annotated[
        str | None,
        typer.Option(
            "--bucket", metavar="BUCKET", help="Look at this too: NAME or s3://NAME/PREFIX/."
        ),
    ] = None,
    shape: Format = Shape.TABLE,
) -> None:
    """Look for what is wrong on the way to the database: layer by layer, with the remedy."""
    from marketpulse.aws.session import caller_identity  # noqa: PLC0415 - when it is needed
    from marketpulse.doctor import Asked, diagnose  # noqa: PLC0415 - so too

    session: Session = ctx.obj
    region = session.settings()[0].aws_region
    look = None if bucket is None else _look_at(bucket, region)
    asked = Asked(session.oracle, lambda: caller_identity(region), look, table)
    steps = []
    for step in diagnose(asked):
        steps.append(step)
        if shape is Shape.TABLE:
            console.show_text(f"{step.state:8} {step.layer:14} {step.seconds:5.2f} s  {step.told}")
    failed = steps[-1]
    if shape is Shape.JSON:
        told = {"exit_code": failed.exit_code, "steps": [it.as_json() for it in steps]}
        console.show_json(told)
    elif failed.check:
        console.show_text(f"{failed.check}: {failed.hint}")
    raise typer.Exit(failed.exit_code)


@app.command("demo")
def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Where the tour's files are written.")
    ] = Path("marketpulse_demo"),
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many colors.")] = 2000,
) -> None:
    """Take the tour on a built-in market: no database, no cloud, nothing to configure."""
    from marketpulse.cli.tour import tour  # noqa: PLC0415 - when it is needed

    for words, command in tour(folder, rows):
        console.show_text(f"\n{words}\n")
        if command:
            console.show_text(f"    $ marketpulse {' '.join(command)}\n")
            code = app(list(command), standalone_mode=False)
            if code:
                raise typer.Exit(code)


def _source(
    ctx: typer.Context,
    inputs: Sequence[str] | None,
    source: str | None,
    *,
    max_lob: int | None = None,
    system: bool = False,
) -> Source:
    """The source that INPUT, `--source` or the settings name, open."""
    from marketpulse.sources import open_files, open_source  # noqa: PLC0415 - when it is needed

    session: Session = ctx.obj
    named = source or session.source
    if inputs:
        if named:
            raise UsageError(
                "INPUT and --source both say where the rows come from", hint="give one of them"
            )
        return open_source(inputs[0]) if len(inputs) == 1 else open_files(inputs)
    named = named or session.settings()[0].source
    if named != "oracle":
        return open_source(named)
    try:
        oracle = session.oracle()
    except SettingsError as fault:
        if not (source or session.source):  # perhaps no database was meant
            fault.hint += "; or name a file, a folder or 'demo' with --source"
        raise
    return open_source(named, oracle=oracle, max_lob=max_lob, system=system)


def _look_at(bucket: str, region: str) -> Callable[[], str]:
    """How to look at a bucket, or a place in one. Raises `UsageError` for no address."""
    from marketpulse.artifacts import POINTER  # noqa: PLC0415 - not for every command
    from marketpulse.publish import place_of  # noqa: PLC0415 - not for every command

    place = place_of(bucket if "://" in bucket else f"s3://{bucket}")

    def look() -> str:
        from marketpulse.aws.bucket import Bucket  # noqa: PLC0415 - so too

        with Bucket(place.bucket, region=region) as there:
            there.there([place.key(POINTER)])
        return f"s3://{place.bucket}/{place.prefix} answers"

    return look


def _check_push(target: str | None, *, writes: bool) -> None:
    """Refuse an address that is none before the work begins, not after it."""
    if target is None:
        return
    from marketpulse.publish import place_of  # noqa: PLC0415 - not for every command

    place_of(target)
    if not writes:
        raise UsageError("--push: nothing would be written that could be sent")


def _pushed(session: Session, folder: Path, target: str | None) -> Receipt | None:
    """What became of a folder that was to be sent as well."""
    if target is None:
        return None
    from marketpulse.publish import push  # noqa: PLC0415 - when it is needed

    settings, _ = session.settings()
    progress = console.progress(quiet=session.quiet, unit="bytes")
    place, patience = settings.aws_region, settings.deadline
    try:
        return push([folder], target, region=place, patience=patience, progress=progress)
    except (AwsError, SettingsError) as fault:
        words = shlex.join(["marketpulse", "push-s3", str(folder), target])
        fault.hint += f"; all is written, so then: {words}"
        raise


def _asked_for(name: str, *, hidden: bool) -> str:
    """What somebody types; nothing leaves the parameter as it is."""
    typed: str = typer.prompt(
        f"{name} (Enter leaves it)", default="", hide_input=hidden, show_default=False, err=True
    )
    return typed


def main() -> None:
    """Run the process."""
    console.prepare_streams()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    if sys.platform == "linux":
        # Arrow's default allocator gives memory back and takes it again all the time.
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
    # A young process makes much and drops little: while modules load, the collector finds nothing.
    gc.set_threshold(50_000)
    sys.meta_path.insert(0, _WithoutPandas())
    try:
        app(prog_name="marketpulse")
    except KeyboardInterrupt:  # before there was a command
        console.say("interrupted")
        sys.exit(130)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done and said
        console.finish()


class _WithoutPandas:
    """Says that pandas is not there: Arrow would load it with its first array, for no command."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


def _interrupt(*_: object) -> None:
    _interrupted.set()
    raise KeyboardInterrupt
