"""Settings from AWS SSM: against a server that speaks AWS's protocol, over HTTP."""

import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from oracle_server.engine import DuckEngine
from oracle_server.market import market
from oracle_server.server import OracleServer
from support import ROOT

PATH = "/sp-incb/ci/market-pulse/oracle"
SECRET = "Planted-Rye-5150"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.fixture(scope="module")
def server() -> Iterator[OracleServer]:
    """A database that lets the user of the parameters in."""
    with OracleServer(DuckEngine(market()), users={"ANALYST": SECRET}) as started:
        yield started


@pytest.fixture
def store() -> Iterator[str]:
    """The address of a Parameter Store, empty."""
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client("ssm", endpoint_url=url, region_name="us-east-1", **_KEYWORDS)
    known = client.get_parameters_by_path(Path=PATH, Recursive=True)["Parameters"]
    for parameter in known:
        client.delete_parameter(Name=parameter["Name"])
    client.close()
    yield url
    moto.stop()


_KEYWORDS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


def parameters(server: OracleServer, **other: str) -> dict[str, str]:
    """All seven; those of the name None are left out."""
    usual = {
        "host": server.host,
        "port": str(server.port),
        "service_name": server.service,
        "username": "analyst",
        "password": SECRET,
        "schema": "MARKET",
        "table_name": "COLORS_TABLE",
    }
    return {name: text for name, text in (usual | other).items() if text}


def put(url: str, values: Mapping[str, str]) -> None:
    """Write the parameters, those that are secret encrypted."""
    client = boto3.client("ssm", endpoint_url=url, region_name="us-east-1", **_KEYWORDS)
    for name, text in values.items():
        kind = "SecureString" if name in {"username", "password"} else "String"
        client.put_parameter(Name=f"{PATH}/{name}", Value=text, Type=kind)
    client.close()


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run marketpulse with nothing in the environment but this."""
    usual = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "marketpulse", *words],
        cwd=folder,
        env=usual | {"AWS_EC2_METADATA_DISABLED": "true"} | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )


def test_seven_parameters_are_enough(server: OracleServer, store: str, tmp_path: Path) -> None:
    """With nothing else set it connects, and neither secret nor key is shown, -v -v too."""
    put(store, parameters(server))
    done = run(
        tmp_path, "-v", "-v", "sample", "--formats", "csv", AWS_ENDPOINT_URL_SSM=store, **KEYS
    )

    assert done.returncode == 0, done.stderr
    assert "COLORS_TABLE" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


def test_the_environment_wins_and_config_shows_both(
    server: OracleServer, store: str, tmp_path: Path
) -> None:
    """Each setting has its winner and those who lost; secrets are masked."""
    put(store, parameters(server))
    done = run(
        tmp_path, "config", "--format", "json",
        AWS_ENDPOINT_URL_SSM=store, ORACLE_SCHEMA="TREASURY", **KEYS,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    found = {setting["name"]: setting for setting in json.loads(done.stdout)}
    place = f"SSM {PATH}/"
    assert found["ORACLE_SCHEMA"]["value"] == "TREASURY"
    assert found["ORACLE_SCHEMA"]["from"] == "environment"
    assert found["ORACLE_SCHEMA"]["also"] == [place]
    assert (found["ORACLE_PASSWORD"]["value"], found["ORACLE_PASSWORD"]["from"]) == (
        "********",
        place,
    )
    assert SECRET not in done.stdout + done.stderr


def test_ssm_alone_ignores_the_environment(
    server: OracleServer, store: str, tmp_path: Path
) -> None:
    """--credentials ssm: what the environment says of the database counts for nothing."""
    put(store, parameters(server))
    done = run(
        tmp_path, "--credentials", "ssm", "list-tables",
        AWS_ENDPOINT_URL_SSM=store, ORACLE_HOST="nowhere.invalid", ORACLE_PASSWORD="x", **KEYS,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"password": "PLACEHOLDER_SET_ME"}, "password still a placeholder"),
        ({"host": ""}, "no host"),
    ],
)
def test_what_is_missing_is_named(
    server: OracleServer, store: str, tmp_path: Path, values: dict[str, str], told: str
) -> None:
    """Absent and placeholder are told apart, with the place where they were looked for."""
    put(store, parameters(server, **values))
    done = run(tmp_path, "list-tables", AWS_ENDPOINT_URL_SSM=store, **KEYS)

    assert done.returncode == 3
    assert told in done.stderr
    assert f"{PATH}/ in us-east-1" in done.stderr
    assert SECRET not in done.stderr


def test_no_credentials_is_no_failure_of_ssm(tmp_path: Path) -> None:
    """Where AWS has no credentials SSM is not asked, and the message says so."""
    done = run(tmp_path, "list-tables")

    assert done.returncode == 3
    assert "ORACLE_HOST, ORACLE_SERVICE_NAME, ORACLE_USERNAME, ORACLE_PASSWORD" in done.stderr
    assert "AWS finds no credentials" in done.stderr


def test_ssm_that_does_not_answer_stops(tmp_path: Path) -> None:
    """Failed is not absent: nothing falls through to another place."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    done = run(
        tmp_path, "list-tables", "--format", "json", AWS_ENDPOINT_URL_SSM=url,
        ORACLE_HOST="nowhere.invalid", **KEYS,
    )  # fmt: skip

    assert done.returncode == 8
    assert json.loads(done.stderr)["error"]["check"] == "MP-SSM-002"
    told = run(tmp_path, "config", AWS_ENDPOINT_URL_SSM=url, **KEYS)
    assert told.returncode == 0
    assert "no answer" in told.stderr


