"""A real database, where ORACLE_HOST and the other settings name one: what no other test shows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

pytestmark = pytest.mark.skipif(
    not os.environ.get("ORACLE_HOST"), reason="ORACLE_HOST names no database"
)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run marketpulse with the settings of this process's environment."""
    return subprocess.run(
        [sys.executable, "-m", "marketpulse", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )


def test_the_way_is_clear(tmp_path: Path) -> None:
    """Nothing is in the way, says doctor."""
    done = run(tmp_path, "doctor", "--format", "json")

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_sample_is_taken_and_whole(tmp_path: Path) -> None:
    """The first table that may be read, or ORACLE_TABLE_NAME, in every format."""
    listed = run(tmp_path, "list-tables", "--format", "json")
    assert listed.returncode == 0, listed.stderr
    tables = [it["name"] for it in json.loads(listed.stdout) if it["kind"] == "table"]
    table = os.environ.get("ORACLE_TABLE_NAME") or tables[0]
    done = run(tmp_path, "sample", table, "--limit", "100", "--formats", "csv,json,parquet")
    assert done.returncode == 0, done.stderr
    assert run(tmp_path, "verify", "sample_data").returncode == 0
