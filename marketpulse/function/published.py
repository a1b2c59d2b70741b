"""Read published runs from the bucket: their summaries and their colors."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

from marketpulse.artifacts import (
    POINTER,
    PROCESSED,
    RUN_SUMMARY,
    Pointer,
    RunSummary,
    parse_pointer,
    parse_run_summary,
)
from marketpulse.atomic import TemporaryFolder
from marketpulse.aws.bucket import Bucket, ObjectSettings
from marketpulse.aws.checksums import compute_checksums
from marketpulse.colors.query import Filter, query_colors
from marketpulse.errors import DataError, NotFoundError, UsageError
from marketpulse.publish import S3Location, parse_s3_uri
from marketpulse.settings.load import Settings

_PARQUET = f"{PROCESSED}.parquet"


class PublishedRuns:
    """The runs below a prefix of a bucket. Threads may share it.

    Every method raises `NotFoundError` for a run or a file that is not there, `DataError` for one
    that is damaged, and the errors of `Bucket`.
    """

    def __init__(self, bucket: Bucket, location: S3Location) -> None:
        self._bucket = bucket
        self._location = location

    def find_summary_key(self, run_id: str | None, day: date | None = None) -> str:
        """The key of a run's summary. `run_id` None means the run that `latest.json` names.

        With `day`, the day of its `processed_at`, a run is looked up below that day, otherwise in
        the index and in `latest.json`. No lookup depends on how many runs there are. Raises
        `UsageError` for a day without a run.
        """
        if run_id is None:
            if day is not None:
                raise UsageError("day needs a run", hint="name the run by its id, or leave day out")
            pointer = self._read_pointer(POINTER)
            if pointer is None:
                address = f"s3://{self._location.bucket}/{self._location.prefix}"
                raise NotFoundError(
                    f"{address}: nothing is published yet",
                    hint="wait for the schedule, or call the function",
                )
            return pointer.seal
        # A run in a folder named by its day is found without the index: CI and people write none.
        if day is not None:
            key = self._location.key(f"date={day}", f"run={run_id}", RUN_SUMMARY)
            if self._bucket.find([key]):
                return key
        else:
            for name in (_index_name(run_id), POINTER):
                pointer = self._read_pointer(name)
                if pointer is not None and pointer.run_id == run_id:
                    return pointer.seal
        raise NotFoundError(
            f"there is no published run {run_id}" + (f" of {day}" if day else ""),
            hint="day=YYYY-MM-DD, the day of its processed_at, finds a run that was not published "
            "by the function",
            check="MP-SRC-009",
        )

    def add_to_index(self, run_id: str, summary_key: str) -> None:
        """Remember where a run is, as `find_summary_key` needs it."""
        key = self._location.key(_index_name(run_id))
        if not self._bucket.find([key]):
            body = Pointer(run_id=run_id, seal=summary_key, files=()).text().encode()
            checksums = compute_checksums(io.BytesIO(body))
            self._bucket.upload(
                key, body, checksums, content_type="application/json", overwrite=True
            )

    def read_summary(self, key: str) -> RunSummary:
        """Read the summary of a run."""
        try:
            return parse_run_summary(self._read(key))
        except ValueError as error:
            raise _damage_error(key) from error

    def read_colors(
        self, run_id: str | None, selection: Filter, day: date | None = None
    ) -> tuple[str, bytes]:
        """The run's id, and its selected colors in order: a JSON array with exact digits."""
        key = self.find_summary_key(run_id, day)
        summary = self.read_summary(key)
        # The digest of the sealed summary, not of the object's metadata, which the sender set.
        digests = {file.name: file.sha256 for file in summary.files}
        if _PARQUET not in digests:
            raise NotFoundError(f"run {summary.run_id} was published without {_PARQUET}")
        with TemporaryFolder() as folder:
            path = Path(folder) / _PARQUET
            self._download(key.replace(RUN_SUMMARY, _PARQUET), digests[_PARQUET], path)
            return summary.run_id, query_colors(path, summary.mapping, selection)

    def _read_pointer(self, name: str) -> Pointer | None:
        """Read `latest.json` or an object of the index; None if there is none."""
        key = self._location.key(name)
        if not self._bucket.find([key]):
            return None
        try:
            return parse_pointer(self._read(key))
        except ValueError as error:
            raise _damage_error(key) from error

    def _read(self, key: str) -> bytes:
        content = self._bucket.read(key)
        if content is None:
            raise _missing_error(key)
        return content

    def _download(self, key: str, sha256: str, path: Path) -> None:
        with path.open("w+b") as file:
            remote = self._bucket.download(key, into=file)
        if remote is None:
            raise _missing_error(key)
        if remote.checksums.sha256 != sha256:
            raise _damage_error(key)


def open_store(
    settings: Settings, address: str, timeout: float | None = None
) -> tuple[Bucket, S3Location]:
    """Return the bucket of an address, and the place in it; `timeout` is in seconds.

    New objects are encrypted with the key of the settings. Raises `UsageError` for no address.
    """
    location, key = parse_s3_uri(address), settings.push_kms_key_id
    encryption = ObjectSettings(sse="aws:kms" if key else None, kms_key_id=key)
    bucket = Bucket(
        location.bucket, region=settings.aws_region, timeout=timeout, settings=encryption
    )
    return bucket, location


def _index_name(run_id: str) -> str:
    return f"runs/{run_id}.json"


def _missing_error(key: str) -> NotFoundError:
    return NotFoundError(
        f"{key}: the object is gone",
        hint="published runs expire; wait for the schedule, or call the function",
        check="MP-SRC-009",
    )


def _damage_error(key: str) -> DataError:
    return DataError(
        f"{key}: the object differs from what was published",
        hint="publish the run again",
        check="MP-DAT-019",
    )
