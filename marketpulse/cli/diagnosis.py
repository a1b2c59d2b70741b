"""The commands `doctor` and `config`."""

from __future__ import annotations

from collections.abc import Callable

import typer

from marketpulse.cli import render
from marketpulse.cli.options import DoctorBucket, DoctorTable, OutputFormat, ResultFormat
from marketpulse.cli.session import Session


def doctor(
    ctx: typer.Context,
    table: DoctorTable = None,
    bucket: DoctorBucket = None,
    result_format: ResultFormat = OutputFormat.TABLE,
) -> None:
    """Test the connection step by step. Stops at the first failure and says what to do."""
    from marketpulse.aws.session import caller_identity  # noqa: PLC0415 - boto3 takes 0.2 s
    from marketpulse.doctor import DoctorOptions, diagnose  # noqa: PLC0415 - loads the driver

    session: Session = ctx.obj
    region = session.settings().aws_region
    options = DoctorOptions(
        settings=session.oracle_settings,
        identity=lambda: caller_identity(region),
        bucket=None if bucket is None else _bucket_test(bucket, region),
        table=table,
    )
    as_json = result_format is OutputFormat.JSON
    raise typer.Exit(render.show_diagnosis(diagnose(options), as_json=as_json))


def _bucket_test(bucket: str, region: str) -> Callable[[], str]:
    """A function that reads from a bucket. Raises `UsageError` if the address is invalid."""
    from marketpulse.artifacts import POINTER  # noqa: PLC0415 - not for --help
    from marketpulse.publish import parse_s3_uri  # noqa: PLC0415 - not for --help

    location = parse_s3_uri(bucket if "://" in bucket else f"s3://{bucket}")

    def read() -> str:
        from marketpulse.aws.bucket import Bucket  # noqa: PLC0415 - boto3 takes 0.2 s

        with Bucket(location.bucket, region=region) as opened:
            opened.find([location.key(POINTER)])
        return f"s3://{location.bucket}/{location.prefix} answers"

    return read


def config(ctx: typer.Context, result_format: ResultFormat = OutputFormat.TABLE) -> None:
    """Show every setting, where its value comes from, and what it overrides."""
    session: Session = ctx.obj
    as_json = result_format is OutputFormat.JSON
    render.show_settings(session.explain_settings(), as_json=as_json, say=session.say)
