"""Completion of table names with the Tab key: the tables that were listed last."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_FILE = "tables.txt"
_MOST = 50_000  # names


def remember_tables(names: Iterable[str]) -> None:
    """Keep the names of listed tables for the shell, if the user's state folder can be written."""
    path = _path()
    if path is None:
        return
    # The shell reads one name a line.
    lines = [name for name, _ in zip(names, range(_MOST), strict=False) if name.isprintable()]
    # Names of tables are confidential: only the user may read the folder.
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError:
        return


def complete_table(incomplete: str) -> list[str]:
    """The tables of the last listing whose names begin with this text."""
    path = _path()
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path else []
    except (OSError, UnicodeDecodeError):  # a message would land in the line that the user types
        return []
    return [name for name in lines if name.startswith(incomplete)]


def _path() -> Path | None:
    from marketpulse.settings.credentials import state_folder  # noqa: PLC0415 - not for --help

    folder = state_folder(os.environ)
    return folder / _FILE if folder else None
