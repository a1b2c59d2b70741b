"""The tour: each step on the built-in market, in words and as the command that does it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from marketpulse.errors import OutputError
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

# What a spreadsheet and a careless hand leave behind: both lines will be rejected.
_BROKEN = """\
1.77E+16,ABCLO 2022-9A ER,2.0_Mezz,037833100,2026-03-13,99.1,99.1,0,99.1,,,,,,,,,,,
17700000001000001,one field and another
"""


def tour(folder: Path, rows: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each step: what it is about, and the words of its command, to be run before the next.

    Writes the colors of the tour into the folder first, and its rules unless some are there. Raises
    `OutputError` where that cannot be.
    """
    folder, colors, rules = _prepare(folder, rows)
    results, bundle = str(folder / "results"), str(folder / "sample_data")
    market = ("--source", "demo")
    yield "The built-in market stands for a database. What does it hold?", ("list-tables", *market)
    yield "What is one of its tables made of?", ("schema", "DEALERS", *market)
    words = (
        "Take rows of some tables, with all that describes them, as one folder to send. The zip\n"
        "beside it holds the same."
    )
    taken = ("sample", "COLORS", "DEALERS", *market, "--all", "--zip", "--output", bundle)
    yield words, taken
    yield "Who receives it makes sure that nothing is missing or changed.", ("verify", bundle)
    words = "And works from it as if it were the database, without a network."
    ranked = str(folder / "from_sample")
    yield words, ("run-colors", f"{bundle}.zip", "--table", "COLORS", "--output", ranked)
    words = (
        f"A day of colors as it would arrive, {rows} rows of the built-in market and two broken\n"
        f"lines, is in {colors}, and the desk's exclusion rules are in\n{rules}. "
        "First, are the rules sound?"
    )
    yield words, ("rules", "check", rules)
    words = "What would they take away? Each color goes to the first rule that matches it."
    yield words, ("rules", "test", colors, "--rules", rules)
    words = (
        "The main job: every color is rejected, excluded, or ranked within its security. The best\n"
        "is the parent, the others are its children, and the account has to balance."
    )
    yield words, ("run-colors", colors, "--rules", rules, "--output", results)
    cusip = _busiest(Path(results))
    words = f"Why did it come out so? Here is {cusip}, row by row."
    yield words, ("run-colors", colors, "--rules", rules, "--explain", cusip)
    words = "Last, what would be sent to S3? Without --dry-run it would be."
    yield words, ("push-s3", results, "s3://YOUR-BUCKET/colors", "--dry-run")
    words = (
        f"That was the tour. The results are in {results}; processed_colors.csv is the one to open."
        "\nNow with your own file:\n\n"
        "    marketpulse run-colors COLORS.csv --rules RULES.json"
    )
    yield words, ()


def _prepare(folder: Path, rows: int) -> tuple[Path, str, str]:
    from marketpulse.atomic import atomic_file, write_file  # noqa: PLC0415 - so too
    from marketpulse.formats import open_writer  # noqa: PLC0415 - heavy, only where needed

    colors, rules = folder / "colors.csv", folder / "rules.json"
    if colors.is_file() and not colors.read_bytes().endswith(_BROKEN.encode()):
        raise OutputError(
            f"{colors}: it would be overwritten, and it is not the tour's",
            hint="name another folder: marketpulse demo FOLDER",
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
            file.write(_BROKEN)
    if not rules.exists():  # rules that were changed after an earlier tour are to be tried
        write_file(rules, json.dumps(RULES, indent=2) + "\n")
    return folder, str(colors), str(rules)


def _busiest(results: Path) -> str:
    """The security with the most children among those that show something: at most six."""
    from marketpulse.sources import open_files  # noqa: PLC0415 - heavy, only where needed

    with open_files([results / "processed_colors.csv"]) as source:
        table = source.scan(source.tables()[0].name, ["CUSIP", "CHILDREN_COUNT"]).read_all()
    cusips = table["CUSIP"].to_pylist()
    children = [int(count) for count in table["CHILDREN_COUNT"].to_pylist()]
    _, _, cusip = max(
        (min(count, 6), -count, it) for count, it in zip(children, cusips, strict=True)
    )
    return str(cusip)
