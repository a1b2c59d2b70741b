"""A bucket as we know it. All that S3 can answer becomes an error here."""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, Self, TypeAlias
from urllib.parse import urlencode, urlsplit

import boto3
import botocore.session
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import ProgressCallbackInvoker, TransferConfig, create_transfer_manager
from botocore import exceptions as botos
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.parsers import ResponseParserError
from botocore.utils import determine_content_length

from marketpulse.aws import session
from marketpulse.checksums import Stored, part_size
from marketpulse.errors import AwsError, MarketPulseError, SettingsError
from marketpulse.version import __version__

_PAGE = 1000  # keys, as many as S3 lists at once
_SMALL = 1 << 20  # bytes; what has fewer is sent without asking first whether it may come
_READ_TRIES = 3  # of a content that breaks off; the driver tries only what has no content yet
_OLD_STORE = (
    "where the store is not AWS's, it may be too old for checksums: "
    "AWS_REQUEST_CHECKSUM_CALCULATION=when_required leaves them out"
)
_GARBLED = {
    "BadDigest",
    "InvalidDigest",
    "XAmzContentChecksumMismatch",
    "XAmzContentSHA256Mismatch",
}


@dataclass(frozen=True)
class Found:
    """An object as a listing tells of it."""

    bytes: int
    etag: str
    modified: datetime


@dataclass(frozen=True)
class RemoteObject:
    """What an object holds, and the SHA-256 that its metadata says: who sent it meant that."""

    stored: Stored
    said: str | None

    @property
    def whole(self) -> bool:
        """Whether it is what one of ours has sent."""
        return self.stored.sha256 == self.said


@dataclass(frozen=True)
class Kept:
    """How objects are kept: encrypted by whom and with which key, and with which tags."""

    sse: str | None = None
    kms_key_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def words(self) -> dict[str, str]:
        """The same in S3's words."""
        words = {"ServerSideEncryption": self.sse, "SSEKMSKeyId": self.kms_key_id}
        words["Tagging"] = urlencode(self.tags)
        return {name: word for name, word in words.items() if word}


Objects: TypeAlias = dict[str, Found]


