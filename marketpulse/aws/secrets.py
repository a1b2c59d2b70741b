"""AWS Secrets Manager: read the connection from a secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import boto3

from marketpulse.aws import session
from marketpulse.aws.parameters import PARAMETERS
from marketpulse.aws.ssm import translate_errors
from marketpulse.errors import SettingsError

_PERMISSIONS = (
    "the credentials need secretsmanager:GetSecretValue for it, and kms:Decrypt for its key; "
    "check ORACLE_SECRET_ID and AWS_REGION"
)
# Names of values in a secret: ours, and those of the secrets that AWS makes for its databases.
_NAMES = {
    **PARAMETERS,
    **{variable.lower(): variable for variable in PARAMETERS.values()},
    "user": "ORACLE_USERNAME",
    "dbname": "ORACLE_SERVICE_NAME",
    "dsn": "ORACLE_DSN",
    "oracle_dsn": "ORACLE_DSN",
    "mask_key": "MARKETPULSE_MASK_KEY",
}


@dataclass(frozen=True, kw_only=True)
class StoredSecret:
    """The settings in a secret, by the names of their variables, and the secret's version."""

    values: Mapping[str, str] = field(repr=False)
    version: str


def read_secret(name: str, region: str) -> StoredSecret:
    """Read a secret: a JSON object of settings, or a password alone.

    Raises `AwsError` if Secrets Manager refuses or does not answer, and `SettingsError` without
    credentials, or if the secret is neither.
    """
    with translate_errors(f"secret {name} in {region}: cannot be read", _PERMISSIONS):
        core = session.short_timeout_session()
        client = boto3.Session(botocore_session=core, region_name=region).client("secretsmanager")
        answer = client.get_secret_value(SecretId=name)
        version = str(answer["VersionId"])  # AWS's answers have one
    text = answer.get("SecretString")
    if not text:
        raise SettingsError(
            f"secret {name} in {region}: it is binary or empty",
            hint='store text: a password, or JSON such as {"username": "...", "password": "..."}',
        )
    return StoredSecret(values=_parse(name, text), version=version)


def _parse(name: str, text: str) -> dict[str, str]:
    try:
        content = json.loads(text)
    except ValueError:  # most passwords are not JSON
        return {"ORACLE_PASSWORD": text}
    if not isinstance(content, dict):
        return {"ORACLE_PASSWORD": text}  # a password of digits
    values = {
        _NAMES[key.lower()]: str(value)
        for key, value in content.items()
        # A port may be a number. Names that we do not know are the business of others.
        if key.lower() in _NAMES and isinstance(value, str | int)
    }
    if not values:
        raise SettingsError(
            f"secret {name}: its JSON has none of the names of a connection",
            hint=f"the names are {', '.join(PARAMETERS)}",
        )
    return values
