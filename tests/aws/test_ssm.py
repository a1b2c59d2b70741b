"""Reading SSM for a connection: what wins, what is missing, and an SSM that fails."""

import json
import socket
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aws.helpers import PATH, SECRET, ParameterStore, parameters
from oracle_server.server import OracleServer
from support import AWS_KEYS, Tool

from marketpulse.aws.secrets import read_secret
from marketpulse.aws.session import caller_identity
from marketpulse.aws.ssm import read_parameters, write_parameters
from marketpulse.errors import AwsError


def test_seven_parameters_are_enough(
    database: OracleServer, parameter_store: ParameterStore, tool: Tool
) -> None:
    """Nothing else is needed to connect; no output and no file shows a secret, even with -v -v."""
    parameter_store.put(parameters(database))
    result = tool.run_process("-v", "-v", "sample", "--formats", "csv")

    assert result.code == 0, result.err
    assert "COLORS_TABLE" in result.out
    assert SECRET not in result.out + result.err
    for path in tool.folder.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


def test_the_environment_overrides_ssm(
    database: OracleServer, parameter_store: ParameterStore, tool: Tool
) -> None:
    """`config` shows both places; secrets are masked."""
    parameter_store.put(parameters(database))
    tool.env["ORACLE_SCHEMA"] = "TREASURY"
    result = tool.run("config", "--format", "json")

    assert result.code == 0, result.err
    settings = {setting["name"]: setting for setting in json.loads(result.out)}
    place, schema, password = (
        f"SSM {PATH}/", settings["ORACLE_SCHEMA"], settings["ORACLE_PASSWORD"]
    )  # fmt: skip
    assert (schema["value"], schema["from"], schema["also"]) == ("TREASURY", "environment", [place])
    assert (password["value"], password["from"]) == ("********", place)
    assert SECRET not in result.out + result.err


def test_ssm_only(database: OracleServer, parameter_store: ParameterStore, tool: Tool) -> None:
    """--credentials ssm ignores the connection settings of the environment."""
    parameter_store.put(parameters(database))
    tool.env |= {"ORACLE_HOST": "nowhere.invalid", "ORACLE_PASSWORD": "x"}
    result = tool.run("--credentials", "ssm", "list-tables")

    assert result.code == 0, result.err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"password": "PLACEHOLDER_SET_ME"}, "password still a placeholder"),
        ({"host": ""}, "no host"),
    ],
)
def test_missing_parameters_are_named(
    database: OracleServer,
    parameter_store: ParameterStore,
    tool: Tool,
    changes: dict[str, str],
    message: str,
) -> None:
    """A missing parameter and a placeholder have different messages, with the path: exit 3."""
    parameter_store.put(parameters(database, **changes))
    result = tool.run("list-tables")

    assert result.code == 3
    assert message in result.err
    assert f"{PATH}/ in us-east-1" in result.err
    assert SECRET not in result.err


def test_no_answer_stops(tool: Tool) -> None:
    """A failed SSM is not an empty one: exit 8. `config` shows the other settings."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    tool.env["AWS_ENDPOINT_URL_SSM"] = f"http://127.0.0.1:{port}"
    config = tool.run("config")
    tool.env["ORACLE_HOST"] = "nowhere.invalid"
    result = tool.run("list-tables", "--format", "json")

    assert result.code == 8
    assert json.loads(result.err)["error"]["check"] == "MP-SSM-002"
    assert config.code == 0
    assert "no answer" in config.err


class _DenyingHandler(BaseHTTPRequestHandler):
    """AWS as it refuses access."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"__type": "AccessDeniedException", "Message": SECRET}).encode()
        self.send_response(400)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def test_access_denied_stops(tool: Tool) -> None:
    """A refusal is exit 8; the message does not repeat AWS's text."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _DenyingHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        tool.env["AWS_ENDPOINT_URL_SSM"] = f"http://127.0.0.1:{server.server_port}"
        result = tool.run_process("-v", "-v", "list-tables", "--format=json")
        server.shutdown()
        thread.join()

    error = json.loads(result.err.splitlines()[-1])["error"]
    assert (result.code, error["check"]) == (8, "MP-SSM-001")
    assert "AccessDeniedException" in error["message"]
    assert SECRET not in result.out + result.err


class _PortalHandler(BaseHTTPRequestHandler):
    """A proxy that answers everything with its page."""

    def do_POST(self) -> None:
        page = b"<html><body>Sign in</body></html>"
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(int(self.path.strip("/")))
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.mark.parametrize("status", [200, 302, 403])
def test_a_page_is_not_an_answer(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is taken for read, nothing for written, and no permission for missing."""
    for name, value in AWS_KEYS.items():
        monkeypatch.setenv(name, value)
    written = partial(write_parameters, values={"host": "x"}, secret_names=(), kms_key_id=None)
    with ThreadingHTTPServer(("127.0.0.1", 0), _PortalHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}/{status}")
        for call in (read_parameters, written, read_secret):
            with pytest.raises(AwsError, match="is not one of AWS") as caught:
                call("/desk/", "us-east-1")
            assert "proxy" in caught.value.hint
        with pytest.raises(AwsError, match="did not return the caller's identity"):
            caller_identity("us-east-1")
        server.shutdown()
        thread.join()
