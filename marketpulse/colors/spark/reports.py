"""What tasks tell the driver: counts, hashes and names, never rows.

A report travels as one more row in the column REPORT. Faults of the input are reports too: Spark
would run the task again, and the fault would be the same.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from marketpulse.atomic import FileRecord
from marketpulse.colors.engine import DateCensus, InputProfile
from marketpulse.colors.rejections import Causes
from marketpulse.colors.tally import Tally
from marketpulse.errors import MarketPulseError
from marketpulse.model import FileNotes

REPORT = pa.field("__marketpulse_report", pa.binary())
SECURITY = pa.field("security", pa.string())  # the normalised CUSIP


@dataclass(frozen=True, kw_only=True)
class WrittenPart:
    """A file that an attempt of a task has written; `record` has the name that it wants."""

    path: Path
    table: str
    suffix: str
    record: FileRecord


@dataclass(frozen=True, kw_only=True)
class FaultReport:
    """A part of the input, or of the securities, that cannot be used."""

    number: int
    error: MarketPulseError


@dataclass(frozen=True, kw_only=True)
class FilesReport:
    """The columns of some files, each with its label, and notes on all of them."""

    number: int
    schemas: tuple[tuple[str, pa.Schema], ...]
    notes: FileNotes


@dataclass(frozen=True, kw_only=True)
class ArrivalReport:
    """A part of the input: its profile, its rejected and excluded rows, and the rows that go on.

    `permitted` counts cells by the place of their column, `unranked` the rows that go on.
    """

    number: int
    profile: InputProfile
    unranked: int
    unranked_hashes: int
    unranked_bytes: int
    permitted: dict[int, int]
    census: dict[str, DateCensus]
    warnings: dict[str, int]
    notes: FileNotes
    tally: Tally
    causes: Causes
    parts: tuple[WrittenPart, ...]


@dataclass(frozen=True, kw_only=True)
class RankingReport:
    """A range of securities: the rows that arrived, and the rows that were ranked."""

    number: int
    hashes: int
    warnings: dict[str, int]
    tally: Tally
    parts: tuple[WrittenPart, ...]


Report = FaultReport | FilesReport | ArrivalReport | RankingReport
_Report = TypeVar("_Report", FilesReport, ArrivalReport, RankingReport)


def report_batch(report: Report, schema: pa.Schema) -> pa.RecordBatch:
    """A batch of this schema with one row: the report, and null in all other columns."""
    content = pa.array([pickle.dumps(report)], REPORT.type)
    return pa.record_batch(
        [content if field.name == REPORT.name else pa.nulls(1, field.type) for field in schema],
        schema,
    )


def fault_batch(number: int, error: MarketPulseError, schema: pa.Schema) -> pa.RecordBatch:
    """A batch with the report of a fault."""
    return report_batch(FaultReport(number=number, error=error), schema)


def read_reports(contents: Iterable[bytes], kind: type[_Report]) -> list[_Report]:
    """The reports of all tasks in the order of their numbers. Raises the first fault."""
    reports: list[Report] = [pickle.loads(content) for content in contents]  # noqa: S301 - our own tasks wrote them
    reports.sort(key=lambda report: report.number)
    for report in reports:
        if isinstance(report, FaultReport):
            raise report.error
    return [report for report in reports if isinstance(report, kind)]
