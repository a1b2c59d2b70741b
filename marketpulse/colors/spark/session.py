"""The session of Spark, and what its errors mean."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from py4j.java_gateway import JavaGateway
from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from marketpulse.atomic import TemporaryFolder
from marketpulse.errors import SettingsError, UnreachableError, UsageError

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class SparkError(UnreachableError):
    """Spark has lost executors, or a task has failed as often as Spark tries it."""

    check = "MP-SPK-003"


@contextmanager
def open_session(master: str | None) -> Iterator[SparkSession]:
    """A session of its own, stopped at the end.

    Without a master it is that of `spark-submit` or of Spark's settings, else all cores of this
    machine. What Spark logs goes to a file, whose last line explains why Spark does not start.
    Raises `SettingsError` if Java is missing or ends, and `UsageError` for a wrong master.
    """
    conf = SparkConf(loadDefaults=False).setAppName("marketpulse")
    conf.set("spark.ui.showConsoleProgress", "false")
    if master:
        conf.setMaster(master)
        if master.startswith("local"):  # it ends before anybody looks
            conf.set("spark.ui.enabled", "false")
    with TemporaryFolder() as folder:
        log = Path(folder) / "spark.log"
        with log.open("wb") as stream, quiet():
            try:
                gateway = _launch_java(conf, stream)
            except (PySparkException, Py4JError, OSError) as error:
                raise _java_error(log, error) from error
            try:
                context = SparkContext(conf=conf, gateway=gateway)
            except (Py4JNetworkError, ConnectionError) as error:  # it was there, and is gone
                raise _java_error(log, error) from error
            except (PySparkException, Py4JError) as error:
                gateway.shutdown()
                # Java's own message: "Could not parse Master URL: 'x'", for example.
                raise UsageError(
                    f"--master: Spark does not start: {first_line(error)}",
                    hint="for instance --master 'local[4]' or --master spark://host:7077",
                    check="MP-SPK-002",
                ) from error
            try:
                yield SparkSession(context)
            finally:
                context.stop()


def _java_error(log: Path, error: Exception) -> SettingsError:
    return SettingsError(
        f"Spark does not start: {_last_line(log) or error}",
        hint="install Java 17 or 21, and set JAVA_HOME if it is not on the PATH; if it is there, "
        "give it more memory",
        check="MP-SPK-002",
    )


def _launch_java(conf: SparkConf, log: BinaryIO) -> JavaGateway:
    """Start Java. A signal waits for its answer: without one, Java would never end."""
    with ThreadPoolExecutor(1) as pool:
        launch = pool.submit(launch_gateway, conf, {"stderr": log, "stdout": log})
        try:
            return launch.result()
        except KeyboardInterrupt:
            with suppress(PySparkException, OSError):
                launch.result().shutdown()
            raise


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise errors of Spark as `SparkError`, whose message has their first line."""
    try:
        yield
    except (PySparkException, Py4JError, ConnectionError) as error:
        lost = isinstance(error, Py4JNetworkError | ConnectionError)
        raise SparkError(
            f"Spark has failed: {first_line(error)}",
            hint="the Spark driver has ended: is there enough memory?"
            if lost
            else "look for the reason in the logs of Spark's executors, and run it again",
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out what says nothing to users.

    PySpark warns of every major version of pandas that it has not seen; no step uses pandas. When
    Java dies or a signal meets a call of it, Py4J logs a traceback beside the error.
    """

    def is_other(record: logging.LogRecord) -> bool:
        return record.module != "java_gateway"

    root, gateway = logging.getLogger(), logging.getLogger("py4j")  # it logs to both
    level = gateway.level
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, message="PySpark does not yet")
        root.addFilter(is_other)
        gateway.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            root.removeFilter(is_other)
            gateway.setLevel(level)


def first_line(error: Exception) -> str:
    """What has happened, without the frames of Java and Python."""
    java = getattr(error, "java_exception", None)
    text = str(error) if java is None else str(java.getMessage())
    lines = [line.strip() for line in _ANSI.sub("", text).splitlines() if line.strip()]
    if "Traceback (most recent call last):" in lines:
        return lines[-1]
    return lines[0] if lines else type(error).__name__


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
