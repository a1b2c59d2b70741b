"""The commands `push-s3`, `ssm put`, `ssm check` and `terraform`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from marketpulse.cli import options as opt
from marketpulse.cli import render
from marketpulse.cli.session import Session
from marketpulse.errors import UsageError
from marketpulse.extras import require_extra
from marketpulse.sources.base import standard_input

if TYPE_CHECKING:
    from marketpulse.publish import PushOptions, Receipt

ssm_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


def push_s3(
    ctx: typer.Context,
    paths: opt.PushPaths = None,
    dry_run: opt.PushDryRun = False,
    force: opt.ForceUpload = False,
    endpoint_url: opt.EndpointUrl = None,
    jobs: opt.UploadJobs = 16,
    sse: opt.EncryptionChoice = None,
    kms_key: opt.KmsKey = None,
    tags: opt.ObjectTags = None,
    prefix_template: opt.PrefixTemplate = None,
    recursive: opt.Recursive = False,
    layout: opt.PushLayout = None,
    verify: opt.VerifyUpload = "read",
    receipt: opt.ReceiptFile = None,
    result_format: opt.ResultFormat = "table",
) -> None:
    """Upload complete results to S3. Skips what is already there."""
    if paths is None or len(paths) < 2:
        raise UsageError(
            "push-s3 needs at least one PATH and the target S3URI",
            hint="for example `marketpulse push-s3 processed_colors s3://bucket/prefix/`",
        )
    from marketpulse.publish import PushOptions, PushVerification, check_receipt, push  # noqa: PLC0415 - not for --help

    session: Session = ctx.obj
    settings = session.settings()
    if receipt is not None:
        check_receipt(receipt)
    options = PushOptions(
        region=settings.aws_region,
        endpoint_url=endpoint_url,
        force=force,
        dry_run=dry_run,
        jobs=jobs,
        sse=sse,
        kms_key_id=kms_key,
        tags=tags or (),
        prefix_template=prefix_template,
        recursive=recursive,
        verify=PushVerification(verify),
        deadline=settings.deadline,
    )
    if layout is None:
        pushed = push(paths[:-1], paths[-1], options, progress=session.progress("bytes"))
    else:
        pushed = _push_by_sector(session, paths[:-1], paths[-1], options)
    if receipt is not None:
        pushed.write(receipt)
    render.show_receipt(pushed, as_json=result_format == "json", say=session.say)


def _push_by_sector(
    session: Session, paths: Sequence[str], target: str, options: PushOptions
) -> Receipt:
    """Push, then push a workbook for each sector of the runs among the paths.

    The workbooks are made first, so that nothing is sent if that fails.
    """
    from marketpulse.artifacts import RUN_SUMMARY  # noqa: PLC0415 - not for --help
    from marketpulse.atomic import TemporaryFolder  # noqa: PLC0415 - not for --help
    from marketpulse.colors.sector_workbooks import write_sector_workbooks  # noqa: PLC0415 - heavy
    from marketpulse.publish import parse_s3_uri, push  # noqa: PLC0415 - not for --help

    location = parse_s3_uri(target)
    runs = [path for path in map(Path, paths) if (path / RUN_SUMMARY).is_file()]
    if not runs:
        raise UsageError(
            "--layout by-sector needs a run among the PATHs",
            hint="name the folder that `marketpulse run-colors` wrote, or leave out --layout",
        )
    with TemporaryFolder() as folder:
        for run in runs:
            write_sector_workbooks(run, Path(folder))
        began = time.monotonic()
        receipt = push(paths, target, options, progress=session.progress("bytes"))
        if not any(Path(folder).rglob("*.xlsx")):  # a run without colors, by --force
            return receipt
        spent = time.monotonic() - began
        left = options.deadline and max(0.1, options.deadline - spent)
        # Each run has its own workbooks, and nothing points to them: the last push of it counts.
        workbooks = replace(
            options, prefix_template=None, recursive=True, force=True, deadline=left
        )
        below = f"s3://{location.bucket}/{location.key('by-sector')}"
        sent = push([folder], below, workbooks, progress=session.progress("bytes"))
    objects = (replace(item, file=None) for item in sent.objects)
    return replace(receipt, objects=(*receipt.objects, *objects))


def check_push_target(target: str | None, *, writes: bool) -> None:
    """Check the value of `--push` before the work begins, not after it."""
    if target is None:
        return
    from marketpulse.publish import parse_s3_uri  # noqa: PLC0415 - not for --help

    parse_s3_uri(target)
    require_extra("aws", "--push")
    if not writes:
        raise UsageError("--push: this command writes nothing to upload", hint="leave out --push")


def push_to_target(session: Session, target: str | None, *folders: Path) -> Receipt | None:
    """Upload result folders to the target of `--push`, if there is one, the latest last."""
    if target is None or not folders:
        return None
    from marketpulse.publish import PushOptions, push_results  # noqa: PLC0415 - not for --help

    settings = session.settings()
    options = PushOptions(region=settings.aws_region, deadline=settings.deadline)
    return push_results(folders, target, options, session.progress("bytes"))


def terraform(
    ctx: typer.Context,
    folder: opt.TerraformFolder,
    force: opt.ForceWrite = False,
    result_format: opt.ResultFormat = "table",
) -> None:
    """Write the Terraform files for the function, its schedule, parameters and bucket."""
    from marketpulse import terraform as files  # noqa: PLC0415 - not for --help

    session: Session = ctx.obj
    written = files.write(folder, force=force)
    as_json = result_format == "json"
    render.show_terraform(folder, files.file_names(), written, as_json=as_json, say=session.say)


@ssm_app.command("put")
def ssm_put(
    ctx: typer.Context,
    names: opt.ParameterNames = None,
    kms_key: opt.ParameterKey = None,
    result_format: opt.ResultFormat = "table",
) -> None:
    """Write the connection parameters, or the key of masks, to AWS SSM.

    Reads NAME=VALUE lines from standard input, or asks you at the terminal.
    """
    from marketpulse.aws import parameters  # noqa: PLC0415 - not for --help
    from marketpulse.settings.load import parameter_path  # noqa: PLC0415 - pydantic takes 0.2 s

    require_extra("aws", "ssm put")
    session: Session = ctx.obj
    chosen = parameters.check_names(names or ())
    if sys.stdin is not None and sys.stdin.isatty():
        values = {name: _prompt(name, hidden=name in parameters.SECRET_NAMES) for name in chosen}
        values = {name: value for name, value in values.items() if value}
    else:
        lines = parameters.parse_parameters(standard_input().read())
        values = {name: value for name, value in lines.items() if not names or name in chosen}
    settings = session.settings()
    written = parameters.put(parameter_path(settings), settings.aws_region, values, kms_key)
    render.show_parameters(written, as_json=result_format == "json")
    session.say(f"written: {', '.join(values)}")


@ssm_app.command("check")
def ssm_check(ctx: typer.Context, result_format: opt.ResultFormat = "table") -> None:
    """Check the parameters in AWS SSM: the connection, and the key of masks if there is one."""
    from marketpulse.aws import parameters  # noqa: PLC0415 - not for --help
    from marketpulse.settings.load import parameter_path  # noqa: PLC0415 - pydantic takes 0.2 s

    require_extra("aws", "ssm check")
    session: Session = ctx.obj
    settings = session.settings()
    checked = parameters.check(parameter_path(settings), settings.aws_region)
    render.show_parameters(checked, as_json=result_format == "json")
    if not checked.complete:
        raise typer.Exit(3)


def _prompt(name: str, *, hidden: bool) -> str:
    """Ask for a value at the terminal. An empty answer leaves the parameter unchanged."""
    answer: str = typer.prompt(
        f"{name} (press Enter to leave it unchanged)",
        default="",
        hide_input=hidden,
        show_default=False,
        err=True,
    )
    return answer
