"""The distribution: everything that the package needs, and nothing else."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import metadata, version
from pathlib import Path

from support import ROOT

import marketpulse
from marketpulse.extras import LIBRARIES

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_installed_version_is_the_packages() -> None:
    """The distribution takes its version from the package."""
    assert version("marketpulse") == marketpulse.__version__


def test_the_package_is_typed() -> None:
    """The package has py.typed, so that type checkers read its annotations."""
    assert (Path(marketpulse.__file__).parent / "py.typed").is_file()


def test_the_extras_are_there() -> None:
    """The extras have the names of the documentation."""
    extras = metadata("marketpulse").get_all("Provides-Extra") or []
    assert set(extras) == {*LIBRARIES, "all"}


def test_the_public_names_are_there() -> None:
    """Each public name can be imported from the package."""
    for name in marketpulse.__all__:
        assert getattr(marketpulse, name) is not None


def test_importing_the_package_is_light() -> None:
    """`import marketpulse` loads no other module; public names load on first use."""
    code = "import sys, marketpulse; print(sorted(m for m in sys.modules if 'marketpulse' in m))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['marketpulse', 'marketpulse.version']"


def test_the_constraints_fit_the_ranges() -> None:
    """Every dependency is pinned for the set-up scripts, without addresses or hashes."""
    pins = (ROOT / ".ci" / "constraints.txt").read_text(encoding="utf-8")
    names = {line.partition("==")[0].lower().replace("_", "-") for line in pins.splitlines()}
    project = PROJECT["project"]
    extras = [words for extra in LIBRARIES for words in project["optional-dependencies"][extra]]
    for dependency in [*project["dependencies"], *extras]:
        assert re.split(r">=|\[", dependency)[0].lower() in {*names, "marketpulse"}
    assert "://" not in pins
    assert "sha256" not in pins


def test_the_top_level_holds_what_it_should() -> None:
    """The top level of the repository holds only these names."""
    command = ["git", "ls-files"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    tops = {line.split("/")[0] for line in listed.stdout.splitlines()}
    tops = tops or {path.name for path in ROOT.iterdir()}  # a source archive has no git
    fixed = {"marketpulse", "tests", "docs", "pyproject.toml", "README.md", "LICENSE"}
    fixed |= {"CHANGELOG.md", "setup_extraction.sh", "setup_extraction.bat"}
    assert {name for name in tops if not name.startswith(".")} <= fixed
