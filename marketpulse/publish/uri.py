"""S3 addresses: the S3URI of a push, and the parts that its keys are made of."""

from __future__ import annotations

import re
from dataclasses import dataclass

from marketpulse.artifacts import is_printable
from marketpulse.errors import UsageError

# A bucket's name as S3 and other stores allow it, or the ARN of an access point, which stands for a
# bucket; then the prefix, a slash at its end or not.
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}"
_SHORT_NAME = re.compile(r"s3://[A-Za-z0-9._-]{1,2}(?:/|$)")
_ACCESS_POINT = r"arn:aws[a-z-]*:s3:[a-z0-9-]*:(?:[0-9]{12}):accesspoint[/:][A-Za-z0-9.-]{3,63}"
_URI = re.compile(rf"s3://({_ACCESS_POINT}|{_NAME})(?:/(.*?))?/?")


@dataclass(frozen=True)
class S3Location:
    """A bucket, or an access point's ARN, and a prefix in it, without a slash at either end."""

    bucket: str
    prefix: str

    def key(self, *parts: str) -> str:
        """Join the prefix and these parts to a key."""
        return "/".join((self.prefix, *parts) if self.prefix else parts)


def parse_s3_uri(uri: str) -> S3Location:
    """Parse s3://bucket/prefix/. Raises `UsageError` if it is something else."""
    match = _URI.fullmatch(uri)
    prefix = (match[2] or "") if match else ""
    if match is None or (prefix and not all(map(is_key_part, prefix.split("/")))):
        # Before an @ there may be a password.
        shown = "" if "@" in uri else f"{uri}: "
        raise UsageError(
            f"{shown}not an S3 address",
            hint="a bucket's name has at least 3 characters"
            if _SHORT_NAME.match(uri)
            else "for example s3://bucket/prefix/, without credentials; in push-s3 it comes last",
        )
    return S3Location(match[1], prefix)


def is_key_part(text: str) -> bool:
    """Whether a key may have this between two slashes. Clients resolve . and .. like folders."""
    return text not in {"", ".", ".."} and is_printable(text)
