"""The HTTP application: answers, filters, errors, and its OpenAPI document."""

import csv
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import schemathesis
import uvicorn
from function.helpers import AT, SECOND, UNDER, Cloud, ask, call
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance
from support import ROOT

from marketpulse.function import events

APPLICATION = "marketpulse.function:application"


UNCHECKED = [schemathesis.checks.not_a_server_error, positive_data_acceptance]


def test_http_behind_the_same_handler(cloud: Cloud) -> None:
    """Tables, a schema, a run and its summary; errors are JSON with their status."""
    assert ask("/health")[1]["status"] == "ok"
    assert ask("/runs/latest")[0] == ask("/colors")[0] == 404
    status, tables = ask("/tables")
    assert status == 200
    assert "COLORS_TABLE" in {table["name"] for table in tables}
    status, schema = ask("/tables/colors_table/schema")
    assert (status, schema["columns"][0]["name"]) == (200, "MESSAGE_ID")
    status, fault = ask("/tables/COLOR_TABLE/schema")
    assert (status, fault["error"]["check"]) == (404, "MP-SRC-001")
    status, run = ask("/runs", method="POST", body=json.dumps({"time": AT}))
    assert (status, run["processing_type"], run["input"]) == (201, "MANUAL", "COLORS_TABLE")
    assert ask(f"/runs/{run['run_id']}")[1] == ask("/runs/latest")[1]
    assert ask("/runs/" + "0" * 16)[0] == 404
    cloud.database.users.clear()
    cloud.put(password=SECOND)
    events.service.cache_clear()
    assert ask("/tables")[0] == 503


