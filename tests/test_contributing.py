"""The pages and files for those who change MarketPulse: what they name is there, and runs."""

import re
import shlex
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTEST = PROJECT["tool"]["pytest"]["ini_options"]
PYTHON = ".venv/bin/python"


def commands() -> list[str]:
    """Every command of the page: the lines of its blocks, and what its tables say to run."""
    blocks = re.findall(r"^ *```shell\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    quoted = re.findall(rf"`({re.escape(PYTHON)} -m [^`]+)`", PAGE)
    return list(dict.fromkeys([*lines, *quoted]))


def pytest_words(command: str) -> list[str]:
    """What a command says to pytest, if it runs it."""
    words = shlex.split(command)
    if words[:2] == ["./setup_extraction.sh", "test"]:
        return words[2:]
    return words[3:] if words[:3] == [PYTHON, "-m", "pytest"] else []


@pytest.mark.parametrize("command", commands())
def test_the_commands_exist(command: str) -> None:
    """A program of the page is a file of the repository, a tool that it installs, or well known."""
    program, *words = shlex.split(command)
    if program == PYTHON:
        assert words[0] == "-m"
        groups = PROJECT["dependency-groups"].values()
        tools = {
            re.split(r"[\[><=]", tool)[0] for group in groups for tool in group if type(tool) is str
        }
        assert words[1] in tools | {"pip"}
    elif program not in {"git", "cd", "pip", "pre-commit"}:
        assert (ROOT / program).is_file()
    for word in words:
        if word.startswith(("tests/", "marketpulse/", "docs/")):
            assert (ROOT / word).exists(), word
    if "--group" in words:
        assert words[words.index("--group") + 1] in PROJECT["dependency-groups"]


@pytest.mark.parametrize("command", [command for command in commands() if pytest_words(command)])
def test_the_tests_exist(command: str) -> None:
    """Folders, words, markers and profiles that the page gives to pytest are there."""
    words = pytest_words(command)
    options = dict(pairwise(words))
    paths = [ROOT / word for word in words if word.startswith("tests/")] or [ROOT / "tests"]
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))]
    texts = "".join(file.read_text(encoding="utf-8") for file in files)
    assert "\ndef test_" in texts or "    def test_" in texts
    assert options.get("-k", "") in texts
    markers = {marker.partition(":")[0] for marker in PYTEST["markers"]}
    assert set(options.get("-m", "").split()) <= markers | {"not"}
    settings.get_profile(options.get("--hypothesis-profile", "default"))


def test_the_paths_exist() -> None:
    """Every file and folder that the page names in quotes is there, but those to be written."""
    named = re.findall(r"`((?:marketpulse|tests|docs|\.ci)/[\w/.]*)`", PAGE)
    assert len(named) > 20
    assert {path for path in named if not (ROOT / path).exists()} == {"marketpulse/formats/NAME.py"}


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("DOORS", "tests/test_architecture.py"),
        ("FORMATS", "marketpulse/formats/__init__.py"),
        ("BY_SUFFIX", "marketpulse/formats/__init__.py"),
        ("prepare_scan", "marketpulse/formats/parquet.py"),
        ("read_back", "marketpulse/formats/parquet.py"),
        ("Source", "marketpulse/sources/base.py"),
        ("open_source", "marketpulse/sources/__init__.py"),
        ("SOURCES", "tests/sources/test_contract.py"),
        ("Operator", "marketpulse/colors/rules/model.py"),
        ("_ARROW_TYPES", "marketpulse/sources/oracle/columns.py"),
        ("_CONVERSIONS", "marketpulse/sources/oracle/columns.py"),
        ("SkippedError", "marketpulse/doctor.py"),
    ],
)
def test_the_names_exist(name: str, place: str) -> None:
    """What the page says to extend is where it says."""
    assert f"`{name}`" in PAGE
    assert f"`{place}`" in PAGE
    defined = rf"^(?:(?:def|class) {name}\b|{name}\b.*=)"
    assert re.search(defined, (ROOT / place).read_text(encoding="utf-8"), re.MULTILINE)


def test_what_is_mutated_exists() -> None:
    """Mutation testing is set up for modules and tests that are there."""
    mutmut = PROJECT["tool"]["mutmut"]
    for pattern in (*mutmut["source_paths"], *mutmut["only_mutate"], *mutmut["do_not_mutate"]):
        assert any(ROOT.glob(pattern)), pattern
    for path in (*mutmut["pytest_add_cli_args_test_selection"], *mutmut["also_copy"]):
        assert (ROOT / re.sub(r"--(deselect|ignore)=", "", path).partition("::")[0]).exists(), path


def test_ci_runs_every_python() -> None:
    """CI and the workflow know each Python that the project says it supports."""
    classifiers = " ".join(PROJECT["project"]["classifiers"])
    versions = set(re.findall(r"Python :: (3\.\d+)", classifiers))
    for name in (".ci/run", ".github/workflows/ci.yml"):
        path = ROOT / name
        if path.exists():  # not in a source archive
            assert versions <= set(re.findall(r"3\.\d+", path.read_text(encoding="utf-8"))), name


def test_the_quick_tests_exist() -> None:
    """CI names folders of tests that are there."""
    run = ROOT / ".ci" / "run"
    if not run.exists():
        pytest.skip("a source archive has no CI")
    found = re.search(r'^quick="([^"]+)"$', run.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    paths = [word.partition("::")[0] for word in found[1].split() if not word.startswith("-")]
    assert paths
    assert all((ROOT / path).exists() for path in paths)


def test_the_hooks_are_the_linters_of_ci() -> None:
    """The hooks before a commit run what CI runs, apart from mending what they can."""
    hooks = ROOT / ".pre-commit-config.yaml"
    if not hooks.exists():
        pytest.skip("a source archive has no hooks")
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8").replace(" --check", "")
    for entry in re.findall(r"entry: (.+)", hooks.read_text(encoding="utf-8")):
        assert entry in run


def test_the_changelog_has_its_form() -> None:
    """The newest section comes first, and each has the headings of Keep a Changelog."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert sections[0] == "[Unreleased]"
    assert all(
        re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", section) for section in sections[1:]
    )
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= kinds
