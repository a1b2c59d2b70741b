"""`ssm put` and `ssm check`: the seven parameters, and what is refused."""

import json
import os
import re
import select
import subprocess
import sys
from contextlib import suppress

import pytest
from aws.helpers import PATH, SECRET, ParameterStore, parameters, run_with_input
from oracle_server.server import OracleServer
from support import Tool

from marketpulse.aws.parameters import is_blank, parse_parameters
from marketpulse.errors import UsageError


def test_put_writes_all_seven_and_a_run_finds_them(
    database: OracleServer, parameter_store: ParameterStore, tool: Tool
) -> None:
    """Lines of standard input replace placeholders; secrets are encrypted, and not shown."""
    parameter_store.put(parameters(database, password="PLACEHOLDER"))
    values = parameters(database)
    variables = {"host": "ORACLE_HOST", "password": "ORACLE_PASSWORD"}
    lines = [f"{variables.get(name, name)}={value}\n" for name, value in values.items()]
    text = "# a comment\n\n" + "".join(lines)
    result = run_with_input(tool, text, "-v", "-v", "ssm", "put", "--format", "json")

    assert result.code == 0, result.err
    assert json.loads(result.out)["complete"] is True
    assert SECRET not in result.out + result.err
    secrets = {"username", "password"}
    kinds = {name: "SecureString" if name in secrets else "String" for name in values}
    assert parameter_store.read() == {name: (kinds[name], value) for name, value in values.items()}
    assert tool.run("list-tables").code == 0


def test_a_rotated_password_keeps_its_key(parameter_store: ParameterStore, tool: Tool) -> None:
    """Without --kms-key-id a secret stays under its key."""
    text = f"host=h\nusername=me\npassword={SECRET}\n"
    run_with_input(tool, text, "ssm", "put", "--kms-key-id", "alias/colors")
    result = run_with_input(tool, "password=another-secret\n", "ssm", "put")
    described = parameter_store.client.describe_parameters()["Parameters"]

    assert result.code == 0, result.err
    assert parameter_store.read()["password"] == ("SecureString", "another-secret")
    assert {item["Name"].rpartition("/")[2]: item.get("KeyId") for item in described} == {
        "host": None, "username": "alias/colors", "password": "alias/colors"
    }  # fmt: skip


def test_check_reports_each_parameter(
    database: OracleServer, parameter_store: ParameterStore, tool: Tool
) -> None:
    """Missing, a placeholder, a secret that is not encrypted, no port: exit 3."""
    changes = {"host": "PLACEHOLDER", "schema": "", "username": "", "port": "15x21"}
    parameter_store.put(parameters(database, **changes))
    parameter_store.client.put_parameter(Name=f"{PATH}/username", Value="me", Type="String")
    result = tool.run("ssm", "check", "--format", "json")
    repaired = run_with_input(tool, "host=h\nschema=s\n", "ssm", "put")

    states = {item["name"]: item["state"] for item in json.loads(result.out)["parameters"]}
    assert result.code == 3
    assert states == dict.fromkeys(parameters(database), "set") | {
        "host": "placeholder", "schema": "missing", "username": "not encrypted",
        "port": "not a port", "mask_key": "absent",
    }  # fmt: skip
    assert repaired.code == 0, repaired.err
    assert repaired.err.endswith("written: host, schema\n")


def test_the_key_of_masks_has_its_own_place(parameter_store: ParameterStore, tool: Tool) -> None:
    """It is encrypted, one level above the connection, where masks look for it."""
    key = f"{SECRET}-of-the-masks"
    done = run_with_input(tool, f"MARKETPULSE_MASK_KEY={key}\n", "ssm", "put")
    path = f"{PATH.rpartition('/')[0]}/mask_key"
    stored = parameter_store.client.get_parameter(Name=path, WithDecryption=True)["Parameter"]

    assert done.code == 0, done.err
    assert done.err.endswith("written: mask_key\n")
    assert (stored["Type"], stored["Value"]) == ("SecureString", key)
    assert parameter_store.read() == {}
    assert re.search(r"mask_key +set\n", done.out)
    masked = tool.run("--source", "demo", "sample", "COLORS", "--limit=5", "--mask", "CUSIP=hmac")
    assert masked.code == 0, masked.err
    for state, change in (("too short", "short"), ("not encrypted", key)):
        parameter_store.client.put_parameter(Name=path, Value=change, Type="String", Overwrite=True)
        checked = tool.run("ssm", "check")
        assert (checked.code, f"mask_key      {state}" in checked.out) == (3, True), checked.out


