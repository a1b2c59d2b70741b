"""Settings: which place wins, where each value comes from, and that secrets stay secret."""

import itertools
from pathlib import Path

import pytest
from pydantic import SecretStr

from marketpulse.errors import MarketPulseError, NotFoundError, SettingsError
from marketpulse.settings.load import (
    MASK,
    SettingOrigin,
    Settings,
    explain_settings,
    load_settings,
)

PLACES = ("option", "environment", "file", "default")
SECRET = "0pen-Sesame-11"


def load(
    tmp_path: Path, *, option: str | None = None, file: str | bytes = "", **environment: str
) -> tuple[Settings, dict[str, SettingOrigin]]:
    """Load settings from an option MARKETPULSE_SOURCE, an environment and a file."""
    path = tmp_path / "desk.env"
    path.write_bytes(file if isinstance(file, bytes) else file.encode())
    options = {"MARKETPULSE_SOURCE": option, "MARKETPULSE_CREDENTIALS": "env"}
    settings = load_settings(options, environment, path)
    report = explain_settings(options, environment, path)
    assert report.warning == ""
    return settings, {setting.variable: setting for setting in report.origins}


@pytest.mark.parametrize(
    "present",
    [names for count in range(4) for names in itertools.combinations(PLACES[:3], count)],
    ids=lambda names: " ".join(names) or "none",
)
def test_option_environment_file_default(tmp_path: Path, present: tuple[str, ...]) -> None:
    """The first place that has a value wins; the others are listed as overridden."""
    settings, origins = load(
        tmp_path,
        option="by-option" if "option" in present else None,
        file="MARKETPULSE_SOURCE=by-file\n" if "file" in present else "",
        **({"MARKETPULSE_SOURCE": "by-environment"} if "environment" in present else {}),
    )
    shown = {"file": str(tmp_path / "desk.env")}
    winner, *losers = [shown.get(place, place) for place in (present or ("default",))]

    assert settings.source == (f"by-{present[0]}" if present else "oracle")
    assert origins["MARKETPULSE_SOURCE"] == SettingOrigin(
        "MARKETPULSE_SOURCE", settings.source, winner, tuple(losers)
    )


def test_every_setting_has_its_variable_and_default(tmp_path: Path) -> None:
    """The variables and defaults match the documentation."""
    _, origins = load(tmp_path)

    assert {name: (setting.text, setting.origin) for name, setting in origins.items()} == {
        "MARKETPULSE_SOURCE": ("oracle", "default"),
        "MARKETPULSE_CREDENTIALS": ("env", "option"),
        "MARKETPULSE_DEADLINE": ("", "not set"),
        "ORACLE_DSN": ("", "not set"),
        "ORACLE_HOST": ("", "not set"),
        "ORACLE_PORT": ("1521", "default"),
        "ORACLE_SERVICE_NAME": ("", "not set"),
        "ORACLE_USERNAME": ("", "not set"),
        "ORACLE_PASSWORD": ("", "not set"),
        "ORACLE_PASSWORD_COMMAND": ("", "not set"),
        "ORACLE_SECRET_ID": ("", "not set"),
        "ORACLE_SCHEMA": ("", "not set"),
        "ORACLE_TABLE_NAME": ("", "not set"),
        "ORACLE_DRIVER": ("auto", "default"),
        "ORACLE_CALL_TIMEOUT": ("300.0", "default"),
        "ORACLE_CLIENT_LIB_DIR": ("", "not set"),
        "ORACLE_WALLET_LOCATION": ("", "not set"),
        "ORACLE_WALLET_PASSWORD": ("", "not set"),
        "TNS_ADMIN": ("", "not set"),
        "MARKETPULSE_PUSH": ("", "not set"),
        "MARKETPULSE_HTTP_TABLES": ("", "not set"),
        "MARKETPULSE_RULES": ("", "not set"),
        "MARKETPULSE_QUERY": ("", "not set"),
        "MARKETPULSE_HIERARCHY": ("rank,date,price", "default"),
        "MARKETPULSE_MAPPING": ("", "not set"),
        "MARKETPULSE_TYPES": ("", "not set"),
        "MARKETPULSE_DATE_FORMATS": ("", "not set"),
        "MARKETPULSE_ACCEPT_ROUNDED_IDS": ("false", "default"),
        "MARKETPULSE_FORMATS": ("", "not set"),
        "MARKETPULSE_MEMORY_LIMIT": ("", "not set"),
        "MARKETPULSE_MASKS": ("", "not set"),
        "MARKETPULSE_MASK_KEY": ("", "not set"),
        "MARKETPULSE_KMS_KEY_ID": ("", "not set"),
        "APP_PREFIX": ("sp-incb", "default"),
        "ENV": ("ci", "default"),
        "APP_NAME": ("market-pulse", "default"),
        "AWS_REGION": ("us-east-1", "default"),
    }


