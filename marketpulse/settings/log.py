"""The log on standard error: lines of text, or a JSON object per line."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO


def configure_logging(level: int, *, as_json: bool, replace_handlers: bool = False) -> None:
    """Write log entries of this level and above to standard error.

    A JSON line also has the fields of `extra={"fields": {...}}`. `replace_handlers` removes the
    handlers that are there, such as Lambda's.
    """
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    present = [handler for handler in logging.root.handlers if isinstance(handler, _LogStream)]
    handler = present[0] if present else _LogStream()
    handler.setFormatter(_JsonFormatter() if as_json else formatter)
    logging.basicConfig(level=level, handlers=[handler], force=replace_handlers)
    if present:  # an option after the command changes what one before it has set
        logging.root.setLevel(level)


class _LogStream(logging.StreamHandler[TextIO]):
    """The handler of `configure_logging`."""


class _JsonFormatter(logging.Formatter):
    """Formats an entry as JSON; of an exception it shows the class and the line."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry = {"time": time, "level": record.levelname, "logger": record.name}
        entry |= {"message": record.getMessage()} | getattr(record, "fields", {})
        if record.exc_info and record.exc_info[0]:
            # Not the exception's text: it may hold values of the data.
            frame = traceback.extract_tb(record.exc_info[2])[-1]
            entry["error"] = record.exc_info[0].__name__
            entry["at"] = f"{Path(frame.filename).name}:{frame.lineno}"
        return json.dumps(entry, ensure_ascii=False)
