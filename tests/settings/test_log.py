"""The log: an exception shows its class and line, never its text."""

import json
import logging
import re

import pytest

from marketpulse.settings.log import configure_logging

SECRET = "Planted-Rye-5150"


def test_an_exception_shows_where_and_no_values(capfd: pytest.CaptureFixture[str]) -> None:
    """The text of an exception may hold values, so it is left out."""
    configure_logging(logging.INFO, as_json=True, replace_handlers=True)
    try:
        _ = {"": 0}[SECRET]
    except KeyError:
        logging.getLogger("x").exception("broken")
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)
    err = capfd.readouterr().err
    entry = json.loads(err)

    assert (entry["message"], entry["error"]) == ("broken", "KeyError")
    assert re.fullmatch(r"test_log\.py:[0-9]+", entry["at"])
    assert SECRET not in err


def test_fields_become_keys(capfd: pytest.CaptureFixture[str]) -> None:
    """The keys of `fields` stand beside time, level, logger and message."""
    configure_logging(logging.INFO, as_json=True, replace_handlers=True)
    logging.getLogger("x").info("done", extra={"fields": {"rows": 3}})
    logging.getLogger("x").debug("not shown")
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)
    (line,) = capfd.readouterr().err.splitlines()
    entry = json.loads(line)

    assert [*entry] == ["time", "level", "logger", "message", "rows"]
    assert (entry["level"], entry["message"], entry["rows"]) == ("INFO", "done", 3)