class _Denies(BaseHTTPRequestHandler):
    """AWS, as it answers who may not."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"__type": "AccessDeniedException", "Message": SECRET}).encode()
        self.send_response(400)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_access_denied_stops(tmp_path: Path) -> None:
    """Refused is not absent; what AWS says is not repeated."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Denies) as denying:
        thread = threading.Thread(target=denying.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{denying.server_port}"
        done = run(
            tmp_path, "-v", "-v", "list-tables", "--format=json", AWS_ENDPOINT_URL_SSM=url, **KEYS
        )  # fmt: skip
        denying.shutdown()
        thread.join()

    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert (done.returncode, error["check"]) == (8, "MP-SSM-001")
    assert "AccessDeniedException" in error["message"]
    assert SECRET not in done.stdout + done.stderr


def test_a_profile_that_is_nowhere(tmp_path: Path, store: str) -> None:
    """AWS's own settings are at fault, and are named."""
    done = run(
        tmp_path, "list-tables", "--format", "json", AWS_ENDPOINT_URL_SSM=store,
        AWS_PROFILE="nobody",
    )  # fmt: skip

    assert done.returncode == 3
    assert json.loads(done.stderr)["error"]["check"] == "MP-SSM-003"
    shown = run(tmp_path, "config", AWS_ENDPOINT_URL_SSM=store, AWS_PROFILE="nobody")
    assert (shown.returncode, "ProfileNotFound" in shown.stderr) == (0, True)
    assert "ORACLE_HOST" in shown.stdout


# -- ssm put, ssm check ---------------------------------------------------------------------------


def stored(url: str) -> dict[str, tuple[str, str]]:
    """The parameters by their last names: type and value."""
    client = boto3.client("ssm", endpoint_url=url, region_name="us-east-1", **_KEYWORDS)
    found = client.get_parameters_by_path(Path=PATH, WithDecryption=True)["Parameters"]
    client.close()
    return {
        parameter["Name"].rpartition("/")[2]: (parameter["Type"], parameter["Value"])
        for parameter in found
    }


def given(folder: Path, text: str, *words: str, **environment: str) -> Any:
    """Run marketpulse with this on standard input."""
    usual = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "marketpulse", *words], cwd=folder, input=text,
        env=usual | {"AWS_EC2_METADATA_DISABLED": "true", **KEYS} | environment,
        capture_output=True, encoding="utf-8", timeout=100, check=False,
    )  # fmt: skip


