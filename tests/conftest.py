"""Fixtures that many tests share, and how many examples Hypothesis tries.

`pytest --hypothesis-profile thorough` tries thousands. `brief` tries a few: CI uses it on the other
versions of Python.
"""

import signal
import sys
import time
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from hypothesis import is_hypothesis_test, settings
from moto.server import ThreadedMotoServer
from s3_server import Store, s3_server
from support import AWS_KEYS, Tool

settings.register_profile("quick", max_examples=50, deadline=None, derandomize=True)
settings.register_profile("brief", max_examples=15, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=3000, deadline=None, print_blob=True)
settings.load_profile("quick")

# A shell's background jobs ignore Ctrl-C and hand that down; what the tests start must not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    """The command line in an empty folder."""
    return Tool(tmp_path / "desk")


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """The address of AWS over HTTP, one for the process; its memory is shared by all tests."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The second S3 server, and AWS keys in the environment of this process."""
    for name, value in AWS_KEYS.items():
        monkeypatch.setenv(name, value)
    with s3_server() as started:
        yield started


@pytest.fixture
def moto(moto_server: str) -> str:
    """The address of AWS over HTTP, empty."""
    with urlopen(f"{moto_server}/moto-api/reset", data=b"", timeout=10):
        pass
    return moto_server


MEASURED = 0.2  # seconds of processor time of each test function
_spent: defaultdict[str, float] = defaultdict(float)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure the coverage of a function's first cases, and of no test of Hypothesis.

    The others run the same lines again, and measuring takes half as long as running.
    """
    coverage = sys.modules.get("coverage")  # its start-up has imported it, or nothing is measured
    measurement = coverage and coverage.Coverage.current()
    if not measurement:
        return (yield)
    name = item.nodeid.partition("[")[0]
    repetitive = _spent[name] > MEASURED or is_hypothesis_test(getattr(item, "obj", None))
    if repetitive:
        measurement.stop()
    begin = time.process_time()
    try:
        return (yield)
    finally:
        _spent[name] += time.process_time() - begin
        if repetitive:
            measurement.start()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests have recorded with `record_property("figure", ...)`."""
    reports = terminalreporter.getreports("passed")
    figures = [
        text for report in reports for name, text in report.user_properties if name == "figure"
    ]
    if figures:
        terminalreporter.section("figures")
        for text in figures:
            terminalreporter.write_line(str(text))
