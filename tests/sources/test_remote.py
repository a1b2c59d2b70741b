"""Bundles and runs below a prefix in S3: commands read them as those in a folder."""

import json
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from bundles import extract, file_of
from s3_server import Object, Store, StoreFault, s3_server
from support import AWS_KEYS, PROCESSED_AT, Result, Tool, names_in, one_message, posix

import marketpulse
from marketpulse.artifacts import Pointer
from marketpulse.errors import NotFoundError
from marketpulse.extraction.sample_options import SampleOptions


@dataclass(frozen=True)
class Desk:
    """The folders `friday`, a bundle, and `ranked`, a run; and their objects in S3."""

    tool: Tool
    store: Store
    objects: dict[str, Object]

    def run(self, *words: object) -> Result:
        """Run a command, which leaves no temporary file."""
        self.store.requests.clear()
        result = self.tool.run(*words)
        assert names_in(self.tool.temporary) == []
        assert str(self.tool.temporary) not in result.out + result.err
        return result

    def change(self, name: str, content: bytes) -> None:
        """Give an object another content, as somebody without our metadata would."""
        self.store.objects[name] = Object(content, "etag", {})


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """What `push-s3` makes of a bundle and a run."""
    with s3_server() as store:
        tool = Tool(tmp_path_factory.mktemp("pushed") / "desk")
        tool.env |= {**AWS_KEYS, "AWS_ENDPOINT_URL_S3": store.url}
        options = SampleOptions(limit=60, formats=("csv", "parquet"))
        extract(tool.folder / "friday", "COLORS", options=options)
        ranking = ("friday", "--table", "COLORS", *PROCESSED_AT, "--formats", "csv,parquet")
        assert tool.run("run-colors", *ranking, "--output", "ranked").code == 0
        for name in ("friday", "ranked"):
            words = ("push-s3", name, f"s3://desk/{name}", "--prefix-template", "")
            assert tool.run(*words).code == 0
        yield Desk(tool, store, dict(store.objects))


@pytest.fixture
def desk(pushed: Desk) -> Desk:
    """The same, as it was pushed, with a foreign object beside the bundle's."""
    pushed.store.objects.clear()
    pushed.store.objects.update(pushed.objects)
    pushed.store.choose_fault = lambda _: None
    pushed.change("friday/foreign.csv", b"PX\n1\n")
    return pushed


def test_a_bundle(desk: Desk) -> None:
    """It has the schema, the rows, the proof and the page of its folder; foreign objects stay."""
    for words in (("schema", "--source"), ("list-tables", "--source"), ("verify",)):
        here = desk.run(*words, "friday", "--format", "json")
        there = desk.run(*words, "s3://desk/friday/", "--format", "json")
        assert there.code == 0, there.err
        assert there.out.replace("s3://desk/friday/", "friday") == here.out
        assert not any("foreign" in request for request in desk.store.requests)
    ranking = ("s3://desk/friday/", "--table", "COLORS", *PROCESSED_AT)
    assert desk.run("run-colors", *ranking, "--output", "again").code == 0
    for name in ("processed_colors.csv", "excluded_colors.csv"):
        again = (desk.tool.folder / "again" / name).read_bytes()
        assert again == (desk.tool.folder / "ranked" / name).read_bytes()


@pytest.mark.parametrize("name", ["friday", "ranked"])
def test_a_page(desk: Desk, name: str) -> None:
    """The page is that of the folder, beside no folder but in the working one."""
    if name == "ranked":
        pytest.importorskip("vl_convert")
    assert desk.run("report", name, "--output", "here.html").code == 0
    result = desk.run("report", f"s3://desk/{name}")
    assert result.code == 0, result.err
    there = desk.tool.folder / f"{name}_report.html"
    assert there.read_bytes() == (desk.tool.folder / "here.html").read_bytes()
    if name == "ranked":  # CSV says the same as Parquet
        assert not any(request.endswith(".csv") for request in desk.store.requests)


def test_the_prefix_of_a_pointer(desk: Desk) -> None:
    """Above the runs there is no summary: the hint names the run that the pointer leads to."""
    pointer = Pointer(run_id="1", seal="daily/run=1/run_summary.json", files=())
    desk.change("daily/latest.json", pointer.text().encode())
    assert "newest one: s3://desk/daily/run=1/\n" in desk.run("report", "s3://desk/daily").err
    assert "newest one" not in desk.run("verify", "s3://desk/daily").err  # it takes no runs


def csv_of(desk: Desk) -> str:
    """The key of the bundle's rows that are read first."""
    return f"friday/{file_of(desk.tool.folder / 'friday', 'COLORS', 'parquet').name}"


