"""The script that builds the function, by parts. tests/function/test_zip.py runs it."""

import ctypes
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow
import pytest
from support import ROOT

from marketpulse.terraform import build_function


def test_prune(tmp_path: Path) -> None:
    """Unused packages, sources, tests and services go; what the function imports stays."""
    keep = {
        "duckdb/__init__.py",
        "pyarrow/libarrow.so",
        "botocore/data/s3/service.json",
        "botocore/data/endpoints.json",
        "fastapi/main.py",
    }
    drop = {
        "typer/core.py",
        "typer-0.29.dist-info/RECORD",
        "rich/console.py",
        "pyarrow/include/arrow.h",
        "pyarrow/lib.pyx",
        "duckdb/tests/test_x.py",
        "botocore/data/ec2/service.json",
        "bin/marketpulse",
    }
    for name in keep | drop:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    build_function.prune(tmp_path)
    files = {
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()
    }

    assert files == keep


def test_every_service_stays() -> None:
    """The data of each service of AWS that the package calls."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "marketpulse/aws").glob("*.py")]
    called = {name for text in sources for name in re.findall(r'client\("([a-z0-9-]+)"', text)}

    assert {"s3", "ssm"} <= called <= build_function.SERVICES


def test_modules_become_bytecode(tmp_path: Path) -> None:
    """Sources go, bytecode stands in their place, and Python imports it."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package/__init__.py").write_text("ANSWER = 42")
    build_function.compile_sources(tmp_path)
    code = "import package; print(package.ANSWER, package.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert [path.name for path in (tmp_path / "package").iterdir()] == ["__init__.pyc"]
    assert done.stdout.split() == ["42", str(tmp_path / "package/__init__.pyc")]


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries of this system are not ELF")
def test_libraries_load_without_symbols(tmp_path: Path) -> None:
    """A library gets smaller and still loads; other files stay as they are."""
    original = next(Path(pyarrow.__file__).parent.glob("libarrow.so.*"))
    library, text = tmp_path / original.name, tmp_path / "not_a.so"
    library.write_bytes(original.read_bytes())
    text.write_text("text")
    for path in (library, text):
        build_function.drop_symbols(path)

    assert library.stat().st_size < 0.9 * original.stat().st_size
    assert ctypes.CDLL(str(library))
    assert text.read_text() == "text"


def test_packing_is_repeatable(tmp_path: Path) -> None:
    """The same files give the same zip, or a folder."""
    files = {"a/b.pyc": b"one", "c.so": b"two"}
    for name, content in files.items():
        (tmp_path / "packages" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "packages" / name).write_bytes(content)
    sizes = [
        build_function.pack(tmp_path / "packages", tmp_path / output)
        for output in ("first.zip", "second.zip", "folder")
    ]
    with zipfile.ZipFile(tmp_path / "first.zip") as zipped:
        packed = {name: zipped.read(name) for name in zipped.namelist()}

    assert sizes == [6, 6, 6]
    assert packed == files
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()
    assert (tmp_path / "folder/a/b.pyc").read_bytes() == b"one"


@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="this is the Python of Lambda")
def test_another_python_is_refused(tmp_path: Path) -> None:
    """Its bytecode would be of no use; nothing is downloaded or written."""
    script = ROOT / "marketpulse/terraform/build_function.py"
    done = subprocess.run(
        [sys.executable, str(script), str(ROOT)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "Lambda needs bytecode of Python 3.12" in done.stderr
    assert "hint: " in done.stderr
    assert list(tmp_path.iterdir()) == []