def test_put_writes_all_seven_and_a_run_finds_them(
    server: OracleServer, store: str, tmp_path: Path
) -> None:
    """From standard input, secrets encrypted, nothing shown; over what Terraform has put there."""
    put(store, parameters(server, password="PLACEHOLDER"))
    values = parameters(server) | {"table_name": "COLORS_TABLE"}
    names = {"host": "ORACLE_HOST", "password": "ORACLE_PASSWORD"}
    text = "# ours\n\n" + "".join(
        f"{names.get(name, name)}={value}\n" for name, value in values.items()
    )
    done = given(
        tmp_path, text, "-v", "-v", "ssm", "put", "--format", "json", AWS_ENDPOINT_URL_SSM=store
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["complete"] is True
    assert SECRET not in done.stdout + done.stderr
    secret = {"username", "password"}
    kinds = {name: "SecureString" if name in secret else "String" for name in values}
    assert stored(store) == {name: (kinds[name], value) for name, value in values.items()}
    assert run(tmp_path, "list-tables", AWS_ENDPOINT_URL_SSM=store, **KEYS).returncode == 0


def test_a_rotated_password_keeps_its_key(store: str, tmp_path: Path) -> None:
    """Put without --kms-key-id leaves a secret under the key that it was encrypted with."""
    given(
        tmp_path, f"host=h\nusername=me\npassword={SECRET}\n", "ssm", "put",
        "--kms-key-id", "alias/colors", AWS_ENDPOINT_URL_SSM=store,
    )  # fmt: skip
    done = given(tmp_path, "password=another-secret\n", "ssm", "put", AWS_ENDPOINT_URL_SSM=store)
    client = boto3.client("ssm", endpoint_url=store, region_name="us-east-1", **_KEYWORDS)
    described = client.describe_parameters()["Parameters"]
    client.close()

    assert done.returncode == 0, done.stderr
    assert stored(store)["password"] == ("SecureString", "another-secret")
    keys = {item["Name"].rpartition("/")[2]: item.get("KeyId") for item in described}
    assert keys == {
        "host": None, "username": "alias/colors", "password": "alias/colors"
    }  # fmt: skip


def test_check_tells_what_is_amiss(server: OracleServer, store: str, tmp_path: Path) -> None:
    """Missing, a placeholder, a secret in plain text: each by its name, and exit 3."""
    put(store, parameters(server, host="PLACEHOLDER", schema=""))
    client = boto3.client("ssm", endpoint_url=store, region_name="us-east-1", **_KEYWORDS)
    client.delete_parameter(Name=f"{PATH}/username")
    client.put_parameter(Name=f"{PATH}/username", Value="me", Type="String")
    client.close()
    done = given(tmp_path, "", "ssm", "check", "--format", "json", AWS_ENDPOINT_URL_SSM=store)
    mended = given(tmp_path, "host=h\nschema=s\n", "ssm", "put", AWS_ENDPOINT_URL_SSM=store)

    states = {
        parameter["name"]: parameter["state"] for parameter in json.loads(done.stdout)["parameters"]
    }
    assert done.returncode == 3
    assert states == dict.fromkeys(parameters(server), "set") | {
        "host": "placeholder", "schema": "missing", "username": "not encrypted"
    }  # fmt: skip
    assert mended.returncode == 0, mended.stderr
    assert mended.stderr.endswith("written: host, schema\n")


@pytest.mark.parametrize(
    ("words", "text", "code", "said"),
    [
        (["put"], "", 2, "all seven: no value"),
        (["put"], "password=\n", 2, "password: no value"),
        (["put"], "host=PLACEHOLDER\n", 2, "host: no value"),
        (["put"], "port=15x21\n", 2, "port: not a port number"),
        (["put"], f"{SECRET}\n", 2, "line 1: expected NAME=VALUE"),
        (["put"], f'password="{SECRET}"\n', 2, "line 1: password has spaces or quotes around"),
        (["put"], f"host=h\npassword= {SECRET}\n", 2, "line 2: password has spaces or quotes"),
        (["put"], f"password=x\nPASSWORD={SECRET}\n", 2, "line 2: duplicate name password"),
        (["put"], f"passwort={SECRET}\n", 2, "line 1: expected NAME=VALUE"),
        (["put", f"password={SECRET}"], "", 2, "never put a value on the command line"),
        (["put", "host"], f"password={SECRET}\n", 2, "all seven: no value"),
    ],
)
def test_put_refuses(
    words: list[str], text: str, code: int, said: str, store: str, tmp_path: Path
) -> None:
    """What is no parameter is said, and what may be a secret is not repeated."""
    done = given(tmp_path, text, "ssm", *words, AWS_ENDPOINT_URL_SSM=store)

    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert SECRET not in done.stderr
    assert stored(store) == {}


def test_put_reads_what_windows_writes(store: str, tmp_path: Path) -> None:
    """A byte-order mark and line ends of Windows are no part of a value; other bytes are told."""
    usual = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), **KEYS}
    words = [sys.executable, "-m", "marketpulse", "ssm", "put"]

    def put_bytes(content: bytes | None) -> subprocess.CompletedProcess[bytes]:
        shut = ["sh", "-c", 'exec "$@" <&-', "sh"] if content is None else []
        return subprocess.run(
            [*shut, *words], cwd=tmp_path, input=content or b"", capture_output=True, timeout=100,
            env=usual | {"AWS_ENDPOINT_URL_SSM": store}, check=False,
        )  # fmt: skip

    done = put_bytes(f"\ufeffhost=h\r\npassword={SECRET}é\r\n".encode())
    assert done.returncode == 0, done.stderr
    assert stored(store) == {"host": ("String", "h"), "password": ("SecureString", f"{SECRET}é")}
    refused = put_bytes(f"host=h\npassword={SECRET}é\n".encode("latin-1"))
    assert (refused.returncode, b"is not UTF-8" in refused.stderr) == (2, True)
    assert SECRET.encode() not in refused.stderr
    if os.name != "nt":
        closed = put_bytes(None)
        assert (closed.returncode, b"standard input is closed" in closed.stderr) == (2, True)


