"""Which columns of a sample get which mask: what users write, and the columns that it means."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

from marketpulse.errors import NotFoundError, UsageError
from marketpulse.formats.nesting import parse_json
from marketpulse.model import TableSchema
from marketpulse.sources import Source, unknown_name_error

OPTION = "--mask"


class MaskKind(StrEnum):
    """What a mask makes of a value."""

    HMAC = "hmac"  # another value, which follows from the original and the key
    REDACT = "redact"  # none
    SHIFT = "shift"  # of a date, an earlier one


@dataclass(frozen=True)
class MaskRule:
    """A mask for columns: `name` is COLUMN or TABLE.COLUMN, both perhaps with * and ?.

    `origin` is where it is written, for messages.
    """

    name: str
    kind: MaskKind
    origin: str


def parse_masks(pairs: Iterable[tuple[str, str]], origin: str) -> tuple[MaskRule, ...]:
    """Return the rules of names and kinds. Raises `UsageError` for an unknown kind."""
    return tuple(_parse_mask(name.strip(), kind.strip(), origin) for name, kind in pairs)


def parse_mask_options(words: Sequence[str]) -> tuple[MaskRule, ...]:
    """Return the rules of `--mask COLUMN=KIND`. Raises `UsageError`."""
    pairs = []
    for word in words:
        name, equals, kind = word.rpartition("=")
        if not (equals and name.strip() and kind.strip()):
            raise UsageError(f"{OPTION}: {word!r} is not COLUMN=KIND", hint=f"{OPTION} CUSIP=hmac")
        pairs.append((name, kind))
    return parse_masks(pairs, OPTION)


def read_mask_file(path: Path) -> tuple[MaskRule, ...]:
    """Return the rules of a file, JSON or TOML: names and kinds in an object `masks`.

    Raises `NotFoundError` if it cannot be read, `UsageError` if it is something else.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        is_toml = path.suffix.lower() == ".toml"
        content = tomllib.loads(text) if is_toml else parse_json(text, is_handwritten=True)
    except OSError as error:
        raise NotFoundError(
            f"{path}: the masks cannot be read: {error.strerror}",
            hint="--mask-file takes a file, JSON or TOML: check its name and its permissions",
        ) from error
    except ValueError as error:  # also what is not UTF-8
        raise UsageError(
            f"{path}: this is not {'TOML' if path.suffix.lower() == '.toml' else 'JSON'}: {error}",
            hint=_FILE_HINT,
        ) from None
    content = content if isinstance(content, dict) else {}
    masks = content.get("masks")
    if not isinstance(masks, dict) or not all(isinstance(kind, str) for kind in masks.values()):
        raise UsageError(f"{path}: it has no object 'masks' of names and kinds", hint=_FILE_HINT)
    if unknown := [name for name in content if name != "masks"]:
        raise UsageError(f"{path}: unknown key {unknown[0]!r}", hint=_FILE_HINT)
    return parse_masks(masks.items(), str(path))


_FILE_HINT = 'a mask file looks like {"masks": {"CUSIP": "hmac", "COLORS.NOTE": "redact"}}'


def _parse_mask(name: str, kind: str, origin: str) -> MaskRule:
    try:
        return MaskRule(name, MaskKind(kind.lower()), origin)
    except ValueError:
        kinds = [*map(str, MaskKind)]
        nearest = get_close_matches(kind.lower(), kinds, n=1)
        guess = f", did you mean {nearest[0]}?" if nearest else ""
        raise UsageError(
            f"{origin}: {kind!r} is not a kind of mask{guess}",
            hint=f"the kinds are {', '.join(kinds)}",
        ) from None


def find_masks(
    source: Source, schemas: Sequence[TableSchema], rules: Sequence[MaskRule]
) -> dict[str, dict[str, MaskKind]]:
    """Return the mask of each column that has one, by table. Of several rules the last counts.

    Raises `NotFoundError` for a rule that no column fits: with a misspelt name a column would stay
    as it is. A rule of a file may be for another table of the source.
    """
    masks: dict[str, dict[str, MaskKind]] = {schema.table.name: {} for schema in schemas}
    for rule in rules:
        found = [*_fitting(rule.name, schemas)]
        if not found and (rule.origin == OPTION or not _is_for_another(rule.name, source, masks)):
            raise _unknown_error(rule, schemas)
        for table, column in found:
            masks[table][column] = rule.kind
    return masks


def _fitting(name: str, schemas: Sequence[TableSchema]) -> Iterator[tuple[str, str]]:
    for schema in schemas:
        table = schema.table.name
        for column in fitting_columns(name, table, [column.name for column in schema.columns]):
            yield table, column


def fitting_columns(name: str, table: str, columns: Sequence[str]) -> list[str]:
    """Return the columns that a name means; their exact spelling comes before another case."""
    # A pattern without a dot means columns, in all tables: C* is not all of COLORS.
    only_columns = _is_pattern(name) and "." not in name
    names = {
        column: (column,) if only_columns else (column, f"{table}.{column}") for column in columns
    }
    exact = [column for column in columns if name in names[column]]
    return exact or [
        column for column in columns if any(_fits(name, spelling) for spelling in names[column])
    ]


def _fits(name: str, spelling: str) -> bool:
    pattern, folded = name.casefold(), spelling.casefold()
    if not _is_pattern(name):
        return pattern == folded
    return fnmatchcase(folded, pattern.replace("[", "[[]"))


def _is_pattern(name: str) -> bool:
    return "*" in name or "?" in name


def _is_for_another(name: str, source: Source, tables: Collection[str]) -> bool:
    """Whether a name is TABLE.COLUMN of a table that is not among these."""
    folded = name.casefold()
    others = {table.name for table in source.tables()} - {*tables}
    return any(folded.startswith(f"{table.casefold()}.") for table in others)


def _unknown_error(rule: MaskRule, schemas: Sequence[TableSchema]) -> NotFoundError:
    known = [
        f"{schema.table.name}.{column.name}" if "." in rule.name else column.name
        for schema in schemas
        for column in schema.columns
    ]
    error = unknown_name_error("column", rule.name, [*dict.fromkeys(known)])
    hint = error.hint
    if rule.origin != OPTION and "." not in rule.name:
        hint += f"; for a column of another table write TABLE.{rule.name}"
    return NotFoundError(f"{rule.origin}: {error.message}", hint=hint)
