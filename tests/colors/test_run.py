"""A run: its outputs, its warnings and its id."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from color_tables import AT, HEADER, HIERARCHIES, column, three_colors, where, write_colors

from marketpulse import run_colors
from marketpulse.errors import UsageError
from marketpulse.formats import FORMATS


def test_a_header_alone_gives_empty_outputs(tmp_path: Path) -> None:
    """An input without rows gives empty outputs with their columns, in every format."""
    path = write_colors(tmp_path / "in.csv")
    run = run_colors(path, output=tmp_path / "out", formats=FORMATS)
    assert run.counts.read == 0
    assert (tmp_path / "out/rejected_colors.csv").read_text() == f"{HEADER},REASON,RAW_LINE\n"
    assert (tmp_path / "out/excluded_colors.csv").read_text() == f"{HEADER},RULE_ID\n"
    assert (tmp_path / "out/processed_colors.json").read_text() == "[]\n"
    assert (tmp_path / "out/processed_colors.ndjson").read_text() == ""
    table = pq.read_table(tmp_path / "out/processed_colors.parquet")
    assert table.column_names[-4:] == [
        "IS_PARENT",
        "PARENT_MESSAGE_ID",
        "CHILDREN_COUNT",
        "GROUP_POSITION",
    ]
    empty = run_colors(three_colors()[:0], rules=where("PX", "gt", 1), max_rejected=0)
    assert empty.counts.read == 0


def test_doubtful_rows_are_kept_and_counted(tmp_path: Path) -> None:
    """An invalid CUSIP and a rank outside 1 to 6 are warnings, in rows that can be used."""
    lines = (
        "1, 1tekh3ir5 ,1,2026-03-13,1,right",
        "2,1TEKH3IR6,0,2026-03-13,1,wrong check digit",
        "3,1TEKH3IR,7,2026-03-13,1,short",
        "4,1TEKH3IR6,-1,2026-03-13,n/a,rejected",
        "5,A,,2026-03-13,1,excluded",
        "6,1TEKH3IR6,0123456789012345678901234567890,2026-03-13,1,wrong check digit",
    )
    path = write_colors(tmp_path / "in.csv", *lines)
    run = run_colors(path, rules=where("NOTE", "equals", "excluded"))
    assert run.counts.rejected == 1
    assert run.warnings == {"cusip": 4, "rank": 3}


def test_a_run_is_known_by_its_rows_rules_and_hierarchy(tmp_path: Path) -> None:
    """RUN_ID is the same for the same rows in any order, and changes with anything else."""
    lines = ["1,A,2,2026-03-12,98.5,x", "2,A,1,2026-03-13,99,x", "too,few"]
    path = write_colors(tmp_path / "in.csv", *lines)
    rules = where("PX", "lt", 98)
    run_id = run_colors(path, rules=rules).run_id
    assert re.fullmatch("[0-9a-f]{16}", run_id)
    assert column(run_colors(path, rules=rules).processed, "RUN_ID") == [run_id] * 2
    same = write_colors(tmp_path / "same.csv", *reversed(lines))
    assert (
        run_colors(same, rules=rules, processed_at=AT, processing_type="AUTOMATED").run_id == run_id
    )
    others = [
        run_colors(write_colors(tmp_path / "a.csv", *lines[:2]), rules=rules),
        run_colors(write_colors(tmp_path / "b.csv", *lines[:2], "too,many"), rules=rules),
        run_colors(write_colors(tmp_path / "c.csv", *lines, lines[0]), rules=rules),
        run_colors(write_colors(tmp_path / "d.csv", *lines[1:], f"{lines[0]} "), rules=rules),
        run_colors(write_colors(tmp_path / "e.csv", *lines, header=f"{HEADER}S"), rules=rules),
        run_colors(path),
        run_colors(path, rules=where("PX", "lte", 98)),
        run_colors(path, rules=where("PX", "lt", "98.1")),
        *(run_colors(path, rules=rules, hierarchy=order) for order in HIERARCHIES[1:]),
    ]
    assert len({run_id, *(run.run_id for run in others)}) == len(others) + 1


def test_time_and_type_of_a_run_are_written(tmp_path: Path) -> None:
    """PROCESSED_AT is the given time in UTC; PROCESSING_TYPE is the option."""
    path = write_colors(tmp_path / "in.csv", "1,A,2,2026-03-12,98.5,x")
    timestamp = datetime(2026, 3, 13, 18, tzinfo=UTC)
    for given_at in (AT, "2026-03-13T20:00:00+02:00", "2026-03-13 18:00", timestamp):
        run = run_colors(path, processed_at=given_at, processing_type="AUTOMATED")
        assert column(run.processed, "PROCESSED_AT") == [timestamp]
        assert column(run.processed, "PROCESSING_TYPE") == ["AUTOMATED"]
    for wrong in ({"processed_at": "soon"}, {"processing_type": "BY_HAND"}, {"formats": ["xls"]}):
        with pytest.raises(UsageError):
            run_colors(path, **wrong)
    for hierarchy in ("rank,date", "rank,rank,price", "rank,date,size", ""):
        with pytest.raises(UsageError):
            run_colors(path, hierarchy=hierarchy)
