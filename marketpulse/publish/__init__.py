"""The job: finished files into a bucket, in an order in which nobody meets half a set."""

from __future__ import annotations

import io
import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from pathlib import Path, PurePath
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from marketpulse.artifacts import (
    MANIFEST,
    POINTER,
    RUN_SUMMARY,
    Pointer,
    PublishedFile,
    format_json,
    is_printable,
    parse_bundle_files,
    parse_pointer,
    parse_run_summary,
)
from marketpulse.atomic import FileRecord, check_file, write_file
from marketpulse.checksums import Stored, stored
from marketpulse.errors import AwsError, DataError, NotFoundError, OutputError, UsageError
from marketpulse.model import Progress
from marketpulse.timestamps import to_utc

if TYPE_CHECKING:
    from marketpulse.aws.bucket import Bucket, Found, Objects

_OF_A_RUN = "date={date}/run={run_id}"
_UNDER_WAY = timedelta(minutes=20)  # a push of the function's takes 15 at most, then it is ended
_WAITS = 30  # seconds, for another push of the same run
_TAG = re.compile(r"[\w .:/=+\-@]*")
_LONGEST_KEY = 1024  # bytes, S3's limit
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_CONTENT_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".txt": "text/plain; charset=utf-8",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True)
class Pushed:
    """An object, the file that it is made of, and what became of it.

    `latest.json` is made of no file. `action` is `sent`, `skipped` (it was there already), `kept`
    (the same run was published before, with another PROCESSED_AT, and stays) or `would send`.
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
        return asdict(self)

    def write(self, path: Path) -> None:
        """Write the receipt. Raises `OutputError` where that cannot be."""
        write_file(path, format_json(self.as_json()))


@dataclass(frozen=True)
class Place:
    """A bucket, and where in it."""

    bucket: str
    prefix: str

    def key(self, *names: str) -> str:
        """The key of what is called so in this place."""
        return "/".join((self.prefix, *names) if self.prefix else names)


@dataclass(frozen=True)
class _Item:
    """An object to be: its key, the file or the text that it is made of, and what that holds.

    One that is made of nothing is there already, or should be. One that is `loose` belongs to no
    set.
    """

    key: str
    made_of: Path | bytes | None
    stored: Stored
    loose: bool = False

    def body(self) -> bytes | Path:
        """What is sent: the content, or the file of what goes in parts.

        Raises `DataError` where that is not what it was when it was checked; of a file
        `check` tells.
        """
        if not isinstance(self.made_of, Path) or self.stored.parts:
            return self.made_of or b""
        with _opened(self.made_of) as file:
            content = file.read()
        self._compare(self.made_of, stored(io.BytesIO(content)))
        return content

    def check(self) -> None:
        """Raise `DataError` where the file is not what it was when it was checked."""
        if isinstance(self.made_of, Path):
            with _opened(self.made_of) as file:
                self._compare(self.made_of, stored(file))

    def _compare(self, path: Path, now: Stored) -> None:
        if now != self.stored:
            raise _bad(path, "it has changed since it was checked")

    def pushed(self, action: str) -> Pushed:
        """The object as the receipt has it."""
        file = str(self.made_of) if isinstance(self.made_of, Path) else None
        return Pushed(self.key, file, self.stored.bytes, self.stored.sha256, action)


@dataclass(frozen=True)
class _Source:
    """What a PATH stands for: files, and the seal that makes a set of them."""

    files: tuple[_Item, ...]
    seal: _Item | None = None
    run_id: str | None = None
    complete: bool = True

    @property
    def items(self) -> tuple[_Item, ...]:
        """The files, and then their seal."""
        return (*self.files, *([self.seal] if self.seal else []))


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


class _UnderWay(AwsError):
    """Another push of the same run is before this one."""


class _State(Enum):
    """What is under a key, for who wants to send something there."""

    NOTHING = auto()
    SAME = auto()
    BROKEN = auto()  # ours by its metadata, and not what it should be: a push went wrong
    OTHER = auto()


def push(
    paths: Sequence[str | Path],
    uri: str,
    *,
    region: str,
    endpoint_url: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    jobs: int = 16,
    sse: str | None = None,
    kms_key_id: str | None = None,
    tags: Sequence[str] = (),
    prefix_template: str | None = None,
    patience: float | None = None,
    progress: Progress | None = None,
) -> Receipt:
    """Send runs, bundles, folders and files into a bucket; what is there already is not sent.

    A reader that follows `latest.json` finds a whole set at any moment, or none: all that it leads
    to was read back first. Without `force` no other object is overwritten. With `dry_run` all is
    checked here, and nobody is asked there. `tags` are `KEY=VALUE`, `patience` an answer's seconds,
    and those for which another push of the same run is waited for.

    Raises `UsageError`, `NotFoundError`, `DataError` or `SettingsError` before anything is sent.
    Raises `AwsError` whenever it happens, and `DataError` also where a file changes meanwhile; the
    same push then sends what is missing.
    """
    if "" in paths:
        raise UsageError("a PATH is empty", hint="is a variable not set?")
    place = place_of(uri)
    _check_endpoint(endpoint_url)
    _check_key(sse, kms_key_id)
    named_tags = _tags(tags)

    def opened() -> Bucket:
        from marketpulse.aws.bucket import Bucket, Kept  # noqa: PLC0415 - not for a dry run

        return Bucket(
            place.bucket,
            region=region,
            endpoint_url=endpoint_url,
            connections=jobs,
            patience=patience,
            kept=Kept(sse, kms_key_id, named_tags),
        )

    with ThreadPoolExecutor(1) as beside:  # while the files are read
        bucket = None if dry_run else beside.submit(opened)
        sources = [_source(Path(path), place, prefix_template) for path in paths]
        plan = _planned(sources, place)
    actions = ["would send"] * len(plan.items)
    if bucket is not None:
        with bucket.result() as there:
            under_way = _Push(sources, place, there, force=force, progress=progress)
            plan, actions = under_way.run(jobs, patience or _WAITS)
    return _receipt(place, plan, actions, dry_run=dry_run)


def _receipt(place: Place, plan: _Plan, actions: Sequence[str], *, dry_run: bool) -> Receipt:
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
        self,
        sources: Sequence[_Source],
        place: Place,
        bucket: Bucket,
        *,
        force: bool,
        progress: Progress | None,
    ) -> None:
        self._sources = sources
        self._place = place
        self._bucket = bucket
        self._force = force
        self._progress = progress
        self._counting = Lock()
        self._there: Objects = {}
        self._unsealed: set[str] = set()
        self._states: dict[str, _State] = {}

    def run(self, jobs: int, patience: float) -> tuple[_Plan, list[str]]:
        """Send what is not there; tells of each item what became of it.

        Where another push of the same run has begun, wait for its seal for so many seconds.
        """
        until = time.monotonic() + patience
        with ThreadPoolExecutor(jobs) as pool:
            while True:
                try:
                    plan = self._looked(pool)
                    return plan, self._sent(plan, pool)
                except _UnderWay:
                    if time.monotonic() > until:
                        raise
                time.sleep(min(1, patience / 5))

    def _looked(self, pool: Executor) -> _Plan:
        """What is to be sent, and what is there of it. Raises `AwsError` where that is another."""
        keys = {it.key for source in self._sources for it in source.items}
        self._there = self._bucket.there(keys | {self._place.key(POINTER)}, pool.map)
        self._find_unsealed()
        plan = _planned([*map(self._as_published, self._sources)], self._place)
        states = pool.map(self._state, plan.items)
        self._states = dict(zip((it.key for it in plan.items), states, strict=True))
        self._make_way(plan)
        return plan

    def _sent(self, plan: _Plan, pool: Executor) -> list[str]:
        """Send all in its order. A run's first file goes alone: who sends that sends the run."""
        firsts = {source.files[0].key for source in self._sources if source.run_id and source.files}
        with self._told(plan):
            begun = time.monotonic()
            first = {it.key: self._send(it) for it in plan.files if it.key in firsts}
            actions = list(pool.map(lambda it: first.get(it.key) or self._send(it), plan.files))
            slow = time.monotonic() - begun > _UNDER_WAY.total_seconds() / 2
            if slow or _State.BROKEN in self._states.values():
                list(pool.map(self._still_there, plan.files))
            return [*actions, *map(self._send, (*plan.seals, *plan.latest))]

    def _still_there(self, item: _Item) -> None:
        """Raise `AwsError` where another push has replaced the same, or taken this for dead."""
        held = self._bucket.content(item.key)
        if held is None or held.stored != item.stored:
            raise self._damaged(item, "is not there any more")

    def _as_published(self, source: _Source) -> _Source:
        """The same run as it was published before, where it was: its first PROCESSED_AT stays.

        RUN_ID says that rows, rules and hierarchy are the same; its formats stay, too.
        """
        seal = source.seal
        if self._force or seal is None or source.run_id is None:
            return source
        key = seal.key if seal.key in self._there else self._of_another_day(seal.key)
        text = io.BytesIO()
        held = self._bucket.content(key, into=text) if key else None
        if key is None or held is None or held.stored == seal.stored or not held.whole:
            return source  # one that is not what its metadata says was damaged on its way
        try:
            summary = parse_run_summary(text.getvalue())
        except ValueError:
            return source
        if summary.run_id != source.run_id:
            return source
        folder = key.rpartition("/")[0]
        files = tuple(
            _Item(f"{folder}/{file.name}", None, Stored(file.bytes, file.sha256))
            for file in summary.files
        )
        published = replace(source, files=files, seal=_Item(key, None, held.stored))
        self._there |= self._bucket.there({it.key for it in published.items} - self._there.keys())
        if all(it.key in self._there for it in published.items):
            return published
        self._unsealed |= _of_its_own(source) if key == seal.key else set()
        return source  # it has lost a file, and its seal says nothing any more

    def _of_another_day(self, seal: str) -> str | None:
        """The seal that `latest.json` leads to, where its key is this one but for a date."""
        latest = self._place.key(POINTER)
        pointer = self._bucket.read(latest) if latest in self._there else None
        try:
            key = parse_pointer(pointer or b"").seal
        except ValueError:
            return None
        return key if _DAY.sub("", key) == _DAY.sub("", seal) else None

    def _state(self, item: _Item) -> _State:
        """What is under an item's key now."""
        found = self._there.get(item.key)
        if found is None:
            return _State.NOTHING
        if self._force and found.bytes != item.stored.bytes:
            return _State.OTHER
        if found.bytes == item.stored.bytes and self._proven(item, found.etag):
            return _State.SAME
        held = self._bucket.content(item.key)
        if held is None:
            return _State.NOTHING
        if held.stored == item.stored:
            return _State.SAME
        if held.said == item.stored.sha256 or (held.whole and self._left(item, found)):
            return _State.BROKEN
        return _State.OTHER

    def _left(self, item: _Item, found: Found) -> bool:
        """Whether it is left of the same run, which has another PROCESSED_AT and is not whole.

        Its push broke off, or it has lost a file; for some minutes one may still be under way.
        """
        return item.key in self._unsealed and datetime.now(UTC) - found.modified > _UNDER_WAY

    def _find_unsealed(self) -> None:
        """Note which objects are a run's whose seal is not there."""
        self._unsealed = set()
        for source in self._sources:
            if source.seal and source.seal.key not in self._there:
                self._unsealed |= _of_its_own(source)

    def _make_way(self, plan: _Plan) -> None:
        """Refuse to overwrite, or see to it that nobody follows the pointer meanwhile."""
        items = (*plan.files, *plan.seals)
        others = [it.key for it in items if self._states[it.key] is _State.OTHER]
        if others and not self._force:
            raise self._taken(*others)
        changed = others + [it.key for it in items if self._states[it.key] is _State.BROKEN]
        latest = self._place.key(POINTER)
        if changed and latest in self._there:
            pointer = self._bucket.read(latest)
            if pointer is not None and _points_to(pointer, changed):
                self._bucket.delete(latest)
                self._states[latest] = _State.NOTHING

    def _send(self, item: _Item) -> str:
        """Send one object, unless it is there, and see that it has arrived."""
        state = self._states[item.key]
        if state is _State.SAME:
            return "kept" if item.made_of is None else "skipped"
        if item.made_of is None:
            raise self._damaged(item, "is not what its own list of files says")
        overwrite = self._force or state is _State.BROKEN or item.key == self._place.key(POINTER)
        etag = self._put(item, overwrite=overwrite)
        if etag is not None and self._proven(item, etag):
            return "sent"
        held = self._bucket.content(item.key)
        if held and held.stored == item.stored:
            return "skipped" if etag is None else "sent"  # another push of the same was faster
        if etag is None:
            raise self._taken(item.key)
        if item.key == self._place.key(POINTER):
            if held and held.whole:
                return "sent"  # and then another push has sent its own
            self._bucket.delete(item.key)  # rather none than one that leads nowhere
        item.check()
        raise self._damaged(item, "is not what was sent")

    def _put(self, item: _Item, *, overwrite: bool) -> str | None:
        """Send what an item is made of, as `Bucket.put` does."""
        kind = _CONTENT_TYPES.get(PurePath(item.key).suffix.lower(), "application/octet-stream")
        body = item.body()
        try:
            return self._bucket.put(
                item.key, body, item.stored, kind, overwrite=overwrite, progress=self._advance
            )
        except (AwsError, OSError):
            item.check()  # of a file that changes or goes meanwhile the driver says many things
            raise

    def _proven(self, item: _Item, etag: str) -> bool:
        """Whether the store's own digest says that it holds this; of a set all is read."""
        if item.stored.parts:
            return item.loose and self._bucket.checksum(item.key) == item.stored.checksum
        return item.loose and etag == item.stored.etag

    @contextmanager
    def _told(self, plan: _Plan) -> Iterator[None]:
        """Tell how far the sending is."""
        if self._progress is None:
            yield
            return
        left = [it.stored.bytes for it in plan.items if self._states[it.key] is not _State.SAME]
        self._progress.begin(f"s3://{self._place.bucket}", sum(left))
        try:
            yield
        finally:
            self._progress.end()

    def _advance(self, more: int) -> None:
        if self._progress is not None and more:
            with self._counting:
                self._progress.advance(more)

    def _damaged(self, item: _Item, how: str) -> AwsError:
        return AwsError(
            f"s3://{self._place.bucket}/{item.key}: what is there {how}",
            hint="is something between here and the store, or does somebody else write there? "
            "Push again, with --force where that does not mend it",
            check="MP-AWS-008",
        )

    def _taken(self, key: str, *more: str) -> AwsError:
        """What to raise where somebody else's content must not be overwritten."""
        if self._unsealed.issuperset({key, *more}):
            return _UnderWay(
                f"s3://{self._place.bucket}/{key}: another push of this run has not ended",
                hint="push again when it has; where it broke off that helps after "
                f"{_UNDER_WAY // timedelta(minutes=1)} minutes, and --force at once",
                check="MP-AWS-004",
            )
        others = f", and at {len(more)} more keys" if more else ""
        return AwsError(
            f"s3://{self._place.bucket}/{key}: something else is there already{others}",
            hint="push to another prefix, or overwrite it with --force",
            check="MP-AWS-004",
        )


