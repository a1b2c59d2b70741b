"""Credentials from Secrets Manager, and the ways of AWS to credentials of its own."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws.helpers import SECRET, ParameterStore, parameters
from oracle_server.server import OracleServer
from support import AWS_KEYS, Tool

from marketpulse.errors import AwsError, SettingsError
from marketpulse.settings.load import OracleSettings, explain_settings, oracle_settings

ADDRESS = {"ORACLE_HOST": "db", "ORACLE_SERVICE_NAME": "X", "ORACLE_SECRET_ID": "desk/colors"}


@pytest.fixture
def secrets(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty Secrets Manager, which this process uses."""
    for name, value in {**AWS_KEYS, "AWS_ENDPOINT_URL": moto}.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("secretsmanager", region_name="us-east-1")
    yield client
    client.close()


def read(**environment: str) -> OracleSettings:
    """The connection of an environment."""
    return oracle_settings({}, environment, None)


def test_a_secret_has_the_connection(secrets: Any) -> None:
    """Our names and those of AWS's own secrets; its version belongs to the credentials."""
    content = {"username": "me", "password": SECRET, "host": "db", "port": 1522, "dbname": "MKT"}
    version = secrets.create_secret(Name="desk/colors", SecretString=json.dumps(content))
    settings = read(ORACLE_SECRET_ID="desk/colors", ORACLE_PORT="1600")

    assert settings.username.get_secret_value() == "me"
    assert settings.password.get_secret_value() == SECRET
    assert (settings.host, settings.port, settings.service_name) == ("db", 1600, "MKT")
    assert version["VersionId"] in settings.version
    assert SECRET not in repr(settings)

    secrets.put_secret_value(SecretId="desk/colors", SecretString=json.dumps(content))
    assert read(ORACLE_SECRET_ID="desk/colors").version != settings.version


def test_a_secret_may_be_the_password_alone(secrets: Any) -> None:
    """User name and address then come from elsewhere."""
    for text in (SECRET, "12345678"):
        secrets.create_secret(Name=f"desk/{text}", SecretString=text)
        settings = read(**ADDRESS | {"ORACLE_USERNAME": "me", "ORACLE_SECRET_ID": f"desk/{text}"})
        assert settings.password.get_secret_value() == text
        assert settings.version == ""  # the user name is of another place


def test_parameters_complete_a_secret(secrets: Any, moto: str) -> None:
    """What the secret lacks is looked for in SSM; nothing is an error that names both."""
    with pytest.raises(AwsError, match="secret desk/colors in us-east-1: cannot be read") as absent:
        read(ORACLE_SECRET_ID="desk/colors")
    assert "secretsmanager:GetSecretValue" in absent.value.hint
    login = json.dumps({"username": "me", "password": SECRET})
    secrets.create_secret(Name="desk/colors", SecretString=login)
    with pytest.raises(SettingsError, match="the secret desk/colors in us-east-1, SSM /sp-incb"):
        read(ORACLE_SECRET_ID="desk/colors")
    ssm = boto3.client("ssm", region_name="us-east-1")
    ParameterStore(ssm, moto).put({"host": "db", "service_name": "MKT", "password": "not-this"})
    settings = read(ORACLE_SECRET_ID="desk/colors")
    assert (settings.host, settings.password.get_secret_value()) == ("db", SECRET)
    report = explain_settings({}, {"ORACLE_SECRET_ID": "desk/colors"}, None)
    places = {setting.variable: setting for setting in report.origins}
    assert places["ORACLE_PASSWORD"].origin == "secret desk/colors"
    assert places["ORACLE_PASSWORD"].overridden == ("SSM /sp-incb/ci/market-pulse/oracle/",)
    assert SECRET not in repr(report)
    ssm.close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"SecretBinary": b"x"}, "binary or empty"),
        ({"SecretString": json.dumps({"pass": SECRET})}, "none of the names"),
        ({"SecretString": json.dumps({"password": f"{SECRET}\n"})}, "blanks or a line end"),
    ],
)
def test_an_unusable_secret(secrets: Any, content: dict[str, Any], message: str) -> None:
    """The message says why, and repeats nothing of it."""
    secrets.create_secret(Name="desk/colors", **content)
    with pytest.raises(SettingsError, match=message) as caught:
        read(**ADDRESS, ORACLE_USERNAME="me")
    assert SECRET not in caught.value.message + caught.value.hint


