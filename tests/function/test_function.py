"""The function: called as AWS would, against the wire server, and SSM and S3 over HTTP."""

import csv
import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import boto3
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from moto.server import ThreadedMotoServer
from oracle_server.engine import DuckEngine
from oracle_server.market import market
from oracle_server.server import OracleServer
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance
from support import ROOT

from marketpulse.cli import console
from marketpulse.errors import DataError, LoginError, MarketPulseError, SettingsError, UsageError
from marketpulse.function import events as aws_lambda
from marketpulse.function.service import Service

PATH = "/sp-incb/ci/market-pulse/oracle"
FIRST, SECOND = "Planted-Rye-5150", "Planted-Oat-6160"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
APPLICATION = "marketpulse.function:application"
AT = "2026-03-13T08:00:00Z"
# A 503 is no crash, and no schema tells which table, condition or mapping makes sense.
UNCHECKED = [schemathesis.checks.not_a_server_error, positive_data_acceptance]
UNDER = "processed_colors/date=2026-03-13/run="


@dataclass(frozen=True)
class Context:
    """As much of Lambda's context as is looked at."""

    aws_request_id: str = "7c9e6679-request"


@dataclass
class Cloud:
    """A database, a Parameter Store and a bucket, and the environment of a function there."""

    database: OracleServer
    ssm: Any
    s3: Any
    environment: dict[str, str]

    def put(self, **values: str) -> None:
        """Write parameters."""
        for name, text in values.items():
            kind = "SecureString" if name in {"username", "password"} else "String"
            self.ssm.put_parameter(Name=f"{PATH}/{name}", Value=text, Type=kind, Overwrite=True)

    def objects(self) -> dict[str, bytes]:
        """All that is in the bucket."""
        listed = self.s3.list_objects_v2(Bucket="colors").get("Contents", ())
        return {
            item["Key"]: self.s3.get_object(Bucket="colors", Key=item["Key"])["Body"].read()
            for item in listed
        }

    def writes(self) -> int:
        """How many times something was written or deleted, ever."""
        versions = self.s3.list_object_versions(Bucket="colors")
        return len(versions.get("Versions", ())) + len(versions.get("DeleteMarkers", ()))


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """AWS over HTTP."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def cloud(moto: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cloud]:
    """All of it, made anew; this process is the function."""
    with urlopen(f"{moto}/moto-api/reset", data=b"", timeout=10):
        pass
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    ssm, s3 = (
        boto3.client(name, endpoint_url=moto, region_name="us-east-1", **keys)
        for name in ("ssm", "s3")
    )
    s3.create_bucket(Bucket="colors")
    s3.put_bucket_versioning(Bucket="colors", VersioningConfiguration={"Status": "Enabled"})
    environment = {
        **KEYS,
        "AWS_ENDPOINT_URL": moto,
        "AWS_EC2_METADATA_DISABLED": "true",
        "MARKETPULSE_PUSH": "s3://colors/processed_colors/",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    aws_lambda.service.cache_clear()
    with OracleServer(DuckEngine(market()), users={"ANALYST": FIRST}) as database:
        cloud = Cloud(database, ssm, s3, environment)
        cloud.put(
            host=database.host, port=str(database.port), service_name=database.service,
            username="analyst", password=FIRST, schema="MARKET", table_name="COLORS_TABLE",
        )  # fmt: skip
        yield cloud
    aws_lambda.service.cache_clear()
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)
    ssm.close()
    s3.close()


def call(event: Mapping[str, Any]) -> Any:
    """What Lambda does."""
    return aws_lambda.handler(event, Context())


def by_hand(cloud: Cloud, folder: Path, *words: str) -> Any:
    """The same cloud, and the command line."""
    return subprocess.run(
        [sys.executable, "-m", "marketpulse", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **cloud.environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_a_schedules_event_publishes_what_the_cli_makes(cloud: Cloud, tmp_path: Path) -> None:
    """The processed colors in the bucket are the CLI's, byte for byte, and latest.json's."""
    answer = call({"time": AT})
    words = ["run-colors", "--formats", "csv,parquet", "--processed-at", AT, "--output", "out"]
    words += ["--table", "COLORS_TABLE", "--processing-type", "AUTOMATED", "--format", "json"]
    done = by_hand(cloud, tmp_path, *words)

    assert done.returncode == 0, done.stderr
    objects = cloud.objects()
    run_id = json.loads(done.stdout)["run_id"]
    assert answer["run_id"] == run_id
    assert answer["rows"]["read"] > 100
    for name in ("processed_colors.csv", "processed_colors.parquet", "excluded_colors.csv"):
        assert objects[f"{UNDER}{run_id}/{name}"] == (tmp_path / "out" / name).read_bytes()
    assert json.loads(objects["processed_colors/latest.json"])["run_id"] == run_id


def test_called_twice_nothing_changes(cloud: Cloud) -> None:
    """Neither for the same event, nor two hours later while the rows are the same."""
    call({"time": AT})
    writes, objects = cloud.writes(), cloud.objects()
    again = call({"time": AT})
    later = call({"time": "2026-03-13T10:00:00Z"})

    assert {pushed["action"] for pushed in again["push"]["objects"]} == {"skipped"}
    assert {pushed["action"] for pushed in later["push"]["objects"]} == {"kept", "skipped"}
    assert (later["processed_at"], later["files"]) == (again["processed_at"], again["files"])
    assert (cloud.writes(), cloud.objects()) == (writes, objects)


def test_a_rotated_password_is_read_again(cloud: Cloud) -> None:
    """The process that knew the old password reads the new one, and goes on."""
    call({"time": AT})
    cloud.database.users["ANALYST"] = SECOND
    cloud.put(password=SECOND)

    assert call({"time": "2026-03-14T08:00:00Z"})["rows"]["read"] > 100


def test_parameters_are_read_now_and_then(cloud: Cloud) -> None:
    """For a time they are taken as they were read; then SSM is asked again."""
    patient, eager = Service(os.environ), Service(os.environ, seconds=0)
    assert patient.tables() == eager.tables()
    cloud.put(host="PLACEHOLDER")

    assert patient.tables()
    with pytest.raises(SettingsError):
        eager.tables()


def test_a_refused_password_is_not_sent_twice(cloud: Cloud) -> None:
    """Where SSM has no other one, there is one login however often AWS tries: accounts get locked.

    With another one it goes on at once; after a time the same one is tried again.
    """
    call({"time": AT})
    cloud.database.users["ANALYST"] = SECOND
    logins = len(cloud.database.seen.logins)
    for _ in range(3):  # AWS tries an event twice more
        with pytest.raises(LoginError, match="ORA-01017") as refused:
            call({"time": AT})
    with pytest.raises(LoginError):
        aws_lambda.service().tables()
    assert refused.value.check == "MP-LOG-001"
    assert len(cloud.database.seen.logins) - logins == 1

    cloud.put(password=SECOND)
    assert call({"time": AT})["rows"]["read"] > 100
    cloud.put(password=FIRST)
    eager = Service(os.environ, seconds=0)
    logins = len(cloud.database.seen.logins)
    for _ in range(2):
        with pytest.raises(LoginError):
            eager.tables()
    assert len(cloud.database.seen.logins) - logins == 2


def test_there_is_one_service_before_there_are_threads(cloud: Cloud) -> None:
    """Else each of the first questions would log in with one of its own."""
    aws_lambda.application()

    assert cloud.database.seen.logins == []
    assert aws_lambda.service.cache_info().currsize == 1


@pytest.mark.parametrize(
    ("bucket", "said"),
    [
        ("colors", "s3://colors/ answers"),
        ("s3://colors/processed_colors/", "s3://colors/processed_colors answers"),
        ("colors/processed_colors", "s3://colors/processed_colors answers"),
        ("no-such-bucket", "there is no bucket no-such-bucket"),
    ],
)
def test_doctor_looks_at_the_bucket(cloud: Cloud, tmp_path: Path, bucket: str, said: str) -> None:
    """It asks as a push would: below the prefix, for what is there."""
    done = by_hand(cloud, tmp_path, "doctor", "--bucket", bucket)

    assert said in done.stdout
    assert done.returncode == (0 if "answers" in said else 8), done.stdout


def test_after_a_rotation_the_old_password_is_sent_once(cloud: Cloud) -> None:
    """Whatever is asked at the same moment: one login is refused, and all are answered."""
    service = aws_lambda.service()
    tables = service.tables()
    cloud.database.users["ANALYST"] = SECOND
    cloud.put(password=SECOND)
    logins = len(cloud.database.seen.logins)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: service.tables(), range(8)))

    assert answers == [tables] * 8
    assert len(cloud.database.seen.logins) - logins == 8 + 1


def test_an_answer_that_lambda_could_not_send(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is too long for it is refused, with what to do; a part of it is not."""
    row = f"7,037833100,1,2026-03-13,99.5,{'x' * 1500}\n"
    (tmp_path / "wide.csv").write_text("MESSAGE_ID,CUSIP,RANK,DATE,PX,NOTE\n" + row * 4000)
    monkeypatch.setenv("MARKETPULSE_SOURCE", str(tmp_path / "wide.csv"))
    call({"time": AT, "table": "wide"})
    status, told = asked("/colors", "limit=5000")

    assert cloud.objects()
    assert (status, told["error"]["check"]) == (400, "MP-USE-001")
    assert "a limit below 5000" in told["error"]["hint"]
    assert len(asked("/colors", "limit=1000")[1]["colors"]) == 1000


