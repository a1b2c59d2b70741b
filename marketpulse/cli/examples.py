"""The examples that --help shows: the words after `marketpulse`, by the name of the command.

Each of them is on a page of the documentation, where a test runs it.
"""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("demo", "demo --rows 100000 --output tour"),
    "doctor": ("doctor", "doctor --table COLORS_TABLE"),
    "config": ("config",),
    "list-tables": ("list-tables", "list-tables --like COLOR"),
    "schema": ("schema COLORS_TABLE",),
    "sample": ("sample COLORS_TABLE --zip",),
    "verify": ("verify sample_data",),
    "report": ("report sample_data",),
    "run-colors": (
        "run-colors colors_day.csv",
        "run-colors colors_day.csv --rules rules.json --output results",
    ),
    "rules check": ("rules check rules.json",),
    "rules test": ("rules test colors_day.csv --rules rules.json",),
}
