"""The entry point in AWS Lambda: scheduled events, and HTTP requests.

The HTTP application also runs on a desk: `uvicorn --factory marketpulse.function:application`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from marketpulse.colors.columns import HIERARCHY
from marketpulse.colors.options import RunOptions
from marketpulse.errors import MarketPulseError, UsageError
from marketpulse.function.service import Service
from marketpulse.settings.log import configure_logging

if TYPE_CHECKING:
    from fastapi import FastAPI
    from mangum import Mangum

Context: TypeAlias = Any  # a class of Lambda's runtime, which no package has

_log = logging.getLogger(__name__)
EVENT_KEYS = {
    *("table", "where", "hierarchy", "mapping", "types", "date_format", "accept_rounded_ids"),
    *("delimiter", "sheet", "header_row", "time", "max_rejected"),
}
_TEXT_KEYS = ("table", "where", "hierarchy", "delimiter", "sheet", "time")
# EventBridge adds these to an event. They carry nothing that a run needs.
_EVENTBRIDGE_KEYS = {
    *("version", "id", "detail-type", "source", "account", "region", "resources", "detail"),
    "replay-name",
}


def handler(event: Mapping[str, object], context: Context) -> object:
    """Handle an event of Lambda: rank and publish, or answer an HTTP request.

    An event may have `table`, `where`, `hierarchy`, `mapping`, `types`, `date_format`,
    `accept_rounded_ids`, `delimiter`, `sheet`, `header_row`, `time` and `max_rejected`. Raises
    every error, so that Lambda retries and alarms ring.
    """
    configure_logging(logging.INFO, as_json=True, replace_handlers=True)
    # Every event of API Gateway and function URLs has it.
    if isinstance(event, Mapping) and "requestContext" in event:
        return _answer_http(event, context)
    request_id = getattr(context, "aws_request_id", "")
    try:
        published = service().run(_parse_event(event), request_id)
    except MarketPulseError as error:
        # One line with the check id, which an alarm can count. Lambda's own traceback has none.
        _log.error("failed", extra={"fields": {"request_id": request_id, **error.as_json()}})
        raise
    run = published.run
    fields = {"request_id": request_id, "run_id": run.run_id, **asdict(run.counts)}
    _log.info("done", extra={"fields": fields})
    return published.as_json()


def application() -> FastAPI:
    """Create the HTTP application."""
    from marketpulse.function import http  # noqa: PLC0415 - scheduled events need no FastAPI

    # The service now, in one thread: requests come in several, and two services would log in twice.
    return http.create_application(service, service().http_tables)


@cache
def service() -> Service:
    """The service of this process. It keeps connections and settings between calls."""
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        # A call that Lambda ended leaves its files on the disk, which the next call inherits.
        for folder in Path(tempfile.gettempdir()).glob("marketpulse-*"):
            shutil.rmtree(folder, ignore_errors=True)
    return Service(os.environ)


def _answer_http(event: Mapping[str, object], context: Context) -> object:
    """Answer an HTTP event in an event loop of its own.

    Mangum uses the current event loop of the thread. Since Python 3.12 there is none by default.
    """
    with asyncio.Runner() as runner:
        asyncio.set_event_loop(runner.get_loop())
        return _adapter(service().http_tables)(dict(event), context)


@cache
def _adapter(tables: tuple[str, ...]) -> Mangum:
    from mangum import Mangum  # noqa: PLC0415 - scheduled events need no HTTP

    from marketpulse.function import http  # noqa: PLC0415 - the same reason

    application = http.StageApplication(http.create_application(service, tables))
    # Lambda may freeze or end a process at any time: no shutdown event would come.
    return Mangum(application, lifespan="off")


def _parse_event(event: Mapping[str, object]) -> RunOptions:
    """Read what an event asks for. Raises `UsageError` for unknown keys and wrong types."""
    if not isinstance(event, Mapping):
        raise UsageError(
            "the event is not an object", hint='for example {}, or {"time": "2026-03-13T08:00:00Z"}'
        )
    # A misspelt key would otherwise rank and publish with the default.
    unknown = sorted(event.keys() - EVENT_KEYS - _EVENTBRIDGE_KEYS)
    if unknown:
        raise UsageError(
            f"the event has unknown keys: {', '.join(map(repr, unknown))}",
            hint=f"it may have {', '.join(sorted(EVENT_KEYS))}",
        )
    # Empty text means the default, as an empty variable of Terraform gives it.
    texts = {key: _parse_text(event, key) or None for key in _TEXT_KEYS}
    return RunOptions(
        table=texts["table"],
        where=texts["where"],
        hierarchy=texts["hierarchy"] or HIERARCHY,
        mapping=_parse_list(event, "mapping", "price=MID_PRICE"),
        types=_parse_list(event, "types", "SPREAD=number"),
        delimiter=texts["delimiter"],
        sheet=texts["sheet"],
        header_row=_parse_row(event),
        date_formats=_parse_list(event, "date_format", "DATE=DD-MON-YY"),
        accept_rounded_ids=_parse_flag(event, "accept_rounded_ids"),
        processed_at=texts["time"],
        max_rejected=_parse_limit(event),
        processing_type="AUTOMATED",
        publish=True,
    )


def _parse_text(event: Mapping[str, object], name: str) -> str | None:
    value = event.get(name)
    if not isinstance(value, str | None):
        raise UsageError(
            f"{name} of the event is not text",
            hint='for example {"time": "2026-03-13T08:00:00Z", "table": "COLORS"}',
        )
    return value


def _parse_row(event: Mapping[str, object]) -> int | None:
    row = event.get("header_row")
    # True is an int to Python.
    if row is None or (isinstance(row, int) and not isinstance(row, bool) and row > 0):
        return row
    raise UsageError(
        "header_row of the event is not the number of a row", hint='for example {"header_row": 3}'
    )


def _parse_limit(event: Mapping[str, object]) -> str | None:
    limit = event.get("max_rejected")
    if isinstance(limit, bool) or not isinstance(limit, int | str | None):
        raise UsageError(
            "max_rejected of the event is neither a number nor text",
            hint='for example {"max_rejected": 50} or {"max_rejected": "5%"}',
        )
    return None if limit in (None, "") else str(limit)


def _parse_list(event: Mapping[str, object], name: str, example: str) -> tuple[str, ...]:
    values = event.get(name) or []
    if not isinstance(values, list) or not all(isinstance(entry, str) for entry in values):
        raise UsageError(
            f"{name} of the event is not a list of text",
            hint=f'for example {{"{name}": ["{example}"]}}',
        )
    return tuple(values)


def _parse_flag(event: Mapping[str, object], name: str) -> bool:
    value = event.get(name, False)
    if not isinstance(value, bool):
        raise UsageError(
            f"{name} of the event is neither true nor false", hint=f'for example {{"{name}": true}}'
        )
    return value
