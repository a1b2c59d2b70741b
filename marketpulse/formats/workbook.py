"""Reads the cells of an XLSX workbook, each with what it is: a number, an error, a date, text.

    workbook part     what a cell needs of it
    shared strings    the text of a cell, which has only its number
    styles            whether a number is shown as a date, with leading zeros, with an exponent
    sheet             the value, the formula and whether the row is hidden

`python-calamine` is faster, but it cannot replace openpyxl here: an error cell and a formula
without a result are both `''` there, and it has neither number formats nor hidden rows. The same
holds for .xls, .xlsb and .ods. So those are refused: `#N/A` as a rank would pass for no rank.
"""

from __future__ import annotations

import errno
import math
import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self, cast
from warnings import catch_warnings, simplefilter
from zipfile import BadZipFile

from openpyxl.cell.text import Text
from openpyxl.formula.translate import Translator
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils.cell import coordinate_to_tuple, get_column_letter
from openpyxl.utils.datetime import from_excel, from_ISO8601
from openpyxl.xml.constants import SHARED_STRINGS
from openpyxl.xml.functions import iterparse

from marketpulse.errors import DataError
from marketpulse.formats.encode import LogicalType

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# openpyxl checks little: a damaged workbook makes it raise any of these.
_DAMAGED = (
    ArithmeticError,
    BadZipFile,
    zlib.error,
    EOFError,
    SyntaxError,  # also of XML
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
_OLD_OR_ENCRYPTED = b"\xd0\xcf\x11\xe0"  # the first bytes of .xls, and of .xlsx with a password
_FIRST_ROUNDED = 2**53  # from here on, a float cannot hold every integer
_ESCAPE = re.compile("_x(?!D[89A-F])([0-9A-F]{4})_", re.IGNORECASE)
# What is no digit in a number format: quoted text, escaped characters, blanks, colors.
_LITERALS = re.compile(r'"[^"]*"|\\.|[_*].|\[[^\]]*\]')
_ZEROS = re.compile("[#?]*(0{2,})")
_EXPONENT = re.compile("E[+-]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row of a sheet: its number there, and its cells as `Spool` takes them."""

    number: int
    cells: list[str | None]
    is_hidden: bool

    @staticmethod
    def letters(index: int) -> str:
        """Return the letters of a column: A for 0, AA for 26."""
        return get_column_letter(index + 1)


@dataclass(frozen=True)
class Sheet:
    """A sheet: its title, and the name of its part in the workbook's zip."""

    title: str
    part: str
    is_visible: bool


class Workbook:
    """An open workbook; a context manager. Raises `DataError` if it is damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._damage_is_bad_data(), catch_warnings():
            simplefilter("ignore")  # openpyxl warns about styles, which matter only in part
            self._reader = _Reader(path, keep_links=False)
            with ExitStack() as stack:  # closes the archive if it cannot be read
                stack.callback(self._reader.archive.close)
                self._reader.read()
                stack.pop_all()

    def sheets(self) -> list[Sheet]:
        """Return the worksheets in the workbook's order, without charts."""
        with self._damage_is_bad_data():
            return [
                Sheet(str(sheet.name), part.target, sheet.state == "visible")
                for sheet, part in self._reader.parser.find_sheets()
                if "chartsheet" not in part.Type
            ]

    def rows(self, sheet: Sheet) -> Iterator[SheetRow]:
        """Yield the rows that the sheet stores; it leaves out some of the empty ones."""
        with self._damage_is_bad_data(), self._reader.archive.open(sheet.part) as file:
            yield from _SheetReader(self._reader).rows(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.archive.close()

    @contextmanager
    def _damage_is_bad_data(self) -> Iterator[None]:
        try:
            yield
        except (*_DAMAGED, OSError) as error:
            # With an errno the system failed. Without one, the file's content is wrong, and also if
            # a part is said to begin before the file does.
            if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
                raise
            raise self._damaged() from error

    def _damaged(self) -> DataError:
        with self._path.open("rb") as file:
            is_old = file.read(4) == _OLD_OR_ENCRYPTED
        what = "an old .xls workbook, or one with a password" if is_old else "not an XLSX workbook"
        return DataError(
            f"{self._path}: this is {what}{'' if is_old else ', or it is damaged'}",
            hint="save it as .xlsx without a password, or better as CSV in UTF-8",
            check="MP-DAT-006",
        )


class _Reader(ExcelReader):
    """openpyxl's reader without the sheets, which `_SheetReader` reads.

    It keeps escapes such as `_x000D_` in shared strings. openpyxl decodes some of them and not
    others; `_unescaped` decodes all.
    """

    def read(self) -> None:
        """Read the parts that the sheets refer to."""
        self.read_manifest()
        self.read_strings()
        self.read_workbook()
        apply_stylesheet(self.archive, self.wb)

    def read_strings(self) -> None:
        """Read the texts that cells share."""
        part = self.package.find(SHARED_STRINGS)  # type: ignore[no-untyped-call] # the stubs omit it
        if part is None:
            return
        with self.archive.open(part.PartName[1:]) as file:
            for _, node in iterparse(file):
                if node.tag.endswith("}si"):
                    self.shared_strings.append(_content(node))
                    node.clear()


class _SheetReader:
    """Reads the rows of one sheet from its XML.

        <row r="5" hidden="1">
          <c r="B5" t="s" s="2"><f>UPPER(A5)</f><v>17</v></c>

    A cell has its type (`t`), the number of its style (`s`), its formula and its value.
    """

    def __init__(self, reader: _Reader) -> None:
        book = reader.wb
        self._texts = reader.shared_strings
        self._epoch = book.epoch
        # openpyxl has no public name for the styles of a read-only workbook.
        self._dates = book._date_formats  # type: ignore[attr-defined] # noqa: SLF001 - see above
        self._durations = book._timedelta_formats  # type: ignore[attr-defined] # noqa: SLF001 - see above
        self._styles = book._cell_styles  # type: ignore[attr-defined] # noqa: SLF001 - see above
        self._formats = book._number_formats  # type: ignore[attr-defined] # noqa: SLF001 - see above
        self._formulas: dict[str, Translator] = {}  # that several cells share

    def rows(self, file: IO[bytes]) -> Iterator[SheetRow]:
        """Yield the rows."""
        number = 0
        for _, element in iterparse(file):
            if element.tag.endswith("}row"):
                number = int(float(element.get("r", number + 1)))
                yield SheetRow(number, self._cells(element), _is_true(element.get("hidden")))
                element.clear()

    def _cells(self, row: Element) -> list[str | None]:
        cells: list[str | None] = []
        for element in row:
            place = element.get("r")
            column = coordinate_to_tuple(place)[1] if place else len(cells) + 1
            cells.extend([None] * (column - len(cells)))
            cells[column - 1] = self._cell(element)
        return cells

    def _cell(self, cell: Element) -> str | None:
        kind, value = cell.get("t", "n"), None
        for part in cell:
            if part.tag.endswith("}v"):
                value = part.text
            elif part.tag.endswith("}is"):
                return _tagged_text(_content(part))
        formula = cell.find("{*}f")
        if formula is not None:
            text = self._formula(cell, formula, needs_text=value is None)
            # A formula may have given an empty text ("str"): that is a result.
            if value is None and kind != "str":
                return LogicalType.UNEVALUATED.tag + text
        return self._value(kind, value, int(cell.get("s", 0))) if value else None

    def _value(self, kind: str, text: str, style: int) -> str | None:
        match kind:
            case "n":
                return self._number(text, style)
            case "s":
                return _tagged_text(self._texts[int(text)])
            case "b":
                return LogicalType.BOOLEAN.tag + ("true" if _is_true(text) else "false")
            case "e":
                return LogicalType.ERROR.tag + text
            case "d":
                return _tagged_date(from_ISO8601(text))  # type: ignore[no-untyped-call] # stubs
            case _:
                return _tagged_text(text)

    def _formula(self, cell: Element, formula: Element, *, needs_text: bool) -> str:
        """Return the formula. One that cells share stands in the first of them, and is moved."""
        text, place, index = formula.text or "", cell.get("r", "A1"), formula.get("si", "")
        if formula.get("t") == "shared":
            if text:
                self._formulas[index] = Translator(f"={text}", place)
            elif needs_text and index in self._formulas:
                return str(self._formulas[index].translate_formula(place))
        return f"={text}"

    def _number(self, text: str, style: int) -> str | None:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(f"{text} is not a number")
        if style in self._dates:
            try:
                value = from_excel(number, self._epoch, timedelta=style in self._durations)
            except (OverflowError, ValueError):  # such a day does not exist
                return f"{LogicalType.ERROR.tag}{_spell_number(text)}"
            return _tagged_date(value)
        digits = _spell_number(text)
        if digits.isdecimal():
            code = self._format(style)
            digits = digits.zfill(_shown_zeros(code))
            if number < _FIRST_ROUNDED and ("E" in text.upper() or _shows_exponent(code)):
                return LogicalType.SCIENTIFIC.tag + digits
        return LogicalType.FLOAT.tag + digits

    def _format(self, style: int) -> str:
        """Return the number format of a style."""
        number = self._styles[style].numFmtId
        if number < BUILTIN_FORMATS_MAX_SIZE:
            return BUILTIN_FORMATS.get(number, "General")
        return str(self._formats[number - BUILTIN_FORMATS_MAX_SIZE])


def _content(element: Element) -> str:
    """Return the text of an element whose parts may be formatted."""
    return cast("Text", Text.from_tree(element)).content  # type: ignore[arg-type] # stubs: too narrow


def _is_true(text: str | None) -> bool:
    return text in {"1", "true"}


def _tagged_text(text: str) -> str:
    return LogicalType.TEXT.tag + _ESCAPE.sub(_unescaped, text)


def _unescaped(escape: re.Match[str]) -> str:
    """Return the character of an escape such as `_x000D_`."""
    return chr(int(escape[1], 16))


def _tagged_date(value: date | time | timedelta | None) -> str | None:
    if isinstance(value, datetime):
        is_midnight = value.time() == time.min
        text = value.date().isoformat() if is_midnight else value.isoformat(" ")
        return LogicalType.DATE.tag + (text if "." not in text else text.rstrip("0"))
    if isinstance(value, date):
        return LogicalType.DATE.tag + value.isoformat()
    if isinstance(value, timedelta):
        return LogicalType.CLOCK.tag + _spell_hours(value)
    return None if value is None else f"{LogicalType.CLOCK.tag}{value}"


def _spell_hours(duration: timedelta) -> str:
    """Return a duration as a spreadsheet shows it: days become hours, 36:00:00."""
    sign, duration = ("-", -duration) if duration < timedelta() else ("", duration)
    minutes, seconds = divmod(duration.days * 86_400 + duration.seconds, 60)
    fraction = f".{duration.microseconds:06}".rstrip("0").rstrip(".")
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{fraction}"


def _spell_number(text: str) -> str:
    """Return the fewest digits that give this number, without exponent, `.0` or `.`."""
    if text.isascii() and text.isdecimal():
        return str(int(text))
    number = float(text)
    return str(int(number)) if number.is_integer() else format(Decimal(repr(number)), "f")


@cache
def _shown_zeros(code: str) -> int:
    """Return how many digits a number format shows at least, if it is one for whole numbers."""
    positive = _LITERALS.sub("", code.partition(";")[0])
    zeros = _ZEROS.fullmatch(re.sub("[- /]", "", positive))
    return len(zeros[1]) if zeros else 0


@cache
def _shows_exponent(code: str) -> bool:
    return bool(_EXPONENT.search(_LITERALS.sub("", code)))
