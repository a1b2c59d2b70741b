"""The tasks of Spark as functions of Arrow batches, without Java: together they are a local run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from color_tables import AT
from support import OUTPUTS

from marketpulse import ColorsRun, RunOptions, run_colors
from marketpulse.artifacts import EXCLUDED, PROCESSED, REJECTED
from marketpulse.atomic import PartFolder
from marketpulse.colors.prepare import parse_request
from marketpulse.colors.results import run_constants
from marketpulse.colors.spark.carriers import carrier_schema, cast_columns
from marketpulse.colors.spark.outputs import Outputs
from marketpulse.colors.spark.reports import (
    REPORT,
    SECURITY,
    ArrivalReport,
    FilesReport,
    RankingReport,
    read_reports,
)
from marketpulse.colors.tally import Tally
from marketpulse.errors import DataError, NotFoundError
from marketpulse.model import FileNotes
from marketpulse.sources import FileOptions
from marketpulse.sources.files import InputFile, common_schema

if TYPE_CHECKING:
    from marketpulse.colors.spark.tasks import Workshop

HEADER = "MESSAGE_ID,CUSIP,RANK,DATE,PX,NOTE"
PARTS = (
    [
        "1,037833100,1,2026-03-13,98.5,a",
        "2, 037833100,1,2026-03-13T10:00Z,98.50,z",
        "3,594918104,2,2026-03-13,99,A",
        "4,594918104,2,2026-03-13",
        "5,,1,2026-03-13,99,c",
    ],
    [
        "6,594918104,2,2026-03-12,99.125,d",
        "7,sec1,9,,n/a,e",
        "8,sec1,9,,,f",
        "9,037833100,2,2026-03-14,101.7,a",
        "10,ZZ,,2026-03-14,1e2,c",
        "11,594918104,1,2026-03-14,99,z",
    ],
)
WHERE = "NOTE <> 'z' OR CUSIP = '037833100'"
RULES = {
    "rules": [
        {
            "id": 1,
            "name": "A",
            "is_active": True,
            "conditions": [{"type": "where", "column": "NOTE", "operator": "equals", "value": "a"}],
        }
    ]
}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A day in two files, with malformed, rejected and excluded rows."""
    folder = tmp_path_factory.mktemp("day")
    paths = [folder / f"part{number}.csv" for number in range(len(PARTS))]
    for path, lines in zip(paths, PARTS, strict=True):
        path.write_text("\n".join([HEADER, *lines, ""]))
    return paths


@pytest.fixture(scope="module")
def local(paths: list[Path]) -> ColorsRun:
    """The day ranked in one process."""
    return run_colors(paths, where=WHERE, rules=RULES, processed_at=AT)


def workshop(schema: pa.Schema, outputs: Outputs | None = None) -> Workshop:
    """What each task needs for this day."""
    from marketpulse.colors.spark.tasks import Workshop  # noqa: PLC0415 - loads PySpark

    return Workshop(
        label="day",
        plan=parse_request(RunOptions(rules=RULES)).plan(schema, FileNotes()),
        schema=schema,
        carriers=carrier_schema(schema, "day"),
        memory_limit=1 << 29,
        threads=1,
        outputs=outputs,
    )


def read_files(paths: Sequence[Path], outputs: Path | None = None) -> tuple[Workshop, pa.Table]:
    """The first stage over files."""
    from marketpulse.colors.spark import tasks  # noqa: PLC0415 - loads PySpark

    units = tasks.Units(names=tuple((str(path),) for path in paths))
    # A task gets the numbers of its units.
    numbers = [pa.record_batch([pa.array([number])], ["id"]) for number in range(len(paths))]
    inspect = tasks.InspectFiles(units=units, options=FileOptions(), now=0)
    contents = [batch.column(0)[0].as_py() for batch in inspect(iter(numbers))]
    files = read_reports(contents, FilesReport)
    schema = common_schema([pair for report in files for pair in report.schemas])
    shop = workshop(schema)
    if outputs:
        place = PartFolder(folder=outputs, mark="task")
        shop = replace(
            shop,
            outputs=Outputs(place=place, formats=("csv", "parquet"), columns=shop.plan.columns),
        )
    rows = tasks.ReadRows(
        workshop=shop,
        request=parse_request(RunOptions(rules=RULES)),
        where=WHERE,
        columns=tuple(schema.names),
    )
    read = tasks.ReadFiles(rows=rows, units=units, options=FileOptions(), now=0, schema=schema)
    arrived = pa.Table.from_batches(read(iter(numbers)), shop.arrived_schema)
    return shop, arrived


