"""Install MarketPulse into .venv, then run the demo or the tests if asked.

setup_extraction.sh and setup_extraction.bat find a Python and run this file by its path. It needs
the standard library alone, and the package never imports it.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NoReturn, TextIO

WINDOWS = os.name == "nt"
ROOT = Path(__file__).absolute().parents[1]  # resolve() would undo Windows' drive letters
VENV = Path(".venv")  # paths are relative to ROOT, where all work is done
STAMP = VENV / ".setup_stamp"
CONSTRAINTS = Path(".ci/constraints.txt")
SCRIPT = "setup_extraction.bat" if WINDOWS else "./setup_extraction.sh"
PROGRAMS = VENV / ("Scripts" if WINDOWS else "bin")
# Windows adds no .exe to a name that has a folder.
PYTHON, MARKETPULSE = (
    PROGRAMS / (f"{name}.exe" if WINDOWS else name) for name in ("python", "marketpulse")
)
# Without these pip would wait for a password that nobody sees, or install outside .venv.
PIP_SETTINGS = {"PIP_NO_INPUT": "1", "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
NO_NETWORK = (
    *("Retrying", "ConnectionError", "ProxyError", "SSLError", "Max retries", "timed out"),
    *("HTTP error", "HTTPError", "Could not fetch URL", "from versions: none"),
)
EXTRAS = "aws,xlsx"  # what an analyst needs: settings in AWS, spreadsheets. pandas would be 85 MB.
USAGE = f"""\
usage: {SCRIPT} [demo|test]

  (no word)   install MarketPulse into .venv beside this script
  demo        the same, then run: marketpulse demo
  test        install it with its test tools, then run the tests

