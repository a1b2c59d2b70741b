"""What the errors of S3 mean: each has a check id, and no message repeats AWS's text."""

import pytest
from botocore import exceptions as botocore_errors

from marketpulse.aws.s3_client import http_status, translate_errors
from marketpulse.errors import AwsError, MarketPulseError, SettingsError

SECRET = "Planted-Rye-5150"


def client_error(code: str, status: int) -> botocore_errors.ClientError:
    """An error answer of S3."""
    answer = {
        "Error": {"Code": code, "Message": SECRET},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return botocore_errors.ClientError(answer, "PutObject")


def translate(error: Exception) -> MarketPulseError:
    """The error that a user of `Bucket` gets."""
    with (
        pytest.raises(MarketPulseError) as caught,
        translate_errors("bucket", "p/a.csv", "cannot be sent", "s3.example.com"),
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
