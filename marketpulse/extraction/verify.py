"""Verifies a bundle: every file is as it was written, and every row can be read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from marketpulse.bundle import Manifest
from marketpulse.errors import DataError
from marketpulse.sources import FileOptions
from marketpulse.sources.bundle import BundleSource, open_bundle, readable_files


@dataclass(frozen=True)
class FileFault:
    """A file of a bundle, and what is wrong with it. `file` is empty if it is no single file."""

    file: str
    what: str


@dataclass(frozen=True)
class Verification:
    """The result of `verify_bundle`. Without faults, every row of the bundle was read."""

    bundle: str
    manifest: Manifest
    faults: tuple[FileFault, ...]

    def as_json(self) -> dict[str, object]:
        """Return the tables with their rows, what is missing, and the faults."""
        return {
            "bundle": self.bundle,
            "taken_at": self.manifest.taken_at,
            "source": asdict(self.manifest.source),
            "complete": self.manifest.complete,
            "missing": [asdict(gap) for gap in self.manifest.missing],
            "tables": [
                {
                    "name": table.name,
                    "rows": table.rows,
                    "masks": table.masks,
                    "files": [file.name for file in table.files],
                }
                for table in self.manifest.tables
            ],
            "faults": [asdict(fault) for fault in self.faults],
        }


def verify_bundle(place: str | Path, files: FileOptions | None = None) -> Verification:
    """Compare every file with the manifest, then read every row of every table in every format.

    A bundle in S3 has no unlisted files: other objects below its prefix are somebody else's. Raises
    `NotFoundError` if there is no such path, `DataError` if the bundle is not complete or not safe,
    see `Bundle`, and `AwsError` if S3 fails.
    """
    with open_bundle(place, files) as source:
        bundle = source.bundle
        faults = [
            FileFault(file.name, damage)
            for file in bundle.manifest.files
            if (damage := bundle.find_damage(file.name))
        ]
        faults += [
            FileFault(name, "the manifest does not list it: it was added later")
            for name in bundle.find_unlisted()
        ]
        # Rows of a damaged file would only repeat that it is damaged.
        if not faults:
            faults = _read_all_rows(source)
        return Verification(str(place), bundle.manifest, tuple(faults))


def _read_all_rows(source: BundleSource) -> list[FileFault]:
    """Return the files whose rows are not those of the manifest, although their digests are."""
    try:
        source.tables()  # reads the schema files
    except DataError as error:
        return [FileFault("", error.message)]
    faults = []
    for table in source.bundle.manifest.tables:
        for file in readable_files(table):
            try:  # each format alone: JSON may be wrong where CSV is not
                for _ in source.read(table, file):
                    pass
            except DataError as error:
                faults.append(FileFault(file.name, f"{table.name}: {error.message}"))
    return faults