def _of_its_own(source: _Source) -> set[str]:
    """The keys of a run that has a folder of its own; none of others."""
    folder = source.seal.key.rpartition("/")[0].rpartition("/")[2] if source.seal else ""
    its_own = source.run_id is not None and source.run_id in folder
    return {it.key for it in source.items} if its_own else set()


def check_receipt(path: Path) -> None:
    """Raise `OutputError` where a receipt cannot be written, or would replace what is none."""
    check_file(path)
    if not path.exists():
        return
    try:
        is_one = {it.name for it in fields(Receipt)} == json.loads(path.read_bytes()).keys()
    except (ValueError, AttributeError):
        is_one = False
    if not is_one:
        raise OutputError(
            f"{path}: it would be overwritten, and is no receipt", hint="name another file"
        )


def _points_to(pointer: bytes, keys: Sequence[str]) -> bool:
    """Whether `latest.json` leads to one of the keys; so does one that nobody can read."""
    try:
        return parse_pointer(pointer).lists_any(keys)
    except ValueError:
        return True


def place_of(uri: str) -> Place:
    """Where an S3URI leads. Raises `UsageError` where it is none."""
    found = re.fullmatch(r"s3://([A-Za-z0-9][A-Za-z0-9._-]{1,254})(?:/(.*?))?/?", uri)
    parts = (found[2] or "").split("/") if found else [""]
    if found is None or (parts != [""] and any(map(_odd, parts))):
        raise UsageError(
            f"{uri}: this is no address of a place in S3; it comes last",
            hint="for instance s3://bucket/prefix/",
        )
    return Place(found[1], found[2] or "")


