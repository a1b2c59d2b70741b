"""Which columns have masks: names, patterns, files, and what is refused."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from bundles import extract
from support import Tool

from marketpulse.errors import MarketPulseError, NotFoundError, UsageError
from marketpulse.extraction.catalog import describe
from marketpulse.extraction.masks.key import MaskKey
from marketpulse.extraction.masks.rules import (
    MaskKind,
    find_masks,
    fitting_columns,
    parse_mask_options,
    parse_masks,
    read_mask_file,
)
from marketpulse.extraction.masks.tables import SampleMasks
from marketpulse.extraction.sample_options import SampleOptions
from marketpulse.sources import open_source

TABLES = ("COLORS", "SECURITIES")


def masked(*words: str, tables: tuple[str, ...] = TABLES, file: bool = False) -> dict[str, str]:
    """Return the masks by TABLE.COLUMN, those of options or of a file."""
    rules = parse_mask_options(words)
    if file:
        rules = parse_masks([(rule.name, rule.kind) for rule in rules], "masks.toml")
    with open_source("demo") as source:
        found = find_masks(source, describe(source, tables).tables, rules)
    return {f"{table}.{column}": str(kind)
            for table, columns in found.items() for column, kind in columns.items()}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "columns"),
    [
        (["CUSIP=hmac"], {"COLORS.CUSIP", "SECURITIES.CUSIP"}),
        (["cusip=HMAC"], {"COLORS.CUSIP", "SECURITIES.CUSIP"}),
        (["COLORS.CUSIP=hmac"], {"COLORS.CUSIP"}),
        (["securities.cusip = hmac"], {"SECURITIES.CUSIP"}),
        (["*.CUSIP=hmac"], {"COLORS.CUSIP", "SECURITIES.CUSIP"}),
        (
            ["*RCE=hmac", "ISSUE*=redact"],
            {"COLORS.SOURCE", "SECURITIES.ISSUED", "SECURITIES.ISSUE_PRICE"},
        ),
        (["S*.TICK?R=hmac"], {"SECURITIES.TICKER"}),
    ],
)
def test_names(words: list[str], columns: set[str]) -> None:
    """A column of all tables or of one, in any case, with * and ?."""
    assert {*masked(*words)} == columns


def test_the_last_rule_counts() -> None:
    """So a pattern may come first, and exceptions after it."""
    masks = masked("*=redact", "CUSIP=hmac", "COLORS.CUSIP=redact")
    assert masks["SECURITIES.CUSIP"] == "hmac"
    assert masks["COLORS.CUSIP"] == "redact"
    assert masks["COLORS.PX"] == "redact"


@pytest.mark.parametrize("pattern", ["*", "*.*", "*.ID", "*.NOTE.*", "HR.*", "hr.p*n.*", "?R.*"])
def test_a_star_stands_for_dots_too(pattern: str) -> None:
    """A table of another schema, a column with a dot: what a star means would stay as it is."""
    columns = ["ID", "NOTE.OF"]
    expected = {"*.ID": ["ID"], "*.NOTE.*": ["NOTE.OF"]}.get(pattern, columns)
    assert fitting_columns(pattern, "HR.PERSON", columns) == expected
    assert fitting_columns("H*", "HR.PERSON", columns) == []


def test_an_exact_name_is_exact() -> None:
    """Where two columns differ only in case, their own spelling tells them apart."""
    with open_source("demo") as source:
        found = find_masks(
            source, describe(source, ['"Colors"']).tables, parse_mask_options(["Meaning=hmac"])
        )
    assert found == {"Colors": {"Meaning": MaskKind.HMAC}}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("CUSP=hmac", "--mask: there is no column 'CUSP'"),
        ("COLORS.CUSP=hmac", "--mask: there is no column 'COLORS.CUSP'"),
        ("DEALERS.NAME=hmac", "--mask: there is no column 'DEALERS.NAME'"),
        ("X*=hmac", "--mask: there is no column 'X*'"),
    ],
)
def test_unknown_columns(word: str, message: str) -> None:
    """A misspelt name would leave a column as it is, so it is an error that knows similar names."""
    with pytest.raises(NotFoundError) as caught:
        masked(word)
    assert caught.value.message == message
    if "CUSP" in word:
        assert "CUSIP" in caught.value.hint


def test_a_file_may_know_other_tables() -> None:
    """One file serves samples of different tables; a table that is nowhere is an error."""
    assert masked("DEALERS.NAME=hmac", "PX=redact", file=True) == {"COLORS.PX": "redact"}
    with pytest.raises(NotFoundError, match=r"masks\.toml: there is no column 'DEALER\.NAME'"):
        masked("DEALER.NAME=hmac", file=True)


@pytest.mark.parametrize("word", ["CUSIP", "=hmac", "CUSIP=", "CUSIP=hmca"])
def test_invalid_options(word: str) -> None:
    """They are wrong usage, with the nearest kind."""
    with pytest.raises(UsageError) as caught:
        parse_mask_options([word])
    assert "hmac" in caught.value.message + caught.value.hint


def test_mask_files(tmp_path: Path) -> None:
    """JSON and TOML say the same."""
    path = tmp_path / "masks.toml"
    path.write_text('[masks]\nCUSIP = "hmac"\n"COLORS.NOTE" = "redact"\n', encoding="utf-8")
    json = tmp_path / "masks.json"
    json.write_text('{"masks": {"CUSIP": "hmac", "COLORS.NOTE": "redact"}}', encoding="utf-8")
    rules = [(rule.name, rule.kind) for rule in read_mask_file(path)]
    assert rules == [("CUSIP", MaskKind.HMAC), ("COLORS.NOTE", MaskKind.REDACT)]
    assert [(rule.name, rule.kind) for rule in read_mask_file(json)] == rules


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"masks": []}', '{"masks": {"A": 1}}', '{"masks": {}, "mask": {}}',
     '{"masks": {"A": "hash"}}', '{"masks": {"A": "redact", "A": "hmac"}}', "\udcff"],
)  # fmt: skip
def test_invalid_mask_files(tmp_path: Path, content: str) -> None:
    """The message names the file, and the hint shows one."""
    path = tmp_path / "masks.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(UsageError) as caught:
        read_mask_file(path)
    assert caught.value.message.startswith(str(path))
    with pytest.raises(NotFoundError, match=r"no\.json"):
        read_mask_file(tmp_path / "no.json")


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("A_BLOB=hmac", "its type BLOB is neither a text of one line nor a number"),
        ("A_JSON=hmac", "its type JSON"),
        ("A_STRUCT=hmac", "its type STRUCT"),
        ("A_LIST=hmac", "its type INTEGER[]"),
        ("A_DATE=hmac", "its type DATE"),
        ("A_BOOLEAN=hmac", "its type BOOLEAN is neither text nor a number"),
        ("A_UUID=hmac", "its type UUID"),
        ("AN_INTERVAL=hmac", "its type INTERVAL"),
        ("A_BIGINT=shift", "its type BIGINT is not a date"),
        ("A_VARCHAR=shift", "its type VARCHAR is not a date"),
        ("A_TIME=shift", "its type TIME is not a date"),
    ],
)
def test_masks_that_a_column_cannot_have(word: str, reason: str) -> None:
    """They are refused before a row is read, and redact is left."""
    with open_source("demo") as source:
        schemas = describe(source, ["ALL_TYPES"])
        with pytest.raises(UsageError) as caught:
            SampleMasks(source, schemas, parse_mask_options([word]), MaskKey("x" * 20))
    assert reason in caught.value.message
    assert "redact" in caught.value.hint


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("A_STRUCT=redact", "leave it out with --columns"),
        ("A_DATE=hmac", "mask it with shift or redact, or leave it out with --columns"),
    ],
)
def test_the_remedy_is_possible(word: str, hint: str) -> None:
    """Where no null is allowed, a nested value cannot even be redacted."""
    with open_source("demo") as source:
        schemas = describe(source, ["ALL_TYPES"])
        (schema,) = schemas.tables
        columns = tuple(replace(column, nullable=False) for column in schema.columns)
        schemas = replace(schemas, tables=(replace(schema, columns=columns),))
        with pytest.raises(UsageError) as caught:
            SampleMasks(source, schemas, parse_mask_options([word]), MaskKey("x" * 20))
    assert caught.value.hint == hint


def test_every_type_can_be_redacted(tmp_path: Path) -> None:
    """As null, which every format has."""
    options = SampleOptions(
        masks=parse_mask_options(["*=redact"]), formats=("csv", "json", "ndjson", "parquet", "xlsx")
    )
    extract(tmp_path / "out", "ALL_TYPES", options=options)
    with open_source(str(tmp_path / "out")) as source:
        rows = source.scan("ALL_TYPES").read_all()
    assert len(rows) > 0
    assert all(column.null_count == len(rows) for column in rows.columns)


@pytest.mark.parametrize("column", ["DESK", "MY DESK"])
def test_folders_whose_names_have_values(tool: Tool, column: str) -> None:
    """The bundle names its files, so the column of such folders cannot be masked."""
    folder = tool.folder / "days" / f"{quote(column)}=Planted"
    folder.mkdir(parents=True)
    (folder / "rows.csv").write_text("A,B\n1,2\n", encoding="utf-8")
    with pytest.raises(MarketPulseError, match=f"{column} cannot be masked: the names of folders"):
        _sample_files(tool.folder / "days", tool.folder / "out", f"{column}=redact")
    _sample_files(tool.folder / "days", tool.folder / "out", "A=redact")


def _sample_files(folder: Path, output: Path, word: str) -> None:
    with open_source(str(folder)) as source:
        name = source.find_table()
    extract(output, name, source=folder, options=SampleOptions(masks=parse_mask_options([word])))
