"""A history ranked day by day: what is ranked, what is kept, and what a failed day leaves."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from color_tables import where, write_colors
from support import Tool, summary_of

from marketpulse.colors.history import DaysRun, find_days, run_days
from marketpulse.colors.options import RunOptions
from marketpulse.errors import MarketPulseError, NotFoundError, UsageError

DAYS = ("date=2026-03-11", "DATE=2026-03-12", "date=2026-03-13")


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Three days, of one color each."""
    for number, name in enumerate(DAYS, 1):
        (tmp_path / "history" / name).mkdir(parents=True)
        write_colors(
            tmp_path / "history" / name / "colors.csv",
            f"{number},037833100,{number},2026-03-13,98.5,x",
        )
    return tmp_path / "history"


def rank(history: Path, **options: Any) -> DaysRun:
    """Rank all days of the history into the folder beside it."""
    return run_days(
        find_days([str(history)]), RunOptions(output=history.parent / "results", **options)
    )


def states(ranked: DaysRun) -> str:
    """The state of each day, by its first letter."""
    return "".join(result.state[0] for result in ranked.days)


def test_each_day_is_ranked_by_itself(history: Path) -> None:
    """Each has a folder of its own, whatever case its name had; a second run keeps all."""
    ranked = rank(history)
    assert states(ranked) == "rrr"
    folders = sorted((history.parent / "results").iterdir())
    assert [folder.name for folder in folders] == [name.lower() for name in DAYS]
    for folder in folders:
        summary = summary_of(folder)
        assert summary["rows"]["parents"] == 1
        assert len(summary["fingerprint"]) == 64
    before = [(folder / "run_summary.json").read_bytes() for folder in folders]
    again = rank(history, processed_at="2026-03-14T08:00:00Z")
    assert states(again) == "uuu"
    assert [(folder / "run_summary.json").read_bytes() for folder in folders] == before
    assert [result.as_json()["run_id"] for result in again.days] == [
        result.as_json()["run_id"] for result in ranked.days
    ]
    assert again.exit_code == 0


def test_a_day_that_is_not_as_it_was(history: Path) -> None:
    """Another cell, a further file, a lost result or a changed one: that day alone is ranked."""
    results = history.parent / "results"
    rank(history)
    path = history / DAYS[0] / "colors.csv"
    path.write_text(path.read_text().replace("98.5", "98.6"))
    assert states(rank(history)) == "ruu"
    write_colors(history / DAYS[1] / "more.csv", "7,037833100,1,2026-03-13,98.5,x")
    assert states(rank(history)) == "uru"
    (results / "date=2026-03-13" / "excluded_colors.csv").unlink()
    assert states(rank(history)) == "uur"
    with (results / "date=2026-03-11" / "processed_colors.csv").open("a") as file:
        file.write("x\n")
    assert states(rank(history)) == "ruu"


@pytest.mark.parametrize(
    "options",
    [
        {"hierarchy": "date,rank,price"},
        {"rules": where("PX", "lt", 1)},
        {"where": "RANK < 9"},
        {"formats": ["ndjson"]},
        {"types": {"NOTE": "text"}},
        {"max_rejected": 5},
        {"processing_type": "AUTOMATED"},
    ],
)
def test_other_options_rank_again(history: Path, options: dict[str, Any]) -> None:
    """Every option that changes results counts; with SYSDATE the clock does, too."""
    rank(history)
    assert states(rank(history, **options)) == "rrr"
    assert states(rank(history, **options)) == "uuu"


def test_the_clock_in_a_condition(history: Path) -> None:
    """A condition on SYSDATE may select other rows tomorrow."""
    for _ in range(2):
        assert states(rank(history, where="DATE < SYSDATE")) == "rrr"


def test_a_failed_day_does_not_stop_the_others(history: Path) -> None:
    """It keeps its earlier results. The code is 9, or the first failure's if all have failed."""
    rank(history)
    result = history.parent / "results" / "date=2026-03-12"
    kept = (result / "run_summary.json").read_bytes()
    write_colors(history / DAYS[1] / "colors.csv", "n/a,037833100,1,2026-03-13,98.5,x")
    ranked = rank(history)
    assert (states(ranked), ranked.exit_code) == ("ufu", 9)
    assert (result / "run_summary.json").read_bytes() == kept
    assert result in [day.output for (day,) in ranked.published_days().values()]
    shutil.rmtree(history / DAYS[0])
    shutil.rmtree(history / DAYS[2])
    assert rank(history).exit_code == 7


def test_wrong_options_fail_before_any_day(history: Path) -> None:
    """Whatever no day could have is found first; nothing is written."""
    wrong: list[dict[str, Any]] = [
        {"hierarchy": "rank"},
        {"mapping": ["px=MID"], "rules": "nowhere.json"},
        {"formats": ["doc"]},
    ]
    for options in wrong:
        with pytest.raises(MarketPulseError):
            rank(history, **options)
    assert not (history.parent / "results").exists()


