"""Settings: each comes from the first place that has it, and that place can be shown.

The places in order: an option, the environment, a `.env` file, `marketpulse.toml`, AWS SSM, the
default. The caller passes in options and environment, so that nothing here reads `os.environ`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import AliasGenerator, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from marketpulse.aws.parameters import MASK_KEY_VARIABLE, SHORTEST_MASK_KEY, mask_key_command
from marketpulse.errors import AwsError, SettingsError
from marketpulse.extras import MissingExtraError, require_extra
from marketpulse.settings.credentials import (
    PASSWORD_COMMAND,
    run_password_command,
    state_folder,
)
from marketpulse.settings.env_file import ENV_FILE, absence_hint, read_env_file, similar_setting
from marketpulse.settings.file import (
    RUN_VARIABLES,
    SettingValue,
    parse_variable,
    read_settings_file,
    show_value,
)
from marketpulse.settings.stores import (
    Layer,
    credentials_version,
    first_value,
    mask_key_layer,
    parameter_layer,
    refuse_padding,
    secret_layer,
    without_connection,
)

MASK = "********"


class Settings(BaseSettings):
    """Every setting, with the name of its environment variable. Secrets are masked when printed."""

    # A field is read from the variable with its name in capitals, unless it has an alias.
    model_config = SettingsConfigDict(
        alias_generator=AliasGenerator(validation_alias=str.upper),
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        populate_by_name=False,
    )

    source: str = Field(default="oracle", validation_alias="MARKETPULSE_SOURCE")
    credentials: Literal["auto", "env", "ssm"] = Field(
        default="auto", validation_alias="MARKETPULSE_CREDENTIALS"
    )
    deadline: float | None = Field(default=None, validation_alias="MARKETPULSE_DEADLINE", gt=0)
    oracle_dsn: str | None = None
    oracle_host: str | None = None
    oracle_port: int = Field(default=1521, ge=1, le=65535)
    oracle_service_name: str | None = None
    oracle_username: SecretStr | None = None
    oracle_password: SecretStr | None = None
    oracle_password_command: SecretStr | None = None
    oracle_secret_id: str | None = None
    oracle_schema: str | None = None
    oracle_table_name: str | None = None
    oracle_driver: Literal["auto", "thin", "thick", "nne"] = "auto"
    oracle_call_timeout: float = Field(default=300, gt=0, le=86_400)
    oracle_client_lib_dir: str | None = None
    oracle_wallet_location: str | None = None
    oracle_wallet_password: SecretStr | None = None
    tns_admin: str | None = None
    app_prefix: str = "sp-incb"
    env: str = "ci"
    app_name: str = "market-pulse"
    aws_region: str = "us-east-1"
    push: str | None = Field(default=None, validation_alias="MARKETPULSE_PUSH")
    push_kms_key_id: str | None = Field(default=None, validation_alias="MARKETPULSE_KMS_KEY_ID")
    http_tables: str | None = Field(default=None, validation_alias="MARKETPULSE_HTTP_TABLES")
    rules: str | None = Field(default=None, validation_alias="MARKETPULSE_RULES")
    query: str | None = Field(default=None, validation_alias="MARKETPULSE_QUERY")
    hierarchy: str = Field(default="rank,date,price", validation_alias=RUN_VARIABLES["hierarchy"])
    mapping: str | None = Field(default=None, validation_alias=RUN_VARIABLES["mapping"])
    types: str | None = Field(default=None, validation_alias=RUN_VARIABLES["types"])
    date_formats: str | None = Field(default=None, validation_alias=RUN_VARIABLES["date_formats"])
    accept_rounded_ids: bool = Field(
        default=False, validation_alias=RUN_VARIABLES["accept_rounded_ids"]
    )
    formats: str | None = Field(default=None, validation_alias=RUN_VARIABLES["formats"])
    memory_limit: str | None = Field(default=None, validation_alias=RUN_VARIABLES["memory_limit"])
    masks: str | None = Field(default=None, validation_alias=RUN_VARIABLES["masks"])
    mask_key: SecretStr | None = Field(default=None, validation_alias=MASK_KEY_VARIABLE)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - part of the overridden signature
        init_settings: PydanticBaseSettingsSource,
        *_: object,
        **__: object,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Turn off pydantic's own sources: they do not report where a value comes from."""
        return (init_settings,)


