"""The command line as its users meet it: a process, its output, its messages, its exit code."""

import csv
import hashlib
import io
import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from support import COLORS, DAY, MOMENT, RULES, Result, Tool
from typer.testing import CliRunner

import marketpulse
from marketpulse.cli.app import app

OUTPUTS = ("processed_colors", "excluded_colors", "rejected_colors")
NUMBERS = {"read": 2003, "parents": 300, "children": 1406, "excluded": 278, "rejected": 19}

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals, pipes and devices")


def summary_of(folder: Path) -> Any:
    """The seal of a finished run."""
    return json.loads((folder / "run_summary.json").read_text(encoding="utf-8"))


def names_in(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def without_run_columns(path: Path) -> str:
    """A processed file without the three columns that name its run."""
    left = ("RUN_ID", "PROCESSED_AT", "PROCESSING_TYPE")
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    places = [place for place, name in enumerate(header) if name not in left]
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerows([row[place] for place in places] for row in [header, *rows])
    return text.getvalue()


# -- run-colors ------------------------------------------------------------------------------------


def test_a_day_comes_out_as_the_desk_expects(tool: Tool) -> None:
    """run-colors ranks the day, exits 0, counts on stdout and warns on stderr."""
    result = tool.run_colors("--rules", RULES)

    assert result.code == 0
    assert [line.split()[:3] for line in result.out.splitlines()[1:6]] == [
        ["rows", "read", "2003"],
        ["rejected", "19", "see"],
        ["excluded", "278", "by"],
        ["parents", "300", "one"],
        ["children", "1406", "of"],
    ]
    assert "warning: 19 rows were rejected:" in result.err
    assert "4: PX: 'n/a' is not a number" in result.err
    assert "2 rows with a CUSIP" in result.err
    assert "2 rows with a rank outside 1 to 6" in result.err
    expected = DAY / "expected"
    processed = without_run_columns(tool.out / "processed_colors.csv")
    ranked = expected / "rank_date_price_rules.csv"
    assert processed == without_run_columns(ranked)
    for name in ("excluded", "rejected"):
        written = (tool.out / f"{name}_colors.csv").read_bytes()
        assert written == (expected / f"rank_date_price_rules.{name}.csv").read_bytes()


def test_json_on_stdout_is_the_summary_and_nothing_else(tool: Tool) -> None:
    """--format json prints one document: what run_summary.json says, and the folder."""
    result = tool.run_colors("--rules", RULES, "--format", "json")

    assert result.code == 0
    assert json.loads(result.out) == {**summary_of(tool.out), "output": "out"}
    assert summary_of(tool.out)["rows"] == NUMBERS
    assert "19 rows were rejected" in result.err


def test_the_summary_names_every_file_with_its_digest(tool: Tool) -> None:
    """run_summary.json lists each file with its bytes and SHA-256."""
    assert tool.run_colors("--formats", "csv,ndjson,json,parquet,xlsx").code == 0

    files = {file["name"]: file for file in summary_of(tool.out)["files"]}
    assert sorted([*files, "run_summary.json"]) == names_in(tool.out)
    for name, file in files.items():
        content = (tool.out / name).read_bytes()
        assert file["bytes"] == len(content)
        assert file["sha256"] == hashlib.sha256(content).hexdigest()


def test_quiet_says_nothing_but_errors(tool: Tool) -> None:
    """-q silences warnings and keeps the counts on stdout."""
    result = tool.run("-q", "run-colors", COLORS, "--output", "out", "--rules", RULES)
    assert (result.code, result.err) == (0, "")
    assert "2003" in result.out

    missing = tool.run("-q", "run-colors", "nowhere.csv")
    assert missing.code == 6
    assert missing.err.startswith("error: nowhere.csv: no such file")


def test_no_escape_codes_off_a_terminal(tool: Tool) -> None:
    """A pipe gets no colour, no matter what the terminal could do."""
    tool.env = {**tool.env, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    del tool.env["NO_COLOR"]
    for words in (
        ("--help",),
        ("config",),
        ("run-colors", COLORS, "--rules", RULES, "--output", "out"),
        ("rules", "check", RULES),
        ("run-colors", "nowhere.csv"),
        ("run-colors", "--bogus"),
    ):
        result = tool.run(*words)
        assert "\x1b" not in result.out + result.err, words


def test_cells_cannot_command_the_terminal(tool: Tool) -> None:
    """A cell with escape codes is shown, never obeyed."""
    lines = COLORS.read_text(encoding="utf-8").splitlines()[:3]
    lines[1] = lines[1].replace("99.22,SANTANDER", "\x1b]0;owned\x07\x9b31m,SANTANDER\x1b[2J")
    (tool.folder / "colors.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    ranked = tool.run("run-colors", "colors.csv", "--output", "out")
    explained = tool.run("run-colors", "colors.csv", "--explain", "1TEKH3IR5")

    assert (ranked.code, explained.code) == (0, 0)
    assert "owned" in ranked.err
    assert "owned" in explained.out
    for mark in "\x1b\x07\x9b":
        assert mark not in ranked.out + ranked.err + explained.out + explained.err


def test_the_same_rows_give_the_same_bytes(tool: Tool) -> None:
    """Shuffled rows, with the time given, come out byte for byte the same."""
    with COLORS.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    random.Random(1).shuffle(rows)
    with (tool.folder / "shuffled.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    assert tool.run_colors("--rules", RULES).code == 0
    other = tool.run("run-colors", "shuffled.csv", *MOMENT, "--rules", RULES, "--output", "other")

    assert other.code == 0
    name = "processed_colors.csv"
    assert (tool.out / name).read_bytes() == (tool.folder / "other" / name).read_bytes()


def test_a_header_alone_is_an_empty_day(tool: Tool) -> None:
    """An input without rows gives empty outputs and exit 0."""
    header = COLORS.read_text(encoding="utf-8").splitlines()[0]
    (tool.folder / "colors.csv").write_text(header + "\n", encoding="utf-8")
    result = tool.run("run-colors", "colors.csv", "--output", "out")

    assert (result.code, result.err) == (0, "")
    assert set(summary_of(tool.out)["rows"].values()) == {0}
    for name in OUTPUTS:
        assert len((tool.out / f"{name}.csv").read_text(encoding="utf-8").splitlines()) == 1


# -- --explain -------------------------------------------------------------------------------------


def test_explain_tells_why_and_writes_nothing(tool: Tool) -> None:
    """--explain shows a security's rows in their order, in words, and makes no folder."""
    result = tool.run_colors("--rules", RULES, "--explain", " 1tekh3ir5 ")

    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("1TEKH3IR5: ")
    assert "1. parent: " in result.out
    assert "runner-up: decided by " in result.out
    assert not tool.out.exists()


def test_explain_agrees_with_what_is_written(tool: Tool) -> None:
    """--explain as JSON has the same parent, children and exclusions as the outputs."""
    assert tool.run_colors("--rules", RULES).code == 0
    with (tool.out / "processed_colors.csv").open(encoding="utf-8", newline="") as file:
        processed = [row for row in csv.DictReader(file) if row["CUSIP"] == "00GC0UY95"]
    with (tool.out / "excluded_colors.csv").open(encoding="utf-8", newline="") as file:
        excluded = [
            row for row in csv.DictReader(file) if row["CUSIP"].strip().upper() == "00GC0UY95"
        ]
    shutil.rmtree(tool.out)
    result = tool.run_colors("--rules", RULES, "--explain", "00GC0UY95", "--format", "json")

    assert (result.code, result.err) == (0, "")
    explained = json.loads(result.out)
    assert explained["cusip"] == "00GC0UY95"
    by_outcome: dict[str, list[Any]] = {}
    for row in explained["rows"]:
        by_outcome.setdefault(row["outcome"], []).append(row)
    assert [row["cells"]["PX"] for row in (*by_outcome["parent"], *by_outcome["child"])] == [
        row["PX"] for row in processed
    ]
    assert [row["position"] for row in by_outcome["child"]] == list(range(2, len(processed) + 1))
    assert len(by_outcome.get("excluded", ())) == len(excluded)
    assert not tool.out.exists()


# -- rules -----------------------------------------------------------------------------------------


def test_rules_check_passes_sound_rules(tool: Tool) -> None:
    """Rules check exits 0 and counts the rules; as JSON it says the same."""
    text = tool.run("rules", "check", RULES)
    as_json = tool.run("rules", "check", RULES, "--format", "json")

    assert (text.code, as_json.code, text.err, as_json.err) == (0, 0, "", "")
    assert "4 active rules, 1 switched off, 0 errors" in text.out
    checked = json.loads(as_json.out)
    assert (checked["active"], checked["inactive"], checked["errors"]) == (4, 1, 0)


def test_rules_check_lists_every_fault(tool: Tool) -> None:
    """Rules check exits 7 and lists all faults, not the first alone."""
    wrong = RULES.read_text(encoding="utf-8")
    wrong = wrong.replace("is equal to", "is eqal to").replace('"between"', '"betwen"')
    (tool.folder / "rules.json").write_text(wrong, encoding="utf-8")
    text = tool.run("rules", "check", "rules.json")
    as_json = tool.run("rules", "check", "rules.json", "--format", "json")

    assert (text.code, as_json.code, text.err, as_json.err) == (7, 7, "", "")
    assert "'is eqal to' is not an operator, did you mean 'equals'?" in text.out
    assert "'betwen' is not an operator, did you mean 'between'?" in text.out
    faults = [fault["place"] for fault in json.loads(as_json.out)["faults"] if fault["fatal"]]
    assert faults == [
        "rule 1 ('No Stonex'), condition 1",
        "rule 3 ('Distressed talk'), condition 1",
    ]


def test_the_funnel_adds_up(tool: Tool) -> None:
    """Rules test shows, rule by rule, rows that sum to what a run excludes."""
    text = tool.run("rules", "test", COLORS, "--rules", RULES)
    as_json = tool.run("rules", "test", COLORS, "--rules", RULES, "--format", "json")

    assert (text.code, as_json.code, as_json.err) == (0, 0, "")
    funnel = json.loads(as_json.out)
    left = funnel["read"] - funnel["rejected"]
    for stage in funnel["stages"]:
        assert 0 <= stage["takes"] <= stage["matches"]
        left -= stage["takes"]
        assert stage["left"] == left
    assert left == NUMBERS["parents"] + NUMBERS["children"]
    assert [stage["id"] for stage in funnel["stages"]] == ["1", "2", "3", "5"]
    assert sum(stage["takes"] for stage in funnel["stages"]) == NUMBERS["excluded"]
    assert text.out.splitlines()[-1].split()[-1] == str(left)


# -- config, settings, secrets ---------------------------------------------------------------------


def test_config_shows_the_winner_and_the_losers(tool: Tool) -> None:
    """Config names each setting's place, and the places that have it too."""
    (tool.folder / ".env").write_text("ORACLE_HOST=from-file\nORACLE_PORT=1522\n", encoding="utf-8")
    tool.env |= {"ORACLE_HOST": "from-environment"}
    text = tool.run("config")
    as_json = tool.run("config", "--format", "json")

    assert (text.code, as_json.code, text.err, as_json.err) == (0, 0, "", "")
    settings = {it["name"]: it for it in json.loads(as_json.out)}
    assert settings["ORACLE_HOST"] == {
        "name": "ORACLE_HOST",
        "value": "from-environment",
        "from": "environment",
        "also": [".env"],
    }
    assert (settings["ORACLE_PORT"]["value"], settings["ORACLE_PORT"]["from"]) == ("1522", ".env")
    assert settings["APP_PREFIX"]["from"] == "default"
    (line,) = (line for line in text.out.splitlines() if line.startswith("ORACLE_HOST"))
    assert line.split() == ["ORACLE_HOST", "from-environment", "environment", ".env"]


def test_secrets_are_printed_and_written_nowhere(tool: Tool) -> None:
    """No user name and no password shows up in any output, message or file."""
    secrets = {"ORACLE_PASSWORD": "0pen-Sesame-11", "ORACLE_USERNAME": "ALI_BABA_40"}
    in_file = {"ORACLE_PASSWORD": "0pen-Barley-22", "ORACLE_USERNAME": "KASSIM_41"}
    tool.env |= secrets
    dotenv = tool.folder / ".env"
    dotenv.write_text("\n".join(f"{name}={it}" for name, it in in_file.items()), encoding="utf-8")
    wrong_port = {**tool.env, "ORACLE_PORT": "0pen-Sesame-11"}
    results = [
        tool.run("config"),
        tool.run("-v", "-v", "config", "--format", "json"),
        tool.run("config", env=wrong_port),
        tool.run("-v", "-v", "config", "--format", "json", env=wrong_port),
        tool.run("-v", "-v", "run-colors", env=wrong_port),
        tool.run("-v", "-v", "run-colors", COLORS, "--rules", RULES, "--output", "out"),
        tool.run("-v", "-v", "run-colors"),
        tool.run("-v", "rules", "test", "nowhere.csv", "--rules", RULES),
    ]

    assert [it.code for it in results] == [0, 0, 3, 3, 3, 0, 3, 6]
    printed = "".join(it.out + it.err for it in results)
    files = [path for path in tool.folder.rglob("*") if path.is_file() and path != dotenv]
    written = "".join(path.read_text(encoding="utf-8") for path in files)
    assert "run_summary.json" in {path.name for path in files}
    for secret in (*secrets.values(), *in_file.values()):
        assert secret not in printed
        assert secret not in written
    assert "********" in printed
    assert "error: ORACLE_PORT (environment): " in printed


def test_source_stands_before_or_after_the_command(tool: Tool) -> None:
    """--source before the command, after it, and MARKETPULSE_SOURCE all name the input."""
    shutil.copy(COLORS, tool.folder / "colors.csv")
    asked = ("--format", "json", *MOMENT, "--output", "out")
    before = tool.run("--source", "colors.csv", "run-colors", *asked)
    after = tool.run("run-colors", "--source", "colors.csv", *asked)
    tool.env |= {"MARKETPULSE_SOURCE": "colors.csv"}
    environment = tool.run("run-colors", *asked)

    assert [it.code for it in (before, after, environment)] == [0, 0, 0]
    assert before.out == after.out == environment.out


def test_the_nearest_source_wins(tool: Tool) -> None:
    """--source after the command beats the one before it, both beat the environment and .env."""
    tool.env |= {"MARKETPULSE_SOURCE": "environment.csv"}
    both = tool.run("--source", "before.csv", "run-colors", "--source", "after.csv")
    before = tool.run("--source", "before.csv", "run-colors")
    environment = tool.run("run-colors")
    (tool.folder / "desk.env").write_text("MARKETPULSE_SOURCE=file.csv", encoding="utf-8")
    del tool.env["MARKETPULSE_SOURCE"]
    file = tool.run("--env-file", "desk.env", "run-colors")

    assert [it.code for it in (both, before, environment, file)] == [6, 6, 6, 6]
    assert both.err.startswith("error: after.csv: ")
    assert before.err.startswith("error: before.csv: ")
    assert environment.err.startswith("error: environment.csv: ")
    assert file.err.startswith("error: file.csv: ")


# -- the words of the tool itself ------------------------------------------------------------------


def commands(group: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """The words of every command and group of commands."""
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *path, name)


@pytest.mark.parametrize("path", list(commands(typer.main.get_command(app))), ids=" ".join)
def test_every_command_has_help(tool: Tool, path: tuple[str, ...]) -> None:
    """--help and -h of every command exit 0, with its usage on stdout and nothing beside it."""
    long, short = tool.run(*path, "--help"), tool.run(*path, "-h")

    assert (long.code, long.err) == (0, "")
    assert long.out.startswith(f"Usage: {' '.join(('marketpulse', *path))} ")
    assert short == long


def test_version(tool: Tool) -> None:
    """--version prints the version and exits 0."""
    assert tool.run("--version") == Result(0, f"marketpulse {marketpulse.__version__}\n", "")


@posix
def test_completion(tool: Tool) -> None:
    """The shell completes commands; where the shell is unknown, one line says so."""
    shown = tool.run("--show-completion", "bash")
    completed = tool.run(
        env={
            **tool.env,
            "_MARKETPULSE_COMPLETE": "complete_bash",
            "COMP_WORDS": "marketpulse run",
            "COMP_CWORD": "1",
        }
    )

    if shown.code:
        assert shown.out == ""
        assert len(shown.err.splitlines()) == 1
    else:
        assert "_MARKETPULSE_COMPLETE" in shown.out
    assert completed.code == 0
    assert completed.out.splitlines() == ["run-colors"]


# -- wrong input -----------------------------------------------------------------------------------


def colors_text(*, drop: str = "", rename: dict[str, str] | None = None) -> str:
    """Three rows of the day as CSV, a column dropped or renamed."""
    with COLORS.open(encoding="utf-8", newline="") as file:
        header, *rows = [row for row, _ in zip(csv.reader(file), range(4), strict=False)]
    places = [place for place, name in enumerate(header) if name != drop]
    names = [(rename or {}).get(name, name) for name in header]
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerows([row[place] for place in places] for row in [names, *rows])
    return text.getvalue()


def rules_text(**changes: Any) -> str:
    """The day's rules, with the first condition changed."""
    rules = json.loads(RULES.read_text(encoding="utf-8"))
    rules["rules"][0]["conditions"][0].update(changes)
    return json.dumps(rules)


WRONG_FILES: dict[str, str | bytes] = {
    "colors.csv": colors_text(),
    "no_price.csv": colors_text(drop="PX"),
    "renamed.csv": colors_text(rename={"PX": "MID_PRICE"}),
    "empty.csv": b"",
    "blank.csv": b"\n \n",
    "utf16.csv": colors_text().encode("utf-16"),
    "latin1.csv": colors_text().replace("東京", "").encode("latin-1"),
    "open_quote.csv": colors_text().replace("KKR", '"KKR'),
    "after_quote.csv": colors_text().replace("SANTANDER", '"SAN"TANDER'),
    "two_of_one_name.csv": colors_text(rename={"PRICE_LEVEL": "PX"}),
    "two_by_case.csv": colors_text(rename={"PRICE_LEVEL": " px "}),
    "reserved.csv": colors_text(rename={"NOTE": "is_parent"}),
    "semicolons.csv": colors_text().replace(",", ";"),
    "text.xlsx": colors_text(),
    "garbage.parquet": bytes(range(256)),
    "broken.json": '[{"MESSAGE_ID": 1}, {"MESSAGE_ID": ',
    "no_objects.json": '[{"MESSAGE_ID": 1}, 2]',
    "odd.txt": "x",
    "in_the_way": "a file",
    "operator.json": rules_text(operator="eqals"),
    "column.json": rules_text(column="SOURC"),
    "unfit.json": rules_text(operator="less than"),
    "value.json": rules_text(column="PX", operator="gt", value="two"),
    "no_value.json": rules_text(value=""),
    "not.json": '{"rules": [\n  {"id": 1,\n',
    "twice.json": '{"rules": [], "rules": []}',
    "nan.json": '{"rules": [{"id": NaN}]}',
    "latin1.json": '{"rules": ["é"]}'.encode("latin-1"),
    "broken.toml": "[[rules]]\nid = 1\nname = No Stonex\n",
}


@dataclass(frozen=True)
class Wrong:
    """A command that cannot be done, its exit code, and what its message has to name."""

    code: int
    words: str
    says: Sequence[str]


WRONG = {
    "a column is missing": Wrong(7, "no_price.csv", ["no column PX", "--map price="]),
    "a column has another name": Wrong(
        7, "renamed.csv", ["no column PX", "--map price=", "MID_PRICE"]
    ),
    "unknown operator": Wrong(
        7,
        "colors.csv --rules operator.json",
        ["operator.json: rule 1 ('No Stonex'), condition 1: 'eqals'", "did you mean 'equals'?"],
    ),
    "unknown column in a rule": Wrong(
        7,
        "colors.csv --rules column.json",
        ["column.json: rule 1 ('No Stonex'), condition 1:", "'SOURC', did you mean SOURCE?"],
    ),
    "an operator that the column's type has not": Wrong(
        7,
        "colors.csv --rules unfit.json",
        ["unfit.json: rule 1 ('No Stonex'), condition 1:", "SOURCE is a text", "'less_than'"],
    ),
    "a value of the wrong type": Wrong(
        7,
        "colors.csv --rules value.json",
        ["value.json: rule 1 ('No Stonex'), condition 1: 'two' is not a number", "PX"],
    ),
    "a value is missing": Wrong(
        7, "colors.csv --rules no_value.json", ["rule 1 ('No Stonex'), condition 1", '"value"']
    ),
    "unknown key": Wrong(
        2, "colors.csv --hierarchy rank,date,prize", ["'prize'", "did you mean price?"]
    ),
    "the same key twice": Wrong(2, "colors.csv --hierarchy rank,rank,date", ["rank,rank,date"]),
    "a key left out": Wrong(2, "colors.csv --hierarchy rank,date", ["--hierarchy", "rank,date"]),
    "unknown name to map": Wrong(
        2, "colors.csv --map prise=PX", ["--map", "'prise'", "did you mean price?"]
    ),
    "half a mapping": Wrong(2, "colors.csv --map price", ["--map", "'price'"]),
    "mapped twice": Wrong(2, "colors.csv --map price=PX --map px=BID", ["--map", "PX"]),
    "mapped to a column that is not there": Wrong(
        7, "colors.csv --map price=PRICE_LEVL", ["'PRICE_LEVL'", "did you mean PRICE_LEVEL?"]
    ),
    "empty file": Wrong(7, "empty.csv", ["empty.csv: the file is empty"]),
    "blank file": Wrong(7, "blank.csv", ["blank.csv: the file is empty"]),
    "UTF-16": Wrong(7, "utf16.csv", ["utf16.csv: line 1: ", "UTF-16", "UTF-8"]),
    "Latin-1": Wrong(7, "latin1.csv", ["latin1.csv: line 2: byte 0xE9", "UTF-8"]),
    "a quote never closed": Wrong(7, "open_quote.csv", ["open_quote.csv: line 3: a quote"]),
    "text after a closing quote": Wrong(7, "after_quote.csv", ["after_quote.csv: line 2: a quote"]),
    "two columns of one name": Wrong(7, "two_of_one_name.csv", ["two_of_one_name.csv", "'PX'"]),
    "two columns of one name but for case": Wrong(
        7, "two_by_case.csv", ["two_by_case.csv", "' px '", "'PX'"]
    ),
    "a name that the output adds": Wrong(7, "reserved.csv", ["'is_parent'"]),
    "semicolons": Wrong(7, "semicolons.csv", ["semicolons.csv", "';'"]),
    "a folder without files": Wrong(6, "nothing", ["nothing: the folder holds no .csv"]),
    "a missing file": Wrong(
        6, "colrs.csv", ["colrs.csv: no such file", "did you mean: colors.csv"]
    ),
    "a table and no file": Wrong(6, "COLORS", ["no such file", "--table COLORS"]),
    "a missing folder": Wrong(6, "far/colors.csv", ["no such file", "no folder far"]),
    "a glob without files": Wrong(6, "x*.csv", ["x*.csv: no such file"]),
    "a folder with a file's name": Wrong(6, "folder.csv", ["folder.csv: the folder holds no .csv"]),
    "a file of no format": Wrong(6, "odd.txt", ["odd.txt: the name ends in none of .csv"]),
    "a workbook that is text": Wrong(7, "text.xlsx", ["text.xlsx: this is not an XLSX workbook"]),
    "Parquet that is none": Wrong(7, "garbage.parquet", ["garbage.parquet: this is not Parquet"]),
    "broken JSON": Wrong(7, "broken.json", ["broken.json: broken JSON"]),
    "JSON without objects": Wrong(7, "no_objects.json", ["no_objects.json: value 2"]),
    "two places for the input": Wrong(2, "colors.csv --source colors.csv", ["INPUT and --source"]),
    "no input at all": Wrong(3, "", ["ORACLE_HOST", "are not set", "name a file"]),
    "no such rules": Wrong(6, "colors.csv --rules rulez.json", ["rulez.json: the rules cannot"]),
    "rules that are a folder": Wrong(
        6, "colors.csv --rules nothing", ["nothing: the rules cannot"]
    ),
    "rules that are no JSON": Wrong(
        7, "colors.csv --rules not.json", ["not.json: line 3, column 1: this is not JSON"]
    ),
    "rules in Latin-1": Wrong(
        7, "colors.csv --rules latin1.json", ["latin1.json: byte 12 is not UTF-8"]
    ),
    "rules that are no TOML": Wrong(
        7, "colors.csv --rules broken.toml", ["broken.toml: this is not TOML", "line 3"]
    ),
    "a key twice in the rules": Wrong(
        7, "colors.csv --rules twice.json", ["twice.json: the key 'rules' appears twice"]
    ),
    "NaN in the rules": Wrong(7, "colors.csv --rules nan.json", ["nan.json: NaN is not JSON"]),
    "unknown format": Wrong(2, "colors.csv --formats csv,doc", ["--formats: 'doc'", "csv, ndjson"]),
    "an empty format": Wrong(2, "colors.csv --formats ''", ["--formats: nothing"]),
    "no format": Wrong(2, "colors.csv --formats ,", ["--formats: nothing"]),
    "no time": Wrong(2, "colors.csv --processed-at noon", ["--processed-at: 'noon'"]),
    "a time before time": Wrong(
        2, "colors.csv --processed-at 0001-01-01T00:00+05:00", ["--processed-at: '0001-01-01"]
    ),
    "no size": Wrong(2, "colors.csv --memory-limit lots", ["--memory-limit: 'lots'", "2GB"]),
    "a size without unit": Wrong(2, "colors.csv --memory-limit=-5", ["--memory-limit: '-5'"]),
    "more rejected than allowed": Wrong(
        7, f"{COLORS} --max-rejected 18", ["19 rows", "--max-rejected 18", "'n/a' is not a number"]
    ),
    "no name": Wrong(6, "''", ["the input's name is empty"]),
    "a name longer than names can be": Wrong(2, f"{'x' * 300}.csv", ["File name too long"]),
    "unknown option": Wrong(2, "colors.csv --bogus", ["--bogus"]),
    "unknown choice": Wrong(2, "colors.csv --processing-type X", ["--processing-type", "'X'"]),
    "no number": Wrong(2, "colors.csv --max-rejected few", ["--max-rejected", "integer"]),
}


@pytest.fixture(scope="session")
def wrong_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every kind of file that cannot be used."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "nothing").mkdir()
    (folder / "folder.csv").mkdir()
    for name, content in WRONG_FILES.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def one_message(err: str) -> str:
    """The message on standard error: one line, and at most one hint."""
    lines = err.splitlines()
    if lines[0].startswith("Usage: "):  # how wrong usage is answered: usage, where help is, error
        assert [line.split(" ")[0] for line in lines] == ["Usage:", "Try", "", "Error:"]
    else:
        assert lines[0].startswith("error: ")
        assert [line[:8] for line in lines[1:]] in ([], ["  hint: "])
    assert "Traceback" not in err
    assert "a fault of MarketPulse" not in err
    return err


@pytest.mark.parametrize("wrong", list(WRONG.values()), ids=list(WRONG))
def test_wrong_input_is_one_clear_message(wrong: Wrong, wrong_files: Path, tmp_path: Path) -> None:
    """What cannot be done says what and where, on stderr alone, and writes nothing."""
    tool = Tool(tmp_path / "home")
    output = tmp_path / "out"
    before = names_in(wrong_files)
    result = tool.run("run-colors", *shlex.split(wrong.words), "--output", output, cwd=wrong_files)

    assert (result.code, result.out) == (wrong.code, "")
    message = one_message(result.err)
    for words in wrong.says:
        assert words in message
    assert not output.exists()
    assert names_in(wrong_files) == before
    assert names_in(tool.temporary) == []


@pytest.mark.parametrize("wrong", list(WRONG.values()), ids=list(WRONG))
def test_wrong_input_as_json(
    wrong: Wrong, wrong_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --format json the message on stderr is one JSON object that says the same."""
    monkeypatch.chdir(wrong_files)
    monkeypatch.delenv("MARKETPULSE_SOURCE", raising=False)
    output = tmp_path / "out"
    words = ["run-colors", *shlex.split(wrong.words), "--output", str(output), "--format", "json"]
    result = CliRunner().invoke(app, words)

    assert (result.exit_code, result.stdout) == (wrong.code, "")
    (line,) = result.stderr.splitlines()
    (error,) = json.loads(line).values()
    assert list(error) == ["check", "message", "hint", "exit_code"]
    assert error["exit_code"] == wrong.code
    assert error["check"] != "MP-BUG-001"
    for words_said in wrong.says:
        assert words_said in f"{error['message']} {error['hint']}"
    assert not output.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("run-colors", "nowhere.csv", "--format", "json"),
        ("run-colors", "--format=json", "--bogus"),
        ("--bogus", "run-colors", "--format", "json"),
        ("bogus", "--format", "json"),
        ("rules", "bogus", "--format", "json"),
        ("rules", "check", "--format", "json"),
        ("rules", "check", "nowhere.json", "--format", "json"),
        ("config", "--format", "json", "surplus"),
        ("--env-file", "nowhere.env", "config", "--format", "json"),
    ],
    ids=" ".join,
)
def test_errors_are_json_where_json_is_asked_for(tool: Tool, words: tuple[str, ...]) -> None:
    """A process that is asked for JSON answers wrong usage and missing files in JSON too."""
    result = tool.run(*words)

    assert result.out == ""
    error = json.loads(result.err)["error"]
    assert error["exit_code"] == result.code
    assert result.code in {2, 6}
    assert error["message"]


@posix
def test_an_unreadable_file(tool: Tool) -> None:
    """A file that may not be read is named, and why."""
    for words, unreadable in (
        (("colors.csv",), "colors.csv"),
        ((COLORS, "--rules", "rules.json"), "rules.json"),
    ):
        (tool.folder / unreadable).touch(mode=0o000)
        if os.access(tool.folder / unreadable, os.R_OK):
            pytest.skip("this user may read anything")
        result = tool.run("run-colors", *words, "--output", "out")
        assert (result.code, result.out) == (6, "")
        assert f"error: {unreadable}: " in one_message(result.err)
        assert "Permission denied" in result.err
        assert not tool.out.exists()


def test_an_output_folder_that_is_a_file(tool: Tool) -> None:
    """A file where the output folder should be stays, and is named."""
    (tool.folder / "out").write_text("mine", encoding="utf-8")
    for output in ("out", "out/inner"):
        result = tool.run("run-colors", COLORS, "--output", output)
        assert (result.code, result.out) == (2, "")
        assert "error: out" in one_message(result.err)
    assert (tool.folder / "out").read_text(encoding="utf-8") == "mine"


@posix
def test_a_read_only_output_folder(tool: Tool) -> None:
    """A folder that may not be written is named, and nothing is left in it."""
    tool.out.mkdir(mode=0o555)
    if os.access(tool.out, os.W_OK):
        pytest.skip("this user may write anywhere")
    for output in ("out", "out/inner"):
        result = tool.run("run-colors", COLORS, "--output", output)
        assert (result.code, result.out) == (2, "")
        assert "Permission denied" in one_message(result.err)
    assert names_in(tool.out) == []


# -- the output folder -----------------------------------------------------------------------------


def test_a_second_run_replaces_the_first(tool: Tool) -> None:
    """A new run's set replaces the old one's, other formats and leftover parts too."""
    assert tool.run_colors("--formats", "csv,json").code == 0
    first = summary_of(tool.out)
    foreign = {
        "notes.txt": b"mine",
        "processed_colors.csv.bak": b"mine",
        "processed_colors_2025.csv": b"mine",
        "other.part": b"mine",
    }
    for name, content in foreign.items():
        (tool.out / name).write_bytes(content)
    for name in ("processed_colors.csv.0a1b2c3d.part", "run_summary.json.0a1b2c3d.part"):
        (tool.out / name).write_bytes(b"half")
    (tool.out / "excluded_colors.parquet").mkdir()  # a folder is no file of ours
    assert tool.run_colors("--formats", "ndjson,csv", "--rules", RULES).code == 0

    second = summary_of(tool.out)
    assert second["run_id"] != first["run_id"]
    expected = {f"{name}.{form}" for name in OUTPUTS for form in ("csv", "ndjson")}
    expected |= {"run_summary.json", "excluded_colors.parquet", *foreign}
    assert set(names_in(tool.out)) == expected
    for name, content in foreign.items():
        assert (tool.out / name).read_bytes() == content


def test_no_file_of_anybody_else_is_replaced(tool: Tool) -> None:
    """A file with a name of ours that no run has written, the input above all, stays as it is."""
    tool.out.mkdir()
    shutil.copy(COLORS, tool.out / "processed_colors.csv")
    (tool.out / "rejected_colors.parquet").write_bytes(b"mine")
    day = COLORS.read_bytes()
    refused = tool.run_colors()
    assert refused.code == 2
    assert "processed_colors.csv: it would be overwritten" in one_message(refused.err)
    for formats in ("csv", "json"):
        words = ("out/processed_colors.csv", "--formats", formats, "--output", "out")
        refused = tool.run("run-colors", *words)
        assert refused.code == 2
        assert "would replace what they are made of" in one_message(refused.err)
    assert tool.run_colors("--formats", "ndjson").code == 0
    assert tool.run_colors("--formats", "ndjson,json").code == 0
    assert (tool.out / "processed_colors.csv").read_bytes() == day
    assert (tool.out / "rejected_colors.parquet").read_bytes() == b"mine"


def test_a_summary_of_other_files_is_another_programs(tool: Tool) -> None:
    """Whatever a file of that name lists, nothing but a run's own results is ever removed."""
    tool.out.mkdir()
    shutil.copy(COLORS, tool.out / "colors.csv")
    said = {"run_id": "0" * 16, "files": [{"name": "notes.txt"}, {"name": "colors.csv"}]}
    for name, text in (("notes.txt", "mine"), ("run_summary.json", json.dumps(said))):
        (tool.out / name).write_text(text, encoding="utf-8")
    before = names_in(tool.out)
    refused = tool.run("run-colors", "out/colors.csv", "--output", "out")
    assert refused.code == 2
    assert "run_summary.json: it is another program's" in one_message(refused.err)
    assert names_in(tool.out) == before


def test_an_address_is_no_folder(tool: Tool) -> None:
    """--output with an address of S3 writes nowhere, and says what would."""
    for words in (("run-colors", COLORS), ("list-tables", "--source", "demo")):
        refused = tool.run(*words, "--output", "s3://bucket/prefix")
        assert refused.code == 2
        assert "--push" in one_message(refused.err)
    assert names_in(tool.folder) == ["tmp"]


def test_the_tour_takes_no_file_of_anybody_else(tool: Tool) -> None:
    """Rules that were changed after a tour are tried by the next; other colors are refused."""
    assert tool.run("demo", "tour", "--rows", "50").code == 0
    rules = tool.folder / "tour/rules.json"
    rules.write_text('{"rules": []}', encoding="utf-8")
    assert tool.run("demo", "tour", "--rows", "60").code == 0
    assert rules.read_text(encoding="utf-8") == '{"rules": []}'
    assert summary_of(tool.folder / "tour/results")["rows"]["excluded"] == 0
    (tool.folder / "tour/colors.csv").write_text("mine", encoding="utf-8")
    refused = tool.run("demo", "tour")
    assert refused.code == 2
    assert "tour/colors.csv: it would be overwritten" in one_message(refused.err)


def test_a_failing_run_leaves_the_finished_one(tool: Tool) -> None:
    """A run that fails before it writes leaves an earlier run's files as they are."""
    assert tool.run_colors().code == 0
    before = {name: (tool.out / name).read_bytes() for name in names_in(tool.out)}
    assert tool.run_colors("--max-rejected", "1").code == 7

    assert {name: (tool.out / name).read_bytes() for name in names_in(tool.out)} == before


@pytest.fixture(scope="session")
def big_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some 60,000 rows, made of the day's."""
    header, *rows = COLORS.read_text(encoding="utf-8").splitlines(keepends=True)
    path = tmp_path_factory.mktemp("big") / "big_day.csv"
    path.write_text(header + "".join(rows) * 30, encoding="utf-8")
    return path


@dataclass(frozen=True)
class Runs:
    """An earlier run that a folder holds, and commands that replace it, with what they give."""

    earlier: Path
    later: tuple[Path, ...]
    day: tuple[object, ...]
    big_day: tuple[object, ...]
    seconds: float  # that the big day takes

    def check(self, folder: Path) -> str:
        """Assert that the folder is in order, whatever happened; whose seal it has."""
        names = [name for name in names_in(folder) if not name.endswith(".part")]
        for name in names:
            content = (folder / name).read_bytes()
            whole = [run / name for run in (self.earlier, *self.later) if (run / name).exists()]
            assert content in [path.read_bytes() for path in whole], f"{name} is not complete"
        if "run_summary.json" not in names:
            return "nobody"
        summary = summary_of(folder)
        assert sorted([*(file["name"] for file in summary["files"]), "run_summary.json"]) == names
        for file in summary["files"]:
            content = (folder / file["name"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file["sha256"]
        return "earlier" if summary == summary_of(self.earlier) else "later"


@pytest.fixture(scope="session")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    tool = Tool(tmp_path_factory.mktemp("earlier") / "desk")
    assert tool.run_colors("--formats", "csv,parquet").code == 0
    return tool.out


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, earlier: Path, big_day: Path) -> Runs:
    """The runs that a killed one stands between."""
    tool = Tool(tmp_path_factory.mktemp("runs") / "desk")
    day = ("run-colors", COLORS, *MOMENT, "--rules", RULES, "--formats", "csv,ndjson")
    assert tool.run(*day, "--output", "day").code == 0
    big = ("run-colors", big_day, *MOMENT, "--rules", RULES)
    begin = time.monotonic()
    assert tool.run(*big, "--output", "big").code == 0
    seconds = time.monotonic() - begin
    return Runs(earlier, (tool.folder / "day", tool.folder / "big"), day, big, seconds)


def wait_for(process: subprocess.Popen[bytes], happened: Callable[[], bool]) -> None:
    """Wait until something has happened, or the process is at its end."""
    while process.poll() is None and not happened():
        time.sleep(0.001)


@posix
def test_a_killed_run_never_looks_finished(tool: Tool, runs: Runs) -> None:
    """Killed at any moment, a run leaves a whole set under its seal, or no seal at all."""
    moments = random.Random(1)
    seal = tool.out / "run_summary.json"
    for number in range(36):
        shutil.rmtree(tool.out, ignore_errors=True)
        shutil.copytree(runs.earlier, tool.out)
        if number % 3 == 0:  # at any moment
            process = tool.start(*runs.big_day, "--output", "out")
            time.sleep(moments.uniform(0, runs.seconds))
        elif number % 3 == 1:  # while it writes
            process = tool.start(*runs.big_day, "--output", "out")
            wait_for(process, lambda: any(tool.out.glob("*.part")))
            time.sleep(moments.uniform(0, runs.seconds / 4))
        else:  # while the new files take the places of the old
            process = tool.start(*runs.day, "--output", "out")
            wait_for(process, lambda: not seal.exists())
            time.sleep(moments.uniform(0, 0.01))
        process.kill()
        process.communicate()
        runs.check(tool.out)
    assert tool.run(*runs.day, "--output", "out").code == 0
    assert runs.check(tool.out) == "later"
    assert not any(tool.out.glob("*.part"))


# Interrupted in an import, Python dies of the signal in the end; to a shell both are 130.
INTERRUPTED = {130, -signal.SIGINT}


@posix
@pytest.mark.parametrize("moment", ["it reads", "it writes"])
def test_ctrl_c(tool: Tool, earlier: Path, big_day: Path, moment: str) -> None:
    """Ctrl-C ends a run with exit 130, one word, and nothing left behind."""
    shutil.copytree(earlier, tool.out)
    process = tool.start("run-colors", big_day, "--output", "out")
    if moment == "it reads":
        wait_for(process, lambda: any(tool.temporary.glob("marketpulse-*")))
        time.sleep(0.02)  # the folder is there a moment before Python knows that it has to go
    else:
        wait_for(process, lambda: any(tool.out.glob("*.part")))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert process.returncode in INTERRUPTED
    assert (out, err.decode()) == (b"", "interrupted\n")
    assert names_in(tool.out) == names_in(earlier)
    assert summary_of(tool.out) == summary_of(earlier)
    assert names_in(tool.temporary) == []


@posix
def test_ctrl_c_on_a_new_folder(tool: Tool, big_day: Path) -> None:
    """A run that is interrupted takes back the folders that it has made."""
    process = tool.start("run-colors", big_day, "--output", "out/of/runs")
    wait_for(process, lambda: any(tool.out.rglob("*.part")))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert process.returncode in INTERRUPTED
    assert not tool.out.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for 400 kB, where this machine lets us have one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = (
        shutil.which("mount")
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk],
            capture_output=True,
            check=False,
        ).returncode
    )
    if not mounted:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


@posix
@pytest.mark.parametrize("formats", ["csv", "parquet,json"])
def test_a_full_disk(tool: Tool, small_disk: Path, formats: str) -> None:
    """A full disk is one message, and nothing that looks complete."""
    (small_disk / "mine.txt").write_text("mine", encoding="utf-8")
    output = small_disk if formats == "csv" else small_disk / "new"
    result = tool.run("run-colors", COLORS, "--formats", formats, "--output", output)

    assert (result.code, result.out) == (2, "")
    assert "No space left on device" in one_message(result.err)
    assert names_in(small_disk) == ["mine.txt"]


@posix
def test_a_full_disk_for_temporary_files(tool: Tool, small_disk: Path) -> None:
    """Where temporary files find no room, one message says so, and nothing is written."""
    assert tool.run_colors("--formats", "ndjson").code == 0
    ndjson = tool.out.rename(tool.folder / "input") / "rejected_colors.ndjson"
    ndjson.write_bytes(ndjson.read_bytes() * 200)
    tool.env |= {"TMPDIR": str(small_disk)}
    result = tool.run("run-colors", ndjson, "--map", "price=PX", "--output", "out")

    assert result.code in {2, 6}
    assert result.out == ""
    assert "No space left on device" in one_message(result.err)
    assert not tool.out.exists()
    assert names_in(small_disk) == []


@posix
def test_files_that_may_not_grow(tool: Tool) -> None:
    """A limit on the size of files is one message, and nothing is written."""
    import resource  # noqa: PLC0415 - not on Windows

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    result = tool.run_colors(preexec_fn=limit)

    assert (result.code, result.out) == (2, "")
    assert "File too large" in one_message(result.err)
    assert not tool.out.exists()


# -- pipes and consoles ----------------------------------------------------------------------------


@posix
@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("--version",),
        ("config",),
        ("config", "--format", "json"),
        ("rules", "check", RULES),
        ("run-colors", COLORS, "--explain", "00GC0UY95"),
        ("run-colors", COLORS, "--explain", "00GC0UY95", "--format", "json"),
    ],
    ids=lambda words: " ".join(str(word).rpartition("/")[2] for word in words),
)
def test_a_reader_that_leaves(tool: Tool, words: tuple[object, ...]) -> None:
    """A closed pipe (`| head -1`) ends the command without a word."""
    reader, writer = os.pipe()
    os.close(reader)
    process = tool.start(*words, stdout=writer)
    os.close(writer)
    _, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (0, b"")


@posix
@pytest.mark.parametrize(
    ("code", "words"),
    [(0, ("list-tables", "--source", "demo", "--output", "o")), (6, ("run-colors", "no.csv"))],
)
def test_nobody_listens_to_the_words(tool: Tool, code: int, words: tuple[str, ...]) -> None:
    """Standard error may be closed: the result and the exit code are the same."""
    reader, writer = os.pipe()
    os.close(reader)
    process = tool.start(*words, stderr=writer)
    os.close(writer)
    out, _ = process.communicate(timeout=60)

    assert process.returncode == code
    assert (b"COLORS" in out) == (code == 0)


@posix
def test_head_gets_its_line(tool: Tool) -> None:
    """The first line of a long explanation can be taken with head, in quiet."""
    process = tool.start("run-colors", COLORS, "--explain", "00GC0UY95")
    head = subprocess.run(["head", "-1"], stdin=process.stdout, capture_output=True, check=True)
    assert process.stdout is not None
    process.stdout.close()
    process.wait(timeout=60)

    assert head.stdout.startswith(b"00GC0UY95: ")
    assert process.stderr is not None
    with process.stderr as err:
        assert err.read() == b""


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
@pytest.mark.parametrize("words", [("--help",), ("--version",), ("config",)], ids=" ".join)
def test_an_output_that_takes_nothing(tool: Tool, words: tuple[str, ...]) -> None:
    """Where standard output is a full disk, one message says so, exit 2."""
    with Path("/dev/full").open("wb") as full:
        result = tool.start(*words, stdout=full)
        _, err = result.communicate(timeout=60)

    assert result.returncode == 2
    assert "No space left on device" in one_message(err.decode())


@posix
def test_no_console_at_all(tool: Tool) -> None:
    """Without standard output and error, as some schedulers run it, the tool does its work."""
    closed = "exec {} -m marketpulse run-colors {} --output out >&- 2>&-"
    command = closed.format(sys.executable, COLORS)
    process = subprocess.run(["sh", "-c", command], cwd=tool.folder, env=tool.env, check=False)

    assert process.returncode == 0
    assert summary_of(tool.out)["rows"]["read"] == 2003


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_console_of_another_encoding(tool: Tool, encoding: str) -> None:
    """A console that lacks a character gets it spelled; JSON stays the same JSON."""
    tool.env |= {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    words = ("run-colors", COLORS, "--explain", "1TEKH3IR5")
    text = tool.start(*words).communicate(timeout=60)
    as_json = tool.start(*words, "--format", "json").communicate(timeout=60)

    assert (text[1], as_json[1]) == (b"", b"")
    assert b"1TEKH3IR5" in text[0]
    explained = json.loads(as_json[0].decode(encoding))
    assert any(row["cells"]["NOTE"] == "é ü 東京" for row in explained["rows"])


# -- what a start costs ----------------------------------------------------------------------------

HEAVY = {"pyarrow", "duckdb", "pandas", "numpy", "rich", "sqlglot", "pydantic_settings", "openpyxl"}


def imported(tool: Tool, *words: object) -> set[str]:
    """The packages that a command imports."""
    process = subprocess.run(
        [sys.executable, "-v", "-m", "marketpulse", *map(str, words)],
        cwd=tool.folder,
        env=tool.env,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return set(re.findall(r"^import '(\w+)", process.stderr, re.MULTILINE))


@pytest.mark.parametrize(
    ("words", "spared"),
    [
        (("--help",), HEAVY),
        (("--version",), HEAVY),
        (("run-colors", "--help"), HEAVY),
        (("rules", "check", "--help"), HEAVY),
        (("config", "--format", "json"), HEAVY - {"pydantic_settings"}),
        (("rules", "check", RULES), {"duckdb", "pandas", "sqlglot", "openpyxl"}),
        (
            ("run-colors", COLORS, "--rules", RULES),
            {"openpyxl", "xlsxwriter", "pandas", "pydantic_settings"},
        ),
        (("sample", "COLORS", "--source", "demo"), {"openpyxl", "pandas", "sqlalchemy"}),
    ],
    ids=lambda value: " ".join(sorted(map(str, value))).replace(f"{DAY}/", ""),
)
def test_no_command_imports_what_it_does_not_need(
    tool: Tool, words: tuple[object, ...], spared: set[str]
) -> None:
    """Help is quick, for it loads nothing heavy; a job loads what it needs."""
    packages = imported(tool, *words)

    assert "marketpulse" in packages
    assert packages & spared == set()
