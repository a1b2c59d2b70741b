"""Options of a run that come from the environment, `.env` or `marketpulse.toml`."""

import json
from pathlib import Path
from typing import Any

import pytest
from support import COLORS, PROCESSED_AT, RULES, Tool, summary_of

MINE = """\
source = "day.csv"
rules = "desk_rules.json"
hierarchy = "date,rank,price"
formats = ["csv", "ndjson"]
memory_limit = "1GB"

[mapping]
price = "MID"

[types]
SPREAD = "number"
"""
KEYS = ("hierarchy", "mapping", "types", "rules", "rows", "run_id")


@pytest.fixture
def desk(tool: Tool) -> Tool:
    """A folder with a day that has a MID for PX and a further column, rules, and settings."""
    header, *rows = COLORS.read_text(encoding="utf-8").splitlines()
    lines = [f"{header},SPREAD".replace("PX", "MID")]
    lines += [f"{row},{number % 13}" for number, row in enumerate(rows)]
    (tool.folder / "day.csv").write_text("\n".join(lines), encoding="utf-8")
    rules: dict[str, Any] = json.loads(RULES.read_text(encoding="utf-8"))
    wide = {"type": "where", "column": "SPREAD", "operator": "greater_than", "value": "9"}
    rules["rules"].append({"id": 99, "name": "wide", "is_active": True, "conditions": [wide]})
    (tool.folder / "desk_rules.json").write_text(json.dumps(rules), encoding="utf-8")
    (tool.folder / "marketpulse.toml").write_text(MINE, encoding="utf-8")
    return tool


OPTIONS = (
    *("day.csv", "--rules", "desk_rules.json", "--hierarchy", "date,rank,price"),
    *("--formats", "csv,ndjson", "--memory-limit", "1GB", "--map", "price=MID"),
    *("--type", "SPREAD=number"),
)


def chosen(folder: Path) -> dict[str, Any]:
    """What a run used."""
    summary = summary_of(folder)
    return {key: summary[key] for key in KEYS}


def test_the_file_means_what_the_options_mean(desk: Tool) -> None:
    """The same run, byte for byte; a note says which settings are used, and --quiet hides it."""
    by_file = desk.run("run-colors", *PROCESSED_AT, "--output", "a")
    quiet = desk.run("--quiet", "run-colors", *PROCESSED_AT, "--output", "b")
    named = desk.run("--config", "marketpulse.toml", "run-colors", *PROCESSED_AT, "--output", "c")
    (desk.folder / "marketpulse.toml").unlink()
    by_options = desk.run("run-colors", *OPTIONS, *PROCESSED_AT, "--output", "d")

    assert [run.code for run in (by_file, quiet, named, by_options)] == [0] * 4, by_file.err
    note = "using rules, hierarchy, mapping, types, formats and memory_limit of marketpulse.toml"
    assert note in by_file.err.splitlines()
    assert quiet.err == ""
    assert "using" not in by_options.err
    a, d = desk.folder / "a", desk.folder / "d"
    assert chosen(a)["rows"]["excluded"] > 278
    names = sorted(path.name for path in a.iterdir())
    assert names == sorted(path.name for path in d.iterdir())
    for name in names:
        assert (a / name).read_bytes() == (d / name).read_bytes(), name
        assert (desk.folder / "c" / name).read_bytes() == (d / name).read_bytes(), name


def test_options_and_environment_win(desk: Tool) -> None:
    """A whole setting is replaced; mapping and types are replaced name by name."""
    desk.env["MARKETPULSE_HIERARCHY"] = "price,rank,date"
    result = desk.run(
        "run-colors", COLORS, *PROCESSED_AT, "--output", "a", "--rules", RULES,
        "--formats", "csv", "--map", "price=PX", "--type", "SPREAD=text",
    )  # fmt: skip
    assert result.code == 7  # the type is that of a column that this input lacks
    assert "--type: the input has no column 'SPREAD'" in result.err
    result = desk.run(
        "run-colors", "day.csv", *PROCESSED_AT, "--output", "a", "--rules", RULES,
        "--formats", "csv", "--map", "cov_price=PRICE_LEVEL", "--type", "spread=text",
    )  # fmt: skip

    assert result.code == 0, result.err
    assert chosen(desk.folder / "a") | {"rows": 0, "run_id": 0} == {
        "hierarchy": ["price", "rank", "date"],
        "mapping": {"PX": "MID", "COV_PRICE": "PRICE_LEVEL"},
        "types": {"spread": "text"},
        "rules": str(RULES),
        "rows": 0,
        "run_id": 0,
    }
    assert "using hierarchy of environment" in result.err.splitlines()
    assert "using mapping, types and memory_limit of marketpulse.toml" in result.err.splitlines()


def test_other_commands_use_the_file(desk: Tool) -> None:
    """`--explain`, `rules test` and `list-tables` take from it what concerns them."""
    funnel = desk.run("rules", "test", "--rules", "desk_rules.json", "--format", "json")
    explained = desk.run("run-colors", "--explain", "4O4SP5BI0", "--format", "json")
    tables = desk.run("list-tables", "--format", "json")
    config = desk.run("config", "--format", "json")

    assert [run.code for run in (funnel, explained, tables, config)] == [0] * 4, funnel.err
    assert "using mapping and types of marketpulse.toml" in funnel.err
    assert json.loads(explained.out)["hierarchy"] == ["date", "rank", "price"]
    assert len(json.loads(tables.out)) > 0
    shown = {setting["name"]: setting for setting in json.loads(config.out)}
    assert shown["MARKETPULSE_SOURCE"]["from"] == "marketpulse.toml"
    assert shown["MARKETPULSE_MAPPING"]["value"] == "price=MID"


