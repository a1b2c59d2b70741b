"""Runs on Spark give what local runs give: the same cells, the same RUN_ID, every row counted."""

import gzip
import json
import random
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from color_tables import AT, EXPECTED
from support import COLORS, OUTPUTS, ROOT, RULES
from webhdfs_server import serve_webhdfs

from marketpulse import ColorsRun, RunOptions, run_colors
from marketpulse.errors import (
    DataError,
    MarketPulseError,
    NotFoundError,
    SettingsError,
    UnreachableError,
    UsageError,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # PySpark and pandas 3


def spark_run(session: "SparkSession", names: Sequence[Path | str], **options: Any) -> ColorsRun:
    """A run on Spark over files."""
    from marketpulse.colors.spark.driver import rank_files  # noqa: PLC0415 - Java may be missing

    return rank_files(session, list(map(str, names)), RunOptions(processed_at=AT, **options))


def joined(folder: Path, table: str) -> bytes:
    """The part files of a table in their order, as one file with one header."""
    parts = [path.read_bytes() for path in sorted(folder.glob(f"{table}-*.csv"))]
    assert parts
    headers = {part.partition(b"\n")[0] for part in parts}
    assert len(headers) == 1
    return headers.pop() + b"\n" + b"".join(part.partition(b"\n")[2] for part in parts)


def compare(run: ColorsRun, local: ColorsRun, *, listed: bool = True) -> None:
    """Both runs have the same files, byte for byte but for their division, and summaries."""
    assert run.output
    assert local.output
    for table in OUTPUTS:
        assert joined(run.output, table) == (local.output / f"{table}.csv").read_bytes(), table
    ours, theirs = run.summary(), local.summary()
    if listed:
        assert json.loads((run.output / "run_summary.json").read_text()) == ours
    names = [file.name for file in run.files]
    assert sorted([*names, "run_summary.json"]) == sorted(
        path.name for path in run.output.iterdir() if not path.name.startswith(".")
    )
    assert ours | {"files": []} == theirs | {"files": []}
    assert (run.remarks, run.hints) == (local.remarks, local.hints)


def split(path: Path, folder: Path, parts: int) -> list[Path]:
    """The lines of a CSV file in several files, each with the header."""
    header, *lines = path.read_bytes().splitlines(keepends=True)
    size = -(-len(lines) // parts)
    paths = []
    for number in range(parts):
        paths.append(folder / f"part{number}.csv")
        paths[-1].write_bytes(header + b"".join(lines[number * size : (number + 1) * size]))
    return paths


def test_a_real_day_in_several_files(session: "SparkSession", tmp_path: Path) -> None:
    """A day cut into files comes out as in one process, in two ranges of CUSIPs."""
    hierarchy, rules = EXPECTED["date_rank_price_rules"]
    paths = split(COLORS, tmp_path, 3)
    options: dict[str, Any] = {"hierarchy": hierarchy, "rules": rules}
    run = spark_run(session, paths, output=tmp_path / "spark", **options)
    local = run_colors(paths, output=tmp_path / "local", processed_at=AT, **options)
    compare(run, local)
    assert (tmp_path / "spark/processed_colors-00001.csv").is_file()


def unkind_day(rows: int, seed: int) -> str:
    """A day with many ties, spellings, faults, malformed lines, and one huge security."""
    chance = random.Random(seed)
    numbers = ["98.5", "98.50", "985e-1", " 98.5", "-0", "0", "", "NaN", "1e400", "n/a", "99.125"]
    dates = ["2026-03-13", "2026-03-13T10:00Z", "2026-03-13 12:00:00+02:00", "", "31/12/2026"]
    lines = ["MESSAGE_ID,CUSIP,RANK,DATE,PX,NOTE"]
    for _ in range(rows):
        cusip = chance.choice(
            ["037833100"] * 3 + [" 037833100", "sec1", "Ä", f"S{chance.randrange(99)}"]
        )
        row = [str(17700000000000000 + chance.randrange(9)), cusip, chance.choice("1234567")]
        row += [
            chance.choice(dates),
            chance.choice(numbers),
            chance.choice(["a", "A", '"b, c"', ""]),
        ]
        lines.append(",".join(row if chance.random() > 0.02 else row[:-2]))
    return "\n".join(lines) + "\n"


def test_unkind_files_of_several_formats(session: "SparkSession", tmp_path: Path) -> None:
    """Compressed, typed and text files, folders of days and a condition mean the same."""
    folder = tmp_path / "days"
    for number in range(3):
        (folder / f"DAY={number}").mkdir(parents=True)
    (folder / "DAY=0/a.csv").write_text(unkind_day(1500, 1), encoding="utf-8")
    with gzip.open(folder / "DAY=1/b.csv.gz", "wt", encoding="utf-8") as file:
        file.write(unkind_day(300, 2))
    colors: dict[str, list[Any]] = {
        "MESSAGE_ID": [17700000000000001, 17700000000000002, None],
        "CUSIP": ["sec1", "037833100", "ZZ"],
        "RANK": [1, 9, 2],
        "DATE": ["2026-03-13", None, "2026-03-14"],
        "PX": [98.5, float("nan"), 1e22],
        "NOTE": ["a", "b", "c"],
    }
    pq.write_table(pa.table(colors), folder / "DAY=2/c.parquet")
    (folder / "DAY=2/d.ndjson").write_text(
        "".join(
            json.dumps({name: column[row] for name, column in colors.items()}) + "\n"
            for row in range(2)
        ),
        encoding="utf-8",
    )
    (folder / "DAY=2/header.csv").write_text("MESSAGE_ID,CUSIP,RANK,DATE,PX,NOTE\n")
    options: dict[str, Any] = {"where": "DAY < 2 OR NOTE <> 'c'", "rules": rule_on_note()}
    run = spark_run(session, [folder], output=tmp_path / "spark", **options)
    local = run_colors(folder, output=tmp_path / "local", processed_at=AT, **options)
    compare(run, local)
    assert local.counts.rejected > 100
    assert local.counts.excluded > 100


def rule_on_note() -> dict[str, object]:
    """Rules that exclude the rows with the note A, in any case."""
    condition = {"type": "where", "column": "NOTE", "operator": "equals", "value": "A"}
    return {"rules": [{"id": 1, "name": "A", "is_active": True, "conditions": [condition]}]}


def test_addresses(session: "SparkSession", tmp_path: Path) -> None:
    """Spark brings the content of files at an address, here of Hadoop's WebHDFS over HTTP."""
    for number in range(2):
        (tmp_path / f"days é/DAY={number}").mkdir(parents=True)
    for number, path in enumerate(split(COLORS, tmp_path, 2)):
        path.rename(tmp_path / f"days é/DAY={number}/colors;{number}%.csv")
    (tmp_path / "days é/README.txt").write_text("Not colors.")
    options: dict[str, Any] = {"rules": RULES, "mapping": {"CONFIDENCE": "DAY"}}
    with serve_webhdfs(tmp_path) as address:
        run = spark_run(session, [f"{address}/days é"], output=tmp_path / "spark", **options)
        with pytest.raises(NotFoundError, match="no such file"):
            spark_run(session, [f"{address}/nope"], output=tmp_path / "out")
    local = run_colors(tmp_path / "days é", output=tmp_path / "local", processed_at=AT, **options)
    compare(replace(run, input=local.input), local, listed=False)


def test_an_address_that_spark_cannot_read(session: "SparkSession", tmp_path: Path) -> None:
    """A file system that is not installed, one that does not answer, a password."""
    with pytest.raises(SettingsError, match="does not know such addresses") as unknown:
        spark_run(session, ["s3a://bucket/day.csv"], output=tmp_path)
    assert "hadoop-aws:3." in unknown.value.hint
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1/days: .*Connection refused"):
        spark_run(session, ["webhdfs://127.0.0.1:1/days"], output=tmp_path)
    with pytest.raises(UsageError, match="the address has a password") as secret:
        spark_run(session, ["s3a://key:pa/ss@bucket/day.csv"], output=tmp_path)
    assert "pa/ss" not in str(secret.value)
    assert not any(tmp_path.iterdir())


def test_a_data_frame(session: "SparkSession", tmp_path: Path) -> None:
    """A DataFrame gives DataFrames with the cells of a local run over the same Arrow table."""
    table = pa.table(
        {
            "MESSAGE_ID": [1, 2, 3, 3, None, 5],
            "CUSIP": ["037833100", " 037833100", "594918104", "594918104", "X", "Y"],
            "RANK": pa.array([1, 1, 2, 2, 2, 3], pa.int8()),
            "DATE": pa.array([10**15, 10**15 + 1, None, None, 0, 5], pa.timestamp("us")),
            "PX": [Decimal("98.50"), None, *[Decimal("99.00")] * 2, None, None],
            "SPREAD": [1.5, float("nan"), -0.0, 0.0, None, None],
            "NOTE": ["a", "b", "c", "d", "e", "A"],
            "of `x.y`": [1, 2, 3, 4, 5, 6],  # a dot and a backtick are Spark's syntax
        }
    )
    frame = session.createDataFrame(table)
    run = run_colors(frame, rules=rule_on_note(), processed_at=AT)
    local = run_colors(frame.toArrow(), rules=rule_on_note(), processed_at=AT)
    assert (run.run_id, run.counts, run.summary()) == (
        local.run_id,
        local.counts,
        local.summary() | {"input": "DataFrame"},
    )
    for ours, theirs in (
        (run.processed, local.processed),
        (run.excluded, local.excluded),
        (run.rejected, local.rejected),
    ):
        assert ours is not None
        assert theirs is not None
        # As text: NaN equals nothing, and 0.0 equals -0.0.
        assert str(ours.toArrow().to_pylist()) == str(theirs.to_pylist())
    empty = run_colors(session.createDataFrame([], frame.schema), processed_at=AT)
    assert empty.run_id == run_colors(frame.toArrow()[:0]).run_id
    assert empty.processed is not None
    assert empty.processed.count() == 0
    written = run_colors(frame, output=tmp_path / "out", processed_at=AT)
    assert joined(tmp_path / "out", "processed_colors").count(b"\n") == 6
    assert written.processed is None


def text_table(path: Path) -> pa.Table:
    """The whole lines of a day without quotes, as columns of text."""
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    names = header.split(",")
    rows = [[cell or None for cell in line.split(",")] for line in lines]
    columns = zip(*(row for row in rows if len(row) == len(names)), strict=True)
    return pa.table(dict(zip(names, map(list, columns), strict=True)))


@pytest.mark.parametrize("good", [0, 5])
def test_hints_are_about_all_parts(good: int, session: "SparkSession", tmp_path: Path) -> None:
    """A format of dates is proposed if most dates of all files have it, not of one file."""
    header = "MESSAGE_ID,CUSIP,RANK,DATE,PX\n"
    (tmp_path / "a.csv").write_text(header + "1,037833100,1,3/13/2026,98.5\n" * 3)
    (tmp_path / "b.csv").write_text(header + "2,037833100,1,,99\n" * 5)
    (tmp_path / "c.csv").write_text(header + "3,037833100,1,2026-03-13,99\n" * good)
    paths = [tmp_path / f"{name}.csv" for name in "abc"]
    run = spark_run(session, paths, output=tmp_path / "spark")
    local = run_colors(paths, output=tmp_path / "local", processed_at=AT)
    compare(run, local)
    assert run.hints[0].startswith("DATE: use --date-format" if not good else "DATE: write dates")


@pytest.mark.parametrize("row", ["", "1,037833100,1,2026-03-13,98.5,a\n"])
def test_nothing_is_left(row: str, session: "SparkSession", tmp_path: Path) -> None:
    """Without a row, and when rules take all rows, each output is one file with a header."""
    path = tmp_path / "colors.csv"
    path.write_text(f"MESSAGE_ID,CUSIP,RANK,DATE,PX,NOTE\n{row}")
    options: dict[str, Any] = {"rules": rule_on_note(), "formats": ["csv", "parquet"]}
    run = spark_run(session, [path], output=tmp_path / "spark", **options)
    local = run_colors(path, output=tmp_path / "local", processed_at=AT, **options)
    for table in OUTPUTS:
        assert joined(tmp_path / "spark", table) == (tmp_path / f"local/{table}.csv").read_bytes()
        ours = pq.read_table(tmp_path / f"spark/{table}-00000.parquet")
        assert ours == pq.read_table(tmp_path / f"local/{table}.parquet")
    assert (run.run_id, run.counts) == (local.run_id, local.counts)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("MESSAGE_ID,CUSIP,RANK,DATE,PX\n1,A,1,3/13/2026,n/a\n2,B,1,3/14/2026,1\n", {}),
        ("MESSAGE_ID,CUSIP,RANK,DATE,PX\n1,A,1,,1\n2,B,1\n3,,1,,1\n", {"max_rejected": 1}),
        ("MESSAGE_ID,CUSIP,RANK,DATE\n1,A,1,\n", {}),
        ("MESSAGE_ID,CUSIP,RANK,DATE,PX\n1,A,1,,1\n", {"where": "NOPE = 1"}),
        ("MESSAGE_ID,CUSIP,RANK,DATE,PX\n1,A,1,,1\n", {"rules": rule_on_note()}),
        ('MESSAGE_ID,CUSIP,RANK,DATE,PX\n1,A,1,"2,1\n', {}),
    ],
    ids=["no usable row", "max-rejected", "no column", "where", "rules", "quote"],
)
def test_errors_are_those_of_a_local_run(
    text: str, options: dict[str, Any], session: "SparkSession", tmp_path: Path
) -> None:
    """The message, the hint and the code are the same, and nothing is written."""
    path = tmp_path / "colors.csv"
    path.write_text(text)
    with pytest.raises(MarketPulseError) as local:
        run_colors(path, output=tmp_path / "out", **options)
    with pytest.raises(MarketPulseError) as spark:
        spark_run(session, [path], output=tmp_path / "out", **options)
    assert spark.value.as_json() == local.value.as_json()
    assert [entry.name for entry in tmp_path.iterdir()] == ["colors.csv"]


