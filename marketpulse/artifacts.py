"""The files of a run and of a bundle: what they are called, and how their file lists are read.

Each set ends with one file that lists the others. It is written last, so a set that has it is
complete:

    a run               processed_colors.csv, excluded_colors.csv, ...    run_summary.json
    a bundle            TABLE_schema.json, TABLE_sample_TIME.csv, ...     manifest.json
    a prefix in S3      runs and bundles                                  latest.json

`latest.json` is the pointer: it names the set that was published last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import PureWindowsPath

from marketpulse.atomic import FileRecord
from marketpulse.formats.nesting import parse_json

RUN_SUMMARY = "run_summary.json"
MANIFEST = "manifest.json"
POINTER = "latest.json"

PROCESSED, EXCLUDED, REJECTED = "processed_colors", "excluded_colors", "rejected_colors"
RUN_TABLES = (PROCESSED, EXCLUDED, REJECTED)

TABLE_LIST = "accessible_tables.json"
DATABASE_INFO = "database_info.json"
UNFINISHED_PREFIX = "unfinished-"
_SCHEMA_SUFFIX = "_schema.json"
_SAMPLE = re.compile(r"(.+)_sample_(\d{8}_\d{6})\.(csv|json|ndjson|parquet|xlsx)")

_NUMBER = re.compile(r"-[0-9]{5,}$")  # of one of several files of a table

# Control characters, and surrogates: they stand for bytes of a name that are not UTF-8.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class ArtifactError(ValueError):
    """The text is not a run summary, a manifest or a pointer."""


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """What readers need from `run_summary.json`; `content` is all of it."""

    run_id: str
    processed_at: str  # ISO 8601
    mapping: Mapping[str, str]  # column roles to the input's own names
    files: tuple[FileRecord, ...]
    content: Mapping[str, object]

    @property
    def empty(self) -> bool:
        """Whether the summary says that the run has left no color."""
        rows = self.content.get("rows")
        return isinstance(rows, dict) and rows.get("parents") == 0


@dataclass(frozen=True, kw_only=True)
class BundleFiles:
    """What `manifest.json` says about files. The module `bundle.manifest` reads all of it."""

    files: tuple[FileRecord, ...]
    taken_at: str | None
    complete: bool


@dataclass(frozen=True)
class PublishedFile:
    """An object of the set that the pointer names."""

    key: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """`latest.json`: the key of the newest run summary or manifest, and all objects of its set.

    `run_id` is None for a bundle.
    """

    run_id: str | None
    seal: str
    files: tuple[PublishedFile, ...]

    def text(self) -> str:
        """Return the content of `latest.json`."""
        return format_json(asdict(self))

    def lists_any(self, keys: Collection[str]) -> bool:
        """Whether one of these objects belongs to the set; true if the pointer lists nothing."""
        return not self.files or any(file.key in keys for file in self.files)


def parse_run_summary(text: str | bytes) -> RunSummary:
    """Read a run summary. Raises `ValueError` if it is not one, or a name leaves its folder."""
    content = _object(parse_json(text))
    run_id, processed_at = content.get("run_id"), content.get("processed_at")
    if not (isinstance(run_id, str) and isinstance(processed_at, str)):
        raise ArtifactError("it has no run_id or no processed_at")
    return RunSummary(
        run_id=plain_name(run_id),
        processed_at=processed_at,
        mapping={role: str(name) for role, name in _object(content.get("mapping", {})).items()},
        files=_files(content),
        content=content,
    )


def parse_bundle_files(text: str | bytes) -> BundleFiles:
    """Read a manifest's list of files. Raises `ValueError` as `parse_run_summary` does."""
    content = _object(parse_json(text))
    taken_at = content.get("taken_at")
    return BundleFiles(
        files=_files(content),
        taken_at=taken_at if isinstance(taken_at, str) else None,
        complete=content.get("complete") is not False,
    )


