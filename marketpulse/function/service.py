"""The jobs of the function: list tables, rank and publish, read what is published."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from marketpulse.artifacts import RUN_SUMMARY
from marketpulse.atomic import TemporaryFolder
from marketpulse.aws.bucket import Bucket
from marketpulse.colors.options import RunOptions
from marketpulse.colors.query import Filter
from marketpulse.colors.results import ColorsRun
from marketpulse.colors.rules import RuleBook, read_rules
from marketpulse.colors.run import run as run_colors
from marketpulse.errors import NotFoundError, SettingsError
from marketpulse.extraction.catalog import describe_listed, list_tables
from marketpulse.formats import parse_delimiter
from marketpulse.function.database import Database
from marketpulse.function.published import PublishedRuns, open_store
from marketpulse.publish import PushOptions, Receipt, parse_s3_uri, push
from marketpulse.settings.file import split_list
from marketpulse.settings.load import Settings, load_settings
from marketpulse.sources import FileOptions, Source, open_source, refuse_file_options
from marketpulse.sources.containers import within_deadline
from marketpulse.sources.oracle import SelectQuery
from marketpulse.sources.oracle.query_text import read_query

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class PublishedRun:
    """A run, its summary as the bucket has it, and the receipt of its push.

    The bucket's summary is an earlier one if the same rows were published before. The receipt is
    None if no color is left: then nothing is published.
    """

    run: ColorsRun
    summary: Mapping[str, object]
    receipt: Receipt | None

    def as_json(self) -> dict[str, object]:
        """The published summary, and the receipt as `push`; or why nothing is published."""
        if self.receipt is None:
            return {**self.summary, "push": None, "unpublished": self.run.unpublished}
        return {**self.summary, "push": self.receipt.as_json()}


class Service:
    """All jobs of the function. Threads may share it.

    `environment` names the bucket and the parameters. For `seconds` see `Database`.
    """

    def __init__(self, environment: Mapping[str, str], *, seconds: float = 300) -> None:
        self._environment = environment
        self._database = Database(environment, seconds=seconds)

    @cached_property
    def settings(self) -> Settings:
        """The settings, without those in AWS SSM."""
        return load_settings({}, self._environment, None)

    @property
    def http_tables(self) -> tuple[str, ...]:
        """The tables that callers of HTTP may rank and publish."""
        names = (self.settings.http_tables or "").split(",")
        return tuple(name.strip() for name in names if name.strip())

    def tables(self) -> list[dict[str, object]]:
        """The tables, as `list-tables --format json` prints them."""
        return self._with_source(lambda source: list_tables(source).as_json())

    def schema(self, table: str) -> dict[str, object]:
        """A table's columns and keys, as its schema file has them. Raises `NotFoundError`."""

        def describe(source: Source) -> dict[str, object]:
            return describe_listed(source, [source.find_listed_table(table)]).as_json()[0]

        return self._with_source(describe)

    def run(self, options: RunOptions, request_id: str = "") -> PublishedRun:
        """Rank the colors and publish them. The same rows again change nothing.

        Logs each step with the id of the request. Raises the errors of `run_colors` and `push`.
        """
        store = self._store_options()
        with TemporaryFolder() as folder:
            output = Path(folder) / "run"
            rules = self._read_rules(Path(folder), store)
            run = self._rank(replace(options, rules=rules, output=output, publish=True), store)
            fields = {"request_id": request_id, "run_id": run.run_id}
            # An empty table is no error, but hardly ever what the desk expects.
            level = logging.INFO if run.counts.read else logging.WARNING
            _log.log(level, "ranked", extra={"fields": {**fields, "rows": run.counts.read}})
            if run.unpublished:
                extra = {"fields": {**fields, "reason": run.unpublished}}
                _log.warning("nothing is published", extra=extra)
                return PublishedRun(run=run, summary=run.summary(), receipt=None)
            key = self.settings.push_kms_key_id
            push_options = PushOptions(
                region=self.settings.aws_region,
                sse="aws:kms" if key else None,
                kms_key_id=key,
                deadline=store.seconds,
            )
            receipt = push([output], self._target, push_options)
        seal = next(pushed for pushed in receipt.objects if pushed.key.endswith(f"/{RUN_SUMMARY}"))
        self._ask(lambda runs: runs.add_to_index(run.run_id, seal.key), store)
        sent = sum(pushed.action == "sent" for pushed in receipt.objects)
        _log.info("published", extra={"fields": {**fields, "sent": sent}})
        # If the same rows were published before, their summary counts, with its own PROCESSED_AT.
        summary: Mapping[str, object] = run.summary()
        if seal.action == "kept":
            summary = self._ask(lambda runs: runs.read_summary(seal.key).content, store)
        return PublishedRun(run=run, summary=summary, receipt=receipt)

    def summary(self, run_id: str | None, day: date | None = None) -> dict[str, object]:
        """The summary of a published run; see `PublishedRuns.find_summary_key`."""

        def read(runs: PublishedRuns) -> Mapping[str, object]:
            return runs.read_summary(runs.find_summary_key(run_id, day)).content

        return dict(self._ask(read, self._store_options()))

    def colors(
        self, run_id: str | None, selection: Filter, day: date | None = None
    ) -> tuple[str, bytes]:
        """The selected colors of a published run; see `PublishedRuns.read_colors`."""
        return self._ask(
            lambda runs: runs.read_colors(run_id, selection, day), self._store_options()
        )

    def _store_options(self) -> FileOptions:
        """How this call reads from S3: until MARKETPULSE_DEADLINE, which begins now."""
        settings = self.settings
        ends = None if settings.deadline is None else time.monotonic() + settings.deadline
        return FileOptions(region=settings.aws_region, ends=ends)

    def _ask(self, question: Callable[[PublishedRuns], T], store: FileOptions) -> T:
        """Return the answer of the published runs. Raises `AwsError` at the deadline."""
        runs = self._published
        return within_deadline(lambda _: question(runs), self._target, store)

    def _rank(self, options: RunOptions, store: FileOptions) -> ColorsRun:
        query = self._read_query(store) if options.table is None else None

        def rank(source: Source) -> ColorsRun:
            table = options.table
            if table is None and query is None:
                table = self._default_table()
            return run_colors(source, replace(options, table=table))

        # The source is opened with them, so that nothing is left for the run to know.
        delimiter = options.delimiter and parse_delimiter(options.delimiter)
        sheet, header_row = options.sheet, options.header_row
        files = replace(store, delimiter=delimiter, sheet=sheet, header_row=header_row)
        options = replace(options, delimiter=None, sheet=None, header_row=None)
        return self._with_source(rank, files, query)

    def _with_source(
        self,
        job: Callable[[Source], T],
        files: FileOptions | None = None,
        query: SelectQuery | None = None,
    ) -> T:
        files = files or self._store_options()
        settings = self.settings
        if settings.source == "oracle":
            refuse_file_options(files, "oracle")
            with self._database.connect(query) as source:
                return job(source)
        with open_source(settings.source, files=files) as source:
            return job(source)

    def _default_table(self) -> str | None:
        from_oracle = self.settings.source == "oracle"
        return self._database.credentials().table_name if from_oracle else None

    @property
    def _target(self) -> str:
        if self.settings.push is None:
            raise SettingsError(
                "MARKETPULSE_PUSH is not set",
                hint="set it to the address for results: s3://bucket/processed_colors/",
            )
        return self.settings.push

    @cached_property
    def _published(self) -> PublishedRuns:
        return PublishedRuns(*open_store(self.settings, self._target))

    def _read_rules(self, folder: Path, store: FileOptions) -> list[RuleBook | str] | None:
        """The rules of MARKETPULSE_RULES: one or several files, or objects, under their names."""
        names = self.settings.rules
        if not names:
            return None
        return [self._read_rules_file(name, folder, store) for name in split_list(names)]

    def _read_rules_file(self, name: str, folder: Path, store: FileOptions) -> RuleBook | str:
        if not name.startswith("s3://"):
            return name
        path = folder / name.rpartition("/")[2]
        path.write_bytes(_read_object(name, "rules", "MARKETPULSE_RULES", store))
        return replace(read_rules(path), name=name)

    def _read_query(self, store: FileOptions) -> SelectQuery | None:
        """The query of the settings: a path, or an object. No caller has a say in it."""
        name = self.settings.query
        if name is None:
            return None
        if self.settings.source != "oracle":
            raise SettingsError(
                f"MARKETPULSE_QUERY needs an Oracle database, and the source is "
                f"{self.settings.source}",
                hint="remove MARKETPULSE_QUERY or MARKETPULSE_SOURCE",
            )
        if name.startswith("s3://"):
            content = _read_object(name, "query", "MARKETPULSE_QUERY", store)
        elif Path(name).is_file():
            content = Path(name).read_bytes()
        else:
            raise NotFoundError(f"{name}: there is no such query", hint="check MARKETPULSE_QUERY")
        return read_query(content, name)


def _read_object(uri: str, kind: str, variable: str, store: FileOptions) -> bytes:
    location = parse_s3_uri(uri)
    with Bucket(location.bucket, region=store.region) as bucket:
        content = within_deadline(lambda _: bucket.read(location.prefix), uri, store)
    if content is None:
        article = "are no such" if kind == "rules" else "is no such"
        raise NotFoundError(f"{uri}: there {article} {kind}", hint=f"check {variable}")
    return content
