"""The plan of a push: its objects, in the order in which they are sent.

    files of all sets -> seals (run_summary.json, manifest.json) -> latest.json

A reader starts at the right end, so everything to the left is complete by then.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from marketpulse.artifacts import POINTER, Pointer, PublishedFile
from marketpulse.aws.checksums import Checksums, compute_checksums
from marketpulse.errors import DataError, NotFoundError, UsageError
from marketpulse.publish.receipt import PushedObject
from marketpulse.publish.uri import S3Location


@dataclass(frozen=True)
class PlannedObject:
    """An object to send: its key, its content and the checksums of that.

    `content` is None if the object should be there already. A `standalone` object belongs to no
    set.
    """

    key: str
    content: Path | bytes | None
    checksums: Checksums
    standalone: bool = False

    def read_body(self) -> bytes | Path:
        """The content to send, or the path of a file that goes in parts.

        Raises `DataError` if the content has changed since the plan; see also `check_unchanged`.
        """
        if not isinstance(self.content, Path) or self.checksums.in_parts:
            return self.content or b""
        with open_file(self.content) as file:
            body = file.read()
        self._compare(self.content, compute_checksums(io.BytesIO(body)))
        return body

    def check_unchanged(self) -> None:
        """Raise `DataError` if the file has changed since the plan."""
        if isinstance(self.content, Path):
            with open_file(self.content) as file:
                self._compare(self.content, compute_checksums(file))

    def _compare(self, path: Path, now: Checksums) -> None:
        if now != self.checksums:
            raise set_error(path, "the file has changed since it was checked")

    def with_action(self, action: str) -> PushedObject:
        """The object's line in the receipt."""
        return PushedObject(
            key=self.key,
            file=str(self.content) if isinstance(self.content, Path) else None,
            bytes=self.checksums.size,
            sha256=self.checksums.sha256,
            action=action,
        )


@dataclass(frozen=True)
class PlannedSet:
    """The files of one PATH. The `seal` is the file that lists the others, if there is one.

    `left_out` are folders inside it that are not sent.
    """

    files: tuple[PlannedObject, ...]
    seal: PlannedObject | None = None
    run_id: str | None = None
    complete: bool = True
    empty: bool = False  # a run that has left no color
    left_out: tuple[Path, ...] = ()

    @property
    def objects(self) -> tuple[PlannedObject, ...]:
        """The files, then their seal."""
        return (*self.files, *([self.seal] if self.seal else []))

    @property
    def keys(self) -> set[str]:
        """The keys of all objects."""
        return {item.key for item in self.objects}

    @property
    def exclusive_keys(self) -> set[str]:
        """The keys of a run with a folder of its own; empty for anything else.

        Only such keys can be said to belong to the run: other folders may hold anybody's files.
        """
        folder = self.seal.key.rpartition("/")[0].rpartition("/")[2] if self.seal else ""
        return self.keys if self.run_id is not None and self.run_id in folder else set()


@dataclass(frozen=True, kw_only=True)
class PushPlan:
    """All objects of a push. `run_id` is that of the pointer."""

    files: tuple[PlannedObject, ...]
    seals: tuple[PlannedObject, ...]
    pointer: PlannedObject | None
    run_id: str | None
    complete: bool

    @property
    def objects(self) -> tuple[PlannedObject, ...]:
        """All objects in the order in which they are sent."""
        return (*self.files, *self.seals, *([self.pointer] if self.pointer else []))


def make_plan(sets: Sequence[PlannedSet], location: S3Location) -> PushPlan:
    """Plan the push of these sets. Raises `UsageError` if two files would get the same key."""
    files = tuple(item for file_set in sets for item in file_set.files)
    seals = tuple(file_set.seal for file_set in sets if file_set.seal)
    pointer_key = location.key(POINTER)
    counts = Counter([pointer_key, *(item.key for item in (*files, *seals))])
    key, count = counts.most_common(1)[0]
    if count > 1:
        raise UsageError(
            f"two files would become the object s3://{location.bucket}/{key}",
            hint=f"push them to different prefixes; {POINTER} is reserved for the pointer",
        )
    # The pointer names the set that comes last on the command line.
    last = next((file_set for file_set in reversed(sets) if file_set.seal), None)
    return PushPlan(
        files=files,
        seals=seals,
        pointer=_plan_pointer(last, pointer_key) if last else None,
        run_id=last.run_id if last else None,
        complete=all(file_set.complete for file_set in sets),
    )


def _plan_pointer(file_set: PlannedSet, key: str) -> PlannedObject:
    """Plan `latest.json`. Its SHA-256s let a reader notice that the set was replaced meanwhile."""
    pointer = Pointer(
        run_id=file_set.run_id,
        seal=file_set.objects[-1].key,
        files=tuple(
            PublishedFile(item.key, item.checksums.size, item.checksums.sha256)
            for item in file_set.objects
        ),
    )
    text = pointer.text().encode()
    return PlannedObject(key, text, compute_checksums(io.BytesIO(text)))


@contextmanager
def open_file(path: Path) -> Iterator[io.BufferedReader]:
    """Open a file for reading. Raises `NotFoundError` if that fails."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise NotFoundError(
            f"{path}: cannot be opened: {error.strerror}",
            hint="check the file's permissions",
            check="MP-SRC-004",
        ) from error
    with file:
        yield file


def set_error(path: Path, reason: str) -> DataError:
    """The error for a run or bundle that is damaged or has changed."""
    return DataError(
        f"{path}: {reason}",
        hint="create the run or the bundle again, then push it",
        check="MP-DAT-019",
    )