VARIABLES = tuple(str(info.validation_alias) for info in Settings.model_fields.values())


@dataclass(frozen=True, kw_only=True)
class OracleSettings:
    """What a database connection needs. `dsn` overrides host, port and service name.

    `version` names user name and password if they come from a store that counts their versions.
    `state_folder` is where refused passwords are remembered; None means nowhere.
    """

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
    call_timeout: float = 300  # seconds for each answer of the database
    deadline: float | None = None  # seconds
    version: str = ""
    state_folder: Path | None = None


@dataclass(frozen=True)
class SettingOrigin:
    """A setting, the place that its value comes from, and the places that it overrides.

    `text` is the value as it may be shown: secrets are masked.
    """

    variable: str
    text: str
    origin: str
    overridden: tuple[str, ...]


@dataclass(frozen=True)
class SettingsReport:
    """Every setting with its origin. `warning` says why SSM could not be read, if so."""

    origins: tuple[SettingOrigin, ...]
    warning: str = ""


@dataclass(frozen=True)
class RunSetting:
    """A setting of a run that no option gave: its value, and the place that it comes from."""

    value: SettingValue
    origin: str


def load_settings(
    options: Mapping[str, str | None],
    environment: Mapping[str, str],
    env_file: Path | None,
    settings_file: Path | None = None,
) -> Settings:
    """Merge the settings of options, environment, files and defaults. Never reads SSM.

    `env_file` None means `.env` in the working folder, if there is one. `settings_file` is a
    `marketpulse.toml`; None means none. Raises `NotFoundError` if a named file does not exist, and
    `SettingsError` if a value is invalid.
    """
    return _merge(_local_layers(options, environment, env_file, settings_file))


def run_settings(
    environment: Mapping[str, str], env_file: Path | None, settings_file: Path | None
) -> dict[str, RunSetting]:
    """What a run uses unless an option says otherwise, by the keys of `marketpulse.toml`.

    Raises what `load_settings` raises.
    """
    layers = [Layer("environment", environment), *_env_file_layers(env_file)]
    file = read_settings_file(settings_file) if settings_file else {}
    settings = {}
    for name, variable in RUN_VARIABLES.items():
        if found := first_value(layers, variable):
            layer, text = found
            settings[name] = RunSetting(parse_variable(name, text, layer.name), layer.name)
        elif variable in file:
            settings[name] = RunSetting(file[variable], str(settings_file))
    return settings


def explain_settings(
    options: Mapping[str, str | None],
    environment: Mapping[str, str],
    env_file: Path | None,
    settings_file: Path | None = None,
) -> SettingsReport:
    """Every setting with its origin, from SSM too unless the settings forbid it.

    If a store in AWS cannot be read, the report has a warning and the other settings. Raises what
    `load_settings` raises.
    """
    layers = _local_layers(options, environment, env_file, settings_file)
    settings = _merge(layers)
    if settings.credentials != "ssm" and settings.oracle_password_command is not None:
        layers.append(Layer(PASSWORD_COMMAND, {"ORACLE_PASSWORD": MASK}))  # it is not run
    warning = ""
    try:
        if settings.credentials == "ssm":
            require_extra("aws", "--credentials ssm")
            layers = without_connection(layers)
        elif settings.credentials == "auto" and settings.oracle_secret_id:
            layers.append(secret_layer(settings.oracle_secret_id, settings.aws_region))
        if settings.credentials != "env":
            layers.append(_parameter_layer(settings))
            if settings.masks and first_value(layers, MASK_KEY_VARIABLE) is None:
                layers.append(mask_key_layer(_path_in_ssm(settings), settings.aws_region))
    except (AwsError, SettingsError, MissingExtraError) as error:
        warning = error.message
    return SettingsReport(_origins(layers), warning)


