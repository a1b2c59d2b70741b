"""The commands `doctor` and `config`."""

from __future__ import annotations

import typer

from marketpulse.cli import options as opt
from marketpulse.cli import render
from marketpulse.cli.session import Session


def doctor(
    ctx: typer.Context,
    table: opt.DoctorTable = None,
    bucket: opt.DoctorBucket = None,
    result_format: opt.ResultFormat = "table",
) -> None:
    """Test the connection step by step. Stops at the first failure and says what to do."""
    from marketpulse.doctor import DoctorOptions, diagnose  # noqa: PLC0415 - loads the driver

    session: Session = ctx.obj
    options = DoctorOptions(
        # Not called here: a missing setting is what the first step reports.
        settings=session.oracle_settings,
        region=session.settings().aws_region,
        table=table,
        bucket=bucket,
    )
    as_json = result_format == "json"
    raise typer.Exit(render.show_diagnosis(diagnose(options), as_json=as_json))


def config(ctx: typer.Context, result_format: opt.ResultFormat = "table") -> None:
    """Show every setting, where its value comes from, and what it overrides."""
    session: Session = ctx.obj
    as_json = result_format == "json"
    render.show_settings(session.explain_settings(), as_json=as_json, say=session.say)
