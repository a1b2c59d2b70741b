"""The tour: each step on the built-in market, in words and as the command that does it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

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
            "name": "Distressed talk",
            "is_active": True,
            "conditions": [
                {"type": "where", "column": "PX", "operator": "less than", "value": 60},
                {"type": "and", "column": "BIAS", "operator": "contains", "value": "talk"},
            ],
        },
        {
            "id": 3,
            "name": "No confidence",
            "is_active": True,
            "conditions": [
                {"type": "where", "column": "CONFIDENCE", "operator": "lte", "value": 3},
                {"type": "or", "column": "CONFIDENCE", "operator": "is_null"},
            ],
        },
    ]
}


def tour(folder: Path, rows: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each step: what it is about, and the words of its command, to be run before the next.

    Writes the colors and the rules of the tour into the folder first. Raises `OutputRefused` where
    that cannot be.
    """
    folder, colors, rules = _prepare(folder, rows)
    results = str(folder / "results")
    yield (
        f"A day of colors as it would arrive, {rows} rows of the built-in market, is in {colors},\n"
        f"and the desk's exclusion rules are in {rules}. First, are the rules sound?",
        ("rules", "check", rules),
    )
    yield (
        "What would they take away? Each color goes to the first rule that matches it.",
        ("rules", "test", colors, "--rules", rules),
    )
    yield (
        "The main job: every color is rejected, excluded, or ranked within its security. The best\n"
        "is the parent, the others are its children, and the account has to balance.",
        ("run-colors", colors, "--rules", rules, "--output", results),
    )
    cusip = _busiest(Path(results))
    yield (
        f"Why did it come out so? Here is {cusip}, row by row.",
        ("run-colors", colors, "--rules", rules, "--explain", cusip),
    )
    yield (
        f"That was the tour. The results are in {results}; processed_colors.csv is the one to "
        "open.\nNow with your own file:\n\n"
        "    marketpulse run-colors COLORS.csv --rules RULES.json",
        (),
    )


def _prepare(folder: Path, rows: int) -> tuple[Path, str, str]:
    from marketpulse.formats import open_writer  # noqa: PLC0415 - heavy, only where needed
    from marketpulse.sealed import sealed_folder  # noqa: PLC0415 - so too

    colors, rules = "colors.csv", "rules.json"
    with sealed_folder(folder, rules, lambda name: name == colors) as files, open_source(
        "demo", rows=rows
    ) as market:
        reader = market.scan("COLORS")
        writer = open_writer("csv", files.part(colors), reader.schema)
        for batch in reader:
            writer.write(batch)
        writer.close()
        files.publish(json.dumps(RULES, indent=2) + "\n")
    return folder, str(folder / colors), str(folder / rules)


def _busiest(results: Path) -> str:
    """The security with the most children among those that show something: at most six."""
    from marketpulse.sources import open_files  # noqa: PLC0415 - heavy, only where needed

    with open_files([results / "processed_colors.csv"]) as source:
        table = source.scan(source.tables()[0].name, ["CUSIP", "CHILDREN_COUNT"]).read_all()
    counts = zip(table["CUSIP"].to_pylist(), map(int, table["CHILDREN_COUNT"].to_pylist()))
    return max(counts, key=lambda found: (min(found[1], 6), -found[1], found[0]))[0]