class Bucket:
    """A bucket; threads may share it.

    Credentials come from where the AWS command line finds them, too. `patience` is how many
    seconds an answer may take, 30 unless it is said. Every method raises `SettingsError` without
    credentials, and `AwsError` for all that AWS does not do.
    """

    def __init__(
        self,
        name: str,
        *,
        region: str,
        endpoint_url: str | None = None,
        connections: int = 4,
        patience: float | None = None,
        kept: Kept | None = None,
    ) -> None:
        self._name = name
        self._kept = (kept or Kept()).words()
        self._connections = connections
        self._in_parts = Lock()  # one object at a time: its parts fill the line already
        self._guarded: str | None = None  # the one that must not be overwritten
        self._parts: Sequence[bytes] = ()  # what its parts have to be
        self._where = ""
        with self._answered("cannot be opened"):
            core = session.quiet_session()
            # Where somebody says so, the store is too old for checksums.
            asked = core.get_config_variable("request_checksum_calculation") or ""
            self._checks = asked.lower() != "when_required"
            self._client = _client(
                core, region, endpoint_url, 2 * connections, patience or 30, sign=not self._checks
            )
            self._where = urlsplit(self._client.meta.endpoint_url).netloc.rpartition("@")[2]
            on = self._client.meta.events.register
            on("request-created.s3.PutObject", _unasked)
            # The transfer manager does not know of conditions, the request that it ends with does.
            on("before-parameter-build.s3.CompleteMultipartUpload", self._unless_there)
            on("before-parameter-build.s3.UploadPart", self._as_checked)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._client.close()

    def there(self, keys: Collection[str], each: Callable[..., Iterable[Any]] = map) -> Objects:
        """The objects under those of these keys that have one; `each` asks for several at once.

        By listing: who may list no more than a prefix is refused an object that is not there.
        """
        found: Objects = {}
        rest = sorted(keys)
        pages = len(rest) // 100  # many are found faster in a walk, where nothing else is between
        while pages and rest:
            prefix = os.path.commonprefix(rest)  # noqa: RUF071 - of characters, as a store knows
            page, more = self._listed(prefix, after=rest[0][:-1])
            found |= {key: it for key, it in page.items() if key in keys}
            rest = rest[bisect_right(rest, max(page)) :] if more else []
            pages -= 1
        for key, page in zip(rest, each(self._only, rest), strict=True):
            found |= {key: page[key]} if key in page else {}
        return found

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that begin so, in their order."""
        page, more = self._listed(prefix)
        yield from page
        while more:
            page, more = self._listed(prefix, after=max(page))
            yield from page

    def read(self, key: str) -> bytes | None:
        """The content of a small object, or None where there is none."""
        pieces: list[bytes] = []
        return b"".join(pieces) if self._fetch(key, pieces.append, pieces.clear) else None

    def content(self, key: str, into: BinaryIO | None = None) -> RemoteObject | None:
        """What an object holds, read to its end; None where there is none.

        What is read is written `into` a file, where one is given.
        """
        digest, size = hashlib.sha256(), 0

        def begin() -> None:
            nonlocal digest, size
            digest, size = hashlib.sha256(), 0
            if into is not None:
                into.seek(0)
                into.truncate()

        def take(piece: bytes) -> None:
            nonlocal size
            digest.update(piece)
            size += len(piece)
            if into is not None:
                into.write(piece)

        answer = self._fetch(key, take, begin)
        if answer is None:
            return None
        return RemoteObject(
            Stored(size, digest.hexdigest()), answer.get("Metadata", {}).get("sha256")
        )

    def checksum(self, key: str) -> str:
        """The SHA-256 of an object, or of its parts' SHA-256s, that the store has found.

        Empty where there is no object, or a store or an object without one.
        """
        if not self._checks:
            return ""
        with self._answered("cannot be read", key):
            try:
                answer = self._client.head_object(
                    Bucket=self._name, Key=key, ChecksumMode="ENABLED"
                )
            except botos.ClientError as error:
                if _status(error) == 404:
                    return ""
                raise
        # How many parts there are stands behind a dash; not every store says it.
        return str(answer.get("ChecksumSHA256", "")).partition("-")[0]

    def put(
        self,
        key: str,
        body: bytes | Path,
        stored: Stored,
        content_type: str,
        *,
        overwrite: bool,
        progress: Callable[[int], None] = lambda _: None,
    ) -> str | None:
        """Send an object: its ETag, or None where another is there, or is being written, and stays.

        The body is a file where it goes in parts; then no ETag tells anything, and it is empty.
        `progress` is told how many more bytes have gone.
        """
        described = {
            "ContentType": content_type,
            "Metadata": {"sha256": stored.sha256},
            **self._kept,
        }
        checked = {"ChecksumSHA256": stored.checksum} if self._checks else {}
        with self._answered("cannot be sent", key):
            try:
                if isinstance(body, Path):
                    self._put_in_parts(key, body, stored, described, overwrite, progress)
                    return ""
                condition = {} if overwrite else {"IfNoneMatch": "*"}
                answer = self._client.put_object(
                    Bucket=self._name, Key=key, Body=body, **checked, **described, **condition
                )
            except botos.ClientError as error:
                if not overwrite and _status(error) in {409, 412}:
                    return None
                raise
        progress(stored.bytes)
        return str(answer.get("ETag", "")).strip('"')

    def delete(self, key: str) -> None:
        """Remove an object, if there is one."""
        with self._answered("cannot be deleted", key):
            self._client.delete_object(Bucket=self._name, Key=key)

    def _put_in_parts(
        self,
        key: str,
        path: Path,
        stored: Stored,
        described: Mapping[str, Any],
        overwrite: bool,
        progress: Callable[[int], None],
    ) -> None:
        setting = TransferConfig(
            multipart_threshold=1,
            multipart_chunksize=part_size(stored.bytes),
            max_concurrency=self._connections,
            preferred_transfer_client="classic",  # the other one would leave the endpoint out
        )
        checked = {"ChecksumAlgorithm": "SHA256"} if self._checks else {}
        with self._in_parts, create_transfer_manager(self._client, setting) as manager:
            self._guarded = None if overwrite else key
            self._parts = stored.parts
            told = [ProgressCallbackInvoker(progress)]
            manager.upload(str(path), self._name, key, {**described, **checked}, told).result()

    def _unless_there(self, params: dict[str, Any], **_: object) -> None:
        if params["Key"] == self._guarded:
            params["IfNoneMatch"] = "*"

    def _as_checked(self, params: dict[str, Any], **_: object) -> None:
        if self._checks:
            digest = self._parts[params["PartNumber"] - 1]
            params["ChecksumSHA256"] = b64encode(digest).decode()

    def _only(self, key: str) -> Objects:
        return self._listed(key, most=1)[0]

    def _listed(self, prefix: str, *, after: str = "", most: int = _PAGE) -> tuple[Objects, bool]:
        """The objects whose keys begin so, up to a number, by their keys; and whether more do."""
        start = {"StartAfter": after} if after else {}
        with self._answered("cannot be listed", prefix):
            page = self._client.list_objects_v2(
                Bucket=self._name, Prefix=prefix, MaxKeys=most, **start
            )
            now = datetime.now(UTC)
            listed = {
                it["Key"]: Found(
                    it["Size"], it.get("ETag", "").strip('"'), it.get("LastModified", now)
                )
                for it in page.get("Contents", ())
            }
            return listed, bool(page.get("IsTruncated")) and bool(listed)

    def _fetch(
        self, key: str, take: Callable[[bytes], object], begin: Callable[[], object]
    ) -> Mapping[str, Any] | None:
        """Read an object piece by piece, from its begin again where it breaks off."""
        with self._answered("cannot be read", key):
            for left in reversed(range(_READ_TRIES)):
                begin()
                try:
                    answer: Mapping[str, Any] = self._client.get_object(Bucket=self._name, Key=key)
                except self._client.exceptions.NoSuchKey:
                    return None
                try:
                    for piece in answer["Body"].iter_chunks(1 << 20):
                        take(piece)
                except (botos.HTTPClientError, botos.IncompleteReadError):
                    if not left:
                        raise
                else:
                    return answer
        return None

    @contextmanager
    def _answered(self, what: str, key: str = "") -> Iterator[None]:
        """The door: no error of boto3's passes it."""
        place = f"s3://{self._name}/{key}"
        try:
            yield
        except botos.ClientError as error:
            raise _fault(f"{place}: {what}", self._name, error) from error
        except session.CREDENTIALS_ERRORS as error:
            raise SettingsError(
                f"{place}: {what}: AWS finds no credentials that it can use "
                f"({type(error).__name__})",
                hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; "
                "`aws configure list` shows what AWS finds",
            ) from error
        except botos.SSLError as error:
            raise session.certificate_error(
                f"{place}: {what}: the certificate of {self._where} is not trusted"
            ) from error
        except (botos.ConnectionError, botos.HTTPClientError) as error:
            raise AwsError(
                f"{place}: {what}: no answer from {self._where} ({type(error).__name__})",
                hint="check the network, the proxy and the endpoint, then push again",
                check="MP-AWS-003",
            ) from error
        except (botos.BotoCoreError, Boto3Error, ResponseParserError, ValueError) as error:
            raise AwsError(
                f"{place}: {what}: {type(error).__name__}",
                hint="check the settings of AWS and the endpoint",
            ) from error


