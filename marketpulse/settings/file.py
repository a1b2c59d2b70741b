"""Reads `marketpulse.toml`: what you would otherwise repeat with every command.

    source = "colors_day.csv"
    rules = "rules.json"

    [mapping]
    price = "MID_PRICE"

    [types]
    SPREAD = "number"

This module checks keys and types. The jobs check what the values mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias

from marketpulse.errors import NotFoundError, SettingsError

CONFIG_FILE = "marketpulse.toml"
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_NO_PATHS = ("oracle", "demo")  # sources

# A table of names becomes pairs, a list or a single text becomes a tuple.
Pairs: TypeAlias = tuple[tuple[str, str], ...]
SettingValue: TypeAlias = str | bool | tuple[str, ...] | Pairs


@dataclass(frozen=True)
class _Key:
    """A key of the file: the variable that overrides it, what its value is, how it is read.

    `read` returns None if the value has the wrong type.
    """

    variable: str
    expected: str
    read: Callable[[object], SettingValue | None]


def _text(value: object) -> str | None:
    # Empty text is a wrong type, so that a forgotten value is no default in silence.
    return value if isinstance(value, str) and value.strip() else None


def _texts(value: object) -> tuple[str, ...] | None:
    items = value if isinstance(value, list) else [value]
    texts = [text for item in items if (text := _text(item))]
    return tuple(texts) if texts and len(texts) == len(items) else None


def _list(value: object) -> tuple[str, ...] | None:
    texts = _texts(value)
    return split_list(texts[0]) if texts and isinstance(value, str) else texts


def _flag(value: object) -> bool | None:
    if isinstance(value, str):  # of the environment
        value = _FLAGS.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def _date_formats(value: object) -> tuple[str, ...] | None:
    """Formats for all columns, or a table of formats by column, as `--date-format` spells them."""
    if isinstance(value, dict):
        pairs = _pairs(value)
        return None if pairs is None else tuple(map("=".join, pairs))
    return _list(value)


def _pairs(value: object) -> Pairs | None:
    if not isinstance(value, dict):
        return None
    pairs = [(name, text) for name, item in value.items() if (text := _text(item))]
    return tuple(pairs) if len(pairs) == len(value) else None


def split_list(text: str) -> tuple[str, ...]:
    """The elements of a text with commas."""
    return tuple(part.strip() for part in text.split(","))


_KEYS = {
    "source": _Key("MARKETPULSE_SOURCE", 'text, such as "colors_day.csv"', _text),
    "rules": _Key("MARKETPULSE_RULES", 'a path or a list of paths, such as "rules.json"', _texts),
    "hierarchy": _Key("MARKETPULSE_HIERARCHY", 'text or a list, such as "rank,date,price"', _list),
    "mapping": _Key("MARKETPULSE_MAPPING", 'a table, such as { price = "MID_PRICE" }', _pairs),
    "types": _Key("MARKETPULSE_TYPES", 'a table, such as { SPREAD = "number" }', _pairs),
    "date_formats": _Key(
        "MARKETPULSE_DATE_FORMATS", 'text or a table, such as { DATE = "M/D/YYYY" }', _date_formats
    ),
    "accept_rounded_ids": _Key("MARKETPULSE_ACCEPT_ROUNDED_IDS", "true or false", _flag),
    "formats": _Key("MARKETPULSE_FORMATS", 'text or a list, such as ["csv", "parquet"]', _list),
    "memory_limit": _Key("MARKETPULSE_MEMORY_LIMIT", 'text, such as "2GB"', _text),
    "masks": _Key("MARKETPULSE_MASKS", 'a table, such as { CUSIP = "hmac" }', _pairs),
}
RUN_VARIABLES = {name: key.variable for name, key in _KEYS.items() if name != "source"}


def parse_variable(name: str, text: str, origin: str) -> SettingValue:
    """The value of a key as an environment variable spells it: lists and pairs with commas.

    Raises `SettingsError` if a pair is not NAME=VALUE.
    """
    key = _KEYS[name]
    if key.read is not _pairs:
        value = key.read(list(split_list(text)) if key.read is _texts else text)
        if value is None:
            raise SettingsError(
                f"{key.variable} ({origin}): {text!r}, expected {key.expected}",
                hint="correct the value there",
            )
        return value
    pairs = []
    for part in split_list(text):
        left, equals, right = (piece.strip() for piece in part.partition("="))
        if not (left and equals and right):
            raise SettingsError(
                f"{key.variable} ({origin}): {part!r} is not NAME=VALUE",
                hint="separate pairs by commas; put a name with a comma into marketpulse.toml",
            )
        pairs.append((left, right))
    return tuple(pairs)


def show_value(value: SettingValue) -> str:
    """A setting in one line."""
    if isinstance(value, tuple):
        return ", ".join(item if isinstance(item, str) else "=".join(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else value


def find_settings_file(named: Path | None) -> Path | None:
    """The settings file: the named one, else `marketpulse.toml` in the working folder, if any.

    Raises `NotFoundError` if the named file does not exist.
    """
    if named is not None and not named.exists():
        raise NotFoundError(f"--config: {named}: no such file", hint="check its path")
    if named is not None and named.is_dir():
        raise NotFoundError(f"--config: {named}: this is a folder", hint="name the file in it")
    return named or (path if (path := Path(CONFIG_FILE)).is_file() else None)


def read_settings_file(path: Path) -> dict[str, SettingValue]:
    """The settings of a file, by the names of their environment variables.

    Relative paths start at the folder of the file. Raises `SettingsError` if it is not TOML, has an
    unknown key or a value of a wrong type, and `NotFoundError` if it cannot be read.
    """
    settings = {}
    for name, value in _parse(path).items():
        key = _KEYS.get(name)
        if key is None:
            raise _unknown_key(path, name)
        setting = key.read(value)
        if setting is None:
            raise _wrong_type(path, name, key, value)
        settings[key.variable] = _resolve_paths(name, setting, path.parent)
    return settings


def _parse(path: Path) -> Mapping[str, object]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{path}: byte {error.start} is not UTF-8", hint="save it as UTF-8"
        ) from None
    except OSError as error:
        raise NotFoundError(
            f"{path}: cannot be read: {error.strerror}", hint="check the file's permissions"
        ) from error
    import tomllib  # noqa: PLC0415 - few have such a file

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"{path}: this is not TOML: {error}",
            hint="a setting is NAME = VALUE; put text into quotes, and a Windows path into single "
            "quotes: 'C:\\desk\\rules.json'",
        ) from None


def _unknown_key(path: Path, name: str) -> SettingsError:
    # Never the value: it may be a secret in a wrong place.
    if name.upper().startswith(("ORACLE_", "AWS_", "MARKETPULSE_", "TNS_", "APP_")):
        return SettingsError(
            f"{path}: {name!r} is a setting of the environment, not of this file",
            hint=f"write it into .env; the keys of this file are {', '.join(_KEYS)}",
        )
    nearest = get_close_matches(name.strip().lower().replace("-", "_"), _KEYS, n=1, cutoff=0.5)
    guess = f", did you mean {nearest[0]}?" if nearest else ""
    return SettingsError(
        f"{path}: unknown key {name!r}{guess}", hint=f"the keys are {', '.join(_KEYS)}"
    )


def _wrong_type(path: Path, name: str, key: _Key, value: object) -> SettingsError:
    if isinstance(value, dict) and key.read in (_pairs, _date_formats):
        inner, value = next(item for item in value.items() if _text(item[1]) is None)
        return SettingsError(
            f"{path}: {name}.{inner} is {_describe(value)}, expected text",
            hint=f"{name} is {key.expected}",
        )
    return SettingsError(
        f"{path}: {name} is {_describe(value)}, expected {key.expected}",
        hint="correct the value there",
    )


def _describe(value: object) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text" if value.strip() else "empty text"
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "a table"
        case _:
            return "a date or a time"


def _resolve_paths(name: str, setting: SettingValue, folder: Path) -> SettingValue:
    """Let relative paths start at the folder of the settings file."""
    # A file in the project's folder means the same, wherever the command runs.
    if name == "rules" and isinstance(setting, tuple):
        return tuple(
            text if "://" in text else str(folder / text)
            for text in setting
            if isinstance(text, str)
        )
    if name == "source" and isinstance(setting, str):
        is_path = setting not in _NO_PATHS and "://" not in setting
        return str(folder / setting) if is_path else setting
    return setting