@pytest.mark.usefixtures("published")
def test_questions_that_mean_nothing() -> None:
    """A filter that is none filters nothing, so it is refused; a name that is empty is none."""
    status, told = asked("/colors", "cusips=X")
    assert (status, "'cusips'" in told["error"]["message"]) == (400, True)
    assert asked("/tables//schema")[0] in {404, 422}
    status, told = asked("/runs", method="POST")  # all may be left out, where there is one table
    assert (status, "none was named" in told["error"]["message"]) == (404, True)


def test_what_an_ended_run_has_left_is_removed(tmp_path: Path) -> None:
    """Lambda keeps the disk of a function that it has ended; nowhere else is anything removed."""
    code = "from marketpulse.function.events import service; service()"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    (tmp_path / "marketpulse-1/run").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    for name, left in (
        ("NOT_IN_LAMBDA", ["marketpulse-1", "other"]),
        ("AWS_LAMBDA_FUNCTION_NAME", ["other"]),
    ):
        subprocess.run(
            [sys.executable, "-c", code], env=environment | {name: "x"}, check=True, timeout=60
        )
        assert sorted(path.name for path in tmp_path.iterdir()) == left


def test_a_fault_of_ours_says_where_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    """What was raised and where is in the log; what it says is not: that may be a value."""
    console.log(logging.INFO, as_json=True, replace=True)
    try:
        _ = {"": 0}[FIRST]
    except KeyError:
        logging.getLogger("x").exception("broken")
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)
    err = capfd.readouterr().err
    told = json.loads(err)

    assert (told["message"], told["error"]) == ("broken", "KeyError")
    assert re.fullmatch(r"test_lambda\.py:[0-9]+", told["at"])
    assert FIRST not in err