def _client(
    core: botocore.session.Session,
    region: str,
    endpoint_url: str | None,
    connections: int,
    patience: float,
    *,
    sign: bool,
) -> Any:
    """The driver of S3; `sign` has it digest each body once more, for the signature."""
    config = Config(
        connect_timeout=min(10, patience),
        read_timeout=patience,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=connections,
        # These three take a fifth of a request. Ours are of one form; a signed checksum says what
        # the body is; and its own name it would put together twice a request.
        parameter_validation=False,
        s3={"payload_signing_enabled": sign},
        user_agent=f"marketpulse/{__version__} Boto3/{boto3.__version__}",
        response_checksum_validation="when_required",  # what is read is digested here
    )
    ours = boto3.Session(botocore_session=core, region_name=region)
    return ours.client("s3", endpoint_url=endpoint_url, config=config)


def _unasked(request: AWSRequest, **_: object) -> None:
    """Have what is small sent at once: to ask first costs another way there and back."""
    size = determine_content_length(request.data)
    if size is not None and size < _SMALL:
        del request.headers["Expect"]


def _status(error: botos.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _fault(what: str, bucket: str, error: botos.ClientError) -> MarketPulseError:
    """What an answer of AWS means; its own words may repeat what was sent and are left out."""
    code, status = str(error.response.get("Error", {}).get("Code", "")), _status(error)
    if code in session.HINTS or status in {401, 403}:
        needs = (
            "the credentials need s3:ListBucket, s3:GetObject and s3:PutObject there, "
            "s3:DeleteObject for --force, s3:PutObjectTagging for --tag, and what the key needs"
        )
        hint = session.HINTS.get(code, needs)
        return AwsError(f"{what}: access denied ({code})", hint=hint, check="MP-AWS-001")
    if code == "NoSuchBucket":
        return AwsError(
            f"{what}: there is no bucket {bucket}",
            hint="check its name, and AWS_REGION",
            check="MP-AWS-002",
        )
    if code in _GARBLED:
        return AwsError(
            f"{what}: it did not arrive as it was sent ({code})",
            hint="something between here and the store changes it; push again, or from elsewhere",
            check="MP-AWS-008",
        )
    if code == "NotImplemented":
        return AwsError(
            f"{what}: this store cannot keep what is there from being overwritten",
            hint=f"push with --force, or, {_OLD_STORE}",
        )
    if code.startswith("KMS."):
        return AwsError(
            f"{what}: the key cannot be used ({code})",
            hint="check --kms-key-id: the key is of the bucket's region, and enabled",
            check="MP-AWS-007",
        )
    if status >= 500 or status == 429:
        return AwsError(
            f"{what}: the store is not able to answer ({code})",
            hint="push again later: what was sent is not sent twice",
            check="MP-AWS-003",
        )
    return AwsError(
        f"{what}: {code} (HTTP {status})", hint=f"look the answer up in AWS's manual; {_OLD_STORE}"
    )
