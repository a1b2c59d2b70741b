"""The set-up: the script and marketpulse/install.py run on stand-ins for a user's machine."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from support import ROOT

SH = ROOT / "setup_extraction.sh"
BAT = ROOT / "setup_extraction.bat"
INSTALL = ROOT / "marketpulse" / "install.py"

posix = pytest.mark.skipif(sys.platform == "win32", reason="runs a POSIX shell")

# Stands for python3 and for what it puts into .venv; it writes down what it is asked to do. It
# runs install.py in a real Python that takes itself for the stand-in.
FAKE_PYTHON = f"""#!/bin/sh
real={shlex.quote(sys.executable)}
case "$1 $2" in
    "-m venv")
        cat .venv/.setup_stamp >>"$CALLS.marks"
        echo "venv" >>"$CALLS"
        [ -z "${{VENV_FAILS:-}}" ] || {{ echo "$VENV_FAILS"; exit 1; }}
        mkdir -p "$3/bin"
        cp "$0" "$3/bin/python"
        cp "$0" "$3/bin/marketpulse" ;;
    "-m pip")
        shift 2
        [ "$1" = --version ] && exit "${{NO_PIP:-0}}"
        cat .venv/.setup_stamp >>"$CALLS.marks"
        echo "pip $*" >>"$CALLS"
        echo "Collecting chatter"
        [ -z "${{PIP_FAILS:-}}" ] || {{ echo "$PIP_FAILS"; exit 1; }} ;;
    "-c "*)
        case "$0" in
            .venv/*) echo "${{IN_VENV:-{sys.version.split()[0]}}}" ;;
            *) [ -z "${{OLD:-}}" ] || {{ echo "$OLD"; exit 1; }}
                exec "$real" "$@" ;;
        esac ;;
    "-P "*/install.py)
        shift
        exec "$real" -P -c 'import runpy, sys
_, sys.executable, *sys.argv = sys.argv
sys._base_executable = sys.executable
runpy.run_path(sys.argv[0], run_name="__main__")' "$0" "$@" ;;
    *)
        printf "run ${{0##*/}}"
        printf " <%s>" "$@"
        exit "${{EXIT:-0}}" ;;
