"""Reading a PATH: damaged sets, unsafe names and links are refused before anything is sent."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from publish.helpers import (
    Shop,
    digest,
    fault_of,
    fill,
    make_bundle,
    make_run,
    send,
)
from s3_server import Store
from support import Tool

from marketpulse.errors import NotFoundError, UsageError
from marketpulse.publish import S3Location
from marketpulse.publish.local import read_set


@pytest.mark.parametrize("make", [make_run, make_bundle])
@pytest.mark.parametrize("content", [b"9", b"22", None], ids=["other", "longer", "missing"])
def test_a_damaged_set_is_refused(
    tool: Tool, shop: Shop, make: Callable[..., Path], content: bytes | None
) -> None:
    """A file that differs from its seal is exit 7 with its name, and nothing is sent."""
    folder = make(tool.folder / "set", a="1", b="2")
    (folder / "b.csv").unlink()
    if content is not None:
        (folder / "b.csv").write_bytes(content)
    result = tool.run("push-s3", "set", f"s3://{shop.name}", "--format", "json")

    assert fault_of(result) == (7, "MP-DAT-019")
    assert str(Path("set/b.csv")) in json.loads(result.err)["error"]["message"]
    assert shop.writes() == 0


@pytest.mark.parametrize(
    "name", ["../x.csv", "a/x.csv", "a\\x.csv", "/etc/hostname", "..", "", "C:x", "x\n.csv", 7]
)
def test_a_seal_cannot_reach_out_of_its_folder(tool: Tool, name: object) -> None:
    """A seal that names a file outside of its folder is exit 7."""
    (tool.folder / "x.csv").write_bytes(b"1")
    folder = make_bundle(tool.folder / "set")
    listed = [{"name": name, "bytes": 1, "sha256": digest(b"1")}]
    (folder / "manifest.json").write_text(json.dumps({"files": listed}), encoding="utf-8")
    result = tool.run("push-s3", "set", "s3://bucket", "--dry-run", "--format", "json")

    assert fault_of(result) == (7, "MP-DAT-019")


BROKEN = ["", "[]", "{}", '{"files": 1}', '{"files": [{}]}', '{"files": [[]]}']


OF_A_RUN = ['{"run_id": "../..", "processed_at": "2026-03-13T18:00:00Z", "files": []}']
OF_A_RUN += ['{"run_id": "1", "processed_at": "a Friday", "files": []}']


@pytest.mark.parametrize(
    ("seal", "text"),
    [
        *(("run_summary.json", text) for text in BROKEN + OF_A_RUN),
        *(("manifest.json", text) for text in BROKEN),
    ],
)
def test_an_invalid_seal_is_bad_data(tool: Tool, seal: str, text: str) -> None:
    """A seal that cannot be parsed is exit 7 with its name."""
    (tool.folder / "set").mkdir()
    (tool.folder / "set" / seal).write_text(text, encoding="utf-8")
    result = tool.run("push-s3", "set", "s3://bucket", "--dry-run", "--format", "json")

    assert fault_of(result) == (7, "MP-DAT-019")
    assert seal in result.err


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
@pytest.mark.parametrize("place", ["link.csv", "loose", "run", "sealed", "folder"])
def test_links_are_refused(tool: Tool, place: str) -> None:
    """A symbolic link is never followed, as a PATH or in a folder: exit 2."""
    fill(tool.folder, secret="1")
    make_run(tool.folder / "run", a="1")
    make_run(tool.folder / "sealed", a="1")
    fill(tool.folder / "loose", a="1")
    (tool.folder / "run/a.csv").unlink()
    (tool.folder / "sealed/run_summary.json").rename(tool.folder / "seal.json")
    for link, to in {
        "link.csv": "secret.csv",
        "loose/b.csv": "secret.csv",
        "run/a.csv": "secret.csv",
        "sealed/run_summary.json": "seal.json",
        "folder": "run",
    }.items():
        (tool.folder / link).symlink_to(tool.folder / to)
    result = tool.run("push-s3", place, "s3://bucket", "--dry-run")

    assert result.code == 2
    assert "symbolic link" in result.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "push-s3 needs at least one PATH"),
        (["a.csv"], 2, "push-s3 needs at least one PATH"),
        (["a.csv", "b.csv"], 2, "b.csv: not an S3 address"),
        (["a.csv", "s3://"], 2, "for example s3://bucket/prefix/"),
        (["a.csv", "s3:///x"], 2, "for example s3://bucket/prefix/"),
        (["a.csv", "s3://bucket/x/../y"], 2, "for example s3://bucket/prefix/"),
        (["a.csv", "s3://bucket/x//y"], 2, "for example s3://bucket/prefix/"),
        (["a.csv", "https://bucket/x"], 2, "for example s3://bucket/prefix/"),
        (["none.csv", "s3://bucket"], 6, "none.csv: no such file or folder\n  hint: check"),
        (["empty", "s3://bucket"], 6, "empty: the folder has no files"),
        (["a.csv", "copy/a.csv", "s3://bucket/p"], 2, "become the object s3://bucket/p/a.csv"),
        (["latest.json", "s3://bucket"], 2, "become the object s3://bucket/latest.json"),
        (["a.csv", "s3://bucket", "--endpoint-url", "ftp://x"], 2, "not the address of a store"),
        (
            ["a.csv", "s3://bucket", "--endpoint-url", "http://me:pw-99@x"],
            2,
            "not the address of a",
        ),
        (["a.csv", "s3://bucket", "--jobs", "0"], 2, "--jobs"),
        (["", "s3://bucket"], 2, "a PATH is empty"),
        (["a.csv", "s3://bucket", "--tag", "AWS:x=1"], 2, "reserved for AWS"),
        (["a.csv", "s3://bucket", "--tag", "a=b&c"], 2, "--tag: 'a=b&c' is not KEY=VALUE"),
        (["a.csv", f"s3://bucket/{'x' * 1020}"], 2, "more than 1024 bytes"),
        (["a.csv", "s3://bucket", "--receipt", "copy"], 2, "copy: this is a folder"),
        (["a.csv", "s3://bucket", "--receipt", "a.csv"], 2, "a.csv: not a receipt"),
        (["a.csv", "s3://bucket", "--receipt", "a.csv/r.json"], 2, "a.csv: cannot be written"),
    ],
)
def test_wrong_usage(tool: Tool, words: list[str], code: int, message: str) -> None:
    """Wrong arguments fail before any request."""
    fill(tool.folder, a="1")
    fill(tool.folder / "copy", a="1")
    (tool.folder / "empty").mkdir()
    (tool.folder / "latest.json").write_text("{}")
    result = tool.run("push-s3", *words)

    assert result.code == code
    assert message in result.err
    assert "pw-99" not in result.err


@pytest.mark.parametrize(
    ("template", "keys"),
    [
        ("{run_id}", ["p/1111111111111111/"]),
        ("{date}/x/{run_id}/", ["p/2026-03-13/x/1111111111111111/"]),
        ("", ["p/"]),
        ("{nobody}", []),
        ("{date:%Y}/{run_id}", []),
        ("{run_id!r}", []),
        ("{date", []),
        ("../{date}", []),
        ("a//b", []),
    ],
)
def test_prefix_template(
    store: Store, runs: dict[str, Path], template: str, keys: list[str]
) -> None:
    """--prefix-template fills in date and run id; an invalid path is wrong usage."""
    if not keys:
        with pytest.raises(UsageError, match="--prefix-template"):
            send(store, runs["one"], prefix_template=template)
        return
    receipt = send(store, runs["one"], prefix_template=template)
    assert {pushed.key.rpartition("/")[0] + "/" for pushed in receipt.objects[:-1]} == set(keys)


def test_folders_inside_a_folder(tmp_path: Path) -> None:
    """They are named, or sent with their names in the keys; hidden ones never."""
    for name in ("a.csv", "deep/b.csv", "deep/er/c.csv", ".git/x", "deep/.hidden/y"):
        (tmp_path / "day" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "day" / name).write_text("1")
    location = S3Location("bucket", "p")
    flat = read_set(tmp_path / "day", location, None)
    assert [item.key for item in flat.files] == ["p/a.csv"]
    assert flat.left_out == (tmp_path / "day" / "deep",)
    whole = read_set(tmp_path / "day", location, None, recursive=True)
    assert [item.key for item in whole.files] == ["p/a.csv", "p/deep/b.csv", "p/deep/er/c.csv"]
    assert whole.left_out == ()
    (tmp_path / "day" / "a.csv").unlink()
    with pytest.raises(NotFoundError) as caught:
        read_set(tmp_path / "day", location, None)
    assert "--recursive" in caught.value.hint
