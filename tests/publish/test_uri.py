"""S3 addresses: which are accepted, and the keys below them."""

import pytest

from marketpulse.errors import UsageError
from marketpulse.publish import S3Location, parse_s3_uri

ACCESS_POINT = "arn:aws:s3:us-east-1:123456789012:accesspoint/desk"


@pytest.mark.parametrize(
    ("uri", "bucket", "prefix"),
    [
        ("s3://bucket", "bucket", ""),
        ("s3://bucket/", "bucket", ""),
        ("s3://my-bucket.x_y/a/b=1/", "my-bucket.x_y", "a/b=1"),
        ("s3://bucket/a b/é", "bucket", "a b/é"),
        (f"s3://{ACCESS_POINT}", ACCESS_POINT, ""),
        (f"s3://{ACCESS_POINT}/a/b/", ACCESS_POINT, "a/b"),
        (
            "s3://arn:aws-us-gov:s3:us-gov-west-1:123456789012:accesspoint:desk/a",
            "arn:aws-us-gov:s3:us-gov-west-1:123456789012:accesspoint:desk",
            "a",
        ),
    ],
)
def test_valid_addresses(uri: str, bucket: str, prefix: str) -> None:
    """A bucket, with or without a prefix; a slash at the end means nothing."""
    assert parse_s3_uri(uri) == S3Location(bucket, prefix)


@pytest.mark.parametrize(
    "uri",
    [
        "", "bucket", "s3://", "s3:///x", "s3://b", "https://bucket/x", "s3://bucket/x//y",
        "s3://bucket/../x", "s3://bucket/./x", "s3://bucket/a\nb",
        "s3://bucket/\udcff", "s3://arn:aws:s3:::bucket/x",
        "s3://arn:aws:s3:us-east-1:123456789012:accesspoint",
    ],
)  # fmt: skip
def test_invalid_addresses(uri: str) -> None:
    """No bucket, another scheme, an empty part, or a part that clients resolve."""
    with pytest.raises(UsageError, match="not an S3 address"):
        parse_s3_uri(uri)


def test_a_name_that_is_too_short_for_a_bucket() -> None:
    """The hint says what is wrong with s3://b/prefix."""
    with pytest.raises(UsageError) as caught:
        parse_s3_uri("s3://b/prefix")
    assert "at least 3 characters" in caught.value.hint


@pytest.mark.parametrize("user", ["user:0pen-Sesame-11@", "0pen-Sesame-11@"])
def test_a_password_in_an_address_is_not_repeated(user: str) -> None:
    """The message says what is wrong, without the address."""
    with pytest.raises(UsageError) as caught:
        parse_s3_uri(f"s3://{user}bucket/prefix/")
    assert "0pen-Sesame-11" not in caught.value.message + caught.value.hint
    assert "without credentials" in caught.value.hint


def test_keys() -> None:
    """The prefix is joined with a slash; there is none before the first part of a key."""
    assert S3Location("b", "").key("a", "c.csv") == "a/c.csv"
    assert S3Location("b", "p/q").key("c.csv") == "p/q/c.csv"