def rank(
    shop: Workshop, arrived: pa.Table, run_id: str | None, ends: Sequence[str] = ("~",)
) -> tuple[pa.Table, list[RankingReport]]:
    """The last stage over ranges of securities, which end before these."""
    from marketpulse.colors.spark.tasks import RankRows  # noqa: PLC0415 - loads PySpark

    constants = run_constants(run_id or "", datetime.fromisoformat(AT), "MANUAL")
    task = RankRows(workshop=shop, constants=constants)
    tables: list[pa.Table] = []
    begin = ""
    for end in ends:
        goes_on = [
            security is not None and begin <= security < end
            for security in arrived[SECURITY.name].to_pylist()
        ]
        rows = arrived.filter(pa.array(goes_on)).select(shop.security_schema.names)
        tables.append(pa.Table.from_batches(task(iter(rows.to_batches())), task.ranked_schema))
        begin = end
    ranked = pa.concat_tables(tables)
    return ranked, read_reports(contents_of(ranked), RankingReport)


def contents_of(rows: pa.Table) -> list[bytes]:
    """The reports among the rows of a stage."""
    return [content for content in rows[REPORT.name].to_pylist() if content is not None]


def texts(table: pa.Table | None) -> list[dict[str, Any]]:
    """The cells as text: NaN equals nothing."""
    assert table is not None
    return [{name: str(cell) for name, cell in row.items()} for row in table.to_pylist()]


def test_tasks_add_up_to_a_local_run(paths: list[Path], local: ColorsRun) -> None:
    """The same rows in each output, the same counts, and the hashes of the rows that go on."""
    from marketpulse.colors.spark.tasks import (  # noqa: PLC0415 - loads PySpark
        RAW_LINE,
        REASON,
        RULE_ID,
        TABLE,
        SelectOutput,
    )

    shop, arrived = read_files(paths)
    arrivals = read_reports(contents_of(arrived), ArrivalReport)
    ranked, rankings = rank(shop, arrived, local.run_id, ends=("1", "~"))

    processed = ranked.filter(ranked[REPORT.name].is_null()).drop_columns([REPORT.name])
    assert texts(processed) == texts(local.processed)
    for table, added, expected in (
        (EXCLUDED, [RULE_ID], local.excluded),
        (REJECTED, [REASON, RAW_LINE], local.rejected),
    ):
        mine = [name == table for name in arrived[TABLE.name].to_pylist()]
        select = SelectOutput(schema=shop.schema, added=pa.schema(added))
        names = [*shop.carriers.names, *select.added.names]
        rows = select(iter(arrived.filter(pa.array(mine)).select(names).to_batches()))
        assert texts(pa.Table.from_batches(rows, select.result)) == texts(expected)

    tally, warnings = Tally(["1"]), Counter[str]()
    reports: list[ArrivalReport | RankingReport] = [*arrivals, *rankings]
    for report in reports:
        tally.merge(report.tally)
        warnings.update(report.warnings)
    assert tally.counts(sum(report.profile.rows for report in arrivals)) == local.counts
    assert {name: count for name, count in warnings.items() if count} == local.warnings
    assert sum(report.unranked_hashes for report in arrivals) == sum(
        report.hashes for report in rankings
    )
    assert sum(report.unranked for report in arrivals) == len(processed)
    assert sum(report.unranked_bytes for report in arrivals) > 0
    assert [report.number for report in arrivals] == [0, 1]