@pytest.mark.usefixtures("cloud")
def test_a_fault_by_http_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    """With its check and the id of the request, as a schedule's."""
    assert asked("/tables/NOBODYS/schema")[0] == 404
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    failed = next(line for line in lines if line["level"] == "ERROR")

    assert (failed["check"], failed["request_id"]) == ("MP-SRC-001", "7c9e6679-request")


@pytest.mark.usefixtures("cloud")
def test_a_table_whose_name_has_a_slash() -> None:
    """Whatever is listed can be asked for."""
    for path in ("/tables/A%2FB/schema", "/tables/A/B/schema"):
        status, schema = asked(path)
        assert (status, schema["name"]) == (200, "A/B")


@pytest.mark.usefixtures("cloud")
def test_the_log_has_the_run_id_and_no_secret(capfd: pytest.CaptureFixture[str]) -> None:
    """Each line is JSON; one names run, request and rows; a fault has its check."""
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


@pytest.mark.parametrize(
    "event",
    [
        {"time": 7},
        {"mapping": "price=PX"},
        {"mapping": [1]},
        {"mapping": 7},
        {"wher": "RANK = 1"},
        {"max_rejected": True},
        {"max_rejected": [1]},
    ],
)
def test_an_event_of_other_words(cloud: Cloud, event: dict[str, Any]) -> None:
    """It is refused before anybody logs in."""
    with pytest.raises(UsageError):
        call(event)
    assert cloud.database.seen.connections == 0


