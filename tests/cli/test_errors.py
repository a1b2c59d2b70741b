"""Wrong input: one message with a hint, an exit code, and no files."""

import csv
import io
import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import (
    COLORS,
    RULES,
    Tool,
    names_in,
    one_message,
    posix,
)
from typer.testing import CliRunner

from marketpulse.cli.app import app


def colors_text(*, drop: str = "", rename: dict[str, str] | None = None) -> str:
    """Three rows of the day as CSV, with a column dropped or renamed."""
    with COLORS.open(encoding="utf-8", newline="") as file:
        header, *rows = [row for row, _ in zip(csv.reader(file), range(4), strict=False)]
    places = [place for place, name in enumerate(header) if name != drop]
    names = [(rename or {}).get(name, name) for name in header]
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerows([row[place] for place in places] for row in [names, *rows])
    return text.getvalue()


def rules_text(**changes: Any) -> str:
    """The rules of the day with the first condition changed."""
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
class Case:
    """A command that fails, its exit code, and texts that its message contains."""

    code: int
    words: str
    texts: Sequence[str]


WRONG = {
    "a column is missing": Case(7, "no_price.csv", ["no column PX", "--map price="]),
    "a column has another name": Case(
        7, "renamed.csv", ["no column PX", "--map price=", "MID_PRICE"]
    ),
    "unknown operator": Case(
        7,
        "colors.csv --rules operator.json",
        ["operator.json: rule 1 ('No Stonex'), condition 1: 'eqals'", "did you mean 'equals'?"],
    ),
    "unknown column in a rule": Case(
        7,
        "colors.csv --rules column.json",
        ["column.json: rule 1 ('No Stonex'), condition 1:", "'SOURC', did you mean SOURCE?"],
    ),
    "an operator that the column's type has not": Case(
        7,
        "colors.csv --rules unfit.json",
        ["unfit.json: rule 1 ('No Stonex'), condition 1:", "SOURCE is a text", "'less_than'"],
    ),
    "a value of the wrong type": Case(
        7,
        "colors.csv --rules value.json",
        ["value.json: rule 1 ('No Stonex'), condition 1: 'two' is not a number", "PX"],
    ),
    "a value is missing": Case(
        7, "colors.csv --rules no_value.json", ["rule 1 ('No Stonex'), condition 1", '"value"']
    ),
    "unknown key": Case(
        2, "colors.csv --hierarchy rank,date,prize", ["'prize'", "did you mean price?"]
    ),
    "the same key twice": Case(2, "colors.csv --hierarchy rank,rank,date", ["rank,rank,date"]),
    "a key left out": Case(2, "colors.csv --hierarchy rank,date", ["--hierarchy", "rank,date"]),
    "unknown name to map": Case(
        2, "colors.csv --map prise=PX", ["--map", "'prise'", "did you mean price?"]
    ),
    "half a mapping": Case(2, "colors.csv --map price", ["--map", "'price'"]),
    "mapped twice": Case(2, "colors.csv --map price=PX --map px=BID", ["--map", "PX"]),
    "mapped to a column that is not there": Case(
        7, "colors.csv --map price=PRICE_LEVL", ["'PRICE_LEVL'", "did you mean PRICE_LEVEL?"]
    ),
    "empty file": Case(7, "empty.csv", ["empty.csv: the file is empty"]),
    "blank file": Case(7, "blank.csv", ["blank.csv: the file is empty"]),
    "UTF-16": Case(7, "utf16.csv", ["utf16.csv: line 1: ", "UTF-16", "UTF-8"]),
    "Latin-1": Case(7, "latin1.csv", ["latin1.csv: line 2: byte 0xE9", "UTF-8"]),
    "a quote never closed": Case(7, "open_quote.csv", ["open_quote.csv: line 3: a quote"]),
    "text after a closing quote": Case(7, "after_quote.csv", ["after_quote.csv: line 2: a quote"]),
    "two columns with the same name": Case(
        7, "two_of_one_name.csv", ["two_of_one_name.csv", "'PX'"]
    ),
    "two columns with the same name but for case": Case(
        7, "two_by_case.csv", ["two_by_case.csv", "' px '", "'PX'"]
    ),
    "a name that the output adds": Case(7, "reserved.csv", ["'is_parent'"]),
    "semicolons": Case(7, "semicolons.csv", ["semicolons.csv", "';'"]),
    "a folder without files": Case(6, "nothing", ["nothing: the folder holds no .csv"]),
    "a missing file": Case(6, "colrs.csv", ["colrs.csv: no such file", "did you mean: colors.csv"]),
    "a table and no file": Case(6, "COLORS", ["no such file", "--table COLORS"]),
    "a missing folder": Case(6, "far/colors.csv", ["no such file", "no folder far"]),
    "a glob without files": Case(6, "x*.csv", ["x*.csv: no such file"]),
    "a folder with a file's name": Case(6, "folder.csv", ["folder.csv: the folder holds no .csv"]),
    "a file of no format": Case(6, "odd.txt", ["odd.txt: the name does not end in one of .csv"]),
    "a workbook that is text": Case(7, "text.xlsx", ["text.xlsx: this is not an XLSX workbook"]),
    "Parquet that is none": Case(7, "garbage.parquet", ["garbage.parquet: this is not Parquet"]),
    "broken JSON": Case(7, "broken.json", ["broken.json: broken JSON"]),
    "JSON without objects": Case(7, "no_objects.json", ["no_objects.json: value 2"]),
    "two places for the input": Case(2, "colors.csv --source colors.csv", ["INPUT and --source"]),
    "no input at all": Case(3, "", ["ORACLE_HOST", "are not set", "name a file"]),
    "no such rules": Case(6, "colors.csv --rules rulez.json", ["rulez.json: the rules cannot"]),
    "rules that are a folder": Case(6, "colors.csv --rules nothing", ["nothing: the rules cannot"]),
    "rules that are no JSON": Case(
        7, "colors.csv --rules not.json", ["not.json: line 3, column 1: invalid JSON"]
    ),
    "rules in Latin-1": Case(
        7, "colors.csv --rules latin1.json", ["latin1.json: byte 12 is not UTF-8"]
    ),
    "rules that are no TOML": Case(
        7, "colors.csv --rules broken.toml", ["broken.toml: invalid TOML", "line 3"]
    ),
    "a key twice in the rules": Case(
        7, "colors.csv --rules twice.json", ["twice.json: the key 'rules' appears twice"]
    ),
    "NaN in the rules": Case(7, "colors.csv --rules nan.json", ["nan.json: NaN is not JSON"]),
    "unknown format": Case(
        2, "colors.csv --formats csv,doc", ["--formats: unknown format", "'doc'", "csv, ndjson"]
    ),
    "an empty format": Case(2, "colors.csv --formats ''", ["--formats: no format"]),
    "no format": Case(2, "colors.csv --formats ,", ["--formats: no format"]),
    "no time": Case(2, "colors.csv --processed-at noon", ["--processed-at: 'noon'"]),
    "a time before time": Case(
        2, "colors.csv --processed-at 0001-01-01T00:00+05:00", ["--processed-at: '0001-01-01"]
    ),
    "no size": Case(2, "colors.csv --memory-limit lots", ["--memory-limit: 'lots'", "2GB"]),
    "a size without unit": Case(2, "colors.csv --memory-limit=-5", ["--memory-limit: '-5'"]),
    "more rejected than allowed": Case(
        7,
        f"{COLORS} --max-rejected 18",
        ["19 of 2003 rows", "--max-rejected 18", "'n/a' is not a number"],
    ),
    "no name": Case(6, "''", ["the input's name is empty"]),
    "a name longer than names can be": Case(2, f"{'x' * 300}.csv", ["File name too long"]),
    "unknown option": Case(2, "colors.csv --bogus", ["--bogus"]),
    "unknown choice": Case(2, "colors.csv --processing-type X", ["--processing-type", "'X'"]),
    "no number": Case(2, "colors.csv --max-rejected few", ["--max-rejected: 'few'", "5%"]),
}