def test_tasks_write_what_a_local_run_writes(
    paths: list[Path], local: ColorsRun, tmp_path: Path
) -> None:
    """Each attempt writes files of its own; one without rows writes none."""
    shop, arrived = read_files(paths, tmp_path)
    assert arrived[SECURITY.name].null_count == 2  # nothing but rows that go on, and two reports
    arrivals = read_reports(contents_of(arrived), ArrivalReport)
    ranked, rankings = rank(shop, arrived, local.run_id)
    assert ranked.schema.names == [REPORT.name]
    reports: list[ArrivalReport | RankingReport] = [*arrivals, *rankings]
    parts = [part for report in reports for part in report.parts]
    assert sorted({part.path for part in parts}) == sorted(tmp_path.iterdir())
    expected = {EXCLUDED: local.excluded, PROCESSED: local.processed, REJECTED: local.rejected}
    for table in OUTPUTS:
        written = [part for part in parts if part.table == table and part.suffix == "csv"]
        lines = [part.path.read_text().splitlines() for part in written]
        assert len({header for header, *_ in lines}) == 1
        rows = expected[table]
        assert rows is not None
        assert sum(len(rest) for _, *rest in lines) == len(rows)
        assert [part.record.bytes for part in written] == [
            part.path.stat().st_size for part in written
        ]


def test_faults_are_reports(paths: list[Path], tmp_path: Path) -> None:
    """A part that cannot be read reports why, and the driver raises it."""
    odd = tmp_path / "odd.csv"
    odd.write_text(f'{HEADER}\n1,"A,1,,1,a\n')
    _, arrived = read_files([odd, *paths])
    with pytest.raises(DataError, match="odd"):
        read_reports(contents_of(arrived), ArrivalReport)
    assert arrived[SECURITY.name].to_pylist().count("037833100") == 1
    with pytest.raises(NotFoundError, match="nope"):
        read_files([tmp_path / "nope.csv", *paths])


def test_files_that_spark_brings_keep_their_numbers() -> None:
    """Whatever order it brings them in: each is a copy under its own name, removed at the end."""
    from marketpulse.colors.spark.tasks import Units  # noqa: PLC0415 - loads PySpark

    names = ("hdfs://a/DAY=1/x.csv", "hdfs://a/DAY=2/x.csv")
    units = Units(names=tuple((name,) for name in names), copied=True)
    batches = [
        pa.record_batch([pa.array([name]), pa.array([b"A\n1\n"])], ["path", "content"])
        for name in reversed(names)
    ]
    with ExitStack() as stack:
        brought = list(units.of(iter(batches), stack))
        assert [number for number, _ in brought] == [1, 0]
        copies = [file for _, (file,) in brought]
        assert all(isinstance(file, InputFile) for file in copies)
        paths = [file.path for file in copies if isinstance(file, InputFile)]
        assert [path.name for path in paths] == ["x.csv", "x.csv"]
        assert [path.read_bytes() for path in paths] == [b"A\n1\n"] * 2
    assert not any(path.exists() for path in paths)


def test_a_partition_of_a_data_frame() -> None:
    """Typed rows come out as a local run ranks them; a result has microseconds."""
    from marketpulse.colors.spark.tasks import ReadDataFrame, ReadRows  # noqa: PLC0415 - loads PySpark

    table = pa.table(
        {
            "MESSAGE_ID": pa.array([1, 2, 3], pa.uint64()),
            "CUSIP": ["A", "A", "B"],
            "RANK": pa.array([2, 1, 1], pa.int8()),
            "DATE": pa.array([1_001, 2_001, None], pa.timestamp("ns")),
            "PX": [1.5, float("nan"), -0.0],
            "NOTE": ["b", "c", "a"],
        }
    )
    shop = workshop(table.schema)
    request = parse_request(RunOptions(rules=RULES))
    rows = ReadRows(workshop=shop, request=request, where=None, columns=tuple(table.schema.names))
    carried = [
        pa.record_batch(cast_columns(batch.columns, shop.carriers), shop.carriers)
        for batch in table.to_batches()
    ]
    read = ReadDataFrame(rows=rows, schema=table.schema)
    arrived = pa.Table.from_batches(read(iter(carried)), shop.arrived_schema)
    ranked, _ = rank(shop, arrived, None)
    processed = ranked.filter(ranked[REPORT.name].is_null())
    expected = run_colors(table, rules=RULES, processed_at=AT).processed
    assert expected is not None
    assert processed["MESSAGE_ID"].to_pylist() == expected["MESSAGE_ID"].to_pylist() == [2, 1]
    assert str(processed["PX"].to_pylist()) == str(expected["PX"].to_pylist())
    assert processed["DATE"].cast(pa.int64()).to_pylist() == [2, 1]
