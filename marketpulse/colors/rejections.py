"""How many rows a run may reject, and the error of a run that rejects more."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from marketpulse.colors.cells import LOST_DIGITS
from marketpulse.colors.spellings import DateForm
from marketpulse.errors import DataError, UsageError, command_line
from marketpulse.model import format_count

PUBLISHED_LIMIT = "10%"  # the default if a run is published
_MOST_SHOWN = 5  # reasons in a message
_INVALID_CELL = re.compile(r"(?s)(?P<column>.*?): '(?P<cell>.*)' is not (?P<expected>.*)")
_REMEDIES = {
    "an integer": "write whole numbers in {column}, or choose another column with --map",
    "a number": "write numbers as 101.7, and leave cells without a number empty",
    "a date": "write dates as 2026-03-13 or 2026-03-13 16:30:00, or name their format with "
    "--date-format",
    "a value: the formula has none": "open the workbook, calculate it and save it again",
    "a value: the cell has an error": "correct the formula of the cell, for instance a look-up "
    "that finds nothing, and save the workbook again",
    "a CUSIP: a spreadsheet has changed it": "give the column the format Text before you paste or "
    "import the CUSIPs, or export them as CSV",
    LOST_DIGITS: "the last digits were lost to a spreadsheet, which keeps only 15: export the "
    "column as text",
}


_SHOWN_FLOAT = re.compile(r"[+-]?[0-9]*\.?[0-9]*[eE]\+?[0-9]{1,3}")  # 1.77E+16


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What helps against rejections, by the columns' labels in messages.

    `ids` are the columns with MESSAGE_IDs, `date_forms` the forms that fit all cells of a column.
    """

    ids: frozenset[str] = frozenset()
    date_forms: Mapping[str, Sequence[DateForm]] = field(default_factory=dict)

    def remedy(self, column: str, cause: str) -> str:
        """What to do about cells of a column that are not what they should be."""
        forms = self.date_forms.get(column, ()) if cause == "a date" else ()
        if forms:
            # One option is enough for columns of the same form.
            several = len({tuple(forms) for forms in self.date_forms.values()}) > 1
            prefix = f"{column}=" if several else ""
            options = [f"--date-format {command_line([f'{prefix}{form}'])}" for form in forms]
            if len(options) == 1:
                return f"use {options[0]}"
            return f"use {' or '.join(options)}: all cells fit both, so check which one is right"
        remedy = _REMEDIES.get(cause.removesuffix(" or a float column"), "correct its cells")
        remedy = remedy.format(column=column)
        if column in self.ids and cause.startswith(LOST_DIGITS):
            return f"{remedy}, or use the digits that are left with --accept-rounded-ids"
        return remedy


@dataclass(frozen=True)
class RejectionLimit:
    """The value of `--max-rejected`: a number of rows, or a share of the rows that are read."""

    text: str
    rows: int | None = None
    share: Fraction = Fraction(1)

    def is_exceeded(self, rejected: int, read: int) -> bool:
        """Whether so many rejected rows are more than the limit."""
        return rejected > (self.share * read if self.rows is None else self.rows)


def parse_rejection_limit(limit: int | str | None) -> RejectionLimit | None:
    """The limit that `50` or `5%` means; None is no limit. Raises `UsageError`."""
    if limit is None:
        return None
    text = str(limit).strip()
    if re.fullmatch("[0-9]{1,18}", text):
        return RejectionLimit(text, rows=int(text))
    percent = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,9})?) ?%", text)
    if percent and (share := Fraction(percent[1]) / 100) <= 1:
        return RejectionLimit(text, share=share)
    raise UsageError(
        f"--max-rejected: {text!r} is neither a number of rows nor a percentage",
        hint="for instance --max-rejected 50 or --max-rejected 5%",
    )


class Causes:
    """How many rows are rejected for each cause, and an example of each."""

    def __init__(self, advice: Advice) -> None:
        self._advice = advice
        self._counts: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], str] = {}

    def add(self, reasons: Iterable[str]) -> None:
        """Count the reasons of rejected rows."""
        for reason in reasons:
            cause, example = _cause(reason, self._advice)
            self._counts[cause] += 1
            self._examples.setdefault(cause, example)

    def merge(self, later: Causes) -> None:
        """Add the causes of later rows."""
        self._counts.update(later._counts)
        self._examples = later._examples | self._examples

    def error(self, read: int, limit: RejectionLimit | None, advice: Advice) -> DataError | None:
        """The error of a run with these rejected rows; None if there are not too many.

        All rows rejected is always too many, because an empty result must not replace a good one.
        """
        rejected, commonest = self._counts.total(), self._counts.most_common(_MOST_SHOWN)
        shown = "; ".join(f"{self._examples[cause]} ({count})" for cause, count in commonest)
        remedies = "; ".join(dict.fromkeys(_remedy(*cause, advice) for cause, _ in commonest))
        if read and rejected == read:
            subject = "the only row cannot" if read == 1 else f"none of the {read} rows can"
            return DataError(f"{subject} be used: {shown}", hint=remedies, check="MP-DAT-020")
        if limit and limit.is_exceeded(rejected, read):
            return DataError(
                f"{rejected} of {format_count(read, 'row')} cannot be used, more than "
                f"--max-rejected {limit.text}: {shown}",
                hint=f"{remedies}; or allow more rejected rows with --max-rejected",
                check="MP-DAT-017",
            )
        return None


def rejection_error(
    reasons: Iterable[str], read: int, limit: RejectionLimit | None, advice: Advice
) -> DataError | None:
    """The error of a run with these rejected rows; see `Causes.error`."""
    causes = Causes(advice)
    causes.add(reasons)
    return causes.error(read, limit, advice)


def rejection_hints(reasons: Iterable[str], advice: Advice) -> tuple[str, ...]:
    """The remedies for cells that an option would permit."""
    causes = dict.fromkeys(_cause(reason, advice)[0] for reason in reasons)
    return tuple(
        dict.fromkeys(
            _remedy(column, cause, advice)
            for column, cause in causes
            if column and (cause == "a date" or cause.startswith(LOST_DIGITS))
        )
    )


def _cause(reason: str, advice: Advice) -> tuple[tuple[str, str], str]:
    """The column and what its cells are not, or the reason itself, and the reason as shown.

    Reasons with the same cause count together.
    """
    match = _INVALID_CELL.fullmatch(reason)
    if not match:
        return ("", reason), reason
    column, cell, expected = match["column"], match["cell"], match["expected"]
    if column in advice.ids and expected == "an integer" and _SHOWN_FLOAT.fullmatch(cell):
        expected = LOST_DIGITS
    return (column, expected), f"{column}: '{cell}' is not {expected}"


def _remedy(column: str, cause: str, advice: Advice) -> str:
    if column:
        return f"{column}: {advice.remedy(column, cause)}"
    if cause.endswith(": missing"):
        name = cause.removesuffix(": missing")
        return f"{name}: fill it in, or choose another column with --map {name}=COLUMN"
    return "malformed lines: put quotes around fields with a comma or a line break"
