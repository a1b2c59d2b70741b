"""JSON from outside is parsed with one limit on its depth."""

import json

import pytest

from marketpulse.formats.nesting import MAX_NESTING, check_nesting, parse_json


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_documents_are_parsed(encoding: str) -> None:
    """Text and bytes are read, with or without a byte order mark."""
    document = {"a": [1, "é", None, {"b": True}]}
    assert parse_json(json.dumps(document)) == document
    assert parse_json(json.dumps(document, ensure_ascii=False).encode(encoding)) == document


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_the_depth_has_a_limit(opening: str, closing: str) -> None:
    """As many levels as are allowed are read, one more is an error."""

    def nested(depth: int) -> str:
        return opening * depth + "1" + closing * depth

    parse_json(nested(MAX_NESTING))
    for depth in (MAX_NESTING + 1, 100_000):
        with pytest.raises(ValueError, match="nested more than"):
            parse_json(nested(depth))
        with pytest.raises(ValueError, match="nested more than"):
            check_nesting(opening * depth)  # broken, and too deep all the same


def test_brackets_in_strings_do_not_count() -> None:
    """Only arrays and objects are levels; siblings are none."""
    for text in (r'["\"[[", "' + "[{" * 1000 + '"]', "[" + ", ".join(["[]"] * 2000) + "]"):
        assert parse_json(text) == json.loads(text)


@pytest.mark.parametrize("text", ["", "{", "[1,]", b"\xff\xfe\xff", '"'])
def test_broken_documents(text: str | bytes) -> None:
    """What is not JSON is a ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - json's and the codec's own subclasses
        parse_json(text)


def test_a_key_that_appears_twice() -> None:
    """In a handwritten document it is an error; elsewhere the last one counts."""
    text = '\ufeff{"a": 1, "b": {"a": 2, "a": 3}}'
    assert parse_json(text) == {"a": 1, "b": {"a": 3}}
    with pytest.raises(ValueError, match="the key 'a' appears twice in one object"):
        parse_json(text, is_handwritten=True)
    assert parse_json('{"a": 1, "b": {"a": 2}}', is_handwritten=True) == {"a": 1, "b": {"a": 2}}


def test_siblings_end_a_level() -> None:
    """Only levels count, however many arrays stand side by side."""
    deepest = "[" * (MAX_NESTING - 1) + "]" * (MAX_NESTING - 1)
    siblings = "[], " * 10
    check_nesting(f"[{siblings}{deepest}]")
    with pytest.raises(ValueError, match="nested more than"):
        check_nesting(f"[{siblings}[{deepest}]]")
