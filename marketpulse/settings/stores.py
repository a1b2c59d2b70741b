"""The places that settings come from, among them the stores in AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from marketpulse.aws.parameters import (
    MASK_KEY,
    MASK_KEY_VARIABLE,
    PARAMETERS,
    is_blank,
    is_padded,
)
from marketpulse.errors import SettingsError
from marketpulse.extras import has_extra, require_extra

if TYPE_CHECKING:
    from marketpulse.aws.ssm import StoredParameter

_LINE_ENDS = {"\n", "\r", "\0"}


@dataclass(frozen=True)
class Layer:
    """One place that has settings: values by the name of the environment variable."""

    name: str
    values: Mapping[str, str | None] = field(repr=False)  # may hold secrets
    versions: Mapping[str, str] = field(default_factory=dict)  # of a store's values, by variable
    note: str = ""  # the place and what is wrong there, for a message

    def get(self, variable: str) -> str | None:
        """The value; None if it is absent, empty or still a placeholder."""
        value = self.values.get(variable)
        return None if is_blank(value) else value


def first_value(layers: Sequence[Layer], variable: str) -> tuple[Layer, str] | None:
    """The value of a variable that counts, and the layer that has it; None if no layer has one."""
    for layer in layers:
        if (value := layer.get(variable)) is not None:
            return layer, value
    return None


def refuse_padding(layers: Sequence[Layer]) -> None:
    """Raise `SettingsError` for a value with blanks or line ends around it.

    In a user name or a password they would cost a failed login.
    """
    for variable in PARAMETERS.values():
        found = first_value(layers, variable)
        if found is None:
            continue
        layer, value = found
        is_login = variable in {"ORACLE_USERNAME", "ORACLE_PASSWORD"}
        if layer.versions and is_padded(value):
            reason = "there are blanks or a line end around the value"
        elif is_login and not _LINE_ENDS.isdisjoint(value):
            reason = "there is a line end in the value"
        else:
            continue
        raise SettingsError(
            f"{variable} ({layer.name}): {reason}",
            hint="write it there again without them; for SSM, `marketpulse ssm check` looks at all "
            "parameters",
            check="MP-SET-004",
        )


def credentials_version(layers: Sequence[Layer]) -> str:
    """The version of user name and password, if both come from one store that has versions."""
    user, password = (first_value(layers, f"ORACLE_{name}") for name in ("USERNAME", "PASSWORD"))
    if not (user and password) or user[0] is not password[0] or not user[0].versions:
        return ""
    store = user[0]
    versions = (store.versions[name] for name in ("ORACLE_USERNAME", "ORACLE_PASSWORD"))
    return f"{store.name} {', '.join(dict.fromkeys(versions))}"


def secret_layer(name: str, region: str) -> Layer:
    """The values in a secret. Raises `AwsError` and `SettingsError`."""
    require_extra("aws", "ORACLE_SECRET_ID")
    from marketpulse.aws.secrets import read_secret  # noqa: PLC0415 - boto3 takes 0.2 s to load

    secret = read_secret(name, region)
    return Layer(
        f"secret {name}",
        secret.values,
        dict.fromkeys(secret.values, f"version {secret.version}"),
        f"the secret {name} in {region}",
    )


def parameter_layer(path: str, region: str) -> Layer:
    """The connection parameters in SSM. Raises `AwsError`."""
    name = f"SSM {path}"
    stored = _read_ssm(path, region)
    if isinstance(stored, str):
        return Layer(name, {}, note=f"{name} ({stored})")
    known = {PARAMETERS[key]: item for key, item in stored.items() if key in PARAMETERS}
    problems = _problems({key: item.value for key, item in stored.items()})
    return Layer(
        name,
        {variable: item.value for variable, item in known.items()},
        {variable: f"{variable} {item.version}" for variable, item in known.items()},
        f"{name} in {region}{problems}",
    )


def mask_key_layer(path: str, region: str) -> Layer:
    """The key of masks in SSM, if it is there. Raises `AwsError`."""
    name = f"SSM {path}{MASK_KEY}"
    stored = _read_ssm(path, region)
    if isinstance(stored, str):
        return Layer(name, {}, note=f"{name} ({stored})")
    values = {MASK_KEY_VARIABLE: stored[MASK_KEY].value} if MASK_KEY in stored else {}
    return Layer(name, values, note=f"{name} in {region}")


def _read_ssm(path: str, region: str) -> Mapping[str, StoredParameter] | str:
    """The parameters below a path by name, or why SSM is not read: without AWS it is optional."""
    if not has_extra("aws"):
        return "the extra 'aws' is not installed"
    from marketpulse.aws.ssm import read_parameters  # noqa: PLC0415 - boto3 takes 0.2 s to load

    stored = read_parameters(path, region)
    return "no AWS credentials found" if stored is None else stored


def without_connection(layers: Sequence[Layer]) -> list[Layer]:
    """The layers without the settings that SSM is responsible for with `--credentials ssm`."""
    hidden = {*PARAMETERS.values(), "ORACLE_DSN"}
    return [
        Layer(
            layer.name,
            {name: value for name, value in layer.values.items() if name not in hidden},
        )
        for layer in layers
    ]


def _problems(parameters: Mapping[str, str]) -> str:
    """What is wrong with the parameters in SSM, in parentheses; empty if nothing is."""
    absent = [name for name in PARAMETERS if name not in parameters]
    blank = [name for name in PARAMETERS if name in parameters and is_blank(parameters[name])]
    problems = [f"no {', '.join(absent)}"] if absent else []
    problems += [f"{', '.join(blank)} still a placeholder"] if blank else []
    return f" ({'; '.join(problems)})" if problems else ""
