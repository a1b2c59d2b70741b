"""The table of conditions on every source: the same rows, or the same refusal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from condition_examples import ANSWERED, ROWS, TAKEN_AT, Example, examples, typed_rows
from oracle_server.client import open_source as open_oracle
from oracle_server.server import OracleServer

from marketpulse.cli.console import progress
from marketpulse.colors.cell_readings import cell_readings
from marketpulse.errors import UsageError
from marketpulse.extraction.sample import write_sample
from marketpulse.extraction.sample_options import SampleOptions
from marketpulse.formats import open_writer
from marketpulse.sources import Source, open_files, open_source


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, examples_server: OracleServer) -> Path:
    """A folder with the examples as files, and as a bundle of the Oracle table."""
    folder = tmp_path_factory.mktemp("examples")
    for name in ("parquet", "ndjson", "xlsx"):
        writer = open_writer(name, folder / f"rows.{name}", typed_rows().schema)
        writer.write(typed_rows().to_batches()[0])
        writer.close()
    with open_oracle(examples_server, schema="MARKET") as source:
        write_sample(
            source,
            ["EXAMPLES", "CHARS"],
            SampleOptions(limit=None, formats=("csv", "parquet")),
            output=folder / "bundle",
            taken_at=TAKEN_AT,
            progress=progress(quiet=True),
        )
    return folder


@pytest.fixture(params=["csv", "parquet", "ndjson", "xlsx", "bundle"], scope="session")
def source(request: pytest.FixtureRequest) -> Iterator[Source]:
    """The rows of the examples in this form."""
    if request.param == "csv":  # needs no database, see `[tool.mutmut]`
        opened: Source = open_files([ROWS])
    else:
        folder: Path = request.getfixturevalue("folder")
        is_bundle = request.param == "bundle"
        opened = (
            open_source(str(folder / "bundle"))
            if is_bundle
            else open_files([folder / f"rows.{request.param}"])
        )
    with opened:
        yield opened


def matching(source: Source, condition: str, table: str | None = None) -> tuple[int, ...]:
    """Return the MESSAGE_ID of the rows of which the condition is true."""
    name = source.find_table(table or (None if len(source.tables()) == 1 else "EXAMPLES"))
    rows = source.scan(name, where=condition, cell_readings=cell_readings()).read_all()
    return tuple(int(cell) for cell in rows["MESSAGE_ID"].to_pylist())


def answer(source: Source, condition: str, table: str | None = None) -> tuple[int, ...] | str:
    """Return the rows of which the condition is true; the message of a refusal."""
    try:
        return matching(source, condition, table)
    except UsageError as error:
        return f"{error.check} {error.exit_code} {error.message.partition(f'{condition!r}: ')[2]}"


def _is_right(given: tuple[int, ...] | str, example: Example) -> bool:
    if not example.refused:
        return given == example.rows
    return (
        isinstance(given, str)
        and given.startswith("MP-USE-003 2 ")
        and example.refused.casefold() in given.casefold()
    )


def wrong_answers(
    source: Source, table: list[Example], name: str | None = None
) -> dict[str, object]:
    """Return the answers that differ from the examples' by their conditions."""
    answers = {example: answer(source, example.condition, name) for example in table}
    return {
        example.condition: given
        for example, given in answers.items()
        if not _is_right(given, example)
    }


@pytest.mark.parametrize("topic", [*ANSWERED, "refused"])
def test_the_same_rows_on_every_source(topic: str, source: Source) -> None:
    """Files and bundles give the rows that Oracle gives, or refuse the condition by its word."""
    assert wrong_answers(source, examples(topic)) == {}


def test_text_of_a_fixed_length(folder: Path) -> None:
    """A bundle knows which columns are CHAR."""
    with open_source(str(folder / "bundle")) as source:
        assert wrong_answers(source, examples("char"), "CHARS") == {}


def test_the_demo(tmp_path: Path) -> None:
    """The demo gives the rows that a bundle of it gives, and a file of it."""
    conditions = [example.condition for example in examples(*ANSWERED, "refused")]
    with open_source("demo", rows=400) as market:
        write_sample(
            market,
            ["COLORS"],
            SampleOptions(limit=None, formats=("parquet",)),
            output=tmp_path,
            taken_at=TAKEN_AT,
            progress=progress(quiet=True),
        )
        (path,) = tmp_path.glob("*.parquet")
        with open_source(str(tmp_path)) as bundle, open_files([path]) as file:
            for condition in conditions:
                answers = {
                    count_rows(market, condition, "COLORS"),
                    count_rows(bundle, condition, "COLORS"),
                    count_rows(file, condition, None),
                }
                assert len(answers) == 1, (condition, answers)


def count_rows(source: Source, condition: str, table: str | None) -> int | None:
    """Return how many rows a condition selects, None if it is refused."""
    try:
        return len(source.scan(source.find_table(table), where=condition).read_all())
    except UsageError:
        return None


