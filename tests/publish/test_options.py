"""PushOptions: values that do not fit are refused at once."""

from pathlib import Path
from typing import Any

import pytest
from publish.helpers import (
    fill,
    send,
)
from s3_server import Store

from marketpulse.errors import UsageError
from marketpulse.publish import PushOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kms_key_id": "k"}, "--sse aws:kms"),
        ({"tags": ["desk"]}, "KEY=VALUE"),
        ({"tags": ["a=1", "a=2"]}, "is given twice"),
        ({"tags": [f"t{number}=" for number in range(11)]}, "11 tags"),
        ({"prefix_template": "{date}"}, "is for runs and bundles"),
    ],
)
def test_options_that_do_not_fit(
    store: Store, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """Invalid options fail before any request."""
    fill(tmp_path, a="1")
    with pytest.raises(UsageError, match=message):
        send(store, tmp_path / "a.csv", **options)
    assert store.requests == []


@pytest.mark.parametrize(
    "url", ["ftp://x", "x", "http://", "http://x:0", "http://x:a", "http://me:pw-99@x"]
)
def test_invalid_endpoints(url: str) -> None:
    """An endpoint is http or https without a password; the message does not repeat it."""
    with pytest.raises(UsageError, match="not the address of a store") as caught:
        PushOptions(region="us-east-1", endpoint_url=url)
    assert "pw-99" not in str(caught.value)
