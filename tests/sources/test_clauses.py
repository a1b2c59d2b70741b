"""`--where`, `--order-by` and `--random` as Oracle gets them."""

import pytest

from marketpulse.errors import NotFoundError, UsageError
from marketpulse.model import RandomRows
from marketpulse.sources.clauses import (
    condition_in_oracle,
    order_in_oracle,
    random_order_in_oracle,
)


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("RANK < 3", ["RANK"], "(RANK < 3)"),
        ("Rank < 3", ["RANK"], "(Rank < 3)"),
        ("date IS NULL", ["DATE"], '("DATE" IS NULL)'),
        ('"DATE" IS NULL', ["DATE"], '("DATE" IS NULL)'),
        ("PX = 1", ["px"], '("px" = 1)'),
        ("px = 1", [" Px"], '(" Px" = 1)'),
        ("px = a AND date > b", ["px", "A", "B", "DATE"], '("px" = a AND "DATE" > b)'),
        ("a = A", ["A", "a"], '("a" = A)'),
        ('"a" = a', ["A", "a"], '("a" = "a")'),
        ("Aa = 1", ["aA", "AA"], "(Aa = 1)"),
        ("RANK < 3 -- the best", ["RANK"], "(RANK < 3 -- the best\n)"),
        ("DAY < SYSDATE AND rownum < 5", ["DAY"], "(DAY < SYSDATE AND rownum < 5)"),
        ("rownum < 5", ["ROWNUM"], '("ROWNUM" < 5)'),
        ("rownum < 5", ["rownum"], '("rownum" < 5)'),
    ],
)
def test_a_condition_is_sent_as_it_is_written(text: str, columns: list[str], expected: str) -> None:
    """But for columns that Oracle would not find by the name as it is written."""
    assert condition_in_oracle(text, columns) == expected


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("px = 1", ["RANK"]),
        ("PX = 1", ["Px", "pX"]),
        ('"px" = 1', ["PX"]),
        ('"ROWNUM" < 5', ["PX"]),
        ('"SYSDATE" < 5', ["PX"]),
    ],
)
def test_a_name_that_means_no_column(text: str, columns: list[str]) -> None:
    """Names in quotes are exact, and of several columns none is guessed."""
    with pytest.raises(NotFoundError, match="column"):
        condition_in_oracle(text, columns)


def test_text_in_double_quotes() -> None:
    """It names a column in Oracle; the hint says how text is written, unless case alone differs."""
    with pytest.raises(NotFoundError) as caught:
        condition_in_oracle('BIAS = "BID SIDE"', ["BIAS"])
    assert caught.value.hint == "there is: BIAS; text has single quotes: 'BID SIDE'"
    with pytest.raises(NotFoundError) as caught:
        condition_in_oracle('"bias" = 1', ["BIAS"])
    assert "single quotes" not in caught.value.hint


def test_keys_with_their_nulls() -> None:
    """Missing values are last, whatever the direction, unless the key says otherwise."""
    text = "px DESC, Date, RANK ASC NULLS FIRST, RANK DESC NULLS FIRST"
    assert order_in_oracle(text, ["PX", "DATE", "RANK"]) == (
        '"PX" DESC NULLS LAST, "DATE" ASC NULLS LAST, '
        '"RANK" ASC NULLS FIRST, "RANK" DESC NULLS FIRST'
    )


def test_an_order_at_random_repeats() -> None:
    """It is one of hashes between 0 and 2^32 - 1, whose seeds are in this range as well."""
    only = RandomRows(seed=7, columns=("A",))
    assert random_order_in_oracle(only) == 'ORA_HASH("A", 4294967295, 7), "A"'
    last = RandomRows(seed=2**32 - 1, columns=("A", "B"))
    assert random_order_in_oracle(last) == (
        'MOD(ORA_HASH("A", 4294967295, 4294967295) + ORA_HASH("B", 4294967295, 0), 4294967296), '
        '"A", "B"'
    )
    with pytest.raises(UsageError, match="no column of the table has a hash"):
        random_order_in_oracle(RandomRows(seed=7, columns=()))