def test_oracle_gets_the_text(listening_server: OracleServer) -> None:
    """The user's own text is sent, also where only Oracle understands it."""
    listening_server.reset()
    oracle_only = [
        "CAST(PX AS BINARY_DOUBLE) > 1",
        "PX > 1.5D OR PX < 2e3f OR PX = .5d",
        "EXTRACT(YEAR FROM DATE_1) = 2026",
        "DATE_1 > SYSTIMESTAMP - INTERVAL '1' DAY",
        "DATE_1 > SYSDATE - INTERVAL '1 2:3:4.5' DAY(3) TO SECOND(2)",
        "MONTHS_BETWEEN(DATE_1, SYSDATE) > 1 AND ROWNUM <= 5",
        "REGEXP_SUBSTR(NOTE, '(a)\\1') = 'aa'",
        "PX IS NOT NAN OR NOTE IS JSON",
        "NOTE LIKEC 'a%'",
        "RANK = ANY (1, 2)",
        "(RANK, BIAS) IN ((3, 'BID'))",
        "JSON_VALUE(NOTE, '$.a' RETURNING NUMBER) = 1",
        "DBMS_LOB.SUBSTR(NOTE, 1, 1) = 'a'",
        "TO_CHAR(PX, '9.9EEEE') = '1'",
        "CAST(DATE_1 AS TIMESTAMP) AT TIME ZONE 'UTC' > SYSTIMESTAMP",
        "RANK = 3 -- cover",
        "NOTE = 'a;b' OR NOTE = 'SELECT' OR NOTE = q'[--]'",
        "XMLEXISTS('/a' PASSING NOTE)",
        "LNNVL(RANK = 1)",
        "USER = 'DESK'",
        "TRIM(BOTH 'a' FROM NOTE) = 'b'",
    ]
    conditions = [example.condition for example in examples(*ANSWERED)] + oracle_only
    with open_oracle(listening_server) as source:
        for condition in conditions:
            source.scan("EXAMPLES", where=condition).read_all()
            # A column whose name is a word of Oracle's gets quotes, which Oracle demands.
            sent = re.sub(r"""(?<!["\w])DATE(?!["\w]| ')""", '"DATE"', condition)
            line_end = "\n" if "--" in sent else ""
            assert listening_server.record.statements[-1].sql.endswith(f" WHERE ({sent}{line_end})")


@pytest.mark.parametrize(
    ("condition", "word"),
    [
        ("RANK = 3; DELETE FROM COLORS", ";"),
        ("RANK = (SELECT 1 FROM DUAL)", "SELECT"),
        ("EXISTS (SELECT 1 FROM DUAL)", "SELECT"),
        ("RANK = 1 UNION SELECT 1 FROM DUAL", "SELECT"),
        ("RANK = max(RANK)", "max"),
        ("SUM(PX) OVER (PARTITION BY CUSIP) > 1", "SUM"),
        ("RANK = 3) OR (1 = 1", ")"),
        ("RANK = 3 ORDER BY RANK", "ORDER"),
        ("RANK = 3 FOR UPDATE", "FOR"),
        ("RANK = :rank", ":"),
        ("f@other(RANK) = 1", "@"),
        ("RANK >", "complete"),
        ("RANK", "RANK: it is not a condition"),
        ("RANK = 1 /* open", "/*"),
        ("NOTE(+) = 'a'", "(+)"),
        ("JSON_VALUE(NOTE, '$.a' = 1", ") is expected"),
        ("(" * 500 + "RANK = 1" + ")" * 500, "nested"),
    ],
)
def test_oracle_gets_one_condition(
    condition: str, word: str, examples_server: OracleServer
) -> None:
    """A second statement, a subquery or half a condition is refused by its word, and not sent."""
    examples_server.reset()
    with open_oracle(examples_server) as source, pytest.raises(UsageError) as raised:
        source.scan("EXAMPLES", where=condition)
    reason = raised.value.message.partition(f"{condition!r}: ")[2]
    assert word in reason
    assert "in Oracle SQL" in raised.value.hint
    statements = [statement.sql for statement in examples_server.record.statements]
    assert not any('"EXAMPLES" WHERE' in sql for sql in statements)


@pytest.mark.parametrize(
    ("order", "sent"),
    [
        ("PX", '"PX" ASC NULLS LAST'),
        ("px desc, DATE", '"PX" DESC NULLS LAST, "DATE" ASC NULLS LAST'),
        ("PX DESC NULLS FIRST", '"PX" DESC NULLS FIRST'),
        ('"PX" ASC NULLS LAST', '"PX" ASC NULLS LAST'),
    ],
)
def test_orders(order: str, sent: str, source: Source, examples_server: OracleServer) -> None:
    """NULLS FIRST is kept on every source."""
    examples_server.reset()
    with open_oracle(examples_server) as oracle:
        expected = oracle.scan("EXAMPLES", order=order).read_all()["MESSAGE_ID"].to_pylist()
    statements = [statement.sql for statement in examples_server.record.statements]
    assert any(sql.endswith(f" ORDER BY {sent}") for sql in statements)
    name = source.find_table(None if len(source.tables()) == 1 else "EXAMPLES")
    rows = source.scan(name, order=order, cell_readings=cell_readings()).read_all()
    assert [int(cell) for cell in rows["MESSAGE_ID"].to_pylist()] == expected


@pytest.mark.parametrize(
    ("order", "word"),
    [("1", "1"), ("PX +", "+"), ("UPPER(NOTE)", "("), ("PX DESC NULLS", "NULLS"), ("", "column"),
     ("PX COLLATE BINARY_CI", "COLLATE"), ("PX DESC DESC", "DESC"), ("COLORS.PX", ".")],
)  # fmt: skip
def test_orders_that_are_refused(order: str, word: str, source: Source) -> None:
    """What an order cannot keep is refused by its word."""
    name = source.find_table(None if len(source.tables()) == 1 else "EXAMPLES")
    with pytest.raises(UsageError, match="--order-by") as raised:
        source.scan(name, order=order)
    assert word in raised.value.message.partition(f"{order!r}: ")[2]


def test_there_are_many_examples() -> None:
    """The table is large, and no condition is in it twice."""
    conditions = [example.condition for example in examples(*ANSWERED, "refused", "char")]
    assert len(conditions) > 400
    assert len(set(conditions)) == len(conditions)
