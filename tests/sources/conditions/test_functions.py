"""Functions of Oracle: the values that its documentation gives, and those at the edges."""

from pathlib import Path

import pyarrow as pa
import pytest

from marketpulse.errors import UsageError
from marketpulse.sources.base import RowRequest
from marketpulse.sources.selection import select_rows

TABLE = pa.table({"text": ["banana"], "none": pa.array([None], pa.string()), "n": [7], "ß": ["ßİ"]})


def holds(condition: str, folder: Path) -> bool:
    """Whether a condition is true."""
    request = RowRequest(where=condition)
    rows = select_rows(TABLE.to_reader(), request, workspace=folder, now=0).read_all()
    return len(rows) == 1


@pytest.mark.parametrize(
    "condition",
    [
        *("SUBSTR('ABCDEFG', 3, 4) = 'CDEF'", "SUBSTR('ABCDEFG', -5, 4) = 'CDEF'"),
        *("SUBSTR(text, 0, 2) = 'ba'", "SUBSTR(text, 1, 2) = 'ba'", "SUBSTR(text, 6) = 'a'"),
        *("SUBSTR(text, -6) = 'banana'", "SUBSTR(text, -1) = 'a'", "SUBSTR(text, -6, 1) = 'b'"),
        *("SUBSTR(text, 7) IS NULL", "SUBSTR(text, -7) IS NULL", "SUBSTR(text, -7, 3) IS NULL"),
        *("SUBSTR(text, 2, 0) IS NULL", "SUBSTR(text, 2, 1) = 'a'", "SUBSTR(text, 2, -1) IS NULL"),
        *("INSTR('CORPORATE FLOOR', 'OR', 3, 2) = 14", "INSTR('CORPORATE FLOOR', 'OR', -3, 2) = 2"),
        *("INSTR(text, 'an') = 2", "INSTR(text, 'an', 2) = 2", "INSTR(text, 'an', 3) = 4"),
        *("INSTR(text, 'ana', 1, 2) = 4", "INSTR(text, 'ana', 4) = 4", "INSTR(text, 'na', 5) = 5"),
        *("INSTR(text, 'a', 6) = 6", "INSTR(text, 'a', 7) = 0", "INSTR(text, 'b', -6) = 1"),
        *("INSTR(text, 'a', -1) = 6", "INSTR(text, 'an', -1) = 4", "INSTR(text, 'an', -4) = 2"),
        *("INSTR(text, 'an', -1, 2) = 2", "INSTR(text, 'an', -1, 3) = 0", "INSTR(text, 'x') = 0"),
        *("INSTR(text, 'a', 0) = 0", "INSTR(text, 'banana') = 1", "INSTR(text, 'bananas') = 0"),
        *("TRIM(LEADING 'x' FROM 'xax') = 'ax'", "TRIM(TRAILING 'x' FROM 'xax') = 'xa'"),
        *("TRIM('x' FROM 'xax') = 'a'", "TRIM(BOTH 'x' FROM 'xax') = 'a'", "TRIM(' a ') = 'a'"),
        *("LTRIM('xyab', 'yx') = 'ab'", "RTRIM('abxy', 'yx') = 'ab'", "LTRIM(' a ') = 'a '"),
        *("RTRIM(' a ') = ' a'", "TRIM('  ') IS NULL", "LOWER('ABÉ') = 'abé'", "LENGTH(text) = 6"),
        *("LOWER(ß) = 'ßİ'", "UPPER(ß) = 'ßİ'", "UPPER('é') = 'É'", "LENGTH(none) IS NULL"),
        *("NVL(none, 'x') = 'x'", "NVL(NULL, n) + 1 = 8", "NVL(none, none) IS NULL"),
        *("COALESCE(NULL, none, 'z') = 'z'", "NVL(n, 0) = 7", "COALESCE(NULL, n) = 7"),
        *("GREATEST(n, '10') = 10", "LEAST(n, '10') = 7", "GREATEST('a', 'b') = 'b'"),
        *("GREATEST(n, none) IS NULL", "LEAST(n) = 7", "ABS(-n) = 7", "MOD(-11, 4) = -3"),
    ],
)
def test_values(condition: str, tmp_path: Path) -> None:
    """Positions count from 1 or from the end; a letter whose other case is longer stays."""
    assert holds(condition, tmp_path)


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("INSTR(text, 'a', 1, 0) = 1", "there is no occurrence 0"),
        ("SUBSTR(text) = 'a'", "SUBSTR: it takes 2 to 3 arguments here"),
        ("NVL(text) = 'a'", "NVL: it takes 2 arguments"),
        ("COALESCE(text) = 'a'", "COALESCE: it takes 2 or more arguments"),
        ("TRIM('ab' FROM text) = 'a'", "it removes one character: use LTRIM or RTRIM"),
        ("COALESCE(text, n) = 'a'", "its values are of several types"),
    ],
)
def test_what_oracle_refuses_is_refused(condition: str, reason: str, tmp_path: Path) -> None:
    """The message has the function and what it expects."""
    with pytest.raises(UsageError, match=reason):
        holds(condition, tmp_path)
