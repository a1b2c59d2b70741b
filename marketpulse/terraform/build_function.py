"""Make function.zip for AWS Lambda (Python 3.12, x86_64), and say how large it is.

    python build_function.py MARKETPULSE

MARKETPULSE is the folder of its source, or its wheel. Needs pip and its package index, and no
compiler: all that comes is made for Lambda's Linux, on whatever machine this runs.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

LIMIT = 262_144_000  # bytes; what Lambda takes, unpacked, layers included
_TARGET = [
    *("--python-version", "3.12", "--implementation", "cp", "--only-binary", ":all:"),
    *("--platform", "manylinux_2_28_x86_64", "--platform", "manylinux_2_27_x86_64"),
    *("--platform", "manylinux2014_x86_64"),
]
# What the function never imports: spreadsheets, terminals, data frames, and parts of others.
_UNUSED = (
    *("bin", "pandas*", "openpyxl*", "et_xmlfile*", "xlsxwriter*", "rich*", "pygments*"),
    *("markdown_it*", "mdurl*", "typer*", "shellingham*", "click*", "greenlet*"),
    *("pyarrow/include", "pyarrow/src", "pyarrow/libarrow_flight*", "pyarrow/libarrow_s3*"),
    *("pyarrow/*_encryption*", "pyarrow/*_flight*", "pyarrow/_s3fs*", "pyarrow/*orc*.so"),
    *("pyarrow/_hdfs*", "pyarrow/_gcsfs*", "pyarrow/_azurefs*", "pyarrow/_pyarrow_cpp_tests*"),
    *("pyarrow/libarrow_python.so", "pyarrow/libarrow_python.so.*.*.*"),
    *("numpy/random", "numpy/polynomial", "numpy/fft", "numpy/f2py", "numpy/typing"),
    *("numpy/_core/lib", "numpy/_core/include", "numpy/_core/_simd*", "numpy/_core/*_tests*"),
    *("sqlalchemy/orm", "sqlalchemy/ext", "sqlalchemy/testing", "sqlalchemy/*/*_cy.*.so"),
    *(f"sqlalchemy/dialects/{dialect}" for dialect in ("mysql", "postgresql", "sqlite", "mssql")),
)
_SERVICES = {"s3", "ssm", "sts", "sso", "sso-oidc", "kms"}  # that we speak to
_SOURCES = {".pyx", ".pxd", ".pxi", ".pyi", ".h", ".hpp", ".c", ".cpp", ".a", ".pyc"}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file: the same content makes the same zip


def main() -> None:
    """Build, prune, pack, measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("marketpulse", type=Path, help="its source folder, or its wheel")
    parser.add_argument("--output", type=Path, default=Path("function.zip"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        packages = Path(folder) / "packages"
        words = ["--target", str(packages), *_TARGET, f"{given.marketpulse.resolve()}[lambda]"]
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", *words]
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - pip, our own words
            sys.exit("error: pip cannot get the packages; its last lines are above")
        prune(packages)
        files = sorted(path for path in packages.rglob("*") if path.is_file())
        unpacked = sum(file.stat().st_size for file in files)
        if unpacked > LIMIT:
            sys.exit(
                f"error: {unpacked:,} bytes unpacked are more than Lambda takes, {LIMIT:,}\n"
                "  hint: pip install --upgrade pip, and build again; or take a container image"
            )
        with zipfile.ZipFile(given.output, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as zipped:
            for file in files:
                entry = zipfile.ZipInfo(file.relative_to(packages).as_posix(), _EPOCH)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                zipped.writestr(entry, file.read_bytes())
    size = given.output.stat().st_size
    print(f"{given.output}: {size:,} bytes, {unpacked:,} unpacked of {LIMIT:,} that Lambda takes")  # noqa: T201 - a script's answer


def prune(packages: Path) -> None:
    """Remove what the function does not need."""
    for path in _unneeded(packages):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _unneeded(packages: Path) -> Iterator[Path]:
    for pattern in _UNUSED:
        yield from list(packages.glob(pattern))
    for path in list(packages.rglob("*")):
        if path.suffix in _SOURCES or (path.name == "tests" and path.is_dir()):
            yield path
    for path in list((packages / "botocore/data").iterdir()):
        if path.is_dir() and path.name not in _SERVICES:
            yield path


if __name__ == "__main__":
    main()
