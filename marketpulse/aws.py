"""A bucket and the parameters as we know them. All that AWS can answer becomes an error here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

import boto3
import botocore.session
from boto3.exceptions import Boto3Error
from botocore import exceptions as botos
from botocore.config import Config
from botocore.parsers import ResponseParserError

from marketpulse.errors import AwsFailed, MarketPulseError, SettingsMissing
from marketpulse.model import Stored

_LARGEST_PUT = 5 << 30  # bytes, S3's limit
_MISSING = (
    botos.ConfigNotFound,
    botos.ConfigParseError,
    botos.CredentialRetrievalError,
    botos.InvalidRegionError,
    botos.LoginError,
    botos.MissingDependencyException,
    botos.NoAuthTokenError,
    botos.NoCredentialsError,
    botos.NoRegionError,
    botos.PartialCredentialsError,
    botos.ProfileNotFound,
    botos.RefreshWithMFAUnsupportedError,
    botos.SSOError,
    botos.TokenRetrievalError,
    botos.UnknownCredentialError,
)
_REFUSED = {
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}


T = TypeVar("T")


class Bucket:
    """A bucket that is there; threads may share it.

    Credentials come from where the AWS command line finds them, too. Every method raises
    `SettingsMissing` without credentials, and `AwsFailed` for all that AWS does not do.
    """

    def __init__(
        self,
        name: str,
        *,
        region: str,
        endpoint_url: str | None = None,
        connections: int = 4,
        largest_put: int = _LARGEST_PUT,
    ) -> None:
        _keep_quiet()
        self._name = name
        self._largest_put = largest_put
        self._where = ""
        with self._answered("cannot be opened"):
            self._client = _client(region, endpoint_url, connections)
            self._where = urlsplit(self._client.meta.endpoint_url).netloc.rpartition("@")[2]
            # A HEAD for an object would not tell a missing bucket from a missing object.
            self._client.head_bucket(Bucket=name)

    def head(self, key: str) -> Stored | None:
        """What is there under a key, or None."""
        with self._answered("cannot be looked at", key):
            try:
                found = self._client.head_object(Bucket=self._name, Key=key)
            except botos.ClientError as error:
                if _status(error) == 404:
                    return None
                raise
            return Stored(found["ContentLength"], found.get("Metadata", {}).get("sha256"))

    def read(self, key: str) -> bytes | None:
        """The content of a small object, or None where there is none."""
        with self._answered("cannot be read", key):
            try:
                content: bytes = self._client.get_object(Bucket=self._name, Key=key)["Body"].read()
            except self._client.exceptions.NoSuchKey:
                return None
            return content

    def put(
        self, key: str, body: BinaryIO, stored: Stored, content_type: str, *, overwrite: bool
    ) -> bool:
        """Send an object; False where another is there, or is being written, and stays.

        Beyond 5 GB the look and the sending are two steps: of two who send such an object at
        once, the later one wins.
        """
        described = {"ContentType": content_type, "Metadata": {"sha256": stored.sha256}}
        if stored.bytes > self._largest_put:
            if not overwrite and self.head(key) is not None:
                return False
            with self._answered("cannot be sent", key):
                self._client.upload_fileobj(body, self._name, key, ExtraArgs=described)
            return True
        condition = {} if overwrite else {"IfNoneMatch": "*"}
        with self._answered("cannot be sent", key):
            try:
                self._client.put_object(
                    Bucket=self._name, Key=key, Body=body, **described, **condition
                )
            except botos.ClientError as error:
                if not overwrite and _status(error) in {409, 412}:
                    return False
                raise
        return True

    def delete(self, key: str) -> None:
        """Remove an object, if there is one."""
        with self._answered("cannot be deleted", key):
            self._client.delete_object(Bucket=self._name, Key=key)

    @contextmanager
    def _answered(self, what: str, key: str = "") -> Iterator[None]:
        """The door: no error of boto3's passes it."""
        place = f"s3://{self._name}/{key}"
        try:
            yield
        except botos.ClientError as error:
            raise _fault(f"{place}: {what}", self._name, error) from error
        except _MISSING as error:
            raise SettingsMissing(
                f"{place}: {what}: AWS finds no credentials that it can use "
                f"({type(error).__name__})",
                hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; "
                "`aws configure list` shows what AWS finds",
            ) from error
        except (botos.ConnectionError, botos.HTTPClientError) as error:
            raise AwsFailed(
                f"{place}: {what}: no answer from {self._where} ({type(error).__name__})",
                hint="check the network, the proxy and the endpoint, then push again",
                check="MP-AWS-003",
            ) from error
        except (botos.BotoCoreError, Boto3Error, ResponseParserError, ValueError) as error:
            raise AwsFailed(
                f"{place}: {what}: {type(error).__name__}",
                hint="check the settings of AWS and the endpoint",
            ) from error


