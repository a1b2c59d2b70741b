"""Bundles for tests: making one, finding its files, and damaging it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support import Tool

from marketpulse.cli.console import progress
from marketpulse.extraction.sample import Sample, write_sample
from marketpulse.extraction.sample_options import SampleOptions
from marketpulse.sources import open_source

TAKEN_AT = datetime(2026, 3, 13, 18, tzinfo=UTC)
AWKWARD_TABLES = ("ALL_TYPES", "COLORS", "Colors", "A/B", "CON", "x y", '"Quoted"', "é" * 60)


def extract(
    folder: Path,
    *tables: str,
    source: str | Path = "demo",
    options: SampleOptions | None = None,
    taken_at: datetime = TAKEN_AT,
    with_zip: bool = False,
    replace: bool = False,
    secrets: Sequence[str] = (),
) -> Sample:
    """Write a sample into a folder, in this process; names are exact."""
    with open_source(str(source)) as data:
        return write_sample(
            data,
            [f'"{table}"' for table in tables],
            options or SampleOptions(),
            output=folder,
            taken_at=taken_at,
            progress=progress(quiet=True),
            with_zip=with_zip,
            replace=replace,
            secrets=secrets,
        )


def run(tool: Tool, *words: object, code: int = 0) -> str:
    """Run a command that ends with this exit code; return its output, or its errors."""
    result = tool.run(*words)
    assert result.code == code, result.err
    return result.err if code else result.out


def manifest_of(bundle: Path) -> Any:
    """Return the content of a bundle's manifest."""
    return json.loads((bundle / "manifest.json").read_text("utf-8"))


def write_manifest(bundle: Path, content: object) -> None:
    """Replace a bundle's manifest."""
    (bundle / "manifest.json").write_text(json.dumps(content), encoding="utf-8")


def file_of(bundle: Path, table: str, suffix: str) -> Path:
    """Return a table's file of a format."""
    (entry,) = (entry for entry in manifest_of(bundle)["tables"] if entry["name"] == table)
    (name,) = (file["name"] for file in entry["files"] if file["format"] == suffix)
    return bundle / str(name)


def contents_of(bundle: Path, pattern: str = "*") -> dict[str, bytes]:
    """Return the content of each file in a folder, by its name."""
    return {path.name: path.read_bytes() for path in bundle.glob(pattern)}


def flip_byte(path: Path) -> None:
    """Change one byte of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_last_line(path: Path) -> None:
    """Remove the last line of a file."""
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


@pytest.fixture(scope="session")
def awkward_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the demo's awkward tables with all of their rows; its zip is beside it."""
    folder = tmp_path_factory.mktemp("awkward") / "sample_data"
    options = SampleOptions(limit=None, formats=("csv", "json", "parquet"), json_rows=None)
    extract(folder, *AWKWARD_TABLES, options=options, with_zip=True)
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of COLORS and DEALERS that a test may change."""
    folder = tmp_path / "sample_data"
    extract(folder, "COLORS", "DEALERS")
    return folder
