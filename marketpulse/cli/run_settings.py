"""What a run uses: the options, or else the environment, `.env` and `marketpulse.toml`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from marketpulse.cli.session import Session
from marketpulse.colors.columns import HIERARCHY, parse_hierarchy, parse_mapping, parse_types
from marketpulse.colors.memory import parse_memory_limit
from marketpulse.colors.options import RunOptions
from marketpulse.colors.rules import RuleBook, parse_rules
from marketpulse.colors.spellings import parse_date_forms
from marketpulse.errors import SettingsError, UsageError
from marketpulse.formats import parse_formats
from marketpulse.settings.file import RUN_VARIABLES
from marketpulse.sources.base import standard_input

T = TypeVar("T")
N = TypeVar("N", str, str | None)  # a column's name; None stands for all columns


class RunSettings:
    """The options of a run, each filled in from the settings if it was not given.

    A setting that means nothing is a `SettingsError` with its place and key.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._settings = session.run_settings()
        self._used: dict[str, list[str]] = {}  # keys by their place

    def rules(self, option: Sequence[Path] | None) -> tuple[Path | RuleBook, ...] | None:
        """The rules files."""
        return read_rules_options(option) if option else self._read("rules", _parse_rules)

    def hierarchy(self, option: str | None) -> str | tuple[str, ...]:
        """The order of the sort keys."""
        return option or self._read("hierarchy", parse_hierarchy) or HIERARCHY

    def reading_options(
        self,
        mapping: Sequence[str] | None,
        types: Sequence[str] | None,
        date_format: Sequence[str] | None,
        accept_rounded_ids: bool,
    ) -> RunOptions:
        """The options that say what the input's columns and cells mean; all else is left out."""
        return RunOptions(
            mapping=self.mapping(mapping),
            types=self.types(types),
            date_formats=self.date_formats(date_format),
            accept_rounded_ids=accept_rounded_ids or bool(self._read("accept_rounded_ids", bool)),
        )

    def mapping(self, option: Sequence[str] | None) -> tuple[str, ...]:
        """The pairs of `--map`, and the settings for other names."""
        own = parse_mapping(option or ())
        pairs = self._read("mapping", lambda pairs: parse_mapping(_join(pairs))) or {}
        return _join((pairs | own).items())

    def types(self, option: Sequence[str] | None) -> tuple[str, ...]:
        """The pairs of `--type`, and the settings for other columns."""
        own = parse_types(option or ())
        types = self._read("types", lambda pairs: parse_types(_join(pairs))) or {}
        return _join((_without(types, own) | own).items())

    def date_formats(self, option: Sequence[str] | None) -> tuple[str, ...]:
        """The formats of `--date-format`, and the settings for other columns."""
        own = parse_date_forms(option or ())
        if None in own:  # for all columns: no setting is left to use
            return tuple(option or ())
        forms = self._read("date_formats", parse_date_forms) or {}
        forms = _without(forms, own) | own
        return tuple(f"{name}={form}" if name else form for name, form in forms.items())

    def formats(self, option: str | None) -> tuple[str, ...] | None:
        """The formats of the results."""
        return (
            tuple(option.split(",")) if option is not None else self._read("formats", parse_formats)
        )

    def memory_limit(self, option: str | None) -> str | None:
        """The memory to use."""
        return option if option is not None else self._read("memory_limit", _parse_memory_limit)

    def say(self) -> None:
        """Say which settings are used: a forgotten file must not change a result silently."""
        for origin, keys in self._used.items():
            *others, last = sorted(keys, key=[*RUN_VARIABLES].index)
            names = f"{', '.join(others)} and {last}" if others else last
            self._session.say(f"using {names} of {origin}")

    # `Any`: the setting's key decides the type of its value, and the caller knows it.
    def _read(self, key: str, parse: Callable[[Any], T]) -> T | None:
        setting = self._settings.get(key)
        if setting is None:
            return None
        try:
            value = parse(setting.value)
        except UsageError as error:
            message = re.sub(r"^--[a-z-]+: ", "", error.message)
            raise SettingsError(f"{setting.origin}: {key}: {message}", hint=error.hint) from error
        self._used.setdefault(setting.origin, []).append(key)
        return value


def read_rules_options(paths: Sequence[Path]) -> tuple[Path | RuleBook, ...]:
    """Return rules files, and in place of `-` the rules on standard input."""
    return tuple(
        parse_rules(standard_input().read(), "standard input") if path == Path("-") else path
        for path in paths
    )


def _parse_rules(paths: Sequence[str]) -> tuple[Path, ...]:
    for path in paths:
        if path.startswith("s3://"):
            raise UsageError(
                f"{path}: only the function reads rules from a bucket",
                hint="download them, and name the file with --rules",
            )
    return tuple(map(Path, paths))


def _parse_memory_limit(text: str) -> str:
    parse_memory_limit(text)
    return text


def _without(pairs: Mapping[N, T], others: Iterable[str | None]) -> dict[N, T]:
    """The pairs whose column is none of the others, whatever the case of its name."""
    names = {name.casefold() for name in others if name}
    return {name: value for name, value in pairs.items() if (name or "").casefold() not in names}


def _join(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Pairs as the options spell them."""
    return tuple(f"{name}={value}" for name, value in pairs)
