"""Inputs that are not plain files: compressed, in a zip, a stream, or objects in S3.

Each becomes a plain file in a temporary folder, with a suffix that says its format, so the readers
of formats need to know files alone and memory stays flat.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import pyarrow as pa

from marketpulse.artifacts import MANIFEST, shows_bundle
from marketpulse.errors import AwsError, DataError, NotFoundError, UsageError
from marketpulse.extras import require_extra
from marketpulse.formats import BY_SUFFIX
from marketpulse.sources.base import FileOptions, standard_input
from marketpulse.stopping import run_stoppable

if TYPE_CHECKING:
    from marketpulse.aws.bucket import Bucket

T = TypeVar("T")
STANDARD_INPUT = "-"
S3 = "s3://"
ZIP = ".zip"
# Spreadsheets that no library here reads with what their cells are.
OTHER_SPREADSHEETS = {".xls", ".xlsb", ".xlt", ".ods", ".fods", ".numbers"}
_CHUNK = 1 << 20  # bytes
_STREAMS = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
_S3_ADDRESS = re.compile(r"s3://([A-Za-z0-9][A-Za-z0-9._-]{1,254})(?:/(.*))?", re.DOTALL)


def _open_zstd(path: Path) -> BufferedIOBase:
    stream: BufferedIOBase = pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
    return stream


# By suffix: what opens a compressed file, and reads it decompressed.
_OPENERS: dict[str, Callable[[Path], BufferedIOBase]] = {
    ".gz": gzip.GzipFile,
    ".zst": _open_zstd,
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}


_MARKS = {
    b"PAR1": ".parquet",
    b"{": ".ndjson",
    b"[": ".json",
    b"\x1f\x8b": ".csv.gz",
    b"\x28\xb5\x2f\xfd": ".csv.zst",
}


def uncompressed_name(name: str) -> str:
    """Return a file's name without the suffix of its compression, if it has one."""
    suffix = _suffix(name)
    return name[: -len(suffix)] if suffix in _OPENERS else name


def format_suffix(name: str) -> str:
    """Return the suffix that says a file's format, in lower case: `.csv` of day.csv.gz."""
    return _suffix(uncompressed_name(name))


def is_known(name: str) -> bool:
    """Return whether the name of this file says that it holds rows."""
    return format_suffix(name) in BY_SUFFIX


def may_hold_rows(name: str) -> bool:
    """Return whether a file of this name in a folder is input, or has to be refused."""
    return is_known(name) or _suffix(name) in {ZIP, *OTHER_SPREADSHEETS}


def require_known(name: str, label: str) -> None:
    """Raise `NotFoundError` for a file that no format's suffix ends, and that is no zip."""
    if _suffix(name) in OTHER_SPREADSHEETS:
        raise NotFoundError(
            f"{label}: spreadsheets in the format {_suffix(name)} cannot be read",
            hint="open it in a spreadsheet program and save it as .xlsx, or as CSV in UTF-8",
            check="MP-SRC-003",
        )
    if not is_known(name) and _suffix(name) != ZIP:
        raise NotFoundError(
            f"{label}: the name does not end in one of {', '.join(BY_SUFFIX)}",
            hint="for a bundle or all objects below a prefix, end the address with a slash"
            if label.startswith(S3)
            else "rename the file so that its name ends in its format; a compressed one then "
            "in .gz or .zst",
            check="MP-SRC-003",
        )


def refuse_twins(names: Iterable[str]) -> None:
    """Refuse day.csv beside day.csv.gz or day.zip: rows would count twice."""
    seen: dict[str, str] = {}
    # Zips come last: what they may hold is known then.
    for name in sorted(names, key=lambda name: _suffix(name) == ZIP):
        plain, is_zip = uncompressed_name(name), _suffix(name) == ZIP
        stem = plain[: -len(Path(plain).suffix)]
        twin = seen.setdefault(stem if is_zip else plain, name)
        if not is_zip:
            seen[stem] = name  # its zip is called day.zip or day.csv.zip
        if twin != name:
            raise UsageError(
                f"{twin} and {name} look like the same rows twice",
                hint="give only the one that you need, or move the other away",
            )


