"""The job: finished files into a bucket, in an order in which nobody meets half a set."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath, PureWindowsPath
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from marketpulse.errors import AwsFailed, BadData, NotFound, WrongUsage
from marketpulse.model import Stored
from marketpulse.sealed import sealed_folder

if TYPE_CHECKING:
    from marketpulse.aws import Bucket

RUN = "run_summary.json"  # as colors.run calls it, which brings the engine with it
BUNDLE = "manifest.json"
LATEST = "latest.json"
_CONTENT_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".txt": "text/plain; charset=utf-8",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
# Controls, and what stands for a byte of a name that is not UTF-8.
_UNSPEAKABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Pushed:
    """An object, the file that it is made of, and what became of it.

    `latest.json` is made of no file. `action` is `sent`, `skipped` (it was there already) or
    `would send`.
    """

    key: str
    file: str | None
    bytes: int
    sha256: str
    action: str


@dataclass(frozen=True)
class Receipt:
    """What a push did: the objects in the order in which they are sent.

    `latest` is the key of the pointer, `run_id` the run that it points to; `complete` is false
    where a bundle says so of itself.
    """

    bucket: str
    prefix: str
    dry_run: bool
    objects: tuple[Pushed, ...]
    latest: str | None
    run_id: str | None
    complete: bool

    def as_json(self) -> dict[str, Any]:
        """The receipt as `--receipt` and `--format json` show it."""
        return {**asdict(self), "objects": [asdict(it) for it in self.objects]}

    def write(self, path: Path) -> None:
        """Write the receipt. Raises `OutputRefused` where that cannot be."""
        with sealed_folder(path.parent, path.name, lambda _: False) as file:
            file.publish(json.dumps(self.as_json(), indent=2, ensure_ascii=False) + "\n")


@dataclass(frozen=True)
class _Place:
    """A bucket, and where in it."""

    bucket: str
    prefix: str

    def key(self, *names: str) -> str:
        """The key of what is called so in this place."""
        return "/".join((self.prefix, *names) if self.prefix else names)


@dataclass(frozen=True)
class _Item:
    """An object to be: its key, the file or the text that it is made of, and what that holds."""

    key: str
    made_of: Path | bytes
    stored: Stored

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The content. Raises `BadData` where it is not what it was when it was checked."""
        if isinstance(self.made_of, bytes):
            yield io.BytesIO(self.made_of)
            return
        with _opened(self.made_of) as file:
            if _content(file) != self.stored:
                raise _bad(self.made_of, "it has changed since it was checked")
            file.seek(0)
            yield file

    def pushed(self, action: str) -> Pushed:
        """The object as the receipt has it."""
        file = str(self.made_of) if isinstance(self.made_of, Path) else None
        return Pushed(self.key, file, self.stored.bytes, self.stored.sha256 or "", action)


@dataclass(frozen=True)
class _Source:
    """What a PATH stands for: files, and the seal that makes a set of them."""

    files: tuple[_Item, ...]
    seal: _Item | None = None
    run_id: str | None = None
    complete: bool = True


@dataclass(frozen=True)
class _Plan:
    """All that is to be sent: the files in any order, then the seals, then the pointer."""

    files: tuple[_Item, ...]
    seals: tuple[_Item, ...]
    latest: tuple[_Item, ...]  # one or none
    run_id: str | None
    complete: bool

    @property
    def items(self) -> tuple[_Item, ...]:
        """All in their order."""
        return (*self.files, *self.seals, *self.latest)


def push(
    paths: Sequence[str | Path],
    uri: str,
    *,
    region: str,
    endpoint_url: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    jobs: int = 4,
) -> Receipt:
    """Send runs, bundles, folders and files into a bucket; what is there already is not sent.

    A reader that follows `latest.json` finds a whole set at any moment, or none. Without `force`
    no other object is overwritten. With `dry_run` all is checked here, and nobody is asked there.

    Raises `WrongUsage`, `NotFound`, `BadData` or `SettingsMissing` before anything is sent.
    Raises `AwsFailed` whenever it happens, and `BadData` also where a file changes meanwhile; the
    same push then sends what is missing.
    """
    place = _place(uri)
    _check_endpoint(endpoint_url)
    plan = _planned([_source(Path(path), place) for path in paths], place)
    actions = ["would send"] * len(plan.items)
    if not dry_run:
        from marketpulse.aws import Bucket  # noqa: PLC0415 - a dry run needs nothing of AWS

        bucket = Bucket(place.bucket, region=region, endpoint_url=endpoint_url, connections=jobs)
        actions = _Push(plan, place, bucket, force=force, jobs=jobs).run()
    return Receipt(
        bucket=place.bucket,
        prefix=place.prefix,
        dry_run=dry_run,
        objects=tuple(it.pushed(does) for it, does in zip(plan.items, actions, strict=True)),
        latest=plan.latest[0].key if plan.latest else None,
        run_id=plan.run_id,
        complete=plan.complete,
    )


