#!/bin/sh
# Makes .venv beside this script, installs MarketPulse into it and, asked for `demo` or `test`,
# runs that. setup_extraction.bat does the same on Windows: change both together.
set -eu

usage() {
    cat <<'END'
usage: ./setup_extraction.sh [demo|test]

  (no word)   install MarketPulse into .venv beside this script
  demo        the same, then run: marketpulse demo
  test        install it with its test tools, then run the tests

Further words after demo or test are passed on. Python 3.11 or newer is needed;
set MARKETPULSE_PYTHON to choose which one.
END
}

die() {
    printf 'setup_extraction: %s\n' "$1" >&2
    exit 1
}

# Comes before die, so that what to do is said last and stays in view.
show() {
    printf '%s\n' "$1" | tail -n "$2" | sed 's/^/  | /' >&2
}

how_to_get_python() {
    if [ "$system" = Darwin ]; then
        echo "Install it from https://www.python.org/downloads/ (or: brew install python@3.13)"
    elif command -v apt-get >/dev/null; then
        for v in 3.13 3.12 3.11; do
            if apt-cache show "python$v-venv" >/dev/null 2>&1; then break; fi
        done
        echo "Install it with: sudo apt install python$v python$v-venv"
    elif command -v dnf >/dev/null; then
        echo "Install it with: sudo dnf install python3.12"
    else
        echo "Install it with your package manager or from https://www.python.org/downloads/"
    fi
}

# Sets py and version to the first Python that is new enough.
find_python() {
    set -- python3.13 python3.12 python3.11 python3 python
    [ -z "${MARKETPULSE_PYTHON:-}" ] || set -- "$MARKETPULSE_PYTHON"
    old=
    for try in "$@"; do
        # On a Mac without developer tools this one is a stub that only opens a dialog.
        if [ "$system $(command -v "$try")" = "Darwin /usr/bin/python3" ] &&
            ! xcode-select -p >/dev/null 2>&1; then continue; fi
        answer=$("$try" -c "$probe" 2>/dev/null) || continue
        case $answer in
            "new "*) py=$try; version=${answer#new }; return ;;
            "old "*) [ -n "$old" ] || old="Python ${answer#old }" ;;
        esac
    done
    if [ -n "${MARKETPULSE_PYTHON:-}" ]; then
        die "MarketPulse needs Python 3.11 or newer, but MARKETPULSE_PYTHON
\"$MARKETPULSE_PYTHON\" is ${old:-no Python that runs}.
Set it to the full path of a newer Python, or unset it, and run this again."
    fi
    die "MarketPulse needs Python 3.11 or newer, and found ${old:+only }${old:-none}.
$(how_to_get_python)
Then open a new terminal window and run this again."
}

# Prints ready, install or remake, and the stamp that .venv gets when it is ready.
check() {
    .venv/bin/python -c "$check" "$kind" "$version" 2>/dev/null || echo remake
}

# An interrupted run leaves this stamp behind, and the next run starts anew.
mark_unfinished() {
    if ! { mkdir -p .venv && echo unfinished >.venv/.setup_stamp; } 2>/dev/null; then
        die "cannot write the folder .venv in $here
Copy the whole MarketPulse folder to one of your own and run this again there."
    fi
}

pip_install() {
    [ ! -f .ci/constraints.txt ] || set -- "$@" --constraint .ci/constraints.txt
    if out=$(.venv/bin/python -m pip install "$@" 2>&1); then return; fi
    rm -f .venv/.setup_stamp # pip undid its own work: what .venv held before is still good
    if why=$(printf '%s\n' "$out" | grep -E "$no_network"); then
        show "$why" 3 # pip's very last lines do not say why
        die "could not download what MarketPulse needs: are you on the internet
(and on the company's VPN)? Does the company need a proxy (set HTTPS_PROXY), a package server
of its own (set PIP_INDEX_URL) or its own certificate (set PIP_CERT)? Your IT desk knows.
Then run this again."
    fi
    show "$out" 12
    die "pip could not install MarketPulse; its last lines are above.
Run this again; if it fails again, send those lines to whoever looks after MarketPulse."
}

task=${1:-}
kind=run
case $task in
    -h | --help) usage; exit 0 ;;
    '' | demo) ;;
    test) kind='test' ;;
    *) printf 'setup_extraction: unknown word "%s"\n' "$task" >&2; usage >&2; exit 2 ;;