def test_paths_start_at_the_file(desk: Tool) -> None:
    """With --config in another folder, source and rules are those beside the file."""
    other = desk.folder / "other"
    other.mkdir()
    result = desk.run("--config", "../marketpulse.toml", "run-colors", *PROCESSED_AT, cwd=other)

    assert result.code == 0, result.err
    summary = summary_of(other / "processed_colors")
    assert summary["rules"] == "../desk_rules.json"


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        ('hierarchy = "rank,dat,price"', 3, "hierarchy: 'dat' is not a key, did you mean date?"),
        ('formats = "cvs"', 3, "formats: unknown format 'cvs'"),
        ('memory_limit = "2"', 3, "memory_limit: '2' is not a size"),
        ("mapping.prise = 'X'", 3, "mapping: 'prise' is not a column of the contract, did you"),
        ("types.A = 'numbr'", 3, "types: A: 'numbr' is not a type, did you mean number?"),
        ("date_formats = 'Y-M'", 3, "date_formats: 'Y-M' is not a format of dates"),
        ("rules = 's3://b/rules.json'", 3, "rules: s3://b/rules.json: only the function reads"),
        ("rule = 'a.json'", 3, "unknown key 'rule', did you mean rules?"),
    ],
)
def test_a_setting_that_means_nothing(desk: Tool, content: str, code: int, message: str) -> None:
    """One message with file and key, the code of settings, and nothing is written."""
    (desk.folder / "marketpulse.toml").write_text(content, encoding="utf-8")
    result = desk.run("run-colors", "day.csv", "--map", "cov_price=MID", "--output", "out")

    assert result.code == code
    assert result.err.startswith(f"error: marketpulse.toml: {message}"), result.err
    assert len(result.err.splitlines()) == 2
    assert not desk.out.exists()


def test_permissions_are_kept_in_the_file(tool: Tool) -> None:
    """Date formats by column and rounded ids, as the options permit them; an option wins."""
    header = "MESSAGE_ID,CUSIP,RANK,DATE,PX,DATE_1"
    rows = ("1.77E+16,A,1,3/4/2026,98,20260313", "1,A,1,2026-03-20,98,")
    (tool.folder / "day.csv").write_text("\n".join((header, *rows)), encoding="utf-8")
    permit = 'accept_rounded_ids = true\ndate_formats = {DATE = "M/D/YYYY", DATE_1 = "YYYYMMDD"}'
    (tool.folder / "marketpulse.toml").write_text(permit, encoding="utf-8")
    command = ("run-colors", "day.csv", *PROCESSED_AT, "--output", "out", "--format", "json")
    first, last = "2026-03-20", "3/4/2026"

    def ranked(*words: str) -> list[str]:
        result = tool.run(*command, *words)
        assert result.code == 0, result.err
        assert json.loads(result.out)["rows"]["rejected"] == 0
        lines = (tool.out / "processed_colors.csv").read_text().splitlines()[1:]
        return [line.split(",")[3] for line in lines]

    assert ranked() == [first, last]  # the 4th of March
    assert ranked("--date-format", "date=D/M/YYYY") == [last, first]  # the 3rd of April
    (tool.folder / "marketpulse.toml").write_text("accept_rounded_ids = false", encoding="utf-8")
    assert json.loads(tool.run(*command).out)["rows"]["rejected"] == 1
    words = ("--date-format", "M/D/YYYY", "--date-format", "DATE_1=YYYYMMDD")
    assert ranked("--accept-rounded-ids", *words) == [first, last]


def test_several_rules_files_in_a_variable(tool: Tool) -> None:
    """MARKETPULSE_RULES takes a list with commas, as the settings file takes a list."""
    for number in (1, 2):
        (tool.folder / f"{number}.json").write_text(
            json.dumps(
                [
                    {
                        "id": number,
                        "name": "x",
                        "is_active": True,
                        "conditions": [
                            {"type": "where", "column": "RANK", "operator": "eq", "value": number}
                        ],
                    }
                ]
            )
        )
    tool.env["MARKETPULSE_RULES"] = "1.json, 2.json"
    done = tool.run("run-colors", COLORS, "--output", "out", "--format", "json")
    assert json.loads(done.out)["excluded_by_rule"].keys() == {"1", "2"}


def test_examples_have_the_types_of_the_settings(tool: Tool) -> None:
    """An example compares a further column as the runs of this folder do."""
    condition = {"type": "where", "column": "SPREAD", "operator": "gt", "value": 9}
    rule = {"id": 1, "name": "x", "is_active": True, "conditions": [condition]}
    example = {"row": {"SPREAD": "10"}, "outcome": "excluded"}
    document = {"rules": [rule], "examples": [example]}
    (tool.folder / "rules.json").write_text(json.dumps(document))
    assert tool.run("rules", "check", "rules.json").code == 7
    (tool.folder / "marketpulse.toml").write_text('[types]\nSPREAD = "number"\nOTHER = "date"\n')
    done = tool.run("rules", "check", "rules.json")
    assert done.code == 0, done.out
