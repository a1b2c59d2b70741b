"""Moments, all in UTC: as options give them and as JSON spells them."""

from __future__ import annotations

from datetime import UTC, datetime

from marketpulse.errors import UsageError


def parse_timestamp(given: str | datetime | None, option: str) -> datetime:
    """The moment that an option gives, now to the second where it gives none.

    Raises `UsageError`, by the option's name, for what is no moment.
    """
    if given is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return to_utc(datetime.fromisoformat(given) if isinstance(given, str) else given)
    except ValueError:
        raise UsageError(
            f"{option}: {given!r} is not a date and time", hint="2026-03-13T18:00:00Z"
        ) from None


def to_utc(moment: datetime) -> datetime:
    """The same moment; one without a zone is in UTC. Raises `ValueError` beyond year 1 or 9999."""
    try:
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{moment} is out of reach") from error


def format_timestamp(moment: datetime) -> str:
    """A moment to the second, as JSON has it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
