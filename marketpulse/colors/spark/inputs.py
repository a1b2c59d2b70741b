"""The input of a run on Spark: its parts, and what is known before the first row is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pyarrow as pa
from py4j.java_gateway import JVMView
from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark.errors import AnalysisException, PySparkException, PySparkTypeError
from pyspark.sql import DataFrame, SparkSession

from marketpulse.colors.inputs import ColorInput, source_input, table_input
from marketpulse.colors.options import RunOptions
from marketpulse.colors.prepare import RunRequest
from marketpulse.colors.spark.reports import REPORT, FilesReport, read_reports
from marketpulse.colors.spark.session import SparkError, first_line
from marketpulse.colors.spark.tasks import (
    Batches,
    InspectFiles,
    ReadDataFrame,
    ReadFiles,
    ReadRows,
    Units,
)
from marketpulse.errors import (
    DataError,
    MarketPulseError,
    NotFoundError,
    SettingsError,
    UsageError,
    hide_password,
)
from marketpulse.formats import parse_delimiter
from marketpulse.sources import FileOptions
from marketpulse.sources.containers import (
    is_stream,
    may_hold_rows,
    refuse_twins,
    require_known,
)
from marketpulse.sources.files import (
    FilesPart,
    FilesSource,
    check_options,
    common_schema,
    find_paths,
    join_notes,
)
from marketpulse.sources.selection import now

_UNIT_BYTES = 32 << 20  # small files share a task up to this size
_UNKNOWN_FILE_SYSTEM = re.compile(r"Class org\.apache\.hadoop\.fs\.\S+ not found|No FileSystem for")
_CONTENT = "spark.sql.execution.arrow.maxRecordsPerBatch"


@dataclass(frozen=True, kw_only=True)
class SparkInput:
    """Rows that Spark can read, and their columns as the engine takes them.

    `empty` is the same input without rows. `reader` makes the first stage of the rows that are to
    be read; `parts` counts its tasks, if they are known.
    """

    frame: DataFrame
    empty: ColorInput
    files: tuple[Path, ...]
    parts: int | None
    reader: Callable[[ReadRows], Callable[[Batches], Batches]]


def open_data_frame(frame: DataFrame, options: RunOptions) -> SparkInput:
    """The rows of a DataFrame.

    Raises `UsageError` for options that only files have, and `DataError` for a column whose type
    Spark does not hand out.
    """
    for option in ("where", "table", "delimiter", "sheet", "header_row"):
        if getattr(options, option) is not None:
            raise UsageError(
                f"--{option.replace('_', '-')} needs files",
                hint="filter the DataFrame before you pass it",
            )
    try:
        schema = frame.limit(0).toArrow().schema
    except PySparkTypeError as error:
        raise DataError(
            f"DataFrame: a column has a type that Spark does not hand out: {first_line(error)}",
            hint="cast the column to a string, or leave it out",
            check="MP-DAT-018",
        ) from error
    return SparkInput(
        # To Spark, a dot or a backtick in a name would be syntax.
        frame=frame.toDF(*(f"c{place}" for place in range(len(schema)))),
        empty=table_input(schema.empty_table().to_reader(), "DataFrame"),
        files=(),
        parts=None,
        reader=lambda rows: ReadDataFrame(rows=rows, schema=schema),
    )


def open_spark_files(
    session: SparkSession, names: Sequence[str], options: RunOptions, request: RunRequest
) -> SparkInput:
    """The rows of files, globs and folders, local ones or at addresses that Spark knows.

    Raises `UsageError`, `NotFoundError` or `DataError`.
    """
    delimiter = None if options.delimiter is None else parse_delimiter(options.delimiter)
    file_options = FileOptions(
        delimiter=delimiter, sheet=options.sheet, header_row=options.header_row
    )
    for name in names:
        _refuse_others(name)
    remote = ["://" in name for name in names]
    if any(remote) and not all(remote):
        raise UsageError(
            "some of the files are local and some are not", hint="write local ones as file:///PATH"
        )
    if all(remote):
        frame, units = _addresses(session, names)
        paths: tuple[Path, ...] = ()
    else:
        paths = tuple(path for name in names for path in find_paths(name))
        frame, units = _local_files(session, paths)
    check_options((name for unit in units.names for name in unit), file_options)
    sysdate = now()
    inspect = InspectFiles(units=units, options=file_options, now=sysdate)
    reports = map_frame(frame, inspect, pa.schema([REPORT])).collect()
    files = read_reports((row[0] for row in reports), FilesReport)
    schema = common_schema([pair for report in files for pair in report.schemas])
    part = FilesPart(schema=schema, now=sysdate)
    with FilesSource(names, file_options, part) as source:
        empty = source_input(source, None, options.where, request.cell_readings())
    notes = join_notes([report.notes for report in files])
    return SparkInput(
        frame=frame,
        empty=replace(empty, read_notes=lambda: notes),
        files=paths,
        parts=len(units.names),
        reader=lambda rows: ReadFiles(
            rows=rows, units=units, options=file_options, now=sysdate, schema=schema
        ),
    )


def map_frame(frame: DataFrame, task: Callable[[Batches], Batches], schema: pa.Schema) -> DataFrame:
    """The frame after a task, which yields batches of this schema."""
    from pyspark.sql.pandas.types import from_arrow_schema  # noqa: PLC0415 - loads pandas

    return frame.mapInArrow(task, from_arrow_schema(schema))


def _refuse_others(name: str) -> None:
    if hide_password(name) != name:
        raise UsageError(
            f"{name}: the address has a password", hint="put it into the settings of Hadoop"
        )
    if name.startswith("s3://"):
        raise UsageError(
            f"{name}: Spark reads S3 through Hadoop", hint=f"write s3a://{name[len('s3://') :]}"
        )
    if "://" not in name and is_stream(name):
        raise UsageError(
            f"{name}: --engine spark reads no streams", hint="store it in a file, or use duckdb"
        )


def _local_files(session: SparkSession, paths: Sequence[Path]) -> tuple[DataFrame, Units]:
    """Files that all executors see, small neighbours together."""
    parallelism = session.sparkContext.defaultParallelism
    sizes = [path.stat().st_size for path in paths]
    most = max(1, min(_UNIT_BYTES, sum(sizes) // parallelism))
    units: list[list[str]] = []
    free = 0
    for path, size in zip(paths, sizes, strict=True):
        if size > free or not units:
            units.append([])
            free = most
        units[-1].append(str(path.absolute()))
        free -= size
    frame = session.range(0, len(units), 1, len(units))
    return frame, Units(names=tuple(map(tuple, units)))


def _addresses(session: SparkSession, names: Sequence[str]) -> tuple[DataFrame, Units]:
    """Files whose content Spark brings along, each in a task of its own."""
    session = session.newSession()
    # A batch has one file, and so has a task: the price of opening one more is a task's size.
    session.conf.set(_CONTENT, "1")
    session.conf.set("spark.sql.files.openCostInBytes", "1t")
    # Folders such as `date=2026-03-13` become columns where the files are read.
    reader = session.read.format("binaryFile").option("recursiveFileLookup", "true")
    try:
        found = [row[0] for row in reader.load(list(names)).select("path").collect()]
    except AnalysisException as error:
        raise _no_address(names) from error
    except (PySparkException, Py4JError) as error:
        raise _address_error(session, names, error) from error
    paths = sorted(path for path in found if may_hold_rows(path.rsplit("/", 1)[-1])) or found[:1]
    if not paths:
        raise _no_address(names)
    for path in paths:
        require_known(path.rsplit("/", 1)[-1], path)
    refuse_twins(paths)
    units = Units(names=tuple((path,) for path in paths), copied=True)
    return reader.load(paths).select("path", "content"), units


def _address_error(
    session: SparkSession, names: Sequence[str], error: Exception
) -> MarketPulseError:
    """Spark cannot look into an address: it does not know the file system, or cannot reach it."""
    reason = first_line(error)
    if isinstance(error, Py4JNetworkError) or not _UNKNOWN_FILE_SYSTEM.search(reason):
        return SparkError(
            f"{' '.join(names)}: {reason}",
            hint="check the address, and the settings of Hadoop that Spark uses",
        )
    java = cast("JVMView", session._jvm)  # noqa: SLF001 - PySpark has no other way to Java
    version = java.org.apache.hadoop.util.VersionInfo.getVersion()
    return SettingsError(
        f"{' '.join(names)}: Spark does not know such addresses: {reason}",
        hint="give Spark the module of Hadoop that does, for s3a:// for instance with "
        f"`spark.jars.packages org.apache.hadoop:hadoop-aws:{version}` in spark-defaults.conf",
        check="MP-SPK-004",
    )


def _no_address(names: Sequence[str]) -> NotFoundError:
    return NotFoundError(
        f"{' '.join(names)}: no such file",
        hint="check the address with `hdfs dfs -ls` or the tools of the store",
    )
