"""Build the code of the function for AWS Lambda (Python 3.12, x86_64), and print its size.

    python3.12 build_function.py MARKETPULSE [--output function.zip]

MARKETPULSE is its source folder or its wheel. If the output's name does not end in .zip, it is a
folder, as the container image needs it. The script needs Python 3.12, pip and a package index, but
no compiler: it downloads packages built for Lambda's Linux, on any machine.
"""

from __future__ import annotations

import argparse
import compileall
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

LIMIT = 262_144_000  # bytes; Lambda's limit for unpacked code and layers
_PYTHON = (3, 12)  # Lambda's; bytecode of another version is of no use
_TARGET = [
    *("--python-version", "3.12", "--implementation", "cp", "--only-binary", ":all:"),
    *("--platform", "manylinux_2_28_x86_64", "--platform", "manylinux_2_27_x86_64"),
    *("--platform", "manylinux2014_x86_64"),
]
# Packages that the function never imports (terminals, pages, and what cryptography needs to be
# built), and unused parts. A run loads nearly all of the libraries that remain: what Python imports
# is linked with all large ones of pyarrow, and numpy with OpenBLAS.
_UNUSED = (
    *("bin", "rich*", "pygments*", "markdown_it*", "mdurl*", "typer*", "shellingham*", "click*"),
    *("jinja2*", "markupsafe*", "cffi*", "pycparser*", "greenlet*"),
    *("*.dist-info/RECORD", "*.dist-info/sboms", "boto3/data", "boto3/examples"),
    *("pyarrow/include", "pyarrow/src", "pyarrow/libarrow_flight*", "pyarrow/libarrow_s3*"),
    *("pyarrow/*_encryption*", "pyarrow/*_flight*", "pyarrow/_s3fs*", "pyarrow/*orc*.so"),
    *("pyarrow/_hdfs*", "pyarrow/_gcsfs*", "pyarrow/_azurefs*", "pyarrow/_pyarrow_cpp_tests*"),
    *("pyarrow/libarrow_python.so", "pyarrow/libarrow_python.so.*.*.*"),
    *("pyarrow/_dataset*", "pyarrow/_substrait*", "pyarrow/_feather*", "pyarrow/interchange"),
    *("duckdb/experimental", "adbc_driver_duckdb", "_duckdb-stubs"),
    *("numpy/random", "numpy/polynomial", "numpy/fft", "numpy/f2py", "numpy/typing"),
    *("numpy/_core/lib", "numpy/_core/include", "numpy/_core/_simd*", "numpy/_core/*_tests*"),
    *("sqlalchemy/orm", "sqlalchemy/ext", "sqlalchemy/testing", "sqlalchemy/*/*_cy.*.so"),
    *(f"sqlalchemy/dialects/{dialect}" for dialect in ("mysql", "postgresql", "sqlite", "mssql")),
)
SERVICES = {
    "s3",
    "ssm",
    "secretsmanager",
    "sts",
    "sso",
    "sso-oidc",
    "kms",
}  # the services of AWS that we call
_SOURCES = {".pyx", ".pxd", ".pxi", ".pyi", ".h", ".hpp", ".c", ".cpp", ".a", ".pyc"}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the time of every file: the same content gives the same zip
_ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_ELF_SEGMENT = struct.Struct("<IIQQQQQQ")


def main() -> None:
    """Download the packages, remove what is unused, compile, pack the rest, and check its size."""
    arguments = _parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        packages = Path(folder) / "packages"
        install(arguments.marketpulse, _find_constraints(arguments), packages)
        prune(packages)
        compile_sources(packages)
        for library in packages.rglob("*.so*"):
            drop_symbols(library)
        size = pack(packages, arguments.output)
    free = 100 - 100 * size / LIMIT
    print(  # noqa: T201 - the result of a script
        f"{arguments.output}: {size:,} bytes unpacked; "
        f"{free:.1f} % of the limit of a zip, {LIMIT:,}, are free"
    )


