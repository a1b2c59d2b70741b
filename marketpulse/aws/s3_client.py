"""The boto3 client of S3: its set-up, uploads in parts, and what its errors mean."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import boto3
import botocore.session
from boto3.s3.transfer import ProgressCallbackInvoker, TransferConfig, create_transfer_manager
from botocore import exceptions as botocore_errors
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.client import BaseClient
from botocore.config import Config
from botocore.model import OperationModel
from botocore.parsers import ResponseParserError
from botocore.utils import determine_content_length

from marketpulse.aws import session
from marketpulse.aws.checksums import Checksums, part_size
from marketpulse.errors import AwsError, MarketPulseError, SettingsError
from marketpulse.version import __version__

_EXPECT_CONTINUE_SIZE = 1 << 20  # bytes
_OLD_STORE = (
    "a store other than AWS may be too old for checksums: "
    "AWS_REQUEST_CHECKSUM_CALCULATION=when_required leaves them out"
)
# What the answers to a write have. Without it somebody else has answered.
_NEEDED = {
    "CreateMultipartUpload": "UploadId",
    **dict.fromkeys(("CompleteMultipartUpload", "PutObject", "UploadPart"), "ETag"),
}
_REGION_ERRORS = {
    "PermanentRedirect",
    "TemporaryRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
}
# Only these answers say that a right is missing. A HEAD has no code but its status.
_DENIALS = {"", "401", "403", "AccessDenied", "AllAccessDisabled", "Forbidden", "Unauthorized"}
_QUOTA_HINT = "free some space there, or ask the store's administrator for more"
_DAMAGE_HINT = "something on the way changes the data; push again, or from another network"
_CODES = {
    "NoSuchBucket": (
        "there is no bucket {bucket}", "check its name, and AWS_REGION", "MP-AWS-002"
    ),
    **dict.fromkeys(
        ("ConditionalRequestConflict", "OperationAborted"),
        ("another request changes it at the same time ({code})", "try again", "MP-AWS-004"),
    ),
    **dict.fromkeys(
        ("QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull"),
        ("the storage quota is used up ({code})", _QUOTA_HINT, "MP-AWS-010"),
    ),
    **dict.fromkeys(
        ("BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"),
        ("the store received other data than was sent ({code})", _DAMAGE_HINT, "MP-AWS-008"),
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Feature:
    """What a request may ask for and a store may lack: how an answer names it, and the remedy."""

    words: tuple[str, ...]
    remedy: str


FEATURES: Mapping[str, Feature] = {
    "tags": Feature(words=("tagging",), remedy="leave out --tag"),
    "encryption": Feature(
        words=("server-side-encryption",), remedy="leave out --sse and --kms-key-id"
    ),
    "checksums": Feature(words=("checksum",), remedy=_OLD_STORE),
    "protection from overwriting": Feature(
        words=("if-none-match", "if-match"), remedy="overwrite what is there with --force"
    ),
}
# What the requests of an upload in parts carry; those that write an object at once carry all.
_CARRIED: Mapping[str, Collection[str]] = {
    "CreateMultipartUpload": {"tags", "encryption", "checksums"},
    "UploadPart": {"checksums"},
    "CompleteMultipartUpload": {"checksums", "protection from overwriting"},
}
_PERMISSIONS = (
    "the credentials need s3:ListBucket and s3:GetObject there, and to push s3:PutObject, "
    "s3:DeleteObject for --force, s3:PutObjectTagging for --tag, and access to the KMS key"
)


def supports_checksums(core: botocore.session.Session) -> bool:
    """Whether requests may carry checksums; AWS_REQUEST_CHECKSUM_CALCULATION can forbid it."""
    value = core.get_config_variable("request_checksum_calculation") or ""
    return bool(value.lower() != "when_required")


def create_client(
    core: botocore.session.Session,
    *,
    region: str | None,
    endpoint_url: str | None,
    connections: int,
    timeout: float,
    sign_payload: bool,
) -> BaseClient:
    """Create the client. `sign_payload` protects bodies of stores that know no checksums."""
    config = Config(
        connect_timeout=min(10, timeout),
        read_timeout=timeout,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=connections,
        # These three defaults cost a fifth of each request: our parameters are valid, a signed
        # checksum covers the body, and a fixed user agent needs no assembling.
        parameter_validation=False,
        s3={"payload_signing_enabled": sign_payload},
        user_agent=f"marketpulse/{__version__} Boto3/{boto3.__version__}",
        response_checksum_validation="when_required",  # we compare the SHA-256 of what we read
    )
    owner = boto3.Session(botocore_session=core, region_name=region)
    client = owner.client("s3", endpoint_url=endpoint_url, config=config)
    client.meta.events.register("request-created.s3.PutObject", _drop_expect_header)
    client.meta.events.register("before-call.s3.HeadBucket", _follow_no_redirect)
    client.meta.events.register("after-call.s3", _refuse_foreign_answer)
    return client


def _follow_no_redirect(context: dict[str, dict[str, object]], **_: object) -> None:
    """End a chain of redirects.

    botocore asks with HeadBucket where a redirected bucket is, and follows a redirect of that as
    well: without end, if the answer never names a region.
    """
    context.setdefault("s3_redirect", {})["redirected"] = True


def _refuse_foreign_answer(
    http_response: AWSResponse, parsed: dict[str, object], model: OperationModel, **_: object
) -> None:
    """Raise the error of an answer with status 200 that is not the store's: a page, or nothing."""
    error = botocore_errors.ClientError(parsed, model.name)
    # Only an object may be a page. Some stores call their empty answers so.
    if model.name not in {"GetObject", "HeadObject"} and _is_web_page(error):
        start = http_response.content[:100].lstrip().lower()
        if start.startswith((b"<!doctype html", b"<html")):
            raise error
    needed = _NEEDED.get(model.name)
    if needed and http_response.status_code < 300 and needed not in parsed:
        raise ResponseParserError(f"there is no {needed} in the answer")


