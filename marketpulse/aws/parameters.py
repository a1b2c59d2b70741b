"""The parameters of an environment in AWS SSM: write them, and check them.

Seven are the connection. The eighth, the key of masks, is optional, and stands one level above:

    /APP_PREFIX/ENV/APP_NAME/oracle/host ... /APP_PREFIX/ENV/APP_NAME/mask_key

Importing this module does not load boto3.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from marketpulse.errors import AwsError, SettingsError, UsageError, command_line

if TYPE_CHECKING:
    from marketpulse.aws.ssm import StoredParameter

# Each parameter's name below the path, and the setting that it holds.
PARAMETERS: Mapping[str, str] = {
    "host": "ORACLE_HOST",
    "port": "ORACLE_PORT",
    "service_name": "ORACLE_SERVICE_NAME",
    "username": "ORACLE_USERNAME",
    "password": "ORACLE_PASSWORD",
    "schema": "ORACLE_SCHEMA",
    "table_name": "ORACLE_TABLE_NAME",
}
MASK_KEY = "mask_key"
MASK_KEY_VARIABLE = "MARKETPULSE_MASK_KEY"
SHORTEST_MASK_KEY = 20  # characters
SECRET_NAMES = frozenset({"username", "password", MASK_KEY})  # stored as SecureString
_VARIABLES: Mapping[str, str] = {**PARAMETERS, MASK_KEY: MASK_KEY_VARIABLE}
_PLACEHOLDER = "PLACEHOLDER"  # Terraform creates each parameter with this value


@dataclass(frozen=True)
class ParameterState:
    """The state of a parameter, without its value."""

    name: str
    state: str  # set, or what is wrong; for the mask key also absent and unreadable


@dataclass(frozen=True)
class ParametersReport:
    """The states of all parameters of an environment; `path` is that of the seven."""

    path: str
    region: str
    parameters: tuple[ParameterState, ...]

    @property
    def complete(self) -> bool:
        """Whether every parameter has a usable value and every secret is encrypted.

        The key of masks may be absent, or not for these credentials to read.
        """
        accepted = {MASK_KEY: {"set", "absent", "unreadable"}}
        return all(
            parameter.state in accepted.get(parameter.name, {"set"})
            for parameter in self.parameters
        )

    def as_json(self) -> dict[str, object]:
        """The report as `--format json` prints it."""
        return {**asdict(self), "complete": self.complete}


def mask_key_command() -> str:
    """The command that prints a new key of masks, with this Python: the system may have none."""
    return command_line([sys.executable, "-c", "import secrets; print(secrets.token_urlsafe(32))"])


def is_blank(value: str | None) -> bool:
    """Whether a value counts as not set: absent, empty, only spaces, or a placeholder."""
    return not value or not value.strip() or value.startswith(_PLACEHOLDER)


def is_padded(value: str) -> bool:
    """Whether there are blanks or line ends round a value: no value has them on purpose."""
    return value != value.strip()


def check_names(names: Sequence[str]) -> list[str]:
    """These parameter names, or those of the connection if there are none. Raises `UsageError`."""
    unknown = [name for name in names if name not in _VARIABLES]
    if unknown:
        # The text after = may be a secret that the user typed by mistake.
        raise UsageError(
            f"there is no parameter {unknown[0].partition('=')[0]!r}",
            hint=f"the names are {', '.join(_VARIABLES)}; never put a value on the command line",
        )
    return list(names or PARAMETERS)


def parse_parameters(content: bytes) -> dict[str, str]:
    """Parse lines of NAME=VALUE into values by parameter name. `ORACLE_HOST` means `host`.

    Ignores blank lines and lines that start with #. Raises `UsageError`, which repeats no value.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"standard input: byte {error.start} is not UTF-8", hint="save the file as UTF-8"
        ) from None
    values: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, value = _parse_line(number, line.removesuffix("\r"))
        if name in values:
            raise UsageError(f"line {number}: duplicate name {name}", hint="give each name once")
        values[name] = value
    return values


