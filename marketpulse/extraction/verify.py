"""Whether a bundle is whole: every file as it was written, every row still there."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from marketpulse.bundle import Manifest
from marketpulse.errors import DataError
from marketpulse.sources.bundle import BundleSource, readable


@dataclass(frozen=True)
class Fault:
    """A file of a bundle, and what is wrong with it."""

    file: str
    what: str


@dataclass(frozen=True)
class Verified:
    """What was found in a bundle; without faults each of its rows has been read."""

    bundle: str
    manifest: Manifest
    faults: tuple[Fault, ...]

    def as_json(self) -> dict[str, Any]:
        """The tables with their rows, what is missing, and the faults."""
        return {
            "bundle": self.bundle,
            "taken_at": self.manifest.taken_at,
            "source": asdict(self.manifest.source),
            "complete": self.manifest.complete,
            "missing": [asdict(it) for it in self.manifest.missing],
            "tables": [
                {"name": it.name, "rows": it.rows, "files": [file.name for file in it.files]}
                for it in self.manifest.tables
            ],
            "faults": [asdict(it) for it in self.faults],
        }


def verify(path: Path) -> Verified:
    """Compare every file with the manifest, then read every row of every table in every format.

    Raises `NotFoundError` where there is no bundle, `DataError` where it has no manifest, leads
    out of itself, holds links, or would unpack to far more than it says.
    """
    with BundleSource(path) as source:
        bundle = source.bundle
        faults = [
            Fault(file.name, what)
            for file in bundle.manifest.files
            if (what := bundle.fault(file.name))
        ]
        faults += [
            Fault(name, "it is not in the manifest: somebody added it")
            for name in bundle.strangers()
        ]
        if not faults:
            faults = _unreadable(source)
        return Verified(str(path), bundle.manifest, tuple(faults))


def _unreadable(source: BundleSource) -> list[Fault]:
    """The files whose rows are not those that were taken, though their bytes are."""
    faults = []
    try:
        tables = source.tables()
    except DataError as error:
        return [Fault("", error.message)]
    for table, taken in zip(tables, source.bundle.manifest.tables, strict=True):
        for file in readable(taken):
            try:
                for _ in source.read(taken, file):
                    pass
            except DataError as error:
                faults.append(Fault(file.name, f"{table.name}: {error.message}"))
    return faults
