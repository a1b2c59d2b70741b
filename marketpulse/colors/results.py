"""The result of a run, and what every way to run has in common: RUN_ID, summary, file names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa

from marketpulse.artifacts import (
    EXCLUDED,
    MANIFEST,
    PROCESSED,
    REJECTED,
    RUN_SUMMARY,
    is_run_file,
    parse_run_summary,
)
from marketpulse.atomic import FileRecord, Seal
from marketpulse.colors.columns import Columns, InputColumn, Kind
from marketpulse.colors.engine import InputProfile
from marketpulse.colors.options import RunOptions
from marketpulse.colors.prepare import RunPlan
from marketpulse.colors.rejections import Advice, rejection_hints
from marketpulse.colors.tally import Counts, Tally
from marketpulse.errors import OutputError
from marketpulse.formats import FORMATS, XlsxOptions
from marketpulse.model import FileNotes, format_count
from marketpulse.version import __version__


@dataclass(frozen=True, kw_only=True)
class ColorsRun:
    """The result of a run. It has the three tables unless there is an output folder.

    `hints` are the options that would help against rejections, and `date_formats` the permitted
    formats that were needed, by column.
    `warnings` counts what is doubtful in the rows that were kept; `remarks` are sentences about
    the files. `fingerprint` stands for the input and the options of a day, see `history`.
    """

    run_id: str
    processed_at: datetime
    processing_type: str
    input: str
    where: str | None
    hierarchy: tuple[str, ...]
    mapping: dict[str, str]
    types: dict[str, str]
    rules: str
    rule_names: dict[str, str]  # of the active rules, by their ids
    counts: Counts
    excluded_by_rule: dict[str, int]
    rejected_by_reason: dict[str, int]
    warnings: dict[str, int]
    rule_warnings: tuple[str, ...]
    remarks: tuple[str, ...]
    hints: tuple[str, ...]
    date_formats: dict[str, str]
    fingerprint: str | None = None
    output: Path | None
    files: tuple[FileRecord, ...]
    processed: pa.Table | None = field(repr=False)
    excluded: pa.Table | None = field(repr=False)
    rejected: pa.Table | None = field(repr=False)

    @property
    def unpublished(self) -> str | None:
        """Why the run must not be published; None if it may be."""
        # A day that is empty so far, or that the rules take whole, is no failure. Yet readers of
        # `latest.json` keep the last set that has colors.
        if self.counts.parents:
            return None
        return "no color is left, and an empty set never replaces a good one"

    def summary(self) -> dict[str, object]:
        """The run as `run_summary.json` and `--format json` show it."""
        fingerprint = {"fingerprint": self.fingerprint} if self.fingerprint else {}
        return {
            "run_id": self.run_id,
            "processed_at": self.processed_at.isoformat().replace("+00:00", "Z"),
            "processing_type": self.processing_type,
            "marketpulse": __version__,
            "input": self.input,
            "where": self.where,
            "hierarchy": list(self.hierarchy),
            "mapping": self.mapping,
            "types": self.types,
            "date_formats": self.date_formats,
            "rules": self.rules,
            "rule_names": self.rule_names,
            "rows": asdict(self.counts),
            "excluded_by_rule": self.excluded_by_rule,
            "rejected_by_reason": self.rejected_by_reason,
            "warnings": self.warnings,
            "rule_warnings": list(self.rule_warnings),
            **fingerprint,
            "files": [asdict(file) for file in self.files],
        }


def run_id(profile: InputProfile, plan: RunPlan, permitted: Iterable[InputColumn]) -> str:
    """A hash of the rows in any order, the columns, the rules and the hierarchy.

    `permitted` are the columns with cells that are read only because an option permits it.
    """
    rules = [
        [
            rule.rule.id,
            *(
                [
                    condition.written.connector,
                    condition.column.label,
                    condition.written.operator.value,
                    *map(repr, condition.operands),
                ]
                for condition in rule.conditions
            ),
        ]
        for rule in plan.rules
    ]
    columns = [
        [column.name, column.role, *([column.kind] if column.declared else [])]
        for column in plan.columns.all
    ]
    # The time and the type of a run are not part of it: the same rows again are the same run.
    parts: list[object] = [profile.digest, columns, rules, plan.hierarchy]
    # The same cells are other values with another format of dates. An option that changes no
    # cell does not count.
    if spellings := [[column.name, column.translation or "rounded"] for column in permitted]:
        parts.append(spellings)
    identity = json.dumps(parts)
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def run_constants(
    run_id: str, processed_at: datetime, processing_type: str
) -> list[tuple[pa.Field, pa.Scalar]]:
    """The columns of the processed colors that have one value in all rows."""
    timestamp = pa.field("PROCESSED_AT", pa.timestamp("us", "UTC"))
    return [
        (pa.field("RUN_ID", pa.string()), pa.scalar(run_id)),
        (timestamp, pa.scalar(processed_at, timestamp.type)),
        (pa.field("PROCESSING_TYPE", pa.string()), pa.scalar(processing_type)),
    ]


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a run knows of its input: from the engine, or from all engines of a cluster.

    `warnings` counts doubtful rows, `permitted` the cells that are read only because an option
    permits it, by column in the input's order.
    """

    input: str
    where: str | None
    plan: RunPlan
    profile: InputProfile
    permitted: Mapping[InputColumn, int]
    notes: FileNotes
    advice: Advice

    @property
    def run_id(self) -> str:
        """See the function `run_id`."""
        return run_id(self.profile, self.plan, self.permitted)

    def result(
        self,
        tally: Tally,
        warnings: Mapping[str, int],
        options: RunOptions,
        processed_at: datetime,
        *,
        output: Path | None = None,
        files: tuple[FileRecord, ...] = (),
        tables: Mapping[str, pa.Table] = MappingProxyType({}),
    ) -> ColorsRun:
        """The result of the run. Raises `DataError` if the rows do not balance."""
        plan = self.plan
        return ColorsRun(
            run_id=self.run_id,
            processed_at=processed_at,
            processing_type=options.processing_type,
            input=self.input,
            where=self.where,
            hierarchy=plan.hierarchy,
            mapping=plan.mapping,
            types=plan.types,
            rules=plan.book.name,
            rule_names={bound.rule.id: bound.rule.name for bound in plan.rules},
            counts=tally.counts(self.profile.rows),
            excluded_by_rule=tally.excluded,
            rejected_by_reason=dict(tally.rejected.most_common()),
            warnings={**warnings, **self.notes.counts()},
            rule_warnings=tuple(map(str, plan.warnings)),
            remarks=(*self.notes.remarks(), *self._permission_remarks()),
            hints=rejection_hints(tally.rejected, self.advice),
            date_formats={
                column.label: str(column.date_form) for column in self.permitted if column.date_form
            },
            output=output,
            files=files,
            processed=tables.get(PROCESSED),
            excluded=tables.get(EXCLUDED),
            rejected=tables.get(REJECTED),
        )

    def _permission_remarks(self) -> Iterator[str]:
        """What was read only because an option permits it."""
        for column, count in self.permitted.items():
            cells = format_count(count, "cell is", "cells are")
            if column.date_form:
                yield f"{column.label}: {cells} read as dates of the format {column.date_form}"
            else:
                yield f"{column.label}: {cells} rounded by a spreadsheet; the digits left are used"


