"""A history ranked day by day: folders such as `date=2026-03-13/`, each with results of its own.

A day whose input, options and results are as they were is kept. Its `run_summary.json` proves that
by a fingerprint of the input's files and the options.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from pathlib import Path

from marketpulse.artifacts import RUN_SUMMARY, RunSummary, parse_run_summary
from marketpulse.atomic import file_record
from marketpulse.colors.options import RunOptions
from marketpulse.colors.prepare import RunRequest, parse_request
from marketpulse.colors.results import ColorsRun
from marketpulse.colors.run import run
from marketpulse.errors import MarketPulseError, NotFoundError, UsageError
from marketpulse.model import NO_PROGRESS, Progress, progress_stage
from marketpulse.sources.files import find_paths, has_rows
from marketpulse.version import __version__

_DAY_FOLDER = re.compile(r"date=(.*)", re.IGNORECASE | re.DOTALL)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class DayState(StrEnum):
    """What has become of a day."""

    RANKED = "ranked"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class DayInput:
    """A day of a history, and the folders with its rows."""

    day: date
    folders: tuple[Path, ...]

    def files(self) -> list[Path]:
        """The files with rows. Raises `NotFoundError` if there are none."""
        return [path for folder in self.folders for path in find_paths(str(folder))]


@dataclass(frozen=True, kw_only=True)
class DayResult:
    """A day and its results: the run that ranked it, the earlier summary, or the error."""

    day: date
    state: DayState
    output: Path
    run: ColorsRun | None = None
    summary: Mapping[str, object] | None = None
    error: MarketPulseError | None = None

    def as_json(self) -> dict[str, object]:
        """The day as `--format json` shows it."""
        summary = self.summary or {}
        return {
            "day": str(self.day),
            "state": self.state.value,
            "run_id": summary.get("run_id"),
            "rows": summary.get("rows"),
            "output": str(self.output),
            "error": self.error.as_json() if self.error else None,
        }


@dataclass(frozen=True, kw_only=True)
class DaysRun:
    """The days of a history, from the first to the last."""

    days: tuple[DayResult, ...]

    @property
    def exit_code(self) -> int:
        """0; 9 if some days have failed; the code of the first failure if all have."""
        errors = [result.error for result in self.days if result.error]
        if not errors:
            return 0
        return errors[0].exit_code if len(errors) == len(self.days) else 9

    def published_days(self) -> dict[str, list[DayResult]]:
        """The days to publish, by RUN_ID: those whose results have colors, of now or of earlier.

        Days with the same rows are one run, and their objects would have the same keys.
        """
        days: dict[str, list[DayResult]] = {}
        for result in self.days:
            summary = _read_summary(result.output)
            if summary and not summary.empty:
                same = days.pop(summary.run_id, [])  # in the order of the last day of each run
                days[summary.run_id] = [*same, result]
        return days


def parse_day(text: str | None, option: str) -> date | None:
    """The day in an option such as `--since 2026-03-01`. Raises `UsageError`."""
    if text is None:
        return None
    day = _to_day(text.strip())
    if day is None:
        raise UsageError(
            f"{option}: {text!r} is not a day", hint=f"for example {option} 2026-03-01"
        )
    return day


def find_days(
    names: Sequence[str], since: date | None = None, until: date | None = None
) -> tuple[DayInput, ...]:
    """The days below these folders, the first and the last day included, in their order.

    Raises `NotFoundError` if there are none, `UsageError` for anything that is not in a folder of
    a day, because its rows would be lost.
    """
    folders: dict[date, list[Path]] = {}
    for name in names:
        for day, folder in _day_folders(name):
            folders.setdefault(day, []).append(folder)
    wanted = [day for day in sorted(folders) if (since or day) <= day <= (until or day)]
    if not wanted:
        raise NotFoundError(
            "there is no day from --since to --until",
            hint=f"the days are {min(folders)} to {max(folders)}",
            check="MP-SRC-002",
        )
    return tuple(DayInput(day=day, folders=tuple(folders[day])) for day in wanted)


def run_days(
    days: Sequence[DayInput], options: RunOptions, progress: Progress = NO_PROGRESS
) -> DaysRun:
    """Rank each day by itself, into a folder of its own below `options.output`.

    A day that fails leaves its earlier results as they are, and does not stop the others. Raises
    what `run` raises for options that no day could have.
    """
    request = parse_request(options)
    options.output_formats()
    root = Path(options.output or ".")
    for folder in (folder for day in days for folder in day.folders):
        if folder.parent.resolve() == root.resolve():
            raise UsageError(
                f"--output: {root} holds the input", hint="write the results to another folder"
            )
    results = []
    with progress_stage(progress, "ranking", len(days)):
        for day in days:
            results.append(
                _run_day(day, replace(options, output=root / f"date={day.day}"), request)
            )
            progress.advance(1)
    return DaysRun(days=tuple(results))


def _day_folders(name: str) -> Iterator[tuple[date, Path]]:
    if name.startswith("s3://"):
        raise UsageError(
            f"{name}: --by-day reads folders on this machine",
            hint=f"copy them first: aws s3 sync {name} history; then name the folder history",
        )
    root = Path(name)
    if not root.is_dir():
        raise NotFoundError(
            f"{root}: --by-day reads a folder on this machine, and there is none of this name",
            hint="name one that holds folders such as date=2026-03-13",
        )
    found = list(_walk(root))
    days = [(day, folder) for day, folder in found if day]
    if not days:
        raise NotFoundError(
            f"{root}: it holds no folder such as date=2026-03-13",
            hint="leave out --by-day to rank all files as one day",
            check="MP-SRC-002",
        )
    for day, path in found:
        if day is None:
            raise UsageError(
                f"{path}: this file is in no folder of a day",
                hint="move it into one, such as date=2026-03-13, or away",
            )
    yield from days


def _walk(folder: Path) -> Iterator[tuple[date | None, Path]]:
    """Yield the folders of days, and without a day the files with rows beside them."""
    match = _DAY_FOLDER.fullmatch(folder.name)
    if match:
        day = _to_day(match[1])
        if day is None:
            raise UsageError(
                f"{folder}: {match[1]!r} is not a day",
                hint="name the folder as date=2026-03-13, or move it away",
            )
        yield day, folder
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and "=" in path.name[1:]:
            yield from _walk(path)
        elif has_rows(path):
            yield None, path


def _to_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def _run_day(day: DayInput, options: RunOptions, request: RunRequest) -> DayResult:
    output = Path(str(options.output))
    try:
        fingerprint = _fingerprint(day, options, request)
        if fingerprint and (summary := _find_unchanged(output, fingerprint)):
            return DayResult(
                day=day.day, state=DayState.UNCHANGED, output=output, summary=summary.content
            )
        ranked = run(list(day.folders), options, fingerprint=fingerprint)
    except MarketPulseError as error:
        return DayResult(day=day.day, state=DayState.FAILED, output=output, error=error)
    return DayResult(
        day=day.day, state=DayState.RANKED, output=output, run=ranked, summary=ranked.summary()
    )


def _fingerprint(day: DayInput, options: RunOptions, request: RunRequest) -> str | None:
    """A hash of all that decides the results; None if the clock does, too."""
    if options.where and "SYSDATE" in options.where.upper():
        return None
    limit = options.rejection_limit()
    parts: list[object] = [
        __version__,
        [options.table, options.where, options.again, options.processing_type],
        [options.delimiter, options.sheet, options.header_row],
        [options.output_formats(), limit and limit.text],
        [request.hierarchy, sorted(request.mapping.items()), sorted(request.types.items())],
        [repr(request.book.rules), repr(request.date_forms), request.rounded_ids],
    ]
    parts += [[str(path), file_record(path, path.name).sha256] for path in day.files()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _find_unchanged(output: Path, fingerprint: str) -> RunSummary | None:
    """The earlier summary, if it has this fingerprint and its files are as it lists them."""
    summary = _read_summary(output)
    if summary is None or summary.content.get("fingerprint") != fingerprint:
        return None
    try:
        is_whole = all(
            file_record(output / record.name, record.name) == record for record in summary.files
        )
    except OSError:
        return None
    return summary if is_whole else None


def _read_summary(output: Path) -> RunSummary | None:
    try:
        return parse_run_summary((output / RUN_SUMMARY).read_bytes())
    except (OSError, ValueError):
        return None