def install(marketpulse: Path, constraints: Path, folder: Path) -> None:
    """Install MarketPulse and its packages for Lambda into a folder, without bytecode."""
    words = ["--target", str(folder), *_TARGET, "--constraint", str(constraints)]
    words.append(f"{marketpulse.resolve()}[lambda]")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", *words]
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - pip with our own arguments
        sys.exit("error: pip cannot install the packages; see its output above")


def prune(packages: Path) -> None:
    """Remove what the function does not use."""
    for path in _unused_paths(packages):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def compile_sources(packages: Path) -> None:
    """Replace each module by its bytecode. Lambda's disk is read-only: it could keep none."""
    compiled = compileall.compile_dir(
        packages,
        quiet=1,
        legacy=True,
        stripdir=str(packages),
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )
    if not compiled:
        sys.exit("error: a package does not compile; see the output above")
    for source in packages.rglob("*.py"):
        source.unlink()


def drop_symbols(library: Path) -> None:
    """Cut off what follows the loaded segments of an ELF library: symbols for debuggers."""
    content = bytearray(library.read_bytes())
    if content[:5] != b"\x7fELF\x02":
        return
    header = list(_ELF_HEADER.unpack_from(content))
    offset, size, count = header[5], header[9], header[10]
    segments = (_ELF_SEGMENT.unpack_from(content, offset + i * size) for i in range(count))
    end = max(segment[2] + segment[5] for segment in segments)
    # The table of sections goes too: its address, the number of sections, the index of their names.
    header[6] = header[12] = header[13] = 0
    _ELF_HEADER.pack_into(content, 0, *header)
    library.write_bytes(content[:end])


def pack(packages: Path, output: Path) -> int:
    """Write the files to a zip or a folder; return their size. The same files give the same zip."""
    files = sorted(path for path in packages.rglob("*") if path.is_file())
    size = sum(file.stat().st_size for file in files)
    if output.suffix != ".zip":
        shutil.copytree(packages, output, dirs_exist_ok=True)
        return size
    if size > LIMIT:
        sys.exit(
            f"error: {size:,} bytes unpacked exceed Lambda's limit of {LIMIT:,}\n"
            "  hint: use the container image"
        )
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as zipped:
        for file in files:
            entry = zipfile.ZipInfo(file.relative_to(packages).as_posix(), _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(entry, file.read_bytes())
    return size


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("marketpulse", type=Path, help="its source folder, or its wheel")
    parser.add_argument(
        "--output", type=Path, default=Path("function.zip"), help="a zip, or a folder"
    )
    parser.add_argument(
        "--constraint",
        type=Path,
        help="the versions of the packages; default: .ci/constraints.txt in the source folder",
    )
    arguments = parser.parse_args()
    if sys.version_info[:2] != _PYTHON:
        sys.exit(
            f"error: Lambda needs bytecode of Python 3.12, and this is {sys.version.split()[0]}\n"
            "  hint: run the script with python3.12, or build the container image"
        )
    return arguments


def _find_constraints(arguments: argparse.Namespace) -> Path:
    constraints: Path = arguments.constraint or arguments.marketpulse / ".ci/constraints.txt"
    if not constraints.is_file():
        sys.exit(
            f"error: {constraints}: there is no such file with the versions of the packages\n"
            "  hint: name the .ci/constraints.txt of this release with --constraint"
        )
    return constraints


def _unused_paths(packages: Path) -> Iterator[Path]:
    for pattern in _UNUSED:
        yield from list(packages.glob(pattern))
    for path in list(packages.rglob("*")):
        if path.suffix in _SOURCES or (path.name == "tests" and path.is_dir()):
            yield path
    for path in list((packages / "botocore/data").iterdir()):
        if path.is_dir() and path.name not in SERVICES:
            yield path


if __name__ == "__main__":
    main()
