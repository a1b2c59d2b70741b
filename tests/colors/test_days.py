"""A real day comes out as expected, from every format and in every order."""

import csv
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import colors_model as model
import pytest
from color_tables import (
    AT,
    EXPECTED,
    day,
    day_of,
    expected,
    outcome_in,
)
from support import COLORS, ROOT, RULES

from marketpulse import run_colors
from marketpulse.formats import FORMATS


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_day_comes_out_as_expected(name: str, tmp_path: Path) -> None:
    """Processed, excluded and rejected rows of a real day are as expected, cell for cell."""
    hierarchy, rules = EXPECTED[name]
    run_colors(day_of(name), rules=rules, hierarchy=hierarchy, output=tmp_path / "out")
    assert outcome_in(tmp_path / "out") == expected(name)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_model_agrees_with_the_expected_day(name: str) -> None:
    """The model gives the expected rows of the real day, too."""
    hierarchy, rules = EXPECTED[name]
    header, records = model.read_csv(day_of(name).read_text(encoding="utf-8"))
    documents = json.loads(rules.read_text())["rules"] if rules else ()
    outcome = model.run(header, records, rules=documents, hierarchy=hierarchy.split(","))
    model.check(len(records), outcome)
    assert outcome == expected(name)


def shuffled_day(seed: int) -> str:
    """The real day with its lines in another order."""
    lines = [raw for _, raw in model.split_csv(COLORS.read_text(encoding="utf-8"))]
    rows = lines[1:]
    random.Random(seed).shuffle(rows)
    return "\n".join([lines[0], *rows]) + "\n"


def test_shuffled_rows_give_the_same_processed_bytes(tmp_path: Path) -> None:
    """With a fixed time, the order of the input does not change a byte in any format."""
    (tmp_path / "shuffled.csv").write_text(shuffled_day(1), encoding="utf-8")
    runs = [
        run_colors(path, rules=RULES, output=tmp_path / name, formats=FORMATS, processed_at=AT)
        for path, name in ((COLORS, "sorted"), (tmp_path / "shuffled.csv", "shuffled"))
    ]
    for suffix in FORMATS:
        name = f"processed_colors.{suffix}"
        first, second = (tmp_path / folder / name for folder in ("sorted", "shuffled"))
        assert first.read_bytes() == second.read_bytes()
    assert runs[0].run_id == runs[1].run_id


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a way to take cores away")
def test_the_number_of_cores_changes_nothing(tmp_path: Path) -> None:
    """One core writes the same bytes as all cores, for an input of several batches."""
    header, rows = day()
    cusip = header.index("CUSIP")
    with (tmp_path / "many.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for copy in "ABCDEFGHIJK":
            for row in rows:
                moved = row[cusip].strip() and row[cusip] + copy  # other groups, the same ties
                writer.writerow([*row[:cusip], moved, *row[cusip + 1 :]])
    script = (
        "import os, sys; cores = sorted(os.sched_getaffinity(0)); "
        "os.sched_setaffinity(0, cores[: int(sys.argv[1]) or None]); "
        "from marketpulse import run_colors; "
        f"run_colors('many.csv', rules={str(RULES)!r}, output=sys.argv[1], processed_at={AT!r})"
    )
    for cores in ("1", "0"):  # 0 takes none away
        subprocess.run(
            [sys.executable, "-c", script, cores],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
        )
    for name in ("processed", "excluded", "rejected"):
        path = f"{name}_colors.csv"
        assert (tmp_path / "1" / path).read_bytes() == (tmp_path / "0" / path).read_bytes()
