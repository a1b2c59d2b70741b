"""The folder of a run, read again: its summary, its tables, and how they were ranked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path

from marketpulse.artifacts import EXCLUDED, PROCESSED, RUN_SUMMARY, RunSummary, parse_run_summary
from marketpulse.atomic import FileRecord
from marketpulse.colors.options import RunOptions
from marketpulse.colors.prepare import PreparedRun, prepare
from marketpulse.colors.tally import Counts
from marketpulse.errors import DataError, NotFoundError, UsageError
from marketpulse.sources import open_source

_FORMATS = ("parquet", "csv", "ndjson", "json", "xlsx")  # the fastest to read first


def read_summary(folder: Path) -> RunSummary:
    """Read the summary of a run. Raises `DataError` if it is not one."""
    try:
        return parse_run_summary((folder / RUN_SUMMARY).read_bytes())
    except ValueError as error:
        raise _damage_error(folder, f"it is not the summary of a run: {error}") from error


def check_counts(folder: Path, summary: RunSummary) -> None:
    """Raise `DataError` if the summary has not the counts of a run: it is no longer as written."""
    needed = {field.name for field in fields(Counts)}
    for key in ("rows", "excluded_by_rule", "rejected_by_reason"):
        counts = summary.content.get(key)
        names = set(counts) if isinstance(counts, dict) else set()
        are_whole = isinstance(counts, dict) and {type(count) for count in counts.values()} <= {int}
        if not are_whole or (key == "rows" and names != needed):
            raise _damage_error(folder, f"{key!r} are not the counts of a run")


def find_record(summary: RunSummary, table: str) -> FileRecord | None:
    """Return the file with a table of the run alone, in the format that is read fastest.

    There may be none: a workbook has all tables, Spark writes several files, and JSON without rows
    has no columns.
    """
    names = {record.name: record for record in summary.files}
    unfit = set() if f"{EXCLUDED}.xlsx" in names else {"xlsx"}
    if summary.empty and table == PROCESSED:
        unfit |= {"ndjson", "json"}
    found = (names.get(f"{table}.{suffix}") for suffix in _FORMATS if suffix not in unfit)
    return next(filter(None, found), None)


def find_file(folder: Path, summary: RunSummary, table: str) -> Path:
    """Return the path of the file with a table of the run.

    Raises `NotFoundError` if there is none, see `find_record`, `DataError` if it has changed.
    """
    record = find_record(summary, table)
    if record is None:
        raise NotFoundError(
            f"{folder}: the run has no file with the columns of {table} alone",
            hint="rank the colors again with csv among the --formats, without --engine spark",
        )
    path = folder / record.name
    if not path.is_file() or path.stat().st_size != record.bytes:
        raise _damage_error(folder, "it is missing, or not as the run wrote it", record.name)
    return path


@contextmanager
def prepare_again(folder: Path, summary: RunSummary) -> Iterator[PreparedRun]:
    """Prepare to rank the processed colors of a run as the run did.

    Raises what `find_file` raises, and `DataError` if the options in the summary are damaged.
    """
    with ExitStack() as stack:
        source = stack.enter_context(open_source(str(find_file(folder, summary, PROCESSED))))
        try:
            prepared = stack.enter_context(prepare(source, options_again(summary)))
        except (UsageError, DataError) as error:
            option, _, reason = error.message.partition(": ")
            if not option.startswith("--"):
                raise
            # Nobody has given options here, so the message is about those of the summary.
            raise _damage_error(folder, f"it does not say how the run ranked: {reason}") from error
        yield prepared


def options_again(summary: RunSummary) -> RunOptions:
    """Return the options that rank the processed colors of a run as the run did."""
    return RunOptions(
        again=True,
        hierarchy=_texts(summary, "hierarchy"),
        mapping=summary.mapping,
        types=_pairs(summary, "types"),
        date_formats=_pairs(summary, "date_formats"),
        accept_rounded_ids=True,  # the run has accepted them
    )


def rule_titles(summary: RunSummary) -> dict[str, str]:
    """Return what pages call the rules, `id name`, by id. Summaries of old runs have no names."""
    return {rule: f"{rule} {name}" for rule, name in _pairs(summary, "rule_names").items()}


def _damage_error(folder: Path, reason: str, name: str = RUN_SUMMARY) -> DataError:
    return DataError(f"{folder / name}: {reason}", hint="rank the colors again", check="MP-DAT-019")


def _texts(summary: RunSummary, key: str) -> list[str]:
    value = summary.content.get(key)
    return [str(text) for text in value] if isinstance(value, list) else []


def _pairs(summary: RunSummary, key: str) -> dict[str, str]:
    value = summary.content.get(key)
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, dict) else {}
