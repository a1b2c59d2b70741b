"""Profile an input as it is read: how precisely the values of each column have to be taken.

Nearly all cells are plain, and the bytes of a whole batch say so at a tenth of the cost of SQL. A
query looks at the others, each text once:

    98.5  101.7  98.25      digits, points and few bytes: nothing is doubtful
    98.5  " 98.5"  " 98.5"  " 98.5" is doubtful
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.colors.arrivals import Row
from marketpulse.colors.cells import BLANKS, Cell, Precision, trim_once, with_trimmed
from marketpulse.colors.columns import NEVER_MISSING, InputColumn, Kind
from marketpulse.formats.arrays import from_numpy
from marketpulse.formats.encode import LogicalType, text_buffer

if TYPE_CHECKING:
    # The package of the function leaves this module of numpy out.
    import numpy.typing as npt

_DIGITS = b"0123456789"
_VISIBLE = bytes(range(ord("!"), ord("~") + 1))
_ANY_LENGTH = 1 << 31
# For each kind: the bytes of plain cells, and their greatest length.
_PLAIN = {
    Kind.INTEGER: (_DIGITS, 18),
    Kind.NUMBER: (_DIGITS + b".-", 15),
    Kind.DATE: (_DIGITS + b"-T :.", 26),
    Kind.TEXT: (bytes(set(_VISIBLE) - set(b"abcdefghijklmnopqrstuvwxyz")), _ANY_LENGTH),  # a CUSIP
}
_MINUS, _POINT, _ZERO = b"-.0"
_DATE_LENGTHS = {10, 16, *range(19, 27)}  # a day, minutes, seconds with a fraction
_BYTES_ASKED = 1 << 22  # of doubtful cells: from here on they are asked about
_FEW_BYTES = 1 << 16  # of cells that are asked about together with those of other columns
_YEAR_1 = -62_135_596_800_000_000  # in microseconds

Ask = Callable[[str, pa.Table], Row]  # runs a query on the relation `doubtful`


class CellProfile:
    """What is known of a column from the cells read so far."""

    def __init__(self, column: InputColumn) -> None:
        self.column = column
        self.precision = Precision.PLAIN
        self.suspected = False  # whether a cell may be missing or invalid
        self.bytes = 0  # of the cells that are to be asked about
        self.questions = _questions(column)
        self._spelled_once = True
        self._required = column.role in NEVER_MISSING
        self._doubtful: list[pa.Array] = []

    def add(self, cells: pa.Array, ask: Ask) -> None:
        """Look at the cells of a batch."""
        if self._required and cells.null_count:
            self.suspected = True
        if self.questions is None:
            return
        doubtful = _doubtful(self.column, cells, self.precision)
        if not self._spelled_once or len(doubtful) or not _spelled_once(self.column.kind, cells):
            self._spelled_once = False
        if len(doubtful):
            self._doubtful.append(doubtful)
            self.bytes += doubtful.nbytes
        if self.bytes > _BYTES_ASKED:
            finish_profiles([self], ask)

    @property
    def is_doubtful(self) -> bool:
        """Whether there are cells to be asked about."""
        return bool(self._doubtful)

    def take_doubtful(self) -> pa.Array:
        """The cells to be asked about, which are doubtful no more."""
        cells = pa.chunked_array(self._doubtful)
        self._doubtful.clear()
        self.bytes = 0
        return cells.unique() if self.column.logical_type else cells.combine_chunks()

    def note(self, needed: int, suspected: bool | None) -> None:
        """Note the answers about doubtful cells."""
        self.precision = max(self.precision, Precision(needed))
        self.suspected |= bool(suspected)

    @property
    def cell(self) -> Cell:
        """The cells of the column, taken as precisely as they need."""
        return Cell(self.column, self.precision, spelled_once=self._spelled_once)


def finish_profiles(profiles: Iterable[CellProfile], ask: Ask) -> None:
    """Ask about the cells that are doubtful so far: a query for each batch takes too long.

    So does one for each column with few such cells: to plan it takes longer than to run it.
    """
    pending = [profile for profile in profiles if profile.is_doubtful]
    few = [profile for profile in pending if profile.bytes <= _FEW_BYTES]
    for group in (few, *([profile] for profile in pending if profile not in few)):
        if group:
            _ask_about(group, ask)


def _ask_about(profiles: Sequence[CellProfile], ask: Ask) -> None:
    doubtful = [profile.take_doubtful() for profile in profiles]
    # The cells of a shorter column begin anew.
    rows = np.arange(max(map(len, doubtful)))
    columns = [cells.take(from_numpy(rows % len(cells))) for cells in doubtful]
    cells = trim_once(Cell(profile.column) for profile in profiles)
    questions = ", ".join(str(profile.questions) for profile in profiles)
    sql = f"SELECT {questions} FROM {with_trimmed('doubtful', cells, questions)}"
    answers = ask(sql, pa.table(columns, [cell.raw for cell in cells]))
    for profile, needed, suspected in zip(profiles, answers[::2], answers[1::2], strict=True):
        profile.note(needed, suspected)


def _questions(column: InputColumn) -> str | None:
    """What to ask about doubtful cells: their precision, and whether one is no value."""
    (cell,) = trim_once([Cell(column)])
    # A typed cell that is no float is missing if it is null, which the batch says.
    can_miss = column.logical_type or pa.types.is_floating(column.field.type)
    required = column.role in NEVER_MISSING and can_miss
    suspicion = " OR ".join(filter(None, [cell.fault, cell.missing if required else None]))
    if not (cell.needed or suspicion):
        return None
    return f"max({cell.needed or 0}), bool_or({suspicion or 'false'})"


def _doubtful(column: InputColumn, cells: pa.Array, precision: Precision) -> pa.Array:
    """The cells that may be no value or need more than this precision, each text once."""
    if column.logical_type:
        is_blank_or_plain = column.kind is Kind.TEXT and column.role != "CUSIP"
        if column.logical_type is not LogicalType.TEXT or column.translation:
            doubtful = cells
        else:
            doubtful = (
                _blank(cells) if is_blank_or_plain else _not_plain(column.kind, cells, precision)
            )
        return doubtful.unique()
    if pa.types.is_floating(cells.type) and column.kind is Kind.NUMBER:
        cells = cells.drop_null()
        numbers = cells.to_numpy(zero_copy_only=False)
        is_negative_zero = (numbers == 0) & np.signbit(numbers)
        return cells.filter(from_numpy(~np.isfinite(numbers) | is_negative_zero))
    return cells


def _not_plain(kind: Kind, cells: pa.Array, precision: Precision) -> pa.Array:
    """The cells with bytes or a length that plain ones do not have; all if a cast refuses one."""
    marks, limit = _PLAIN[kind]
    if precision is Precision.EXACT and kind is not Kind.DATE:
        limit = _ANY_LENGTH  # the column is read with all digits already
    lengths = pc.fill_null(pc.binary_length(cells), 1).to_numpy()
    is_doubtful = (lengths < 1) | (lengths > limit)
    text = bytes(text_buffer(cells))
    if text.translate(None, marks):
        is_odd = ~np.isin(np.arange(256), list(marks))
        places = np.flatnonzero(is_odd[np.frombuffer(text, np.uint8)])
        is_doubtful[np.searchsorted(_ends(cells), places, side="right") - 1] = True
    if not is_doubtful.any():
        return cells[:0] if _can_be_cast(kind, cells) else cells
    plain = cells.filter(from_numpy(~is_doubtful))
    return cells.filter(from_numpy(is_doubtful)) if _can_be_cast(kind, plain) else cells


def _can_be_cast(kind: Kind, cells: pa.Array) -> bool:
    """Whether all cells of these bytes and lengths are numbers, or dates since the year 1."""
    if kind is Kind.NUMBER:
        try:
            cells.cast(pa.float64())
        except pa.ArrowInvalid:
            return False
    if kind is Kind.DATE:
        try:
            counts = cells.cast(pa.timestamp("us")).cast(pa.int64())
        except pa.ArrowInvalid:
            return False
        lengths = pc.binary_length(cells).unique().drop_null()
        first = pc.min(counts).as_py()
        return _DATE_LENGTHS.issuperset(lengths.to_pylist()) and (first is None or first >= _YEAR_1)
    return True


def _spelled_once(kind: Kind, cells: pa.Array) -> bool:
    """Whether plain cells of these spellings are equal only to themselves.

    Days are; whole numbers without a zero before them; and numbers as programs write floats, with a
    point, and with a zero at the end only right after it.
    """
    if not pa.types.is_string(cells.type) or kind is Kind.TEXT:
        return False
    cells = cells.drop_null()
    text, ends = np.frombuffer(text_buffer(cells), np.uint8), _ends(cells)
    lengths = np.diff(ends)
    if not len(lengths):
        return True
    if kind is Kind.DATE:
        return bool((lengths == 10).all())
    first = text[ends[:-1]]
    if kind is Kind.INTEGER:
        return not ((first == _ZERO) & (lengths > 1)).any()
    points = np.flatnonzero(text == _POINT)
    if len(points) != len(lengths):
        return False  # a number has one point at most, so a cell has none
    is_negative = first == _MINUS
    digits = points - ends[:-1] - is_negative  # before the point
    decimals = ends[1:] - points - 1
    begins_with_zero = text[ends[:-1] + is_negative] == _ZERO
    ends_with_zero = text[ends[1:] - 1] == _ZERO
    padded = (digits > 1) & begins_with_zero | (decimals > 1) & ends_with_zero
    is_negative_zero = is_negative & begins_with_zero & ends_with_zero
    return not (padded | (digits < 1) | (decimals < 1) | is_negative_zero).any()


def _blank(cells: pa.Array) -> pa.Array:
    """The cells of blanks alone."""
    text, ends = np.frombuffer(text_buffer(cells), np.uint8), _ends(cells)
    if len(text):
        starts = np.minimum(ends[:-1], len(text) - 1)
        is_visible = np.isin(np.arange(256), list(_VISIBLE))
        cells = cells.filter(from_numpy((np.diff(ends) == 0) | ~is_visible[text[starts]]))
    return cells.filter(pc.equal(pc.utf8_trim(cells, BLANKS), ""))


def _ends(cells: pa.Array) -> npt.NDArray[np.int32 | np.int64]:
    """The places at which the cells begin in their text, and the end of the last."""
    _, ends, _ = cells.buffers()
    size = np.int64 if pa.types.is_large_string(cells.type) else np.int32
    places: npt.NDArray[np.int32 | np.int64] = np.frombuffer(ends, size)
    places = places[cells.offset : cells.offset + len(cells) + 1]
    return places - places[:1]
