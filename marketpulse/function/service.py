"""The jobs of a process that stays: runs from the database into a bucket, and what is published.

One object for as long as the process lives, so that AWS SSM is not asked for every call.
"""

from __future__ import annotations

import logging
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

from marketpulse.artifacts import (
    POINTER,
    PROCESSED,
    RUN_SUMMARY,
    RunSummary,
    parse_pointer,
    parse_run_summary,
)
from marketpulse.aws.bucket import Bucket
from marketpulse.colors.options import RunOptions
from marketpulse.colors.query import Filter, query_colors
from marketpulse.colors.rejections import PUBLISHED_LIMIT
from marketpulse.colors.rules import RuleBook, read_rules
from marketpulse.colors.run import ColorsRun
from marketpulse.colors.run import run as run_colors
from marketpulse.errors import DataError, LoginError, NotFoundError, SettingsError
from marketpulse.extraction.catalog import describe_listed, list_tables
from marketpulse.publish import PushOptions, Receipt, S3Location, parse_s3_uri, push
from marketpulse.settings import OracleSettings, Settings, load_settings, oracle_settings
from marketpulse.sources import Source, open_source

_FORMATS = ("csv", "parquet")
_PARQUET = f"{PROCESSED}.parquet"
_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Published:
    """A run, its summary as it is published, and what became of its files."""

    run: ColorsRun
    summary: Mapping[str, Any]
    receipt: Receipt

    def as_json(self) -> dict[str, Any]:
        """The published summary and the receipt."""
        return {**self.summary, "push": self.receipt.as_json()}


