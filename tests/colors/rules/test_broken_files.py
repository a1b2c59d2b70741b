"""A rules file that is broken in any way is refused with a message, never a traceback."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rule_documents import (
    COLUMNS,
    DAY_RULES,
    DAY_RULES_AS_TOML,
)
from typer.testing import CliRunner

from marketpulse.cli.app import app
from marketpulse.colors.cells import Cell
from marketpulse.colors.columns import CONTRACT
from marketpulse.colors.ranking import excluding_rule
from marketpulse.colors.rules import (
    OPERATORS,
    read_rules,
    require_rules,
)
from marketpulse.errors import RulesError

JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        1.5,
        10**400,
        "",
        " ",
        "é 東京",
        "\ud800",
        "\x00",
        "NaN",
        "1e999999999999999999999",
        "2026-13-45",
        "9999-12-31T23:59:59-23:59",
        "where",
        "between",
        "PX",
        [],
        [[], None],
        {},
        {"value": 1},
    ]
)


WORDS = st.sampled_from([*OPERATORS, "where", "and", "or", *CONTRACT, "NOTE", "nowhere"])


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every part of a document."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def at(document: Any, path: tuple[Any, ...]) -> Any:
    """The part of a document at a path."""
    for key in path:
        document = document[key]
    return document


@st.composite
def wrong_documents(draw: st.DrawFn) -> Any:
    """The day's rules with a few parts dropped, replaced, nested or swapped."""
    document = copy.deepcopy(DAY_RULES)
    for _ in range(draw(st.integers(1, 3))):
        ways = list(places(document))
        if not ways:
            return document
        *way, key = draw(st.sampled_from(ways))
        holder = at(document, tuple(way))
        match draw(st.sampled_from(["drop", "junk", "word", "nest", "twice", "swap"])):
            case "drop":
                del holder[key]
            case "junk":
                holder[key] = copy.deepcopy(draw(JUNK))
            case "word":
                holder[key] = draw(WORDS)
            case "nest":
                holder[key] = draw(st.sampled_from([[holder[key]], {"rules": holder[key]}]))
            case "twice" if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            case _:
                other = draw(st.sampled_from(ways))
                if other[: len(way) + 1] != (*way, key) and (*way, key)[: len(other)] != other:
                    target = at(document, other[:-1])
                    holder[key], target[other[-1]] = target[other[-1]], holder[key]
    return document


@st.composite
def wrong_files(draw: st.DrawFn) -> tuple[str, bytes]:
    """A rules file with damage in its meaning, its text or its bytes."""
    toml = draw(st.booleans())
    text = DAY_RULES_AS_TOML.encode() if toml else json.dumps(draw(wrong_documents())).encode()
    kind = draw(
        st.sampled_from(["whole", "cut", "bytes", "deep"] if not toml else ["cut", "bytes"])
    )
    place = draw(st.integers(0, len(text)))
    if kind == "cut":
        text = text[:place]
    elif kind == "bytes":
        text = text[:place] + draw(st.binary(min_size=1, max_size=4)) + text[place + 1 :]
    elif kind == "deep":
        depth = draw(st.sampled_from([50, 900, 1000, 100_000]))
        text = text[:place] + b"[" * depth + b"]" * depth + text[place:]
    return ("rules.toml" if toml else "rules.json"), text


SUPPRESSED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=max(300, settings().max_examples), suppress_health_check=SUPPRESSED)
@given(file=wrong_files())
def test_a_broken_file_is_refused_in_words(tmp_path: Path, file: tuple[str, bytes]) -> None:
    """A rules file is refused with a message, or accepted and can be asked."""
    name, content = file
    path = tmp_path / name
    path.write_bytes(content)
    refusal = None
    try:
        bound, faults = require_rules(read_rules(path), COLUMNS)
    except RulesError as refused:
        refusal = refused
    else:
        statement = excluding_rule(bound, [Cell(column) for column in COLUMNS.all])
        assert statement.encode()
        assert not any(fault.fatal for fault in faults)
    if refusal:
        assert refusal.message.startswith(f"{path}: ")
        assert refusal.exit_code == 7


@settings(suppress_health_check=SUPPRESSED)
@given(file=wrong_files(), shape=st.sampled_from(["table", "json"]))
def test_rules_check_of_a_broken_file(tmp_path: Path, file: tuple[str, bytes], shape: str) -> None:
    """`rules check` exits with 0 or 7 on any file, in the requested format."""
    name, content = file
    path = tmp_path / name
    path.write_bytes(content)
    result = CliRunner().invoke(app, ["rules", "check", str(path), "--format", shape])

    assert result.exit_code in {0, 7}
    assert isinstance(result.exception, SystemExit | None)
    assert "Traceback" not in result.output
    if result.stderr:
        assert result.stdout == ""
        assert (result.exit_code, len(result.stderr.splitlines())) in {(7, 1), (7, 2)}
    if shape == "json":
        answer = json.loads(result.stderr or result.stdout)
        wrong = answer["error"] if result.stderr else answer["errors"]
        assert bool(wrong) is (result.exit_code == 7)
