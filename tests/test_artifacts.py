"""Names of the files of runs and bundles, and reading their lists of files."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from marketpulse.artifacts import (
    RUN_TABLES,
    Pointer,
    PublishedFile,
    is_bundle_file,
    is_run_file,
    numbered_file,
    parse_bundle_files,
    parse_pointer,
    parse_run_summary,
    plain_name,
    sample_file,
    schema_file,
)
from marketpulse.atomic import FileRecord

FILE = {"name": "processed_colors.csv", "bytes": 3, "sha256": "ab"}
RUN = {"run_id": "0123", "processed_at": "2026-03-13T18:00:00Z", "files": [FILE]}


def test_a_run_summary_is_read() -> None:
    """Id, time, mapping and files come out; the rest stays in `content`."""
    text = json.dumps({**RUN, "mapping": {"price": "MID"}, "rows": {"read": 1}})
    summary = parse_run_summary(text.encode())

    assert (summary.run_id, summary.processed_at) == ("0123", "2026-03-13T18:00:00Z")
    assert summary.mapping == {"price": "MID"}
    assert summary.files == (FileRecord("processed_colors.csv", 3, "ab"),)
    assert summary.content["rows"] == {"read": 1}


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ({"files": [FILE]}, True),
        ({"files": [FILE], "complete": True}, True),
        ({"files": [FILE], "complete": False}, False),
    ],
)
def test_a_manifest_lists_files(text: dict[str, object], complete: bool) -> None:
    """A bundle is complete unless its manifest says otherwise."""
    listed = parse_bundle_files(json.dumps(text))

    assert (listed.complete, listed.taken_at) == (complete, None)
    assert [file.name for file in listed.files] == ["processed_colors.csv"]


def test_a_pointer_is_read_as_it_was_written() -> None:
    """Writing and reading give the same pointer, for a bundle too."""
    for run_id in ("0123", None):
        pointer = Pointer(run_id=run_id, seal="p/s", files=(PublishedFile("p/a", 1, "ab"),))
        assert parse_pointer(pointer.text()) == pointer
    assert pointer.lists_any({"p/a"})
    assert not pointer.lists_any({"p/b"})
    assert parse_pointer('{"seal": "p/s"}').lists_any({"p/b"})


@pytest.mark.parametrize("parse", [parse_run_summary, parse_bundle_files, parse_pointer])
@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", "7", '{"files": 1}', '{"files": [[]]}', '{"files": [{}]}', b"\xff"),
        "[" * 100_000,
    ],
)
def test_other_text_is_refused(parse: object, text: str | bytes) -> None:
    """Text that is none of them raises ValueError, also if it is nested deeply."""
    assert callable(parse)
    with pytest.raises(ValueError):  # noqa: PT011 - json's own subclass, too
        parse(text)


@pytest.mark.parametrize(
    "change",
    [
        {"run_id": "../x"},
        {"run_id": 7},
        {"processed_at": None},
        {"files": [{**FILE, "name": "../x.csv"}]},
        {"files": [{**FILE, "bytes": "3"}]},
        {"mapping": []},
    ],
)
def test_a_damaged_run_summary_is_refused(change: dict[str, object]) -> None:
    """A field that is missing, of another type, or leads out of the folder is an error."""
    with pytest.raises(ValueError):  # noqa: PT011 - the message depends on the field
        parse_run_summary(json.dumps({**RUN, **change}))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "/a", "C:a", "a\nb", "a\udcff"])
def test_names_that_leave_the_folder(name: str) -> None:
    """A name with a separator, a drive or a control character is not plain."""
    with pytest.raises(ValueError, match="not a plain file name"):
        plain_name(name)


def test_names_of_files() -> None:
    """The names that are made are those that are recognized."""
    taken_at = datetime(2026, 3, 13, 23, 30, tzinfo=timezone(timedelta(hours=-2)))
    sample = sample_file("COLORS", taken_at, "csv")

    assert sample == "COLORS_sample_20260314_013000.csv"
    assert sample_file("A", datetime(2026, 1, 2, tzinfo=UTC), "json").endswith("0102_000000.json")
    for name in (sample, schema_file("COLORS"), "accessible_tables.json", "database_info.json"):
        assert is_bundle_file(name)
    for name in RUN_TABLES:
        assert is_run_file(f"{name}.csv", {"csv"})
        assert not is_run_file(f"{name}.csv", {"parquet"})
        assert not is_bundle_file(f"{name}.csv")
        assert is_run_file(numbered_file(name, 7, "csv"), {"csv"})
        assert is_run_file(numbered_file(name, 1234567, "csv"), {"csv"})
        assert not is_run_file(f"{name}-7.csv", {"csv"})
    assert not is_bundle_file("manifest.json")
