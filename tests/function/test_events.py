"""Events of Lambda: what they may ask for, what is logged, and who answers HTTP."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from function.helpers import AT, FIRST, UNDER, Cloud, ask, call
from support import ROOT, Tool

from marketpulse.errors import MarketPulseError, UsageError
from marketpulse.function import events


def test_a_scheduled_event_publishes_what_the_cli_writes(cloud: Cloud, tool: Tool) -> None:
    """The objects are the files of the command line, byte for byte, and latest.json leads there."""
    answer = call({"time": AT})
    words = ["run-colors", "--formats", "csv,parquet", "--processed-at", AT, "--output", "out"]
    words += ["--table", "COLORS_TABLE", "--processing-type", "AUTOMATED", "--format", "json"]
    done = tool.run(*words)

    assert done.code == 0, done.err
    objects = cloud.objects()
    run_id = json.loads(done.out)["run_id"]
    assert answer["run_id"] == run_id
    assert answer["rows"]["read"] > 100
    for name in ("processed_colors.csv", "processed_colors.parquet", "excluded_colors.csv"):
        assert objects[f"{UNDER}{run_id}/{name}"] == (tool.out / name).read_bytes()
    assert json.loads(objects["processed_colors/latest.json"])["run_id"] == run_id


@pytest.mark.parametrize(
    "event",
    [
        {"time": 7},
        {"mapping": "price=PX"},
        {"mapping": [1]},
        {"mapping": 7},
        {"date_format": "M/D/YYYY"},
        {"accept_rounded_ids": "yes"},
        {"types": "SPREAD=number"},
        {"delimiter": ";"},
        {"sheet": "Colors"},
        {"header_row": 0},
        {"header_row": "3"},
        {"wher": "RANK = 1"},
        {"max_rejected": True},
        {"max_rejected": [1]},
        [],
        None,
    ],
)
def test_invalid_events(cloud: Cloud, event: Any) -> None:
    """An unknown key, a wrong type or no object fails before a login."""
    with pytest.raises(UsageError):
        call(event)
    assert cloud.database.record.connections == 0


def test_the_application_creates_the_service_at_once(cloud: Cloud) -> None:
    """Requests in several threads would each create a service and log in."""
    events.application()

    assert cloud.database.record.logins == []
    assert events.service.cache_info().currsize == 1


def test_files_of_an_interrupted_call_are_removed(tmp_path: Path) -> None:
    """Lambda keeps the disk of a call that it ended; elsewhere nothing is removed."""
    code = "from marketpulse.function.events import service; service()"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    (tmp_path / "marketpulse-1/run").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    for name, remaining in (
        ("NOT_IN_LAMBDA", ["marketpulse-1", "other"]),
        ("AWS_LAMBDA_FUNCTION_NAME", ["other"]),
    ):
        subprocess.run(
            [sys.executable, "-c", code], env=environment | {name: "x"}, check=True, timeout=60
        )
        assert sorted(path.name for path in tmp_path.iterdir()) == remaining


@pytest.mark.usefixtures("cloud")
def test_the_log_has_the_run_id_and_no_secret(capfd: pytest.CaptureFixture[str]) -> None:
    """Each line is JSON; one has run, request and rows; an error has its check."""
    run_id = call({"time": AT})["run_id"]
    with pytest.raises(MarketPulseError):
        call({"time": AT, "table": "NOBODYS"})
    err = capfd.readouterr().err
    lines = [json.loads(line) for line in err.splitlines()]
    done = next(line for line in lines if line["message"] == "done")

    assert (done["run_id"], done["request_id"]) == (run_id, "7c9e6679-request")
    assert done["read"] > 100
    assert any(line.get("check") == "MP-SRC-001" for line in lines)
    assert FIRST not in err


@pytest.mark.usefixtures("cloud")
def test_an_http_error_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    """With its check and the id of the request."""
    assert ask("/tables/NOBODYS/schema")[0] == 404
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    failed = next(line for line in lines if line["level"] == "ERROR")

    assert (failed["check"], failed["request_id"]) == ("MP-SRC-001", "7c9e6679-request")
