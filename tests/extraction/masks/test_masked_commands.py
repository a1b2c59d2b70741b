"""`sample` with masks, as a user calls it: what it takes, what it shows, and what follows."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from bundles import manifest_of, run
from support import Tool

import marketpulse
from marketpulse.extraction.masks.cells import mask_texts
from marketpulse.extraction.masks.key import MaskKey

SECRET = "a-secret-of-the-tests-alone"  # the word of this file, not of anyone
KEY = MaskKey(SECRET)
COLORS = ("sample", "COLORS", "--source", "demo", "--limit", 40)


@pytest.fixture
def desk(tool: Tool) -> Tool:
    """The tool with a key in its environment."""
    tool.env["MARKETPULSE_MASK_KEY"] = SECRET
    return tool


def column(folder: Path, name: str, table: str = "COLORS") -> list[object]:
    """The values of a column of a bundle."""
    values: list[object] = marketpulse.load(folder).arrow(table)[name].to_pylist()
    return values


def masks(folder: Path, table: str = "COLORS") -> dict[str, str]:
    """The masks of a table, as the manifest has them."""
    (entry,) = (entry for entry in manifest_of(folder)["tables"] if entry["name"] == table)
    return {item["name"]: item["mask"] for item in entry["columns"] if item["mask"]}


def hmac_of(values: list[object]) -> list[object]:
    """The masks of texts."""
    masked: list[object] = mask_texts(pa.array(values, pa.string()), KEY.permutation).to_pylist()
    return masked


@pytest.mark.parametrize(
    "words",
    [
        ("--where", "CUSIP >= '5'", "--order-by", "CUSIP"),
        ("--per", "CUSIP", 2),
        ("--random", "--seed", 3, "--columns", "CUSIP,PX"),
    ],
)
def test_rows_are_chosen_by_the_originals(desk: Tool, words: tuple[str, ...]) -> None:
    """The same rows as without a mask, in their order, each value with its own mask."""
    run(desk, *COLORS, *words, "--output", "plain")
    run(desk, *COLORS, *words, "--mask", "CUSIP=hmac", "--output", "masked")
    originals = column(desk.folder / "plain", "CUSIP")
    assert len({*originals}) > 5
    assert column(desk.folder / "masked", "CUSIP") == hmac_of(originals)


def test_settings_file_and_option(desk: Tool) -> None:
    """`marketpulse.toml`, then --mask-file, then --mask; no original is shown anywhere."""
    toml = '[masks]\nCUSIP = "redact"\n"COLORS.PX" = "hmac"\n"DEALERS.NAME" = "hmac"\n'
    (desk.folder / "marketpulse.toml").write_text(toml, encoding="utf-8")
    (desk.folder / "masks.json").write_text(
        json.dumps({"masks": {"CUSIP": "hmac", "DATE": "shift"}}), encoding="utf-8"
    )
    cusip = "105Q94AC3"  # the lowest of the demo
    words = (
        *("--mask-file", "masks.json", "--mask", "NOTE=redact", "--columns", "CUSIP,PX,NOTE"),
        *("--where", f"CUSIP = '{cusip}'", "--output", "masked"),
    )
    planned = run(desk, *COLORS, *words, "--dry-run")
    result = desk.run(*COLORS, *words)
    assert result.code == 0, result.err
    assert "using masks of marketpulse.toml" in result.err
    folder = desk.folder / "masked"
    label = f"hmac:{KEY.fingerprint}"
    assert masks(folder) == {"CUSIP": label, "PX": label, "NOTE": "redact"}
    assert f"masked: CUSIP {label}, PX {label}, NOTE redact\n" in planned
    verified = run(desk, "verify", "masked")
    assert f"COLORS is masked: CUSIP {label}, PX {label}, NOTE redact" in verified
    run(desk, "report", "masked", "--output", "page.html")
    assert column(folder, "CUSIP")
    texts = [planned, result.out, result.err, verified]
    texts += [path.read_text("utf-8") for path in [*folder.iterdir(), desk.folder / "page.html"]]
    assert all(cusip not in text for text in texts)
    assert all(SECRET not in text for text in texts)


def test_a_masked_bundle_is_sampled_again(desk: Tool) -> None:
    """A mask that is there stays if the manifest proves it; another key masks the masks."""
    run(desk, *COLORS, "--mask", "CUSIP=hmac", "--mask", "DATE=shift", "--output", "a")
    again = ("sample", "COLORS", "--source", "a")
    run(desk, *again, "--mask", "CUSIP=hmac", "--output", "b")
    run(desk, "diff", "a", "b")
    assert column(desk.folder / "b", "CUSIP") == column(desk.folder / "a", "CUSIP")
    assert masks(desk.folder / "b") == masks(desk.folder / "a")

    run(desk, *again, "--mask", "CUSIP=redact", "--output", "c")
    assert {*column(desk.folder / "c", "CUSIP")} == {"X"}
    assert masks(desk.folder / "c")["CUSIP"] == "redact"
    (desk.folder / "b" / "manifest.json").unlink()
    run(desk, "sample", "COLORS", "--source", "b", "--mask", "CUSIP=hmac", "--output", "e")
    assert column(desk.folder / "e", "CUSIP") == hmac_of(column(desk.folder / "a", "CUSIP"))

    desk.env["MARKETPULSE_MASK_KEY"] = "another-secret-of-the-tests"
    run(desk, *again, "--mask", "CUSIP=hmac", "--output", "d")
    assert column(desk.folder / "d", "CUSIP") != column(desk.folder / "a", "CUSIP")
    first, _, second = masks(desk.folder / "d")["CUSIP"].partition(", ")
    assert first == f"hmac:{KEY.fingerprint}"
    assert second.startswith("hmac:")


def test_an_earlier_table_without_masks(desk: Tool) -> None:
    """The folder would be sent with it, so its columns are named."""
    run(desk, *COLORS, "--output", "out")
    words = ("sample", "SECURITIES", "--source", "demo", "--output", "out")
    result = desk.run(*words, "--mask", "CUSIP=hmac", "--mask", "TICKER=hmac")
    assert "warning: COLORS.TICKER, COLORS.CUSIP of an earlier sample have no such" in " ".join(
        result.err.split()
    )
    run(desk, *COLORS, "--mask", "CUSIP=hmac", "--mask", "TICKER=hmac", "--output", "out")
    assert "no such mask" not in desk.run(*words, "--mask", "CUSIP=hmac").err


def test_keys_that_break(desk: Tool) -> None:
    """A redacted key is no longer unique, and joins nothing; two masks of a join do not fit."""
    words = ("sample", "COLORS,SECURITIES,DEALERS", "--source", "demo", "--output", "out")
    err = " ".join(
        desk.run(*words, "--mask", "SECURITY_ID=redact", "--mask", "NAME=hmac").err.split()
    )
    assert "SECURITIES: the key SECURITY_ID is no longer unique: SECURITY_ID is redacted" in err
    assert "no longer joins SECURITIES.SECURITY_ID: the masks are redact and redact" in err
    assert f"no longer joins DEALERS.NAME: the masks are none and hmac:{KEY.fingerprint}" in err


def test_notes_quote_no_cell(desk: Tool) -> None:
    """A condition leaves out cells that are no numbers, and shows the first one without masks."""
    (desk.folder / "day.csv").write_text("A,PX\n1,101\n2,Planted\n", encoding="utf-8")
    words = ("sample", "--source", "day.csv", "--where", "PX > 100")
    plain = desk.run(*words, "--output", "plain")
    assert "Planted" in plain.err
    masked = desk.run(*words, "--mask", "PX=hmac", "--output", "masked")
    assert "--where leaves out 1 row with a cell that is not a value;" in " ".join(
        masked.err.split()
    )
    for path in (desk.folder / "masked").iterdir():
        assert "Planted" not in path.read_text("utf-8")
    assert "Planted" not in masked.err


def test_names_of_settings_that_fit_no_table(desk: Tool) -> None:
    """A mask that nothing fits is an error: a misspelt name would leave the column as it is."""
    (desk.folder / "marketpulse.toml").write_text('[masks]\nCUSIP = "hmac"\n', encoding="utf-8")
    err = run(desk, "sample", "DEALERS", "--source", "demo", "--output", "out", code=6)
    assert "masks of marketpulse.toml: there is no column 'CUSIP'" in err
    assert "write TABLE.CUSIP" in " ".join(err.split())
    assert not (desk.folder / "out").exists()
