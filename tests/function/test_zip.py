"""function.zip: built as the container image builds its code, and run in Lambda's Python."""

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from function.helpers import AT, Cloud, call
from support import ROOT

from marketpulse.terraform.build_function import LIMIT

DOCKERFILE = (ROOT / "marketpulse/terraform/Dockerfile").read_text(encoding="utf-8")
INSIDE = """
import json, os, resource, sys
def cpu_time():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
started = cpu_time()
sys.path[:0] = [sys.argv[1]]
import marketpulse.function.events
imported = cpu_time()
run = marketpulse.function.handler({"time": sys.argv[2]}, None)
ran = cpu_time()
def ask(path, query=""):
    context = {"http": {"method": "GET", "path": path, "sourceIp": "10.0.0.1"}}
    request = {"rawPath": path, "rawQueryString": query, "requestContext": context}
    request |= {"version": "2.0", "headers": {"host": "x"}}
    answer = marketpulse.function.handler(request, None)
    assert answer["statusCode"] == 200, answer
    return json.loads(answer["body"])
colors = ask("/colors", "date=2026-03-01&cusip=037833100")
for path in ("/tables", "/tables/COLORS_TABLE/schema", "/runs/latest", "/openapi.json"):
    ask(path)
for package in ("pandas", "rich", "openpyxl"):
    assert package not in sys.modules
files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
ours = [file for file in files if file.startswith(sys.argv[1])]
with open("/proc/self/maps") as maps:
    loaded = {line[line.index("/"):].rstrip() for line in maps if sys.argv[1] in line}
print(json.dumps({
    "loaded": sum(os.stat(file).st_size for file in loaded),
    "runs": [run["run_id"], colors["run_id"]],
    "kinds": sorted({file.rpartition(".")[2] for file in ours}),
    "import": imported - started, "first run": ran - imported,
}))
"""


def find_python() -> str | None:
    """The path of Python 3.12, if it is installed."""
    shim = shutil.which("python3.12")
    if shim is None:
        return None
    chosen = {**os.environ, "PYENV_VERSION": "3.12"}  # where pyenv has several
    done = subprocess.run(
        [shim, "-c", "import sys; print(sys.executable)"],
        env=chosen, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or None


def build(python: str, folder: Path) -> str:
    """Copy and run what the Dockerfile says, with a zip as the output; returns what is printed."""
    first_stage = DOCKERFILE.partition("\n\n")[0]
    for sources, target in re.findall(r"^COPY (.*) /(\S*)$", first_stage, re.MULTILINE):
        for source in sources.split():
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, folder / target)
            else:
                (folder / target).mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, folder / target)
    (words,) = re.findall(r"^RUN python /(.*) /src --output /function$", DOCKERFILE, re.MULTILINE)
    done = subprocess.run(
        [python, words, "src", "--output", "function.zip"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.package
def test_the_zip_fits_and_works(
    cloud: Cloud, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The zip is bytecode, leaves room, and publishes what the source publishes."""
    python = find_python()
    if python is None:
        pytest.skip("there is no Python 3.12 to build and run it")
    printed = build(python, tmp_path)
    with zipfile.ZipFile(tmp_path / "function.zip") as zipped:
        assert sum(entry.file_size for entry in zipped.infolist()) < 0.88 * LIMIT
        assert "marketpulse/terraform/ssm.tf" in zipped.namelist()  # so the wheel has it
        zipped.extractall(tmp_path / "function")
    ran = subprocess.run(
        [python, "-I", "-S", "-c", INSIDE, str(tmp_path / "function"), AT],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    objects = cloud.objects()
    run_id = call({"time": AT})["run_id"]
    again = cloud.objects()

    assert report["runs"] == [run_id, run_id]
    assert again == objects
    assert report["kinds"] == ["pyc", "so"]
    record_property("figure", f"{printed.strip()}; a run loads {report['loaded']:,} of libraries")
    seconds = ", ".join(f"{name} {report[name]:.1f} s" for name in ("import", "first run"))
    record_property("figure", f"function.zip in a new process, processor time: {seconds}")
