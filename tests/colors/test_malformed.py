"""Malformed lines: stored in memory or on disk, and read back as rejected rows."""

import random
from pathlib import Path

import pytest

from marketpulse import run_colors
from marketpulse.colors.malformed import MalformedLines
from marketpulse.model import MalformedLine


def lines(count: int) -> list[MalformedLine]:
    """Lines with one field too few, one after every second row."""
    return [MalformedLine(number * 2, 5, 6, f"a,{number},ä") for number in range(count)]


@pytest.mark.parametrize("in_memory", [0, 1 << 20])
@pytest.mark.parametrize("count", [0, 3, 50_001])
def test_lines_are_read_back_with_place_reason_and_text(
    count: int, in_memory: int, tmp_path: Path
) -> None:
    """Each line has its place between two rows, its number, the reason and its text."""
    malformed = MalformedLines(tmp_path / "malformed.arrow", in_memory)
    for line in lines(count):
        malformed.add(line)
    malformed.close()
    table = malformed.reader().read_all()
    assert malformed.count == len(table) == count
    assert table["line"].to_pylist() == list(range(count))
    assert table["n"].to_pylist() == [number * 2 - 0.5 for number in range(count)]
    assert set(table["reason"].to_pylist()) <= {"5 fields instead of 6"}
    assert table["raw"].to_pylist() == [f"a,{number},ä" for number in range(count)]
    assert malformed.reader().read_all().equals(table)


def test_the_hashes_depend_on_the_lines_and_not_on_their_order(tmp_path: Path) -> None:
    """Shuffled lines have the same sum; other lines, or one of them twice, have another."""

    def hashes(malformed_lines: list[MalformedLine]) -> int:
        malformed = MalformedLines(tmp_path / "malformed.arrow", 1 << 20)
        for line in malformed_lines:
            malformed.add(line)
        return malformed.hashes

    shuffled = lines(20)
    random.Random(1).shuffle(shuffled)
    assert hashes(shuffled) == hashes(lines(20))
    assert len({hashes(lines(20)), hashes(lines(19)), hashes([*lines(20), lines(1)[0]])}) == 3


def test_with_a_condition_lines_stay_among_the_rows_around_them(tmp_path: Path) -> None:
    """Rows that the condition leaves out do not count: also those of an earlier file."""
    header = "MESSAGE_ID,CUSIP,RANK,DATE,PX\n"
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    first.write_text(header + "1,A,1,2026-03-13,1\nx2,A,2,2026-03-13,1\n3,A\n", encoding="utf-8")
    rows = "4,A,1,2026-03-13,1\n5,A,2,2026-03-13,1\n6\nx7,A,2,2026-03-13,1\n8\n"
    second.write_text(header + rows, encoding="utf-8")
    rejected = run_colors([first, second], where="RANK > 1").rejected
    assert rejected is not None
    kept = zip(rejected["MESSAGE_ID"].to_pylist(), rejected["RAW_LINE"].to_pylist(), strict=True)
    assert list(kept) == [("x2", None), (None, "3,A"), (None, "6"), ("x7", None), (None, "8")]
