"""What a cell means: valid or not, missing or not, and the value that ranking and rules compare.

This module holds the contract's table of cells as SQL. Most columns hold plain cells alone, and a
cast gives their values. The first query over the input finds out how each column has to be read:

    PLAIN   a cast reads every cell                             101.7, 98.50, 1e2, 2026-03-13T10:30Z
    SHORT   a cast reads every cell, but not as it stands       " 101.7", NaN, +02:00
    EXACT   a cast would lose digits of a cell                  40 digits, 1e400, nanoseconds

A DOUBLE keeps 15 digits, and those that a program writes to give it back. So two such numbers are
equal, or less, just when their DOUBLEs are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

import pyarrow as pa

from marketpulse.colors.columns import NEVER_MISSING, InputColumn, Kind
from marketpulse.formats.encode import LogicalType, cell_types, is_text

BLANKS = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
    "\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
INTEGER = r"[+-]?[0-9]+(\.0*)?"
NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,18})?"
DATE = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?"
    r"(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?)?"
)
# From here on a float may be rounded from another whole number: a double, and a float of 32 bits.
_FIRST_ROUNDED, _FIRST_ROUNDED_32 = 2**53, 2**24


MACROS = (
    # trim() with a list of characters is slow. Most cells begin and end with a visible character
    # of ASCII, so there is nothing to trim.
    "_visible(mark) AS mark >= '!' AND mark <= '~'",
    # Without a list it removes the space and its relatives, which is mostly enough.
    "_is_trimmed(t) AS _visible(t) AND _visible(right(t, 1))",
    f"""trimmed(t) AS CASE WHEN _is_trimmed(t) THEN t WHEN _is_trimmed(trim(t)) THEN trim(t)
        ELSE trim(t, '{BLANKS}') END""",
    "is_blank(t) AS CASE WHEN _visible(t) THEN false ELSE trimmed(t) = '' END",
    f"is_integer(t) AS regexp_full_match(t, '{INTEGER}')",
    f"is_number(t) AS regexp_full_match(t, '{NUMBER}')",
    f"""is_date(t) AS regexp_full_match(t, '{DATE}') AND NOT starts_with(t, '0000')
        AND TRY_CAST(left(t, 10) AS DATE) IS NOT NULL""",
    "is_nan(t) AS lower(t) = 'nan'",
    # The cells that a cast reads exactly: 18 digits fit into a BIGINT. 15 fit into a DOUBLE, and so
    # does what a DOUBLE itself is written as.
    r"is_short_integer(t) AS regexp_full_match(t, '[+-]?[0-9]{1,18}(\.0*)?')",
    r"""is_short_number(t) AS strlen(split_part(lower(t), 'e', 1)) <= 16
        AND regexp_full_match(t, '[+-]?([0-9]{1,15}(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?')
        OR TRY_CAST(t AS DOUBLE)::VARCHAR = t AND isfinite(TRY_CAST(t AS DOUBLE))""",
    r"is_short_date(t) AS is_date(t) AND NOT regexp_matches(t, '[.][0-9]{7}')",
    "short_integer(t) AS TRY_CAST(t AS BIGINT)",
    "short_number(t) AS CASE WHEN NOT is_nan(t) THEN TRY_CAST(t AS DOUBLE) END",
    "short_date(t) AS make_timestamp(epoch_us(TRY_CAST(t AS TIMESTAMPTZ)))",
    # A cast to TIMESTAMP overlooks offsets.
    "is_plain_date(t) AS is_short_date(t) AND regexp_full_match(t, '.{10}([^+-]*)')",
    # Any number, exactly: the DOUBLE of its first 15 digits, then those after them as text. Rows
    # compare from left to right. Most numbers have no more digits; their text is a point. Below
    # zero the digits are inverted and sort before the point, because -2.5001 is below -2.5.
    # Text that is no number has any key: a cell of it rejects its row.
    """_tail(sign, digits) AS CASE WHEN sign = '-' AND digits <> ''
        THEN '-' || translate(digits, '0123456789', '9876543210') || '~'
        ELSE '.' || digits END""",
    # The number is 0.DIGITS times ten to the power of its magnitude. Where a DOUBLE ends, it is
    # infinity or zero, and the text begins with the magnitude.
    # The lambdas evaluate each part once; a macro would repeat the regular expression at each use.
    # No relation has a column of their parameters' names: it would be the one that is meant.
    r"""_long_number_key(t) AS list_transform(list_transform([regexp_extract(
            t, '^([+-]?)([0-9]*)\.?([0-9]*)(?:[eE]([+-]?[0-9]{1,18}))?$',
            ['sign', 'whole', 'rest', 'e'])],
        lambda p: {'sign': p.sign, 'is_number': p.whole || p.rest <> '',
            'digits': trim(p.whole || p.rest, '0'),
            'magnitude': length(ltrim(p.whole || p.rest, '0')) - length(p.rest)
                + coalesce(TRY_CAST(p.e AS BIGINT), 0)}),
        lambda d: CASE WHEN d.is_number THEN row(
            CAST(d.sign || CASE WHEN d.digits = '' OR d.magnitude < -300 THEN '0'
                WHEN d.magnitude > 300 THEN 'inf'
                ELSE '0.' || left(d.digits, 15) || 'e' || d.magnitude END AS DOUBLE),
            _tail(d.sign, CASE WHEN d.digits <> '' AND abs(d.magnitude) > 300
                THEN d.magnitude + 2000000000000000000 || d.digits
                ELSE substr(d.digits, 16) END)) END)[1]""",
    """number_key(t) AS CASE
        WHEN contains(t, 'e') OR contains(t, 'E') THEN _long_number_key(t)
        WHEN strlen(t) <= 15 THEN
            CASE WHEN isfinite(TRY_CAST(t AS DOUBLE)) THEN row(TRY_CAST(t AS DOUBLE), '.') END
        WHEN t >= '1' AND t < ':' AND contains(left(t, 16), '.') THEN row(
            TRY_CAST(left(t, 16) AS DOUBLE),
            '.' || CASE WHEN ends_with(t, '0') THEN rtrim(substr(t, 17), '0')
                ELSE substr(t, 17) END)
        ELSE _long_number_key(t) END""",
    # Any time, exactly: seconds since 1970 in UTC, and the digits of the fraction.
    """date_key(t) AS CASE WHEN is_date(t) THEN row(
        CAST(epoch(date_trunc('second', short_date(t))) AS BIGINT),
        rtrim(regexp_extract(t, '[.]([0-9]+)', 1), '0')) END""",
)


LOST_DIGITS = "exact: its last digits were lost to a spreadsheet"
ARTICLES = {
    Kind.INTEGER: "an integer",
    Kind.NUMBER: "a number",
    Kind.DATE: "a date",
    Kind.TEXT: "text",
}
# What a spreadsheet, or a program, may have made of a CUSIP.
_NEVER_CUSIP = (
    LogicalType.DATE,
    LogicalType.CLOCK,
    LogicalType.BOOLEAN,
    LogicalType.SCIENTIFIC,
    LogicalType.JSON,
)


class Precision(IntEnum):
    """How the values of a column are taken; each level costs more than the one before."""

    PLAIN = 0  # a cast reads every cell
    SHORT = 1  # a cast reads every cell without its blanks; NaN is null, an offset counts
    EXACT = 2  # more digits than a cast keeps


@dataclass(frozen=True)
class Cell:
    """SQL about the cells of one column, in a relation with the columns c0, c1, ..."""

    column: InputColumn
    precision: Precision = Precision.EXACT
    spelled_once: bool = False  # whether no two PLAIN cells are equal and spelled differently
    trimmed: str = ""  # the column that has the trimmed text, if the relation has one

    @property
    def raw(self) -> str:
        """The cell as it arrived."""
        return f"c{self.column.place}"

    @property
    def text(self) -> str:
        """The cell's text; DuckDB's text of a typed value."""
        if self.column.logical_type is LogicalType.MIXED:
            return f"substr({self.raw}, 2)"
        return self.raw if is_text(self.column.field.type) else f"CAST({self.raw} AS VARCHAR)"

    @property
    def _trimmed(self) -> str:
        return self.trimmed or f"trimmed({self.text})"

    @property
    def _is_blank(self) -> str:
        return f"({self.trimmed} = '')" if self.trimmed else f"is_blank({self.text})"

    @property
    def _read_text(self) -> str:
        """The trimmed text as it is read: with a spelling translated that an option permits."""
        text, translation = self._trimmed, self.column.translation
        return f"coalesce({translation}({text}), {text})" if translation else text

    @property
    def permitted(self) -> str | None:
        """Whether the cell is read only because an option permits it; None if it never is."""
        column, translated = self.column, None
        if column.translation:
            translated = f"{column.translation}({self._trimmed}) IS NOT NULL"
        return _any(translated, self._inexact if column.rounded_ids else None)

    @property
    def needed(self) -> str | None:
        """The precision that a cell needs, as a number; None if PLAIN does for every cell."""
        kind, text, read = self.column.kind, self.text, self._read_text
        if not self.column.logical_type:
            if not pa.types.is_floating(self.column.field.type):
                return None
            # NaN and -0.0 have equals of another spelling.
            spelled = f"isnan({self.raw}) OR ({self.raw} = 0 AND signbit({self.raw}))"
            return f"CASE WHEN {spelled} THEN 1 ELSE 0 END"
        if self.column.role == "CUSIP":
            return f"CASE WHEN {text} <> upper({self._trimmed}) THEN 1 ELSE 0 END"
        if kind is Kind.TEXT:
            blank = _any(self._is_blank, self._is_a(LogicalType.ERROR))
            return f"CASE WHEN {blank} THEN 1 ELSE 0 END"
        plain = f"is_{'plain' if kind is Kind.DATE else 'short'}_{kind}({text})"
        if self.column.translation:
            plain = "false"
        short = f"is_short_{kind}({read}) OR {self._is_blank} OR is_nan({read})"
        # A checked cell that is no value rejects its row. Elsewhere it has to become null.
        valid = f"is_{kind}({read})" if self.column.is_checked else "true"
        return f"CASE WHEN {plain} THEN 0 WHEN {short} THEN 1 WHEN {valid} THEN 2 ELSE 0 END"

    @property
    def missing(self) -> str:
        """Whether the cell holds no value."""
        if pa.types.is_floating(self.column.field.type):
            return f"({self.raw} IS NULL OR isnan({self.raw}))"
        if not self.column.logical_type:
            return f"{self.raw} IS NULL"
        return f"({self.raw} IS NULL OR {self._is_blank})"

    @property
    def fault(self) -> str | None:
        """Whether the cell is present but not a value of its kind; None if it always is."""
        return _any(*(condition for condition, _ in self._faults))

    @property
    def reason(self) -> str | None:
        """The text of REASON, null for a valid cell; None if every cell is valid."""
        name = literal(self.column.label)
        whens = []
        if self.column.role in NEVER_MISSING:
            whens.append(f"WHEN {self.missing} THEN {name} || ': missing'")
        for condition, expected in self._faults:
            text = f"{name} || ': ''' || {self._shown} || ''' is not {expected}'"
            whens.append(f"WHEN {condition} THEN {text}")
        return f"CASE {' '.join(whens)} END" if whens else None

    @property
    def _faults(self) -> list[tuple[str, str]]:
        """The conditions of invalid cells, each with the words for what such a cell is not."""
        column, kind = self.column, self.column.kind
        pairs = [(self._changed_cusip, "a CUSIP: a spreadsheet has changed it")]
        if not column.logical_type:
            if kind is Kind.INTEGER and not column.rounded_ids:
                pairs.append((self._inexact, f"{LOST_DIGITS} or a float column"))
            pairs.append((self._typed_fault, ARTICLES[kind]))
        elif kind is Kind.TEXT or not column.is_checked:
            pairs.append((self._is_a(LogicalType.UNEVALUATED), "a value: the formula has none"))
            if column.is_checked:
                pairs.append((self._is_a(LogicalType.ERROR), "a value: the cell has an error"))
        else:
            if kind is Kind.INTEGER and not column.rounded_ids:
                pairs.append((self._inexact, LOST_DIGITS))
            pairs.append((self._text_fault, ARTICLES[kind]))
        return [(condition, expected) for condition, expected in pairs if condition]

    @property
    def _text_fault(self) -> str:
        """Whether the text is not a value of the column's kind, which is not text."""
        text, kind = self._read_text, self.column.kind
        valid = f"is_{kind}({text})"
        if kind is Kind.NUMBER:
            valid = f"({valid} OR is_nan({text}))"
        invalid = f"(NOT {self.missing} AND NOT {valid})"
        valueless = self._is_a(LogicalType.UNEVALUATED, LogicalType.ERROR)
        return f"({invalid} OR {valueless})" if valueless else invalid

    @property
    def _inexact(self) -> str | None:
        """Whether the cell is a float that may have lost digits; None if it cannot be."""
        if pa.types.is_floating(self.column.field.type):
            return f"(abs({self.raw}) >= {self._first_rounded} AND isfinite({self.raw}))"
        if is_float := self._is_a(LogicalType.FLOAT, LogicalType.SCIENTIFIC):
            number = f"TRY_CAST({self._trimmed} AS DOUBLE)"
            return f"({is_float} AND abs({number}) >= {_FIRST_ROUNDED})"
        return None

    @property
    def _changed_cusip(self) -> str | None:
        """Whether a CUSIP has become something else, a date for instance; None if it cannot.

        A whole number is left: it has the CUSIP's digits.
        """
        types, data_type, raw = pa.types, self.column.field.type, self.raw
        if self.column.role != "CUSIP":
            return None
        if self.column.logical_type:
            is_number = self._is_a(LogicalType.NUMBER, LogicalType.FLOAT)
            is_whole = f"regexp_full_match({self.text}, '[0-9]+([.]0*)?')"
            fraction = f"({is_number} AND NOT {is_whole})" if is_number else None
            return _any(self._is_a(*_NEVER_CUSIP), fraction, self._inexact)
        if types.is_integer(data_type):
            return f"{raw} < 0"
        if types.is_decimal(data_type):
            return f"({raw} < 0 OR {raw} <> trunc({raw}))"
        if types.is_floating(data_type):
            whole = f"{raw} >= 0 AND {raw} < {self._first_rounded} AND {raw} = trunc({raw})"
            return f"(NOT isnan({raw}) AND NOT ({whole}))"
        is_other = types.is_boolean(data_type) or types.is_temporal(data_type)
        return f"{raw} IS NOT NULL" if is_other else None

    @property
    def value(self) -> str:
        """The cell's value or null, in a type that DuckDB orders as the ranking does."""
        text, kind = self.text, self.column.kind
        if self.column.role == "CUSIP":
            return self._cusip
        if not self.column.logical_type:
            return self._typed_value
        if kind is Kind.TEXT:
            blank = _any(self._is_blank, self._is_a(LogicalType.ERROR))
            by_case = f"CASE WHEN {blank} THEN NULL ELSE {text} END"
            return text if self.precision is Precision.PLAIN else by_case
        if self.precision is Precision.PLAIN:
            plain = {Kind.INTEGER: "BIGINT", Kind.NUMBER: "DOUBLE", Kind.DATE: "TIMESTAMP"}
            return f"TRY_CAST({text} AS {plain[kind]})"
        return self.key if self.precision is Precision.EXACT else f"short_{kind}({self._read_text})"

    @property
    def folded(self) -> str:
        """The text as rules compare it."""
        return f"lower(trimmed(CAST({self.value} AS VARCHAR)))"

    @property
    def key(self) -> str:
        """The exact value, without limits of size or digits."""
        if self.column.kind is Kind.DATE:
            return f"date_key({self._read_text})"
        return f"number_key({self._read_text})"

    @property
    def spellings(self) -> tuple[str, ...]:
        """What distinguishes cells of the same value; empty if each value has one spelling."""
        logical_type, is_plain = self.column.logical_type, self.precision is Precision.PLAIN
        if logical_type is LogicalType.MIXED:
            return (f"coalesce({self.text}, '')", f"coalesce({self.raw}, '')")
        if logical_type:
            if not is_plain:
                if self.column.role in NEVER_MISSING:
                    return (f"coalesce({self.text}, '')",)
                # Empty text is first, then null. The sort keeps the cell as it arrived once.
                absence = (
                    f"CASE WHEN {self.text} = '' THEN 0 WHEN {self.raw} IS NULL THEN 1 ELSE 2 END"
                )
                return (absence, self.text)
            is_text = logical_type is LogicalType.TEXT and self.column.kind is Kind.TEXT
            return () if is_text or self.spelled_once else (self.raw,)
        if pa.types.is_floating(self.column.field.type) and not is_plain:
            return (f"coalesce({self.text}, '')",)
        return ()

    def _is_a(self, *kinds: LogicalType) -> str | None:
        """Whether the cell is of one of these logical types; None if it cannot be."""
        if self.column.logical_type is LogicalType.MIXED:
            known = cell_types(self.column.field)
            tags = ", ".join(f"'{kind.tag}'" for kind in kinds if not known or kind in known)
            return f"left({self.raw}, 1) IN ({tags})" if tags else None
        return f"{self.raw} IS NOT NULL" if self.column.logical_type in kinds else None

    @property
    def _cusip(self) -> str:
        """The CUSIP: text without outer blanks and in capitals, a number as its digits."""
        types, data_type, text = pa.types, self.column.field.type, self.text
        if types.is_floating(data_type) or types.is_decimal(data_type):
            return f"CAST(TRY_CAST({self.raw} AS HUGEINT) AS VARCHAR)"
        plain = text if self.precision is Precision.PLAIN else f"upper({self._trimmed})"
        if is_number := self._is_a(LogicalType.NUMBER, LogicalType.FLOAT):
            digits = f"regexp_replace({text}, '[.]0*$', '')"
            return f"CASE WHEN {is_number} THEN {digits} ELSE {plain} END"
        return plain

    @property
    def _typed_fault(self) -> str | None:
        types, data_type, raw = pa.types, self.column.field.type, self.raw
        if self._never_fits:
            return f"{raw} IS NOT NULL"
        match self.column.kind:
            case Kind.NUMBER if types.is_floating(data_type) and self.column.is_checked:
                return f"isinf({raw})"
            case Kind.INTEGER if types.is_decimal(data_type):
                return f"{raw} <> trunc({raw})"
            case Kind.INTEGER if types.is_floating(data_type):
                return f"(NOT isnan({raw}) AND (isinf({raw}) OR {raw} <> trunc({raw})))"
            case _:
                return None

    @property
    def _first_rounded(self) -> int:
        is_short = pa.types.is_float32(self.column.field.type)
        return _FIRST_ROUNDED_32 if is_short else _FIRST_ROUNDED

    @property
    def _never_fits(self) -> bool:
        """Whether no value of the column's type is a value of its kind."""
        types, data_type = pa.types, self.column.field.type
        match self.column.kind:
            case Kind.TEXT:
                return False
            case Kind.DATE:
                return not (types.is_date(data_type) or types.is_timestamp(data_type))
            case _:
                exact = types.is_integer(data_type) or types.is_decimal(data_type)
                return not (exact or types.is_floating(data_type))

    @property
    def _typed_value(self) -> str:
        types, data_type, raw = pa.types, self.column.field.type, self.raw
        if self._never_fits:
            return f"CAST(NULL AS {'TIMESTAMP' if self.column.kind is Kind.DATE else 'BIGINT'})"
        if types.is_floating(data_type) and self.precision is not Precision.PLAIN:
            return f"CASE WHEN isnan({raw}) THEN NULL ELSE {raw} END"
        if types.is_timestamp(data_type) and data_type.tz and data_type.unit != "ns":
            return f"make_timestamp(epoch_us({raw}))"
        return raw

    @property
    def _shown(self) -> str:
        """The cell as a message shows it: as it arrived, a float without an exponent."""
        if pa.types.is_floating(self.column.field.type):
            whole = f"TRY_CAST({self.raw} AS HUGEINT)"
            return f"CASE WHEN {whole} = {self.raw} THEN {whole}::VARCHAR ELSE {self.text} END"
        return self.text


def trim_once(cells: Iterable[Cell]) -> list[Cell]:
    """The cells with a column each for the trimmed text, which `with_trimmed` adds.

    Their SQL repeats the trimmed text. To plan it each time takes longer than to run it on a day.
    """
    return [
        replace(cell, trimmed=f"t{cell.column.place}") if cell.column.logical_type else cell
        for cell in cells
    ]


def with_trimmed(rows: str, cells: Iterable[Cell], sql: str) -> str:
    """These rows, and the trimmed text of the cells where this SQL names it."""
    names = {*re.findall(r"\bt[0-9]+\b", sql)}
    texts = {cell.trimmed: f"trimmed({cell.text}) AS {cell.trimmed}" for cell in cells}
    added = [text for name, text in texts.items() if name in names]
    return f"(SELECT *, {', '.join(added)} FROM {rows})" if added else rows


def _any(*conditions: str | None) -> str | None:
    """The conditions joined by OR; None if there is none."""
    return " OR ".join(condition for condition in conditions if condition) or None


def literal(text: str) -> str:
    """Text as SQL: whatever it contains, it stays one value."""
    return "'" + text.replace("'", "''") + "'"
