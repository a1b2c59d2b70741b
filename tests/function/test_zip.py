"""function.zip: its size, and a run in Lambda's Python."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from function.helpers import AT, Cloud, call
from support import ROOT

INSIDE = """
import json, sys
sys.path[:0] = [sys.argv[1]]
import marketpulse.function.events
assert marketpulse.__file__.startswith(sys.argv[1]), marketpulse.__file__
run = marketpulse.function.handler({"time": sys.argv[2]}, None)
asked = {
    "version": "2.0", "rawPath": "/colors", "rawQueryString": "date=2026-03-01&cusip=037833100",
    "headers": {"host": "x"},
    "requestContext": {"http": {"method": "GET", "path": "/colors", "sourceIp": "10.0.0.1"}},
}
colors = marketpulse.function.handler(asked, None)
assert colors["statusCode"] == 200, colors
for package in ("pandas", "rich", "openpyxl"):
    assert package not in sys.modules
print(json.dumps([run["run_id"], json.loads(colors["body"])["run_id"]]))
"""


@pytest.mark.package
def test_the_zip_fits_and_works(cloud: Cloud, tmp_path: Path) -> None:
    """The zip is within the limit and publishes what the source publishes."""
    script = str(ROOT / "marketpulse/terraform/build_function.py")
    done = subprocess.run(
        [sys.executable, script, str(ROOT), "--output", "function.zip"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(tmp_path / "function.zip") as zipped:
        assert sum(entry.file_size for entry in zipped.infolist()) < 262_144_000
        assert "marketpulse/terraform/ssm.tf" in zipped.namelist()  # so the wheel has it
        zipped.extractall(tmp_path / "function")
    python = shutil.which("python3.12")
    chosen = {**os.environ, "PYENV_VERSION": "3.12"}  # where pyenv has several
    if not python or subprocess.run([python, "-V"], check=False, env=chosen).returncode:
        pytest.skip("it fits; there is no Python 3.12 to run it")
    ran = subprocess.run(
        [python, "-I", "-c", INSIDE, str(tmp_path / "function"), AT],
        cwd=tmp_path, env=chosen, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    objects = cloud.objects()
    run_id = call({"time": AT})["run_id"]

    assert json.loads(ran.stdout) == [run_id, run_id]
    assert cloud.objects() == objects
