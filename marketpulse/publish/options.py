"""The options of a push, checked when they are created."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from marketpulse.errors import UsageError

# S3's rules for tags.
_TAG_CHARACTERS = re.compile(r"[\w .:/=+\-@]*")
_MAX_TAGS = 10


class PushVerification(StrEnum):
    """How a push makes sure that an object has arrived."""

    READ = "read"  # the objects of a set are read back
    DIGEST = "digest"  # by the store's own digest; read back if it has none
    NONE = "none"  # not at all, beyond the checksum that the store compares


@dataclass(frozen=True, kw_only=True)
class PushOptions:
    """How to push. Raises `UsageError` if options do not fit together.

    force             overwrite objects with other content
    dry_run           check everything here, send nothing, and load no boto3
    jobs              the number of parallel uploads
    sse               AES256, aws:kms or aws:kms:dsse; None for the bucket's default
    kms_key_id        the KMS key, for the two last
    tags              KEY=VALUE, for every object
    prefix_template   folders of a run or bundle below the prefix: date={date}/run={run_id}
    recursive         send the folders in a folder, too
    verify            how to make sure that an object has arrived
    timeout           seconds for each answer, and for another push of the same run
    deadline          seconds for all of it
    """

    region: str
    endpoint_url: str | None = None
    force: bool = False
    dry_run: bool = False
    jobs: int = 16
    sse: str | None = None
    kms_key_id: str | None = None
    tags: Sequence[str] = ()
    prefix_template: str | None = None
    recursive: bool = False
    verify: PushVerification = PushVerification.READ
    timeout: float | None = None
    deadline: float | None = None

    def __post_init__(self) -> None:
        _check_endpoint(self.endpoint_url)
        if self.kms_key_id and self.sse not in {"aws:kms", "aws:kms:dsse"}:
            raise UsageError(
                "--kms-key-id needs --sse aws:kms", hint="give both options, or neither"
            )
        self.parse_tags()

    def parse_tags(self) -> dict[str, str]:
        """The tags by key. Raises `UsageError` for a tag that S3 refuses."""
        tags: dict[str, str] = {}
        for text in self.tags:
            key, equals, value = text.partition("=")
            valid = 0 < len(key) <= 128 and len(value) <= 256 and bool(equals)
            valid = valid and _TAG_CHARACTERS.fullmatch(key + value) is not None
            if not valid or key in tags or key.lower().startswith("aws:"):
                raise UsageError(
                    f"--tag: {text!r} is not KEY=VALUE, is given twice, or is reserved for AWS",
                    hint="for example desk=clo; letters, digits, spaces and _.:/=+-@",
                )
            tags[key] = value
        if len(tags) > _MAX_TAGS:
            raise UsageError(f"--tag: {len(tags)} tags", hint=f"S3 allows {_MAX_TAGS}")
        return tags


def _check_endpoint(url: str | None) -> None:
    """Refuse an invalid address, and one with a password. The message does not repeat it."""
    if url is None:
        return
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # the port is not a number
        valid = False
    if not valid or "@" in url:
        raise UsageError(
            "--endpoint-url: not the address of a store",
            hint="for example https://s3.example.com:9000, without user and password",
        )