Further words after demo or test are passed on. Python 3.11 or newer is needed;
set MARKETPULSE_PYTHON to choose which one.
"""

Kind = Literal["run", "test"]
State = Literal["ready", "install", "remake"]


def main(words: Sequence[str]) -> int:
    """Install what is missing and do what the first word says; return the exit code."""
    task = words[0] if words else ""
    if task in {"-h", "--help", "/?"}:
        say(USAGE)
        return 0
    if task not in {"", "demo", "test"}:
        say(f'setup_extraction: unknown word "{task}"\n{USAGE}', sys.stderr)
        return 2
    started_in = Path.cwd()
    enter_root()
    os.environ.update(PIP_SETTINGS)
    prepare("test" if task == "test" else "run")
    if task == "demo":
        return run([str(MARKETPULSE), *words])
    if task == "test":
        return run([str(PYTHON), "-m", "pytest", *words[1:]])
    program = str(PROGRAMS / "marketpulse")
    if started_in != ROOT:
        program = f'"{ROOT / program}"'
    say(
        f"Ready.\nNext: {program} demo      shows everything on a built-in example\n"
        f"      {program} --help    lists the commands\n"
    )
    return 0


def enter_root() -> None:
    """Go to the folder that holds the project, or say what is wrong with it."""
    if str(ROOT).startswith("\\\\"):  # cmd, and so the programs in .venv, cannot work there
        fail(
            f"cannot work in the network folder {ROOT}\n"
            "Copy the whole MarketPulse folder to this computer and run this again there."
        )
    os.chdir(ROOT)
    if not Path("pyproject.toml").is_file():
        fail(
            "there is no pyproject.toml beside this script.\n"
            "Unpack the whole MarketPulse folder and run the script inside it."
        )


def prepare(kind: Kind) -> None:
    """Make .venv if it is missing or unusable, and install what has changed."""
    state, _ = inspect_venv(kind)
    if state == "install" and call([str(PYTHON), "-m", "pip", "--version"])[0]:
        state = "remake"
    if state == "ready":
        return
    if state == "remake":
        make_venv()
    say("Installing MarketPulse (a minute or two the first time) ...\n")
    mark_unfinished()
    if kind == "test":
        pip_install("pip>=25.1")  # the first that knows --group
        pip_install("--editable", ".[all,lambda,spark]", "--group", "dev")
    else:
        pip_install(f".[{EXTRAS}]")
    STAMP.write_text(inspect_venv(kind)[1] + "\n", encoding="utf-8")


def inspect_venv(kind: Kind) -> tuple[State, str]:
    """Return what is to be done with .venv, and the stamp that it gets when that is done.

    The stamp names the folder (scripts in .venv hold its path), the Python and what was installed.
    An analyst gets an ordinary install, so the sources count. The editable install of `test` hangs
    on a .pth file that Pythons before 3.12.4 can misread when the path has an accent.
    """
    version = venv_version()
    if not version:
        return "remake", ""
    plan = read_files("pyproject.toml", str(CONSTRAINTS))
    numbers = tuple(int(part) for part in version.split(".")[:2])
    place = digest(str(ROOT), numbers)
    test_stamp = f"{place}-test-{digest(plan)}"
    run_stamp = f"{place}-run-{digest(plan, read_files('marketpulse'))}"
    wanted = test_stamp if kind == "test" else run_stamp
    # pip undoes its own work when it fails, and then the stamp is removed: .venv is as good as new.
    stamp = STAMP.read_text(encoding="utf-8").strip() if STAMP.exists() else place
    is_chosen = not os.environ.get("MARKETPULSE_PYTHON") or version == sys.version.split()[0]
    if not (is_chosen and numbers >= (3, 11) and stamp.startswith(place)):
        return "remake", wanted
    # The install of `test` serves an analyst, too.
    if stamp == wanted or (stamp == test_stamp and str(ROOT).isascii()):
        return "ready", wanted
    return "install", wanted


def venv_version() -> str:
    """Return the version of the Python in .venv, or nothing if none runs there."""
    code, printed = call([str(PYTHON), "-c", "import sys; print(sys.version.split()[0])"])
    return "" if code else printed.strip()


def read_files(*names: str) -> list[tuple[str, bytes]]:
    """Return every file with one of these names, or below a folder with it, and its content."""
    paths = [path for name in names for path in sorted([Path(name), *Path(name).rglob("*")])]
    files = [path for path in paths if path.is_file() and "__pycache__" not in path.parts]
    return [(str(path), path.read_bytes()) for path in files]


def digest(*parts: object) -> str:
    """Return a short hash of these values."""
    return hashlib.sha256(ascii(parts).encode()).hexdigest()[:16]


def make_venv() -> None:
    """Make a new .venv with the Python that runs this."""
    version = sys.version.split()[0]
    say(f"Making .venv with Python {version} ...\n")
    shutil.rmtree(VENV, ignore_errors=True)
    mark_unfinished()
    code, printed = 1, ""
    if list(VENV.iterdir()) == [STAMP]:  # all else is gone
        # This Python may itself be the one in the .venv that was just removed.
        python = getattr(sys, "_base_executable", sys.executable)
        code, printed = call([python, "-m", "venv", str(VENV)])
    if code:
        show(printed.splitlines()[-12:])
        if "ensurepip" in printed or "No module named venv" in printed:
            short = ".".join(version.split(".")[:2])
            remedy = f"On Debian or Ubuntu: sudo apt install python{short}-venv"
            if WINDOWS:
                remedy = "Install the whole of Python from https://www.python.org/downloads/"
            fail(
                f"Python {version} ({sys.executable}) lacks its venv module.\n"
                f"{remedy}\nThen run this again."
            )
        fail(
            f"could not make .venv in {ROOT}\n"
            "Close MarketPulse where it still runs, delete the folder .venv and run this again."
        )


def mark_unfinished() -> None:
    """Write the stamp that makes the next run start over, in case this one is killed."""
    try:
        VENV.mkdir(exist_ok=True)
        STAMP.write_text("unfinished\n", encoding="utf-8")
    except OSError:
        fail(
            f"cannot write the folder .venv in {ROOT}\n"
            "Copy the whole MarketPulse folder to one of your own and run this again there."
        )


def pip_install(*words: str) -> None:
    """Install with pip; if that fails, show what it said and what to do."""
    if CONSTRAINTS.is_file():
        words = (*words, "--constraint", CONSTRAINTS.as_posix())
    code, printed = call([str(PYTHON), "-m", "pip", "install", *words])
    if not code:
        return
    STAMP.unlink(missing_ok=True)
    lines = printed.splitlines()
    causes = [line for line in lines if any(word in line for word in NO_NETWORK)]
    if causes:
        show(causes[-3:])  # pip's very last lines do not say why
        fail(
            "could not download what MarketPulse needs: are you on the internet\n"
            "(and on the company's VPN)? Does the company need a proxy (set HTTPS_PROXY),"
            " a package server\n"
            "of its own (set PIP_INDEX_URL) or its own certificate (set PIP_CERT)?"
            " Your IT desk knows.\n"
            "Then run this again."
        )
    show(lines[-12:])
    fail(
        "pip could not install MarketPulse; its last lines are above.\n"
        "Run this again; if it fails again, send those lines to whoever looks after MarketPulse."
    )


def call(command: Sequence[str]) -> tuple[int, str]:
    """Run a program and return its exit code and all that it printed."""
    try:
        done = subprocess.run(  # noqa: S603 - Python, pip or venv, with our own words
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout


def run(command: list[str]) -> int:
    """Replace this process by another program; on Windows, run it and wait for it."""
    sys.stdout.flush()
    if not WINDOWS:
        os.execv(command[0], command)  # noqa: S606 - a program in .venv
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program
    return subprocess.call(command)  # noqa: S603 - a program in .venv


def say(text: str, stream: TextIO | None = None) -> None:
    """Print text at once, also where the terminal lacks one of its characters."""
    stream = stream or sys.stdout
    encoding = stream.encoding or "ascii"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()


def show(lines: Sequence[str]) -> None:
    """Print what another program said. What to do comes after it, and so stays in view."""
    say("".join(f"  | {line}\n" for line in lines), sys.stderr)


def fail(message: str) -> NoReturn:
    """End with a message."""
    say(f"setup_extraction: {message}\n", sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
