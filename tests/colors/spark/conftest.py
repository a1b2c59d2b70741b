"""One session of Spark for all tests here: it takes some seconds to start."""

import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# A test is over before Java's second compiler has gained what it costs.
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@pytest.fixture(scope="session")
def java() -> str:
    """The path of Java, without which Spark does not run."""
    home = os.environ.get("JAVA_HOME")
    path = shutil.which("java", path=f"{home}/bin" if home else None)
    if path is None:
        pytest.skip("Spark needs Java 17: install openjdk-17-jre-headless")
    return path


@pytest.fixture(scope="session")
def session(java: str) -> Iterator["SparkSession"]:
    """A session with two cores."""
    assert java
    from pyspark.sql import SparkSession  # noqa: PLC0415 - loads slowly

    os.environ["PYSPARK_PYTHON"] = sys.executable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PySpark has not seen this pandas yet
        spark = (
            SparkSession.builder.master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.driver.extraJavaOptions", JAVA_OPTIONS)
            .config("spark.log.level", "ERROR")
            .getOrCreate()
        )
    yield spark
    spark.stop()
