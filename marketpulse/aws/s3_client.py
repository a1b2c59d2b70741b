"""The boto3 client of S3: its set-up, uploads in parts, and what its errors mean."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import boto3
import botocore.session
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import ProgressCallbackInvoker, TransferConfig, create_transfer_manager
from botocore import exceptions as botocore_errors
from botocore.awsrequest import AWSRequest
from botocore.client import BaseClient
from botocore.config import Config
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
_CHECKSUM_ERRORS = {
    "BadDigest",
    "InvalidDigest",
    "XAmzContentChecksumMismatch",
    "XAmzContentSHA256Mismatch",
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
    return client


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
def translate_errors(bucket: str, key: str, action: str, host: str) -> Iterator[None]:
    """Turn every error of boto3 into ours; `action` says what failed: "cannot be read"."""
    message = f"s3://{bucket}/{key}: {action}"
    try:
        yield
    except botocore_errors.ClientError as error:
        raise _client_error(message, bucket, error) from error
    except session.CREDENTIALS_ERRORS as error:
        raise SettingsError(
            f"{message}: AWS finds no usable credentials ({type(error).__name__})",
            hint=session.credentials_hint(
                error,
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; "
                "`aws configure list` shows what AWS finds",
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
    except (
        botocore_errors.BotoCoreError,
        Boto3Error,
        ResponseParserError,
        ValueError,  # botocore raises it for an invalid endpoint
    ) as error:
        raise AwsError(
            f"{message}: {type(error).__name__}",
            hint="check the settings of AWS and the endpoint",
        ) from error


def http_status(error: botocore_errors.ClientError) -> int:
    """The HTTP status of an error answer, 0 if there is none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _client_error(
    message: str, bucket: str, error: botocore_errors.ClientError
) -> MarketPulseError:
    """Map an error answer. AWS's text may repeat what we sent, so the message leaves it out."""
    code, status = str(error.response.get("Error", {}).get("Code", "")), http_status(error)
    if code in session.HINTS or status in {401, 403}:
        hint = session.HINTS.get(code, _PERMISSIONS)
        return AwsError(f"{message}: access denied ({code})", hint=hint, check="MP-AWS-001")
    if code == "NoSuchBucket":
        return AwsError(
            f"{message}: there is no bucket {bucket}",
            hint="check its name, and AWS_REGION",
            check="MP-AWS-002",
        )
    if code in _CHECKSUM_ERRORS:
        return AwsError(
            f"{message}: the store received other bytes than were sent ({code})",
            hint="something between here and the store changes them; push again, or from another "
            "network",
            check="MP-AWS-008",
        )
    if code == "NotImplemented":
        return AwsError(
            f"{message}: this store cannot protect objects from being overwritten",
            hint=f"push with --force; or {_OLD_STORE}",
        )
    if code.startswith("KMS."):
        return AwsError(
            f"{message}: the key cannot be used ({code})",
            hint="check --kms-key-id: the key must be enabled and in the bucket's region",
            check="MP-AWS-007",
        )
    if status >= 500 or status == 429:
        return AwsError(
            f"{message}: the store is busy or failed ({code})",
            hint="try again later; a push does not send complete objects again",
            check="MP-AWS-003",
        )
    return AwsError(
        f"{message}: {code} (HTTP {status})",
        hint=f"look up the code in AWS's documentation; {_OLD_STORE}",
    )