def test_rules_from_the_bucket_and_a_condition(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules are an object, too; where is the database's to answer."""
    rule = {"type": "where", "column": "RANK", "operator": "equals", "value": 6}
    rules = {"rules": [{"id": 1, "name": "x", "is_active": True, "conditions": [rule]}]}
    monkeypatch.setenv("MARKETPULSE_RULES", "s3://colors/desk/rules.json")
    with pytest.raises(MarketPulseError, match="there are no such rules"):
        call({"time": AT})
    cloud.s3.put_object(Bucket="colors", Key="desk/rules.json", Body=json.dumps(rules).encode())
    everything = call({"time": AT})
    some = call({"time": AT, "where": "RANK < 6"})

    assert everything["excluded_by_rule"]["1"] == everything["rows"]["read"] - some["rows"]["read"]
    assert some["rows"]["excluded"] == 0
    assert everything["rules"] == some["rules"] == "s3://colors/desk/rules.json"
    again = call({"time": AT, "where": "RANK < 6"})
    assert {pushed["action"] for pushed in again["push"]["objects"]} == {"skipped"}


def test_an_empty_set_never_replaces_a_good_one(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a usable row, or with more rejected ones than may be, nothing is published."""
    day = tmp_path / "day.csv"
    monkeypatch.setenv("MARKETPULSE_SOURCE", str(day))

    def ranked(good: int, bad: int, **event: Any) -> Any:
        rows = [
            f"{it},037833100,1,2026-03-13,{'1' if it < good else 'x'}" for it in range(good + bad)
        ]
        day.write_text("\n".join(["MESSAGE_ID,CUSIP,RANK,DATE,PX", *rows]), encoding="utf-8")
        return call({"time": AT, **event})

    assert ranked(9, 1)["rows"]["rejected"] == 1
    before = cloud.writes()
    with pytest.raises(DataError, match="none of the 5 rows can be used: PX: 'x'"):
        ranked(0, 5)
    with pytest.raises(DataError, match=r"11 of 100 rows .* --max-rejected 10%"):
        ranked(89, 11)
    with pytest.raises(DataError, match="--max-rejected 5%"):
        ranked(9, 1, max_rejected="5%")
    assert asked("/runs", method="POST")[0] == 201  # the tenth is within the limit
    body = json.dumps({"max_rejected": "5%"})
    assert asked("/runs", method="POST", body=body)[0] == 422
    assert cloud.writes() == before
    assert ranked(89, 11, max_rejected=11)["rows"]["rejected"] == 11


def test_the_condition_of_the_guide(cloud: Cloud) -> None:
    """The day's colors alone, as docs/devops.md has it: of an old market there are none."""
    guide = (ROOT / "docs/devops.md").read_text(encoding="utf-8")
    (where,) = re.findall(r'where = "(.*)" }', guide)
    none = call({"time": AT, "where": where.replace('\\"', '"')})
    every = call({"time": AT, "where": where.replace('\\"', '"').replace(">=", "<")})

    assert none["rows"]["read"] == 0
    assert every["rows"]["read"] > 100
    assert any("SYSDATE" in statement.sql for statement in cloud.database.seen.statements)


# -- HTTP -----------------------------------------------------------------------------------------


def asked(path: str, query: str = "", method: str = "GET", body: str | None = None) -> Any:
    """What the function answers to an event of a function URL: status and JSON."""
    answer = call(
        {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {
                "host": "x.lambda-url.us-east-1.on.aws",
                "content-type": "application/json",
            },
            "requestContext": {
                "http": {"method": method, "path": path, "sourceIp": "10.0.0.1"},
                "stage": "$default",
            },
            "body": body,
            "isBase64Encoded": False,
        }
    )
    return answer["statusCode"], json.loads(answer["body"])


def test_http_behind_the_same_handler(cloud: Cloud) -> None:
    """Tables, a schema, a run and its summary by HTTP; faults are JSON with their status."""
    assert asked("/health")[1]["status"] == "ok"
    assert asked("/runs/latest")[0] == asked("/colors")[0] == 404
    status, tables = asked("/tables")
    assert status == 200
    assert "COLORS_TABLE" in {table["name"] for table in tables}
    status, schema = asked("/tables/colors_table/schema")
    assert (status, schema["columns"][0]["name"]) == (200, "MESSAGE_ID")
    status, fault = asked("/tables/COLOR_TABLE/schema")
    assert (status, fault["error"]["check"]) == (404, "MP-SRC-001")
    status, run = asked("/runs", method="POST", body=json.dumps({"time": AT}))
    assert (status, run["processing_type"]) == (201, "MANUAL")
    assert asked(f"/runs/{run['run_id']}")[1] == asked("/runs/latest")[1]
    assert asked("/runs/" + "0" * 16)[0] == 404
    cloud.database.users.clear()
    cloud.put(password=SECOND)
    aws_lambda.service.cache_clear()
    assert asked("/tables")[0] == 503


def test_published_colors_are_filtered(cloud: Cloud) -> None:
    """Each filter gives the rows of the CSV that it means, in their order, digits exact."""
    run_id = call({"time": AT})["run_id"]
    text = cloud.objects()[f"{UNDER}{run_id}/processed_colors.csv"].decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    every = [int(row["MESSAGE_ID"]) for row in rows]
    assert max(every) > 2**53

    def ids(query: str) -> list[int]:
        status, answer = asked("/colors", query)
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


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"seal": "processed_colors/x"}'])
def test_a_bucket_that_somebody_has_spoilt(cloud: Cloud, content: bytes) -> None:
    """A pointer that is none (422), or leads nowhere (404), is told as such, never a 500."""
    cloud.s3.put_object(Bucket="colors", Key="processed_colors/latest.json", Body=content)

    status = 404 if b"seal" in content else 422
    assert [asked(path)[0] for path in ("/runs/latest", "/colors")] == [status, status]


def test_a_published_file_that_was_changed(cloud: Cloud) -> None:
    """Colors whose Parquet file is not what the run's summary says are not shown."""
    run_id = call({"time": AT})["run_id"]
    name = f"{UNDER}{run_id}/processed_colors.parquet"
    cloud.s3.put_object(Bucket="colors", Key=name, Body=b"PAR1")
    status, fault = asked("/colors")

    assert (status, fault["error"]["check"]) == (422, "MP-DAT-019")


@pytest.fixture
def published(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The embedded market in place of the database, and a run of it."""
    monkeypatch.setenv("MARKETPULSE_SOURCE", "demo")
    call({"time": AT, "table": "COLORS"})
    return cloud


@pytest.fixture
def url(published: Cloud) -> Iterator[str]:
    """The application, served by uvicorn in this process."""
    assert published.objects()
    server = uvicorn.Server(
        uvicorn.Config(aws_lambda.application(), host="127.0.0.1", port=0, log_level="warning")
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


def test_no_question_breaks_it(url: str) -> None:
    """Its own OpenAPI document, fuzzed: no 500, and no answer that it does not describe."""
    seen = set()
    for found in schemathesis.openapi.from_url(f"{url}/openapi.json").get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
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
        ("/runs", "", '{"max_rejected": "few"}', "body max_rejected: "),
        ("/runs", "", "{", "JSON"),
        ("/nothing", "", None, "Not Found"),
        ("/tables", "", "{}", "Method Not Allowed"),
    ],
)
def test_wrong_words_have_the_shape_of_a_fault(
    path: str, query: str, body: str | None, said: str
) -> None:
    """A question that is none is answered as the document says: one message, one remedy."""
    status, answer = asked(path, query, "POST" if body else "GET", body)

    assert status == {"Not Found": 404, "Method Not Allowed": 405}.get(said, 422)
    assert answer["error"]["check"] == "MP-USE-001"
    assert said in answer["error"]["message"]
    assert answer["error"]["hint"]


@pytest.mark.usefixtures("published")
def test_examples_are_answers() -> None:
    """What the document shows has the shape of what is answered."""
    document = asked("/openapi.json")[1]
    latest, colors = asked("/runs/latest")[1], asked("/colors")[1]
    shown = document["paths"]["/runs/{run_id}"]["get"]["responses"]["200"]
    assert set(shown["content"]["application/json"]["example"]) <= set(latest)
    shown = document["paths"]["/colors"]["get"]["responses"]["200"]
    example = shown["content"]["application/json"]["example"]
    assert set(example) == set(colors)
    assert set(example["colors"][0]) <= set(colors["colors"][0])


@pytest.mark.usefixtures("published")
def test_uvicorn_runs_the_same(tmp_path: Path) -> None:
    """On a desk it is a process with a port."""
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


# -- the zip --------------------------------------------------------------------------------------

INSIDE = """
import json, sys
sys.path[:0] = [sys.argv[1]]
import marketpulse.function.events
assert marketpulse.__file__.startswith(sys.argv[1]), marketpulse.__file__
run = marketpulse.function.handler({"time": sys.argv[2]}, None)
asked = {
    "version": "2.0", "rawPath": "/colors", "rawQueryString": "date=2026-03-01&cusip=037833100",
    "headers": {"host": "x"},
    "requestContext": {"http": {"method": "GET", "path": "/colors", "sourceIp": "10.0.0.1"}},
}
colors = marketpulse.function.handler(asked, None)
assert colors["statusCode"] == 200, colors
for package in ("pandas", "rich", "openpyxl"):
    assert package not in sys.modules
print(json.dumps([run["run_id"], json.loads(colors["body"])["run_id"]]))
"""


@pytest.mark.package
def test_the_zip_fits_and_works(cloud: Cloud, tmp_path: Path) -> None:
    """Unpacked it is within the limit; in Lambda's Python it publishes what the source does."""
    script = str(ROOT / "marketpulse/terraform/build_function.py")
    done = subprocess.run(
        [sys.executable, script, str(ROOT), "--output", "function.zip"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(tmp_path / "function.zip") as zipped:
        assert sum(entry.file_size for entry in zipped.infolist()) < 262_144_000
        assert "marketpulse/terraform/ssm.tf" in zipped.namelist()  # so the wheel has it
        zipped.extractall(tmp_path / "function")
    python = shutil.which("python3.12")
    chosen = {**os.environ, "PYENV_VERSION": "3.12"}  # where pyenv has several
    if not python or subprocess.run([python, "-V"], check=False, env=chosen).returncode:
        pytest.skip("it fits; there is no Python 3.12 to run it")
    ran = subprocess.run(
        [python, "-I", "-c", INSIDE, str(tmp_path / "function"), AT],
        cwd=tmp_path, env=chosen, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    objects = cloud.objects()
    run_id = call({"time": AT})["run_id"]

    assert json.loads(ran.stdout) == [run_id, run_id]
    assert cloud.objects() == objects
