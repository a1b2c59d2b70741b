"""Protects the cells of a CSV file from the changes that a spreadsheet makes when it opens one."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.errors import DataError
from marketpulse.formats.encode import is_number

LONGEST_CELL = 32_767  # characters
MOST_DIGITS = 15  # of a number; a spreadsheet replaces further digits with zeros

# Text that a spreadsheet would turn into a formula, a number, a date or a boolean.
_CONVERTED = (
    r"^(?:['=+@\t\r-]"
    r"|[0-9.,:/%()$€£¥\s]*[0-9][0-9.,:/%()$€£¥\seE+-]*$"
    r"|[0-9]{1,4}[- /.]?\pL{3,9}\b|\pL{3,9}[- /.]*[0-9]{1,4}\b"
    r"|(?i:true|false)$)"
)
_PLAIN_NEGATIVE = r"^-(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$"
_BEFORE_1900 = "^(?:0|1[0-8])"  # a spreadsheet's calendar begins in 1900
# Also what begins as a protected cell does, in whatever column: `unprotect` has to know it.
_TOO_LONG = rf"^'|[0-9](?:\.?[0-9]){{{MOST_DIGITS}}}"


def protect(text: pa.Array, field: pa.Field) -> pa.Array:
    """Put a `'` before each cell that a spreadsheet would change; `unprotect` removes it.

    Text stays text, above all identifiers and what looks like a formula. Numbers stay numbers if
    they are short enough. Raises `DataError` for text that is too long for a cell.
    """
    if (pc.max(pc.utf8_length(text)).as_py() or 0) >= LONGEST_CELL:
        raise DataError(
            f"{field.name}: a cell of a spreadsheet has room for {LONGEST_CELL:,} characters",
            hint="run it again without --profile excel",
            check="MP-DAT-010",
        )
    types = pa.types
    too_long = pc.match_substring_regex(text, _TOO_LONG)
    if types.is_date(field.type) or types.is_timestamp(field.type):
        converted = pc.match_substring_regex(text, _BEFORE_1900)
    elif types.is_temporal(field.type) or types.is_boolean(field.type):
        return text
    elif is_number(field):
        converted = too_long
    else:
        number = pc.and_not(pc.match_substring_regex(text, _PLAIN_NEGATIVE), too_long)
        converted = pc.and_not(pc.match_substring_regex(text, _CONVERTED), number)
    marked = pc.binary_join_element_wise("'", text, "")
    return pc.if_else(pc.fill_null(converted, False), marked, text)


def unprotect(text: pa.Array) -> pa.Array:
    """Return the cells as they were before `protect`."""
    return pc.replace_substring_regex(text, "^'", "")
