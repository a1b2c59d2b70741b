"""Bundles and runs in S3: the files below a prefix, copied here as far as they are needed."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Self, TypeVar

from marketpulse.artifacts import (
    MANIFEST,
    POINTER,
    parse_bundle_files,
    parse_pointer,
    parse_run_summary,
    plain_name,
)
from marketpulse.atomic import FileRecord, TemporaryFolder
from marketpulse.errors import DataError, NotFoundError, OutputError, shown_as
from marketpulse.sources.base import FileOptions
from marketpulse.sources.containers import S3, Gate, open_bucket, parse_address, within_deadline

T = TypeVar("T")
_log = logging.getLogger(__name__)
_JOBS = 16  # downloads at the same time
_SMALL_SIZE = 1 << 20  # bytes; files up to this size come together
_MAX_SEAL_SIZE = 1 << 26  # bytes
_MAX_TITLE = 200  # bytes; it names folders and files, which may have 255


class RemoteFolder:
    """The files of a bundle or a run below a prefix, with private copies of those that were read.

    name    the address
    title   the last part of the prefix, or the bucket if that is no name for files
    seal    which of `seals`, the files that list the others, is there; None if there is none
    latest  if there is none, the address that `latest.json` leads to, or an empty string
    sizes   the sizes of the files that the seal lists, and of itself

    It is a `Container` of a bundle. Other objects below the prefix are not looked at: they may be
    somebody else's. Raises `UsageError` for an invalid address, and `AwsError` if S3 fails or does
    not answer until `options.ends`.
    """

    def __init__(self, address: str, options: FileOptions, seals: Sequence[str]) -> None:
        bucket, key = parse_address(address)
        self._bucket_name = bucket
        self._prefix = key if not key or key.endswith("/") else f"{key}/"
        self.name = f"{S3}{bucket}/{self._prefix}"
        self.title = title_of(address)
        self.latest = ""
        self.sizes: dict[str, int] = {}
        self._records: dict[str, FileRecord] = {}
        self._digests: dict[str, str] = {}  # SHA-256 of the copies
        self._options = options
        with ExitStack() as stack:
            # On Windows, a file that a request is still writing after the deadline stays.
            folder = TemporaryFolder(ignore_cleanup_errors=True)
            self._folder = Path(stack.enter_context(folder)) / self.title
            self._folder.mkdir()
            self._bucket = stack.enter_context(open_bucket(bucket, options, _JOBS))
            self.seal = self._within_deadline(lambda gate: self._read_seal(seals, gate))
            self._resources = stack.pop_all()

    def open(self, name: str) -> IO[bytes]:
        """Open the copy of a file."""
        return self.local_path(name).open("rb")

    def local_path(self, name: str, workspace: Path | None = None) -> Path:  # noqa: ARG002 - the protocol's; copies have a folder of their own
        """Return the copy of a file. Small ones are fetched together."""
        path = self._folder / name
        if not path.exists():
            small = [
                other
                for other, record in self._records.items()
                if record.bytes <= _SMALL_SIZE and record.bytes == self.sizes.get(other)
            ]
            self._within_deadline(lambda gate: self._fetch({name, *small}, gate))
        if not path.exists():
            # As of a local file that vanishes: whoever compares it with the seal names it.
            raise FileNotFoundError("it is gone")
        return path

    def copy(self, names: Collection[str]) -> Path:
        """Fetch these files of a run, return their folder. Raises `DataError` if one is damaged."""
        self._within_deadline(lambda gate: self._fetch(names, gate))
        for name in names:
            record = self._records.get(name)
            if record is not None and record.sha256 != self._digests.get(name):
                raise DataError(
                    f"{self.name}{name}: it is missing, or not as the run wrote it",
                    hint="push the run again",
                    check="MP-DAT-019",
                )
        return self._folder

    @contextmanager
    def own_names(self) -> Iterator[None]:
        """Let errors name the address instead of the copy."""
        with shown_as(self._folder, self.name), shown_as(f"{self._folder}{os.sep}", self.name):
            yield

    def close(self) -> None:
        """Close the connections and remove the copies."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _within_deadline(self, job: Callable[[Gate], T]) -> T:
        return within_deadline(job, self.name, self._options)

    def _read_seal(self, seals: Sequence[str], gate: Gate) -> str | None:
        """Fetch the first seal that is there, and find the files that it lists."""
        found = self._bucket.find([self._prefix + seal for seal in seals])
        seal = next((seal for seal in seals if self._prefix + seal in found), None)
        if seal is None:
            self.latest = self._read_pointer(seals)
            return None
        self.sizes[seal] = found[self._prefix + seal].size
        if self.sizes[seal] > _MAX_SEAL_SIZE:
            raise DataError(
                f"{self.name}{seal}: {self.sizes[seal]:,} bytes are too many for such a file",
                hint="check the address",
                check="MP-BND-002",
            )
        self._fetch([seal], gate)
        text = (self._folder / seal).read_bytes()
        try:
            files = (parse_bundle_files if seal == MANIFEST else parse_run_summary)(text).files
        except ValueError:
            files = ()  # whoever reads the seal says what is wrong with it
        self._records = {record.name: record for record in files}
        keys = {self._prefix + name: name for name in self._records}
        with ThreadPoolExecutor(_JOBS) as pool:
            listed = self._bucket.find(keys, pool.map)
        self.sizes |= {keys[key]: item.size for key, item in listed.items()}
        return seal

    def _read_pointer(self, seals: Sequence[str]) -> str:
        """The address of the set that `latest.json` leads to, or "" if it has none of the seals."""
        key = self._prefix + POINTER
        found = self._bucket.find([key])
        if key not in found or found[key].size > _MAX_SEAL_SIZE:
            return ""
        try:
            folder, _, seal = parse_pointer(self._bucket.read(key) or b"").seal.rpartition("/")
        except ValueError:
            return ""
        return f"{S3}{self._bucket_name}/{folder}/" if seal in seals else ""

    def _fetch(self, names: Collection[str], gate: Gate) -> None:
        """Fetch those of the files that are there, and not here yet."""
        missing = [
            name for name in names if name in self.sizes and not (self._folder / name).exists()
        ]
        if not missing:
            return
        needed = sum(self.sizes[name] for name in missing)
        free = shutil.disk_usage(self._folder).free
        if needed > free:
            raise _full(f"{self.name}: {needed:,} bytes to copy, {free:,} are free")
        _log.info("copying %s of %s: %s bytes", ", ".join(sorted(missing)), self.name, needed)
        with ThreadPoolExecutor(_JOBS) as pool:
            list(pool.map(lambda name: self._fetch_one(name, gate), missing))

    def _fetch_one(self, name: str, gate: Gate) -> None:
        part = self._folder / f"{name}.part"
        try:
            with gate:
                file = part.open("wb")
            with file:
                remote = self._bucket.download(self._prefix + name, into=file)
        except OSError as error:
            raise _full(f"{self.name}{name}: cannot be copied: {error.strerror}") from error
        if remote is not None:
            self._digests[name] = remote.checksums.sha256
            with gate:
                part.replace(self._folder / name)