def _check_key(sse: str | None, kms_key_id: str | None) -> None:
    if kms_key_id and sse not in {"aws:kms", "aws:kms:dsse"}:
        raise UsageError("--kms-key-id is for --sse aws:kms", hint="give both, or none of them")


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
        raise UsageError(
            "--endpoint-url: this is no address of a store",
            hint="for instance https://s3.example.com:9000, without user and password",
        )


def _planned(sources: Sequence[_Source], place: Place) -> _Plan:
    """All sources as one push. Raises `UsageError` where two make one object."""
    files = tuple(it for source in sources for it in source.files)
    seals = tuple(source.seal for source in sources if source.seal)
    last = next((source for source in reversed(sources) if source.seal), _Source(()))
    latest = _pointer(last, place.key(POINTER)) if last.seal else ()
    counted = Counter([place.key(POINTER), *(it.key for it in (*files, *seals))])
    key, times = counted.most_common(1)[0]
    if times > 1:
        raise UsageError(
            f"two things would be the one object s3://{place.bucket}/{key}",
            hint=f"push them to two prefixes; {POINTER} is the name of the pointer to a set",
        )
    return _Plan(files, seals, latest, last.run_id, all(it.complete for it in sources))


def _pointer(source: _Source, key: str) -> tuple[_Item, ...]:
    """What leads to a set; its SHA-256s tell a reader whether it has met one set or two."""
    pointer = Pointer(
        run_id=source.run_id,
        seal=source.items[-1].key,
        files=tuple(
            PublishedFile(item.key, item.stored.bytes, item.stored.sha256) for item in source.items
        ),
    )
    text = pointer.text().encode()
    return (_Item(key, text, stored(io.BytesIO(text))),)


