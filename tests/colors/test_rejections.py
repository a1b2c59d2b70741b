"""Rejected rows: how many a run allows, and what its error says."""

import re
from pathlib import Path
from typing import Any

import pytest
from color_tables import column, reasons, where, write_colors

from marketpulse import run_colors
from marketpulse.colors.cells import LOST_DIGITS
from marketpulse.colors.rejections import (
    Advice,
    Causes,
    parse_rejection_limit,
    rejection_error,
    rejection_hints,
)
from marketpulse.colors.spellings import DateForm
from marketpulse.errors import DataError, UsageError


def test_where_no_row_can_be_used_the_run_fails(tmp_path: Path) -> None:
    """The message has the commonest reasons, the hint a remedy for each; nothing is written."""
    lines = ("1,A,1,3/13/2026,1,x", "2,A,1,3/12/2026,1,x", "3,A,1", "x,A,,,,", "5,,1,,1,x")
    path = write_colors(tmp_path / "in.csv", *lines)
    with pytest.raises(DataError) as raised:
        run_colors(path, output=tmp_path / "out", max_rejected=5)
    assert raised.value.check == "MP-DAT-020"
    assert raised.value.message == (
        "none of the 5 rows can be used: DATE: '3/13/2026' is not a date (2); "
        "3 fields instead of 6 (1); MESSAGE_ID: 'x' is not an integer (1); CUSIP: missing (1)"
    )
    for words in (
        "DATE: use --date-format M/D/YYYY",
        "MESSAGE_ID: write whole numbers in MESSAGE_ID",
        "--map CUSIP=",
        "quotes",
    ):
        assert words in raised.value.hint
    assert not (tmp_path / "out").exists()


def test_an_excluded_row_can_be_used(tmp_path: Path) -> None:
    """Rules may take every row that is not rejected: that is a run."""
    path = write_colors(tmp_path / "in.csv", "1,A,1,2026-03-13,1,x", "1,A,1,2026-03-13,n/a,x")
    run = run_colors(path, rules=where("NOTE", "equals", "x"), output=tmp_path / "out")
    assert (run.counts.read, run.counts.excluded, run.counts.rejected) == (2, 1, 1)


def test_rejected_rows_come_back(tmp_path: Path) -> None:
    """A row that cannot be used comes back as it arrived, with its reason."""
    lines = ("1,,1,2026-03-13,1,x", "1,A,1,2026-03-13,1", "x,A,,,,", "1,A,1,2026-03-13,1,x")
    run = run_colors(write_colors(tmp_path / "in.csv", *lines))
    assert reasons(run) == [
        "CUSIP: missing",
        "5 fields instead of 6",
        "MESSAGE_ID: 'x' is not an integer",
    ]
    assert column(run.rejected, "RAW_LINE") == [None, "1,A,1,2026-03-13,1", None]
    assert column(run.rejected, "MESSAGE_ID") == ["1", None, "x"]


def test_more_rejected_rows_than_allowed_end_the_run(tmp_path: Path) -> None:
    """Beyond max_rejected nothing is written, and the commonest reasons are told."""
    lines = ("1,A,1,2026-03-13,n/a,x", "2,A,1,2026-03-13,n/a,x", "3,A,1", "4,A,1,2026-03-13,1,x")
    path = write_colors(tmp_path / "in.csv", *lines)
    assert run_colors(path, max_rejected=3).counts.rejected == 3
    with pytest.raises(DataError, match=r"3 of 4 rows .* PX: 'n/a' is not a number \(2\)"):
        run_colors(path, max_rejected=2, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("limit", "fails"),
    [
        ("75%", False),
        ("75.0 %", False),
        ("74.99%", True),
        ("0%", True),
        ("100%", False),
        ("3", False),
    ],
)
def test_a_share_of_the_rows_may_be_rejected(limit: str, fails: bool, tmp_path: Path) -> None:
    """A limit of rejected rows may be a share of the rows read, counted exactly."""
    lines = ("1,A,1,2026-03-13,n/a,x", "2,A,1,2026-03-13,n/a,x", "3,A,1", "4,A,1,2026-03-13,1,x")
    path = write_colors(tmp_path / "in.csv", *lines)
    if fails:
        with pytest.raises(DataError, match=re.escape(f"more than --max-rejected {limit}:")):
            run_colors(path, max_rejected=limit)
    else:
        assert run_colors(path, max_rejected=limit).counts.rejected == 3


@pytest.mark.parametrize("limit", ["few", "-1", "101%", "%", "1/2", "", "5.5", -1])
def test_an_invalid_limit_is_an_error(limit: Any) -> None:
    """What is neither a number of rows nor a share of them is told before anything is read."""
    with pytest.raises(UsageError, match="--max-rejected"):
        run_colors("no such file", max_rejected=limit)


