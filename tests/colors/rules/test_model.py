"""The operators have the names that administrators use."""

import pytest

from marketpulse.colors.rules import (
    OPERATORS,
    Operator,
)

SPELLED = {
    Operator.EQUALS: ["equals", "equal to", "is equal to", "eq"],
    Operator.NOT_EQUALS: ["not_equals", "not equal to", "is not equal to", "ne"],
    Operator.LESS_THAN: ["less_than", "less than", "is less than", "lt"],
    Operator.GREATER_THAN: ["greater_than", "greater than", "is greater than", "gt"],
    Operator.LESS_OR_EQUAL: ["less_or_equal", "less than equal to", "lte"],
    Operator.GREATER_OR_EQUAL: ["greater_or_equal", "greater than equal to", "gte"],
    Operator.BETWEEN: ["between"],
    Operator.CONTAINS: ["contains"],
    Operator.NOT_CONTAINS: ["not_contains", "does not contain"],
    Operator.STARTS_WITH: ["starts_with", "starts with"],
    Operator.ENDS_WITH: ["ends_with", "ends with"],
    Operator.IN: ["in"],
    Operator.NOT_IN: ["not_in"],
    Operator.IS_NULL: ["is_null"],
    Operator.IS_NOT_NULL: ["is_not_null"],
}


@pytest.mark.parametrize("operator", Operator)
def test_the_spellings_that_are_promised(operator: Operator) -> None:
    """Each operator has the names that the docs promise."""
    assert {OPERATORS[word.replace("_", " ")] for word in SPELLED[operator]} == {operator}
