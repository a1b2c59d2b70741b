"""What a spreadsheet would do to a text file, and how to keep it from doing so."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.errors import DataError
from marketpulse.formats.encode import is_number

LONGEST_CELL = 32_767
MOST_DIGITS = 15  # of a number; the others become zeros

# Text that would become a formula, a number, a date or a truth value.
_TEMPTING = (
    r"^(?:['=+@\t\r-]"
    r"|[0-9.,:/%()$€£¥\s]*[0-9][0-9.,:/%()$€£¥\seE+-]*$"
    r"|[0-9]{1,4}[- /.]?\pL{3,9}\b|\pL{3,9}[- /.]*[0-9]{1,4}\b"
    r"|(?i:true|false)$)"
)
_PLAIN_NEGATIVE = r"^-(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$"
_BEFORE_1900 = "^(?:0|1[0-8])"  # there a spreadsheet's calendar begins
_TOO_LONG = rf"[0-9](?:\.?[0-9]){{{MOST_DIGITS}}}"


def harmless(text: pa.Array, field: pa.Field) -> pa.Array:
    """The cells, with a `'` before those that a spreadsheet would change.

    Text stays text, above all identifiers and what looks like a formula; numbers stay numbers
    while they are short enough. `unharmed` undoes it. Raises `DataError` for a longer text than a
    cell takes.
    """
    if (pc.max(pc.utf8_length(text)).as_py() or 0) >= LONGEST_CELL:
        raise DataError(
            f"{field.name}: a cell of a spreadsheet has room for {LONGEST_CELL:,} characters",
            hint="take it without --profile excel",
            check="MP-DAT-010",
        )
    types = pa.types
    too_long = pc.match_substring_regex(text, _TOO_LONG)
    if types.is_date(field.type) or types.is_timestamp(field.type):
        tempting = pc.match_substring_regex(text, _BEFORE_1900)
    elif types.is_temporal(field.type) or types.is_boolean(field.type):
        return text
    elif is_number(field):
        tempting = too_long
    else:
        number = pc.and_not(pc.match_substring_regex(text, _PLAIN_NEGATIVE), too_long)
        tempting = pc.and_not(pc.match_substring_regex(text, _TEMPTING), number)
    marked = pc.binary_join_element_wise("'", text, "")
    return pc.if_else(pc.fill_null(tempting, False), marked, text)


def unharmed(text: pa.Array) -> pa.Array:
    """The cells as they were before `harmless`."""
    return pc.replace_substring_regex(text, "^'", "")
