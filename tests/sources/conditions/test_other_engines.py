"""Two other engines are asked for their opinion: PostgreSQL with orafce, and MariaDB."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

import pytest
from condition_examples import ANSWERED, FOLDER, cells, examples
from generated_conditions import COLUMNS, Spelled, conditions, rows
from hypothesis import given, settings
from hypothesis import strategies as st
from other_engines import Engine, mariadb, postgresql

from marketpulse.sources.conditions import (
    BatchEvaluation,
    Compiler,
    column_cells,
    names_in,
    parse_condition,
)

_STARTED = {"PostgreSQL": postgresql, "MariaDB": mariadb}
_AGREEING = {"PostgreSQL": 290, "MariaDB": 200}
_DIFFERENCES = tomllib.loads((FOLDER / "differences.toml").read_text(encoding="utf-8"))
_BARE_DATE = re.compile(r"""(?<!["\w])DATE(?!["\w]| ')|"DATE\"""")


@pytest.fixture(scope="module", params=_STARTED)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """The engine, running in a folder of its own."""
    with _STARTED[request.param]() as started:
        if started is None:
            pytest.skip(f"{request.param} is not installed")
        yield started


def _spelled(condition: str, engine: Engine) -> str:
    """Return an example as the engine spells its columns."""
    if engine.name == "PostgreSQL":
        return _BARE_DATE.sub('"date"', condition).replace('"RANK"', "rank")
    return _BARE_DATE.sub('"DATE"', condition)


def test_examples(engine: Engine) -> None:
    """The engine gives the right answers, except for known differences."""
    engine.fill(COLUMNS[engine.name], [list(row.values()) for row in cells()])
    table = examples(*ANSWERED)
    answers = engine.ask([_spelled(example.condition, engine) for example in table])
    pairs = list(zip(table, answers, strict=True))
    different = {
        example.condition: answer
        for example, answer in pairs
        if answer is not None and answer != example.rows
    }
    patterns = [re.compile(known["pattern"]) for known in _DIFFERENCES[engine.name]]
    unexplained = {
        condition: answer
        for condition, answer in different.items()
        if not any(pattern.search(condition) for pattern in patterns)
    }
    assert unexplained == {}
    unused = [
        pattern.pattern
        for pattern in patterns
        if not any(pattern.search(condition) for condition in different)
    ]
    assert unused == []
    assert sum(answer == example.rows for example, answer in pairs) > _AGREEING[engine.name]


@settings(max_examples=25)
@given(st.data())
def test_generated_conditions(engine: Engine, data: st.DataObject) -> None:
    """Generated conditions select the same generated rows as in the engine."""
    table = data.draw(rows)
    spelled: list[Spelled] = data.draw(st.lists(conditions, min_size=20, max_size=20))
    batch = table.typed()
    engine.fill(COLUMNS[engine.name], table.cells)
    questions = [question for question in spelled if engine.name in question]
    answers = engine.ask([question[engine.name] for question in questions])
    for question, answer in zip(questions, answers, strict=True):
        text = question["Oracle"]
        node = parse_condition(text)
        names = {text[name.start : name.end]: name.value for name in names_in(node)}
        columns = {word: column_cells(batch.schema.field(name)) for word, name in names.items()}
        predicate = Compiler(text, columns, now=0).predicate(node)
        selected = batch.filter(BatchEvaluation(batch, names, columns).matches(predicate))
        ours = tuple(selected["MESSAGE_ID"].to_pylist())
        assert answer is not None, f"{engine.name} does not understand {question[engine.name]}"
        assert answer == ours, f"{text}\n{engine.name}: {question[engine.name]}"
