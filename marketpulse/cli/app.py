"""The commands and the options before them: parse options, make one call, show one result."""

from __future__ import annotations

from typing import Annotated

import typer

from marketpulse.cli import colors, console, demo, diagnosis, extraction, init, publishing, reports
from marketpulse.cli import options as opt
from marketpulse.cli.group import CommandGroup
from marketpulse.cli.session import Session
from marketpulse.version import __version__

app = typer.Typer(
    cls=CommandGroup,
    rich_markup_mode=None,  # with rich, help takes twice as long
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="The options may also stand after the command. `marketpulse help COMMAND` explains one.",
    no_args_is_help=True,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        console.show_text(f"marketpulse {__version__}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version", "-V", callback=_show_version, is_eager=True, help="Print the version and exit."
    ),
]


@app.callback()
def root(
    ctx: typer.Context,
    source: opt.SourceName = None,
    env_file: opt.EnvFile = None,
    config: opt.ConfigFile = None,
    credentials: opt.CredentialsChoice = None,
    driver: opt.DriverChoice = None,
    deadline: opt.Deadline = None,
    log_format: opt.LogFormatChoice = "text",
    verbose: opt.Verbosity = 0,
    quiet: opt.Quiet = False,
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
        log_format=log_format,
        verbose=verbose,
        quiet=quiet,
    )
    ctx.obj.configure_log()


# --help lists the commands in this order.
app.command("demo")(demo.demo)
app.command("init")(init.init)
app.command("doctor")(diagnosis.doctor)
app.command("config")(diagnosis.config)
app.command("list-tables")(extraction.list_tables)
app.command("schema")(extraction.schema)
app.command("sample")(extraction.sample)
app.command("verify")(extraction.verify)
app.command("diff")(extraction.diff)
app.command("report")(reports.report)
app.command("run-colors")(colors.run_colors)
app.command("push-s3")(publishing.push_s3)
app.command("terraform")(publishing.terraform)
app.add_typer(colors.rules_app, name="rules", help="Check and test exclusion rules.")
app.add_typer(
    publishing.ssm_app, name="ssm", help="Write and check the connection parameters in AWS SSM."
)
