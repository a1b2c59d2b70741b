"""The commands `run-colors`, `rules check` and `rules test`."""

import csv
import hashlib
import io
import json
import random
import shutil
from pathlib import Path
from typing import Any

from support import (
    COLORS,
    DAY,
    NUMBERS,
    OUTPUTS,
    PROCESSED_AT,
    RULES,
    Tool,
    names_in,
    one_message,
    summary_of,
)


def without_run_columns(path: Path) -> str:
    """The text of a processed file without the three columns that identify its run."""
    run_columns = ("RUN_ID", "PROCESSED_AT", "PROCESSING_TYPE")
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    places = [place for place, name in enumerate(header) if name not in run_columns]
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerows([row[place] for place in places] for row in [header, *rows])
    return text.getvalue()


def test_a_day_gives_the_expected_files(tool: Tool) -> None:
    """A run prints the counts to stdout, warnings to stderr, and writes the expected files."""
    result = tool.run_process(
        "run-colors", COLORS, *PROCESSED_AT, "--output", "out", "--rules", RULES
    )

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
    assert "2 rows are kept with an invalid CUSIP" in result.err
    assert "2 rows are kept with a rank outside 1 to 6" in result.err
    expected = DAY / "expected"
    processed = without_run_columns(tool.out / "processed_colors.csv")
    ranked = expected / "rank_date_price_rules.csv"
    assert processed == without_run_columns(ranked)
    for name in ("excluded", "rejected"):
        written = (tool.out / f"{name}_colors.csv").read_bytes()
        assert written == (expected / f"rank_date_price_rules.{name}.csv").read_bytes()


def test_json_is_the_summary(tool: Tool) -> None:
    """--format json prints one document: run_summary.json with the output folder."""
    result = tool.run_colors("--rules", RULES, "--format", "json")

    assert result.code == 0
    assert json.loads(result.out) == {**summary_of(tool.out), "output": "out"}
    assert summary_of(tool.out)["rows"] == NUMBERS
    assert "19 rows were rejected" in result.err


def test_the_summary_lists_every_file(tool: Tool) -> None:
    """run_summary.json lists each file with its size and SHA-256."""
    assert tool.run_colors("--formats", "csv,ndjson,json,parquet,xlsx").code == 0

    files = {file["name"]: file for file in summary_of(tool.out)["files"]}
    assert sorted([*files, "run_summary.json"]) == names_in(tool.out)
    for name, file in files.items():
        content = (tool.out / name).read_bytes()
        assert file["bytes"] == len(content)
        assert file["sha256"] == hashlib.sha256(content).hexdigest()


