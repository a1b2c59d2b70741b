"""Read published runs from the bucket: their summaries and their colors."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from marketpulse.artifacts import (
    POINTER,
    PROCESSED,
    RUN_SUMMARY,
    RunSummary,
    parse_pointer,
    parse_run_summary,
)
from marketpulse.aws.bucket import Bucket
from marketpulse.colors.query import Filter, query_colors
from marketpulse.errors import DataError, NotFoundError
from marketpulse.publish import S3Location

_PARQUET = f"{PROCESSED}.parquet"


class PublishedRuns:
    """The runs below a prefix of a bucket. Threads may share it.

    Every method raises `NotFoundError` for a run or a file that is not there, `DataError` for one
    that is damaged, and the errors of `Bucket`.
    """

    def __init__(self, bucket: Bucket, location: S3Location) -> None:
        self._bucket = bucket
        self._location = location

    def find_summary_key(self, run_id: str | None) -> str:
        """The key of a run's summary. `run_id` None means the run that `latest.json` names."""
        if run_id is None:
            return self._latest_summary_key()
        # A prefix template may put folders before the run's own.
        end = re.compile(rf"(?:.*/)?run={re.escape(run_id)}/{RUN_SUMMARY}")
        keys = self._bucket.list_keys(self._location.key(""))
        matches = [key for key in keys if end.fullmatch(key)]
        if not matches:
            raise NotFoundError(f"there is no published run {run_id}", check="MP-SRC-009")
        return matches[-1]

    def read_summary(self, key: str) -> RunSummary:
        """Read the summary of a run."""
        try:
            return parse_run_summary(self._read(key))
        except ValueError as error:
            raise _damage_error(key) from error

    def read_colors(self, run_id: str | None, selection: Filter) -> tuple[str, bytes]:
        """The run's id, and its selected colors in order: a JSON array with exact digits."""
        key = self.find_summary_key(run_id)
        summary = self.read_summary(key)
        digests = {file.name: file.sha256 for file in summary.files}
        if _PARQUET not in digests:
            raise NotFoundError(f"run {summary.run_id} was published without {_PARQUET}")
        with tempfile.TemporaryDirectory(prefix="marketpulse-") as folder:
            path = Path(folder) / _PARQUET
            self._download(key.replace(RUN_SUMMARY, _PARQUET), digests[_PARQUET], path)
            return summary.run_id, query_colors(path, summary.mapping, selection)

    def _latest_summary_key(self) -> str:
        key = self._location.key(POINTER)
        if not self._bucket.find([key]):
            raise NotFoundError(
                f"s3://{self._location.bucket}/{self._location.prefix}: nothing is published yet",
                hint="POST /runs, or wait for the schedule",
            )
        try:
            return parse_pointer(self._read(key)).seal
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


def _missing_error(key: str) -> NotFoundError:
    return NotFoundError(
        f"{key}: the object is gone",
        hint="published runs expire; publish one with POST /runs",
        check="MP-SRC-009",
    )


def _damage_error(key: str) -> DataError:
    return DataError(
        f"{key}: the object differs from what was published",
        hint="publish the run again",
        check="MP-DAT-019",
    )
