"""Timestamps: what an option may say, and the one form that JSON has."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from marketpulse.errors import UsageError
from marketpulse.formats.timestamps import format_timestamp, parse_timestamp, to_utc


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-13T18:00:00Z", "2026-03-13 18:00", "2026-03-13T19:00:00+01:00",
        datetime(2026, 3, 13, 18, tzinfo=UTC),
        datetime(2026, 3, 13, 13, tzinfo=timezone(timedelta(hours=-5))),
    ],
)  # fmt: skip
def test_the_same_moment(value: str | datetime) -> None:
    """Every zone becomes UTC; no zone is UTC."""
    assert format_timestamp(parse_timestamp(value, "--taken-at")) == "2026-03-13T18:00:00Z"


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="needs time.tzset")
def test_the_zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """It changes nothing."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        timestamp = parse_timestamp("2026-03-13 18:00", "--taken-at")
        text = format_timestamp(timestamp)
    time.tzset()
    assert (timestamp.tzinfo, timestamp.hour, text) == (UTC, 18, "2026-03-13T18:00:00Z")


def test_now_is_to_the_second() -> None:
    """Without a value the timestamp is now, without a fraction of a second."""
    now = parse_timestamp(None, "--taken-at")
    assert now.microsecond == 0
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=5)


@pytest.mark.parametrize("value", ["", "friday", "2026-13-01", "0001-01-01T00:00+05:00"])
def test_invalid_timestamps(value: str) -> None:
    """The message names the option."""
    with pytest.raises(UsageError, match=r"--processed-at: .* is not a date and time"):
        parse_timestamp(value, "--processed-at")


def test_out_of_range() -> None:
    """UTC may lie before year 1 or after year 9999."""
    with pytest.raises(ValueError, match="out of range"):
        to_utc(datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2))))
