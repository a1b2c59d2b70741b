"""`run-colors --by-day`: the days of a history are ranked separately."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from marketpulse.cli import render
from marketpulse.cli.publishing import push_to_target
from marketpulse.cli.reports import write_page
from marketpulse.cli.session import Session
from marketpulse.errors import UsageError
from marketpulse.model import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from marketpulse.colors.options import RunOptions


def check_days(parameters: Mapping[str, object]) -> None:
    """Raise `UsageError` for an option that contradicts --by-day, or needs it.

    `parameters` has the values of all options.
    """
    by_day = parameters["by_day"]
    names = ("explain", "table", "query") if by_day else ("since", "until")
    option = next((f"--{name}" for name in names if parameters[name] is not None), None)
    if option is None:
        return
    if by_day:
        raise UsageError(
            f"{option} and --by-day do not go together",
            hint=f"leave out {option}; or leave out --by-day, and name the folder of one day",
        )
    raise UsageError(f"{option} needs --by-day", hint=f"add --by-day, or leave out {option}")


def rank_days(
    session: Session,
    names: Sequence[str],
    span: tuple[str | None, str | None],
    options: RunOptions,
    progress: Progress,
    push: str | None,
    *,
    report: bool,
    as_json: bool,
) -> None:
    """Rank the days of these folders, publish and show them; exit with their code."""
    from marketpulse.colors.history import find_days, parse_day, run_days  # noqa: PLC0415 - loads the engine

    since, until = span
    days = find_days(names, parse_day(since, "--since"), parse_day(until, "--until"))
    ranked = run_days(days, options, progress)
    published = list(ranked.published_days().values()) if push is not None else []
    for *repeats, last in published:
        for result in repeats:
            session.say(f"{result.day}: the same rows as {last.day}, uploaded once")
    receipt = push_to_target(session, push, *(same[-1].output for same in published))
    render.show_days(ranked, receipt, as_json=as_json, say=session.say)
    for result in ranked.days:
        if report and result.run:
            write_page(session, result.output)
    if ranked.exit_code:
        raise typer.Exit(ranked.exit_code)