def refuse_input_folder(files: Iterable[Path], folder: Path) -> None:
    """Raise `OutputError` if the results would replace one of these files, or spoil a bundle."""
    if (folder / MANIFEST).is_file():
        raise OutputError(
            f"{folder}: this folder holds a bundle, and `marketpulse verify` would reject it with "
            "more files",
            hint="choose another folder with --output",
        )
    for path in files:
        if _is_run_file(path.name) and path.resolve().parent == folder.resolve():
            raise OutputError(
                f"{path}: the results would replace an input of the run",
                hint="choose another folder with --output",
            )


def _is_run_file(name: str) -> bool:
    """Whether a run writes a file of this name."""
    return is_run_file(name, FORMATS)


def _listed_files(summary: str) -> list[str]:
    """Return the files of a run. Raises `ValueError` if this is not the summary of one."""
    names = [file.name for file in parse_run_summary(summary).files]
    if not all(map(_is_run_file, names)):
        raise ValueError("it lists files that no run writes")
    return names


RUN_SEAL = Seal(name=RUN_SUMMARY, is_member=_is_run_file, list_files=_listed_files)


def workbook_options(columns: Columns, title: str) -> XlsxOptions:
    """How XLSX is written. Integers stay text, because they may be identifiers."""
    return XlsxOptions(
        number_columns=frozenset(
            column.name
            for column in columns.all
            if column.kind is Kind.NUMBER and not pa.types.is_integer(column.field.type)
        ),
        date_columns=frozenset(column.name for column in columns.all if column.kind is Kind.DATE),
        title=title,
    )
