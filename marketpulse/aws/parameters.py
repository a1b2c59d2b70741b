"""The job: the seven parameters of an environment, written into AWS SSM, and looked at there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from marketpulse.aws.ssm import put_parameters, read_parameters
from marketpulse.errors import UsageError
from marketpulse.settings import PARAMETERS, Place, Settings, parameter_path

SECRET = frozenset({"username", "password"})  # SecureStrings


@dataclass(frozen=True)
class Parameter:
    """A parameter, and whether it is as it should be: its value is nowhere here."""

    name: str
    state: str  # set, missing, placeholder, not a port, or not encrypted


@dataclass(frozen=True)
class Parameters:
    """The seven of an environment."""

    path: str
    region: str
    parameters: tuple[Parameter, ...]

    @property
    def complete(self) -> bool:
        """Whether all are there and none is a placeholder or a secret in plain text."""
        return all(it.state == "set" for it in self.parameters)

    def as_json(self) -> dict[str, Any]:
        """The parameters as `--format json` shows them."""
        return {**asdict(self), "complete": self.complete}


def parsed(content: bytes) -> dict[str, str]:
    """Values from lines `NAME=VALUE`, by the parameters' names; `ORACLE_HOST` is `host`, too.

    Blank lines and those that begin with # say nothing. Raises `UsageError`, which repeats no
    value.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"standard input: byte {error.start} is not UTF-8", hint="save it as UTF-8"
        ) from None
    values = {}
    named = {variable: name for name, variable in PARAMETERS.items()}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        word, equals, value = line.removesuffix("\r").partition("=")
        name = named.get(word.strip().upper(), word.strip().lower())
        if not equals or name not in PARAMETERS:
            raise UsageError(
                f"line {number}: this is not NAME=VALUE with the name of a parameter",
                hint=f"the names are {', '.join(PARAMETERS)}",
            )
        if name in values:
            raise UsageError(f"line {number}: {name} is there twice", hint="give each name once")
        if value != value.strip() or value[:1] in {'"', "'"}:
            raise UsageError(
                f"line {number}: {name} has blanks or quotes around its value",
                hint="every character counts: leave them out, or, where they belong to the value, "
                f"answer at the terminal: marketpulse ssm put {name}",
            )
        values[name] = value
    return values


def put(settings: Settings, values: Mapping[str, str], kms_key_id: str | None) -> Parameters:
    """Write these parameters, whatever they were before; tells how all seven are now.

    Raises `UsageError` for a value that would count as not set, `AwsError` where SSM refuses.
    """
    place = Place("input", {PARAMETERS[name]: value for name, value in values.items()})
    odd = [name for name in values if place.get(PARAMETERS[name]) is None]
    if odd or not values:
        raise UsageError(
            f"{', '.join(odd) or 'all seven'}: there is no value, or a placeholder for one",
            hint="give NAME=VALUE on standard input, a line each, or answer at the terminal",
        )
    if not _fits("port", values.get("port", "1521")):
        raise UsageError("port: this is not a port", hint="Oracle's usual one is 1521")
    put_parameters(
        parameter_path(settings), settings.aws_region, values, SECRET, kms_key_id=kms_key_id
    )
    return check(settings)


def check(settings: Settings) -> Parameters:
    """How the seven parameters are. Raises `AwsError` or `SettingsError` as SSM answers."""
    path = parameter_path(settings)
    found = read_parameters(path, settings.aws_region)
    place = Place("SSM", {name: value for name, (_, value) in found.items()})

    def state(name: str) -> str:
        if name not in found:
            return "missing"
        if place.get(name) is None:
            return "placeholder"
        if not _fits(name, found[name][1]):
            return "not a port"
        return "not encrypted" if name in SECRET and found[name][0] != "SecureString" else "set"

    seven = tuple(Parameter(name, state(name)) for name in PARAMETERS)
    return Parameters(path, settings.aws_region, seven)


def _fits(name: str, value: str) -> bool:
    """Whether the value can be used as this parameter; only a port has a form of its own."""
    return name != "port" or (value.isascii() and value.isdecimal() and 1 <= int(value) <= 65535)