@pytest.mark.parametrize("nothing", ["", " ", "PLACEHOLDER", "PLACEHOLDER_SET_ME"])
def test_blanks_and_placeholders_count_as_not_set(tmp_path: Path, nothing: str) -> None:
    """Empty and PLACEHOLDER values are ignored, and not listed as overridden."""
    settings, origins = load(
        tmp_path,
        file="ORACLE_HOST=db.example\nORACLE_PORT=1522\n",
        ORACLE_HOST=nothing,
        ORACLE_PORT=nothing,
        ORACLE_SCHEMA=nothing,
    )

    assert (settings.oracle_host, settings.oracle_port) == ("db.example", 1522)
    assert settings.oracle_schema is None
    file = str(tmp_path / "desk.env")
    assert origins["ORACLE_HOST"] == SettingOrigin("ORACLE_HOST", "db.example", file, ())
    assert origins["ORACLE_SCHEMA"] == SettingOrigin("ORACLE_SCHEMA", "", "not set", ())


@pytest.mark.parametrize("port", ["x", "0", "65536", "-1", "15.21", "1521x", "9" * 5000, SECRET])
def test_a_bad_port_names_variable_and_place(tmp_path: Path, port: str) -> None:
    """The error names the variable and the place, never the value."""
    for place, arguments in (
        ("environment", {"ORACLE_PORT": port}),
        (str(tmp_path / "desk.env"), {"file": f"ORACLE_PORT={port}"}),
    ):
        with pytest.raises(SettingsError) as refused:
            load(tmp_path, **arguments)
        assert refused.value.message.startswith(f"ORACLE_PORT ({place}): ")
        assert refused.value.exit_code == 3
        assert SECRET not in repr(refused.value) + str(refused.value)
        assert refused.value.__cause__ is None


def test_a_good_port_hides_a_bad_one(tmp_path: Path) -> None:
    """Only the value that wins must be valid."""
    settings, origins = load(tmp_path, file="ORACLE_PORT=nonsense", ORACLE_PORT=" 1522 ")

    assert settings.oracle_port == 1522
    assert origins["ORACLE_PORT"].overridden == (str(tmp_path / "desk.env"),)


