"""Pushing to a store over HTTP: what arrives, in which order, and what is left alone."""

import json
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from publish.helpers import (
    LARGE,
    UNDER,
    Shop,
    between,
    digest,
    fault_of,
    fill,
    make_bundle,
    make_run,
    receipt_of,
    send,
)
from s3_server import Store, StoreFault
from support import COLORS, Result, Tool

from marketpulse.errors import AwsError


def test_a_run_arrives_as_it_was_written(tool: Tool, shop: Shop) -> None:
    """Every file of a run arrives byte for byte, and latest.json leads to it."""
    assert tool.run_colors("--formats", "csv,parquet").code == 0
    (tool.out / "notes.txt").write_text("mine")
    result = tool.run("push-s3", "out", f"s3://{shop.name}/colors/", "--format", "json")

    receipt = receipt_of(result)
    run_id = receipt["run_id"]
    under = f"colors/date=2026-03-13/run={run_id}"
    written = {
        path.name: path.read_bytes() for path in tool.out.iterdir() if path.name != "notes.txt"
    }
    assert sorted(shop.keys) == sorted(
        [*(f"{under}/{name}" for name in written), "colors/latest.json"]
    )
    for name, content in written.items():
        answer = shop.client.get_object(Bucket=shop.name, Key=f"{under}/{name}")
        assert answer["Body"].read() == content
        assert answer["Metadata"] == {"sha256": digest(content)}
    assert answer["ContentType"] != "binary/octet-stream"
    latest = json.loads(shop.read("colors/latest.json") or b"")
    assert (latest["run_id"], latest["seal"]) == (run_id, f"{under}/run_summary.json")
    assert {file["key"]: (file["bytes"], file["sha256"]) for file in latest["files"]} == {
        f"{under}/{name}": (len(content), digest(content)) for name, content in written.items()
    }
    assert [pushed["key"].rpartition("/")[2] for pushed in receipt["objects"]][-2:] == [
        "run_summary.json",
        "latest.json",
    ]
    assert "sent 8 objects" in result.err


def test_a_partial_bundle_is_pushed(tool: Tool, shop: Shop) -> None:
    """A partial bundle is pushed, and the receipt says that it is not complete."""
    make_bundle(tool.folder / "bundle", complete=False, a="1", b="2")
    result = tool.run("push-s3", "bundle", f"s3://{shop.name}", "--format", "json")

    receipt = receipt_of(result)
    assert [pushed["key"] for pushed in receipt["objects"]] == [
        "a.csv",
        "b.csv",
        "manifest.json",
        "latest.json",
    ]
    assert (receipt["complete"], receipt["run_id"], receipt["prefix"]) == (False, None, "")
    assert "tables are missing" in result.err
    assert sorted(shop.keys) == ["a.csv", "b.csv", "latest.json", "manifest.json"]


def test_standalone_files_have_no_pointer(tool: Tool, shop: Shop) -> None:
    """Folders without a seal and single files are pushed without latest.json; hidden files stay."""
    fill(tool.folder / "loose/inner", c="3")
    fill(tool.folder / "loose", a="1", b="2")
    (tool.folder / "loose/.hidden").write_text("x")
    (tool.folder / "one.bin").write_bytes(b"\0")
    target = f"s3://{shop.name}/x/y"
    receipt = receipt_of(tool.run("push-s3", "loose", "one.bin", target, "--format", "json"))

    assert shop.keys == ["x/y/a.csv", "x/y/b.csv", "x/y/one.bin"]
    assert (receipt["latest"], receipt["run_id"], receipt["complete"]) == (None, None, True)


def test_of_several_sets_the_last_is_the_latest(tool: Tool, shop: Shop) -> None:
    """Several runs arrive, and latest.json leads to the last one on the command line."""
    make_run(tool.folder / "one", "1" * 16, a="1")
    make_run(tool.folder / "two", "2" * 16, a="2")
    receipt = receipt_of(tool.run("push-s3", "two", "one", f"s3://{shop.name}", "--format", "json"))

    assert receipt["run_id"] == "1" * 16
    assert len(shop.keys) == 5


