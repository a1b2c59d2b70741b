"""The commands and the options before them: parse options, make one call, show one result."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from marketpulse.cli import colors, console, demo, diagnosis, extraction, init, publishing, reports
from marketpulse.cli.errors import error_boundary
from marketpulse.cli.options import (
    ConfigFile,
    CredentialsChoice,
    Deadline,
    DriverChoice,
    EnvFile,
    LogFormat,
    LogFormatChoice,
    Quiet,
    SourceName,
    Verbosity,
)
from marketpulse.cli.session import Session
from marketpulse.log import configure_logging
from marketpulse.version import __version__

if TYPE_CHECKING:
    from typer._click import Context  # typer publishes no name for the contexts of its groups


class CommandGroup(TyperGroup):
    """The commands behind the error boundary, for the process and for tests within a process."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse the options before the command."""
        with error_boundary(args, verbose=False):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Context) -> object:
        """Run the command."""
        # The command's own arguments are not parsed yet: --format json may be among them.
        arguments = [*ctx._protected_args, *ctx.args]  # noqa: SLF001 - click offers no other way
        with error_boundary(arguments, verbose=bool(ctx.obj and ctx.obj.verbose)):
            return super().invoke(ctx)


app = typer.Typer(
    cls=CommandGroup,
    rich_markup_mode=None,  # with rich, help takes twice as long
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        console.show_text(f"marketpulse {__version__}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
    ),
]


@app.callback()
def root(
    ctx: typer.Context,
    source: SourceName = None,
    env_file: EnvFile = None,
    config: ConfigFile = None,
    credentials: CredentialsChoice = None,
    driver: DriverChoice = None,
    deadline: Deadline = None,
    log_format: LogFormatChoice = LogFormat.TEXT,
    verbose: Verbosity = 0,
    quiet: Quiet = False,
    _version: Version = False,
) -> None:
    """Extract bond market colors from Oracle, rank them into parents and children, publish them."""
    ctx.obj = Session(
        source=source,
        env_file=env_file,
        config=config,
        credentials=credentials,
        driver=driver,
        deadline=deadline,
        verbose=bool(verbose),
        quiet=quiet,
    )
    if quiet:
        # Without a handler, Python prints warnings of the log on standard error.
        logging.getLogger("marketpulse").setLevel(logging.ERROR)
    if verbose:
        level = logging.DEBUG if verbose > 1 else logging.INFO
        configure_logging(level, as_json=log_format is LogFormat.JSON)


# --help lists the commands in this order.
app.command("demo")(demo.demo)
app.command("init")(init.init)
app.command("doctor")(diagnosis.doctor)
app.command("config")(diagnosis.config)
app.command("list-tables")(extraction.list_tables)
app.command("schema")(extraction.schema)
app.command("sample")(extraction.sample)
app.command("verify")(extraction.verify)
app.command("report")(reports.report)
app.command("run-colors")(colors.run_colors)
app.command("push-s3")(publishing.push_s3)
app.command("terraform")(publishing.terraform)
app.add_typer(colors.rules_app, name="rules", help="Check and test exclusion rules.")
app.add_typer(
    publishing.ssm_app, name="ssm", help="Write and check the connection parameters in AWS SSM."
)