def test_since_and_until_are_inclusive(history: Path) -> None:
    """Both ends count, and each may be left out."""
    for since, until, count in ((12, None, 2), (None, 12, 2), (12, 12, 1), (1, 31, 3)):
        days = find_days(
            [str(history)],
            date(2026, 3, since) if since else None,
            date(2026, 3, until) if until else None,
        )
        assert len(days) == count
    with pytest.raises(NotFoundError) as caught:
        find_days([str(history)], date(2026, 4, 1))
    assert caught.value.hint == "the days are 2026-03-11 to 2026-03-13"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("date=2026-02-30/colors.csv", UsageError),
        ("date=20260313/colors.csv", UsageError),
        ("date=__HIVE_DEFAULT_PARTITION__/colors.csv", UsageError),
        ("colors.csv", UsageError),
        ("a=1.csv", UsageError),
        ("desk=NY/colors.csv", None),
    ],
)
def test_rows_without_a_day(history: Path, name: str, kind: type[Exception] | None) -> None:
    """Rows outside of the folders of days would be lost: they are refused by name."""
    (history / name).parent.mkdir(exist_ok=True)
    write_colors(history / name, "7,037833100,1,2026-03-13,98.5,x")
    if kind is None:
        with pytest.raises(UsageError, match="is in no folder of a day"):
            find_days([str(history)])
        (history / name).unlink()
        write_colors(history / DAYS[0] / "more.csv", "7,037833100,1,2026-03-13,98.5,x")
        assert len(find_days([str(history)])) == 3
    else:
        with pytest.raises(kind):
            find_days([str(history)])


def test_a_day_in_several_folders(history: Path, tmp_path: Path) -> None:
    """Folders of desks may hold the same days: each day is ranked as a whole."""
    (history / "desk=NY").mkdir()
    for name in DAYS:
        (history / name).rename(history / "desk=NY" / name)
    shutil.copytree(history / "desk=NY", history / "desk=LN")
    ranked = rank(history)
    assert states(ranked) == "rrr"
    assert summary_of(tmp_path / "results" / "date=2026-03-11")["rows"]["children"] == 1


def test_the_results_are_not_written_into_the_history(history: Path) -> None:
    """The next run would read them as colors."""
    with pytest.raises(UsageError, match="holds the input"):
        run_days(find_days([str(history)]), RunOptions(output=history))


def test_the_command(history: Path, tool: Tool) -> None:
    """A table or JSON; warnings and errors begin with the day; options need --by-day."""
    write_colors(history / DAYS[1] / "colors.csv", "n/a,037833100,1,2026-03-13,98.5,x")
    words = ("run-colors", history, "--by-day", "--output", "out", "--since", "2026-03-12")
    shown = tool.run(*words)
    assert shown.code == 9
    assert "2026-03-12: error: the only row cannot be used: MESSAGE_ID: 'n/a'" in shown.err
    assert [line.split()[:2] for line in shown.out.splitlines()[1:]] == [
        ["2026-03-12", "failed"],
        ["2026-03-13", "ranked"],
    ]
    days = json.loads(tool.run(*words, "--format", "json").out)["days"]
    assert [day["state"] for day in days] == ["failed", "unchanged"]
    assert days[0]["error"]["check"] == "MP-DAT-020"
    for wrong in (
        ("--since", "2026-03-12"),
        ("--by-day", "--until", "12.3.2026"),
        ("--by-day", "--explain", "037833100"),
        ("--by-day", "--table", "COLORS"),
    ):
        assert tool.run("run-colors", history, *wrong).code == 2


def test_days_of_the_same_rows(history: Path) -> None:
    """They are one run: their objects would have the same keys, so the last is published."""
    shutil.copy(history / DAYS[0] / "colors.csv", history / DAYS[2] / "colors.csv")
    published = rank(history).published_days()
    days = [[result.day.day for result in same] for same in published.values()]
    assert days == [[12], [11, 13]]


def test_days_without_a_color_are_not_published(history: Path) -> None:
    """Neither one that the rules take whole nor one that has failed and has no earlier results."""
    write_colors(history / DAYS[0] / "colors.csv", "7,037833100,1,2026-03-13,98.5,excluded")
    write_colors(history / DAYS[1] / "colors.csv", "8,037833100,1,2026-03-13,n/a,rejected")
    ranked = rank(history, rules=where("NOTE", "equals", "excluded"))
    assert states(ranked) == "rfr"
    published = [day.day for (day,) in ranked.published_days().values()]
    assert published == [date(2026, 3, 13)]