def _source(path: Path, place: Place, template: str | None) -> _Source:
    """What a PATH stands for, checked."""
    if not path.exists() and not path.is_symlink():
        raise NotFoundError(f"{path}: no such file or folder")
    names = set(os.listdir(path)) if _real(path).is_dir() else set()  # noqa: PTH208 - names
    for seal, usual in ((RUN_SUMMARY, _OF_A_RUN), (MANIFEST, "")):
        if seal in names:
            return _sealed(path, seal, place, usual if template is None else template)
    if template is not None:
        raise UsageError(
            f"{path}: --prefix-template is for runs and bundles",
            hint="give its prefix with the address: s3://bucket/prefix/",
        )
    if not path.is_dir():
        return _Source((_item(path, place.key(path.name), loose=True),))
    inside = (path / name for name in sorted(names) if not name.startswith("."))
    files = [it for it in inside if it.is_symlink() or not it.is_dir()]
    if not files:
        raise NotFoundError(f"{path}: the folder holds no file", check="MP-SRC-002")
    return _Source(tuple(_item(it, place.key(it.name), loose=True) for it in files))


def _sealed(folder: Path, name: str, place: Place, template: str) -> _Source:
    """A run or a bundle; every file that its seal lists is there, as it is listed."""
    seal = _real(folder / name)
    with _opened(seal) as file:
        text = file.read()
    try:
        listed, known, complete = _read_seal(name, text)
    except ValueError as error:
        raise _bad(seal, f"it is no list of files ({error})") from error
    names = _filled(template, known)
    items = []
    for record in listed:
        path = folder / record.name
        if not os.path.lexists(path):
            raise _bad(path, f"it is not there, and {name} lists it")
        items.append(_item(path, place.key(*names, record.name)))
        if items[-1].stored != Stored(record.bytes, record.sha256):
            raise _bad(path, f"it is not what {name} says")
    sealed = _Item(place.key(*names, name), seal, stored(io.BytesIO(text)))
    return _Source(tuple(items), sealed, known.get("run_id"), complete)