@pytest.fixture(scope="session")
def wrong_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every kind of invalid file."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "nothing").mkdir()
    (folder / "folder.csv").mkdir()
    for name, content in WRONG_FILES.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.mark.parametrize("wrong", list(WRONG.values()), ids=list(WRONG))
def test_wrong_input_is_one_clear_message(wrong: Case, wrong_files: Path, tmp_path: Path) -> None:
    """Wrong input gives one message on stderr that says what and where, and writes nothing."""
    tool = Tool(tmp_path / "home")
    output = tmp_path / "out"
    before = names_in(wrong_files)
    result = tool.run("run-colors", *shlex.split(wrong.words), "--output", output, cwd=wrong_files)

    assert (result.code, result.out) == (wrong.code, "")
    message = one_message(result.err)
    for text in wrong.texts:
        assert text in message
    assert not output.exists()
    assert names_in(wrong_files) == before
    assert names_in(tool.temporary) == []


@pytest.mark.parametrize("wrong", list(WRONG.values()), ids=list(WRONG))
def test_wrong_input_as_json(wrong: Case, wrong_files: Path, tmp_path: Path, tool: Tool) -> None:
    """With --format json the message on stderr is one JSON object."""
    output = tmp_path / "out"
    words = ["run-colors", *shlex.split(wrong.words), "--output", output, "--format", "json"]
    result = tool.run(*words, cwd=wrong_files)

    assert (result.code, result.out) == (wrong.code, "")
    (line,) = result.err.splitlines()
    (error,) = json.loads(line).values()
    assert list(error) == ["check", "message", "hint", "exit_code"]
    assert error["exit_code"] == wrong.code
    assert error["check"] != "MP-BUG-001"
    for text in wrong.texts:
        assert text in f"{error['message']} {error['hint']}"
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
def test_errors_are_json_with_format_json(tool: Tool, words: tuple[str, ...]) -> None:
    """With --format json, wrong usage and missing files are reported as JSON."""
    result = tool.run(*words)

    assert result.out == ""
    error = json.loads(result.err)["error"]
    assert error["exit_code"] == result.code
    assert result.code in {2, 6}
    assert error["message"]


