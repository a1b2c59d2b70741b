"""Samples of a database with masks: no original anywhere, keys that join, runs that go on."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from bundles import TAKEN_AT, contents_of, manifest_of
from oracle_server.answers import Timestamp
from oracle_server.catalog import Catalog, Column, Table
from oracle_server.client import PASSWORD, open_source
from oracle_server.engine import DuckEngine
from oracle_server.faults import Faults
from oracle_server.server import OracleServer

import marketpulse
from marketpulse.cli.console import progress
from marketpulse.errors import MarketPulseError
from marketpulse.extraction.journal import RowJournal
from marketpulse.extraction.masks.key import MaskKey
from marketpulse.extraction.masks.rules import parse_mask_options
from marketpulse.extraction.sample import Sample, write_sample
from marketpulse.extraction.sample_options import SampleOptions

KEY = MaskKey("a-secret-of-the-tests-alone")
MASKS = parse_mask_options(["PARTY=hmac", "NOTE=redact", "DAY=shift", "AMOUNT=hmac", "SENT=shift"])
ALL_ROWS = SampleOptions(
    limit=None, formats=("csv", "json", "ndjson", "parquet", "xlsx"), masks=MASKS
)
ROWS = 620
GONE = Faults(refuse=12505)

# The driver leaves a cut socket to the garbage collector, which warns.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def party(number: int) -> str:
    """A key with a planted word."""
    return f"PLANTED-{number:04}"


@pytest.fixture(scope="module")
def masked_server() -> Iterator[OracleServer]:
    """Deals that refer to parties; what describes them quotes planted values."""
    names = Table(
        "PARTY",
        (Column("NAME", "VARCHAR2(12)", nullable=False, comment="such as PLANTED-0007"),),
        [(party(number),) for number in range(ROWS)],
        primary_key=("NAME",),
    )
    deal = Table(
        "DEAL",
        (
            Column("PARTY", "VARCHAR2(12)", nullable=False, default="'PLANTED-0001'"),
            Column("DAY", "DATE"),
            Column("SENT", "TIMESTAMP(9)"),
            Column("AMOUNT", "NUMBER"),
            Column("NOTE", "CLOB", average_bytes=41_700),
        ),
        [
            (party(n), Timestamp(1987, 6, 1 + n % 28, 9), Timestamp(1987, 6, 5, 9, 1, 2, 3),
             4711_0815 + n, f"Planted note {n}")
            for n in range(ROWS)
        ],
        primary_key=("PARTY",),
        foreign_keys=[(("PARTY",), "MARKET.PARTY", ("NAME",))],
        checks=["PARTY <> 'PLANTED-9999'", "AMOUNT > 0"],
    )  # fmt: skip
    with OracleServer(DuckEngine(Catalog([names, deal])), users={"ANALYST": PASSWORD}) as server:
        yield server


@pytest.fixture
def server(masked_server: OracleServer) -> Iterator[OracleServer]:
    """The server without faults."""
    masked_server.faults = Faults()
    yield masked_server
    masked_server.faults = Faults()


def sample(
    server: OracleServer,
    folder: Path,
    *tables: str,
    options: SampleOptions = ALL_ROWS,
    key: MaskKey = KEY,
    faults: Faults | None = None,
) -> Sample:
    """Take a sample in this process."""
    server.faults = faults or Faults()
    with open_source(server) as source:
        return write_sample(
            source,
            tables,
            options,
            output=folder,
            taken_at=TAKEN_AT,
            progress=progress(quiet=True),
            mask_key=key,
        )


def interrupt(server: OracleServer, folder: Path, key: MaskKey = KEY) -> None:
    """Cut the connection for good in the middle of DEAL."""
    with pytest.raises(MarketPulseError):
        sample(server, folder, "DEAL", key=key,
               faults=Faults(cut_at_row=301, connections=1, then=GONE))  # fmt: skip
    assert list(folder.glob("unfinished-*/DEAL_journal.rows"))


def assert_hidden(folder: Path, temporary: Path) -> None:
    """Assert that no file has a planted value, whatever its format keeps in the clear."""
    files = [path for root in (folder, temporary) for path in root.rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes().lower()
        assert b"planted" not in content, path
        assert b"1987-06" not in content, path
        assert b"4711" not in content or path.suffix in {".parquet", ".xlsx", ".rows"}, path


def test_no_original_is_anywhere(server: OracleServer, tmp_path: Path) -> None:
    """Rows, keys, comments, defaults, checks and conditions: none shows a planted value."""
    folder = tmp_path / "out"
    options = SampleOptions(
        limit=500,
        where="PARTY < 'PLANTED-0400'",
        masks=MASKS,
        formats=("csv", "json"),
    )
    sample(server, folder, "DEAL", options=options)
    assert_hidden(folder, folder)
    loaded = marketpulse.load(folder)
    assert len(loaded.arrow("DEAL")["PARTY"].unique()) == 400
    assert loaded.arrow("DEAL")["NOTE"].null_count == 400
    (table,) = manifest_of(folder)["tables"]
    assert {column["name"]: column["mask"] for column in table["columns"]} == {
        "PARTY": f"hmac:{KEY.fingerprint}",
        "DAY": f"shift:{KEY.fingerprint}",
        "SENT": f"shift:{KEY.fingerprint}",
        "AMOUNT": f"hmac:{KEY.fingerprint}",
        "NOTE": "redact",
    }
    schema = json.loads((folder / "DEAL_schema.json").read_text("utf-8"))
    assert schema["checks"] == []


def test_masked_keys_join(server: OracleServer, tmp_path: Path) -> None:
    """With --follow every masked foreign key has its masked row."""
    masks = (*MASKS, *parse_mask_options(["NAME=hmac"]))
    options = SampleOptions(limit=50, follow=True, masks=masks, formats=("csv", "parquet"))
    sample(server, tmp_path / "out", "DEAL", options=options)
    assert_hidden(tmp_path / "out", tmp_path)
    loaded = marketpulse.load(tmp_path / "out")
    deals = {*loaded.arrow("DEAL")["PARTY"].to_pylist()}
    assert len(deals) == 50
    assert deals == {*loaded.arrow("PARTY")["NAME"].to_pylist()}


def test_an_interrupted_sample_goes_on(server: OracleServer, tmp_path: Path) -> None:
    """After the last key, which is on disk in encrypted form alone; the bundle is the same."""
    sample(server, tmp_path / "whole", "DEAL")
    folder = tmp_path / "out"
    interrupt(server, folder)
    assert_hidden(folder, folder)
    (path,) = folder.glob("unfinished-*/DEAL_journal.rows")
    journal = RowJournal(path)
    for batch in journal.batches():  # they are compressed
        assert "PLANTED" not in str(batch.rows.to_pylist()).upper()
        assert batch.position
        assert b"PLANTED" not in batch.position
    journal.close()
    written = sample(server, folder, "DEAL")
    assert "first 300 rows of DEAL" in written.continued
    assert contents_of(folder) == contents_of(tmp_path / "whole")


def test_other_masks_begin_again(server: OracleServer, tmp_path: Path) -> None:
    """With another key, other masks or none: rows of two kinds never mix, and it is said."""
    folder = tmp_path / "out"
    other = MaskKey("another-secret-of-the-tests")
    for options, key in (
        (ALL_ROWS, other),
        (SampleOptions(limit=None, formats=ALL_ROWS.formats), KEY),
    ):
        interrupt(server, folder)
        written = sample(server, folder, "DEAL", options=options, key=key)
        assert written.began_again
        assert written.continued == ""
        assert not list(folder.glob("unfinished-*"))


def test_an_error_quotes_no_cell(server: OracleServer, tmp_path: Path) -> None:
    """Where no table can be read, the error has the codes of the database and not its words."""
    with pytest.raises(MarketPulseError) as caught:
        sample(server, tmp_path / "out", "DEAL", faults=Faults(fail_at_row=(250, 1476)))
    assert "ORA-01476" in caught.value.message
    assert "divisor" not in caught.value.message
    assert caught.value.__cause__ is None
