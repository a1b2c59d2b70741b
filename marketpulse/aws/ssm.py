"""AWS SSM Parameter Store: read and write the parameters below a path.

Every error of boto3 becomes a `MarketPulseError` here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore import exceptions as botocore_errors

from marketpulse.aws import session
from marketpulse.errors import AwsError, MarketPulseError, SettingsError

_READ_PERMISSIONS = (
    "the credentials need ssm:GetParametersByPath there, and kms:Decrypt for its key"
)
_WRITE_PERMISSIONS = (
    "the credentials need ssm:PutParameter there, ssm:DescribeParameters if you give no "
    "--kms-key-id, and kms:Encrypt for the key"
)
_NOT_AWS = (
    "a proxy or another web server has answered: check the proxy, the VPN and AWS_ENDPOINT_URL"
)


@dataclass(frozen=True)
class StoredParameter:
    """A parameter as Parameter Store has it, decrypted."""

    type: str  # String or SecureString
    value: str
    version: int


def read_parameters(path: str, region: str) -> dict[str, StoredParameter] | None:
    """Read the parameters directly below a path, by the last part of their names.

    Returns None if no AWS credentials found. Raises `AwsError` if SSM refuses or does not answer,
    and `SettingsError` if AWS's own settings are unusable.
    """
    with translate_errors(f"SSM {path} in {region}: cannot read parameters", _READ_PERMISSIONS):
        core = session.short_timeout_session()
        if core.get_credentials() is None:
            return None
        client = boto3.Session(botocore_session=core, region_name=region).client("ssm")
        pages = client.get_paginator("get_parameters_by_path").paginate(
            Path=path, WithDecryption=True
        )
        try:
            return {
                parameter["Name"].rpartition("/")[2]: StoredParameter(
                    parameter["Type"], parameter["Value"], parameter["Version"]
                )
                for page in pages
                for parameter in page["Parameters"]
            }
        except (botocore_errors.NoCredentialsError, botocore_errors.PartialCredentialsError):
            # Found by name, and gone or half there when the request was signed.
            return None


def write_parameters(
    path: str,
    region: str,
    values: Mapping[str, str],
    *,
    secret_names: Collection[str],
    kms_key_id: str | None,
) -> None:
    """Write parameters below a path and encrypt the secret ones. Overwrites existing values.

    Without `kms_key_id` a parameter keeps its key; a new one gets the account's default key.
    Raises `AwsError` and `SettingsError` like `read_parameters`, also if there are no credentials.
    """
    secrets = {name for name in values if name in secret_names}
    with translate_errors(f"SSM {path} in {region}: cannot write parameters", _WRITE_PERMISSIONS):
        core = session.short_timeout_session()
        client = boto3.Session(botocore_session=core, region_name=region).client("ssm")
        keys = {} if kms_key_id or not secrets else _encryption_keys(client, path)
        for name, value in values.items():
            settings = {"Type": "SecureString" if name in secrets else "String"}
            key = kms_key_id or keys.get(f"{path}{name}")
            if key and name in secrets:
                settings["KeyId"] = key
            written = client.put_parameter(
                Name=f"{path}{name}", Value=value, Overwrite=True, **settings
            )
            _ = written["Version"]  # else somebody else has answered


def _encryption_keys(
    client: Any,  # boto3 makes its clients' classes at run time
    path: str,
) -> dict[str, str | None]:
    """Find the KMS keys of the parameters below a path.

    PutParameter falls back to the account's key unless the request repeats the present one.
    """
    filters = [{"Key": "Path", "Option": "OneLevel", "Values": [path.rstrip("/")]}]
    pages = client.get_paginator("describe_parameters").paginate(ParameterFilters=filters)
    return {
        parameter["Name"]: parameter.get("KeyId")
        for page in pages
        for parameter in page["Parameters"]
    }


@contextmanager
def translate_errors(action: str, permissions: str) -> Iterator[None]:
    """Turn every error of boto3 into ours; `permissions` is the hint if AWS denies access."""
    try:
        yield
    except botocore_errors.ClientError as error:
        raise _client_error(action, permissions, error) from error
    except session.CREDENTIALS_ERRORS as error:
        raise SettingsError(
            f"{action}: AWS's settings are not usable ({type(error).__name__})",
            hint=session.credentials_hint(
                error,
                "run `aws configure list` to see what AWS finds, or use --credentials env to go "
                "without SSM",
            ),
            check="MP-SSM-003",
        ) from error
    except botocore_errors.SSLError as error:
        raise session.certificate_error(f"{action}: the certificate is not trusted") from error
    except (KeyError, AttributeError) as error:
        # boto3 passes on an answer that lacks what AWS's always have, or trips over it.
        raise AwsError(
            f"{action}: the answer is not one of AWS", hint=_NOT_AWS, check="MP-SSM-002"
        ) from error
    except session.CLIENT_ERRORS as error:
        raise AwsError(
            f"{action}: no answer ({type(error).__name__})",
            hint="check AWS_REGION, the network and the proxy, or use --credentials env "
            "to go without SSM",
            check="MP-SSM-002",
        ) from error


def _client_error(
    action: str, permissions: str, error: botocore_errors.ClientError
) -> MarketPulseError:
    """Map an error answer of SSM. AWS's text may repeat a value, so the message leaves it out."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code.isdecimal():  # AWS's errors have names; botocore takes the status where there is none
        message = f"{action}: the answer, with status {code}, is not one of AWS"
        return AwsError(message, hint=_NOT_AWS, check="MP-SSM-002")
    hint, check = session.HINTS.get(code, permissions), "MP-SSM-001"
    if "Throttl" in code or code.startswith(("Internal", "Service", "TooMany")):
        hint, check = "AWS is busy: try again later", "MP-SSM-002"
    elif code == "InvalidKeyId":
        hint = "check --kms-key-id: the key must be enabled and in the same region"
        check = "MP-AWS-007"
    elif "Validation" in code or "Parameter" in code:
        hint = "check APP_PREFIX, ENV and APP_NAME, which make the path, and the values' length"
        check = "MP-SSM-004"
    return AwsError(f"{action}: {code}", hint=hint, check=check)
