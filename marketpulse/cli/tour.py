"""The tour through the commands on the built-in market: a text and a command for each step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from marketpulse.cli.console import program
from marketpulse.errors import OutputError
from marketpulse.model import format_count
from marketpulse.sources import open_source

RULES = {
    "rules": [
        {
            "id": 1,
            "name": "No valuations",
            "is_active": True,
            "conditions": [
                {"type": "where", "column": "BIAS", "operator": "equals", "value": "VALUATION"}
            ],
        },
        {
            "id": 2,
            "name": "Low talk",
            "is_active": True,
            "conditions": [
                {"type": "where", "column": "PX", "operator": "less than", "value": 96},
                {"type": "and", "column": "BIAS", "operator": "contains", "value": "talk"},
            ],
        },
        {
            "id": 3,
            "name": "No confidence",
            "is_active": True,
            "conditions": [
                {"type": "where", "column": "CONFIDENCE", "operator": "lte", "value": 1},
                {"type": "or", "column": "CONFIDENCE", "operator": "is_null"},
            ],
        },
    ]
}

# Two lines that are rejected: a spreadsheet spoilt the number of one, the other lacks fields.
_BROKEN_LINES = """\
1.77E+16,ABCLO 2022-9A ER,2.0_Mezz,037833100,2026-03-13,99.1,99.1,0,99.1,,,,,,,,,,,
17700000001000001,one field and another
"""
_MARKET = ("--source", "demo")


@dataclass(frozen=True)
class TourStep:
    """A step of the tour: what it shows, and the words of the command to run, if any."""

    text: str
    command: tuple[str, ...] = ()


def tour(folder: Path, rows: int) -> Iterator[TourStep]:
    """Yield each step. Run its command before you ask for the next step: some read its results.

    Writes the input files of the tour into the folder first. Keeps rules that are already there.
    Raises `OutputError` if the folder cannot be written.
    """
    colors, rules = _write_inputs(folder, rows)
    yield from _extraction(folder)
    yield from _ranking(folder, str(colors), str(rules), rows)


def _extraction(folder: Path) -> Iterator[TourStep]:
    bundle = str(folder / "sample_data")
    yield TourStep(
        "The built-in market stands in for a database. Which tables does it have?",
        ("list-tables", *_MARKET),
    )
    yield TourStep("What does one of the tables look like?", ("schema", "DEALERS", *_MARKET))
    yield TourStep(
        "Write rows of two tables, with their schemas and checksums, to one folder that you can\n"
        "send. The zip file beside it has the same content.",
        ("sample", "COLORS", "DEALERS", *_MARKET, "--all", "--zip", "--output", bundle),
    )
    yield TourStep(
        "The recipient checks that nothing is missing and nothing was changed.", ("verify", bundle)
    )
    yield TourStep(
        "Then the recipient works with it as if it were the database, without a network.",
        (
            "run-colors", f"{bundle}.zip", "--table", "COLORS", "--output",
            str(folder / "from_sample"),
        ),
    )  # fmt: skip


def _ranking(folder: Path, colors: str, rules: str, rows: int) -> Iterator[TourStep]:
    results = str(folder / "results")
    yield TourStep(
        f"A day of colors is in {colors}: {format_count(rows, 'row')} of the built-in market\n"
        f"and two broken lines. Exclusion rules are in {rules}.\nAre the rules valid?",
        ("rules", "check", rules),
    )
    yield TourStep(
        "What would each rule exclude? A color goes to the first rule that matches it.",
        ("rules", "test", colors, "--rules", rules),
    )
    yield TourStep(
        "The main job: every color is rejected, excluded, or ranked within its security. The\n"
        "first is the parent, the others are its children. The counts add up.",
        ("run-colors", colors, "--rules", rules, "--output", results),
    )
    cusip = _cusip_to_explain(Path(results))
    yield TourStep(
        f"Why did it come out like this? Here is {cusip}, row by row.",
        ("run-colors", colors, "--rules", rules, "--explain", cusip),
    )
    yield TourStep(
        "What would be uploaded to S3? Without --dry-run it would be.",
        ("push-s3", results, "s3://YOUR-BUCKET/colors", "--dry-run"),
    )
    yield TourStep(
        f"This is the end of the tour. The ranked colors are in {folder / 'results'}.\n"
        "To rank a file of your own, or to connect to your database:\n\n"
        f"    {program()} run-colors YOUR_FILE.csv --output results\n"
        f"    {program()} init"
    )


def _write_inputs(folder: Path, rows: int) -> tuple[Path, Path]:
    """Write the colors of the tour, and its rules unless there are some. Returns both paths."""
    from marketpulse.atomic import atomic_file, write_file  # noqa: PLC0415 - not for --help
    from marketpulse.formats import open_writer  # noqa: PLC0415 - not for --help

    colors, rules = folder / "colors.csv", folder / "rules.json"
    if colors.is_file() and not colors.read_bytes().endswith(_BROKEN_LINES.encode()):
        raise OutputError(
            f"{colors}: it would be overwritten, and the tour did not write it",
            hint="name another folder: `marketpulse demo FOLDER`",
        )
    with (
        atomic_file(colors, remove_parts=True) as part,
        open_source("demo", rows=rows) as market,
    ):
        reader = market.scan("COLORS")
        writer = open_writer("csv", part, reader.schema)
        for batch in reader:
            writer.write(batch)
        writer.close()
        with part.open("a", encoding="utf-8", newline="") as file:
            file.write(_BROKEN_LINES)
    if not rules.exists():  # a user may change the rules and take the tour again
        write_file(rules, json.dumps(RULES, indent=2) + "\n")
    return colors, rules


def _cusip_to_explain(results: Path) -> str:
    """A security with six children if there is one: enough to see, not too many to read."""
    from marketpulse.sources import open_files  # noqa: PLC0415 - not for --help

    with open_files([results / "processed_colors.csv"]) as source:
        table = source.scan(source.tables()[0].name, ["CUSIP", "CHILDREN_COUNT"]).read_all()
    cusips = table["CUSIP"].to_pylist()
    counts = [int(count) for count in table["CHILDREN_COUNT"].to_pylist()]
    _, _, cusip = max(
        (min(count, 6), -count, cusip) for count, cusip in zip(counts, cusips, strict=True)
    )
    return str(cusip)
