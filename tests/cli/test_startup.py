"""What a command imports: --help stays fast."""

import re
import subprocess
import sys

import pytest
from support import COLORS, DAY, RULES, Tool

HEAVY = {"pyarrow", "duckdb", "pandas", "numpy", "rich", "sqlglot", "pydantic_settings", "openpyxl"}


def imported(tool: Tool, *words: object) -> set[str]:
    """The packages that a command imports."""
    process = subprocess.run(
        [sys.executable, "-v", "-m", "marketpulse", *map(str, words)],
        cwd=tool.folder,
        env=tool.env,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return set(re.findall(r"^import '(\w+)", process.stderr, re.MULTILINE))


@pytest.mark.parametrize(
    ("words", "unused"),
    [
        (("--help",), HEAVY),
        (("--version",), HEAVY),
        (("run-colors", "--help"), HEAVY),
        (("rules", "check", "--help"), HEAVY),
        (("config", "--format", "json"), HEAVY - {"pydantic_settings"}),
        (("rules", "check", RULES), {"duckdb", "pandas", "sqlglot", "openpyxl"}),
        (
            ("run-colors", COLORS, "--rules", RULES),
            {"openpyxl", "xlsxwriter", "pandas", "pydantic_settings"},
        ),
        (("sample", "COLORS", "--source", "demo"), {"openpyxl", "pandas", "sqlalchemy"}),
    ],
    ids=lambda value: " ".join(sorted(map(str, value))).replace(f"{DAY}/", ""),
)
def test_no_command_imports_what_it_does_not_need(
    tool: Tool, words: tuple[object, ...], unused: set[str]
) -> None:
    """--help loads no heavy package; a command loads only what it needs."""
    packages = imported(tool, *words)

    assert "marketpulse" in packages
    assert packages & unused == set()
