"""The options of a run: one object for the command line, the function and the Python API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from marketpulse.colors.columns import HIERARCHY
from marketpulse.colors.rejections import (
    PUBLISHED_LIMIT,
    RejectionLimit,
    parse_rejection_limit,
)
from marketpulse.colors.rules import RuleBook
from marketpulse.colors.spellings import DateFormats
from marketpulse.errors import UsageError
from marketpulse.formats import parse_formats

PROCESSING_TYPES = ("AUTOMATED", "MANUAL")
# What a call from Python may confuse: "no" would permit, and a number name no column.
_SIMPLE_TYPES: dict[str, type | tuple[type, ...]] = {
    "str | None": (str, type(None)),
    "int | None": (int, type(None)),
    "str": str,
    "bool": bool,
}
Rules: TypeAlias = RuleBook | Mapping[str, object] | str | Path


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How colors are read, ranked and written. Each field is an option of `run-colors`.

    table            the table to read, if the source has several
    where            a condition in SQL: only rows for which it is true are read
    delimiter        what separates the fields of CSV: `;` or `tab` for example; None is a comma
    sheet            the sheet of a workbook; None is the only one that holds data
    header_row       the row of a sheet that names the columns; None is the first with content
    rules            exclusion rules: a path, a `RuleBook`, the document that such a file holds, or
                     a list of these, which apply in their order
    hierarchy        the order of rank, date and price
    mapping          names of the contract to columns of the input: `{"price": "MID_PRICE"}` or
                     `["price=MID_PRICE"]`
    types            the kinds of columns beyond the contract, integer, number, date or text, as
                     rules and ties compare them: `{"SPREAD": "number"}` or `["SPREAD=number"]`
    date_formats     how text spells dates, beside the contract's own form: `"M/D/YYYY"` for all
                     columns, or `{"DATE": "DD-MON-YY"}`
    accept_rounded_ids  a MESSAGE_ID that a spreadsheet has rounded counts as the digits left
    again            the input is the processed colors of a run: leave out the columns of that run
    output           the folder for the results; without it they are tables of the returned run
    formats          the formats of the results in `output`; None is csv, or csv and parquet to
                     publish
    workbook         XLSX is one workbook with a sheet each for parents, children, excluded and
                     rejected rows and the summary, not a file each
    processing_type  AUTOMATED or MANUAL
    processed_at     the time in PROCESSED_AT, ISO 8601; None is now
    max_rejected     fail if more rows are rejected: a number, or a share such as `5%`; None is no
                     limit, or 10% to publish
    memory_limit     a size such as `2GB`; beyond it the engine sorts on disk
    publish          the results are for other readers, which changes two defaults
    """

    table: str | None = None
    where: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    header_row: int | None = None
    rules: Rules | Sequence[Rules] | None = None
    hierarchy: str | Sequence[str] = HIERARCHY
    mapping: Mapping[str, str] | Sequence[str] = ()
    types: Mapping[str, str] | Sequence[str] = ()
    date_formats: DateFormats = ()
    accept_rounded_ids: bool = False
    again: bool = False
    output: str | Path | None = None
    formats: str | Sequence[str] | None = None
    workbook: bool = False
    processing_type: str = "MANUAL"
    processed_at: str | datetime | None = None
    max_rejected: int | str | None = None
    memory_limit: str | None = None
    publish: bool = False

    def __post_init__(self) -> None:
        """Raise `UsageError` for a value of another type than text, a number, or True and False."""
        for option in fields(self):
            value, types = getattr(self, option.name), _SIMPLE_TYPES.get(str(option.type))
            if types and not isinstance(value, types):
                kind = type(value).__name__
                raise UsageError(f"{option.name}: {value!r} is {kind}, expected {option.type}")

    def output_formats(self) -> tuple[str, ...]:
        """The formats to write. Raises `UsageError` for an unknown one."""
        if self.formats is not None:
            formats = parse_formats(self.formats)
            if self.workbook and "xlsx" not in formats:
                raise UsageError("--workbook needs the format xlsx", hint="add it to --formats")
            return formats
        # The function answers questions about published colors from the Parquet file.
        formats = ("csv", "parquet") if self.publish else ("csv",)
        return parse_formats((*formats, "xlsx")) if self.workbook else formats

    def check_processing_type(self) -> None:
        """Raise `UsageError` for an unknown type."""
        if self.processing_type not in PROCESSING_TYPES:
            raise UsageError(
                f"the processing type is {self.processing_type!r}, "
                f"expected {' or '.join(PROCESSING_TYPES)}"
            )

    def rejection_limit(self) -> RejectionLimit | None:
        """The limit of rejected rows. Raises `UsageError` if it is not a number or a share."""
        # An empty day must not replace a good one because a feed changed its columns.
        default = PUBLISHED_LIMIT if self.publish else None
        return parse_rejection_limit(default if self.max_rejected is None else self.max_rejected)