def _read_seal(name: str, text: bytes) -> tuple[tuple[FileRecord, ...], dict[str, str], bool]:
    """Return a set's files, the fields for its prefix, and whether it is complete.

    Raises `ValueError` if the text is neither a run summary nor a manifest.
    """
    if name == RUN_SUMMARY:
        run = parse_run_summary(text)
        return run.files, {"date": _date(run.processed_at), "run_id": run.run_id}, True
    bundle = parse_bundle_files(text)
    known = {"date": _date(bundle.taken_at)} if bundle.taken_at else {}
    return bundle.files, known, bundle.complete


def _filled(template: str, known: Mapping[str, str]) -> tuple[str, ...]:
    """A template's folders with what is known put in. Raises `UsageError`."""
    field = re.compile(r"{([^{}]*)}")
    unknown = [name for name in field.findall(template) if name not in known]
    filled = field.sub(lambda found: known.get(found[1], ""), template)
    if unknown or not {"{", "}"}.isdisjoint(filled):
        raise UsageError(
            f"--prefix-template: {{{(unknown or [template])[0]}}} cannot be filled in",
            hint=f"of this set {' and '.join(f'{{{it}}}' for it in known) or 'nothing'} is known",
        )
    parts = tuple(filled.strip("/").split("/"))
    if parts == ("",):
        return ()
    if any(_odd(part) for part in parts):
        raise UsageError(
            f"--prefix-template: {template!r} is no path", hint=f"for instance {_OF_A_RUN}"
        )
    return parts