def env_file_remarks(env_file: Path | None) -> tuple[str, ...]:
    """Remarks on the `.env` file: lines that may not mean what they should."""
    file = read_env_file(env_file, VARIABLES)
    return file.remarks if file else ()


def oracle_settings(
    options: Mapping[str, str | None],
    environment: Mapping[str, str],
    env_file: Path | None,
    ask_password: Callable[[str], str] | None = None,
) -> OracleSettings:
    """The settings of a database connection.

    While a needed setting is missing, looks in this order: the command of
    ORACLE_PASSWORD_COMMAND, the secret of ORACLE_SECRET_ID, SSM with one call if AWS finds
    credentials. If the password alone is missing then, `ask_password` asks the user of that name.

    Raises `SettingsError` that names all missing settings, and `AwsError` if a store cannot be
    read: a failed call must not silently select another database.
    """
    layers = _local_layers(options, environment, env_file)
    layers, searched = _search_stores(layers, _merge(layers), env_file)
    settings = _merge(layers)
    if ask_password and settings.oracle_username and _missing(settings) == ["ORACLE_PASSWORD"]:
        password = ask_password(settings.oracle_username.get_secret_value())
        layers = [*layers, Layer("terminal", {"ORACLE_PASSWORD": password})]
    missing = _missing(_merge(layers))
    if missing:
        raise _missing_error(missing, searched, layers, env_file)
    return _connection(layers, environment)


def mask_key(
    options: Mapping[str, str | None], environment: Mapping[str, str], env_file: Path | None
) -> SecretStr:
    """The key of masks: from the environment, `.env`, the secret of ORACLE_SECRET_ID, or SSM.

    Raises `SettingsError` if it is nowhere, too short, or has blanks around it, and `AwsError` if a
    store cannot be read: another key would give other masks.
    """
    layers = _local_layers(options, environment, env_file)
    settings = _merge(layers)
    searched = _local_places(layers)
    if settings.credentials == "env":
        searched.append("not AWS (--credentials env)")
    else:
        stores = _mask_key_stores(settings)
        while not first_value(layers, MASK_KEY_VARIABLE) and (store := next(stores, None)):
            layers.append(store)
            searched.append(store.note)
    found = first_value(layers, MASK_KEY_VARIABLE)
    if found is None:
        raise _mask_key_error(f"is not set; looked in {', '.join(searched)}")
    layer, text = found
    if len(text.strip()) < SHORTEST_MASK_KEY:
        raise _mask_key_error(f"has fewer than {SHORTEST_MASK_KEY} characters")
    if text != text.strip():
        raise SettingsError(
            f"{MASK_KEY_VARIABLE} ({layer.name}): there are blanks or a line end around the value",
            hint="write it there again without them: they would change the masks",
            check="MP-SET-004",
        )
    return SecretStr(text)


def _mask_key_stores(settings: Settings) -> Iterator[Layer]:
    if settings.oracle_secret_id and settings.credentials != "ssm":
        yield secret_layer(settings.oracle_secret_id, settings.aws_region)
    yield mask_key_layer(_path_in_ssm(settings), settings.aws_region)


def _mask_key_error(problem: str) -> SettingsError:
    return SettingsError(
        f"{MASK_KEY_VARIABLE}, which masks need, {problem}",
        hint=f"make one with `{mask_key_command()}` and keep it: the same key gives the same masks",
        check="MP-SET-005",
    )


