"""The file `.env`: what is read, which slips are told, and that what is written is read back."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketpulse.errors import SettingsError
from marketpulse.settings.env_file import (
    EnvFile,
    absence_hint,
    read_env_file,
    similar_setting,
    write_env_file,
)
from marketpulse.settings.load import VARIABLES, env_file_remarks, load_settings, oracle_settings

ENV_ONLY = {"MARKETPULSE_CREDENTIALS": "env"}
PASSWORDS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1)


def read(path: Path) -> EnvFile:
    """Read a file that is there."""
    file = read_env_file(path, VARIABLES)
    assert file
    return file


@pytest.mark.parametrize(
    ("line", "remark"),
    [
        ("oracle_host=db", "oracle_host is not a setting: write ORACLE_HOST"),
        ("ORACLE_USER=me", "ORACLE_USER is not a setting: write ORACLE_USERNAME"),
        ("ORACLE_PASS=x", "ORACLE_PASS is not a setting: write ORACLE_PASSWORD"),
        ("ORACLE_SID=ORCL", "ORACLE_SID is not a setting: write ORACLE_DSN=host:port:SID"),
        ("ORACLE_PASSWORD=abc #def", "ORACLE_PASSWORD ends before the #, which begins a comment"),
        ('ORACLE_PASSWORD="a\\nb"', "in double quotes a backslash changes what follows it"),
        ("ORACLE_PASSWORD='abc #def'", ""),
        ("ORACLE_PASSWORD=abc#def", ""),
        ("ORACLE_PORT=1521 # the usual", ""),
        ("ORACLE_HOME=/opt/oracle", ""),
        ("FAVOURITE=blue", ""),
        ("export ORACLE_HOST=db", ""),
    ],
)
def test_a_likely_slip_is_told(tmp_path: Path, line: str, remark: str) -> None:
    """With its line, and without the value."""
    path = tmp_path / "desk.env"
    path.write_text(f"\n{line}\n")

    remarks = env_file_remarks(path)

    assert [text.partition(": line 2: ")[2][: len(remark)] for text in remarks] == [remark] * bool(
        remark
    )
    assert "def" not in "".join(remarks)


def test_set_is_no_part_of_a_line(tmp_path: Path) -> None:
    """Windows' own way to set a variable is refused with what to write."""
    path = tmp_path / "desk.env"
    path.write_text("ORACLE_PORT=1521\nset ORACLE_HOST=db\n")

    with pytest.raises(SettingsError) as refused:
        read_env_file(path, VARIABLES)

    assert refused.value.message.endswith("line 2: this is not NAME=VALUE")
    assert refused.value.hint == "leave out the word set: write NAME=VALUE"


@given(password=PASSWORDS)
def test_what_is_written_is_read_back(
    password: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Quotes, backslashes, # and $ included."""
    path = tmp_path_factory.getbasetemp() / "written.env"
    path.write_text("# first\nORACLE_PORT=1\nORACLE_HOST=old\n")

    write_env_file(path, {"ORACLE_PASSWORD": password, "ORACLE_HOST": "db", "ORACLE_PORT": ""})

    file = read(path)
    assert file.values == {"ORACLE_PASSWORD": password, "ORACLE_HOST": "db"}
    assert file.remarks == ()
    assert path.read_text("utf-8").startswith("# first\n")
    assert os.name == "nt" or stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        ({}, "`marketpulse init` asks for them and writes .env"),
        ({".env.txt": "ORACLE_HOST=db"}, "rename .env.txt to .env: Windows has added .txt"),
        ({".env.example": "ORACLE_HOST=\n"}, "`marketpulse init` asks for them"),
        ({".env.example": "ORACLE_HOST=db\n"}, "you filled in .env.example: copy it to .env"),
        ({"../.env": "ORACLE_HOST=db\n"}, "there is a .env in "),
    ],
)
def test_without_a_file_the_hint_says_what_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], hint: str
) -> None:
    """The message names the folder that was looked in."""
    desk = tmp_path / "desk"
    desk.mkdir()
    monkeypatch.chdir(desk)
    for name, content in files.items():
        (desk / name).write_text(content)

    with pytest.raises(SettingsError) as refused:
        oracle_settings(ENV_ONLY, {}, None)

    assert refused.value.hint.startswith(hint)
    assert absence_hint().startswith(hint)
    assert f".env (there is none in {desk})" in refused.value.message


def test_a_name_that_is_nearly_right_is_the_hint(tmp_path: Path) -> None:
    """Wherever it is: in the environment, or in the file."""
    path = tmp_path / "desk.env"
    path.write_text("ORACLE_DSN=db/X\noracle_username=me\n")

    with pytest.raises(SettingsError) as refused:
        oracle_settings(ENV_ONLY, {"ORACLE_PASSWD": "x"}, path)

    assert refused.value.hint.startswith(
        "ORACLE_PASSWD is set: write ORACLE_PASSWORD; oracle_username is set: write ORACLE_USERNAME"
    )
    assert similar_setting("ORACLE_HOST", VARIABLES) == ""


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("ORACLE_PORT", "abc", "must be a whole number"),
        ("ORACLE_PORT", "0", "must be 1 or more"),
        ("ORACLE_PORT", "99999", "must be 65535 or less"),
        ("MARKETPULSE_DEADLINE", "soon", "must be a number"),
        ("MARKETPULSE_DEADLINE", "0", "must be greater than 0"),
        ("MARKETPULSE_CREDENTIALS", "both", "must be 'auto', 'env' or 'ssm'"),
        ("MARKETPULSE_ACCEPT_ROUNDED_IDS", "maybe", "must be true or false"),
    ],
)
def test_an_invalid_value_is_told_in_plain_words(name: str, value: str, problem: str) -> None:
    """What it has to be, without the value."""
    with pytest.raises(SettingsError) as refused:
        load_settings({}, {name: value}, None)

    assert refused.value.message == f"{name} (environment): {problem}"