def test_the_same_rows_give_the_same_bytes(tool: Tool) -> None:
    """Shuffled rows give the same bytes if --processed-at is given."""
    with COLORS.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    random.Random(1).shuffle(rows)
    with (tool.folder / "shuffled.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    assert tool.run_colors("--rules", RULES).code == 0
    other = tool.run(
        "run-colors", "shuffled.csv", *PROCESSED_AT, "--rules", RULES, "--output", "other"
    )

    assert other.code == 0
    name = "processed_colors.csv"
    assert (tool.out / name).read_bytes() == (tool.folder / "other" / name).read_bytes()


def test_a_header_alone_is_an_empty_day(tool: Tool) -> None:
    """A header without rows gives empty outputs and exit code 0."""
    header = COLORS.read_text(encoding="utf-8").splitlines()[0]
    (tool.folder / "colors.csv").write_text(header + "\n", encoding="utf-8")
    result = tool.run("run-colors", "colors.csv", "--output", "out")

    assert (result.code, result.err) == (0, "")
    assert set(summary_of(tool.out)["rows"].values()) == {0}
    for name in OUTPUTS:
        assert len((tool.out / f"{name}.csv").read_text(encoding="utf-8").splitlines()) == 1


def test_explain_writes_nothing(tool: Tool) -> None:
    """--explain prints the rows of a security in their order and creates no folder."""
    result = tool.run_colors("--rules", RULES, "--explain", " 1tekh3ir5 ", "--formats", "csv")

    assert result.code == 0
    assert result.err.splitlines() == [
        f"warning: --{name} changes nothing beside --explain, which writes nothing"
        for name in ("output", "formats", "processed-at")
    ]
    assert result.out.startswith("1TEKH3IR5: ")
    assert "1. parent: " in result.out
    assert "runner-up: decided by " in result.out
    assert not tool.out.exists()


def test_explain_agrees_with_the_output(tool: Tool) -> None:
    """--explain as JSON has the same parent, children and exclusions as the files."""
    assert tool.run_colors("--rules", RULES).code == 0
    with (tool.out / "processed_colors.csv").open(encoding="utf-8", newline="") as file:
        processed = [row for row in csv.DictReader(file) if row["CUSIP"] == "00GC0UY95"]
    with (tool.out / "excluded_colors.csv").open(encoding="utf-8", newline="") as file:
        excluded = [
            row for row in csv.DictReader(file) if row["CUSIP"].strip().upper() == "00GC0UY95"
        ]
    shutil.rmtree(tool.out)
    result = tool.run(
        "run-colors", COLORS, "--rules", RULES, "--explain", "00GC0UY95", "--format", "json"
    )

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


def test_rules_check_accepts_valid_rules(tool: Tool) -> None:
    """`rules check` exits with 0 and counts the rules, as text and as JSON."""
    text = tool.run("rules", "check", RULES)
    as_json = tool.run("rules", "check", RULES, "--format", "json")

    assert (text.code, as_json.code, text.err, as_json.err) == (0, 0, "", "")
    assert "4 active rules, 1 switched off, 0 errors" in text.out
    checked = json.loads(as_json.out)
    assert (checked["active"], checked["inactive"], checked["errors"]) == (4, 1, 0)


def test_rules_check_lists_every_error(tool: Tool) -> None:
    """`rules check` exits with 7 and lists all errors, not only the first."""
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


def test_several_rules_files(tool: Tool) -> None:
    """--rules can be repeated: the order of the files counts, and an id may occur once."""
    rules = json.loads(RULES.read_text(encoding="utf-8"))["rules"]
    for name, part in (("first.json", rules[:2]), ("second.json", rules[2:])):
        (tool.folder / name).write_text(json.dumps(part), encoding="utf-8")
    both = ("--rules", "first.json", "--rules", "second.json")
    assert tool.run_colors("--rules", RULES).code == 0
    whole = summary_of(tool.out)
    assert tool.run_colors(*both).code == 0
    joined = summary_of(tool.out)
    assert joined["rules"] == "first.json, second.json"
    assert {**joined, "rules": whole["rules"], "files": whole["files"]} == whole
    checked = tool.run("rules", "check", "first.json", "second.json")
    assert (checked.code, checked.err) == (0, "")
    assert "first.json, second.json: 4 active rules, 1 switched off, 0 errors" in checked.out
    twice = tool.run_colors(*both, "--rules", "first.json")
    assert twice.code == 7
    assert "first.json: rule 1 ('No Stonex'): an earlier rule in first.json has the same id" in (
        one_message(twice.err)
    )


def test_rules_on_standard_input(tool: Tool) -> None:
    """`-` stands for them, once in a command."""
    with RULES.open("rb") as file:
        tested = tool.run_process("rules", "test", COLORS, "--rules", "-", stdin=file)
    twice = tool.run("run-colors", "-", "--rules", "-")

    assert tested.out == tool.run("rules", "test", COLORS, "--rules", RULES).out
    assert twice.code == 2
    assert "only once" in one_message(twice.err)


def test_the_funnel_adds_up(tool: Tool) -> None:
    """`rules test` counts for each rule what a run excludes by it."""
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


def test_rules_that_would_change_something(tool: Tool) -> None:
    """--compare shows the first rows with another fate in a table, and all in JSON."""
    rules = json.loads(RULES.read_text(encoding="utf-8"))["rules"]
    (tool.folder / "other.json").write_text(json.dumps(rules[1:]), encoding="utf-8")
    words = ("rules", "test", COLORS, "--rules", RULES, "--compare", "other.json")
    text = tool.run(*words)
    as_json = tool.run(*words, "--format", "json")
    same = tool.run("rules", "test", COLORS, "--rules", RULES, "--compare", RULES)

    assert (text.code, as_json.code, same.code, text.err, as_json.err) == (0, 0, 0, "", "")
    comparison = json.loads(as_json.out)["comparison"]
    assert len(comparison["rows"]) == comparison["differing"] == 42
    assert {row["fate"] for row in comparison["rows"]} == {"excluded by rule 1 ('No Stonex')"}
    assert "42 rows are treated differently by other.json" in text.out
    assert text.out.endswith("and 22 more rows; --format json has all\n")
    assert text.out.count("excluded by rule 1") < 30
    assert same.out.splitlines()[-1] == f"0 rows are treated differently by {RULES}"


def test_a_second_run_replaces_the_first(tool: Tool) -> None:
    """A run removes the files of the previous run, also other formats and leftover parts."""
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
    (tool.out / "excluded_colors.parquet").mkdir()  # a folder, not a file of a run
    assert tool.run_colors("--formats", "ndjson,csv", "--rules", RULES).code == 0

    second = summary_of(tool.out)
    assert second["run_id"] != first["run_id"]
    expected = {f"{name}.{form}" for name in OUTPUTS for form in ("csv", "ndjson")}
    expected |= {"run_summary.json", "excluded_colors.parquet", *foreign}
    assert set(names_in(tool.out)) == expected
    for name, content in foreign.items():
        assert (tool.out / name).read_bytes() == content


def test_foreign_files_are_not_replaced(tool: Tool) -> None:
    """A run overwrites no file that a run did not write, least of all its own input."""
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
        assert "would replace an input" in one_message(refused.err)
    assert tool.run_colors("--formats", "ndjson").code == 0
    assert tool.run_colors("--formats", "ndjson,json").code == 0
    assert (tool.out / "processed_colors.csv").read_bytes() == day
    assert (tool.out / "rejected_colors.parquet").read_bytes() == b"mine"


def test_a_foreign_summary_is_not_replaced(tool: Tool) -> None:
    """A run_summary.json that lists other files than results is not trusted."""
    tool.out.mkdir()
    shutil.copy(COLORS, tool.out / "colors.csv")
    said = {"run_id": "0" * 16, "files": [{"name": "notes.txt"}, {"name": "colors.csv"}]}
    for name, text in (("notes.txt", "mine"), ("run_summary.json", json.dumps(said))):
        (tool.out / name).write_text(text, encoding="utf-8")
    before = names_in(tool.out)
    refused = tool.run("run-colors", "out/colors.csv", "--output", "out")
    assert refused.code == 2
    assert "run_summary.json: it would be overwritten" in one_message(refused.err)
    assert names_in(tool.out) == before


def test_an_s3_address_is_not_a_folder(tool: Tool) -> None:
    """--output with an S3 address writes nothing; the hint names --push."""
    for words in (("run-colors", COLORS), ("list-tables", "--source", "demo")):
        refused = tool.run(*words, "--output", "s3://bucket/prefix")
        assert refused.code == 2
        assert "--push" in one_message(refused.err)
    assert names_in(tool.folder) == ["tmp"]


def test_a_failed_run_keeps_the_previous_one(tool: Tool) -> None:
    """A run that fails leaves the files of the previous run unchanged."""
    assert tool.run_colors().code == 0
    before = {name: (tool.out / name).read_bytes() for name in names_in(tool.out)}
    assert tool.run_colors("--max-rejected", "1").code == 7
    assert tool.run_colors("--map", "message_id=SOURCE").code == 7  # no row can be used

    assert {name: (tool.out / name).read_bytes() for name in names_in(tool.out)} == before
