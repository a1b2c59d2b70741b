"""Parameter Store as we know it. All that SSM can answer becomes an error here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

import boto3
from boto3.exceptions import Boto3Error
from botocore import exceptions as botos
from botocore.parsers import ResponseParserError

from marketpulse.aws import session
from marketpulse.errors import AwsError, SettingsError

_TO_READ = "the credentials need ssm:GetParametersByPath there, and kms:Decrypt for its key"

_DEFAULT_SESSION = Lock()  # of boto3's: one at a time stands in for it, and gives it back

T = TypeVar("T")


def ask_ssm(path: str, region: str, question: Callable[[], T]) -> T | None:
    """What `question` reads of Parameter Store with boto3's default session; seconds at most.

    None where AWS finds no credentials. Raises `AwsError` where it has some and the parameters
    cannot be read: that is not the same as parameters that are not there.
    """
    core = session.impatient()
    with _DEFAULT_SESSION, _answered(f"SSM {path} in {region}: they cannot be read", _TO_READ):
        if core.get_credentials() is None:
            return None
        usual = boto3.DEFAULT_SESSION
        boto3.setup_default_session(botocore_session=core, region_name=region)
        try:
            return question()
        except (botos.NoCredentialsError, botos.PartialCredentialsError):
            return None
        finally:
            boto3.DEFAULT_SESSION = usual


def read_parameters(path: str, region: str) -> dict[str, tuple[str, str]]:
    """The parameters right below a path: by their last names, their types and values, decrypted.

    Raises `SettingsError` without credentials, and `AwsError` for all that AWS does not do.
    """
    with _answered(f"SSM {path} in {region}: they cannot be read", _TO_READ):
        pages = (
            _client(region)
            .get_paginator("get_parameters_by_path")
            .paginate(Path=path, WithDecryption=True)
        )
        return {
            it["Name"].rpartition("/")[2]: (it["Type"], it["Value"])
            for page in pages
            for it in page["Parameters"]
        }


def put_parameters(
    path: str,
    region: str,
    values: Mapping[str, str],
    secret: frozenset[str],
    *,
    kms_key_id: str | None,
) -> None:
    """Write parameters below a path, those that are secret encrypted. Raises as reading does.

    Without a key each keeps the one that it has, a new one gets the account's own.
    """
    needs = (
        "the credentials need ssm:PutParameter there, ssm:DescribeParameters where no "
        "--kms-key-id is given, and kms:Encrypt for the key"
    )
    with _answered(f"SSM {path} in {region}: they cannot be written", needs):
        client = _client(region)
        known = {} if kms_key_id or secret.isdisjoint(values) else _keys(client, path)
        for name, value in values.items():
            kind = {"Type": "SecureString" if name in secret else "String"}
            key = kms_key_id or known.get(f"{path}{name}")
            kind |= {"KeyId": key} if key and name in secret else {}
            client.put_parameter(Name=f"{path}{name}", Value=value, Overwrite=True, **kind)


def _client(region: str) -> Any:
    ours = boto3.Session(botocore_session=session.impatient(), region_name=region)
    return ours.client("ssm")


def _keys(client: Any, path: str) -> dict[str, str | None]:
    """The keys of the parameters right below a path: AWS forgets one that is not said again."""
    below = {"Key": "Path", "Option": "OneLevel", "Values": [path.rstrip("/")]}
    pages = client.get_paginator("describe_parameters").paginate(ParameterFilters=[below])
    return {it["Name"]: it.get("KeyId") for page in pages for it in page["Parameters"]}


@contextmanager
def _answered(what: str, needs: str) -> Iterator[None]:
    """The door to Parameter Store: no error of boto3's passes it."""
    try:
        yield
    except botos.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        hint, check = session.REMEDIES.get(code, needs), "MP-SSM-001"
        if "Throttl" in code or code.startswith(("Internal", "Service", "TooMany")):
            hint, check = "AWS is not able to answer now: try again", "MP-SSM-002"
        elif code == "InvalidKeyId":
            hint, check = "check --kms-key-id: the key is of the region, and enabled", "MP-AWS-007"
        elif "Validation" in code or "Parameter" in code:
            hint = "APP_PREFIX, ENV and APP_NAME make the path: check them, and the values' length"
            check = "MP-SSM-004"
        raise AwsError(f"{what}: {code}", hint=hint, check=check) from error
    except session.MISSING as error:
        raise SettingsError(
            f"{what}: AWS's settings cannot be used ({type(error).__name__})",
            hint="`aws configure list` shows what AWS finds; --credentials env does without",
            check="MP-SSM-003",
        ) from error
    except botos.SSLError as error:
        raise session.untrusted(f"{what}: the certificate is not trusted") from error
    except (botos.BotoCoreError, Boto3Error, ResponseParserError, ValueError) as error:
        raise AwsError(
            f"{what}: no answer ({type(error).__name__})",
            hint="check AWS_REGION, the network and the proxy; --credentials env does without SSM",
            check="MP-SSM-002",
        ) from error