def _tags(given: Sequence[str]) -> dict[str, str]:
    """Tags by their keys. Raises `UsageError` for what S3 would not take."""
    tags = {}
    for text in given:
        key, equals, value = text.partition("=")
        fits = equals and 0 < len(key) <= 128 and len(value) <= 256 and _TAG.fullmatch(key + value)
        if not fits or key in tags or key.lower().startswith("aws:"):
            raise UsageError(
                f"--tag: {text!r} is not KEY=VALUE, each key once and none of AWS's own",
                hint="desk=clo; letters, digits, blanks and _.:/=+-@",
            )
        tags[key] = value
    if len(tags) > 10:
        raise UsageError(f"--tag: {len(tags)} tags", hint="S3 takes ten")
    return tags


def _odd(part: str) -> bool:
    """Whether this cannot be a part of a key."""
    return part in {"", ".", ".."} or not is_printable(part)


def _date(moment: str) -> str:
    return str(to_utc(datetime.fromisoformat(moment)).date())


def _item(path: Path, key: str, *, loose: bool = False) -> _Item:
    """A file, by what it holds."""
    if not is_printable(key):
        raise UsageError(f"{str(path)!r}: this name cannot be a key", hint="rename it")
    if len(key.encode()) > _LONGEST_KEY:
        raise UsageError(
            f"{path}: its key would have more than {_LONGEST_KEY} bytes",
            hint="push to a shorter prefix",
        )
    with _opened(_real(path)) as file:
        return _Item(key, path, stored(file), loose)


def _real(path: Path) -> Path:
    """The same path, unless it is a link or a device: who knows what that leads to."""
    if path.is_symlink() or not (path.is_file() or path.is_dir()):
        raise UsageError(
            f"{path}: this is a symbolic link, or neither a file nor a folder",
            hint="push what it leads to, by its own name",
        )
    return path


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise NotFoundError(
            f"{path}: cannot be opened: {error.strerror}",
            hint="check who may read it",
            check="MP-SRC-004",
        ) from error
    with file:
        yield file


def _bad(path: Path, why: str) -> DataError:
    return DataError(
        f"{path}: {why}",
        hint="make the run or the bundle anew, then push it",
        check="MP-DAT-019",
    )
