"""Reading published runs: damaged pointers and files are errors, never an internal one."""

import json
import logging
import re

import pytest
from function.helpers import AT, UNDER, Cloud, ask, call


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"seal": "processed_colors/x"}'])
def test_a_damaged_pointer(cloud: Cloud, content: bytes) -> None:
    """An invalid pointer is 422; one that leads nowhere is 404."""
    cloud.s3.put_object(Bucket="colors", Key="processed_colors/latest.json", Body=content)

    status = 404 if b"seal" in content else 422
    assert [ask(path)[0] for path in ("/runs/latest", "/colors")] == [status, status]


def test_a_published_file_that_was_changed(cloud: Cloud) -> None:
    """A Parquet file that differs from the summary is 422."""
    run_id = call({"time": AT})["run_id"]
    name = f"{UNDER}{run_id}/processed_colors.parquet"
    cloud.s3.put_object(Bucket="colors", Key=name, Body=b"PAR1")
    status, fault = ask("/colors")

    assert (status, fault["error"]["check"]) == (422, "MP-DAT-019")


def test_a_run_is_found_without_a_listing(
    published: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    """An older run costs a few requests, each for one key, however many runs there are.

    A run that another program published is found below its day.
    """
    old = json.loads(published.objects()["processed_colors/latest.json"])["run_id"]
    new = call({"time": "2026-03-14T08:00:00Z", "table": "COLORS", "hierarchy": "price,rank,date"})
    caplog.clear()
    log = logging.getLogger("werkzeug")
    log.addHandler(caplog.handler)  # the function replaces the handlers of the root logger
    answers = [ask(f"/runs/{old}"), ask("/colors", f"run={old}&limit=1")]
    log.removeHandler(caplog.handler)
    listed = re.findall(r"GET /colors\?\S*prefix=(\S*?)[& ]", caplog.text)
    requests = re.findall(r"GET /colors", caplog.text)
    published.s3.delete_object(Bucket="colors", Key=f"processed_colors/runs/{old}.json")

    assert new["run_id"] != old
    assert [status for status, _ in answers] == [200, 200]
    assert {answer["run_id"] for _, answer in answers} == {old}
    assert (
        len(requests) == 7
    )  # index, summary; index, summary, colors: the index is found, then read
    assert {key.rpartition(".")[2] for key in listed} == {"json"}
    assert ask(f"/runs/{new['run_id']}")[0] == 200
    assert ask(f"/runs/{old}")[0] == ask(f"/runs/{old}", "day=2026-03-14")[0] == 404
    assert ask(f"/runs/{old}", "day=2026-03-13")[1]["run_id"] == old
    assert ask("/colors", f"run={old}&day=2026-03-13&limit=1")[1]["run_id"] == old