@pytest.mark.skipif(os.name == "nt", reason="there is no pseudo terminal")
def test_put_asks_at_a_terminal(store: str, tmp_path: Path) -> None:
    """Names are asked for; the password does not show while it is typed."""
    import pty  # noqa: PLC0415 - not on Windows

    ours, theirs = pty.openpty()
    usual = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **KEYS}
    process = subprocess.Popen(
        [sys.executable, "-m", "marketpulse", "ssm", "put", "host", "password"],
        cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env=usual | {"AWS_ENDPOINT_URL_SSM": store},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    for question, answer in (("host", "db.example.com"), ("password", SECRET)):
        # The blank comes last, when nothing that is typed shows or is thrown away any more.
        while not shown.endswith(f"{question} (Enter leaves it): ".encode()):
            assert select.select([ours], [], [], 60)[0], shown
            shown += os.read(ours, 1000)
        os.write(ours, f"{answer}\n".encode())
    with suppress(OSError):  # the other end has gone
        while select.select([ours], [], [], 60)[0] and (piece := os.read(ours, 1000)):
            shown += piece
    os.close(ours)

    assert process.wait(100) == 0, shown
    assert SECRET.encode() not in shown
    assert stored(store)["password"] == ("SecureString", SECRET)


def test_put_without_permission(tmp_path: Path) -> None:
    """A dead Parameter Store is exit 8, no credentials are exit 3; neither repeats the value."""
    text = f"password={SECRET}\n"
    dead = given(tmp_path, text, "ssm", "put", AWS_ENDPOINT_URL_SSM="http://127.0.0.1:9")
    nobody = given(
        tmp_path, text, "ssm", "put", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="",
        AWS_ENDPOINT_URL_SSM="http://127.0.0.1:9",
    )  # fmt: skip

    assert (dead.returncode, nobody.returncode) == (8, 3), dead.stderr + nobody.stderr
    assert SECRET not in dead.stderr + nobody.stderr