def test_the_second_push_sends_nothing(tool: Tool, shop: Shop) -> None:
    """A second push skips every object, latest.json too."""
    make_run(tool.folder / "run", a="1", b="2")
    target = f"s3://{shop.name}/colors/"
    assert tool.run("push-s3", "run", target).code == 0
    writes = shop.writes()
    again = receipt_of(tool.run("push-s3", "run", target, "--format", "json"))
    forced = tool.run("push-s3", "run", target, "--force")

    assert writes == 4
    assert {pushed["action"] for pushed in again["objects"]} == {"skipped"}
    assert forced.err.endswith("sent 0 objects, 0 bytes; skipped 4\n")  # a slow push shows progress
    assert shop.writes() == writes


def test_an_unfinished_push_is_finished_by_the_next(tool: Tool, shop: Shop) -> None:
    """After a push that broke off only missing objects are sent."""
    make_run(tool.folder / "run", a="1", b="2")
    shop.put(f"{UNDER}/a.csv", b"1", sha256=digest(b"1"))
    receipt = receipt_of(tool.run("push-s3", "run", f"s3://{shop.name}/colors", "--format", "json"))

    assert [pushed["action"] for pushed in receipt["objects"]] == [
        "skipped",
        "sent",
        "sent",
        "sent",
    ]


@pytest.mark.parametrize("metadata", [{}, {"sha256": digest(b"other")}], ids=["none", "other"])
def test_other_content_is_not_overwritten(tool: Tool, shop: Shop, metadata: dict[str, str]) -> None:
    """Other content under one key stops the push before it sends anything: exit 8."""
    make_run(tool.folder / "run", a="1", b="2")
    shop.put(f"{UNDER}/b.csv", b"other", **metadata)
    words = ("--deadline", "5", "push-s3", "run")  # it waits so long for the push of another
    result = tool.run(*words, f"s3://{shop.name}/colors", "--format", "json")

    assert fault_of(result) == (8, "MP-AWS-004")
    assert f"s3://{shop.name}/{UNDER}/b.csv" in result.err
    assert (shop.keys, shop.writes()) == ([f"{UNDER}/b.csv"], 1)


def test_force_deletes_the_pointer_before_it_overwrites(
    tool: Tool, shop: Shop, moto_server: str
) -> None:
    """--force deletes latest.json before it overwrites an object that the pointer lists."""
    make_bundle(tool.folder / "bundle", a="1", b="2")
    target = f"s3://{shop.name}/p"
    assert tool.run("push-s3", "bundle", target).code == 0
    make_bundle(tool.folder / "bundle", a="1", b="3")
    changes = []
    with between(moto_server, lambda method, path: changes.append(f"{method} {path}")) as proxy:
        assert tool.run("push-s3", "bundle", target, "--force", "--endpoint-url", proxy).code == 0

    names = [
        change.replace(f"/{shop.name}/p/", "") for change in changes if change[:3] in {"PUT", "DEL"}
    ]
    assert names == [
        "PUT .push.json",
        *("DELETE latest.json", "PUT b.csv", "PUT manifest.json", "PUT latest.json"),
        "DELETE .push.json",
    ]
    assert shop.read("p/b.csv") == b"3"


def test_forcing_a_file_into_the_latest_set_removes_the_pointer(tool: Tool, shop: Shop) -> None:
    """latest.json goes if a single file replaces one of its set, and stays otherwise."""
    make_bundle(tool.folder / "bundle", a="1", b="2")
    fill(tool.folder, a="other", c="new")
    target = f"s3://{shop.name}"
    assert tool.run("push-s3", "bundle", target).code == 0
    assert tool.run("push-s3", "c.csv", target, "--force").code == 0
    assert "latest.json" in shop.keys
    assert tool.run("push-s3", "a.csv", target, "--force").code == 0
    assert "latest.json" not in shop.keys


@pytest.mark.parametrize(("content", "code"), [(b"1", 0), (b"other", 8)], ids=["same", "other"])
def test_of_two_pushes_at_once_none_overwrites(
    tool: Tool, shop: Shop, moto_server: str, content: bytes, code: int
) -> None:
    """An object that appears during the push is skipped if it is the same, else exit 8."""
    make_run(tool.folder / "run", a="1")

    def faster(method: str, path: str) -> None:
        if method == "PUT" and path.endswith("a.csv"):
            shop.put(f"{UNDER}/a.csv", content, sha256=digest(content))

    with between(moto_server, faster) as proxy:
        words = ("--deadline", "5", "push-s3", "run")  # it waits so long for the push of another
        result = tool.run(*words, f"s3://{shop.name}/colors", "--endpoint-url", proxy)

    assert result.code == code
    assert shop.read(f"{UNDER}/a.csv") == content
    assert ("colors/latest.json" in shop.keys) == (code == 0)