esac
[ $# -eq 0 ] || shift

from=$(pwd -P)
case $0 in */*) here=${0%/*}/ ;; *) here=./ ;; esac
CDPATH='' cd -- "$here"
here=$(pwd -P)
[ -f pyproject.toml ] || die "there is no pyproject.toml beside this script.
Unpack the whole MarketPulse folder and run the script inside it."

system=$(uname 2>/dev/null || echo unknown)
# pip must not wait for a password nobody sees, nor install outside .venv.
export PIP_NO_INPUT=1 PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1
no_network='Retrying|ConnectionError|ProxyError|SSLError|Max retries|timed out|HTTP error|HTTPError'
no_network="$no_network|Could not fetch URL|from versions: none"

probe="import sys; new = sys.version_info >= (3, 11);
print(('new ' if new else 'old ') + sys.version.split()[0])"
# The stamp names the folder (scripts in .venv hold its path), the Python and what was installed.
# An analyst gets an ordinary install, so the sources count: an editable one, as `test` makes,
# hangs on a .pth file that Pythons before 3.12.4 can misread when the path has an accent.
check="import hashlib, sys; from pathlib import Path;
kind, wanted = sys.argv[1:];
digest = lambda *parts: hashlib.sha256(ascii(parts).encode()).hexdigest()[:16];
read = lambda *names: [(str(p), p.read_bytes()) for n in names
for p in sorted([Path(n), *Path(n).rglob('*')])
if p.is_file() and '__pycache__' not in p.parts];
plan = read('pyproject.toml', '.ci/constraints.txt');
here = str(Path.cwd());
place = digest(here, sys.version_info[:2]);
test = place + '-test-' + digest(plan);
mine = test if kind == 'test' else place + '-run-' + digest(plan, read('marketpulse'));
stamp = Path('.venv/.setup_stamp');
old = stamp.read_text().strip() if stamp.exists() else place;
new = sys.version_info >= (3, 11) and wanted in ('', sys.version.split()[0]);
fits = new and old.startswith(place);
done = old in (mine, here.isascii() and test);
print('remake' if not fits else 'ready' if done else 'install', mine)"

version=
[ -z "${MARKETPULSE_PYTHON:-}" ] || find_python
answer=$(check)
state=${answer%% *}
if [ "$state" = install ] && ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    state=remake
fi
if [ "$state" = remake ] && [ -z "$version" ]; then find_python; fi

if [ "$state" = remake ]; then
    echo "Making .venv with Python $version ..."
    rm -rf .venv 2>/dev/null || :
    mark_unfinished
    if ! out=$("$py" -m venv .venv 2>&1); then
        show "$out" 12
        case $out in
            *ensurepip* | *"No module named venv"*)
                die "Python $version ($py) lacks its venv module.
On Debian or Ubuntu: sudo apt install python${version%.*}-venv
Then run this again." ;;
        esac
        die "could not make .venv in $here
Close MarketPulse where it still runs, delete the folder .venv and run this again."
    fi
fi
if [ "$state" != ready ]; then
    echo "Installing MarketPulse (a minute or two the first time) ..."
    mark_unfinished
    if [ "$kind" = test ]; then
        pip_install 'pip>=25.1' # the first that knows --group
        pip_install --editable . --group dev
    else
        pip_install .
    fi
    answer=$(check)
    echo "${answer#* }" >.venv/.setup_stamp
fi

case $task in
    demo) exec .venv/bin/marketpulse demo ${1+"$@"} ;;
    test) exec .venv/bin/python -m pytest ${1+"$@"} ;;
esac
program=.venv/bin/marketpulse
[ "$from" = "$here" ] || program="\"$here/$program\""
echo "Ready."
echo "Next: $program demo      shows everything on a built-in example"
echo "      $program --help    lists the commands"