def test_what_spark_cannot_do_is_refused(session: "SparkSession", tmp_path: Path) -> None:
    """Nested columns, streams, S3 without Hadoop, missing files, options that only files have."""
    nested = pa.table({"MESSAGE_ID": [1], "CUSIP": ["A"], "RANK": [1], "DATE": [None], "PX": [1]})
    pq.write_table(nested.append_column("L", pa.array([[1]])), tmp_path / "nested.parquet")
    with pytest.raises(DataError, match="cannot carry the column 'L'"):
        spark_run(session, [tmp_path / "nested.parquet"], output=tmp_path / "out")
    with pytest.raises(UsageError, match="reads no streams"):
        spark_run(session, ["-"], output=tmp_path / "out")
    with pytest.raises(UsageError) as bucket:
        spark_run(session, ["s3://bucket/day.csv"], output=tmp_path / "out")
    assert bucket.value.hint == "write s3a://bucket/day.csv"
    with pytest.raises(NotFoundError):
        spark_run(session, [tmp_path / "nope.csv"], output=tmp_path / "out")
    frame = session.createDataFrame(nested)
    with pytest.raises(UsageError, match="--where needs files"):
        run_colors(frame, where="PX > 1")
    months = session.sql("SELECT 1 AS MESSAGE_ID, INTERVAL '1' MONTH AS TERM")
    with pytest.raises(DataError, match=r"does not hand out: .*YearMonthIntervalType"):
        run_colors(months)


def test_the_python_of_the_page_runs(
    session: "SparkSession",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The example of docs/spark.md ranks a folder of Parquet, and writes the parents."""
    page = (ROOT / "docs/spark.md").read_text(encoding="utf-8")
    *_, example = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "history").mkdir()
    pq.write_table(text_table(COLORS), tmp_path / "history/day.parquet")
    shutil.copy(RULES, tmp_path)
    monkeypatch.chdir(tmp_path)
    # The working folder of Java is another one.
    example = example.replace('"history"', repr(str(tmp_path / "history")))
    example = example.replace('"parents"', repr(str(tmp_path / "parents")))
    exec(example, {"spark": session})
    parents = pq.read_table(tmp_path / "parents")
    assert parents.column_names == ["CUSIP", "PX"]
    assert f"parents={len(parents)}" in capsys.readouterr().out
