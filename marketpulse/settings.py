"""Settings: each from the first place that has it, and where that was. Nothing reads os.environ.

The places in order: an option, the environment, a `.env` file, the default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream
from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from marketpulse.errors import NotFound, SettingsMissing

MASK = "********"
_PLACEHOLDER = "PLACEHOLDER"


class Settings(BaseSettings):
    """Every setting by the name of its environment variable; secrets show themselves to nobody."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=False
    )

    source: str = Field(default="oracle", validation_alias="MARKETPULSE_SOURCE")
    oracle_host: str | None = Field(default=None, validation_alias="ORACLE_HOST")
    oracle_port: int = Field(default=1521, validation_alias="ORACLE_PORT", ge=1, le=65535)
    oracle_service_name: str | None = Field(default=None, validation_alias="ORACLE_SERVICE_NAME")
    oracle_username: SecretStr | None = Field(default=None, validation_alias="ORACLE_USERNAME")
    oracle_password: SecretStr | None = Field(default=None, validation_alias="ORACLE_PASSWORD")
    oracle_schema: str | None = Field(default=None, validation_alias="ORACLE_SCHEMA")
    oracle_table_name: str | None = Field(default=None, validation_alias="ORACLE_TABLE_NAME")
    app_prefix: str = Field(default="sp-incb", validation_alias="APP_PREFIX")
    env: str = Field(default="ci", validation_alias="ENV")
    app_name: str = Field(default="market-pulse", validation_alias="APP_NAME")
    aws_region: str = Field(default="us-east-1", validation_alias="AWS_REGION")


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


def oracle_from_environment() -> OracleSettings:
    raise NotImplementedError


@dataclass(frozen=True)
class Place:
    """Somewhere settings are looked for; values by the name of the environment variable."""

    name: str
    values: Mapping[str, str | None] = field(repr=False)  # secrets among them

    def get(self, variable: str) -> str | None:
        """The value, or None where it is absent, empty or still a placeholder."""
        value = self.values.get(variable)
        return None if not value or not value.strip() or value.startswith(_PLACEHOLDER) else value


@dataclass(frozen=True)
class Provenance:
    """Where a setting was found: the place that won, and those that have it too and lost."""

    variable: str
    shown: str  # masked where it is a secret
    winner: str
    losers: tuple[str, ...]


class _FromPlace(PydanticBaseSettingsSource):
    """One place as pydantic-settings asks it."""

    def __init__(self, settings_cls: type[BaseSettings], place: Place) -> None:
        super().__init__(settings_cls)
        self._place = place

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the base class asks so
        """The setting's text, by the name of its variable."""
        variable = str(field.validation_alias)
        return self._place.get(variable), variable, False

    def __call__(self) -> dict[str, Any]:
        """Every setting that this place has."""
        found = {}
        for name, info in self.settings_cls.model_fields.items():
            value, variable, _ = self.get_field_value(info, name)
            if value is not None:
                found[variable] = value
        return found


def load_settings(
    options: Mapping[str, str | None], environment: Mapping[str, str], env_file: Path | None
) -> tuple[Settings, tuple[Provenance, ...]]:
    """Find every setting, and say where.

    `env_file` None means `.env` in the working folder, where there is one. Raises `NotFound` for a
    named file that is not there, `SettingsMissing` for a value that cannot be one.
    """
    places = [
        Place("option", options),
        Place("environment", environment),
        *_dotenv(env_file),
    ]

    class Found(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: Any, **__: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(_FromPlace(settings_cls, place) for place in places)

    try:
        settings = Found()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        variable = str(first["loc"][0])
        where = next(place.name for place in places if place.get(variable) is not None)
        raise SettingsMissing(
            f"{variable} ({where}): {first['msg'].lower()}", hint="correct it there"
        ) from None
    return settings, tuple(_provenances(settings, places))


def _dotenv(env_file: Path | None) -> list[Place]:
    path = env_file or Path(".env")
    if not path.is_file():
        if env_file:
            raise NotFound(f"--env-file: {env_file}: no such file")
        return []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsMissing(
            f"{path}: byte {error.start} is not UTF-8", hint="save it as UTF-8"
        ) from None
    except OSError as error:
        raise NotFound(
            f"{path}: cannot be read: {error.strerror}", hint="check the file's permissions"
        ) from error
    values: dict[str, str | None] = {}
    for line in parse_stream(StringIO(text)):
        if line.error:
            written = line.original.string
            blank_lines = written[: len(written) - len(written.lstrip())].count("\n")
            raise SettingsMissing(
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
        found.append(Provenance(variable, _shown(value), winner, tuple(losers)))
    return found


def _shown(value: object) -> str:
    if value is None:
        return ""
    return MASK if isinstance(value, SecretStr) else str(value)
