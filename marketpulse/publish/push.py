"""Send files, seals and the pointer to a bucket, so that no reader sees a partial set.

A push runs in these steps. Steps 2 to 5 repeat while another push of the same run is under way:

    1. read the files here and compare them with their seals         local
    2. list and read what the bucket holds under their keys          remote
    3. refuse to overwrite, or delete the pointer to what changes
    4. send the files in parallel and read them back
    5. send the seals, then latest.json
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path, PurePath
from threading import Event, Lock
from typing import TYPE_CHECKING

from marketpulse.artifacts import POINTER, parse_pointer
from marketpulse.errors import AwsError, DataError, UsageError
from marketpulse.extras import require_extra
from marketpulse.model import NO_PROGRESS, Progress, format_count, progress_stage
from marketpulse.publish.local import read_set
from marketpulse.publish.lock import LOCK_KEY, ConcurrentPushError, PushLock
from marketpulse.publish.options import PushOptions, PushVerification
from marketpulse.publish.plan import PlannedObject, PlannedSet, PushPlan, make_plan
from marketpulse.publish.receipt import Receipt
from marketpulse.publish.remote import (
    MAX_PUSH_DURATION,
    Inspection,
    Inspector,
    ObjectState,
    is_damaged,
    is_proven,
)
from marketpulse.publish.uri import S3Location, parse_s3_uri
from marketpulse.stopping import run_stoppable

if TYPE_CHECKING:
    from marketpulse.aws.bucket import Bucket, RemoteObject

_DEFAULT_WAIT = 30  # seconds, for another push of the same run
_CONTENT_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".txt": "text/plain; charset=utf-8",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def push(
    paths: Sequence[str | Path],
    uri: str,
    options: PushOptions,
    *,
    progress: Progress = NO_PROGRESS,
) -> Receipt:
    """Send runs, bundles, folders and files to an S3 address. Skips what is there already.

    A reader who follows `latest.json` finds a complete set at any moment, or no pointer: a push
    reads back everything that the pointer leads to. Without `options.force` it overwrites nothing
    but `latest.json` and what a failed push of the same files left.

    Raises `UsageError`, `NotFoundError`, `DataError` or `SettingsError` before it sends anything.
    Raises `AwsError` at any time, and `DataError` if a file changes meanwhile; pushing again then
    sends what is missing.
    """
    if "" in paths:
        raise UsageError("a PATH is empty", hint="check that the shell variable is set")
    location = parse_s3_uri(uri)

    def timeout_error() -> AwsError:
        return AwsError(
            f"{uri}: the deadline passed before the push was complete",
            hint="raise --deadline or MARKETPULSE_DEADLINE; the next push sends what is missing",
            check="MP-AWS-003",
        )

    return run_stoppable(
        lambda stop: _push(paths, location, options, progress, stop),
        options.deadline,
        timeout_error,
    )


def _push(
    paths: Sequence[str | Path],
    location: S3Location,
    options: PushOptions,
    progress: Progress,
    stop: Event,
) -> Receipt:
    with ThreadPoolExecutor(1) as pool:  # loads boto3 while the files are read
        opening = None if options.dry_run else pool.submit(_open_bucket, location, options)
        sets = [
            read_set(Path(path), location, options.prefix_template, recursive=options.recursive)
            for path in paths
        ]
        plan = make_plan(sets, location)
    for path, file_set in zip(paths, sets, strict=True):
        if file_set.empty and not options.force:
            raise DataError(
                f"{path}: this run has left no color, and an empty set never replaces a good one",
                hint="leave it out, or publish it with --force",
                check="MP-DAT-020",
            )
    actions = ["would send"] * len(plan.objects)
    if opening is not None:
        with opening.result() as bucket:
            plan, actions = _push_sets(bucket, location, sets, options, progress, stop)
    return Receipt(
        bucket=location.bucket,
        prefix=location.prefix,
        dry_run=options.dry_run,
        objects=tuple(
            item.with_action(action) for item, action in zip(plan.objects, actions, strict=True)
        ),
        left_out=tuple(str(folder) for file_set in sets for folder in file_set.left_out),
        latest=plan.pointer.key if plan.pointer else None,
        run_id=plan.run_id,
        complete=plan.complete,
    )


def _open_bucket(location: S3Location, options: PushOptions) -> Bucket:
    require_extra("aws", "a push to S3")
    from marketpulse.aws.bucket import (  # noqa: PLC0415 - a dry run works without boto3
        Bucket,
        ObjectSettings,
    )

    return Bucket(
        location.bucket,
        region=options.region,
        endpoint_url=options.endpoint_url,
        connections=options.jobs,
        timeout=options.timeout,
        settings=ObjectSettings(
            sse=options.sse, kms_key_id=options.kms_key_id, tags=options.parse_tags()
        ),
    )


def _push_sets(
    bucket: Bucket,
    location: S3Location,
    sets: Sequence[PlannedSet],
    options: PushOptions,
    progress: Progress,
    stop: Event,
) -> tuple[PushPlan, list[str]]:
    """Inspect and send; return what was sent and the action of each object.

    Waits for another push of the same run, and then finds that run published. With `force`, pushes
    of sets to the same prefix go one after the other.
    """
    wait = options.timeout or _DEFAULT_WAIT
    if options.deadline is not None:
        # Half of it: the error about the other push helps more than that of the deadline.
        wait = min(wait, options.deadline / 2)
    deadline = time.monotonic() + wait
    with ExitStack() as stack:
        checks = [lambda: _check_stop(stop)]
        needs_lock = options.force
        while True:
            # Within the lock: it ends when no upload is under way any more, after an error too.
            with ThreadPoolExecutor(options.jobs) as pool:
                inspector = Inspector(bucket, location, force=options.force, verify=options.verify)
                inspection = inspector.inspect(sets, pool)
                changes = inspection.plan.seals and inspection.changes
                if not (needs_lock and changes):
                    sender = _Sender(bucket, location, inspection, options, checks, progress)
                    try:
                        actions = sender.send_all(sets, pool)
                    except ConcurrentPushError:
                        if time.monotonic() > deadline:
                            raise
                    else:
                        return inspection.plan, actions
            if needs_lock:
                # Another push may change something while this one waits, so it looks again.
                lock = PushLock(bucket, location.key(LOCK_KEY))
                checks.append(stack.enter_context(lock.held()))
                needs_lock = False
            else:
                time.sleep(min(1, wait / 5))


def _check_stop(stop: Event) -> None:
    """Send nothing more after Ctrl-C or the deadline: nobody waits for the result."""
    if stop.is_set():
        raise AwsError("the push was given up", hint="push again")


class _Sender:
    """Sends the objects of one inspected plan."""

    def __init__(
        self,
        bucket: Bucket,
        location: S3Location,
        inspection: Inspection,
        options: PushOptions,
        checks: Sequence[Callable[[], None]],
        progress: Progress,
    ) -> None:
        self._bucket = bucket
        self._location = location
        self._plan = inspection.plan
        self._states = dict(inspection.states)
        self._unfinished = inspection.unfinished
        self._pointer_key = location.key(POINTER)
        self._pointer_etag = inspection.pointer_etag
        self._force = options.force
        self._verify = options.verify
        self._checks = checks  # each raises if nothing more may be sent
        self._progress = progress
        self._progress_lock = Lock()  # several threads count what they have sent

    def send_all(self, sets: Sequence[PlannedSet], pool: Executor) -> list[str]:
        """Send everything in order and return the action of each object.

        The first file of a run goes alone. Of two pushes of the same run the one that creates it
        goes on, and the other waits.
        """
        self._prepare_overwriting()
        first_keys = {
            file_set.files[0].key for file_set in sets if file_set.run_id and file_set.files
        }
        total = sum(
            item.checksums.size
            for item in self._plan.objects
            if self._states[item.key] is not ObjectState.SAME
        )
        with progress_stage(self._progress, f"s3://{self._location.bucket}", total):
            started = time.monotonic()
            files = self._plan.files
            first = {item.key: self._send(item) for item in files if item.key in first_keys}
            actions = list(pool.map(lambda item: first.get(item.key) or self._send(item), files))
            # Another push may have taken a slow one for abandoned, and replaced its files.
            slow = time.monotonic() - started > MAX_PUSH_DURATION.total_seconds() / 2
            if slow or ObjectState.BROKEN in self._states.values():
                list(pool.map(self._check_still_there, files))
            return [*actions, *map(self._send, self._plan.objects[len(files) :])]

    def _prepare_overwriting(self) -> None:
        """Refuse to overwrite, or delete a pointer that leads to what is about to change."""
        objects = (*self._plan.files, *self._plan.seals)
        conflicts = self._keys_in(ObjectState.OTHER, objects)
        if conflicts and not self._force:
            raise self._conflict_error(*conflicts)
        changing = conflicts + self._keys_in(ObjectState.BROKEN, objects)
        if changing and self._pointer_etag:
            pointer = self._bucket.read(self._pointer_key)
            if pointer is not None and _leads_to(pointer, changing):
                self._bucket.delete(self._pointer_key)
                self._states[self._pointer_key] = ObjectState.MISSING
                self._pointer_etag = ""

    def _keys_in(self, state: ObjectState, objects: Sequence[PlannedObject]) -> list[str]:
        return [item.key for item in objects if self._states[item.key] is state]

    def _check_still_there(self, item: PlannedObject) -> None:
        """Raise `AwsError` if another push has replaced the object meanwhile."""
        if not self._is_there(item):
            raise self._damage_error(item, "the object is gone or has been replaced")

    def _is_there(self, item: PlannedObject) -> bool:
        proven = is_proven(self._bucket, item, "", self._verify)
        return proven or _holds(self._read_back(item), item)

    def _read_back(self, item: PlannedObject) -> RemoteObject | None:
        return self._bucket.download(item.key, expected=item.checksums)

    def _send(self, item: PlannedObject) -> str:
        """Send one object unless it is there, verify it, and return the action."""
        for check in self._checks:
            check()
        state = self._states[item.key]
        if state is ObjectState.SAME:
            return "kept" if item.content is None else "skipped"
        if item.content is None:
            raise self._damage_error(item, "the object differs from what its run lists")
        is_pointer = item.key == self._pointer_key
        overwrite = self._force or (state is ObjectState.BROKEN and not is_pointer)
        etag = self._upload(item, overwrite=overwrite)
        if etag is not None and (
            self._verify is PushVerification.NONE
            or is_proven(self._bucket, item, etag, self._verify)
        ):
            return "sent"
        remote = self._read_back(item)
        if _holds(remote, item):
            # Without an ETag another push of the same content was faster.
            return "skipped" if etag is None else "sent"
        if etag is None:
            return self._resend(item, remote)
        if is_pointer:
            if remote and remote.etag == self._pointer_etag:
                raise self._damage_error(item, "the store accepted the object and did not keep it")
            if remote and remote.intact:  # another push has sent its own pointer since
                return "sent"
            self._bucket.delete(item.key)  # no pointer is better than a broken one
        item.check_unchanged()
        raise self._damage_error(item, "the object differs from what was sent")

    def _resend(self, item: PlannedObject, remote: RemoteObject | None) -> str:
        """Repair the object that an upload was refused for, if it is a damaged copy of `item`.

        A push of the same run has sent it, perhaps this one in a request whose answer was lost.
        """
        if item.key == self._pointer_key:
            raise self._overtaken_error()
        if not is_damaged(remote, item):
            raise self._conflict_error(item.key)
        self._states[item.key] = ObjectState.BROKEN
        return self._send(item)

    def _upload(self, item: PlannedObject, *, overwrite: bool) -> str | None:
        """Upload an object; returns like `Bucket.upload`."""
        suffix = PurePath(item.key).suffix.lower()
        body = item.read_body()
        try:
            return self._bucket.upload(
                item.key,
                body,
                item.checksums,
                content_type=_CONTENT_TYPES.get(suffix, "application/octet-stream"),
                overwrite=overwrite,
                replaces=self._pointer_etag if item.key == self._pointer_key else "",
                progress=self._advance,
            )
        except (AwsError, OSError):
            # A file that changes or vanishes meanwhile makes boto3 fail in many ways.
            item.check_unchanged()
            raise

    def _advance(self, size: int) -> None:
        with self._progress_lock:
            self._progress.advance(size)

    def _damage_error(self, item: PlannedObject, reason: str) -> AwsError:
        return AwsError(
            f"s3://{self._location.bucket}/{item.key}: {reason}",
            hint="check whether a proxy changes data, or somebody else writes there; push again, "
            "with --force if that does not help",
            check="MP-AWS-008",
        )

    def _overtaken_error(self) -> ConcurrentPushError:
        return ConcurrentPushError(
            f"{self._bucket.address(self._pointer_key)}: another push has replaced it meanwhile",
            hint="push again when the other push has ended",
        )

    def _conflict_error(self, key: str, *others: str) -> AwsError:
        """The error for keys that hold other content and must not be overwritten."""
        if self._unfinished.issuperset({key, *others}):
            return ConcurrentPushError(
                f"s3://{self._location.bucket}/{key}: another push of this run is not finished",
                hint="push again when it is; if it broke off, wait "
                f"{MAX_PUSH_DURATION // timedelta(minutes=1)} minutes, or push with --force now",
            )
        count = f", and {format_count(len(others), 'more object')}" if others else ""
        return AwsError(
            f"s3://{self._location.bucket}/{key}: other content is already there{count}",
            hint="push to another prefix, or overwrite it with --force",
            check="MP-AWS-004",
        )


def _holds(remote: RemoteObject | None, item: PlannedObject) -> bool:
    return remote is not None and remote.checksums == item.checksums


def _leads_to(pointer: bytes, keys: Sequence[str]) -> bool:
    """Whether `latest.json` names one of these keys, or is unreadable."""
    try:
        return parse_pointer(pointer).lists_any(keys)
    except ValueError:
        return True
