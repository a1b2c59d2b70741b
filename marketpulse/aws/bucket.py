"""An S3 bucket: find, read, upload and delete objects."""

from __future__ import annotations

import hashlib
import io
import os
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self, TypeAlias
from urllib.parse import urlencode, urlsplit

from botocore import exceptions as botocore_errors
from botocore.parsers import ResponseParserError

from marketpulse.aws import s3_client, session
from marketpulse.aws.checksums import Checksums

_PAGE_SIZE = 1000  # keys; S3's limit for one listing
_CHUNK_SIZE = 1 << 20  # bytes
_READ_ATTEMPTS = 3  # of a body that breaks off; boto3 retries only before the body begins


@dataclass(frozen=True, kw_only=True)
class ListedObject:
    """An object as a listing describes it."""

    size: int  # bytes
    etag: str
    modified: datetime


@dataclass(frozen=True, kw_only=True)
class ObjectHead:
    """What the store says of an object: `checksum` is the SHA-256 that it has computed, base64.

    For an upload in parts that covers the parts' digests. It is empty if the store has none.
    """

    size: int  # bytes
    etag: str
    checksum: str
    metadata_sha256: str | None  # as the sender said


@dataclass(frozen=True)
class RemoteObject:
    """The checksums of an object's content, and the SHA-256 that its sender put into metadata."""

    checksums: Checksums
    metadata_sha256: str | None
    etag: str = ""

    @property
    def intact(self) -> bool:
        """Whether the content is what its sender meant."""
        return self.checksums.sha256 == self.metadata_sha256


@dataclass(frozen=True, kw_only=True)
class ObjectSettings:
    """The encryption and the tags of new objects."""

    sse: str | None = None
    kms_key_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def request_parameters(self) -> dict[str, str]:
        """The settings as parameters of S3's PutObject."""
        parameters = {
            "ServerSideEncryption": self.sse,
            "SSEKMSKeyId": self.kms_key_id,
            "Tagging": urlencode(self.tags),
        }
        return {name: value for name, value in parameters.items() if value}


@dataclass(frozen=True, kw_only=True)
class _Headers:
    """What an answer says of an object besides its content."""

    metadata: Mapping[str, str]
    etag: str


Objects: TypeAlias = dict[str, ListedObject]  # by key


class ParallelMap(Protocol):
    """`map` over keys, or the `map` of a thread pool."""

    def __call__(self, function: Callable[[str], Objects], keys: list[str], /) -> Iterable[Objects]:
        """Apply the function to every key; results keep the order."""