@pytest.mark.parametrize("damage", ["its content was changed", "bytes instead of", "it is missing"])
def test_damage(desk: Desk, damage: str) -> None:
    """`verify` names the object; no other command takes its rows. Wrong sizes are not fetched."""
    key = csv_of(desk)
    content = desk.store.objects[key].content
    if damage == "it is missing":
        del desk.store.objects[key]
    else:
        desk.change(key, content[:-1] + (b"" if damage.startswith("bytes") else b"?"))
    result = desk.run("verify", "s3://desk/friday/", "--format", "json")
    assert result.code == 7
    (fault,) = json.loads(result.out)["faults"]
    assert fault["file"] == key.removeprefix("friday/")
    assert damage in fault["what"]
    assert (f"GET {key}" in desk.store.requests) == (damage == "its content was changed")
    for words in (["run-colors", "--table", "COLORS"], ["report"]):
        result = desk.run(words[0], "s3://desk/friday/", *words[1:])
        assert result.code == 7
        assert "error: s3://desk/friday/: COLORS_sample" in one_message(result.err)


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_damaged_run(desk: Desk, damage: str) -> None:
    """Its page is refused, for the summary has the digests."""
    pytest.importorskip("vl_convert")
    key = "ranked/processed_colors.parquet"
    content = desk.store.objects.pop(key).content
    if damage == "changed":
        desk.change(key, content[:-1] + b"?")
    result = desk.run("report", "s3://desk/ranked/")
    assert result.code == 7
    assert f"s3://desk/{key}: it is missing, or not as" in one_message(result.err)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["verify", "s3://desk/none"], 6, "s3://desk/none/: there is no manifest.json"),
        (["verify", f"s3://desk/{300 * 'x'}/"], 6, "xx/: there is no manifest.json"),
        (["verify", "s3://desk/friday.zip"], 6, "a zip in S3 is not read: download it"),
        (["report", "s3://desk/none/"], 6, "there is no manifest.json or run_summary.json"),
        (["schema", "--source", "s3://desk/friday"], 6, "s3://desk/friday: the name does not end"),
        (["verify", "s3://me:geheim@desk/friday/"], 2, "not an S3 address"),
        (["run-colors", "s3://desk/friday/", "--sheet", "x", "--table", "COLORS"], 2, "--sheet"),
        (["run-colors", "s3://desk/friday/", "s3://desk/ranked/"], 7, "this is a bundle, which"),
        (["run-colors", "--by-day", "s3://desk/friday/"], 2, "--by-day reads folders on this"),
    ],
)
def test_other_addresses(desk: Desk, words: list[str], code: int, message: str) -> None:
    """Each has its message and a hint."""
    result = desk.run(*words)
    assert (result.code, message in one_message(result.err)) == (code, True), result.err
    assert "hint:" in result.err
    assert "geheim" not in result.err


def test_a_manifest_that_is_none(desk: Desk) -> None:
    """An invalid one is bad data; one of an absurd size is not even fetched."""
    desk.change("friday/manifest.json", b"{}")
    result = desk.run("verify", "s3://desk/friday/")
    assert (result.code, "s3://desk/friday/: manifest.json: " in result.err) == (7, True)
    desk.change("friday/manifest.json", bytes((1 << 26) + 1))
    result = desk.run("verify", "s3://desk/friday/")
    assert (result.code, "too many for such a file" in result.err) == (7, True)
    assert "GET friday/manifest.json" not in desk.store.requests


@pytest.mark.parametrize(
    "denied", ["GET .* list-type", "GET friday/manifest.json", "GET .*sample.*"]
)
def test_no_rights(desk: Desk, denied: str) -> None:
    """Refused access is told as such, not as damage."""
    desk.store.choose_fault = lambda request: (
        StoreFault.DENIED if re.fullmatch(denied, request) else None
    )
    result = desk.run("verify", "s3://desk/friday/")
    assert result.code == 8
    assert "access denied" in one_message(result.err)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("GET .* list-type", ["verify", "s3://desk/friday/"]),
        ("GET .*sample.*parquet", ["run-colors", "s3://desk/friday/", "--table", "COLORS"]),
        ("GET .*processed.*", ["report", "s3://desk/ranked/"]),
        ("GET .*foreign.csv", ["run-colors", "s3://desk/friday/foreign.csv"]),
    ],
)
def test_the_deadline(desk: Desk, place: str, words: list[str]) -> None:
    """`--deadline` ends a read from a silent store, exit code 8."""
    reached = desk.store.silence(place)
    began = time.monotonic()
    result = desk.run("--deadline", 1.5, *words)
    assert time.monotonic() - began < 8
    assert reached.is_set()
    assert result.code == 8
    assert "the deadline passed" in one_message(result.err)


@posix
def test_a_kill(desk: Desk) -> None:
    """A signal ends a read from a silent store at once, and leaves no copy."""
    reached = desk.store.silence("GET .*sample.*parquet")
    process = desk.tool.start("verify", "s3://desk/friday/")
    assert reached.wait(60)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 2
    assert (process.returncode, err.decode()) == (143, "ended by SIGTERM\n")
    assert names_in(desk.tool.temporary) == []


def test_python_reads_a_bundle_in_s3(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """`load` takes its address; a `Path` of it is refused with what to write instead."""
    for name, value in desk.tool.env.items():
        monkeypatch.setenv(name, value)
    local = marketpulse.load(desk.tool.folder / "friday").arrow("COLORS")

    assert marketpulse.load("s3://desk/friday").arrow("COLORS") == local
    for read in (marketpulse.load, marketpulse.run_colors):
        with pytest.raises(NotFoundError) as refused:
            read(Path("s3://desk/friday"))
        assert "s3://bucket/prefix/" in refused.value.hint
        with pytest.raises(NotFoundError) as refused:
            read("https://desk.example.com/friday.zip")
        assert "download this first" in refused.value.hint
    with pytest.raises(NotFoundError) as refused:
        marketpulse.run_colors("s3://desk/friday/", table="COLORS", rules="s3://desk/rules.json")
    assert "download it first" in refused.value.hint