def identity(region: str) -> str | None:
    """Who we are for AWS, None without credentials. Raises `AwsFailed` where nobody answers."""
    _keep_quiet()
    core = _core()
    patience = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1})
    try:
        if core.get_credentials() is None:
            return None
        session = boto3.Session(botocore_session=core, region_name=region)
        return str(session.client("sts", config=patience).get_caller_identity()["Arn"])
    except (botos.BotoCoreError, botos.ClientError, Boto3Error, ValueError) as error:
        raise AwsFailed(
            f"AWS does not say who we are ({type(error).__name__})",
            hint="`aws sts get-caller-identity` shows what AWS's own tools find",
            check="MP-AWS-003",
        ) from error


def ask_ssm(path: str, region: str, question: Callable[[], T]) -> T | None:
    """What `question` reads of Parameter Store with boto3's default session; seconds at most.

    None where AWS finds no credentials. Raises `AwsFailed` where it has some and the parameters
    cannot be read: that is not the same as parameters that are not there.
    """
    _keep_quiet()
    core = _core()
    patience = {"mode": "standard", "total_max_attempts": 2}
    core.set_default_client_config(Config(connect_timeout=5, read_timeout=10, retries=patience))
    usual = boto3.DEFAULT_SESSION
    try:
        if core.get_credentials() is None:
            return None
        boto3.setup_default_session(botocore_session=core, region_name=region)
        return question()
    except (botos.NoCredentialsError, botos.PartialCredentialsError):
        return None
    except botos.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        raise AwsFailed(
            f"SSM {path} in {region} cannot be read: {code}",
            hint="the credentials need ssm:GetParametersByPath there, and kms:Decrypt for its key",
            check="MP-SSM-001",
        ) from error
    except _MISSING as error:
        raise SettingsMissing(
            f"SSM {path} in {region}: AWS's settings cannot be used ({type(error).__name__})",
            hint="`aws configure list` shows what AWS finds; --credentials env does without",
            check="MP-SSM-003",
        ) from error
    except (botos.BotoCoreError, Boto3Error, ResponseParserError, ValueError) as error:
        raise AwsFailed(
            f"SSM {path} in {region}: no answer ({type(error).__name__})",
            hint="check AWS_REGION, the network and the proxy; --credentials env does without SSM",
            check="MP-SSM-002",
        ) from error
    finally:
        boto3.DEFAULT_SESSION = usual


def _keep_quiet() -> None:
    """At DEBUG they log parameters, the session token and every signature."""
    for library in ("boto3", "botocore", "s3transfer", "urllib3"):
        logging.getLogger(library).setLevel(logging.WARNING)


def _core() -> botocore.session.Session:
    core = botocore.session.Session()
    # Off AWS nobody answers where a machine asks for its own credentials.
    core.set_config_variable("metadata_service_timeout", 1)
    core.set_config_variable("metadata_service_num_attempts", 1)
    return core


def _client(region: str, endpoint_url: str | None, connections: int) -> Any:
    core = _core()
    # Stores that are not AWS may not know the checksums that it has come to expect.
    checksums = {"request_checksum_calculation": "when_required"} if endpoint_url else {}
    config = Config(
        connect_timeout=10,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=connections,
        **checksums,
    )
    session = boto3.Session(botocore_session=core, region_name=region)
    return session.client("s3", endpoint_url=endpoint_url, config=config)


def _status(error: botos.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _fault(what: str, bucket: str, error: botos.ClientError) -> MarketPulseError:
    """What an answer of AWS means; its own words may repeat what was sent and are left out."""
    code, status = str(error.response.get("Error", {}).get("Code", "")), _status(error)
    if code in _REFUSED or status in {401, 403}:
        return AwsFailed(
            f"{what}: access denied ({code})",
            hint="the credentials need s3:ListBucket, s3:GetObject and s3:PutObject there, "
            "and s3:DeleteObject for --force",
            check="MP-AWS-001",
        )
    if code == "NoSuchBucket" or (error.operation_name == "HeadBucket" and status == 404):
        return AwsFailed(
            f"{what}: there is no bucket {bucket}",
            hint="check its name, and AWS_REGION",
            check="MP-AWS-002",
        )
    if code == "NotImplemented":
        return AwsFailed(
            f"{what}: this store cannot keep what is there from being overwritten",
            hint="push with --force",
        )
    if status >= 500 or status == 429:
        return AwsFailed(
            f"{what}: the store is not able to answer ({code})",
            hint="push again later: what was sent is not sent twice",
            check="MP-AWS-003",
        )
    return AwsFailed(f"{what}: {code} (HTTP {status})", hint="look the answer up in AWS's manual")
