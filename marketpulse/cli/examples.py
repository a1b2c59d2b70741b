"""The examples that --help shows: the words after `marketpulse`, by the name of the command.

Each of them is on a page of the documentation, where a test runs it, except `init`.
"""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("demo", "demo tour --rows 500"),
    "init": ("init", "init --keyring"),
    "doctor": ("doctor", "doctor COLORS_TABLE --format json"),
    "config": ("config",),
    "list-tables": ("list-tables", "list-tables --like COLOR", "list-tables to_send"),
    "schema": ("schema COLORS_TABLE", 'schema to_send "COLOR*"'),
    "sample": (
        "sample COLORS_TABLE SECURITIES --zip",
        'sample COLORS_TABLE --limit 200 --order-by "DATE DESC" --output newest',
    ),
    "verify": ("verify sample_data",),
    "diff": ("diff friday_bundle demo", "diff friday_bundle demo --schema-only"),
    "report": ("report sample_data",),
    "run-colors": (
        "run-colors colors_day.csv",
        "run-colors colors_day.csv --rules rules.json --output results",
        "run-colors sample_data.zip --table COLORS --output results",
    ),
    "push-s3": (
        "push-s3 friday s3://desk-colors/daily/ --dry-run",
        "push-s3 friday s3://desk-colors/daily/ --layout by-sector",
    ),
    "terraform": ("terraform infra",),
    "rules check": ("rules check rules.json",),
    "rules test": ("rules test colors_day.csv --rules rules.json",),
    "ssm put": ("ssm put < parameters.txt",),
    "ssm check": ("ssm check",),
}
