"""The receipt: as JSON, as a file, and on the terminal."""

import json
from pathlib import Path

import pytest
from publish.helpers import (
    Shop,
    make_bundle,
)
from support import Tool

from marketpulse.errors import OutputError
from marketpulse.publish import PushedObject, Receipt, check_receipt

RECEIPT = Receipt(
    bucket="bucket",
    prefix="p",
    dry_run=False,
    objects=(PushedObject(key="p/a.csv", file="a.csv", bytes=1, sha256="00", action="sent"),),
    latest=None,
    run_id=None,
    complete=True,
)


def test_quiet_is_quiet(tool: Tool, shop: Shop) -> None:
    """-q prints the receipt on stdout and nothing on stderr."""
    make_bundle(tool.folder / "bundle", complete=False, a="1")
    result = tool.run_process("-q", "push-s3", "bundle", f"s3://{shop.name}")

    assert (result.code, result.err) == (0, "")
    assert "manifest.json" in result.out


def test_check_receipt(tmp_path: Path) -> None:
    """A receipt may replace a receipt, and nothing else."""
    path = tmp_path / "receipt.json"
    check_receipt(path)
    RECEIPT.write(path)
    check_receipt(path)
    assert json.loads(path.read_text(encoding="utf-8")) == json.loads(json.dumps(RECEIPT.as_json()))
    for content in ("{}", "[]", "not JSON"):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(OutputError, match="not a receipt"):
            check_receipt(path)
