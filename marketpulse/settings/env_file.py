"""The file `.env`: how it is read and written, and which mistakes in it are likely."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from io import StringIO
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from marketpulse.atomic import write_file
from marketpulse.errors import NotFoundError, SettingsError

ENV_FILE = Path(".env")
_EXAMPLE, _WITH_SUFFIX = ".env.example", ".env.txt"
_PREFIXES = ("ORACLE_", "MARKETPULSE_")
_ORACLES_OWN = {"ORACLE_HOME", "ORACLE_BASE", "ORACLE_PATH"}  # no settings of ours
_SECRETS = {"ORACLE_USERNAME", "ORACLE_PASSWORD", "ORACLE_WALLET_PASSWORD"}
_PARENTS = 3  # folders above the working folder that may hold the file


@dataclass(frozen=True, kw_only=True)
class EnvFile:
    """The values of a file, and remarks about lines that may not mean what they should."""

    path: Path
    values: Mapping[str, str | None] = field(repr=False)
    remarks: tuple[str, ...]


def read_env_file(path: Path | None, settings: Collection[str]) -> EnvFile | None:
    """Read a file of NAME=VALUE lines; `path` None means `.env` in the working folder, if any.

    `settings` are the names of all settings. Raises `NotFoundError` if a named file cannot be read,
    and `SettingsError` if it is not UTF-8 or a line is not NAME=VALUE.
    """
    if path is None and not ENV_FILE.is_file():
        return None
    path = path or ENV_FILE
    values: dict[str, str | None] = {}
    remarks = []
    for binding in parse_stream(StringIO(_read_text(path))):
        if binding.error:
            raise _line_error(path, binding)
        if binding.key is not None:
            values[binding.key] = binding.value
            remarks += [
                f"{path}: line {_line(binding)}: {remark}" for remark in _slips(binding, settings)
            ]
    return EnvFile(path=path, values=values, remarks=tuple(remarks))


def write_env_file(path: Path, values: Mapping[str, str]) -> None:
    """Set these values in a file that only its owner can read; its other lines stay.

    An empty value removes the line. Raises `OutputError` if the file cannot be written.
    """
    # Unknown lines and comments are the user's: they stay as they are.
    lines = [
        binding.original.string.rstrip("\r\n")
        for binding in parse_stream(StringIO(_read_text(path) if path.is_file() else ""))
        if binding.key not in values
    ]
    lines += [f"{name}={_quoted(value)}" for name, value in values.items() if value]
    write_file(path, "\n".join(lines).lstrip("\n") + "\n", private=True)


def similar_setting(name: str, settings: Collection[str]) -> str:
    """The setting that a name most likely means, or an empty string."""
    upper = name.upper()
    if upper in settings:
        return upper if name != upper else ""
    if not upper.startswith(_PREFIXES) or upper in _ORACLES_OWN:
        return ""
    if upper == "ORACLE_SID":
        return "ORACLE_DSN=host:port:SID"
    return next(iter(get_close_matches(upper, settings, n=1, cutoff=0.7)), "")


def absence_hint() -> str:
    """What to do if there is no `.env` in the working folder."""
    if Path(_WITH_SUFFIX).is_file():
        return f"rename {_WITH_SUFFIX} to .env: Windows has added .txt to its name"
    if Path(_EXAMPLE).is_file() and re.search(
        r"^ORACLE_(HOST|DSN|USERNAME) *= *[^\s#]", _read_text(Path(_EXAMPLE)), re.MULTILINE
    ):
        return f"you filled in {_EXAMPLE}: copy it to .env"
    here = Path.cwd()
    # The set-up script makes .venv beside .env, so a .env is often beside this environment.
    places = [*here.parents[:_PARENTS], Path(sys.prefix).parent]
    for folder in places:
        if folder != here and (folder / ENV_FILE).is_file():
            return f"there is a .env in {folder}: run the command there, or add --env-file"
    return "`marketpulse init` asks for them and writes .env"


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise NotFoundError(f"--env-file: {path}: no such file", hint="check its path")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NotFoundError(
            f"{path}: cannot be read: {error.strerror}", hint="check the file's permissions"
        ) from error
    # What Notepad and PowerShell's > call Unicode. No text in UTF-8 has a zero byte.
    if b"\0" in content:
        raise SettingsError(
            f"{path}: it is UTF-16, not UTF-8",
            hint="save it again: in Notepad, choose the encoding UTF-8",
        )
    try:
        return content.decode("utf-8-sig")  # Notepad also writes a byte-order mark
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{path}: byte {error.start} is not UTF-8", hint="save it as UTF-8"
        ) from None  # the error has the file's bytes, and so perhaps a password


def _line(binding: Binding) -> int:
    # python-dotenv counts from the blank lines before a line.
    original = binding.original.string
    return binding.original.line + original[: len(original) - len(original.lstrip())].count("\n")


def _line_error(path: Path, binding: Binding) -> SettingsError:
    hint = "close every quote; write comments after #"
    if re.match(r"\s*set\s", binding.original.string, re.IGNORECASE):
        hint = "leave out the word set: write NAME=VALUE"
    return SettingsError(f"{path}: line {_line(binding)}: this is not NAME=VALUE", hint=hint)


def _slips(binding: Binding, settings: Collection[str]) -> Iterator[str]:
    """What is suspicious about a line. No remark repeats a value."""
    name = binding.key or ""
    if meant := similar_setting(name, settings):
        yield f"{name} is not a setting: write {meant}"
    # A wrong password counts as a failed login, and several of them lock the account.
    if name not in _SECRETS:
        return
    written = binding.original.string.partition("=")[2].strip()
    quotes = f"write {name} in single quotes"
    if written.startswith('"') and "\\" in written:
        yield f"in double quotes a backslash changes what follows it: {quotes}"
    elif not written.startswith(("'", '"')) and re.search(r"\s#", written):
        yield f"{name} ends before the #, which begins a comment: if it belongs to it, {quotes}"


def _quoted(value: str) -> str:
    """The value as it is read back to the letter."""
    if re.fullmatch(r"[\w.:/@%+,-]+", value, re.ASCII):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
