"""The options of a run: one object for the command line, the function and the Python API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from marketpulse.colors.columns import HIERARCHY
from marketpulse.colors.rules import RuleBook

PROCESSING_TYPES = ("AUTOMATED", "MANUAL")


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How colors are read, ranked and written. Each field is an option of `run-colors`.

    table            the table to read, if the source has several
    where            a condition in SQL: only rows for which it is true are read
    rules            exclusion rules: a path, a `RuleBook`, or the document that such a file holds
    hierarchy        the order of rank, date and price
    mapping          names of the contract to columns of the input: `{"price": "MID_PRICE"}` or
                     `["price=MID_PRICE"]`
    output           the folder for the results; without it they are tables of the returned run
    formats          the formats of the results in `output`
    processing_type  AUTOMATED or MANUAL
    processed_at     the time in PROCESSED_AT, ISO 8601; None is now
    max_rejected     fail if more rows are rejected: a number, or a share such as `5%`
    memory_limit     a size such as `2GB`; beyond it the engine sorts on disk
    """

    table: str | None = None
    where: str | None = None
    rules: RuleBook | Mapping[str, object] | str | Path | None = None
    hierarchy: str | Sequence[str] = HIERARCHY
    mapping: Mapping[str, str] | Sequence[str] = ()
    output: str | Path | None = None
    formats: Sequence[str] = ("csv",)
    processing_type: str = "MANUAL"
    processed_at: str | datetime | None = None
    max_rejected: int | str | None = None
    memory_limit: str | None = None