@pytest.mark.parametrize(
    ("words", "text", "message"),
    [
        (["put"], "", "the parameters: no value"),
        (["put"], "password=\n", "password: no value"),
        (["put"], "host=PLACEHOLDER\n", "host: no value"),
        (["put"], "port=15x21\n", "port: not a port number"),
        (["put"], "mask_key=too-short\n", "mask_key: fewer than 20 characters"),
        (["put"], f"{SECRET}\n", "line 1: expected NAME=VALUE"),
        (["put", f"password={SECRET}"], "", "never put a value on the command line"),
        (["put", "host"], f"password={SECRET}\n", "the parameters: no value"),
    ],
)
def test_put_refuses(
    words: list[str], text: str, message: str, parameter_store: ParameterStore, tool: Tool
) -> None:
    """Unusable input is wrong usage: exit 2. The message repeats no value."""
    result = run_with_input(tool, text, "ssm", *words)

    assert (result.code, message in result.err) == (2, True), result.err
    assert SECRET not in result.err
    assert parameter_store.read() == {}


def test_put_reads_files_of_windows(parameter_store: ParameterStore, tool: Tool) -> None:
    """A byte-order mark and CRLF are not part of a value; other encodings are refused."""
    done = run_with_input(tool, f"\ufeffhost=h\r\npassword={SECRET}é\r\n", "ssm", "put")
    refused = run_with_input(tool, f"host=h\npassword={SECRET}é\n".encode("latin-1"), "ssm", "put")

    assert done.code == 0, done.err
    assert parameter_store.read() == {
        "host": ("String", "h"), "password": ("SecureString", f"{SECRET}é")
    }  # fmt: skip
    assert (refused.code, "is not UTF-8" in refused.err) == (2, True)
    assert SECRET not in refused.err


@pytest.mark.skipif(os.name == "nt", reason="needs a shell of Unix")
def test_put_without_standard_input(tool: Tool) -> None:
    """A closed standard input is wrong usage."""
    command = [sys.executable, "-m", "marketpulse", "ssm", "put"]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *command],
        cwd=tool.folder, env=tool.env, capture_output=True, check=False, timeout=100,
    )  # fmt: skip
    assert (done.returncode, b"standard input is closed" in done.stderr) == (2, True)


@pytest.mark.skipif(os.name == "nt", reason="there is no pseudo terminal")
def test_put_prompts_at_a_terminal(parameter_store: ParameterStore, tool: Tool) -> None:
    """It prompts for each name; the password is not shown while you type it."""
    import pty  # noqa: PLC0415 - not on Windows

    near, far = pty.openpty()
    process = tool.start(
        "ssm", "put", "host", "password",
        stdin=far, stdout=far, stderr=far, start_new_session=True,
    )  # fmt: skip
    os.close(far)
    shown = b""
    for name, answer in (("host", "db.example.com"), ("password", SECRET)):
        # The space at the end comes after the terminal has stopped to echo and drop input.
        while not shown.endswith(f"{name} (press Enter to leave it unchanged): ".encode()):
            assert select.select([near], [], [], 60)[0], shown
            shown += os.read(near, 1000)
        os.write(near, f"{answer}\n".encode())
    with suppress(OSError):  # the process has closed its end
        while select.select([near], [], [], 60)[0] and (piece := os.read(near, 1000)):
            shown += piece
    os.close(near)

    assert process.wait(100) == 0, shown
    assert SECRET.encode() not in shown
    assert parameter_store.read()["password"] == ("SecureString", SECRET)


def test_put_that_fails(tool: Tool) -> None:
    """No answer is exit 8, no credentials are exit 3; neither message repeats the value."""
    tool.env["AWS_ENDPOINT_URL_SSM"] = "http://127.0.0.1:9"
    text = f"password={SECRET}\n"
    unreachable = run_with_input(tool, text, "ssm", "put")
    tool.env |= {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    unknown, checked = run_with_input(tool, text, "ssm", "put"), tool.run("ssm", "check")

    assert (unreachable.code, unknown.code, checked.code) == (8, 3, 3), unknown.err + checked.err
    assert SECRET not in unreachable.err + unknown.err
    assert "no AWS credentials found" in checked.err


def test_lines_of_parameters() -> None:
    """Names of parameters or settings, in any case; = may be part of a value."""
    text = b"# comment\n\nHost=h\nORACLE_PASSWORD=a=b \xc3\xa9\r\n"
    assert parse_parameters(text) == {"host": "h", "password": "a=b é"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'password="{SECRET}"\n', "line 1: password has spaces or quotes around"),
        (f"host=h\npassword= {SECRET}\n", "line 2: password has spaces or quotes"),
        (f"password=x\nPASSWORD={SECRET}\n", "line 2: duplicate name password"),
        (f"passwort={SECRET}\n", "line 1: expected NAME=VALUE"),
    ],
)
def test_lines_that_are_refused(text: str, message: str) -> None:
    """The message has the line and no value."""
    with pytest.raises(UsageError, match=message) as caught:
        parse_parameters(text.encode())
    assert SECRET not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("value", [None, "", "  ", "PLACEHOLDER", "PLACEHOLDER_SET_ME"])
def test_blank_values(value: str | None) -> None:
    """These count as not set."""
    assert is_blank(value)
    assert not is_blank("x PLACEHOLDER")