class Service:
    """All that the function does; threads may share it.

    `environment` says where the bucket and the parameters are. For so many `seconds` the database's
    credentials are taken for good without asking SSM, and refused ones for bad.
    """

    def __init__(self, environment: Mapping[str, str], *, seconds: float = 300) -> None:
        self._environment = environment
        self._seconds = seconds
        self._one_at_a_time = RLock()
        self._oracle: tuple[float, OracleSettings] | None = None
        self._refused: tuple[float, OracleSettings, LoginError] | None = None

    @cached_property
    def settings(self) -> Settings:
        """The settings, without those of the database."""
        return load_settings({}, self._environment, None)

    def tables(self) -> list[dict[str, Any]]:
        """The tables, as `list-tables --format json` has them."""
        return self._with_source(lambda source: list_tables(source).as_json())

    def schema(self, table: str) -> dict[str, Any]:
        """A table's columns and keys, as its schema file has them. Raises `NotFoundError`."""

        def described(source: Source) -> dict[str, Any]:
            return describe_listed(source, [source.find_listed_table(table)]).as_json()[0]

        return self._with_source(described)

    def run(self, options: RunOptions, request_id: str = "") -> Published:
        """Rank the colors and publish them; the same rows again change nothing.

        The log tells each step, with the id of the request. Raises what `run_colors` and `push`
        raise.
        """
        with tempfile.TemporaryDirectory(prefix="marketpulse-") as folder:
            rules = self._rules(Path(folder))

            def ranked(source: Source) -> ColorsRun:
                table = self._usual_table() if options.table is None else options.table
                limit = PUBLISHED_LIMIT if options.max_rejected is None else options.max_rejected
                complete = replace(
                    options,
                    table=table,
                    rules=rules,
                    output=Path(folder) / "run",
                    formats=_FORMATS,
                    max_rejected=limit,
                )
                return run_colors(source, complete)

            run = self._with_source(ranked)
            told = {"request_id": request_id, "run_id": run.run_id}
            level = logging.INFO if run.counts.read else logging.WARNING
            _log.log(level, "ranked", extra={"fields": {**told, "rows": run.counts.read}})
            receipt = push(
                [Path(folder) / "run"],
                self._target(),
                PushOptions(
                    region=self.settings.aws_region,
                    sse="aws:kms" if self.settings.push_kms_key_id else None,
                    kms_key_id=self.settings.push_kms_key_id,
                ),
            )
        sent = sum(it.action == "sent" for it in receipt.objects)
        _log.info("published", extra={"fields": {**told, "sent": sent}})
        seal = next(it for it in receipt.objects if it.key.endswith(f"/{RUN_SUMMARY}"))
        kept = seal.action == "kept"
        summary = self._summary(seal.key).content if kept else run.summary()
        return Published(run, summary, receipt)

    def latest(self) -> dict[str, Any]:
        """The summary of the run that is published last. Raises `NotFoundError`."""
        return dict(self._summary(self._seal(None)).content)

    def find(self, run_id: str) -> dict[str, Any]:
        """The summary of a published run. Raises `NotFoundError`."""
        return dict(self._summary(self._seal(run_id)).content)

    def colors(self, run_id: str | None, chosen: Filter) -> tuple[str, bytes]:
        """The run's id, and its processed colors in their order as a JSON array, digits exact.

        `run_id` None is the latest. Raises `NotFoundError`, and `DataError` for a file that is
        not whole.
        """
        seal = self._seal(run_id)
        summary = self._summary(seal)
        digests = {file.name: file.sha256 for file in summary.files}
        if _PARQUET not in digests:
            raise NotFoundError(f"run {summary.run_id} was published without {_PARQUET}")
        with tempfile.TemporaryDirectory(prefix="marketpulse-") as folder:
            path = Path(folder) / _PARQUET
            self._fetch(seal.replace(RUN_SUMMARY, _PARQUET), digests[_PARQUET], path)
            return summary.run_id, query_colors(path, summary.mapping, chosen)

    def _with_source(self, job: Callable[[Source], T]) -> T:
        """Do a job on the source."""
        with ExitStack() as stack:
            if self.settings.source == "oracle":
                source = self._logged_in(stack)
            else:
                source = stack.enter_context(open_source(self.settings.source))
            return job(source)

    def _logged_in(self, stack: ExitStack) -> Source:
        """The database, open; where the login is refused, with credentials read anew.

        A refused password is not sent again for a while, whoever asks and however often AWS tries
        again: that locks accounts. So one logs in at a time.
        """
        with self._one_at_a_time:
            known = self._credentials()
            try:
                return self._opened(stack, known)
            except LoginError:
                self._oracle = None
                fresh = self._credentials()
                if fresh == known:
                    raise
                _log.info("the credentials have changed")
            return self._opened(stack, fresh)

    def _opened(self, stack: ExitStack, credentials: OracleSettings) -> Source:
        """The database with these credentials, unless they were refused a moment ago."""
        if self._refused is not None:
            moment, refused, fault = self._refused
            if refused == credentials and time.monotonic() - moment < self._seconds:
                raise LoginError(fault.message, hint=fault.hint, check=fault.check)
        try:
            return stack.enter_context(open_source("oracle", oracle=credentials))
        except LoginError as fault:
            self._refused = time.monotonic(), credentials, fault
            raise

    def _credentials(self) -> OracleSettings:
        with self._one_at_a_time:
            now = time.monotonic()
            if self._oracle is None or now - self._oracle[0] > self._seconds:
                self._oracle = now, oracle_settings({}, self._environment, None)
            return self._oracle[1]

    def _usual_table(self) -> str | None:
        return None if self.settings.source != "oracle" else self._credentials().table_name

    def _target(self) -> str:
        if self.settings.push is None:
            raise SettingsError(
                "MARKETPULSE_PUSH is not set",
                hint="it says where results go: s3://bucket/processed_colors/",
            )
        return self.settings.push

    @cached_property
    def _place(self) -> S3Location:
        return parse_s3_uri(self._target())

    @cached_property
    def _bucket(self) -> Bucket:
        return Bucket(self._place.bucket, region=self.settings.aws_region)

    def _rules(self, folder: Path) -> RuleBook | str | None:
        """The rules: a file's path, or what an object of a bucket says, by its own name."""
        name = self.settings.rules
        if name is None or not name.startswith("s3://"):
            return name
        place = parse_s3_uri(name)
        with Bucket(place.bucket, region=self.settings.aws_region) as bucket:
            text = bucket.read(place.prefix)
        if text is None:
            raise NotFoundError(
                f"{name}: there are no such rules", hint="correct MARKETPULSE_RULES"
            )
        path = folder / Path(place.prefix).name
        path.write_bytes(text)
        return replace(read_rules(path), name=name)

    def _seal(self, run_id: str | None) -> str:
        """The key of a run's summary; the latest's where none is named."""
        if run_id is None:
            latest = self._place.key(POINTER)
            if not self._bucket.find([latest]):
                raise NotFoundError(
                    f"{self._target()}: nothing is published yet",
                    hint="POST /runs, or wait for the schedule",
                )
            try:
                return parse_pointer(self._read(latest)).seal
            except ValueError as error:
                raise _not_as_published(latest) from error
        end = re.compile(rf"(?:.*/)?run={re.escape(run_id)}/{RUN_SUMMARY}")
        found = [key for key in self._bucket.list_keys(self._place.key("")) if end.fullmatch(key)]
        if not found:
            raise NotFoundError(f"there is no published run {run_id}", check="MP-SRC-009")
        return found[-1]

    def _summary(self, key: str) -> RunSummary:
        """Read a published summary. Raises `NotFoundError`, or `DataError` if it is not one."""
        try:
            return parse_run_summary(self._read(key))
        except ValueError as error:
            raise _not_as_published(key) from error

    def _read(self, key: str) -> bytes:
        """Read an object. Raises `NotFoundError` if it is gone."""
        content = self._bucket.read(key)
        if content is None:
            raise _gone(key)
        return content

    def _fetch(self, key: str, sha256: str, path: Path) -> None:
        """Copy a published file. Raises `NotFoundError`, or `DataError` for another content."""
        with path.open("w+b") as file:
            remote = self._bucket.download(key, into=file)
        if remote is None:
            raise _gone(key)
        if remote.checksums.sha256 != sha256:
            raise _not_as_published(key)


def _gone(key: str) -> NotFoundError:
    return NotFoundError(
        f"{key}: it is there no longer",
        hint="runs are kept for a time; publish one: POST /runs",
        check="MP-SRC-009",
    )


def _not_as_published(key: str) -> DataError:
    return DataError(
        f"{key}: it is not what was published", hint="publish it again", check="MP-DAT-019"
    )
