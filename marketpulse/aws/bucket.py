"""An S3 bucket: find, read, upload and delete objects."""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol, Self, TypeAlias
from urllib.parse import urlencode, urlsplit

from botocore import exceptions as botocore_errors

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


@dataclass(frozen=True)
class RemoteObject:
    """The checksums of an object's content, and the SHA-256 that its sender put into metadata."""

    checksums: Checksums
    metadata_sha256: str | None

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
        chunks: list[bytes] = []
        answer = self._read_chunks(key, chunks.append, restart=chunks.clear)
        return None if answer is None else (b"".join(chunks), answer.etag)

    def download(self, key: str, into: BinaryIO | None = None) -> RemoteObject | None:
        """Read an object to its end and compute its checksums; None if there is no object.

        Writes the content to the file `into`, if given.
        """
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
        return RemoteObject(checksums, answer.metadata.get("sha256"))

    def checksum(self, key: str) -> str:
        """The SHA-256 that the store has computed of an object, base64; of its parts' digests.

        Empty if there is no object, or the store or the object has no checksum.
        """
        if not self._checksums_enabled:
            return ""
        with self._translate_errors("cannot be read", key):
            try:
                answer = self._client.head_object(
                    Bucket=self._name, Key=key, ChecksumMode="ENABLED"
                )
            except botocore_errors.ClientError as error:
                if s3_client.http_status(error) == 404:
                    return ""
                raise
        # S3 appends a dash and the number of parts; not every store does.
        return str(answer.get("ChecksumSHA256", "")).partition("-")[0]

    def upload(
        self,
        key: str,
        body: bytes | Path,
        checksums: Checksums,
        *,
        content_type: str,
        overwrite: bool,
        progress: Callable[[int], None] = lambda _: None,
    ) -> str | None:
        """Upload an object and return its ETag, or "" for a file, which goes in parts.

        Returns None if `overwrite` is false and an object is there, or another upload is writing
        it. `progress` gets the number of bytes sent since the last call.
        """
        arguments = {
            "ContentType": content_type,
            "Metadata": {"sha256": checksums.sha256},
            **self._parameters,
        }
        checksum = {"ChecksumSHA256": checksums.s3_checksum} if self._checksums_enabled else {}
        with self._translate_errors("cannot be sent", key):
            try:
                if isinstance(body, Path):
                    self._multipart.upload(
                        key, body, checksums, arguments, overwrite=overwrite, progress=progress
                    )
                    return ""
                condition = {} if overwrite else {"IfNoneMatch": "*"}
                answer = self._client.put_object(
                    Bucket=self._name, Key=key, Body=body, **checksum, **arguments, **condition
                )
            except botocore_errors.ClientError as error:
                # 412: an object is there. 409: another upload to the same key is under way.
                if not overwrite and s3_client.http_status(error) in {409, 412}:
                    return None
                raise
        progress(checksums.size)
        return str(answer.get("ETag", "")).strip('"')

    def replace(self, key: str, body: bytes, *, etag: str) -> str | None:
        """Write a small JSON object if the present one has this ETag; "" means there is none.

        Returns the new ETag, or None if the object is another by now.
        """
        condition = {"IfMatch": f'"{etag}"'} if etag else {"IfNoneMatch": "*"}
        with self._translate_errors("cannot be sent", key):
            try:
                answer = self._client.put_object(
                    Bucket=self._name,
                    Key=key,
                    Body=body,
                    ContentType="application/json",
                    **self._parameters,
                    **condition,
                )
            except botocore_errors.ClientError as error:
                # 412, or 404: it has changed, or is gone. 409: another write is under way.
                if s3_client.http_status(error) in {404, 409, 412}:
                    return None
                raise
        return str(answer.get("ETag", "")).strip('"')

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
            page = self._client.list_objects_v2(
                Bucket=self._name, Prefix=prefix, MaxKeys=limit, **start
            )
            now = datetime.now(UTC)  # for stores that leave the time out
            objects = {
                item["Key"]: ListedObject(
                    size=item["Size"],
                    etag=item.get("ETag", "").strip('"'),
                    modified=item.get("LastModified", now),
                )
                for item in page.get("Contents", ())
            }
            return objects, bool(page.get("IsTruncated")) and bool(objects)

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
                    etag = str(answer.get("ETag", "")).strip('"')
                    return _Headers(metadata=answer.get("Metadata", {}), etag=etag)
        return None

    def _translate_errors(self, action: str, key: str = "") -> AbstractContextManager[None]:
        return s3_client.translate_errors(self._name, key, action, self._host)
