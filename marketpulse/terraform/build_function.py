"""Build function.zip for AWS Lambda (Python 3.12, x86_64) and print its size.

    python build_function.py MARKETPULSE

MARKETPULSE is its source folder or its wheel. The script needs pip and a package index, but no
compiler: it downloads packages built for Lambda's Linux, on any machine.
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

LIMIT = 262_144_000  # bytes; Lambda's limit for unpacked code and layers
_TARGET = [
    *("--python-version", "3.12", "--implementation", "cp", "--only-binary", ":all:"),
    *("--platform", "manylinux_2_28_x86_64", "--platform", "manylinux_2_27_x86_64"),
    *("--platform", "manylinux2014_x86_64"),
]
# Packages that the function never imports (spreadsheets, terminals, data frames), and unused parts.
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
_SERVICES = {"s3", "ssm", "sts", "sso", "sso-oidc", "kms"}  # the services of AWS that we call
_SOURCES = {".pyx", ".pxd", ".pxi", ".pyi", ".h", ".hpp", ".c", ".cpp", ".a", ".pyc"}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the time of every file: the same content gives the same zip


def main() -> None:
    """Download the packages, remove what is unused, pack the rest, and check its size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("marketpulse", type=Path, help="its source folder, or its wheel")
    parser.add_argument("--output", type=Path, default=Path("function.zip"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        packages = Path(folder) / "packages"
        words = ["--target", str(packages), *_TARGET, f"{arguments.marketpulse.resolve()}[lambda]"]
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", *words]
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - pip with our own arguments
            sys.exit("error: pip cannot install the packages; see its output above")
        prune(packages)
        files = sorted(path for path in packages.rglob("*") if path.is_file())
        unpacked = sum(file.stat().st_size for file in files)
        if unpacked > LIMIT:
            sys.exit(
                f"error: {unpacked:,} bytes unpacked exceed Lambda's limit of {LIMIT:,}\n"
                "  hint: upgrade pip and build again, or use a container image"
            )
        with zipfile.ZipFile(
            arguments.output, "w", zipfile.ZIP_DEFLATED, compresslevel=9
        ) as zipped:
            for file in files:
                entry = zipfile.ZipInfo(file.relative_to(packages).as_posix(), _EPOCH)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                zipped.writestr(entry, file.read_bytes())
    size = arguments.output.stat().st_size
    print(f"{arguments.output}: {size:,} bytes, {unpacked:,} unpacked (Lambda's limit: {LIMIT:,})")  # noqa: T201 - the result of a script


def prune(packages: Path) -> None:
    """Remove what the function does not use."""
    for path in _unused_paths(packages):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _unused_paths(packages: Path) -> Iterator[Path]:
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