class _Push:
    """A push under way."""

    def __init__(
        self, plan: _Plan, place: _Place, bucket: Bucket, *, force: bool, jobs: int
    ) -> None:
        self._plan = plan
        self._place = place
        self._bucket = bucket
        self._force = force
        self._jobs = jobs
        self._there: dict[str, Stored | None] = {}

    def run(self) -> list[str]:
        """Send what is not there; tells of each item what became of it."""
        plan = self._plan
        keys = [it.key for it in plan.items]
        with ThreadPoolExecutor(self._jobs) as pool:
            self._there.update(zip(keys, pool.map(self._bucket.head, keys), strict=True))
            self._make_way()
            actions = list(pool.map(self._send, plan.files))
        return [*actions, *map(self._send, (*plan.seals, *plan.latest))]

    def _make_way(self) -> None:
        """Refuse to overwrite, or see to it that nobody follows the pointer meanwhile."""
        items = (*self._plan.files, *self._plan.seals)
        others = [it.key for it in items if self._there[it.key] not in {None, it.stored}]
        if not others:
            return
        if not self._force:
            raise self._taken(*others)
        latest = self._place.key(LATEST)
        pointer = self._bucket.read(latest)
        if pointer is not None and _points_to(pointer, others):
            self._bucket.delete(latest)
            self._there[latest] = None

    def _send(self, item: _Item) -> str:
        """Send one object, unless it is there, and look what has arrived."""
        if self._there[item.key] == item.stored:
            return "skipped"
        overwrite = self._force or item in self._plan.latest
        with item.open() as body:
            kind = _CONTENT_TYPES.get(PurePath(item.key).suffix.lower(), "application/octet-stream")
            sent = self._bucket.put(item.key, body, item.stored, kind, overwrite=overwrite)
        if self._bucket.head(item.key) == item.stored:
            return "sent" if sent else "skipped"  # another push of the same was faster
        if not sent:
            raise self._taken(item.key)
        raise AwsFailed(
            f"s3://{self._place.bucket}/{item.key}: what is there is not what was sent",
            hint="does somebody else write there? Push again",
        )

    def _taken(self, key: str, *more: str) -> AwsFailed:
        """What to raise where somebody else's content must not be overwritten."""
        others = f", and at {len(more)} more keys" if more else ""
        return AwsFailed(
            f"s3://{self._place.bucket}/{key}: something else is there already{others}",
            hint="push to another prefix, or overwrite it with --force",
            check="MP-AWS-004",
        )


def _points_to(pointer: bytes, keys: Sequence[str]) -> bool:
    """Whether `latest.json` leads to one of the keys; so does one that nobody can read."""
    try:
        listed = {it["key"] for it in json.loads(pointer)["files"]}
    except (ValueError, LookupError, TypeError):
        return True
    return not listed.isdisjoint(keys)


def _place(uri: str) -> _Place:
    """Where an S3URI leads."""
    found = re.fullmatch(r"s3://([A-Za-z0-9][A-Za-z0-9._-]{1,254})(?:/(.*?))?/?", uri)
    parts = (found[2] or "").split("/") if found else [""]
    odd = any(part in {"", ".", ".."} or _UNSPEAKABLE.search(part) for part in parts)
    if found is None or (odd and parts != [""]):
        raise WrongUsage(
            f"{uri}: this is no address of a place in S3; it comes last",
            hint="for instance s3://bucket/prefix/",
        )
    return _Place(found[1], found[2] or "")


def _check_endpoint(url: str | None) -> None:
    """Refuse what is no address, and one with a password: it is not repeated."""
    if url is None:
        return
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none
        fits = False
    if not fits or "@" in url:
        raise WrongUsage(
            "--endpoint-url: this is no address of a store",
            hint="for instance https://s3.example.com:9000, without user and password",
        )


