"""The command `demo`: it runs other commands, one after the other."""

from __future__ import annotations

from pathlib import Path

import typer

from marketpulse.cli import options as opt
from marketpulse.cli import render


def demo(
    ctx: typer.Context,
    folder: opt.DemoFolder = Path("marketpulse_demo"),
    rows: opt.DemoRows = 2000,
) -> None:
    """Take a tour of all commands on a built-in market. Needs no database and no cloud."""
    from marketpulse.cli.tour import tour  # noqa: PLC0415 - loads the sources

    commands = ctx.find_root().command
    for step in tour(folder, rows):
        render.show_tour_step(step.text, step.command)
        if step.command:
            code = commands.main([*step.command], prog_name="marketpulse", standalone_mode=False)
            if code:
                raise typer.Exit(code)