def test_secrets_are_masked(tmp_path: Path) -> None:
    """User name and password are masked wherever settings are printed."""
    settings, origins = load(
        tmp_path,
        file="ORACLE_PASSWORD=0pen-Barley-22\n",
        ORACLE_USERNAME="ALI_BABA_40",
        ORACLE_PASSWORD=SECRET,
    )

    assert isinstance(settings.oracle_password, SecretStr)
    assert settings.oracle_password.get_secret_value() == SECRET
    assert origins["ORACLE_PASSWORD"].text == origins["ORACLE_USERNAME"].text == MASK
    assert origins["ORACLE_PASSWORD"].overridden == (str(tmp_path / "desk.env"),)
    printed = [
        f"{settings!r} {settings}",
        f"{origins!r}",
        str(settings.model_dump()),
        settings.model_dump_json(),
        f"{settings.model_fields_set}",
    ]
    for text in printed:
        for secret in (SECRET, "ALI_BABA_40", "0pen-Barley-22"):
            assert secret not in text


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    """Settings are immutable."""
    settings, _ = load(tmp_path)

    with pytest.raises(ValueError, match="frozen"):
        settings.oracle_host = "elsewhere"


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    """A missing file or a folder as --env-file is an error with its name."""
    for path in (tmp_path / "nowhere.env", tmp_path):
        with pytest.raises(NotFoundError) as refused:
            load_settings({}, {}, path)
        assert refused.value.message == f"--env-file: {path}: no such file"
        assert refused.value.exit_code == 6


def test_the_default_file_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --env-file, .env in the working folder is read if it exists."""
    monkeypatch.chdir(tmp_path)
    assert load_settings({}, {}, None).oracle_host is None
    Path(".env").write_text("ORACLE_HOST=db.example\n", encoding="utf-8")
    options = {"MARKETPULSE_CREDENTIALS": "env"}
    settings = load_settings(options, {}, None)
    report = explain_settings(options, {}, None)

    assert settings.oracle_host == "db.example"
    assert {setting.variable: setting.origin for setting in report.origins}["ORACLE_HOST"] == ".env"


def test_a_named_file_replaces_the_default_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --env-file, .env in the working folder is not read."""
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("ORACLE_HOST=db.example\n", encoding="utf-8")
    settings, _ = load(tmp_path)

    assert settings.oracle_host is None


FILE = """\
# the desk's settings
ORACLE_HOST=db.example
export ORACLE_PORT=1522
ORACLE_USERNAME="ali \\"baba\\""
ORACLE_PASSWORD='a#b$c ${ENV} "d"'

  ORACLE_SCHEMA = COLORS  # of the desk
ORACLE_TABLE_NAME=
APP_NAME=été
UNKNOWN=ignored
"""


@pytest.mark.parametrize("encoded", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_files_as_people_write_them(tmp_path: Path, encoded: str, line_end: str) -> None:
    """Comments, export, quotes, blanks, a byte-order mark and CRLF are accepted."""
    settings, origins = load(tmp_path, file=FILE.replace("\n", line_end).encode(encoded))

    assert settings.oracle_host == "db.example"
    assert settings.oracle_port == 1522
    assert settings.oracle_username == SecretStr('ali "baba"')
    assert settings.oracle_password == SecretStr('a#b$c ${ENV} "d"')
    assert settings.oracle_schema == "COLORS"
    assert settings.oracle_table_name is None
    assert settings.app_name == "été"
    assert origins["ORACLE_HOST"].origin == str(tmp_path / "desk.env")


def test_the_last_of_two_lines_wins(tmp_path: Path) -> None:
    """If a name occurs twice in a file, the later value counts."""
    assert load(tmp_path, file="ENV=uat\nENV=prod\n")[0].env == "prod"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"ENV=prod\nORACLE_PASSWORD='{SECRET}\n".encode(), "line 2: this is not NAME=VALUE"),
        (f"\n\n{SECRET} of the desk\n".encode(), "line 3: this is not NAME=VALUE"),
        (f"ORACLE_PASSWORD={SECRET}\n".encode("utf-16"), "it is UTF-16, not UTF-8"),
        (f"ORACLE_PASSWORD={SECRET}\nAPP_NAME=été\n".encode("latin-1"), "byte 40 is not UTF-8"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """An error in a file names the file and the line, never its content."""
    with pytest.raises(MarketPulseError) as refused:
        load(tmp_path, file=content)

    assert refused.value.message == f"{tmp_path / 'desk.env'}: {message}"
    assert refused.value.exit_code == 3
    assert SECRET not in repr(refused.value)
