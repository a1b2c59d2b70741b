"""`push-s3 --layout by-sector`: workbooks beside the runs, which no pointer names."""

import json

import pytest
from publish.helpers import make_bundle, receipt_of
from s3_server import Store
from support import COLORS, Tool, one_message

RANK = ("run-colors", COLORS, "--where", "RANK = 3", "--output", "run", "--processed-at")


@pytest.fixture
def words(tool: Tool, store: Store) -> tuple[object, ...]:
    """A push of a run that is ranked already."""
    assert tool.run(*RANK, "2026-03-13T18:00:00Z").code == 0
    tool.env["AWS_ENDPOINT_URL_S3"] = store.url
    return ("push-s3", "run", "s3://desk/p", "--layout", "by-sector", "--format", "json")


def workbooks_in(store: Store) -> dict[str, bytes]:
    """The workbooks by their keys."""
    return {key: item.content for key, item in store.objects.items() if "by-sector" in key}


def test_workbooks_of_a_run(tool: Tool, store: Store, words: tuple[object, ...]) -> None:
    """They come after the pointer, and are no part of the set; a second push sends nothing."""
    receipt = receipt_of(tool.run(*words))
    keys = [item["key"] for item in receipt["objects"]]
    at = keys.index("p/latest.json") + 1
    below = f"p/by-sector/date=2026-03-13/run={receipt['run_id']}/"
    assert keys[at:] == sorted(workbooks_in(store))
    assert len(keys[at:]) > 3
    assert all(key.startswith(below) and key.endswith(".xlsx") for key in keys[at:])
    assert {item["file"] for item in receipt["objects"][at:]} == {None}
    pointer = json.loads(store.read("p/latest.json") or b"")
    assert [file["key"] for file in pointer["files"]] == keys[: at - 1]
    assert list(tool.temporary.iterdir()) == []

    again = receipt_of(tool.run(*words))
    assert {item["action"] for item in again["objects"]} == {"skipped"}


def test_a_later_run_of_the_same_rows(tool: Tool, store: Store, words: tuple[object, ...]) -> None:
    """The published run is kept, and its workbooks are those of the last push."""
    receipt_of(tool.run(*words))
    pointer, workbooks = store.read("p/latest.json"), workbooks_in(store)
    assert tool.run(*RANK, "2026-03-13T19:00:00Z").code == 0
    receipt_of(tool.run(*words))
    assert store.read("p/latest.json") == pointer
    later = workbooks_in(store)
    assert later.keys() == workbooks.keys()
    assert later != workbooks


def test_the_same_run_twice(tool: Tool, store: Store, words: tuple[object, ...]) -> None:
    """It is refused by its name before anything is sent."""
    result = tool.run("push-s3", "run", *words[1:-2])
    assert result.code == 2
    assert "is among the PATHs twice" in one_message(result.err)
    assert str(tool.temporary) not in result.err
    assert store.objects == {}


def test_a_dry_run_and_no_run(tool: Tool, store: Store, words: tuple[object, ...]) -> None:
    """A dry run lists the workbooks. A bundle has none."""
    receipt = receipt_of(tool.run(*words, "--dry-run"))
    assert sum("by-sector" in item["key"] for item in receipt["objects"]) > 3
    assert store.objects == {}
    make_bundle(tool.folder / "bundle", a="1")
    result = tool.run("push-s3", "bundle", *words[2:-2])
    assert result.code == 2
    assert "needs a run among the PATHs" in one_message(result.err)
