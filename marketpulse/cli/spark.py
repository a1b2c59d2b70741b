"""`run-colors --engine spark`: check the options, and rank on Spark."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from marketpulse.cli import render
from marketpulse.cli.pandas_blocker import allow_pandas
from marketpulse.cli.session import Session
from marketpulse.errors import UsageError
from marketpulse.extras import install_command
from marketpulse.model import Progress

if TYPE_CHECKING:
    from marketpulse.colors.options import RunOptions


_REFUSED = {
    "table": "name files: Spark reads no database",
    "query": "name files: Spark reads no database",
    "by_day": "rank the days with --engine duckdb",
    "explain": "explain the security with --engine duckdb",
    "report": "make the page with --engine duckdb",
    "workbook": "Spark writes many files of each kind; leave out --workbook",
    "push": "upload the folder with push-s3 when the run is done",
}


def spark_names(
    session: Session,
    engine: str,
    master: str | None,
    inputs: Sequence[str] | None,
    source: str | None,
    parameters: Mapping[str, object],
) -> list[str]:
    """The names of the files that Spark reads; none for another engine.

    `parameters` has the values of all options. Raises `UsageError` for what Spark cannot do.
    """
    if engine != "spark":
        if master is not None:
            raise UsageError(
                "--master needs --engine spark", hint="add --engine spark, or leave out --master"
            )
        return []
    for name, hint in _REFUSED.items():
        if parameters[name] not in {None, False}:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} does not work with --engine spark", hint=hint)
    names = session.input_names(inputs, source)
    from marketpulse.sources import is_files  # noqa: PLC0415 - heavy

    for name in names:
        if not is_files(name):
            raise UsageError(
                f"{name}: --engine spark reads files only",
                hint="write the rows to files with `marketpulse sample`, or use --engine duckdb",
            )
    return names


def rank_on_spark(
    session: Session,
    names: Sequence[str],
    options: RunOptions,
    master: str | None,
    progress: Progress,
    *,
    as_json: bool,
) -> None:
    """Rank files on Spark, and show the run.

    Raises `UsageError` without PySpark, and what `run_files` raises.
    """
    if master is None and "PYSPARK_GATEWAY_PORT" not in os.environ:
        master = "local[*]"  # else `spark-submit` has started Java, and knows the master
    if master is not None and master.startswith("local"):
        # The executors are of this machine: they use this Python, which has the package.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    allow_pandas()  # PySpark asks for its version
    try:
        from marketpulse.colors.spark.driver import run_files  # noqa: PLC0415 - PySpark is optional
    except ModuleNotFoundError as error:
        if error.name not in {"pyspark", "py4j", "pandas"}:
            raise
        raise UsageError(
            f"--engine spark needs {error.name}, which is not installed",
            hint=f"run: {install_command('spark')}",
            check="MP-SPK-001",
        ) from error
    result = run_files(names, options, master, progress)
    render.show_run(result, as_json=as_json, say=session.say)