def answered_settings(answers: Mapping[str, str], environment: Mapping[str, str]) -> OracleSettings:
    """The settings of a connection from answers and the environment alone, the answers first.

    Raises `SettingsError` if one is missing or invalid.
    """
    layers = [Layer("answer", answers), Layer("environment", environment)]
    if missing := _missing(_merge(layers)):
        raise SettingsError(f"not answered: {', '.join(missing)}", check="MP-SET-002")
    return _connection(layers, environment)


def _connection(layers: Sequence[Layer], environment: Mapping[str, str]) -> OracleSettings:
    settings = _merge(layers)
    if settings.oracle_username is None or settings.oracle_password is None:
        raise AssertionError("the caller has checked that none is missing")
    refuse_padding(layers)
    return OracleSettings(
        username=settings.oracle_username,
        password=settings.oracle_password,
        dsn=settings.oracle_dsn,
        host=settings.oracle_host,
        port=settings.oracle_port,
        service_name=settings.oracle_service_name,
        schema=settings.oracle_schema,
        table_name=settings.oracle_table_name,
        wallet_location=settings.oracle_wallet_location,
        wallet_password=settings.oracle_wallet_password,
        config_dir=settings.tns_admin,
        client_lib_dir=settings.oracle_client_lib_dir,
        driver=settings.oracle_driver,
        call_timeout=settings.oracle_call_timeout,
        deadline=settings.deadline,
        version=credentials_version(layers),
        state_folder=state_folder(environment),
    )


def _missing_error(
    missing: Sequence[str], searched: Sequence[str], layers: Sequence[Layer], env_file: Path | None
) -> SettingsError:
    """The error for settings that no place has; its hint is what has most likely happened."""
    names = [name for layer in layers[1:] for name, value in layer.values.items() if value]
    slips = [
        f"{name} is set: write {meant}"
        for name in names
        if (meant := similar_setting(name, VARIABLES)).partition("=")[0] in {*missing, "ORACLE_DSN"}
    ]
    if slips:
        hint = "; ".join(slips)
    elif env_file or ENV_FILE.is_file():
        hint = f"add {'it' if len(missing) == 1 else 'them'} to {env_file or ENV_FILE.resolve()}"
    else:
        hint = absence_hint()
    return SettingsError(
        f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set; looked in "
        f"{', '.join(searched)}",
        hint=f"{hint}; `marketpulse config` shows every setting",
        check="MP-SET-002",
    )


def _search_stores(
    layers: list[Layer], settings: Settings, env_file: Path | None
) -> tuple[list[Layer], list[str]]:
    """Add a layer for each place that is searched, until nothing is missing; name all places."""
    searched = _local_places(layers)
    if not (env_file or ENV_FILE.is_file()):
        searched.append(f".env (there is none in {Path.cwd()})")
    if settings.credentials == "ssm":
        require_extra("aws", "--credentials ssm")
        layer = _parameter_layer(settings)
        return [*without_connection(layers), layer], [layer.note]
    command = settings.oracle_password_command
    if settings.oracle_password is None and command is not None:
        password = run_password_command(command.get_secret_value())
        layers = [*layers, Layer(PASSWORD_COMMAND, {"ORACLE_PASSWORD": password})]
        searched.append(PASSWORD_COMMAND)
    if settings.credentials == "env":
        return layers, [*searched, "not SSM (--credentials env)"]
    if settings.oracle_secret_id and _missing(_merge(layers)):
        layers = [*layers, secret_layer(settings.oracle_secret_id, settings.aws_region)]
        searched.append(layers[-1].note)
    if _missing(_merge(layers)):
        layers = [*layers, _parameter_layer(settings)]
        searched.append(layers[-1].note)
    return layers, searched


def _parameter_layer(settings: Settings) -> Layer:
    return parameter_layer(parameter_path(settings), settings.aws_region)


def parameter_path(settings: Settings) -> str:
    """The path of the connection parameters of an environment in SSM."""
    return f"{_path_in_ssm(settings)}oracle/"


