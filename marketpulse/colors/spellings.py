"""Dates and ids as spreadsheets and Oracle spell them. They are read only if an option permits it.

SQL translates such a cell to a spelling that the contract knows, and everything else reads that:

    from_us('3/13/2026 2:05 PM')        2026-03-13T14:05
    from_oracle('13-MAR-26')            2026-03-13
    from_excel('46094.5')               2026-03-13 12:00:00
    rounded_digits('1.77E+16')          17700000000000000

A translation is null if the cell is spelled otherwise. What it makes of 13/13/2026 is not a date,
and is rejected as such. The cell itself stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from marketpulse.errors import UsageError


class DateForm(StrEnum):
    """A spelling of dates that `--date-format` permits. A time may follow, of 12 or 24 hours."""

    US = "M/D/YYYY"
    EUROPEAN = "D/M/YYYY"
    ORACLE = "DD-MON-YY"
    ORACLE_LONG = "DD-MON-YYYY"
    COMPACT = "YYYYMMDD"
    EXCEL = "excel"  # days since the end of 1899; the fraction is the time

    @property
    def macro(self) -> str:
        """The SQL macro that translates a cell."""
        return f"from_{self.name.lower()}"


ROUNDED_DIGITS = "rounded_digits"  # the SQL macro for ids
DateFormats = str | Sequence[str] | Mapping[str, str]

_ALIASES = {
    "MM/DD/YYYY": DateForm.US,
    "DD/MM/YYYY": DateForm.EUROPEAN,
    "DD-MON-RR": DateForm.ORACLE,
    "DD-MON-RRRR": DateForm.ORACLE_LONG,
} | {form.value.upper(): form for form in DateForm}

_TIME = (
    r"(?:(?:T| +)([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?"
    r"(?:[ \x{a0}\x{202f}]*([AaPp])\.?[Mm]\.?)?"
    r"(?: ?(Z|[+-][0-9]{2}(?::?[0-9]{2})?))?)?$"
)
_MONTHS = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
_MONTH_NAMES = _MONTHS.replace("|", "")
_CENTURY = "CASE WHEN p.y < '50' THEN '20' ELSE '19' END"
_MONTH_NUMBER = f"CAST((strpos('{_MONTH_NAMES}', upper(p.m)) + 2) // 3 AS VARCHAR)"


def _macro(
    form: DateForm, pattern: str, names: str, *, year: str = "p.y", month: str = "p.m"
) -> str:
    # The lambda evaluates the parts once; a macro would repeat the regular expression at each use.
    # Oracle separates times by points: 13-MAR-26 02.05.09.123456 PM.
    colons = r"regexp_replace(t, '([ T][0-9]{1,2})\.([0-9]{2})\.([0-9]{2})', '\1:\2:\3')"
    cell = colons if month == _MONTH_NUMBER else "t"
    parts = ", ".join(f"'{name}'" for name in (*names, "h", "mi", "s", "f", "half", "o"))
    return f"""{form.macro}(t) AS list_transform(
        [regexp_extract({cell}, '^{pattern}{_TIME}', [{parts}])],
        lambda p: CASE WHEN p.y <> '' THEN {year} || '-' || lpad({month}, 2, '0') || '-'
            || lpad(p.d, 2, '0') || _clock(p) END)[1]"""


MACROS = (
    # Hour 13 PM becomes 99, which no time has.
    """_clock(p) AS CASE WHEN p.h = '' THEN '' ELSE 'T' || CASE
            WHEN p.half = '' THEN lpad(p.h, 2, '0')
            WHEN TRY_CAST(p.h AS INTEGER) NOT BETWEEN 1 AND 12 THEN '99'
            ELSE lpad(CAST(TRY_CAST(p.h AS INTEGER) % 12
                + CASE WHEN lower(p.half) = 'p' THEN 12 ELSE 0 END AS VARCHAR), 2, '0') END
        || ':' || p.mi || CASE WHEN p.s = '' THEN '' ELSE ':' || p.s END
        || CASE WHEN p.f = '' THEN '' ELSE '.' || p.f END || p.o END""",
    _macro(DateForm.US, "([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})", "mdy"),
    _macro(DateForm.EUROPEAN, "([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})", "dmy"),
    _macro(
        DateForm.ORACLE,
        f"([0-9]{{1,2}})-(?i:({_MONTHS}))-([0-9]{{2}})",
        "dmy",
        year=f"{_CENTURY} || p.y",
        month=_MONTH_NUMBER,
    ),
    _macro(
        DateForm.ORACLE_LONG,
        f"([0-9]{{1,2}})-(?i:({_MONTHS}))-([0-9]{{4}})",
        "dmy",
        month=_MONTH_NUMBER,
    ),
    # A float column has made 20260313.0 of the date.
    _macro(DateForm.COMPACT, r"([0-9]{4})([0-9]{2})([0-9]{2})(?:\.0*)?", "ymd"),
    """_serial(p, first) AS CAST(first + to_days(TRY_CAST(p.d AS INTEGER)) + to_milliseconds(
        CAST((TRY_CAST(rpad(left(p.f, 17), 17, '0') AS HUGEINT) * 86400000
        + 50000000000000000) // 100000000000000000 AS BIGINT)) AS VARCHAR)""",
    # Excel has a 29th of February in 1900, so the days before it count from another day. Times
    # are rounded to milliseconds, as Excel shows them. A HUGEINT holds 17 digits of the fraction.
    r"""from_excel(t) AS list_transform(
        [regexp_extract(t, '^([0-9]{1,7})(?:\.([0-9]*))?$', ['d', 'f'])],
        lambda p: CASE
            WHEN TRY_CAST(p.d AS INTEGER) BETWEEN 1 AND 59 THEN _serial(p, DATE '1899-12-31')
            WHEN TRY_CAST(p.d AS INTEGER) BETWEEN 61 AND 2958465
            THEN _serial(p, DATE '1899-12-30') END)[1]""",
    # The mantissa's digits with zeros up to the exponent; null for a number that is not whole.
    rf"""{ROUNDED_DIGITS}(t) AS list_transform(
        [regexp_extract(t, '^([+-]?)([0-9]*)\.?([0-9]*)[eE]\+?([0-9]{{1,3}})$',
            ['sign', 'whole', 'rest', 'e'])],
        lambda p: CASE WHEN p.e <> '' AND p.whole || p.rest <> ''
            AND length(rtrim(p.rest, '0')) <= TRY_CAST(p.e AS INTEGER)
            THEN p.sign || p.whole || rpad(rtrim(p.rest, '0'), TRY_CAST(p.e AS INTEGER), '0')
            END)[1]""",
)


def parse_date_forms(formats: DateFormats | None) -> dict[str | None, DateForm]:
    """The form of each column in `DATE=M/D/YYYY` and the like; None stands for all columns.

    Raises `UsageError` for an unknown form, or two of one column.
    """
    if isinstance(formats, Mapping):
        formats = [f"{column}={text}" for column, text in formats.items()]
    forms: dict[str | None, DateForm] = {}
    for pair in [formats] if isinstance(formats, str) else formats or ():
        column, equals, text = pair.rpartition("=")
        form = _ALIASES.get(text.strip().upper())
        if form is None or (equals and not column.strip()):
            raise UsageError(
                f"--date-format: {text.strip()!r} is not a format of dates",
                hint=f"the formats are {', '.join(DateForm)}, for all columns or for one: "
                "DATE=M/D/YYYY; a time after the date is read without being named",
            )
        name = column.strip() if equals else None
        if name in forms and forms[name] is not form:
            raise UsageError(
                f"--date-format: {name or 'all columns'} has two formats",
                hint="give one format for each column",
            )
        forms[name] = form
    return forms