def test_published_colors_are_filtered(cloud: Cloud) -> None:
    """Each filter returns the matching rows of the CSV file, in order, with exact digits."""
    run_id = call({"time": AT})["run_id"]
    text = cloud.objects()[f"{UNDER}{run_id}/processed_colors.csv"].decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    every = [int(row["MESSAGE_ID"]) for row in rows]
    assert max(every) > 2**53

    def ids(query: str) -> list[int]:
        status, answer = ask("/colors", query)
        assert (status, answer["run_id"]) == (200, run_id)
        return [color["MESSAGE_ID"] for color in answer["colors"]]

    def those(**wanted: str) -> list[int]:
        return [
            int(row["MESSAGE_ID"])
            for row in rows
            if all(row[name].startswith(value) for name, value in wanted.items())
        ]

    one = rows[len(rows) // 2]
    assert ids("limit=5000") == every
    assert ids("limit=7&offset=3") == every[3:10]
    assert ids(f"cusip={one['CUSIP'].lower()}&limit=5000") == those(CUSIP=one["CUSIP"])
    assert ids("parents=true&limit=5000") == those(IS_PARENT="true")
    day = one["DATE"][:10]
    assert ids(f"date={day}&limit=5000") == those(DATE=day)
    assert ids(f"dealer=Lumi%C3%A8re&date={day}&limit=5000") == those(SOURCE="Lumière", DATE=day)
    assert ids(f"run={run_id}&cusip=NOBODY") == []


def test_an_answer_that_is_too_large(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer beyond the limit of Lambda is 400 with a hint; a page of it is sent."""
    row = f"7,037833100,1,2026-03-13,99.5,{'x' * 1500}\n"
    (tmp_path / "wide.csv").write_text("MESSAGE_ID,CUSIP,RANK,DATE,PX,NOTE\n" + row * 4000)
    monkeypatch.setenv("MARKETPULSE_SOURCE", str(tmp_path / "wide.csv"))
    call({"time": AT, "table": "wide"})
    status, told = ask("/colors", "limit=5000")

    assert cloud.objects()
    assert (status, told["error"]["check"]) == (400, "MP-USE-001")
    assert "a limit below 5000" in told["error"]["hint"]
    assert len(ask("/colors", "limit=1000")[1]["colors"]) == 1000


@pytest.mark.usefixtures("published")
def test_unknown_filters_and_empty_names() -> None:
    """An unknown filter is 400, because ignoring it would return all colors."""
    status, told = ask("/colors", "cusips=X")
    assert (status, "'cusips'" in told["error"]["message"]) == (400, True)
    assert ask("/tables//schema")[0] in {404, 422}
    for path in ("/colors", "/runs/latest"):
        assert ask(path, "day=2026-03-13")[1]["error"]["message"] == "day needs a run"


def test_http_only_reads_unless_told_otherwise(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a list of tables there are no runs; with one, only its tables, and no condition."""
    refused = ask("/runs", method="POST", body='{"table": "SECURITIES"}')
    monkeypatch.delenv("MARKETPULSE_HTTP_TABLES")
    events.service.cache_clear()
    off = ask("/runs", method="POST", body="{}")

    assert (refused[0], off[0]) == (403, 403)
    assert refused[1]["error"]["message"] == "table: this function ranks only COLORS_TABLE, COLORS"
    assert "MARKETPULSE_HTTP_TABLES is not set" in off[1]["error"]["message"]
    assert ask("/health")[0] == 200
    assert "/runs" not in ask("/openapi.json")[1]["paths"]
    assert cloud.database.record.connections == 0


def stage_event(path: str, shown: str) -> dict[str, Any]:
    """A request to the stage `prod` of a REST API; `shown` is the path that the caller sent."""
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": "GET",
        "headers": {"host": "x"},
        "requestContext": {"path": shown, "stage": "prod"},
    }


@pytest.mark.usefixtures("cloud")
def test_the_stage_of_an_api_gateway() -> None:
    """A stage before the path changes no answer, and the documentation names paths with it."""
    http = {"method": "GET", "path": "/prod/docs", "sourceIp": "10.0.0.1"}
    documentation = [
        call({"version": "2.0", "headers": {}, "requestContext": {"http": http, "stage": "prod"}}),
        call(stage_event("/docs", "/prod/docs")),
        call(stage_event("/docs", "/docs")),  # a domain of one's own, whose paths have no stage
    ]
    addresses = [re.findall("url: '(.*)'", page["body"]) for page in documentation]

    assert addresses == [["/prod/openapi.json"], ["/prod/openapi.json"], ["/openapi.json"]]
    assert json.loads(call(stage_event("/health", "/prod/health"))["body"])["status"] == "ok"


@pytest.mark.usefixtures("cloud")
def test_a_table_whose_name_has_a_slash() -> None:
    """A name with a slash works, escaped or not."""
    for path in ("/tables/A%2FB/schema", "/tables/A/B/schema"):
        status, schema = ask(path)
        assert (status, schema["name"]) == (200, "A/B")


@pytest.fixture
def url(published: Cloud) -> Iterator[str]:
    """The application, served by uvicorn in this process."""
    assert published.objects()
    server = uvicorn.Server(
        uvicorn.Config(events.application(), host="127.0.0.1", port=0, log_level="warning")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    for _ in range(500):
        if server.started:
            break
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


def test_no_request_breaks_it(url: str) -> None:
    """Fuzzed with its own document: no 500, and no undocumented answer."""
    seen = set()
    for found in schemathesis.openapi.from_url(f"{url}/openapi.json").get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def probe(case: Any) -> None:
            answer = case.call()
            seen.add((case.operation.path, answer.status_code))
            assert answer.status_code != 500
            case.validate_response(answer, excluded_checks=UNCHECKED)

        probe()
    assert {path for path, _ in seen} == {
        "/health", "/tables", "/tables/{table}/schema", "/runs", "/runs/{run_id}", "/colors",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "query", "body", "said"),
    [
        ("/colors", "limit=0", None, "query limit: "),
        ("/colors", "date=friday", None, "query date: "),
        ("/runs/x", "", None, "path run_id: "),
        ("/runs", "", '{"hierarchy": "rank"}', "body hierarchy: "),
        ("/runs", "", '{"bucket": "mine"}', "body bucket: "),
        ("/runs", "", '{"where": "1 = 1"}', "body where: "),
        ("/runs", "", '{"query": "SELECT 1 FROM DUAL"}', "body query: "),
        ("/runs", "", '{"max_rejected": "few"}', "body max_rejected"),
        ("/runs", "", '{"max_rejected": true}', "body max_rejected"),
        ("/runs", "", "{", "JSON"),
        ("/nothing", "", None, "Not Found"),
        ("/tables", "", "{}", "Method Not Allowed"),
    ],
)
def test_invalid_requests_have_the_documented_answer(
    monkeypatch: pytest.MonkeyPatch, path: str, query: str, body: str | None, said: str
) -> None:
    """Invalid parameters, paths and methods have one message and one hint."""
    monkeypatch.setenv("MARKETPULSE_HTTP_TABLES", "COLORS")
    events.service.cache_clear()
    status, answer = ask(path, query, "POST" if body else "GET", body)

    assert status == {"Not Found": 404, "Method Not Allowed": 405}.get(said, 422)
    assert answer["error"]["check"] == "MP-USE-001"
    assert said in answer["error"]["message"]
    assert answer["error"]["hint"]


@pytest.mark.usefixtures("cloud")
def test_a_body_has_the_keys_of_an_event_but_the_condition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has the same effect."""
    row = "037833100;1;3/13/2026;9"
    rows = ("MESSAGE_ID;CUSIP;RANK;WHEN;MID;DESK", f"1.77E+05;{row};1", f"x;{row};2")
    (tmp_path / "day.csv").write_text("\n".join(rows))
    monkeypatch.setenv("MARKETPULSE_SOURCE", str(tmp_path / "day.csv"))
    monkeypatch.setenv("MARKETPULSE_HTTP_TABLES", "day")
    body = {
        "table": "day",
        "hierarchy": "price,rank,date",
        "mapping": ["date=WHEN", "price=MID"],
        "types": ["DESK=number"],
        "date_format": ["WHEN=M/D/YYYY"],
        "accept_rounded_ids": True,
        "delimiter": ";",
        "time": AT,
        "max_rejected": 1,
    }
    status, run = ask("/runs", method="POST", body=json.dumps(body))
    event = call(body)

    assert (status, run["rows"]["parents"], run["rows"]["rejected"]) == (201, 1, 1)
    assert run["run_id"] == event["run_id"]
    fields = ask("/openapi.json")[1]["components"]["schemas"]["RunBody"]["properties"]
    assert set(fields) == events.EVENT_KEYS - {"where"}
    assert set(fields) - set(body) == {"sheet", "header_row"}  # of XLSX
    status, answer = ask("/runs", method="POST", body=json.dumps(body | {"sheet": "x"}))
    assert (status, "--sheet: " in answer["error"]["message"]) == (400, True)


@pytest.mark.usefixtures("published")
def test_examples_match_answers() -> None:
    """The examples of the document have the fields of real answers."""
    document = ask("/openapi.json")[1]
    latest, colors = ask("/runs/latest")[1], ask("/colors")[1]
    shown = document["paths"]["/runs/{run_id}"]["get"]["responses"]["200"]
    assert set(shown["content"]["application/json"]["example"]) <= set(latest)
    shown = document["paths"]["/colors"]["get"]["responses"]["200"]
    example = shown["content"]["application/json"]["example"]
    assert set(example) == set(colors)
    assert set(example["colors"][0]) <= set(colors["colors"][0])


@pytest.mark.usefixtures("published")
def test_uvicorn_runs_the_same(tmp_path: Path) -> None:
    """On a desk the application runs under uvicorn."""
    server = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", *["--port", "0", "--factory"], APPLICATION],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        lines = (server.stderr.readline() for _ in range(50))
        url = next(found[0] for line in lines if (found := re.search(r"http://[0-9.:]+", line)))
        with urlopen(f"{url}/colors?limit=1", timeout=20) as answer:
            assert len(json.load(answer)["colors"]) == 1
    finally:
        server.terminate()
        server.communicate(timeout=20)