def is_whole(shop: Shop, latest: Any) -> bool:
    """Whether all that latest.json lists is there, as it says."""
    contents = {file["sha256"]: shop.read(file["key"]) for file in latest["files"]}
    return all(
        content is not None and digest(content) == sha256 for sha256, content in contents.items()
    )


def test_a_reader_always_sees_a_whole_set(tool: Tool, shop: Shop, moto_server: str) -> None:
    """A reader who follows latest.json during pushes and forced pushes sees complete sets only."""
    make_run(tool.folder / "one", "1" * 16, a="1", b="1", c="1")
    make_run(tool.folder / "two", "2" * 16, a="2", b="2", c="2")
    done, seen = threading.Event(), set()

    def read() -> None:
        while not done.is_set():
            pointer = shop.read("p/latest.json")
            if pointer is not None and is_whole(shop, json.loads(pointer)):
                seen.add(pointer)
            elif pointer is not None and shop.read("p/latest.json") == pointer:
                seen.add(b"half a set")

    reader = threading.Thread(target=read)
    reader.start()
    with between(moto_server, lambda method, _: time.sleep(0.03 * (method == "PUT"))) as proxy:
        for number, name in enumerate(["one", "two", "bundle", "one", "bundle", "bundle"]):
            if name == "bundle":
                make_bundle(tool.folder / name, a=f"{number}", b=f"{number}", c=f"{number}")
            words = ("push-s3", name, f"s3://{shop.name}/p", "--endpoint-url", proxy, "--force")
            assert tool.run(*words).code == 0
    time.sleep(0.2)
    done.set()
    reader.join()

    assert b"half a set" not in seen
    assert len(seen) >= 5


def test_push_option_of_run_colors_and_sample(tool: Tool, shop: Shop) -> None:
    """--push of run-colors and sample sends what was written, as push-s3 does."""
    target = f"s3://{shop.name}/colors/"
    run = tool.run_colors("--push", target, "--format", "json")
    again = tool.run("push-s3", "out", target)
    sample = ("sample", "DEALERS", "--source", "demo", "--push", f"s3://{shop.name}/bundle")
    taken = tool.run(*sample)

    receipt = receipt_of(run)["push"]
    assert f"colors/date=2026-03-13/run={receipt['run_id']}/processed_colors.csv" in shop.keys
    assert again.err == f"sent 0 objects, 0 bytes; skipped {len(receipt['objects'])}\n"
    assert taken.code == 0
    assert "bundle/manifest.json" in shop.keys
    assert "bundle/manifest.json" in taken.out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--push", "bucket/x"], 2, "not an S3 address"),
        (
            ["--push", "s3://bucket", "--explain", "037833100"],
            2,
            "writes nothing to upload",
        ),
        (
            ["--push", "s3://no-such-bucket/x"],
            8,
            "upload them with `marketpulse push-s3 out s3://no-such",
        ),
    ],
)
def test_push_option_that_fails(tool: Tool, words: list[str], code: int, message: str) -> None:
    """A wrong address stops before the work; a failed push says how to send it later."""
    result = tool.run_colors(*words)

    assert result.code == code
    assert message in result.err
    assert (tool.out / "run_summary.json").exists() == (code == 8)


