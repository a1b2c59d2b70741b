"""The receipt of a push: what happened to each object."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

from marketpulse.artifacts import format_json
from marketpulse.atomic import check_file, write_file
from marketpulse.errors import OutputError
from marketpulse.formats.nesting import parse_json


@dataclass(frozen=True, kw_only=True)
class PushedObject:
    """An object, its file, and what happened to it.

    `file` is None for `latest.json` and temporary files. `action` is one of:

        sent        uploaded and read back
        skipped     the same content was there
        kept        the same run was published before with another PROCESSED_AT, and stays
        would send  a dry run
    """

    key: str
    file: str | None
    bytes: int
    sha256: str  # hex
    action: str


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The objects of a push in the order in which they are sent.

    `left_out` are the folders inside folders that were not sent. `latest` is the key of the pointer
    and `run_id` the run that it names; both are None if there is none. `complete` is false if a
    bundle lacks tables.
    """

    bucket: str
    prefix: str
    dry_run: bool
    objects: tuple[PushedObject, ...]
    left_out: tuple[str, ...] = ()
    latest: str | None
    run_id: str | None
    complete: bool

    def as_json(self) -> dict[str, object]:
        """The receipt as `--receipt` and `--format json` have it."""
        return asdict(self)

    def write(self, path: Path) -> None:
        """Write the receipt to a file. Raises `OutputError` if that fails."""
        write_file(path, format_json(self.as_json()))


def check_receipt(path: Path) -> None:
    """Raise `OutputError` if the file cannot be written, or is there and not a receipt."""
    check_file(path)
    if not path.exists():
        return
    try:
        content = parse_json(path.read_bytes())
    except ValueError:
        content = None
    names = {field.name for field in fields(Receipt)}
    # Receipts of earlier versions have no `left_out`.
    if not isinstance(content, dict) or {*content, "left_out"} != names:
        raise OutputError(
            f"{path}: not a receipt, so it is not overwritten", hint="name another file"
        )