def parse_pointer(text: str | bytes) -> Pointer:
    """Read `latest.json`. Raises `ValueError` if it is not a pointer."""
    content = _object(parse_json(text))
    run_id, seal, files = (content.get(name) for name in ("run_id", "seal", "files"))
    if not isinstance(seal, str):
        raise ArtifactError("it names no set")
    if not isinstance(files, list | None) or not isinstance(run_id, str | None):
        raise ArtifactError("run_id or files is of the wrong type")
    objects = tuple(PublishedFile(*_record(entry, "key")) for entry in files or ())
    return Pointer(run_id=run_id, seal=seal, files=objects)


def is_run_file(name: str, suffixes: Collection[str]) -> bool:
    """Whether a run writes a file of this name, in one of the formats with these suffixes."""
    stem, _, suffix = name.partition(".")
    return _NUMBER.sub("", stem) in RUN_TABLES and suffix in suffixes


def numbered_file(name: str, number: int, suffix: str) -> str:
    """Return the name of one of several files that make up a table of a run, from 0 on."""
    return f"{name}-{number:05}.{suffix}"


def is_bundle_file(name: str) -> bool:
    """Whether a bundle has a file of this name beside its manifest."""
    return name in {TABLE_LIST, DATABASE_INFO} or is_schema_file(name) or is_sample_file(name)


def shows_bundle(name: str) -> bool:
    """Whether a folder or a zip with a file of this name is a bundle, perhaps a damaged one."""
    return name in {MANIFEST, TABLE_LIST} or is_schema_file(name)


def is_schema_file(name: str) -> bool:
    """Whether this is the name of a table's schema file."""
    return name.endswith(_SCHEMA_SUFFIX)


def is_sample_file(name: str) -> bool:
    """Whether this is the name of a file with a table's rows."""
    return _SAMPLE.fullmatch(name) is not None


def split_schema_name(name: str) -> str:
    """Return the stem in the name of a schema file: what `schema_file` made it of."""
    return name.removesuffix(_SCHEMA_SUFFIX)


def split_sample_name(name: str) -> tuple[str, str, str] | None:
    """Return the stem, the time and the suffix in the name of a sample; None for other names."""
    match = _SAMPLE.fullmatch(name)
    return (match[1], match[2], match[3]) if match else None


def schema_file(stem: str) -> str:
    """Return the name of a table's schema file; see `extraction.catalog.file_stems`."""
    return f"{stem}{_SCHEMA_SUFFIX}"


def sample_file(stem: str, taken_at: datetime, suffix: str) -> str:
    """Return the name of a file with a table's rows. The time in it is UTC."""
    return f"{stem}_sample_{taken_at.astimezone(UTC):%Y%m%d_%H%M%S}.{suffix}"


def is_unfinished(name: str) -> bool:
    """Whether this names a folder of a sample that was interrupted, or a file in it."""
    return name.startswith(UNFINISHED_PREFIX)


def plain_name(name: str) -> str:
    """Return a file name that stays in its folder on every platform. Raises `ValueError`."""
    if name in {"", ".", ".."} or PureWindowsPath(name).name != name or not is_printable(name):
        raise ArtifactError(f"{name!r} is not a plain file name")
    return name


def is_printable(name: str) -> bool:
    """Whether a name has neither control characters nor bytes that are not UTF-8."""
    return _UNPRINTABLE.search(name) is None


def format_json(content: object) -> str:
    """Return JSON as every file of a set has it: indented by two, UTF-8, a line end last."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ArtifactError("it is not a JSON object")
    return value


def _files(content: Mapping[str, object]) -> tuple[FileRecord, ...]:
    files = content.get("files")
    if not isinstance(files, list):
        raise ArtifactError("it has no list of files")
    records = [_record(entry, "name") for entry in files]
    return tuple(FileRecord(plain_name(name), size, digest) for name, size, digest in records)


def _record(entry: object, name_key: str) -> tuple[str, int, str]:
    fields = _object(entry)
    name, size, sha256 = (fields.get(key) for key in (name_key, "bytes", "sha256"))
    if not (isinstance(name, str) and isinstance(size, int) and isinstance(sha256, str)):
        raise ArtifactError(f"an entry of files needs {name_key}, bytes and sha256")
    return name, size, sha256
