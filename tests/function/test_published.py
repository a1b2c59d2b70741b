"""Reading published runs: damaged pointers and files are errors, never an internal one."""

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
