"""The masks of a sample: those of the settings, of a file, and of the options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from marketpulse.cli.session import Session
from marketpulse.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from marketpulse.extraction.masks.key import MaskKey
    from marketpulse.extraction.masks.rules import MaskRule
    from marketpulse.settings.load import RunSetting


def read_masks(
    session: Session, options: Sequence[str] | None, file: Path | None
) -> tuple[tuple[MaskRule, ...], MaskKey | None]:
    """Return the masks, the strongest last, and the key if one of them needs it.

    Raises `UsageError` for an unknown kind of mask, and `SettingsError` if the key is missing.
    """
    setting = session.run_settings().get("masks")
    if not (setting or file or options):
        return (), None
    from marketpulse.extraction.masks.rules import (  # noqa: PLC0415 - few samples have masks
        MaskKind,
        parse_mask_options,
        read_mask_file,
    )

    rules = _masks_of_settings(session, setting) if setting else ()
    rules += read_mask_file(file) if file else ()
    rules += parse_mask_options(options or ())
    is_keyed = any(rule.kind is not MaskKind.REDACT for rule in rules)
    return rules, session.mask_key() if is_keyed else None


def _masks_of_settings(session: Session, setting: RunSetting) -> tuple[MaskRule, ...]:
    from marketpulse.extraction.masks.rules import parse_masks  # noqa: PLC0415 - as above

    pairs = cast("tuple[tuple[str, str], ...]", setting.value)  # a table of names has pairs
    try:
        rules = parse_masks(pairs, f"masks of {setting.origin}")
    except UsageError as error:
        raise SettingsError(error.message, hint=error.hint) from error
    if rules:
        session.say(f"using masks of {setting.origin}")
    return rules