def test_padding_in_ssm_costs_no_login(
    database: OracleServer, parameter_store: ParameterStore, tool: Tool
) -> None:
    """A line end in a parameter is an error before the database is asked; `ssm check` sees it."""
    parameter_store.put(parameters(database, password=f"{SECRET}\n", host=f" {database.host}"))
    logins = len(database.record.logins)
    used = tool.run("list-tables", "--format", "json")
    checked = tool.run("ssm", "check", "--format", "json")

    error = json.loads(used.err)["error"]
    assert (used.code, error["check"]) == (3, "MP-SET-004")
    assert "ORACLE_HOST (SSM /sp-incb" in error["message"]
    states = {item["name"]: item["state"] for item in json.loads(checked.out)["parameters"]}
    assert (states["host"], states["password"], states["port"]) == (
        "blanks around it", "blanks around it", "set"
    )  # fmt: skip
    assert checked.code == 3
    assert SECRET not in used.err + checked.out + checked.err
    assert len(database.record.logins) == logins


class _PortalHandler(BaseHTTPRequestHandler):
    """The portal of IAM Identity Center: credentials of a role for a token."""

    def do_GET(self) -> None:
        allowed = self.headers["x-amz-sso_bearer_token"] == "token"
        keys = {"accessKeyId": "test", "secretAccessKey": "test", "sessionToken": "test"}
        body = json.dumps({"roleCredentials": {**keys, "expiration": 4102444800000}}).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Length", str(len(body) if allowed else 0))
        self.end_headers()
        self.wfile.write(body if allowed else b"")

    def log_message(self, *_: object) -> None:
        """Print nothing."""


CONFIG = """
[profile base]
aws_access_key_id = test
aws_secret_access_key = test
[profile role]
role_arn = arn:aws:iam::123456789012:role/desk
source_profile = base
[profile sso]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = desk
"""


@pytest.mark.parametrize("profile", ["base", "role", "sso", "sso without a session"])
def test_profiles(
    database: OracleServer, parameter_store: ParameterStore, tool: Tool, profile: str
) -> None:
    """AWS_PROFILE: keys, an assumed role, a session of `aws sso login`, and none."""
    parameter_store.put(parameters(database))
    folder = Path(tool.env["HOME"]) / ".aws"
    (folder / "sso/cache").mkdir(parents=True)
    (folder / "config").write_text(CONFIG)
    if profile == "sso":
        token = {"accessToken": "token", "expiresAt": "2099-01-01T00:00:00Z"}
        start = hashlib.sha1(b"https://example.awsapps.com/start", usedforsecurity=False)
        (folder / f"sso/cache/{start.hexdigest()}.json").write_text(json.dumps(token))
    for key in AWS_KEYS:
        del tool.env[key]
    name, *_ = profile.split()
    tool.env |= {"AWS_PROFILE": name, "AWS_ENDPOINT_URL_STS": parameter_store.url}
    with ThreadingHTTPServer(("127.0.0.1", 0), _PortalHandler) as portal:
        thread = threading.Thread(target=portal.serve_forever, args=(0.01,))
        thread.start()
        tool.env["AWS_ENDPOINT_URL_SSO"] = f"http://127.0.0.1:{portal.server_port}"
        # botocore looks for the home folder once in a process.
        result = tool.run_process("ssm", "check")
        portal.shutdown()
        thread.join()
    if profile == "sso without a session":
        assert result.code == 3
        assert "aws sso login" in result.err
    else:
        assert result.code == 0, result.err