def is_stream(name: str) -> bool:
    """Return whether this is standard input, a pipe, or another file that can be read once."""
    if name == STANDARD_INPUT or name.startswith(_STREAMS):
        return True
    path = Path(name)
    return path.is_fifo() or path.is_char_device()


def read_stream(name: str, folder: Path) -> Path:
    """Store a stream in the folder. Without a suffix its first bytes say what it is."""
    path = folder / f"stdin{format_suffix(name) if is_known(name) else ''}"
    with path.open("wb") as file:
        if name in {STANDARD_INPUT, "/dev/stdin"}:
            shutil.copyfileobj(standard_input(), file, _CHUNK)
        else:
            with Path(name).open("rb") as stream:
                shutil.copyfileobj(stream, file, _CHUNK)
    return path if path.suffix else path.rename(path.with_name(f"stdin{_guess_suffix(path)}"))


def _guess_suffix(path: Path) -> str:
    """Return the suffix of the format that a file begins like; CSV begins with anything else."""
    with path.open("rb") as file:
        start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"PK\x03\x04"):
        with _damage_is_bad_data("standard input"), zipfile.ZipFile(path) as archive:
            return ".xlsx" if "[Content_Types].xml" in archive.namelist() else ZIP
    return next((suffix for mark, suffix in _MARKS.items() if start.startswith(mark)), ".csv")


def unpack(path: Path, label: str, folder: Path) -> Path:
    """Return the plain file in a compressed file or a zip, stored in the folder.

    A file that is plain already stays where it is. Raises `DataError` if it is damaged, or a zip
    does not hold exactly one file with rows.
    """
    suffix = path.suffix.lower()
    if suffix not in {ZIP, *_OPENERS}:
        return path
    folder.mkdir(exist_ok=True)
    if suffix == ZIP:
        return _unzip(path, label, folder)
    unpacked = folder / uncompressed_name(path.name)
    with _damage_is_bad_data(label), _OPENERS[suffix](path) as source, unpacked.open("wb") as file:
        shutil.copyfileobj(source, file, _CHUNK)
    return unpacked


def is_packed_file(path: Path) -> bool:
    """Return whether a zip holds a file with rows, and is not a bundle."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [Path(name).name for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return False
    return not any(map(shows_bundle, names)) and any(map(is_known, names))


def _unzip(path: Path, label: str, folder: Path) -> Path:
    with _damage_is_bad_data(label), zipfile.ZipFile(path) as archive:
        members = [
            member
            for member in archive.infolist()
            # Apple's programs add a hidden twin of each file.
            if not Path(member.filename).name.startswith(".") and is_known(member.filename)
        ]
        names = [Path(name).name for name in archive.namelist()]
        if MANIFEST in names:
            raise DataError(
                f"{label}: this is the zip of a bundle, which cannot be read from S3 or beside "
                "other files",
                hint="download it and give it as the only input; in S3, unpack it below a prefix",
                check="MP-DAT-023",
            )
        if len(members) != 1:
            listing = ", ".join(member.filename for member in members[:5]) or "none"
            raise DataError(
                f"{label}: a zip as input holds one file with rows, this one holds "
                f"{len(members)}: {listing}",
                hint="unpack it, and name the files that you need",
                check="MP-DAT-023",
            )
        if members[0].flag_bits & 1:
            raise DataError(
                f"{label}: the zip has a password",
                hint="unpack it, and use the plain file",
                check="MP-DAT-006",
            )
        packed = folder / Path(members[0].filename).name
        with archive.open(members[0]) as source, packed.open("wb") as file:
            shutil.copyfileobj(source, file, _CHUNK)
    return unpack(packed, label, folder)


@contextmanager
def _damage_is_bad_data(label: str) -> Iterator[None]:
    try:
        yield
    except (
        EOFError,
        NotImplementedError,  # a zip with a method that Python lacks
        OSError,
        lzma.LZMAError,
        pa.ArrowException,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        # With an errno the system failed, unless a zip says that a file begins before the zip does.
        if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
            raise
        raise DataError(
            f"{label}: the compressed file is damaged or cut short: {error}",
            hint="fetch it again, or unpack it and use the plain file",
            check="MP-DAT-006",
        ) from error


def download(name: str, folder: Path, options: FileOptions) -> list[tuple[str, Path]]:
    """Return the address and the local copy of each object that an S3 address names.

    An address that ends with a slash names the objects below it: those right there, and those in
    folders such as `DATE=2026-03-13/`. Raises `NotFoundError`, `AwsError` or `SettingsError`.
    """
    parse_address(name)
    return within_deadline(
        lambda gate: list(_download_all(name, folder, options, gate)), name, options
    )


class Gate:
    """Lets a job create files until nobody waits for it any more."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._closed = False

    def close(self) -> None:
        """Let nothing pass any more. What is passing has passed when this returns."""
        with self._lock:
            self._closed = True

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._closed:
            self._lock.release()
            raise AwsError("nothing reads this file any more")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def within_deadline(job: Callable[[Gate], T], name: str, options: FileOptions) -> T:
    """Return what a job returns that reads from S3. Raises `AwsError` when `options.ends` comes.

    Then, and at Ctrl-C, the job is left behind. Its gate is closed at the end: whoever removes the
    copies finds no new ones.
    """

    def timeout_error() -> AwsError:
        return AwsError(
            f"{name}: the deadline passed before S3 answered",
            hint="raise --deadline or MARKETPULSE_DEADLINE",
            check="MP-AWS-003",
        )

    gate = Gate()
    try:
        return run_stoppable(lambda _: job(gate), options.seconds, timeout_error)
    finally:
        gate.close()


