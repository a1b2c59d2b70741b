"""Settings: each from the first place that has it, and where that was. Nothing reads os.environ.

The places in order: an option, the environment, a `.env` file, AWS SSM, the default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from dotenv.parser import parse_stream
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from marketpulse.aws.parameters import PARAMETERS, is_blank
from marketpulse.errors import NotFoundError, SettingsError

MASK = "********"


class Settings(BaseSettings):
    """Every setting by the name of its environment variable; secrets show themselves to nobody."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=False
    )

    source: str = Field(default="oracle", validation_alias="MARKETPULSE_SOURCE")
    credentials: Literal["auto", "env", "ssm"] = Field(
        default="auto", validation_alias="MARKETPULSE_CREDENTIALS"
    )
    deadline: float | None = Field(default=None, validation_alias="MARKETPULSE_DEADLINE", gt=0)
    oracle_dsn: str | None = Field(default=None, validation_alias="ORACLE_DSN")
    oracle_host: str | None = Field(default=None, validation_alias="ORACLE_HOST")
    oracle_port: int = Field(default=1521, validation_alias="ORACLE_PORT", ge=1, le=65535)
    oracle_service_name: str | None = Field(default=None, validation_alias="ORACLE_SERVICE_NAME")
    oracle_username: SecretStr | None = Field(default=None, validation_alias="ORACLE_USERNAME")
    oracle_password: SecretStr | None = Field(default=None, validation_alias="ORACLE_PASSWORD")
    oracle_schema: str | None = Field(default=None, validation_alias="ORACLE_SCHEMA")
    oracle_table_name: str | None = Field(default=None, validation_alias="ORACLE_TABLE_NAME")
    oracle_driver: Literal["auto", "thin", "thick"] = Field(
        default="auto", validation_alias="ORACLE_DRIVER"
    )
    oracle_client_lib_dir: str | None = Field(
        default=None, validation_alias="ORACLE_CLIENT_LIB_DIR"
    )
    oracle_wallet_location: str | None = Field(
        default=None, validation_alias="ORACLE_WALLET_LOCATION"
    )
    oracle_wallet_password: SecretStr | None = Field(
        default=None, validation_alias="ORACLE_WALLET_PASSWORD"
    )
    tns_admin: str | None = Field(default=None, validation_alias="TNS_ADMIN")
    app_prefix: str = Field(default="sp-incb", validation_alias="APP_PREFIX")
    env: str = Field(default="ci", validation_alias="ENV")
    app_name: str = Field(default="market-pulse", validation_alias="APP_NAME")
    aws_region: str = Field(default="us-east-1", validation_alias="AWS_REGION")
    push: str | None = Field(default=None, validation_alias="MARKETPULSE_PUSH")
    push_kms_key_id: str | None = Field(default=None, validation_alias="MARKETPULSE_KMS_KEY_ID")
    rules: str | None = Field(default=None, validation_alias="MARKETPULSE_RULES")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the base class asks so
        init_settings: PydanticBaseSettingsSource,
        *_: Any,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what it is given: the places are ours, and each can be told of."""
        return (init_settings,)


@dataclass(frozen=True)
class OracleSettings:
    """All that is needed to connect to a database; `dsn` wins over host, port and service."""

    username: SecretStr
    password: SecretStr
    dsn: str | None = None
    host: str | None = None
    port: int = 1521
    service_name: str | None = None
    schema: str | None = None
    table_name: str | None = None
    wallet_location: str | None = None
    wallet_password: SecretStr | None = None
    config_dir: str | None = None
    client_lib_dir: str | None = None
    driver: str = "auto"
    deadline: float | None = None


@dataclass(frozen=True)
class Place:
    """Somewhere settings are looked for; values by the name of the environment variable."""

    name: str
    values: Mapping[str, str | None] = field(repr=False)  # secrets among them

    def get(self, variable: str) -> str | None:
        """The value, or None where it is absent, empty or still a placeholder."""
        value = self.values.get(variable)
        return None if is_blank(value) else value


@dataclass(frozen=True)
class Provenance:
    """Where a setting was found: the place that won, and those that have it too and lost."""

    variable: str
    shown: str  # masked where it is a secret
    winner: str
    losers: tuple[str, ...]


def load_settings(
    options: Mapping[str, str | None],
    environment: Mapping[str, str],
    env_file: Path | None,
    *,
    ssm: bool = False,
) -> tuple[Settings, tuple[Provenance, ...]]:
    """Find every setting, and say where; AWS SSM is asked where `ssm` says so.

    `env_file` None means `.env` in the working folder, where there is one. Raises `NotFoundError`
    for a named file that is not there, `SettingsError` for a value that cannot be one,
    and, where SSM is asked and does not answer, `AwsError`.
    """
    places = _places(options, environment, env_file)
    settings = _found(places)
    if ssm:
        places = _with_parameters(places, settings, _parameters(settings))
        settings = _found(places)
    return settings, tuple(_provenances(settings, places))


def oracle_settings(
    options: Mapping[str, str | None], environment: Mapping[str, str], env_file: Path | None
) -> OracleSettings:
    """What is needed to connect. Raises `SettingsError`, which names all that is missing.

    SSM is asked, by one call, where something is still missing and AWS finds credentials.
    """
    places = _places(options, environment, env_file)
    settings = _found(places)
    looked = ["the environment", *(place.name for place in places[2:])]
    from_ssm = settings.credentials == "ssm"
    if settings.credentials == "env":
        looked.append("not in SSM: --credentials env")
    elif from_ssm or _missing(settings):
        parameters = _parameters(settings)
        path = parameter_path(settings)
        if parameters is None:
            looked.append(f"not in SSM {path}: AWS finds no credentials")
        else:
            looked.append(f"SSM {path} in {settings.aws_region}{_lacking(parameters)}")
        if from_ssm:
            looked = looked[-1:]
        places = _with_parameters(places, settings, parameters)
        settings = _found(places)
    username, password = settings.oracle_username, settings.oracle_password
    missing = _missing(settings)
    if missing or username is None or password is None:
        one = len(missing) == 1
        raise SettingsError(
            f"{', '.join(missing)} {'is' if one else 'are'} not set; looked in "
            + ", ".join(looked),
            hint=f"set {'it' if one else 'them'} in the environment or in .env, or put the "
            "parameters into SSM; `marketpulse config` shows what was found",
            check="MP-SET-002",
        )
    return OracleSettings(
        username,
        password,
        settings.oracle_dsn,
        settings.oracle_host,
        settings.oracle_port,
        settings.oracle_service_name,
        settings.oracle_schema,
        settings.oracle_table_name,
        settings.oracle_wallet_location,
        settings.oracle_wallet_password,
        settings.tns_admin,
        settings.oracle_client_lib_dir,
        settings.oracle_driver,
        settings.deadline,
    )


def parameter_path(settings: Settings) -> str:
    """Where the seven parameters of an environment are."""
    return f"/{settings.app_prefix}/{settings.env}/{settings.app_name}/oracle/"


def _places(
    options: Mapping[str, str | None], environment: Mapping[str, str], env_file: Path | None
) -> list[Place]:
    return [Place("option", options), Place("environment", environment), *_dotenv(env_file)]


def _found(places: Sequence[Place]) -> Settings:
    """The settings of these places. Raises `SettingsError` for a value that cannot be one."""
    variables = [str(info.validation_alias) for info in Settings.model_fields.values()]
    found: dict[str, Any] = {
        variable: text
        for place in reversed(places)
        for variable in variables
        if (text := place.get(variable)) is not None
    }
    try:
        return Settings(**found)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        variable = str(first["loc"][0])
        where = next(place.name for place in places if place.get(variable) is not None)
        raise SettingsError(
            f"{variable} ({where}): {first['msg'].lower()}", hint="correct it there"
        ) from None


def _missing(settings: Settings) -> list[str]:
    """The settings without which nobody connects, and which nobody has."""
    needed: dict[str, object] = {
        "ORACLE_HOST": settings.oracle_dsn or settings.oracle_host,
        "ORACLE_SERVICE_NAME": settings.oracle_dsn or settings.oracle_service_name,
        "ORACLE_USERNAME": settings.oracle_username,
        "ORACLE_PASSWORD": settings.oracle_password,
    }
    return [variable for variable, value in needed.items() if value is None]


def _parameters(settings: Settings) -> Mapping[str, str | None] | None:
    """The parameters by their short names; None where AWS finds no credentials."""
    from marketpulse.aws.ssm import read_parameters  # noqa: PLC0415 - boto3 takes 0.2 s to load

    stored = read_parameters(parameter_path(settings), settings.aws_region)
    return None if stored is None else {name: item.value for name, item in stored.items()}


def _with_parameters(
    places: Sequence[Place], settings: Settings, parameters: Mapping[str, str | None] | None
) -> list[Place]:
    """SSM among the places: the last, or, where it alone is wanted, the only one for its own."""
    values = {PARAMETERS[it]: value for it, value in (parameters or {}).items() if it in PARAMETERS}
    ours = Place(f"SSM {parameter_path(settings)}", values)
    if settings.credentials != "ssm":
        return [*places, ours]
    theirs = {*PARAMETERS.values(), "ORACLE_DSN"}
    kept = [
        Place(it.name, {name: value for name, value in it.values.items() if name not in theirs})
        for it in places
    ]
    return [*kept, ours]


def _lacking(parameters: Mapping[str, str | None]) -> str:
    """What is wrong with the parameters, in words."""
    place = Place("SSM", parameters)
    absent = [it for it in PARAMETERS if it not in parameters]
    empty = [it for it in PARAMETERS if it in parameters and place.get(it) is None]
    told = [f"no {', '.join(absent)}"] if absent else []
    told += [f"{', '.join(empty)} still a placeholder"] if empty else []
    return f" ({'; '.join(told)})" if told else ""


def _dotenv(env_file: Path | None) -> list[Place]:
    path = env_file or Path(".env")
    if not path.is_file():
        if env_file:
            raise NotFoundError(f"--env-file: {env_file}: no such file")
        return []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{path}: byte {error.start} is not UTF-8", hint="save it as UTF-8"
        ) from None
    except OSError as error:
        raise NotFoundError(
            f"{path}: cannot be read: {error.strerror}", hint="check the file's permissions"
        ) from error
    values: dict[str, str | None] = {}
    for line in parse_stream(StringIO(text)):
        if line.error:
            written = line.original.string
            blank_lines = written[: len(written) - len(written.lstrip())].count("\n")
            raise SettingsError(
                f"{path}: line {line.original.line + blank_lines}: this is not NAME=VALUE",
                hint="a value that begins with a quote ends with one; # begins a comment",
            )
        if line.key is not None:
            values[line.key] = line.value
    return [Place(str(path), values)]


def _provenances(settings: Settings, places: Sequence[Place]) -> list[Provenance]:
    found = []
    for name, info in type(settings).model_fields.items():
        variable = str(info.validation_alias)
        value = getattr(settings, name)
        holders = [place.name for place in places if place.get(variable) is not None]
        winner, *losers = holders or ["not set" if value is None else "default"]
        found.append(Provenance(variable, _shown(variable, value), winner, tuple(losers)))
    return found


def _shown(variable: str, value: object) -> str:
    if value is None:
        return ""
    if variable == "ORACLE_DSN" and "@" in str(value):  # it is refused, and may hold a password
        return MASK
    return MASK if isinstance(value, SecretStr) else str(value)
