"""`--push` of a command: the folder that it wrote is sent, or the hint says how to send it."""

from pathlib import Path

import pytest
from publish.helpers import RUNS, latest_of
from s3_server import Store

from marketpulse.errors import AwsError
from marketpulse.publish import PushOptions, push_results


def test_results_are_sent(store: Store, runs: dict[str, Path]) -> None:
    """The receipt is that of a push."""
    options = PushOptions(region="us-east-1", endpoint_url=store.url, timeout=0.5)
    assert push_results([runs["one"]], "s3://bucket/p", options).run_id == RUNS["one"]
    assert latest_of(store) == RUNS["one"]


@pytest.mark.usefixtures("store")  # for its AWS keys
def test_results_that_cannot_be_sent(runs: dict[str, Path]) -> None:
    """The hint has the command that sends them later."""
    options = PushOptions(region="us-east-1", endpoint_url="http://127.0.0.1:9", timeout=0.5)
    with pytest.raises(AwsError) as caught:
        push_results([runs["one"]], "s3://bucket/p q", options)
    assert f"marketpulse push-s3 {runs['one']} 's3://bucket/p q'" in caught.value.hint
