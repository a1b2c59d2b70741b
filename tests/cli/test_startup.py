"""What a command imports: --help stays fast."""

import re
import subprocess
import sys

import pytest
from support import COLORS, ROOT, RULES, Tool

ARROW = {"numpy", "pyarrow"}
AWS = {"boto3", "botocore"}
SETTINGS = {"dotenv", "pydantic", "pydantic_settings"}
HEAVY = {
    *ARROW, *AWS, *SETTINGS, "duckdb", "numpy.ma", "openpyxl", "oracledb", "pandas", "pydantic",
    "rich", "sqlalchemy", "sqlglot", "xlsxwriter", "marketpulse.sources.conditions",
}  # fmt: skip
BUNDLE = ROOT / "tests/fixtures/bundle_v0.zip"


def imported(tool: Tool, *words: object) -> set[str]:
    """The modules that a command imports, whether it succeeds or not."""
    process = subprocess.run(
        [sys.executable, "-v", "-m", "marketpulse", *map(str, words)],
        cwd=tool.folder,
        env=tool.env,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    # DuckDB counts what Python has left of its types when the interpreter ends.
    assert "leaked" not in process.stderr
    return set(re.findall(r"^import '([\w.]+)'", process.stderr, re.MULTILINE))


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        ("--help", set()),
        ("--version", set()),
        ("run-colors --help", set()),
        ("rules check --help", set()),
        ("config --format json", SETTINGS | AWS),
        ("list-tables --source demo", ARROW | {"duckdb"}),
        ("schema COLORS --source demo", ARROW | {"duckdb"}),
        ("sample COLORS --source demo", ARROW | SETTINGS | {"duckdb"}),
        (f"list-tables --source {COLORS}", ARROW),
        (f"verify {BUNDLE}", ARROW | {"duckdb", "pydantic"}),
        (f"rules check {RULES}", ARROW),
        (f"run-colors {COLORS} --rules {RULES}", ARROW | {"duckdb"}),
        (f"run-colors {COLORS} --explain 037833100", ARROW | {"duckdb"}),
        ("doctor", ARROW | AWS | SETTINGS | {"oracledb"}),
        ("push-s3 . s3://colors --dry-run", SETTINGS | AWS),
    ],
    ids=lambda value: value.replace(f"{ROOT}/", "") if isinstance(value, str) else "",
)
def test_no_command_imports_what_it_does_not_need(tool: Tool, words: str, needed: set[str]) -> None:
    """--help loads no heavy package; a command loads only what it needs."""
    modules = imported(tool, *words.split())

    assert "marketpulse" in modules
    assert modules & HEAVY <= needed
