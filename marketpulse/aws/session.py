"""boto3 sessions with our timeouts and without its logging, and the hints for AWS's errors."""

from __future__ import annotations

import logging
from functools import cache

import boto3
import botocore.session
from boto3.exceptions import Boto3Error
from botocore import exceptions as botocore_errors
from botocore.config import Config
from botocore.loaders import Loader, create_loader
from botocore.parsers import ResponseParserError

from marketpulse.errors import AwsError

_SIGN_IN = "the credentials have expired: sign in again (aws sso login), or renew them"
_WRONG_KEY = "AWS does not know the access key, or its secret is wrong: correct them"
# By error code: the faults of the caller that every service of AWS reports alike.
HINTS = {
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
# botocore raises these before a request leaves: credentials, profile or region are unusable.
CREDENTIALS_ERRORS = (
    botocore_errors.ConfigNotFound,
    botocore_errors.ConfigParseError,
    botocore_errors.CredentialRetrievalError,
    botocore_errors.InvalidRegionError,
    botocore_errors.LoginError,
    botocore_errors.MissingDependencyException,
    botocore_errors.NoAuthTokenError,
    botocore_errors.NoCredentialsError,
    botocore_errors.NoRegionError,
    botocore_errors.PartialCredentialsError,
    botocore_errors.ProfileNotFound,
    botocore_errors.RefreshWithMFAUnsupportedError,
    botocore_errors.SSOError,
    botocore_errors.TokenRetrievalError,
    botocore_errors.UnknownCredentialError,
)
# All that a client raises.
CLIENT_ERRORS = (
    botocore_errors.BotoCoreError,
    botocore_errors.ClientError,
    Boto3Error,
    ResponseParserError,
    ValueError,  # of an invalid endpoint
)


def credentials_hint(error: Exception, otherwise: str) -> str:
    """The hint for one of `CREDENTIALS_ERRORS`."""
    expired = (botocore_errors.SSOError, botocore_errors.TokenRetrievalError)
    if isinstance(error, expired):
        return "the session of AWS_PROFILE is missing or has expired: run `aws sso login`"
    return otherwise


def certificate_error(message: str) -> AwsError:
    """The error for a certificate of an unknown authority."""
    return AwsError(
        message,
        hint="if your company inspects TLS, set AWS_CA_BUNDLE to the file with its authority's "
        "certificate",
        check="MP-AWS-006",
    )


def quiet_session() -> botocore.session.Session:
    """A botocore session that logs no secrets and does not wait for a metadata service."""
    for library in ("boto3", "botocore", "s3transfer", "urllib3"):
        # At DEBUG they log parameters, the session token and every signature.
        logging.getLogger(library).setLevel(logging.WARNING)
    session = botocore.session.Session()
    # Lazily: `data_path` reads the profile. A missing profile must fail where we translate errors.
    session.lazy_register_component(
        "data_loader", lambda: _loader(session.get_config_variable("data_path"))
    )
    # Outside AWS no metadata service answers; the default waits for it too long.
    session.set_config_variable("metadata_service_timeout", 1)
    session.set_config_variable("metadata_service_num_attempts", 1)
    return session


@cache
def _loader(path: str | None) -> Loader:
    """The reader of AWS's service descriptions. Cached: it is half the time of a new client."""
    return create_loader(path)


def short_timeout_session() -> botocore.session.Session:
    """A `quiet_session` for small requests: it gives up after seconds."""
    session = quiet_session()
    retries = {"mode": "standard", "total_max_attempts": 2}
    session.set_default_client_config(Config(connect_timeout=5, read_timeout=10, retries=retries))
    return session


def caller_identity(region: str) -> str | None:
    """The ARN of the caller, or None without credentials. Raises `AwsError` if STS fails."""
    core = quiet_session()
    config = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1})
    try:
        if core.get_credentials() is None:
            return None
        session = boto3.Session(botocore_session=core, region_name=region)
        return str(session.client("sts", config=config).get_caller_identity()["Arn"])
    except (*CLIENT_ERRORS, KeyError) as error:  # KeyError: a page of a proxy in XHTML
        raise AwsError(
            f"AWS did not return the caller's identity ({type(error).__name__})",
            hint="run `aws sts get-caller-identity` to see what AWS's own tools find",
            check="MP-AWS-003",
        ) from error
