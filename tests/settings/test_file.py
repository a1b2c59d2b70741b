"""`marketpulse.toml`: its keys, their types, and the places that override it."""

from pathlib import Path

import pytest

from marketpulse.errors import MarketPulseError, NotFoundError, SettingsError
from marketpulse.settings.file import RUN_VARIABLES, find_settings_file, read_settings_file
from marketpulse.settings.load import RunSetting, explain_settings, load_settings, run_settings

MORE_RULES = Path("/desk/more.json").absolute()  # on Windows with a drive
WHOLE = """\
# the desk's settings
source = "colors_day.csv"
rules = ["rules.json", "/desk/more.json"]
hierarchy = "date, rank,price"
formats = ["csv", "xlsx"]
memory_limit = "2GB"
accept_rounded_ids = true

[mapping]
price = "MID, PRICE"
DATE = "CREATED_DATE"

[types]
SPREAD = "number"

[date_formats]
DATE = "M/D/YYYY"

[masks]
"COLORS.NOTE" = "redact"
"""


def write(folder: Path, content: str | bytes) -> Path:
    """Write a settings file."""
    path = folder / "marketpulse.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_every_key(tmp_path: Path) -> None:
    """Lists may stand as text with commas. Relative paths start at the file's folder."""
    path = write(tmp_path, WHOLE)

    assert run_settings({}, None, path) == {
        "rules": RunSetting((str(tmp_path / "rules.json"), str(MORE_RULES)), str(path)),
        "hierarchy": RunSetting(("date", "rank", "price"), str(path)),
        "mapping": RunSetting((("price", "MID, PRICE"), ("DATE", "CREATED_DATE")), str(path)),
        "types": RunSetting((("SPREAD", "number"),), str(path)),
        "date_formats": RunSetting(("DATE=M/D/YYYY",), str(path)),
        "accept_rounded_ids": RunSetting(True, str(path)),
        "formats": RunSetting(("csv", "xlsx"), str(path)),
        "memory_limit": RunSetting("2GB", str(path)),
        "masks": RunSetting((("COLORS.NOTE", "redact"),), str(path)),
    }
    assert load_settings({}, {}, None, path).source == str(tmp_path / "colors_day.csv")
    assert run_settings({}, None, None) == {}


@pytest.mark.parametrize("source", ["oracle", "demo", "s3://bucket/day.csv", str(MORE_RULES)])
def test_sources_that_are_no_relative_paths(source: str, tmp_path: Path) -> None:
    """Only a relative path starts at the folder of the file."""
    path = write(tmp_path, f"source = '{source}'")
    assert load_settings({}, {}, None, path).source == source


def test_the_order_of_places(tmp_path: Path) -> None:
    """An option wins over the environment, then `.env`, then this file, then the default."""
    path = write(tmp_path, 'source = "demo"\nhierarchy = "date,rank,price"\n')
    env_file = tmp_path / "desk.env"
    env_file.write_text("MARKETPULSE_SOURCE=env.csv\nMARKETPULSE_HIERARCHY=price,rank,date\n")
    environment = {"MARKETPULSE_SOURCE": "environment.csv", "MARKETPULSE_HIERARCHY": "a,b,c"}
    empty = tmp_path / "empty.env"
    empty.touch()

    def source(option: str | None, variables: dict[str, str], file: Path) -> str:
        return load_settings({"MARKETPULSE_SOURCE": option}, variables, file, path).source

    assert source("option.csv", environment, env_file) == "option.csv"
    assert source(None, environment, env_file) == "environment.csv"
    assert source(None, {}, env_file) == "env.csv"
    assert source(None, {}, empty) == "demo"
    for variables, file, value, origin in (
        (environment, env_file, ("a", "b", "c"), "environment"),
        ({}, env_file, ("price", "rank", "date"), str(env_file)),
        ({}, empty, ("date", "rank", "price"), str(path)),
    ):
        assert run_settings(variables, file, path)["hierarchy"] == RunSetting(value, origin)


def test_the_environment_spells_lists_and_pairs_with_commas() -> None:
    """Every key but `source` has a variable of its own."""
    environment = {
        "MARKETPULSE_RULES": "rules.json",
        "MARKETPULSE_MAPPING": "price=MID_PRICE, date = CREATED_DATE",
        "MARKETPULSE_TYPES": "SPREAD=number",
        "MARKETPULSE_FORMATS": "csv,xlsx",
        "MARKETPULSE_MEMORY_LIMIT": "2GB",
        "MARKETPULSE_DATE_FORMATS": "YYYYMMDD, DATE_1=excel",
        "MARKETPULSE_ACCEPT_ROUNDED_IDS": "Yes",
    }
    settings = run_settings(environment, None, None)

    assert {name: setting.value for name, setting in settings.items()} == {
        "rules": ("rules.json",),
        "mapping": (("price", "MID_PRICE"), ("date", "CREATED_DATE")),
        "types": (("SPREAD", "number"),),
        "formats": ("csv", "xlsx"),
        "memory_limit": "2GB",
        "date_formats": ("YYYYMMDD", "DATE_1=excel"),
        "accept_rounded_ids": True,
    }
    with pytest.raises(SettingsError) as refused:
        run_settings({"MARKETPULSE_MAPPING": "price"}, None, None)
    assert refused.value.message == "MARKETPULSE_MAPPING (environment): 'price' is not NAME=VALUE"
    with pytest.raises(
        SettingsError, match=r"ROUNDED_IDS \(environment\): 'x', expected true or f"
    ):
        run_settings({"MARKETPULSE_ACCEPT_ROUNDED_IDS": "x"}, None, None)