def _drop_expect_header(request: AWSRequest, **_: object) -> None:
    """Send small bodies at once: `Expect: 100-continue` costs another round trip."""
    size = determine_content_length(request.data)
    if size is not None and size < _EXPECT_CONTINUE_SIZE:
        del request.headers["Expect"]


class MultipartUploader:
    """Uploads large files in parts, with S3's condition and our checksums.

    boto3's transfer manager knows neither, so event hooks add them to its requests:

        CreateMultipartUpload -> UploadPart (+ ChecksumSHA256) ... -> Complete (+ If-None-Match)
    """

    def __init__(
        self, client: BaseClient, bucket: str, *, connections: int, send_checksums: bool
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._connections = connections
        self._send_checksums = send_checksums
        self._lock = Lock()  # one file at a time: its parts fill the line already
        self._protected_key: str | None = None  # must not be overwritten
        self._part_digests: Sequence[bytes] = ()
        events = client.meta.events
        events.register("before-parameter-build.s3.CompleteMultipartUpload", self._add_condition)
        events.register("before-parameter-build.s3.UploadPart", self._add_checksum)

    def upload(
        self,
        key: str,
        path: Path,
        checksums: Checksums,
        arguments: Mapping[str, object],
        *,
        overwrite: bool,
        progress: Callable[[int], None],
    ) -> None:
        """Upload a file. Raises boto3's errors: HTTP 412 if the key exists and may not change."""
        config = TransferConfig(
            multipart_threshold=1,
            multipart_chunksize=part_size(checksums.size),
            max_concurrency=self._connections,
            preferred_transfer_client="classic",  # the CRT client ignores the endpoint
        )
        algorithm = {"ChecksumAlgorithm": "SHA256"} if self._send_checksums else {}
        with self._lock, create_transfer_manager(self._client, config) as manager:
            self._protected_key = None if overwrite else key
            self._part_digests = checksums.part_digests
            callbacks = [ProgressCallbackInvoker(progress)]
            extra = {**arguments, **algorithm}
            manager.upload(str(path), self._bucket, key, extra, callbacks).result()

    def _add_condition(self, params: dict[str, object], **_: object) -> None:
        if params["Key"] == self._protected_key:
            params["IfNoneMatch"] = "*"

    def _add_checksum(self, params: dict[str, object], **_: object) -> None:
        number = params["PartNumber"]
        if self._send_checksums and isinstance(number, int):
            params["ChecksumSHA256"] = b64encode(self._part_digests[number - 1]).decode()


@contextmanager
def translate_errors(
    bucket: str, key: str, action: str, host: str, features: Collection[str] = ()
) -> Iterator[None]:
    """Turn every error of boto3 into ours; `action` says what failed: "cannot be read".

    `features` are those of `FEATURES` that the request asks for.
    """
    message = f"s3://{bucket}/{key}: {action}"
    try:
        yield
    except botocore_errors.ClientError as error:
        raise _client_error(message, bucket, error, features) from error
    except session.CREDENTIALS_ERRORS as error:
        raise SettingsError(
            f"{message}: no usable AWS credentials ({type(error).__name__})",
            hint=session.credentials_hint(
                error,
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; "
                "`aws configure list` shows which ones are used",
            ),
        ) from error
    except botocore_errors.SSLError as error:
        raise session.certificate_error(
            f"{message}: the certificate of {host} is not trusted"
        ) from error
    except (botocore_errors.ConnectionError, botocore_errors.HTTPClientError) as error:
        raise AwsError(
            f"{message}: no answer from {host} ({type(error).__name__})",
            hint="check the network, the proxy and the endpoint, then try again",
            check="MP-AWS-003",
        ) from error
    except (botocore_errors.IncompleteReadError, ResponseParserError) as error:
        raise AwsError(
            f"{message}: the answer of {host} broke off ({type(error).__name__})",
            hint="try again; if it breaks off again, check the network, the proxy and the endpoint",
            check="MP-AWS-003",
        ) from error
    except session.CLIENT_ERRORS as error:
        raise AwsError(
            f"{message}: {type(error).__name__}",
            hint="check the settings of AWS and the endpoint",
        ) from error


def http_status(error: botocore_errors.ClientError) -> int:
    """The HTTP status of an error answer, 0 if there is none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def error_code(error: botocore_errors.ClientError) -> str:
    """The code of an error answer, "" if there is none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _client_error(
    message: str, bucket: str, error: botocore_errors.ClientError, features: Collection[str]
) -> MarketPulseError:
    """Map an error answer. AWS's text may repeat what we sent, so the message leaves it out.

    Names a cause only if the answer proves it.
    """
    code, status = error_code(error), http_status(error)
    if code in session.HINTS:
        return AwsError(
            f"{message}: access denied ({code})", hint=session.HINTS[code], check="MP-AWS-001"
        )
    if _is_web_page(error):
        return AwsError(
            f"{message}: a web page arrived instead of the store's answer (HTTP {status})",
            hint="a proxy or another web server has answered: check the proxy, the VPN and "
            "--endpoint-url",
            check="MP-AWS-003",
        )
    if 300 <= status < 400 or code in _REGION_ERRORS:
        return _region_error(message, bucket, error)
    if status in {401, 403} and code in _DENIALS:
        return AwsError(
            f"{message}: access denied ({code or status})", hint=_PERMISSIONS, check="MP-AWS-001"
        )
    if code == "NotImplemented" or status == 501:
        return _unsupported_error(message, error, features)
    if code in _CODES:
        text, hint, check = _CODES[code]
        return AwsError(
            f"{message}: {text.format(bucket=bucket, code=code)}", hint=hint, check=check
        )
    if code.startswith("KMS."):
        return AwsError(
            f"{message}: the key cannot be used ({code})",
            hint="check --kms-key-id: the key must be enabled and in the bucket's region",
            check="MP-AWS-007",
        )
    if status == 407:
        return AwsError(
            f"{message}: the proxy requires a login (HTTP 407)",
            hint="check HTTPS_PROXY: http://user:password@proxy:port",
            check="MP-AWS-003",
        )
    if status >= 500 or status == 429:
        return AwsError(
            f"{message}: the store is busy or failed ({code})",
            hint="try again later; a push does not send complete objects again",
            check="MP-AWS-003",
        )
    return AwsError(
        f"{message}: {code} (HTTP {status})",
        hint="look up the code in the store's documentation"
        + (f"; {_OLD_STORE}" if status == 400 and "checksums" in features else ""),
    )


def _is_web_page(error: botocore_errors.ClientError) -> bool:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(headers.get("content-type", "")).startswith("text/html")


def _region_error(message: str, bucket: str, error: botocore_errors.ClientError) -> AwsError:
    """The error for a bucket that is elsewhere; the answer may say where."""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = str(
        error.response.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region", "")
    )
    if re.fullmatch(r"[a-z0-9-]{3,32}", region):
        return AwsError(
            f"{message}: the bucket {bucket} is in {region}",
            hint=f"set AWS_REGION={region}",
            check="MP-AWS-002",
        )
    return AwsError(
        f"{message}: the bucket is in another region, and the store does not say which "
        f"({error_code(error) or http_status(error)})",
        hint="check AWS_REGION and --endpoint-url",
        check="MP-AWS-002",
    )


def _unsupported_error(
    message: str, error: botocore_errors.ClientError, features: Collection[str]
) -> AwsError:
    """The error for a feature that the store lacks: the one that it names, else those asked for."""
    details = error.response.get("Error", {})
    named = f"{details.get('Header', '')} {details.get('Message', '')}".lower()
    carried = _CARRIED.get(error.operation_name, FEATURES)
    wanted = [name for name in FEATURES if name in features and name in carried]
    found = [name for name in wanted if any(word in named for word in FEATURES[name].words)]
    lacking = found or wanted
    if not lacking:
        return AwsError(
            f"{message}: the store does not support this (NotImplemented)",
            hint="is this an S3-compatible store? Check --endpoint-url",
            check="MP-AWS-009",
        )
    which = lacking[0] if len(lacking) == 1 else f"one of these: {', '.join(lacking)}"
    return AwsError(
        f"{message}: the store does not support {which} (NotImplemented)",
        hint="; or ".join(FEATURES[name].remedy for name in lacking),
        check="MP-AWS-009",
    )
