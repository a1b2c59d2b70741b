"""Tests on a real database, if ORACLE_HOST and the other settings name one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

pytestmark = pytest.mark.skipif(not os.environ.get("ORACLE_HOST"), reason="ORACLE_HOST is not set")


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run marketpulse with this process's environment, unlike the fixture `tool`."""
    return subprocess.run(
        [sys.executable, "-m", "marketpulse", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )


def test_doctor(tmp_path: Path) -> None:
    """Doctor finds nothing wrong."""
    done = run(tmp_path, "doctor", "--format", "json")

    assert done.returncode == 0, done.stdout + done.stderr


def test_sample(tmp_path: Path) -> None:
    """A sample of ORACLE_TABLE_NAME, or of the first table, in several formats is complete."""
    listed = run(tmp_path, "list-tables", "--format", "json")
    assert listed.returncode == 0, listed.stderr
    tables = [table["name"] for table in json.loads(listed.stdout) if table["kind"] == "table"]
    name = os.environ.get("ORACLE_TABLE_NAME") or tables[0]
    done = run(tmp_path, "sample", name, "--limit", "100", "--formats", "csv,json,parquet")
    assert done.returncode == 0, done.stderr
    assert run(tmp_path, "verify", "sample_data").returncode == 0
