"""How AWS is asked: whose credentials, how patiently, and without a word in the log."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import boto3
import botocore.session
from boto3.exceptions import Boto3Error
from botocore import exceptions as botos
from botocore.config import Config
from botocore.loaders import create_loader

from marketpulse.errors import AwsError

_SIGN_IN = "the credentials have expired: sign in again (aws sso login), or renew them"
_WRONG_KEY = "AWS does not know the access key, or its secret is wrong: correct them"
# What answers of AWS's services are about whoever asks.
REMEDIES = {
    "ExpiredToken": _SIGN_IN,
    "ExpiredTokenException": _SIGN_IN,
    "RequestExpired": _SIGN_IN,
    "InvalidToken": _SIGN_IN,
    "InvalidAccessKeyId": _WRONG_KEY,
    "InvalidClientTokenId": _WRONG_KEY,
    "InvalidSignatureException": _WRONG_KEY,
    "SignatureDoesNotMatch": _WRONG_KEY,
    "UnrecognizedClientException": _WRONG_KEY,
    "RequestTimeTooSkewed": "this machine's clock is wrong: set it",
}
MISSING = (
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


def untrusted(message: str) -> AwsError:
    """What to raise where nobody knows who has signed a certificate."""
    return AwsError(
        message,
        hint="does your company look into TLS? Then AWS_CA_BUNDLE names the file with its "
        "authority's certificate",
        check="MP-AWS-006",
    )


def plain() -> botocore.session.Session:
    """The driver's session; it logs nothing and does not wait for those who are not there."""
    for library in ("boto3", "botocore", "s3transfer", "urllib3"):
        # At DEBUG they log parameters, the session token and every signature.
        logging.getLogger(library).setLevel(logging.WARNING)
    session = botocore.session.Session()
    # Not before it is used: whose profile is nowhere must be told so by those who ask.
    session.lazy_register_component(
        "data_loader", lambda: _loader(session.get_config_variable("data_path"))
    )
    # Off AWS nobody answers where a machine asks for its own credentials.
    session.set_config_variable("metadata_service_timeout", 1)
    session.set_config_variable("metadata_service_num_attempts", 1)
    return session


@cache
def _loader(path: str | None) -> Any:
    """What reads the descriptions of AWS's services: half of opening a client, once a process."""
    return create_loader(path)


def impatient() -> botocore.session.Session:
    """The same for small questions: seconds at most."""
    session = plain()
    tries = {"mode": "standard", "total_max_attempts": 2}
    session.set_default_client_config(Config(connect_timeout=5, read_timeout=10, retries=tries))
    return session


def identity(region: str) -> str | None:
    """Who we are for AWS, None without credentials. Raises `AwsError` where nobody answers."""
    core = plain()
    once = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1})
    try:
        if core.get_credentials() is None:
            return None
        session = boto3.Session(botocore_session=core, region_name=region)
        return str(session.client("sts", config=once).get_caller_identity()["Arn"])
    except (botos.BotoCoreError, botos.ClientError, Boto3Error, ValueError) as error:
        raise AwsError(
            f"AWS does not say who we are ({type(error).__name__})",
            hint="`aws sts get-caller-identity` shows what AWS's own tools find",
            check="MP-AWS-003",
        ) from error