def open_bucket(name: str, options: FileOptions, connections: int = 4) -> Bucket:
    """Open a bucket to read from. Raises `MissingExtraError` if the extra `aws` is missing."""
    require_extra("aws", f"{S3}{name}")
    from marketpulse.aws.bucket import Bucket  # noqa: PLC0415 - boto3 takes 0.2 s

    return Bucket(
        name, region=options.region, endpoint_url=options.endpoint_url, connections=connections
    )


def _download_all(
    name: str, folder: Path, options: FileOptions, gate: Gate
) -> Iterator[tuple[str, Path]]:
    bucket_name, key = parse_address(name)
    with open_bucket(bucket_name, options) as bucket:
        is_prefix = not key or key.endswith("/")
        for number, object_key in enumerate(_keys_below(bucket, name, key) if is_prefix else [key]):
            address = f"{S3}{bucket_name}/{object_key}"
            require_known(object_key, address)
            # Keys of two folders may end alike.
            copy = folder / str(number) / Path(object_key).name
            with gate:
                copy.parent.mkdir()
                file = copy.open("wb")
            with file:
                _download(bucket, object_key, address, file)
            yield address, copy


def parse_address(name: str) -> tuple[str, str]:
    """Return the bucket and the key or prefix of an address. Raises `UsageError` for others."""
    match = _S3_ADDRESS.fullmatch(name)
    if match is None:
        # Somebody may have written a password into the address.
        shown = "" if "@" in name else f"{name}: "
        raise UsageError(
            f"{shown}not an S3 address", hint="for example s3://bucket/prefix/ or s3://bucket/key"
        )
    return match[1], match[2] or ""


def _keys_below(bucket: Bucket, name: str, prefix: str) -> list[str]:
    keys = []
    for key in bucket.list_keys(prefix):
        if key == prefix + MANIFEST:
            raise DataError(
                f"{name}: this is a bundle, which cannot be read beside other files",
                hint="give it as the only input",
                check="MP-DAT-023",
            )
        *folders, file = key.removeprefix(prefix).split("/")
        if all("=" in folder for folder in folders) and may_hold_rows(file) and file[:1] != ".":
            keys.append(key)
    if not keys:
        raise NotFoundError(
            f"{name}: no object there ends in {', '.join(BY_SUFFIX)}",
            hint="check the bucket and the prefix; a single object has no slash at its end",
            check="MP-SRC-002",
        )
    refuse_twins(keys)
    return keys


def _download(bucket: Bucket, key: str, address: str, file: BinaryIO) -> None:
    remote = bucket.download(key, into=file)
    if remote is None:
        raise NotFoundError(
            f"{address}: there is no such object",
            hint="check the key, capitals too; for all objects below a prefix, end it with a slash",
            check="MP-SRC-001",
        )
    if remote.metadata_sha256 and not remote.intact:
        raise AwsError(
            f"{address}: the content is not what was uploaded: its SHA-256 differs",
            hint="upload the file again",
            check="MP-AWS-008",
        )


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()
