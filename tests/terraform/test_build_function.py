"""The script that builds function.zip: what it leaves out. tests/function/test_zip.py runs it."""

from pathlib import Path

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
        "pandas/core/frame.py",
        "pandas-3.0.dist-info/RECORD",
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
