"""`--memory-limit`: sizes mean what pydantic's ByteSize says."""

import pyarrow as pa
import pytest

from marketpulse import run_colors
from marketpulse.colors.memory import parse_memory_limit
from marketpulse.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GB", 2 * 10**9),
        ("2GiB", 2 * 2**30),
        ("2gib", 2 * 2**30),
        (" 512 MiB ", 512 * 2**20),
        ("512mb", 512 * 10**6),
        ("64KB", 64_000),
        ("64KiB", 65_536),
        ("1TB", 10**12),
        ("1TiB", 2**40),
        ("2G", 2 * 10**9),
        ("1.5GB", 1_500_000_000),
        (".5GiB", 2**29),
        ("1048576B", 2**20),
    ],
)
def test_decimal_units_are_powers_of_1000_and_binary_units_of_1024(text: str, size: int) -> None:
    """GB is 10⁹ bytes, GiB is 2³⁰, in any case, with or without a blank."""
    assert parse_memory_limit(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "2",
        "-5",
        "-1GB",
        "0GB",
        "0.0001B",
        "lots",
        "nan",
        "GB",
        "2Gi",
        "2XB",
        "1e3GB",
        "2GB x",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """A size without a unit, below one byte or with an unknown unit is an error."""
    with pytest.raises(UsageError, match=r"--memory-limit: .* is not a size") as error:
        parse_memory_limit(text)
    assert error.value.hint == "for instance 2GB or 512MiB"


@pytest.mark.parametrize("limit", ["1B", "100KB", "99999999999999999999TB"])
def test_a_limit_that_the_engine_cannot_work_with_is_refused(limit: str) -> None:
    """A limit that is too small or too large is an error that names the option."""
    colors = pa.table(
        {
            "MESSAGE_ID": ["1"],
            "CUSIP": ["037833100"],
            "RANK": ["1"],
            "DATE": ["2026-03-13"],
            "PX": ["99.5"],
        }
    )
    with pytest.raises(UsageError, match="--memory-limit"):
        run_colors(colors, memory_limit=limit)
    assert run_colors(colors, memory_limit="64MiB").counts.parents == 1