esac
"""


@dataclass
class Machine:
    """A folder with the project in it, and a PATH that holds only what a test puts there."""

    home: Path
    folder: str = "Bond Desk é"
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bin.mkdir()
        for tool in ("cat", "cp", "mkdir", "uname"):
            (self.bin / tool).symlink_to(shutil.which(tool) or f"/bin/{tool}")
        (self.project / "marketpulse").mkdir(parents=True)
        (self.project / "marketpulse/__init__.py").write_text("")
        (self.project / "pyproject.toml").write_text("")
        shutil.copy(SH, self.project)
        shutil.copy(INSTALL, self.project / "marketpulse")
        self.add("python3", FAKE_PYTHON)

    @property
    def bin(self) -> Path:
        """Where its programs are."""
        return self.home / "bin"

    @property
    def project(self) -> Path:
        """Where the user has put the project."""
        return self.home / self.folder

    @property
    def stamp(self) -> Path:
        """Where the script notes what it has installed."""
        return self.project / ".venv/.setup_stamp"

    def add(self, name: str, text: str = "#!/bin/sh\nexit 1\n") -> Path:
        """Put a program on PATH, instead of the one of that name."""
        tool = self.bin / name
        tool.unlink(missing_ok=True)
        tool.write_text(text)
        tool.chmod(0o755)
        return tool

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run the script from another folder, as a user may."""
        own = {"PATH": str(self.bin), "CALLS": str(self.home / "calls"), "LC_ALL": "C.UTF-8"}
        return subprocess.run(
            ["/bin/sh", str(self.project / SH.name), *words],
            cwd=self.home,
            env=own | self.env | env,
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def calls(self, *words: str, **env: str) -> list[str]:
        """Run the script with success; return what Python was asked to do meanwhile."""
        log = self.home / "calls"
        log.write_text("")
        done = self.run(*words, **env)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return log.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine with one Python, before the first run."""
    return Machine(tmp_path)


def failure(done: subprocess.CompletedProcess[str]) -> str:
    """Return the message of a run that failed as a run must: exit code 1, words on stderr."""
    assert done.returncode == 1
    assert "setup_extraction: " in done.stderr
    return done.stderr


@posix
@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help(machine: Machine, word: str) -> None:
    """Asked for help, the script prints its usage and does nothing else."""
    done = machine.run(word)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ./setup_extraction.sh [demo|test]\n")
    assert not machine.stamp.parent.exists()


@posix
@pytest.mark.parametrize("word", ["install", "Demo", "run"])
def test_unknown_word(machine: Machine, word: str) -> None:
    """A word the script does not know is named, with the usage, and exit code 2."""
    done = machine.run(word)
    assert (done.returncode, done.stdout) == (2, "")
    assert f'unknown word "{word}"\nusage: ' in done.stderr


@posix
def test_executable() -> None:
    """The script can be started by its name."""
    assert os.access(SH, os.X_OK)


@posix
@pytest.mark.parametrize(
    ("system", "installer", "remedy"),
    [
        ("Darwin", "brew", "https://www.python.org/downloads/ (or: brew install python@3.13)"),
        ("Linux", "apt-get", "sudo apt install python3.11 python3.11-venv"),
        ("Linux", "dnf", "sudo dnf install python3.12"),
        ("Linux", "other", "your package manager or from https://www.python.org/downloads/"),
    ],
)
@pytest.mark.parametrize("found", ["only Python 3.9.18", "none"])
def test_no_new_python(
    machine: Machine, system: str, installer: str, remedy: str, found: str
) -> None:
    """Without a Python that is new enough, the message names what there is and how to get one."""
    machine.add("uname", f"#!/bin/sh\necho {system}\n")
    machine.add(installer)
    if found == "none":
        (machine.bin / "python3").unlink()
    message = failure(machine.run(OLD="3.9.18"))
    assert f"needs Python 3.11 or newer, and found {found}.\n" in message
    assert remedy in message
    assert not machine.stamp.parent.exists()


@posix
def test_apt_line_fits_the_release(machine: Machine) -> None:
    """The apt line names the newest Python that this release of the system offers."""
    machine.add("uname", "#!/bin/sh\necho Linux\n")
    machine.add("apt-get")
    machine.add("apt-cache", '#!/bin/sh\n[ "$2" = python3.12-venv ]\n')
    message = failure(machine.run(OLD="3.9.18"))
    assert "sudo apt install python3.12 python3.12-venv\n" in message


@posix
def test_newest_python_first(machine: Machine) -> None:
    """Of several Pythons the newest known is used, and one that is too old is passed over."""
    machine.add("python3.13", "#!/bin/sh\necho 3.9.18\nexit 1\n")
    machine.add("python3.12", FAKE_PYTHON)
    machine.add("python3", "#!/bin/sh\necho 3.11.0\n")
    version = sys.version.split()[0]
    assert f"Making .venv with Python {version} ...\n" in machine.run().stdout
    assert (machine.home / "calls").read_text() == "venv\npip install .[aws,xlsx]\n"


@posix
def test_chosen_python(machine: Machine) -> None:
    """MARKETPULSE_PYTHON alone decides which Python is used."""
    chosen = machine.add("my python", FAKE_PYTHON)
    machine.add("python3")
    assert "venv" in machine.calls(MARKETPULSE_PYTHON=str(chosen))


@posix
@pytest.mark.parametrize(
    ("name", "is_"), [("python3", "Python 3.9.18"), ("/none", "no Python that runs")]
)
def test_chosen_python_unfit(machine: Machine, name: str, is_: str) -> None:
    """A MARKETPULSE_PYTHON that cannot serve is named rather than replaced by another."""
    machine.add("python3.12", FAKE_PYTHON)
    message = failure(machine.run(OLD="3.9.18", MARKETPULSE_PYTHON=name))
    assert f'"{name}" is {is_}.' in message


@posix
@pytest.mark.parametrize("says", ["ensurepip is not available", "No module named venv"])
def test_no_venv_module(machine: Machine, says: str) -> None:
    """A Python without its venv module is told from other failures, with the exact apt line."""
    message = failure(machine.run(VENV_FAILS=says))
    assert f"  | {says}\n" in message
    assert f"sudo apt install python3.{sys.version_info.minor}-venv\n" in message


@posix
def test_venv_fails_otherwise(machine: Machine) -> None:
    """When .venv cannot be made, Python's own words are shown, and the next run makes it anew."""
    message = failure(machine.run(VENV_FAILS="disk full"))
    assert "  | disk full\n" in message
    assert "could not make .venv" in message
    assert machine.calls()[0] == "venv"


@posix
def test_read_only_folder(machine: Machine) -> None:
    """In a folder that cannot be written, the message says to copy the project elsewhere."""
    machine.project.chmod(0o555)
    if os.access(machine.project, os.W_OK):
        pytest.skip("this user may write anywhere")
    message = failure(machine.run())
    machine.project.chmod(0o755)
    assert f"cannot write the folder .venv in {machine.project}\n" in message


@posix
def test_file_in_the_way(machine: Machine) -> None:
    """Where .venv cannot be made, for whatever reason, the message is the same."""
    machine.stamp.parent.write_text("")
    message = failure(machine.run())
    assert f"cannot write the folder .venv in {machine.project}\n" in message


@posix
@pytest.mark.parametrize("missing", ["pyproject.toml", "marketpulse/install.py"])
def test_script_alone(machine: Machine, missing: str) -> None:
    """A script taken out of its folder says that the whole folder is needed."""
    (machine.project / missing).unlink()
    assert "Unpack the whole MarketPulse folder" in failure(machine.run())


@posix
def test_first_run(machine: Machine) -> None:
    """The first run makes .venv, installs the project, hides pip's chatter, says what is next."""
    done = machine.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert (machine.home / "calls").read_text() == "venv\npip install .[aws,xlsx]\n"
    assert "chatter" not in done.stdout
    program = machine.project / ".venv/bin/marketpulse"
    assert f'Ready.\nNext: "{program}" demo ' in done.stdout


@posix
@pytest.mark.parametrize("word", ["demo", "test"])
def test_second_run(machine: Machine, word: str) -> None:
    """A second run installs nothing and goes straight to its work."""
    assert machine.calls(word)
    assert machine.calls(word) == []
    assert machine.run(word).stdout.startswith("run ")


@posix
@pytest.mark.parametrize(
    "changed", ["pyproject.toml", ".ci/constraints.txt", "marketpulse/deep/new.py"]
)
def test_change_is_installed(machine: Machine, changed: str) -> None:
    """What was changed or added since the last run is installed, into the same .venv."""
    machine.calls()
    file = machine.project / changed
    file.parent.mkdir(exist_ok=True)
    file.write_text("# changed")
    calls = machine.calls()
    assert len(calls) == 1
    assert calls[0].startswith("pip install .")
    assert machine.calls() == []


@posix
def test_test_follows_the_sources(machine: Machine) -> None:
    """The tests run on the sources as they are: a change to them needs no new install."""
    machine.calls("test")
    (machine.project / "marketpulse/__init__.py").write_text("# changed")
    assert machine.calls("test") == []


@posix
def test_constraints(machine: Machine) -> None:
    """Every install keeps to .ci/constraints.txt where there is one."""
    (machine.project / ".ci").mkdir()
    (machine.project / ".ci/constraints.txt").write_text("")
    calls = machine.calls() + machine.calls("test")
    installs = [call for call in calls if call.startswith("pip install")]
    assert len(installs) == 3
    assert all(call.endswith(" --constraint .ci/constraints.txt") for call in installs)


@posix
@pytest.mark.parametrize(
    "harm", ["interrupted", "python gone", "pip gone", "moved", "other python", "old python"]
)
def test_useless_venv_is_made_again(machine: Machine, harm: str) -> None:
    """A .venv that is half-made, broken, from another folder or another Python is made again."""
    machine.calls()
    if harm == "interrupted":
        machine.stamp.write_text("unfinished\n")
    elif harm == "python gone":
        (machine.project / ".venv/bin/python").unlink()
    elif harm == "moved":
        machine.project.rename(machine.home / "moved")
        machine.folder = "moved"
    elif harm == "pip gone":
        (machine.project / "pyproject.toml").write_text("# changed")
        machine.env = {"NO_PIP": "1"}
    elif harm == "old python":
        machine.env = {"IN_VENV": "3.10.13"}
    else:
        machine.env = {"MARKETPULSE_PYTHON": "python3", "IN_VENV": "3.11.99"}
    (machine.project / ".venv/leftover").write_text("")
    assert machine.calls() == ["venv", "pip install .[aws,xlsx]"]
    assert not (machine.project / ".venv/leftover").exists()


@posix
def test_unfinished_work_is_marked(machine: Machine) -> None:
    """While .venv is made or changed its stamp says so, in case the run never ends."""
    machine.calls()
    (machine.project / "pyproject.toml").write_text("# changed")
    machine.calls()
    assert (machine.home / "calls.marks").read_text() == "unfinished\n" * 3
    assert machine.stamp.read_text() != "unfinished\n"


@posix
@pytest.mark.parametrize(
    "says",
    [
        "WARNING: Retrying after connection broken by 'ProxyError(407)'",
        "ERROR: Could not find a version that satisfies pandas (from versions: none)",
        "Could not fetch URL: CERTIFICATE_VERIFY_FAILED SSLError",
    ],
)
def test_no_network(machine: Machine, says: str) -> None:
    """A download that fails is told as such, with what pip said and what a company may need."""
    message = failure(machine.run("demo", PIP_FAILS=says))
    assert f"  | {says}\n" in message
    assert "could not download" in message
    assert all(name in message for name in ("HTTPS_PROXY", "PIP_INDEX_URL", "PIP_CERT"))


@posix
def test_pip_fails_otherwise(machine: Machine) -> None:
    """Any other failure of pip shows pip's last lines and keeps the .venv that worked before."""
    machine.calls()
    (machine.project / "pyproject.toml").write_text("broken")
    message = failure(machine.run(PIP_FAILS="invalid pyproject.toml"))
    assert "  | invalid pyproject.toml\n" in message
    assert "pip could not install" in message
    assert machine.calls() == ["pip install .[aws,xlsx]"]


@posix
def test_demo(machine: Machine) -> None:
    """`demo` installs, runs marketpulse demo with any further words and passes its exit code on."""
    done = machine.run("demo", "a b", "--c", EXIT="7")
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout.endswith("run marketpulse <demo> <a b> <--c>")


@posix
def test_test(machine: Machine) -> None:
    """`test` installs the test tools too, runs pytest and passes words and exit code on."""
    done = machine.run("test", "-k", "a or b", "--", EXIT="5")
    assert (done.returncode, done.stderr) == (5, "")
    assert done.stdout.endswith("run python <-m> <pytest> <-k> <a or b> <-->")
    calls = (machine.home / "calls").read_text().splitlines()
    assert calls == [
        "venv",
        "pip install pip>=25.1",
        "pip install --editable .[all,lambda,spark] --group dev",
    ]


def bat_lines() -> list[str]:
    """Return the lines of the .bat, which end as cmd wants them to."""
    return BAT.read_bytes().decode("ascii").split("\r\n")


def in_quotes(name: str, script: Path) -> str:
    """Return the text in double quotes that a script gives this variable."""
    assignment = rf'^(?:{name}="|set "{name}=)(.+)"$'
    (text,) = re.findall(assignment, script.read_text(encoding="utf-8"), re.MULTILINE)
    return str(text)


def test_bat_is_plain() -> None:
    """The .bat is what every cmd reads: ASCII, CRLF, no delayed expansion, no block."""
    lines = bat_lines()
    assert lines[-1] == ""
    assert not any("\n" in line or "\r" in line for line in lines)
    assert lines[0] == "@echo off"
    assert "setlocal EnableExtensions DisableDelayedExpansion" in lines
    assert not any(line.endswith("(") or line.startswith(")") for line in lines)


def test_bat_labels() -> None:
    """Every label the .bat jumps to exists once, and none is left over."""
    labels = [line[1:] for line in bat_lines() if line.startswith(":")]
    code = "\n".join(line for line in bat_lines() if not line.startswith(("rem ", "echo ")))
    targets = re.findall(r"\bgoto (\w+)", code) + re.findall(r"\bcall :(\w+)", code)
    assert len(labels) == len(set(labels))
    assert set(targets) == set(labels)


def test_bat_passes_every_end() -> None:
    """No part of the .bat runs on into the next by accident: only these do, on purpose."""
    lines = [line for line in bat_lines() if line and not line.startswith("rem ")]
    through = {
        label[1:]
        for before, label in pairwise(lines)
        if label.startswith(":") and not before.startswith(("goto ", "exit /b "))
    }
    assert through == {"tried", "fail"}


def test_bat_passes_words_on() -> None:
    """The words of the user reach install.py as they are: `call` would change some."""
    (line,) = (line for line in bat_lines() if line.endswith(" %*") and "%py%" in line)
    assert line == '%py% -P "%install%" %*'
    assert 'set "install=%~dp0marketpulse\\install.py"' in bat_lines()


def test_both_are_short() -> None:
    """The scripts only find a Python; what can be said in Python is in install.py."""
    assert len(bat_lines()) < 80
    assert len(SH.read_text(encoding="utf-8").splitlines()) < 80


def test_same_probe() -> None:
    """Both scripts ask the same of a Python, and cmd and sh leave its text alone."""
    code = in_quotes("probe", SH)
    assert in_quotes("probe", BAT) == code
    assert not set('"%!$`\\') & set(code)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout == sys.version.split()[0] + "\n"


def test_same_candidates() -> None:
    """Both scripts try the same versions by name, the newest first, and last the one in .venv."""
    in_sh = re.search(r"set -- (python3.*) --", SH.read_text(encoding="utf-8"))
    in_bat = re.search(r"in \((.*)\) do", BAT.read_text(encoding="utf-8"))
    assert in_sh
    assert in_bat
    versions = re.findall(r"python(3\.\d+)", in_sh[1])
    assert versions == re.findall(r"py -(3\.\d+)", in_bat[1]) == ["3.13", "3.12", "3.11"]
    assert in_sh[1].endswith('"$here/.venv/bin/python"')
    assert 'if not defined py call :try "%~dp0.venv\\Scripts\\python.exe"' in bat_lines()


def test_same_python_as_the_project() -> None:
    """Scripts and install.py ask for the Python that the project asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    least = project["requires-python"].removeprefix(">=")
    numbers = least.replace(".", ", ")
    for file in (SH, BAT, INSTALL):
        text = file.read_text(encoding="utf-8")
        assert set(re.findall(r"Python (3\.\d+) or newer", text)) == {least}
        assert set(re.findall(r"(?:version_info < |numbers >= )\((3, \d+)\)", text)) == {numbers}


def test_install_needs_nothing() -> None:
    """install.py imports the standard library alone, and nothing imports install.py."""
    for path in (ROOT / "marketpulse").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in getattr(node, "names", []) if hasattr(alias, "asname")]
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{name}" for name in names]
            if path == INSTALL:
                assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)
            assert "marketpulse.install" not in names