def _planned(sources: Sequence[_Source], place: _Place) -> _Plan:
    """All sources as one push. Raises `WrongUsage` where two make one object."""
    files = tuple(it for source in sources for it in source.files)
    seals = tuple(source.seal for source in sources if source.seal)
    last = next((source for source in reversed(sources) if source.seal), _Source(()))
    latest = _pointer(last, place.key(LATEST)) if last.seal else ()
    counted = Counter([place.key(LATEST), *(it.key for it in (*files, *seals))])
    key, times = counted.most_common(1)[0]
    if times > 1:
        raise WrongUsage(
            f"two things would be the one object s3://{place.bucket}/{key}",
            hint=f"push them to two prefixes; {LATEST} is the name of the pointer to a set",
        )
    return _Plan(files, seals, latest, last.run_id, all(it.complete for it in sources))


def _pointer(source: _Source, key: str) -> tuple[_Item, ...]:
    """What leads to a set; its SHA-256s tell a reader whether it has met one set or two."""
    items = (*source.files, *([source.seal] if source.seal else []))
    said = {
        "run_id": source.run_id,
        "seal": items[-1].key,
        "files": [{"key": it.key, **asdict(it.stored)} for it in items],
    }
    text = (json.dumps(said, indent=2, ensure_ascii=False) + "\n").encode()
    return (_Item(key, text, _content(io.BytesIO(text))),)


def _source(path: Path, place: _Place) -> _Source:
    """What a PATH stands for, checked."""
    if not path.exists() and not path.is_symlink():
        raise NotFound(f"{path}: no such file or folder")
    if not _real(path).is_dir():
        return _Source((_item(path, place.key(path.name)),))
    names = set(os.listdir(path))  # noqa: PTH208 - names, not paths
    if RUN in names:
        return _sealed(path, RUN, place)
    if BUNDLE in names:
        return _sealed(path, BUNDLE, place)
    inside = (path / name for name in sorted(names) if not name.startswith("."))
    files = [it for it in inside if it.is_symlink() or not it.is_dir()]
    if not files:
        raise NotFound(f"{path}: the folder holds no file", check="MP-SRC-002")
    return _Source(tuple(_item(it, place.key(it.name)) for it in files))


def _sealed(folder: Path, name: str, place: _Place) -> _Source:
    """A run or a bundle; every file that its seal lists is there, as it is listed."""
    seal = _real(folder / name)
    with _opened(seal) as file:
        text = file.read()
    try:
        said = json.loads(text)
        listed = {_plain(it["name"]): Stored(it["bytes"], it["sha256"]) for it in said["files"]}
        run_id = said.get("run_id")
        names = (_date(said["processed_at"]), f"run={_plain(run_id)}") if name == RUN else ()
        complete = said.get("complete") is not False
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise _bad(seal, f"it is no list of files ({type(error).__name__}: {error})") from error
    items = []
    for file_name, stored in listed.items():
        if not os.path.lexists(folder / file_name):
            raise _bad(folder / file_name, f"it is not there, and {name} lists it")
        items.append(_item(folder / file_name, place.key(*names, file_name)))
        if items[-1].stored != stored:
            raise _bad(folder / file_name, f"it is not what {name} says")
    sealed = _Item(place.key(*names, name), seal, _content(io.BytesIO(text)))
    return _Source(tuple(items), sealed, run_id, complete)


def _plain(name: str) -> str:
    """A name that stays in its folder, on every platform. Raises `ValueError` for others."""
    if name in {"", ".", ".."} or PureWindowsPath(name).name != name or _UNSPEAKABLE.search(name):
        raise ValueError(f"{name!r} is not a plain name")
    return name


def _date(moment: str) -> str:
    at = datetime.fromisoformat(moment)
    return f"date={at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC).date()}"


def _item(path: Path, key: str) -> _Item:
    """A file, by what it holds."""
    if _UNSPEAKABLE.search(key):
        raise WrongUsage(f"{str(path)!r}: this name cannot be a key", hint="rename it")
    with _opened(_real(path)) as file:
        return _Item(key, path, _content(file))


def _real(path: Path) -> Path:
    """The same path, unless it is a link or a device: who knows what that leads to."""
    if path.is_symlink() or not (path.is_file() or path.is_dir()):
        raise WrongUsage(
            f"{path}: this is a symbolic link, or neither a file nor a folder",
            hint="push what it leads to, by its own name",
        )
    return path


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise NotFound(
            f"{path}: cannot be opened: {error.strerror}",
            hint="check who may read it",
            check="MP-SRC-004",
        ) from error
    with file:
        yield file


def _content(file: io.BufferedReader | io.BytesIO) -> Stored:
    """What a file holds, from its begin to its end."""
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Stored(file.seek(0, os.SEEK_END), digest)


def _bad(path: Path, why: str) -> BadData:
    return BadData(
        f"{path}: {why}",
        hint="make the run or the bundle anew, then push it",
        check="MP-DAT-019",
    )
