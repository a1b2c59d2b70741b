"""How many rows a run may reject, and what a refused run says: the reasons, a remedy for each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from marketpulse.errors import DataError, UsageError

WHERE_PUBLISHED = "10%"  # of a run that is published, unless somebody says otherwise
_SHOWN = 5  # reasons in a message
_NO_VALUE = re.compile(r"(?s)(?P<column>.*?): '(?P<cell>.*)' is not (?P<what>.*)")
_REMEDIES = {
    "an integer": "export {column} as text, in digits alone: a spreadsheet or a float keeps "
    "only 15 of them",
    "a number": "write numbers as 101.7, and leave cells without a number empty",
    "a date": "write dates as 2026-03-13 or 2026-03-13 16:30:00",
    "a value: the formula has none": "open the workbook, calculate it and save it again",
}


@dataclass(frozen=True)
class MostRejected:
    """A limit, as `--max-rejected` has it: a number of rows, or a share of the rows read."""

    words: str
    rows: int | None = None
    share: Fraction = Fraction(1)

    def exceeded(self, rejected: int, read: int) -> bool:
        """Whether so many rows of those are more than the limit."""
        return rejected > (self.share * read if self.rows is None else self.rows)


def most_rejected(limit: int | str | None) -> MostRejected | None:
    """The limit that is meant: 50, or 5%. Raises `UsageError` for anything else."""
    if limit is None:
        return None
    words = str(limit).strip()
    if re.fullmatch("[0-9]{1,18}", words):
        return MostRejected(words, rows=int(words))
    percent = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,9})?) ?%", words)
    if percent and (share := Fraction(percent[1]) / 100) <= 1:
        return MostRejected(words, share=share)
    raise UsageError(
        f"--max-rejected: {words!r} is neither a number of rows nor a share of them",
        hint="for instance --max-rejected 50, or --max-rejected 5%",
    )


def refused(reasons: Iterable[str], read: int, most: MostRejected | None) -> DataError | None:
    """Why a run with these rejected rows fails; None where it does not."""
    rows: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], str] = {}
    for reason in reasons:
        fault = _fault_of(reason)
        rows[fault] += 1
        examples.setdefault(fault, reason)
    rejected, commonest = rows.total(), rows.most_common(_SHOWN)
    listed = "; ".join(f"{examples[fault]} ({count})" for fault, count in commonest)
    remedies = "; ".join(dict.fromkeys(_remedy(*fault) for fault, _ in commonest))
    if read and rejected == read:
        which = "the only row" if read == 1 else f"none of the {read} rows"
        cannot = "cannot" if read == 1 else "can"
        return DataError(f"{which} {cannot} be used: {listed}", hint=remedies, check="MP-DAT-020")
    if most and most.exceeded(rejected, read):
        return DataError(
            f"{rejected} of {read} rows cannot be used, more than --max-rejected {most.words}: "
            f"{listed}",
            hint=f"{remedies}; or allow more rejected rows with --max-rejected",
            check="MP-DAT-017",
        )
    return None


def _fault_of(reason: str) -> tuple[str, str]:
    """The column and what its cell is not: the same for all cells of one fault."""
    if found := _NO_VALUE.fullmatch(reason):
        return found["column"], found["what"]
    return "", reason


def _remedy(column: str, fault: str) -> str:
    if column:
        words = _REMEDIES.get(fault, "correct its cells")
        return f"{column}: {words.format(column=column)}"
    if fault.endswith(": missing"):
        name = fault.removesuffix(": missing")
        return f"{name}: fill it in, or name another column with --map {name}=COLUMN"
    return "lines: put quotes around a field that holds a comma or a line break"
