"""The front door in AWS Lambda: the event of a schedule, or a question by HTTP.

The same application answers on a desk: `uvicorn --factory marketpulse.function:application`.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marketpulse.cli import console
from marketpulse.colors.options import RunOptions
from marketpulse.errors import MarketPulseError, UsageError
from marketpulse.function.service import Service

if TYPE_CHECKING:
    from fastapi import FastAPI

_log = logging.getLogger(__name__)
ASKED = {"table", "where", "hierarchy", "mapping", "time", "max_rejected"}
_OF_EVENTBRIDGE = {
    *("version", "id", "detail-type", "source", "account", "region", "resources", "detail"),
    "replay-name",
}


def handler(event: Mapping[str, Any], context: Any) -> Any:
    """Rank and publish at a scheduled time, or answer a question of HTTP.

    An event may name `table`, `where`, `hierarchy`, `mapping`, `time` and `max_rejected`. What goes
    wrong is raised, so that AWS tries again and alarms ring.
    """
    console.log(logging.INFO, as_json=True, replace=True)
    if "requestContext" in event:
        return _http()(dict(event), context)
    request = getattr(context, "aws_request_id", "")
    try:
        published = service().run(_wanted(event), request)
    except MarketPulseError as fault:
        _log.error("failed", extra={"fields": {"request_id": request, **fault.as_json()}})
        raise
    run = published.run
    told = {"request_id": request, "run_id": run.run_id, **run.summary()["rows"]}
    _log.info("done", extra={"fields": told})
    return published.as_json()


def application() -> FastAPI:
    """The application for HTTP."""
    from marketpulse.function import http as api  # noqa: PLC0415 - a schedule needs no HTTP

    service()  # before the first questions: they come in several threads, and one logs in
    return api.application(service)


@cache
def service() -> Service:
    """What this process works with, as long as it lives."""
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        # One that was ended in the middle has left its files, and the next has the same disk.
        for left in Path(tempfile.gettempdir()).glob("marketpulse-*"):
            shutil.rmtree(left, ignore_errors=True)
    return Service(os.environ)


@cache
def _http() -> Any:
    from mangum import Mangum  # noqa: PLC0415 - so too

    return Mangum(application(), lifespan="off")


def _wanted(event: Mapping[str, Any]) -> RunOptions:
    """What an event asks for. EventBridge's own keys, but `time`, mean nothing here."""
    if odd := sorted(event.keys() - ASKED - _OF_EVENTBRIDGE):
        raise UsageError(
            f"the event has {', '.join(map(repr, odd))}, which means nothing",
            hint=f"it may have {', '.join(sorted(ASKED))}",
        )
    texts = {name: event.get(name) for name in ("table", "where", "hierarchy", "time")}
    mapping = event.get("mapping") or []
    words = [it for it in texts.values() if it is not None]
    words += mapping if isinstance(mapping, list) else [mapping]
    if isinstance(mapping, str) or not all(isinstance(it, str) for it in words):
        raise UsageError(
            "the event's table, where, hierarchy and time are texts, its mapping is a list of them",
            hint='for instance {"time": "2026-03-13T08:00:00Z", "mapping": ["price=MID_PRICE"]}',
        )
    limit = event.get("max_rejected")
    if isinstance(limit, bool) or not isinstance(limit, int | str | None):
        raise UsageError(
            "the event's max_rejected is neither a number nor a text",
            hint='for instance {"max_rejected": 50} or {"max_rejected": "5%"}',
        )
    if limit is not None:
        texts["max_rejected"] = str(limit)
    chosen: dict[str, Any] = {name: text for name, text in texts.items() if text}
    if "time" in chosen:
        chosen["processed_at"] = chosen.pop("time")
    return RunOptions(**chosen, mapping=tuple(mapping), processing_type="AUTOMATED")