def test_the_error_of_too_many_rows() -> None:
    """The message has the five commonest reasons with their numbers, the hint their remedies."""
    reasons = [f"C{number}: 'x' is not odd" for number in range(6) for _ in range(9 - number)]
    error = rejection_error(reasons, 100, parse_rejection_limit("5%"), Advice())
    assert error is not None
    assert (error.message, error.check) == (
        (
            "39 of 100 rows cannot be used, more than --max-rejected 5%: C0: 'x' is not odd (9); "
            "C1: 'x' is not odd (8); C2: 'x' is not odd (7); C3: 'x' is not odd (6); "
            "C4: 'x' is not odd (5)"
        ),
        "MP-DAT-017",
    )
    remedies = "; ".join(f"C{number}: correct its cells" for number in range(5))
    assert error.hint == f"{remedies}; or allow more rejected rows with --max-rejected"
    assert rejection_error(reasons, 100, parse_rejection_limit(39), Advice()) is None
    assert rejection_error(reasons, 100, None, Advice()) is None
    number_limit = rejection_error(reasons, 100, parse_rejection_limit(38), Advice())
    assert number_limit is not None
    assert "more than --max-rejected 38:" in number_limit.message


def test_the_error_of_no_usable_row() -> None:
    """One row has a message of its own; a remedy names the column."""
    error = rejection_error(["ID: '1e9' is not an integer"], 1, None, Advice())
    assert error is not None
    assert error.message == "the only row cannot be used: ID: '1e9' is not an integer (1)"
    assert error.hint.startswith("ID: write whole numbers in ID")
    malformed = rejection_error(["2 fields instead of 3"] * 2, 2, None, Advice())
    assert malformed is not None
    assert malformed.message == "none of the 2 rows can be used: 2 fields instead of 3 (2)"
    assert malformed.hint == (
        "malformed lines: put quotes around fields with a comma or a line break"
    )
    assert rejection_error([], 0, None, Advice()) is None


def test_an_invalid_limit_has_examples() -> None:
    """The hint shows both forms of a limit."""
    with pytest.raises(UsageError) as caught:
        parse_rejection_limit("few")
    assert caught.value.hint == "for instance --max-rejected 50 or --max-rejected 5%"


def test_what_helps() -> None:
    """An option where it would permit the cells: with the column only if others need another."""
    us, european, oracle = (DateForm.US,), (DateForm.US, DateForm.EUROPEAN), (DateForm.ORACLE,)

    def remedy(cause: str = "a date", **forms: tuple[DateForm, ...]) -> str:
        """What helps against cells of D."""
        return Advice(ids=frozenset({"ID"}), date_forms=forms).remedy("D", cause)

    assert remedy(D=us, E=us) == "use --date-format M/D/YYYY"
    assert remedy(D=us, E=oracle) == "use --date-format D=M/D/YYYY"
    assert remedy(D=european) == (
        "use --date-format M/D/YYYY or --date-format D/M/YYYY: all cells fit both, "
        "so check which one is right"
    )
    assert remedy(E=us).startswith("write dates as")
    assert "--date-format" not in remedy("a number", D=us)
    advice = Advice(ids=frozenset({"ID"}), date_forms={"D": us})
    assert rejection_hints(
        [
            "D: 'x' is not a date",
            "ID: 'x' is not an integer",
            "ID: '1.77E+16' is not an integer",
            "ID: '1.78E+16' is not an integer",
            "SIZE: '1.77E+16' is not an integer",
            "PX: '1.77E+16' is not a number",
            "CUSIP: missing",
        ],
        advice,
    ) == (
        "D: use --date-format M/D/YYYY",
        (
            "ID: the last digits were lost to a spreadsheet, which keeps only 15: export the "
            "column as text, or use the digits that are left with --accept-rounded-ids"
        ),
    )
    assert "--accept-rounded-ids" not in advice.remedy("SIZE", LOST_DIGITS)


def test_causes_of_parts_add_up() -> None:
    """They have the counts of the whole, and its first example of each cause."""
    reasons = ["PX: 'a' is not a number", "CUSIP: missing", *["PX: 'b' is not a number"] * 2, "x"]
    whole = rejection_error(reasons, 5, None, Advice())
    for cut in range(6):
        first, later = Causes(Advice()), Causes(Advice())
        first.add(reasons[:cut])
        later.add(reasons[cut:])
        first.merge(later)
        assert str(first.error(5, None, Advice())) == str(whole)