def test_config_shows_the_file(tmp_path: Path) -> None:
    """Each setting has its value, its origin, and the places that it overrides."""
    path = write(tmp_path, WHOLE)
    options = {"MARKETPULSE_CREDENTIALS": "env"}
    environment = {"MARKETPULSE_HIERARCHY": "rank,date,price"}
    report = explain_settings(options, environment, None, path)
    shown = {setting.variable: setting for setting in report.origins}

    assert shown["MARKETPULSE_HIERARCHY"].origin == "environment"
    assert shown["MARKETPULSE_HIERARCHY"].overridden == (str(path),)
    texts = {name: shown[variable].text for name, variable in RUN_VARIABLES.items()}
    assert texts == {
        "rules": f"{tmp_path / 'rules.json'}, {MORE_RULES}",
        "hierarchy": "rank,date,price",
        "mapping": "price=MID, PRICE, DATE=CREATED_DATE",
        "types": "SPREAD=number",
        "formats": "csv, xlsx",
        "memory_limit": "2GB",
        "date_formats": "DATE=M/D/YYYY",
        "accept_rounded_ids": "true",
        "masks": "COLORS.NOTE=redact",
    }
    assert shown["MARKETPULSE_MAPPING"].origin == str(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("herarchy = 'x'", "unknown key 'herarchy', did you mean hierarchy?"),
        ("memory-limit = '2GB'", "unknown key 'memory-limit', did you mean memory_limit?"),
        ("Mapping = {}", "unknown key 'Mapping', did you mean mapping?"),
        ("[zzz]\nprice = 'X'", "unknown key 'zzz'"),
        (
            "rules = 5",
            'rules is a number, expected a path or a list of paths, such as "rules.json"',
        ),
        ("rules = ''", "rules is empty text, expected a path or a list of paths"),
        ("rules = []", "rules is an empty list, expected"),
        ("rules = ['a', 5]", "rules is a list, expected a path or a list of paths"),
        ("hierarchy = true", "hierarchy is true or false, expected text or a list"),
        ("formats = 2026-03-13", "formats is a date or a time, expected text or a list"),
        ("memory_limit = 2", 'memory_limit is a number, expected text, such as "2GB"'),
        ("accept_rounded_ids = 'perhaps'", "accept_rounded_ids is text, expected true or false"),
        ("date_formats = 5", "date_formats is a number, expected text or a table"),
        ("[date_formats]\nDATE = 5", "date_formats.DATE is a number, expected text"),
        ("source = ['a', 'b']", "source is a list, expected text"),
        ("mapping = 'price=X'", "mapping is text, expected a table"),
        ("[mapping]\nprice = 3", "mapping.price is a number, expected text"),
        ("[types]\nSPREAD = ['number']", "types.SPREAD is a list, expected text"),
        ("[mapping]\nA.B = 'x'", "mapping.A is a table, expected text"),
        ("hierarchy = rank", "this is not TOML: "),
        ("rules = 'a'\nrules = 'b'", "this is not TOML: "),
        ("rules = 'é'".encode("latin-1"), "byte 9 is not UTF-8"),
    ],
)
def test_what_is_wrong_with_a_file(content: str | bytes, message: str, tmp_path: Path) -> None:
    """One message with the file, the key and, for an unknown key, the nearest name."""
    path = write(tmp_path, content)
    with pytest.raises(SettingsError) as refused:
        read_settings_file(path)

    assert refused.value.message.startswith(f"{path}: {message}")
    assert refused.value.exit_code == 3
    assert refused.value.hint


def test_a_secret_in_the_file_is_not_shown(tmp_path: Path) -> None:
    """Credentials belong into `.env`; the message has their name alone."""
    path = write(tmp_path, "ORACLE_PASSWORD = '0pen-Sesame-11'")
    with pytest.raises(MarketPulseError) as refused:
        read_settings_file(path)

    message = "'ORACLE_PASSWORD' is a setting of the environment, not of this file"
    assert refused.value.message == f"{path}: {message}"
    assert refused.value.hint.startswith("write it into .env")
    assert "0pen" not in refused.value.message + refused.value.hint


def test_files_as_windows_writes_them(tmp_path: Path) -> None:
    """A byte-order mark, CRLF and paths in single quotes are accepted."""
    content = "\ufeffrules = 'C:\\desk\\rules.json'\r\n[types]\r\nA = 'date'\r\n"
    path = write(tmp_path, content)
    settings = read_settings_file(path)

    assert settings["MARKETPULSE_TYPES"] == (("A", "date"),)
    with pytest.raises(SettingsError) as refused:
        read_settings_file(write(tmp_path, 'rules = "C:\\desk\\rules.json"'))
    assert "a Windows path into single quotes" in refused.value.hint


def test_which_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The named file, else the one in the working folder, if there is one."""
    monkeypatch.chdir(tmp_path)
    assert find_settings_file(None) is None
    write(tmp_path, "")
    (tmp_path / "desk.toml").touch()
    assert find_settings_file(None) == Path("marketpulse.toml")
    assert find_settings_file(Path("desk.toml")) == Path("desk.toml")
    for name, message in (("nowhere.toml", "no such file"), (".", "this is a folder")):
        with pytest.raises(NotFoundError, match=message):
            find_settings_file(Path(name))