def _parse_line(number: int, line: str) -> tuple[str, str]:
    """Split NAME=VALUE. Raises `UsageError` for an unknown name or an ambiguous value."""
    word, equals, value = line.partition("=")
    by_variable = {variable: name for name, variable in _VARIABLES.items()}
    name = by_variable.get(word.strip().upper(), word.strip().lower())
    if not equals or name not in _VARIABLES:
        raise UsageError(
            f"line {number}: expected NAME=VALUE with the name of a parameter",
            hint=f"the names are {', '.join(_VARIABLES)}",
        )
    # A shell would drop quotes; a password may contain them. Only the user can tell.
    if is_padded(value) or value[:1] in {'"', "'"}:
        raise UsageError(
            f"line {number}: {name} has spaces or quotes around its value",
            hint="remove them; if quotes belong to the value, type it at the prompt of "
            f"`marketpulse ssm put {name}`",
        )
    return name, value


def put(
    path: str, region: str, values: Mapping[str, str], kms_key_id: str | None
) -> ParametersReport:
    """Write these parameters and report the state of all. Overwrites existing values.

    Raises `UsageError` for a value that counts as not set, `AwsError` if SSM refuses or does not
    answer, `SettingsError` without credentials.
    """
    blank = [name for name, value in values.items() if is_blank(value)]
    if blank or not values:
        raise UsageError(
            f"{', '.join(blank) or 'the parameters'}: no value, or only a placeholder",
            hint="give one NAME=VALUE per line on standard input, or type values at the prompt",
        )
    padded = [name for name, value in values.items() if is_padded(value)]
    if padded:
        raise UsageError(
            f"{', '.join(padded)}: blanks or a line end around the value", hint="leave them out"
        )
    if not _is_valid("port", values.get("port", "1521")):
        raise UsageError("port: not a port number", hint="Oracle's default is 1521")
    if not _is_valid(MASK_KEY, values.get(MASK_KEY, "-" * SHORTEST_MASK_KEY)):
        raise UsageError(
            f"{MASK_KEY}: fewer than {SHORTEST_MASK_KEY} characters",
            hint=f"make one with `{mask_key_command()}`",
        )
    from marketpulse.aws.ssm import write_parameters  # noqa: PLC0415 - boto3 takes 0.2 s to load

    mask_key = {name: value for name, value in values.items() if name == MASK_KEY}
    connection = {name: value for name, value in values.items() if name != MASK_KEY}
    for folder, group in ((path, connection), (_folder_above(path), mask_key)):
        if group:
            write_parameters(
                folder, region, group, secret_names=SECRET_NAMES, kms_key_id=kms_key_id
            )
    return check(path, region)


def check(path: str, region: str) -> ParametersReport:
    """Report the state of all parameters.

    Raises `AwsError` if SSM refuses or does not answer, `SettingsError` without credentials.
    """
    from marketpulse.aws.ssm import read_parameters  # noqa: PLC0415 - boto3 takes 0.2 s to load

    stored = read_parameters(path, region)
    if stored is None:
        raise SettingsError(
            f"SSM {path} in {region}: no AWS credentials found",
            hint="set AWS_PROFILE, or sign in; `aws configure list` shows which ones are used",
            check="MP-SSM-003",
        )
    states = [ParameterState(name, _state(name, stored.get(name))) for name in PARAMETERS]
    states.append(ParameterState(MASK_KEY, _mask_key_state(_folder_above(path), region)))
    return ParametersReport(path, region, tuple(states))


def _mask_key_state(path: str, region: str) -> str:
    """The state of the key of masks, which few need: reading it takes a right of its own."""
    from marketpulse.aws.ssm import read_parameters  # noqa: PLC0415 - boto3 takes 0.2 s to load

    try:
        stored = read_parameters(path, region) or {}
    except AwsError as error:
        if error.check != "MP-SSM-001":
            raise
        return "unreadable"
    return _state(MASK_KEY, stored[MASK_KEY]) if MASK_KEY in stored else "absent"


def _folder_above(path: str) -> str:
    return f"{path.rstrip('/').rpartition('/')[0]}/"


def _state(name: str, parameter: StoredParameter | None) -> str:
    if parameter is None:
        return "missing"
    if is_blank(parameter.value):
        return "placeholder"
    if is_padded(parameter.value):
        return "blanks around it"
    if not _is_valid(name, parameter.value):
        return "too short" if name == MASK_KEY else "not a port"
    if name in SECRET_NAMES and parameter.type != "SecureString":
        return "not encrypted"
    return "set"


def _is_valid(name: str, value: str) -> bool:
    """Whether the value has the parameter's format; only the port and the key of masks have one."""
    if name == MASK_KEY:
        return len(value) >= SHORTEST_MASK_KEY
    return name != "port" or (value.isascii() and value.isdecimal() and 1 <= int(value) <= 65535)
