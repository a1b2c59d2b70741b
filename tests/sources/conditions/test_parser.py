"""One condition, or an error that names the word: the parser without a database."""

import pytest

from marketpulse.sources.conditions import syntax
from marketpulse.sources.conditions.parser import parse_condition, parse_order
from marketpulse.sources.conditions.tokens import ConditionError


def nested(depth: int) -> str:
    """A condition in so many parentheses."""
    return "(" * depth + "PX = 1" + ")" * depth


def test_the_depth_has_a_limit() -> None:
    """Parentheses count within one another; those that stand side by side do not."""
    deepest = next(depth for depth in range(1, 1000) if not is_parsed(nested(depth + 1)))
    assert is_parsed(nested(deepest))
    many = " AND ".join(["(PX = 1)"] * (deepest + 10))
    assert is_parsed(f"{many} AND {nested(deepest)}")
    with pytest.raises(ConditionError, match="the parentheses are nested too deeply"):
        parse_condition(f"{many} AND {nested(deepest + 1)}")


def is_parsed(text: str) -> bool:
    """Return whether the text is not refused."""
    try:
        parse_condition(text)
    except ConditionError:
        return False
    return True


def test_or_is_weaker_than_and_and_that_than_not() -> None:
    """As in Oracle, from the left."""
    node = parse_condition("NOT A = 1 AND B = 2 OR C = 3 AND NOT NOT D = 4")
    assert isinstance(node, syntax.Junction)
    assert node.word == "OR"
    left, right = node.conditions
    assert isinstance(left, syntax.Junction)
    assert isinstance(right, syntax.Junction)
    assert (left.word, right.word) == ("AND", "AND")
    assert isinstance(left.conditions[0], syntax.Not)
    twice = right.conditions[1]
    assert isinstance(twice, syntax.Not)
    assert isinstance(twice.condition, syntax.Not)


@pytest.mark.parametrize(
    ("text", "word", "reason"),
    [
        ("PX", "PX", "it is not a condition: compare it with something"),
        ("1", "", "it is not a condition: compare it with something"),
        ("'a'", "", "it is not a condition: compare it with something"),
        ("(PX, RANK)", "(PX, RANK)", "it is not a condition: compare it with something"),
        ("(PX = 1, RANK = 2)", "(PX = 1, RANK = 2)", "it is not a condition"),
        ("PX = ", "", "it is not complete: "),
        ("PX = 1 RANK = 2", "RANK", "the condition ends before it, so it is not one condition"),
        ("PX = 1 'a'", "'a'", "the condition ends before it, so it is not one condition"),
        ("max(PX) = 1", "max", "it is an aggregate of many rows, and a condition is about one"),
        ("PX NOT 1", "1", "IN, LIKE or BETWEEN is expected after NOT"),
    ],
)
def test_texts_that_are_no_condition(text: str, word: str, reason: str) -> None:
    """The error names the word and says what is wrong with it."""
    with pytest.raises(ConditionError) as caught:
        parse_condition(text)
    assert caught.value.word == word
    assert str(caught.value).startswith(f"{word}: {reason}" if word else reason)


@pytest.mark.parametrize(
    "text", ["MAX = 1", "(PX = 1)", "((PX = 1))", "PX IN (1)", "PX = - -1", "NOTE LIKE2 'a'",
             "NOTE LIKE4 'a'", "NOTE LIKEC 'a' ESCAPE '!'"],
)  # fmt: skip
def test_texts_that_are_conditions(text: str) -> None:
    """The name of an aggregate may be that of a column."""
    assert is_parsed(text)


def test_orders() -> None:
    """Names, each with a direction and a place for nulls, which are last."""
    keys = parse_order('PX, "a b" DESC, RANK ASC NULLS FIRST, NOTE NULLS LAST')
    assert [(key.descending, key.nulls_first) for key in keys] == [
        (False, False), (True, False), (False, True), (False, False),
    ]  # fmt: skip