@posix
def test_an_unreadable_file(tool: Tool) -> None:
    """The message names a file without read permission, and the reason."""
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
    """A file in place of the output folder stays, and the message names it."""
    (tool.folder / "out").write_text("mine", encoding="utf-8")
    for output in ("out", "out/inner"):
        result = tool.run("run-colors", COLORS, "--output", output)
        assert (result.code, result.out) == (2, "")
        assert "error: out" in one_message(result.err)
        assert "hint: this is a file: name a folder" in result.err
    assert (tool.folder / "out").read_text(encoding="utf-8") == "mine"


@posix
def test_a_read_only_output_folder(tool: Tool) -> None:
    """The message names a read-only folder, and nothing is left in it."""
    tool.out.mkdir(mode=0o555)
    if os.access(tool.out, os.W_OK):
        pytest.skip("this user may write anywhere")
    for output in ("out", "out/inner"):
        result = tool.run("run-colors", COLORS, "--output", output)
        assert (result.code, result.out) == (2, "")
        assert "Permission denied" in one_message(result.err)
    assert names_in(tool.out) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("sample --limit x", "'--limit': must be a whole number"),
        ("sample --limit -5", "'--limit': must be 0 or more"),
        ("doctor --deadline soon", "'--deadline': must be a number"),
        ("--deadline 0 doctor", "'--deadline': must be 0.1 or more"),
        ("verify x --format jsn", "'--format': 'jsn' is not one of 'table', 'json'"),
        (
            "sample --format csv",
            "'--format': 'csv' is not one of 'table', 'json'; --formats is for files",
        ),
    ],
)
def test_a_wrong_value_of_an_option_is_told_in_plain_words(
    tool: Tool, words: str, message: str
) -> None:
    """What it has to be; no words of the library that reads it."""
    refused = tool.run(*words.split())

    assert refused.code == 2
    assert one_message(refused.err).splitlines()[-1] == f"Error: Invalid value for {message}"


@pytest.mark.parametrize("more", [[], ["--format", "json"]], ids=["text", "json"])
def test_an_address_in_place_of_a_command(more: list[str]) -> None:
    """Typer's own messages do not repeat the password of an address either."""
    refused = CliRunner().invoke(app, ["https://desk:secret@host/day.csv", *more])
    assert refused.exit_code == 2
    assert "No such command 'https://desk:***@host/day.csv'" in refused.stderr
