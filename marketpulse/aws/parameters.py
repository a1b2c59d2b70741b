"""The seven parameters of an environment in AWS SSM: write them, and check them.

Importing this module does not load boto3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from marketpulse.errors import SettingsError, UsageError

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
SECRET_NAMES = frozenset({"username", "password"})  # stored as SecureString
_PLACEHOLDER = "PLACEHOLDER"  # Terraform creates each parameter with this value


@dataclass(frozen=True)
class ParameterState:
    """The state of a parameter, without its value."""

    name: str
    state: str  # set, missing, placeholder, blanks around it, not a port, or not encrypted


@dataclass(frozen=True)
class ParametersReport:
    """The states of all seven parameters of an environment."""

    path: str
    region: str
    parameters: tuple[ParameterState, ...]

    @property
    def complete(self) -> bool:
        """Whether every parameter has a usable value and every secret is encrypted."""
        return all(parameter.state == "set" for parameter in self.parameters)

    def as_json(self) -> dict[str, object]:
        """The report as `--format json` prints it."""
        return {**asdict(self), "complete": self.complete}


def is_blank(value: str | None) -> bool:
    """Whether a value counts as not set: absent, empty, only spaces, or a placeholder."""
    return not value or not value.strip() or value.startswith(_PLACEHOLDER)


def is_padded(value: str) -> bool:
    """Whether there are blanks or line ends round a value: no value has them on purpose."""
    return value != value.strip()


def check_names(names: Sequence[str]) -> list[str]:
    """These parameter names, or all seven if there are none. Raises `UsageError`."""
    unknown = [name for name in names if name not in PARAMETERS]
    if unknown:
        # The text after = may be a secret that the user typed by mistake.
        raise UsageError(
            f"there is no parameter {unknown[0].partition('=')[0]!r}",
            hint=f"the names are {', '.join(PARAMETERS)}; never put a value on the command line",
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
    by_variable = {variable: name for name, variable in PARAMETERS.items()}
    name = by_variable.get(word.strip().upper(), word.strip().lower())
    if not equals or name not in PARAMETERS:
        raise UsageError(
            f"line {number}: expected NAME=VALUE with the name of a parameter",
            hint=f"the names are {', '.join(PARAMETERS)}",
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
    """Write these parameters and report the state of all seven. Overwrites existing values.

    Raises `UsageError` for a value that counts as not set, `AwsError` if SSM refuses or does not
    answer, `SettingsError` without credentials.
    """
    blank = [name for name, value in values.items() if is_blank(value)]
    if blank or not values:
        raise UsageError(
            f"{', '.join(blank) or 'all seven'}: no value, or only a placeholder",
            hint="give one NAME=VALUE per line on standard input, or type values at the prompt",
        )
    padded = [name for name, value in values.items() if is_padded(value)]
    if padded:
        raise UsageError(
            f"{', '.join(padded)}: blanks or a line end round the value", hint="leave them out"
        )
    if not _is_valid("port", values.get("port", "1521")):
        raise UsageError("port: not a port number", hint="Oracle's default is 1521")
    from marketpulse.aws.ssm import write_parameters  # noqa: PLC0415 - boto3 takes 0.2 s to load

    write_parameters(path, region, values, secret_names=SECRET_NAMES, kms_key_id=kms_key_id)
    return check(path, region)


def check(path: str, region: str) -> ParametersReport:
    """Report the state of all seven parameters.

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
    states = (ParameterState(name, _state(name, stored.get(name))) for name in PARAMETERS)
    return ParametersReport(path, region, tuple(states))


def _state(name: str, parameter: StoredParameter | None) -> str:
    if parameter is None:
        return "missing"
    if is_blank(parameter.value):
        return "placeholder"
    if is_padded(parameter.value):
        return "blanks around it"
    if not _is_valid(name, parameter.value):
        return "not a port"
    if name in SECRET_NAMES and parameter.type != "SecureString":
        return "not encrypted"
    return "set"


def _is_valid(name: str, value: str) -> bool:
    """Whether the value has the parameter's format; only the port has one."""
    return name != "port" or (value.isascii() and value.isdecimal() and 1 <= int(value) <= 65535)
