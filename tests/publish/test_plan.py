"""The plan: the order of its objects, the pointer, and a dry run."""

import io
import json
import os
from pathlib import Path

import pytest
from publish.helpers import (
    SECRETS,
    UNDER,
    make_run,
    receipt_of,
)
from support import ROOT, Tool

from marketpulse.aws.checksums import compute_checksums
from marketpulse.errors import DataError, NotFoundError, UsageError
from marketpulse.publish import S3Location
from marketpulse.publish.plan import PlannedObject, PlannedSet, make_plan


def test_a_dry_run_needs_nothing_of_aws(tool: Tool) -> None:
    """--dry-run works without boto3, credentials and network, and lists objects in order."""
    for library in ("boto3", "botocore"):
        stub = tool.folder / f"stubs/{library}.py"
        stub.parent.mkdir(exist_ok=True)
        stub.write_text("raise ImportError('not here')")
    for name in (*SECRETS, "AWS_ENDPOINT_URL_S3"):
        del tool.env[name]
    tool.env["PYTHONPATH"] = os.pathsep.join([str(tool.folder / "stubs"), str(ROOT)])
    make_run(tool.folder / "run", a="1", b="2")
    words = ("push-s3", "run", "s3://bucket/colors/", "--receipt", "r.json")
    result = tool.run_process(*words, "--dry-run", "--format", "json")

    receipt = receipt_of(result)
    assert [pushed["key"] for pushed in receipt["objects"]] == [
        f"{UNDER}/a.csv",
        f"{UNDER}/b.csv",
        f"{UNDER}/run_summary.json",
        "colors/latest.json",
    ]
    assert {pushed["action"] for pushed in receipt["objects"]} == {"would send"}
    assert json.loads((tool.folder / "r.json").read_text(encoding="utf-8")) == receipt
    assert tool.run_process(*words).code == 1  # so the stubs are in the way


def make_object(key: str) -> PlannedObject:
    """An object without content."""
    return PlannedObject(key, b"", compute_checksums(io.BytesIO(b"")))


def test_the_order_of_a_plan() -> None:
    """All files come before all seals; the pointer comes last and names the last set."""
    location = S3Location("bucket", "p")
    sets = [
        PlannedSet((make_object("p/1/a"),), make_object("p/1/run_summary.json"), "1"),
        PlannedSet(
            (make_object("p/2/a"),), make_object("p/2/run_summary.json"), "2", complete=False
        ),
        PlannedSet((make_object("p/c"),)),
    ]
    plan = make_plan(sets, location)

    assert [item.key for item in plan.objects] == [
        "p/1/a", "p/2/a", "p/c", "p/1/run_summary.json", "p/2/run_summary.json", "p/latest.json",
    ]  # fmt: skip
    assert (plan.run_id, plan.complete) == ("2", False)
    pointer = plan.objects[-1].content
    assert isinstance(pointer, bytes)
    assert plan.objects[-1].checksums == compute_checksums(io.BytesIO(pointer))
    assert json.loads(pointer)["run_id"] == "2"
    assert json.loads(pointer)["seal"] == "p/2/run_summary.json"
    assert [file["key"] for file in json.loads(pointer)["files"]] == [
        "p/2/a",
        "p/2/run_summary.json",
    ]


def test_exclusive_keys() -> None:
    """Only a folder that bears the run's id belongs to the run."""
    seal = make_object("p/run=1234/run_summary.json")
    own = PlannedSet((make_object("p/run=1234/a"),), seal, "1234")
    shared = PlannedSet((make_object("p/a"),), make_object("p/run_summary.json"), "1234")

    assert own.exclusive_keys == {"p/run=1234/a", "p/run=1234/run_summary.json"}
    assert shared.exclusive_keys == PlannedSet((make_object("p/a"),)).exclusive_keys == set()


def test_one_key_for_two_files() -> None:
    """Two files for one key are wrong usage, and so is the pointer's own key."""
    location = S3Location("bucket", "p")
    for key in ("p/a", "p/latest.json"):
        with pytest.raises(UsageError, match=f"would become the object s3://bucket/{key}"):
            make_plan(
                [PlannedSet((make_object("p/a"),)), PlannedSet((make_object(key),))], location
            )


def test_the_files_of_a_pointer() -> None:
    """The pointer has size and SHA-256 of each file, and names the seal, which comes last."""
    files = tuple(
        PlannedObject(key, body, compute_checksums(io.BytesIO(body)))
        for key, body in (("p/a", b"a"), ("p/b", b"bb"), ("p/seal", b"ccc"))
    )
    plan = make_plan([PlannedSet(files[:2], files[2], "1")], S3Location("bucket", "p"))

    assert plan.pointer is not None
    assert isinstance(plan.pointer.content, bytes)
    pointer = json.loads(plan.pointer.content)
    assert pointer["seal"] == "p/seal"
    assert [(file["key"], file["bytes"], file["sha256"]) for file in pointer["files"]] == [
        (item.key, item.checksums.size, item.checksums.sha256) for item in files
    ]


def test_plain_files_have_no_pointer() -> None:
    """A push without a run or a bundle leaves the pointer alone."""
    plan = make_plan([PlannedSet((make_object("p/a"),))], S3Location("bucket", "p"))
    assert (plan.pointer, plan.run_id, plan.complete) == (None, None, True)
    assert [item.key for item in plan.objects] == ["p/a"]


def test_the_key_that_is_named() -> None:
    """The error names the key that most files share, and says what to do."""
    sets = [PlannedSet((make_object("p/a"),)), *[PlannedSet((make_object("p/b"),))] * 2]
    with pytest.raises(UsageError, match="s3://bucket/p/b") as caught:
        make_plan(sets, S3Location("bucket", "p"))
    assert "different prefixes" in caught.value.hint


def test_the_content_of_an_object(tmp_path: Path) -> None:
    """The content is that of the plan; a file that changes or goes away is an error."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"one")
    planned = PlannedObject("p/a.csv", path, compute_checksums(io.BytesIO(b"one")))
    assert planned.read_body() == b"one"
    planned.check_unchanged()
    path.write_bytes(b"two")
    for check in (planned.read_body, planned.check_unchanged):
        with pytest.raises(DataError) as caught:
            check()
        assert caught.value.message == f"{path}: the file has changed since it was checked"
        assert caught.value.check == "MP-DAT-019"
        assert caught.value.hint == "create the run or the bundle again, then push it"
    path.unlink()
    with pytest.raises(NotFoundError, match="cannot be opened"):
        planned.check_unchanged()


def test_content_in_memory() -> None:
    """Bytes are sent as they are; an object that should be there has no content."""
    checksums = compute_checksums(io.BytesIO(b"x"))
    assert PlannedObject("p/x", b"x", checksums).read_body() == b"x"
    absent = PlannedObject("p/x", None, checksums)
    absent.check_unchanged()
    assert absent.read_body() == b""


def test_the_line_of_a_receipt() -> None:
    """The receipt has key, file, size, SHA-256 and action; only a file has a path."""
    checksums = compute_checksums(io.BytesIO(b"x"))
    for content, file in ((Path("a.csv"), "a.csv"), (b"x", None), (None, None)):
        pushed = PlannedObject("p/x", content, checksums).with_action("sent")
        assert (pushed.key, pushed.file, pushed.bytes) == ("p/x", file, 1)
        assert (pushed.sha256, pushed.action) == (checksums.sha256, "sent")
