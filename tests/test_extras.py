"""Extras: what runs without them, and what is said where one is missing."""

import json
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support import COLORS, ROOT

import marketpulse
from marketpulse.extras import LIBRARIES, MissingExtraError, install_command

MISSING = {
    "list-tables --credentials ssm": "aws",
    "ssm check": "aws",
    f"run-colors {COLORS} --push s3://desk-colors/day/": "aws",
    "run-colors s3://desk-colors/day.csv": "aws",
    "push-s3 day s3://desk-colors/day/": "aws",
    "sample COLORS --source demo --formats csv,xlsx": "xlsx",
    "sample COLORS --source demo --profile excel": "xlsx",
    "run-colors day.xlsx": "xlsx",
    f"run-colors {COLORS} --workbook": "xlsx",
    f"run-colors {COLORS} --report": "report",
}
RUNS = (
    "sample DEALERS --source demo --zip --report --output bundle",
    f"run-colors {COLORS} --output results",
    "schema bundle --format json",
    "push-s3 results s3://desk-colors/day/ --dry-run",
)
# A command line in a Python that lacks the libraries of the extras. pandas is hidden by ours.
SCRIPT = """
import json, sys
from typer.testing import CliRunner
lines, libraries = json.load(sys.stdin)
sys.modules.update(dict.fromkeys(libraries))
from marketpulse.cli.app import app
def run(line):
    result = CliRunner().invoke(app, line.split(), prog_name="marketpulse")
    return [result.exit_code, result.output]
print(json.dumps({line: run(line) for line in lines}))
"""

Results = dict[str, tuple[int, str]]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    """The folder and the results of all command lines, in one process without the extras."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "day").mkdir()
    (folder / "day/a.csv").write_text("A\n1\n")
    (folder / "day.xlsx").write_bytes(b"PK")
    libraries = {library for names in LIBRARIES.values() for library in names} - {"pandas"}
    lines = ["doctor", "config --credentials ssm", *MISSING, *RUNS]
    question = json.dumps([lines, sorted(libraries | {"botocore"})])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=question,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return folder, {line: (code, err) for line, (code, err) in json.loads(done.stdout).items()}


@pytest.mark.parametrize("line", RUNS)
def test_most_runs_without_extras(bare: tuple[Path, Results], line: str) -> None:
    """Extraction, ranking and a bundle's page need no extra."""
    assert bare[1][line][0] == 0, bare[1][line]


@pytest.mark.parametrize("line", MISSING)
def test_a_missing_extra_is_named(bare: tuple[Path, Results], line: str) -> None:
    """One message names the extra, and the command that installs it; the exit code is 2."""
    code, output = bare[1][line]
    extra = MISSING[line]
    message, hint = output.splitlines()[-2:]

    assert code == 2
    assert f"needs the extra '{extra}', which is not installed" in message
    assert f"{sys.executable} -m pip install" in hint
    assert f"[{extra}]" in hint


def test_nothing_is_written_first(bare: tuple[Path, Results]) -> None:
    """The extra is missed before the work begins."""
    names = {path.name for path in bare[0].iterdir()}
    assert names == {"day", "day.xlsx", "bundle", "bundle.zip", "bundle_report.html", "results"}


def test_missing_settings_say_why_ssm_was_not_asked(bare: tuple[Path, Results]) -> None:
    """Without boto3 the settings in SSM count as absent; doctor lists what is not installed."""
    code, output = bare[1]["doctor"]
    installation, settings, _ = output.splitlines()

    assert code == 3
    assert installation.endswith("; not installed: aws, keyring, lambda, report, spark, xlsx")
    assert settings.endswith(" (the extra 'aws' is not installed)")


def test_config_shows_the_other_settings(bare: tuple[Path, Results]) -> None:
    """A store that cannot be asked is a warning of `config`."""
    code, output = bare[1]["config --credentials ssm"]

    assert code == 0
    assert "ORACLE_HOST" in output
    assert "warning: --credentials ssm needs the extra 'aws', which is not installed" in output


def test_a_data_frame_needs_pandas(
    bare: tuple[Path, Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without pandas, `load` gives Arrow tables."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    bundle = marketpulse.load(bare[0] / "bundle")

    with pytest.raises(MissingExtraError, match="a data frame needs the extra 'pandas'") as caught:
        bundle["DEALERS"]
    assert "or take .arrow(NAME)" in caught.value.hint


@pytest.mark.parametrize(
    ("mark", "command"),
    [
        ("uv-receipt.toml", ["uv", "tool", "install", "--force"]),
        ("pipx_metadata.json", ["pipx", "install", "--force"]),
        ("", [sys.executable, "-m", "pip", "install"]),
    ],
)
def test_the_tool_that_installed_adds_an_extra(
    tmp_path: Path, mark: str, command: list[str]
) -> None:
    """What installs anew, uv and pipx, is given the extras that are there, too."""
    if mark:
        (tmp_path / mark).touch()
    *words, package = shlex.split(install_command("aws", tmp_path), posix=os.name != "nt")

    assert words == command
    assert package.endswith("[aws]") is not bool(mark)
    if mark:
        assert "aws," in package
        assert "xlsx" in package


def test_the_extras_are_those_of_the_distribution() -> None:
    """Each extra of pyproject.toml is known with its libraries; `all` has those for people."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]

    assert set(extras) == {*LIBRARIES, "all"}
    assert extras["all"] == ["marketpulse[aws,keyring,pandas,report,xlsx]"]