def open_remote_bundle(address: str, options: FileOptions) -> RemoteFolder:
    """Return the bundle below a prefix. Raises what `RemoteFolder` does, and `NotFoundError`."""
    folder = RemoteFolder(address, options, [MANIFEST])
    if folder.seal is None:
        folder.close()
        raise missing_set(folder, MANIFEST)
    return folder


def missing_set(folder: RemoteFolder, *seals: str) -> NotFoundError:
    """Return the error that nothing below a prefix lists other files."""
    return NotFoundError(
        f"{folder.name}: there is no {' or '.join(seals)}",
        hint="a zip in S3 is not read: download it, and name the copy"
        if folder.name.lower().endswith(".zip/")
        else f"{POINTER} leads to the newest one: {folder.latest}"
        if folder.latest
        else "check the bucket and the prefix: `push-s3` and its receipt print where the files are",
        check="MP-BND-001",
    )


def title_of(address: str) -> str:
    """Return the `title` of the folder at an address. Raises `UsageError` for an invalid one."""
    bucket, prefix = parse_address(address)
    name = prefix.rstrip("/").rpartition("/")[2]
    try:
        return plain_name(name) if len(name.encode()) <= _MAX_TITLE else bucket
    except ValueError:
        return bucket


def _full(message: str) -> OutputError:
    return OutputError(message, hint="free some space for temporary files, or set TMPDIR")
