"""Read what a PATH names: a run, a bundle, a folder of files, or one file."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from marketpulse.artifacts import (
    MANIFEST,
    RUN_SUMMARY,
    BundleFiles,
    RunSummary,
    is_printable,
    parse_bundle_files,
    parse_run_summary,
)
from marketpulse.aws.checksums import Checksums, compute_checksums
from marketpulse.errors import NotFoundError, UsageError
from marketpulse.formats.timestamps import to_utc
from marketpulse.model import format_count
from marketpulse.publish.plan import PlannedObject, PlannedSet, open_file, set_error
from marketpulse.publish.uri import S3Location, is_key_part

_RUN_TEMPLATE = "date={date}/run={run_id}"
_FIELD = re.compile(r"{([^{}]*)}")
_MAX_KEY_LENGTH = 1024  # bytes; S3's limit


def read_set(
    path: Path, location: S3Location, template: str | None, *, recursive: bool = False
) -> PlannedSet:
    """Read a PATH and compute the checksums of its files. `recursive` takes folders inside it.

    Raises `NotFoundError`, `UsageError` for links and names that S3 does not take, and `DataError`
    if a run or bundle is damaged.
    """
    if not path.exists() and not path.is_symlink():
        raise NotFoundError(
            f"{path}: no such file or folder",
            hint="check the name; PATHs come first, and the address in S3 last",
        )
    _refuse_links(path)
    names = set(os.listdir(path)) if path.is_dir() else set()  # noqa: PTH208 - only names needed
    for seal, default_template in ((RUN_SUMMARY, _RUN_TEMPLATE), (MANIFEST, "")):
        if seal in names:
            return _read_sealed_set(
                path, seal, location, default_template if template is None else template
            )
    if template is not None:
        raise UsageError(
            f"{path}: --prefix-template is for runs and bundles",
            hint="write the prefix into the address: s3://bucket/prefix/",
        )
    if not path.is_dir():
        return PlannedSet((_plan_file(path, location.key(path.name), standalone=True),))
    files, folders = _list_folder(path)
    left_out = () if recursive else tuple(folders)
    if recursive:
        files = [*_walk(path)]
    if not files:
        inside = format_count(len(folders), "folder")
        hint = f"--recursive sends {inside} inside" if left_out else ""
        raise NotFoundError(f"{path}: the folder has no files", hint=hint, check="MP-SRC-002")
    return PlannedSet(
        tuple(
            _plan_file(file, location.key(*file.relative_to(path).parts), standalone=True)
            for file in files
        ),
        left_out=left_out,
    )


def _list_folder(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files and the folders in a folder, by name, without hidden ones."""
    names = sorted(os.listdir(folder))  # noqa: PTH208 - only names needed
    # `~$day.xlsx` stands beside a file that is open in Excel.
    entries = [folder / name for name in names if not name.startswith((".", "~$"))]
    # Links count as files: `_plan_file` refuses them.
    folders = [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
    return [entry for entry in entries if entry not in folders], folders


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of the folders inside it."""
    files, folders = _list_folder(folder)
    yield from files
    for inner in folders:
        yield from _walk(inner)


def _read_sealed_set(folder: Path, name: str, location: S3Location, template: str) -> PlannedSet:
    """Read a run or a bundle, and compare every file with what the seal lists."""
    seal_path = folder / name
    _refuse_links(seal_path)
    with open_file(seal_path) as file:
        text = file.read()
    try:
        seal = parse_run_summary(text) if name == RUN_SUMMARY else parse_bundle_files(text)
        fields = _template_fields(seal)
    except ValueError as error:
        raise set_error(seal_path, f"not a valid list of files ({error})") from error
    parts = _fill_template(template, fields)
    files = []
    for record in seal.files:
        path = folder / record.name
        if not os.path.lexists(path):
            raise set_error(path, f"the file is missing; {name} lists it")
        item = _plan_file(path, location.key(*parts, record.name))
        if item.checksums != Checksums(size=record.bytes, sha256=record.sha256):
            raise set_error(path, f"the file differs from what {name} lists")
        files.append(item)
    planned_seal = PlannedObject(
        location.key(*parts, name), seal_path, compute_checksums(io.BytesIO(text))
    )
    return PlannedSet(
        tuple(files),
        planned_seal,
        fields.get("run_id"),
        complete=isinstance(seal, RunSummary) or seal.complete,
        empty=isinstance(seal, RunSummary) and seal.empty,
    )


def _template_fields(seal: RunSummary | BundleFiles) -> dict[str, str]:
    """What `--prefix-template` may name. Raises `ValueError` for an invalid timestamp."""
    if isinstance(seal, RunSummary):
        return {"date": _utc_date(seal.processed_at), "run_id": seal.run_id}
    return {"date": _utc_date(seal.taken_at)} if seal.taken_at else {}


def _utc_date(timestamp: str) -> str:
    return str(to_utc(datetime.fromisoformat(timestamp)).date())


def _fill_template(template: str, fields: Mapping[str, str]) -> tuple[str, ...]:
    """Fill in a template's fields and split it into folders. Raises `UsageError`."""
    unknown = [name for name in _FIELD.findall(template) if name not in fields]
    # Not str.format: a template could reach into objects with {date.__class__}.
    path = _FIELD.sub(lambda match: fields.get(match[1], ""), template)
    if unknown or not {"{", "}"}.isdisjoint(path):
        names = " and ".join(f"{{{name}}}" for name in fields)
        raise UsageError(
            f"--prefix-template: cannot fill in {{{(unknown or [template])[0]}}}",
            hint=f"this set has {names or 'no fields'}",
        )
    parts = tuple(path.strip("/").split("/"))
    if parts == ("",):
        return ()
    if not all(map(is_key_part, parts)):
        raise UsageError(
            f"--prefix-template: {template!r} is not a path", hint=f"for example {_RUN_TEMPLATE}"
        )
    return parts


def _plan_file(path: Path, key: str, *, standalone: bool = False) -> PlannedObject:
    if not is_printable(key):
        raise UsageError(f"{str(path)!r}: S3 does not accept this name", hint="rename the file")
    if len(key.encode()) > _MAX_KEY_LENGTH:
        raise UsageError(
            f"{path}: its key would have more than {_MAX_KEY_LENGTH} bytes",
            hint="push to a shorter prefix",
        )
    _refuse_links(path)
    with open_file(path) as file:
        return PlannedObject(key, path, compute_checksums(file), standalone)


def _refuse_links(path: Path) -> None:
    """Refuse a link or a device: it could publish any file of this machine."""
    if path.is_symlink() or not (path.is_file() or path.is_dir()):
        raise UsageError(
            f"{path}: a symbolic link, or neither a file nor a folder",
            hint="push the file itself",
        )
