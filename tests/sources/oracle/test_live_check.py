"""The check of a real database, on the test server: it passes, only reads, and names nothing."""

import json
import subprocess
import sys
from typing import Any

from oracle_server.client import PASSWORD
from oracle_server.server import OracleServer
from support import ROOT, Tool


def check(tool: Tool, *words: str, table: str) -> dict[str, Any]:
    """Run the check as its user does; assert that it passes, and return the steps of its report."""
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    done = subprocess.run(
        [*command, ROOT / "tests/test_live.py", *words],
        cwd=tool.folder,
        env=tool.env | {"ORACLE_TABLE_NAME": table},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    report = json.loads((tool.folder / "live_report.json").read_text(encoding="utf-8"))
    steps: dict[str, Any] = report["steps"]
    assert [name for name, step in steps.items() if not step["passed"]] == []
    return steps


def test_live_check(tool: Tool, server: OracleServer) -> None:
    """Every step passes, statements only read, and the report has no setting, name or value."""
    steps = check(tool, table="colors_table")
    types = steps["types"]["types"]
    assert len(types) > 40
    assert {"NUMBER", "CLOB", "BLOB", "ROWID", "PUBLIC.XMLTYPE", "type of a user"} <= types.keys()
    assert steps["query"]["rows"] == 100
    assert steps["sample"]["rows"] == {"csv": 100, "parquet": 100, "ndjson": 100}
    assert steps["run-colors"]["rows"]["read"] == 100
    assert steps["encryption"]["refused"] == "MP-SRC-001"
    first_words = {statement.sql.split(" ")[0] for statement in server.record.statements}
    assert first_words == {"SELECT", "SET", "ALTER"}
    text = (tool.folder / "live_report.json").read_text(encoding="utf-8").lower()
    settings = [PASSWORD, "analyst", server.host, str(server.port), server.service, "colors_table"]
    names = ["message_id", "all_types", "a_clob", "securities", "treasury"]
    values = ["amberley", "037833100", "note 0", "a long text"]
    assert [word for word in [*settings, *names, *values] if word.lower() in text] == []


def test_cut_value(tool: Tool) -> None:
    """Values of each type that has a length are whole, and equal in each format."""
    steps = check(tool, "-k", "sample or query", table="all_types")
    assert steps["query"]["columns"] == 9
    assert steps["query"]["cut"] == 0
