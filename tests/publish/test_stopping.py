"""Giving a push up: Ctrl-C and the deadline, whatever the store does."""

import signal
import threading
import time
from pathlib import Path

import pytest
from publish.helpers import fault_of, latest_of, make_run, send
from s3_server import Store
from support import Tool, posix

from marketpulse.errors import AwsError

SILENT = ["GET .* list-type", "PUT .*a.csv", "GET .*a.csv", "PUT .*large.csv partNumber"]


@posix
@pytest.mark.parametrize("place", SILENT)
def test_control_c_ends_a_push_at_a_silent_store(
    tool: Tool, store: Store, runs: dict[str, Path], place: str
) -> None:
    """Within two seconds, exit code 130, and the pointer stays."""
    reached = store.silence(place)
    words = ("push-s3", runs["one"], "s3://bucket/p", "--endpoint-url", store.url)
    process = tool.start(*words)
    assert reached.wait(60)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, err = process.communicate(timeout=30)

    assert time.monotonic() - began < 2
    assert (process.returncode, err.decode()) == (130, "interrupted\n")
    assert latest_of(store) is None


def test_the_deadline_bounds_a_push(tool: Tool, store: Store) -> None:
    """`--deadline` ends a push at a silent store, exit code 8."""
    make_run(tool.folder / "run", a="1")
    reached = store.silence("PUT .*a.csv")
    words = ("--deadline", 3, "push-s3", "run", "s3://bucket/p", "--format", "json")
    began = time.monotonic()
    result = tool.run(*words, "--endpoint-url", store.url)

    assert time.monotonic() - began < 10
    assert reached.is_set()
    assert fault_of(result) == (8, "MP-AWS-003")
    assert "the deadline passed before the push was complete" in result.err


def test_after_the_deadline_nothing_is_sent(store: Store, runs: dict[str, Path]) -> None:
    """A request that gets through late is the last one: no pointer follows."""
    late = threading.Event()

    def choose(request: str) -> None:
        if "PUT" in request and "a.csv" in request:
            late.wait(10)

    store.choose_fault = choose
    with pytest.raises(AwsError, match="deadline"):
        send(store, runs["one"], timeout=20, deadline=0.7)
    late.set()
    time.sleep(0.5)
    assert not any("run_summary" in key or "latest" in key for key in store.objects)
