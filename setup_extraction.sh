#!/bin/sh
# Finds a Python that is new enough and hands over to marketpulse/install.py, which makes .venv
# beside this script. setup_extraction.bat does the same on Windows: change both together.
set -eu

die() {
    printf 'setup_extraction: %s\n' "$1" >&2
    exit 1
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

case $0 in */*) here=${0%/*}/ ;; *) here=./ ;; esac
here=$(CDPATH='' cd -- "$here" && pwd -P)
install=$here/marketpulse/install.py
[ -f "$install" ] || die "there is no folder marketpulse beside this script.
Unpack the whole MarketPulse folder and run the script inside it."

system=$(uname 2>/dev/null || echo unknown)
probe="import sys; print(sys.version.split()[0]); sys.exit(sys.version_info < (3, 11))"
chosen=${MARKETPULSE_PYTHON:-}
old=
if [ -n "$chosen" ]; then
    set -- "$chosen" -- "$@"
else
    set -- python3.13 python3.12 python3.11 python3 python "$here/.venv/bin/python" -- "$@"
fi
while [ "$1" != -- ]; do
    try=$1
    shift
    # On a Mac without developer tools this one is a stub that only opens a dialog.
    if [ "$system $(command -v "$try")" = "Darwin /usr/bin/python3" ] &&
        ! xcode-select -p >/dev/null 2>&1; then continue; fi
    if answer=$("$try" -c "$probe" 2>/dev/null); then
        while [ "$1" != -- ]; do shift; done
        shift # what is left are the user's words
        # -P: the modules beside install.py are not Python's own.
        exec "$try" -P "$install" "$@"
    fi
    [ -n "$old" ] || [ -z "$answer" ] || old="Python $answer"
done

if [ -n "$chosen" ]; then
    die "MarketPulse needs Python 3.11 or newer, but MARKETPULSE_PYTHON
\"$chosen\" is ${old:-no Python that runs}.
Set it to the full path of a newer Python, or unset it, and run this again."
fi
die "MarketPulse needs Python 3.11 or newer, and found ${old:+only }${old:-none}.
$(how_to_get_python)
Then open a new terminal window and run this again."
