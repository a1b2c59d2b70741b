"""What the errors of S3 mean: each has a check id, and no message repeats AWS's text."""

from collections.abc import Mapping

import pytest
from botocore import exceptions as botocore_errors

from marketpulse.aws.s3_client import FEATURES, http_status, translate_errors
from marketpulse.errors import AwsError, MarketPulseError, SettingsError

SECRET = "Planted-Rye-5150"


def client_error(
    code: str,
    status: int,
    headers: Mapping[str, str] | None = None,
    operation: str = "PutObject",
    **details: str,
) -> botocore_errors.ClientError:
    """An error answer of S3."""
    answer = {
        "Error": {"Code": code, "Message": SECRET, **details},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers or {}},
    }
    return botocore_errors.ClientError(answer, operation)


def translate(error: Exception, *features: str) -> MarketPulseError:
    """The error that a user of `Bucket` gets."""
    with (
        pytest.raises(MarketPulseError) as caught,
        translate_errors("bucket", "p/a.csv", "cannot be sent", "s3.example.com", features),
    ):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("code", "status", "check"),
    [
        ("AccessDenied", 403, "MP-AWS-001"),
        ("ExpiredToken", 400, "MP-AWS-001"),
        ("InvalidAccessKeyId", 403, "MP-AWS-001"),
        ("NoSuchBucket", 404, "MP-AWS-002"),
        ("SlowDown", 503, "MP-AWS-003"),
        ("TooManyRequests", 429, "MP-AWS-003"),
        ("Teapot", 418, "MP-AWS-005"),
        ("NotImplemented", 501, "MP-AWS-009"),
        ("QuotaExceeded", 403, "MP-AWS-010"),
        ("InvalidObjectState", 403, "MP-AWS-005"),
        ("KMS.DisabledException", 400, "MP-AWS-007"),
        ("BadDigest", 400, "MP-AWS-008"),
    ],
)
def test_error_answers(code: str, status: int, check: str) -> None:
    """The message has the object and the code, never AWS's own text."""
    error = translate(client_error(code, status))

    assert (type(error), error.check) == (AwsError, check)
    assert error.message.startswith("s3://bucket/p/a.csv: cannot be sent: ")
    assert SECRET not in error.message + error.hint
    assert error.hint


@pytest.mark.parametrize(
    ("features", "details", "named", "hint"),
    [
        (["tags"], {}, "does not support tags", "leave out --tag"),
        (["encryption", "checksums"], {"Header": "x-amz-server-side-encryption"},
         "does not support encryption", "--sse"),
        (["tags", "checksums"], {"Message": "x-amz-sdk-checksum-algorithm is not implemented"},
         "does not support checksums", "AWS_REQUEST_CHECKSUM_CALCULATION=when_required"),
        (["protection from overwriting", "checksums"], {"Header": "If-None-Match"},
         "does not support protection from overwriting", "--force"),
        (["protection from overwriting", "tags"], {},
         "one of these: tags, protection from overwriting", "leave out --tag; or overwrite"),
        ([], {}, "does not support this", "--endpoint-url"),
    ],
)  # fmt: skip
def test_what_a_store_lacks(
    features: list[str], details: dict[str, str], named: str, hint: str
) -> None:
    """The feature that the answer names, else those that the request asked for."""
    error = translate(client_error("NotImplemented", 501, None, **details), *features)
    assert named in error.message
    assert hint in error.hint
    assert ("--force" in error.hint) == ("protection" in error.message)


@pytest.mark.parametrize(
    ("operation", "named"),
    [
        ("CreateMultipartUpload", "one of these: tags, encryption, checksums"),
        ("UploadPart", "does not support checksums"),
        ("CompleteMultipartUpload", "one of these: checksums, protection from overwriting"),
    ],
)
def test_what_an_upload_in_parts_lacks(operation: str, named: str) -> None:
    """Only what this request carried."""
    error = translate(client_error("NotImplemented", 501, operation=operation), *FEATURES)
    assert named in error.message


@pytest.mark.parametrize(
    ("error", "region"),
    [
        (client_error("PermanentRedirect", 301, {"x-amz-bucket-region": "eu-west-1"}), "eu-west-1"),
        (client_error("AuthorizationHeaderMalformed", 400, Region="eu-west-1"), "eu-west-1"),
        (client_error("AuthorizationHeaderMalformed", 400, Region=f"x {SECRET}"), ""),
        (client_error("TemporaryRedirect", 307), ""),
    ],
)
def test_a_bucket_in_another_region(error: botocore_errors.ClientError, region: str) -> None:
    """The region to set, if the answer has it."""
    translated = translate(error)
    assert translated.check == "MP-AWS-002"
    assert (f"AWS_REGION={region}" in translated.hint) == bool(region)
    assert SECRET not in translated.message + translated.hint


@pytest.mark.parametrize("status", [200, 403, 502])
def test_a_web_page_is_no_answer_of_a_store(status: int) -> None:
    """A proxy's page names no missing right."""
    page = client_error("AccessDenied", status, {"content-type": "text/html; charset=utf-8"})
    assert translate(page).check == "MP-AWS-003"
    assert "proxy" in translate(page).hint


def test_errors_without_an_answer() -> None:
    """Credentials are a matter of settings; the network and the certificate have their checks."""
    assert isinstance(translate(botocore_errors.NoCredentialsError()), SettingsError)
    unreachable = botocore_errors.EndpointConnectionError(endpoint_url="https://s3")
    assert translate(unreachable).check == "MP-AWS-003"
    untrusted = botocore_errors.SSLError(endpoint_url="https://s3", error=None)
    assert translate(untrusted).check == "MP-AWS-006"
    assert "s3.example.com" in translate(untrusted).message
    assert translate(ValueError(SECRET)).check == "MP-AWS-005"
    assert SECRET not in translate(ValueError(SECRET)).message


def test_the_status_of_an_answer() -> None:
    """0 stands for an answer without a status."""
    assert http_status(client_error("SlowDown", 503)) == 503
    assert http_status(botocore_errors.ClientError({}, "PutObject")) == 0
