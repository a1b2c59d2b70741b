"""Sessions: credentials that are missing or invalid, and who the caller is."""

import json
import logging

import pytest
from support import AWS_KEYS, Tool

from marketpulse.aws.session import caller_identity, quiet_session
from marketpulse.errors import AwsError


def test_no_credentials(tool: Tool) -> None:
    """Without credentials SSM is not asked, and the message says so: exit 3."""
    for name in AWS_KEYS:
        del tool.env[name]
    result = tool.run("list-tables")

    assert result.code == 3
    assert "ORACLE_HOST, ORACLE_SERVICE_NAME, ORACLE_USERNAME, ORACLE_PASSWORD" in result.err
    assert "no AWS credentials found" in result.err


def test_an_unknown_profile(tool: Tool) -> None:
    """AWS's own settings are invalid: exit 3. `config` shows the other settings."""
    for name in AWS_KEYS:
        del tool.env[name]
    tool.env["AWS_PROFILE"] = "nobody"
    result = tool.run("list-tables", "--format", "json")
    config = tool.run("config")

    assert result.code == 3
    assert json.loads(result.err)["error"]["check"] == "MP-SSM-003"
    assert (config.code, "ProfileNotFound" in config.err) == (0, True)
    assert "ORACLE_HOST" in config.out


def test_the_caller(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ARN of the caller; `AwsError` if STS does not answer."""
    for name, value in AWS_KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto)
    assert (caller_identity("us-east-1") or "").startswith("arn:aws:")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    with pytest.raises(AwsError, match="did not return the caller's identity"):
        caller_identity("us-east-1")


def test_libraries_log_no_secrets() -> None:
    """At DEBUG botocore logs signatures and tokens, so its level is WARNING."""
    logging.getLogger("botocore").setLevel(logging.DEBUG)
    quiet_session()
    assert logging.getLogger("botocore").level == logging.WARNING