def _path_in_ssm(settings: Settings) -> str:
    return f"/{settings.app_prefix}/{settings.env}/{settings.app_name}/"


def _local_layers(
    options: Mapping[str, str | None],
    environment: Mapping[str, str],
    env_file: Path | None,
    settings_file: Path | None = None,
) -> list[Layer]:
    """The layers on this machine, the highest priority first."""
    layers = [
        Layer("option", options),
        Layer("environment", environment),
        *_env_file_layers(env_file),
    ]
    if settings_file is not None:
        values = read_settings_file(settings_file)
        texts = {name: show_value(value) for name, value in values.items()}
        layers.append(Layer(str(settings_file), texts))
    return layers


def _local_places(layers: Sequence[Layer]) -> list[str]:
    """The local layers as a message names them: nobody looks for a missing password in options."""
    _options, _environment, *files = layers
    return ["the environment", *(layer.name for layer in files)]


def _merge(layers: Sequence[Layer]) -> Settings:
    """The settings of these layers. Raises `SettingsError` if a value is invalid.

    Only the value that wins is checked: a valid option may override an invalid file.
    """
    found = {variable: first_value(layers, variable) for variable in VARIABLES}
    values = {variable: value for variable, value in found.items() if value is not None}
    try:
        return Settings.model_validate({variable: text for variable, (_, text) in values.items()})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        variable = str(first["loc"][0])
        origin = values[variable][0].name
        # `from None`: the original error shows the value, which may be a secret in a wrong place.
        raise SettingsError(
            f"{variable} ({origin}): {_problem(first)}", hint="correct the value there"
        ) from None


def _problem(error: ErrorDetails) -> str:
    """What is wrong with a value, in our words; it does not repeat the value."""
    limits = error.get("ctx", {})
    match error["type"]:
        case "literal_error":
            return f"must be {limits['expected']}"
        case "bool_parsing" | "bool_type":
            return "must be true or false"
        case "int_parsing" | "int_from_float":
            return "must be a whole number"
        case "float_parsing":
            return "must be a number"
        case "greater_than":
            return f"must be greater than {limits['gt']:g}"
        case "greater_than_equal":
            return f"must be {limits['ge']} or more"
        case "less_than_equal":
            return f"must be {limits['le']} or less"
        case kind:
            return f"it is invalid ({kind})"


def _missing(settings: Settings) -> list[str]:
    """The settings that a connection needs and that are not set."""
    needed: dict[str, object] = {
        "ORACLE_HOST": settings.oracle_dsn or settings.oracle_host,
        "ORACLE_SERVICE_NAME": settings.oracle_dsn or settings.oracle_service_name,
        "ORACLE_USERNAME": settings.oracle_username,
        "ORACLE_PASSWORD": settings.oracle_password,
    }
    return [variable for variable, value in needed.items() if value is None]


def _env_file_layers(env_file: Path | None) -> list[Layer]:
    """The layer of the `.env` file; none if the default file does not exist."""
    file = read_env_file(env_file, VARIABLES)
    return [Layer(str(file.path), file.values)] if file else []


def _origins(layers: Sequence[Layer]) -> tuple[SettingOrigin, ...]:
    """Where each setting comes from, in the order of the settings."""
    settings, origins = _merge(layers), []
    for name, info in Settings.model_fields.items():
        variable = str(info.validation_alias)
        value: object = getattr(settings, name)
        holders = [layer.name for layer in layers if layer.get(variable) is not None]
        origin, *overridden = holders or ["not set" if value is None else "default"]
        origins.append(SettingOrigin(variable, _mask(variable, value), origin, tuple(overridden)))
    return tuple(origins)


def _mask(variable: str, value: object) -> str:
    if value is None:
        return ""
    if variable == "ORACLE_DSN" and "@" in str(value):  # invalid, and may contain a password
        return MASK
    if isinstance(value, bool):
        return str(value).lower()
    return MASK if isinstance(value, SecretStr) else str(value)
