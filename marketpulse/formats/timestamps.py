"""Timestamps in UTC: parse what an option gives, format what JSON needs."""

from __future__ import annotations

from datetime import UTC, datetime

from marketpulse.errors import UsageError


def parse_timestamp(value: str | datetime | None, option: str) -> datetime:
    """Parse the ISO 8601 value of an option. None means now, to the second.

    A value without a time zone is in UTC. Raises `UsageError`, which names the option.
    """
    if value is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return to_utc(datetime.fromisoformat(value) if isinstance(value, str) else value)
    except ValueError:
        raise UsageError(
            f"{option}: {value!r} is not a date and time", hint="for example 2026-03-13T18:00:00Z"
        ) from None


def to_utc(timestamp: datetime) -> datetime:
    """Convert to UTC; a naive time is in UTC already.

    Raises `ValueError` if the result is before year 1 or after year 9999.
    """
    try:
        return timestamp.replace(tzinfo=timestamp.tzinfo or UTC).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{timestamp} is out of range") from error


def format_timestamp(timestamp: datetime) -> str:
    """Format as JSON has it: UTC, to the second, 2026-03-13T18:00:00Z."""
    return timestamp.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def current_timestamp() -> str:
    """The time now, as `format_timestamp` has it."""
    return format_timestamp(datetime.now(UTC))