def test_a_poor_run_is_not_published(tool: Tool, shop: Shop) -> None:
    """No usable row, or more than a tenth rejected: exit 7, and the pointer stays."""
    target = f"s3://{shop.name}/colors/"
    header, *rows = COLORS.read_text(encoding="utf-8").splitlines()
    unreadable = [re.sub(r",(\d{4})-(\d\d)-(\d\d)", r",\2/\3/\1", row) for row in rows]

    def rank(rows: list[str], *words: str) -> Result:
        (tool.folder / "day.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
        return tool.run("run-colors", "day.csv", "--output", "out", "--push", target, *words)

    assert rank(rows).code == 0
    before, writes = shop.read("colors/latest.json"), shop.writes()
    none, many = rank(unreadable), rank(rows[300:] + unreadable[:300])
    assert (none.code, many.code) == (7, 7)
    assert "none of the 2003 rows can be used: DATE: '03/11/2026' is not a date" in none.err
    assert "more than --max-rejected 10%" in many.err
    assert (shop.read("colors/latest.json"), shop.writes()) == (before, writes)
    assert rank(rows[300:] + unreadable[:300], "--max-rejected", "20%").code == 0
    assert shop.read("colors/latest.json") != before


def test_an_empty_run_is_not_published(tool: Tool, shop: Shop) -> None:
    """A header alone, or rules that take every row: exit 0, a warning, and the pointer stays."""
    target = f"s3://{shop.name}/colors/"
    assert tool.run_colors("--push", target).code == 0
    before, writes = shop.read("colors/latest.json"), shop.writes()
    header = COLORS.read_text(encoding="utf-8").splitlines()[0]
    (tool.folder / "none.csv").write_text(header, encoding="utf-8")
    everything = {"type": "where", "column": "CUSIP", "operator": "is not null"}
    rule = {"id": 1, "name": "all", "is_active": True, "conditions": [everything]}
    (tool.folder / "all.json").write_text(json.dumps({"rules": [rule]}), encoding="utf-8")
    for words in (["none.csv"], [str(COLORS), "--rules", "all.json"]):
        command = ["run-colors", *words, "--output", "empty", "--push", target]
        shown = tool.run(*command)
        printed = tool.run(*command, "--format", "json")
        assert (shown.code, printed.code) == (0, 0), shown.err
        assert "warning: nothing is published: no color is left" in shown.err
        assert json.loads(printed.out)["push"] is None
        assert "no color is left" in json.loads(printed.out)["unpublished"]
        assert (shop.read("colors/latest.json"), shop.writes()) == (before, writes)
    refused = tool.run("push-s3", "empty", target)
    assert (refused.code, shop.writes()) == (7, writes)
    assert "--force" in refused.err
    assert tool.run("push-s3", "empty", target, "--force").code == 0
    assert shop.read("colors/latest.json") != before


def test_a_push_stays_below_its_prefix(store: Store, runs: dict[str, Path]) -> None:
    """Credentials for the prefix alone are enough."""
    send(store, runs["one"])
    send(store, runs["one"])
    send(store, runs["two"])

    assert {request.split()[0] for request in store.requests} == {"GET", "PUT", "POST"}
    assert all(request.split()[1].startswith("p/") for request in store.requests)


def test_encryption_tags_and_content_types(store: Store, runs: dict[str, Path]) -> None:
    """Encryption, key, tags and content type arrive with every object, in parts or whole."""
    send(store, runs["one"], sse="aws:kms", kms_key_id="alias/colors", tags=["desk=clo", "a=b c"])
    for key, stored in store.objects.items():
        headers = {name.lower(): value for name, value in stored.headers.items()}
        assert headers["x-amz-server-side-encryption"] == "aws:kms"
        assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/colors"
        assert headers["x-amz-tagging"] == "desk=clo&a=b+c"
        kind = "application/json" if key.endswith("json") else "text/csv; charset=utf-8"
        assert headers["content-type"] == kind
        assert headers["x-amz-meta-sha256"] == digest(stored.content)


def test_progress_counts_every_byte(store: Store, runs: dict[str, Path]) -> None:
    """The display gets the number of bytes that are sent."""

    class Display:
        begun: int | None = None
        bytes = 0
        ended = False

        def begin(self, name: str, total: int | None) -> None:
            assert name == "s3://bucket"
            self.begun = total

        def advance(self, more: int) -> None:
            self.bytes += more

        def end(self) -> None:
            self.ended = True

    display = Display()
    receipt = send(store, runs["one"], progress=display)
    assert display.begun == display.bytes == sum(pushed.bytes for pushed in receipt.objects)
    assert display.ended


def test_a_standalone_file_is_proven_by_its_etag(store: Store, tmp_path: Path) -> None:
    """A file of no set is read back only if the store's own checksum proves nothing."""
    files = [tmp_path / "a.csv", tmp_path / "large.csv"]
    files[0].write_bytes(b"1")
    files[1].write_bytes(LARGE)
    send(store, *files)
    send(store, *files)
    assert [
        request
        for request in store.requests
        if request.startswith("GET") and "list-type" not in request
    ] == []
    assert sum(request.startswith("PUT") for request in store.requests) == 3
    store.objects.clear()
    store.choose_fault = lambda request: (
        StoreFault.CORRUPT_ETAG if request.startswith("PUT") else None
    )
    with pytest.raises(AwsError):
        send(store, *files)
