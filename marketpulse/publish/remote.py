"""Inspect what the bucket holds under the keys of a push, before anything is sent."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING

from marketpulse.artifacts import POINTER, RunSummary, parse_pointer, parse_run_summary
from marketpulse.aws.checksums import Checksums
from marketpulse.publish.options import PushVerification
from marketpulse.publish.plan import PlannedObject, PlannedSet, PushPlan, make_plan
from marketpulse.publish.uri import S3Location

if TYPE_CHECKING:
    from marketpulse.aws.bucket import Bucket, ListedObject, Objects, RemoteObject

# How long another push of the same run may be under way. Lambda ends the function's after 15.
MAX_PUSH_DURATION = timedelta(minutes=20)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class ObjectState(Enum):
    """What the bucket holds under the key of a planned object."""

    MISSING = auto()
    SAME = auto()
    BROKEN = auto()  # sent by a push that failed: ours to overwrite
    OTHER = auto()  # anybody's: overwritten with `force` only


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """The plan after a look at the bucket, and the state of each of its keys.

    `unfinished` are keys of runs without a seal: another push may be writing them.
    """

    plan: PushPlan
    states: dict[str, ObjectState]
    unfinished: set[str]
    pointer_etag: str  # "" if there is no pointer

    @property
    def changes(self) -> bool:
        """Whether the bucket lacks anything of the plan."""
        return any(state is not ObjectState.SAME for state in self.states.values())


def is_proven(bucket: Bucket, item: PlannedObject, etag: str, verify: PushVerification) -> bool:
    """Whether the store's own digest proves the content. With `READ` sets need to be read."""
    if verify is PushVerification.READ and not item.standalone:
        return False
    if etag and etag == item.checksums.etag:  # the MD5 of an object in one part
        return True
    head = bucket.head(item.key)
    if head is None or head.size != item.checksums.size:
        return False
    if head.checksum:
        return head.checksum == item.checksums.s3_checksum
    return verify is PushVerification.NONE and head.metadata_sha256 == item.checksums.sha256


def is_damaged(remote: RemoteObject | None, item: PlannedObject) -> bool:
    """Whether this object was sent as `item`, and its content changed on the way."""
    return (
        remote is not None
        and remote.metadata_sha256 == item.checksums.sha256
        and remote.checksums != item.checksums
    )


class Inspector:
    """One look at a bucket for a push."""

    def __init__(
        self, bucket: Bucket, location: S3Location, *, force: bool, verify: PushVerification
    ) -> None:
        self._bucket = bucket
        self._location = location
        self._force = force
        self._verify = verify
        self._objects: Objects = {}
        self._unfinished: set[str] = set()

    def inspect(self, sets: Sequence[PlannedSet], pool: Executor) -> Inspection:
        """Compare these sets with the bucket. Raises `AwsError` if the store fails."""
        keys = {key for file_set in sets for key in file_set.keys}
        pointer_key = self._location.key(POINTER)
        self._objects = self._bucket.find(keys | {pointer_key}, pool.map)
        for file_set in sets:
            if file_set.seal and file_set.seal.key not in self._objects:
                self._unfinished |= file_set.exclusive_keys
        plan = make_plan([*map(self._prefer_published, sets)], self._location)
        states = pool.map(self._state, plan.objects)
        pointer = self._objects.get(pointer_key)
        return Inspection(
            plan=plan,
            states={item.key: state for item, state in zip(plan.objects, states, strict=True)},
            unfinished=self._unfinished,
            pointer_etag=pointer.etag if pointer else "",
        )

    def _prefer_published(self, file_set: PlannedSet) -> PlannedSet:
        """Return the run as it was published before, if it was: its first PROCESSED_AT stays.

        The same RUN_ID means the same rows, rules and hierarchy. The published formats stay, too.
        """
        seal = file_set.seal
        if self._force or seal is None or file_set.run_id is None:
            return file_set
        key = seal.key if seal.key in self._objects else self._seal_of_another_day(seal.key)
        published = self._read_published(key, seal) if key else None
        if key is None or published is None or published[0].run_id != file_set.run_id:
            return file_set
        summary, checksums = published
        folder = key.rpartition("/")[0]
        files = tuple(
            PlannedObject(
                f"{folder}/{file.name}", None, Checksums(size=file.bytes, sha256=file.sha256)
            )
            for file in summary.files
        )
        earlier = replace(file_set, files=files, seal=PlannedObject(key, None, checksums))
        self._objects |= self._bucket.find(earlier.keys - self._objects.keys())
        if earlier.keys <= self._objects.keys():
            return earlier
        # The published run has lost a file, so its seal means nothing any more.
        if key == seal.key:
            self._unfinished |= file_set.exclusive_keys
        return file_set

    def _read_published(self, key: str, seal: PlannedObject) -> tuple[RunSummary, Checksums] | None:
        """Read a published run summary; None if it is ours, damaged, or not a summary."""
        content = io.BytesIO()
        remote = self._bucket.download(key, into=content)
        if remote is None or remote.checksums == seal.checksums or not remote.intact:
            return None
        try:
            return parse_run_summary(content.getvalue()), remote.checksums
        except ValueError:
            return None

    def _seal_of_another_day(self, seal_key: str) -> str | None:
        """The seal that `latest.json` names, if its key differs from this one in the date only."""
        pointer_key = self._location.key(POINTER)
        pointer = self._bucket.read(pointer_key) if pointer_key in self._objects else None
        try:
            key = parse_pointer(pointer or b"").seal
        except ValueError:
            return None
        return key if _DATE.sub("", key) == _DATE.sub("", seal_key) else None

    def _state(self, item: PlannedObject) -> ObjectState:
        existing = self._objects.get(item.key)
        if existing is None:
            return ObjectState.MISSING
        same_size = existing.size == item.checksums.size
        if self._force and not same_size:
            return ObjectState.OTHER
        if same_size and is_proven(self._bucket, item, existing.etag, self._verify):
            return ObjectState.SAME
        remote = self._bucket.download(item.key, expected=item.checksums)
        if remote is None:
            return ObjectState.MISSING
        if remote.checksums == item.checksums:
            return ObjectState.SAME
        if is_damaged(remote, item):
            return ObjectState.BROKEN
        if remote.intact and self._is_abandoned(item, existing):
            return ObjectState.BROKEN
        return ObjectState.OTHER

    def _is_abandoned(self, item: PlannedObject, existing: ListedObject) -> bool:
        """Whether the object was left by a push of the same run that cannot be under way."""
        age = datetime.now(UTC) - existing.modified
        return item.key in self._unfinished and age > MAX_PUSH_DURATION