class Bucket:
    """An S3 bucket. Threads may share it.

    Credentials come from the same places as the AWS command line's, and so does a region that is
    None. `timeout` limits each answer,
    in seconds. Every method raises `SettingsError` without usable credentials, and `AwsError` if
    the store refuses, fails or does not answer.
    """

    def __init__(
        self,
        name: str,
        *,
        region: str | None,
        endpoint_url: str | None = None,
        connections: int = 4,
        timeout: float | None = None,
        settings: ObjectSettings | None = None,
    ) -> None:
        self._name = name
        self._parameters = (settings or ObjectSettings()).request_parameters()
        self._host = ""
        with self._translate_errors("cannot be opened"):
            core = session.quiet_session()
            self._checksums_enabled = s3_client.supports_checksums(core)
            self._client = s3_client.create_client(
                core,
                region=region,
                endpoint_url=endpoint_url,
                connections=2 * connections,
                timeout=timeout or 30,
                sign_payload=not self._checksums_enabled,
            )
            self._host = urlsplit(self._client.meta.endpoint_url).netloc.rpartition("@")[2]
        self._multipart = s3_client.MultipartUploader(
            self._client, name, connections=connections, send_checksums=self._checksums_enabled
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._client.close()

    def find(self, keys: Collection[str], parallel_map: ParallelMap = map) -> Objects:
        """Find which of these keys have an object.

        Lists instead of asking for the object: credentials that may only list a prefix get 403 for
        a missing object.
        """
        objects: Objects = {}
        remaining = sorted(keys)
        # Many keys are found faster by walking the listing, if few others lie between them.
        pages = len(remaining) // 100
        while pages and remaining:
            prefix = os.path.commonprefix(remaining)  # noqa: RUF071 - keys are no paths: by character
            page, truncated = self._list_page(prefix, after=remaining[0][:-1])
            objects |= {key: item for key, item in page.items() if key in keys}
            remaining = remaining[bisect_right(remaining, max(page)) :] if truncated else []
            pages -= 1
        for key, page in zip(remaining, parallel_map(self._find_one, remaining), strict=True):
            if key in page:
                objects[key] = page[key]
        return objects

    def list_keys(self, prefix: str) -> Iterator[str]:
        """All keys that start with a prefix, in ascending order."""
        page, truncated = self._list_page(prefix)
        yield from page
        while truncated:
            page, truncated = self._list_page(prefix, after=max(page))
            yield from page

    def read(self, key: str) -> bytes | None:
        """The content of a small object, or None if there is no object."""
        found = self.read_with_etag(key)
        return None if found is None else found[0]

    def read_with_etag(self, key: str) -> tuple[bytes, str] | None:
        """The content and the ETag of a small object, or None if there is no object."""
        content = io.BytesIO()
        remote = self.download(key, into=content)
        return None if remote is None else (content.getvalue(), remote.etag)

    def download(
        self, key: str, into: BinaryIO | None = None, *, expected: Checksums | None = None
    ) -> RemoteObject | None:
        """Read an object to its end and compute its checksums; None if there is no object.

        Writes the content to the file `into`, if given. A content that is not `expected` and not
        what its sender meant is read again: bytes may change on their way here. It counts if two
        reads agree.
        """
        previous = None
        for _ in range(_READ_ATTEMPTS):
            remote = self._download_once(key, into)
            unknown = expected is None and remote is not None and remote.metadata_sha256 is None
            if remote is None or unknown or remote.intact or remote.checksums == expected:
                return remote
            if previous is not None and previous.checksums == remote.checksums:
                return remote
            previous = remote
        return previous

    def _download_once(self, key: str, into: BinaryIO | None) -> RemoteObject | None:
        digest, size = hashlib.sha256(), 0

        def restart() -> None:
            nonlocal digest, size
            digest, size = hashlib.sha256(), 0
            if into is not None:
                into.seek(0)
                into.truncate()

        def consume(chunk: bytes) -> None:
            nonlocal size
            digest.update(chunk)
            size += len(chunk)
            if into is not None:
                into.write(chunk)

        answer = self._read_chunks(key, consume, restart=restart)
        if answer is None:
            return None
        checksums = Checksums(size=size, sha256=digest.hexdigest())
        return RemoteObject(checksums, answer.metadata.get("sha256"), answer.etag)

    def head(self, key: str) -> ObjectHead | None:
        """What the store says of an object without its content; None if there is no object."""
        mode = {"ChecksumMode": "ENABLED"} if self._checksums_enabled else {}
        with self._translate_errors("cannot be read", key, ["checksums"] if mode else []):
            try:
                answer = self._client.head_object(Bucket=self._name, Key=key, **mode)
            except botocore_errors.ClientError as error:
                if s3_client.http_status(error) == 404:
                    return None
                raise
        return ObjectHead(
            size=int(answer.get("ContentLength", 0)),
            etag=_unquoted(answer),
            # S3 appends a dash and the number of parts; not every store does.
            checksum=str(answer.get("ChecksumSHA256", "")).partition("-")[0],
            metadata_sha256=answer.get("Metadata", {}).get("sha256"),
        )

    def address(self, key: str) -> str:
        """The address of an object, for messages."""
        return f"s3://{self._name}/{key}"

    def upload(
        self,
        key: str,
        body: bytes | Path,
        checksums: Checksums,
        *,
        content_type: str,
        overwrite: bool,
        replaces: str = "",
        progress: Callable[[int], None] = lambda _: None,
    ) -> str | None:
        """Upload an object and return its ETag, or "" for a file, which goes in parts.

        Returns None if `overwrite` is false and an object is there, or another upload is writing
        it. `replaces` is the ETag of a present object that may be overwritten all the same; it is
        for bodies in one part. `progress` gets the number of bytes sent since the last call.
        """
        arguments = {
            "ContentType": content_type,
            "Metadata": {"sha256": checksums.sha256},
            **self._parameters,
        }
        checksum = {"ChecksumSHA256": checksums.s3_checksum} if self._checksums_enabled else {}
        features = self._features(conditional=not overwrite)
        with self._translate_errors("cannot be sent", key, features):
            try:
                if isinstance(body, Path):
                    self._upload_parts(key, body, checksums, arguments, overwrite, progress)
                    return ""
                condition = {} if overwrite else _condition(replaces)
                answer = self._client.put_object(
                    Bucket=self._name, Key=key, Body=body, **checksum, **arguments, **condition
                )
            except botocore_errors.ClientError as error:
                # 412: an object is there. 409: another upload to the same key is under way. 404:
                # the object that was to be replaced is gone.
                refused = {404, 409, 412} if replaces else {409, 412}
                if not overwrite and s3_client.http_status(error) in refused:
                    return None
                raise
        progress(checksums.size)
        return _unquoted(answer)

    def _upload_parts(
        self,
        key: str,
        path: Path,
        checksums: Checksums,
        arguments: Mapping[str, object],
        overwrite: bool,
        progress: Callable[[int], None],
    ) -> None:
        """Upload a file in parts. A lost last answer is no failure if the object is there."""
        try:
            self._multipart.upload(
                key, path, checksums, arguments, overwrite=overwrite, progress=progress
            )
        except (botocore_errors.ClientError, botocore_errors.HTTPClientError) as error:
            ended = isinstance(error, botocore_errors.HTTPClientError) or (
                s3_client.error_code(error) == "NoSuchUpload"
            )
            # The request that completes an upload was perhaps served, and then repeated.
            head = self.head(key) if ended else None
            is_ours = head is not None and head.metadata_sha256 == checksums.sha256
            if head is None or not is_ours or head.size != checksums.size:
                raise

    def replace(self, key: str, body: bytes, *, etag: str) -> str | None:
        """Write a small JSON object if the present one has this ETag; "" means there is none.

        Returns the new ETag, or None if the object is another by now.
        """
        features = self._features(conditional=True)
        with self._translate_errors("cannot be sent", key, features):
            try:
                answer = self._client.put_object(
                    Bucket=self._name,
                    Key=key,
                    Body=body,
                    ContentType="application/json",
                    **self._parameters,
                    **_condition(etag),
                )
            except botocore_errors.ClientError as error:
                # 412, or 404: it has changed, or is gone. 409: another write is under way.
                if s3_client.http_status(error) in {404, 409, 412}:
                    return None
                raise
        return _unquoted(answer)

    def delete(self, key: str) -> None:
        """Delete an object, if there is one."""
        with self._translate_errors("cannot be deleted", key):
            self._client.delete_object(Bucket=self._name, Key=key)

    def _find_one(self, key: str) -> Objects:
        return self._list_page(key, limit=1)[0]

    def _list_page(
        self, prefix: str, *, after: str = "", limit: int = _PAGE_SIZE
    ) -> tuple[Objects, bool]:
        """List up to `limit` objects of a prefix; the flag says whether there are more."""
        start = {"StartAfter": after} if after else {}
        with self._translate_errors("cannot be listed", prefix):
            page = self._read_page(Prefix=prefix, MaxKeys=limit, **start)
            now = datetime.now(UTC)  # for stores that leave the time out
            objects = {
                item["Key"]: ListedObject(
                    size=item["Size"],
                    etag=item.get("ETag", "").strip('"'),
                    modified=item.get("LastModified", now),
                )
                for item in page.get("Contents", ())
            }
            # A page that is empty and yet not the last would be asked for without end.
            return objects, bool(page.get("IsTruncated")) and bool(objects)

    def _read_page(self, **request: object) -> Mapping[str, Any]:
        """Read a page of the listing, again if the answer breaks off.

        An answer without content would say that there is nothing, and a push would overwrite it.
        """
        for attempts_left in reversed(range(_READ_ATTEMPTS)):
            try:
                page: Mapping[str, Any] = self._client.list_objects_v2(Bucket=self._name, **request)
            except ResponseParserError:
                if not attempts_left:
                    raise
            else:
                if page.keys() - {"ResponseMetadata"}:
                    return page
        raise ResponseParserError("the answer has no content")

    def _read_chunks(
        self, key: str, consume: Callable[[bytes], object], *, restart: Callable[[], object]
    ) -> _Headers | None:
        """Read an object in chunks and return its headers; None if there is no object.

        Calls `restart` before the first chunk, and again if a body that broke off is read anew.
        """
        with self._translate_errors("cannot be read", key):
            for attempts_left in reversed(range(_READ_ATTEMPTS)):
                restart()
                try:
                    answer = self._client.get_object(Bucket=self._name, Key=key)
                except self._client.exceptions.NoSuchKey:
                    return None
                try:
                    for chunk in answer["Body"].iter_chunks(_CHUNK_SIZE):
                        consume(chunk)
                except (botocore_errors.HTTPClientError, botocore_errors.IncompleteReadError):
                    if not attempts_left:
                        raise
                else:
                    return _Headers(metadata=answer.get("Metadata", {}), etag=_unquoted(answer))
        return None

    def _translate_errors(
        self, action: str, key: str = "", features: Collection[str] = ()
    ) -> AbstractContextManager[None]:
        return s3_client.translate_errors(self._name, key, action, self._host, features)

    def _features(self, *, conditional: bool) -> list[str]:
        """What a write asks for besides storing the body."""
        asked = {
            "tags": "Tagging" in self._parameters,
            "encryption": "ServerSideEncryption" in self._parameters,
            "checksums": self._checksums_enabled,
            "protection from overwriting": conditional,
        }
        return [name for name, is_asked in asked.items() if is_asked]


def _unquoted(answer: Mapping[str, object]) -> str:
    """The ETag of an answer."""
    return str(answer.get("ETag", "")).strip('"')


def _condition(etag: str) -> dict[str, str]:
    """The condition of a write: the object has this ETag, or there is none."""
    return {"IfMatch": f'"{etag}"'} if etag else {"IfNoneMatch": "*"}
