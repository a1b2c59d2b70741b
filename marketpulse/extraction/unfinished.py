"""What an interrupted sample leaves in its folder, so that the same command goes on from there.

    sample_data/unfinished-4e5f6a7b/        4e5f6a7b stands for the arguments and the source
        state.json                          the instant that is read, and the tables that are whole
        COLORS_sample_20260313_180000.csv   files of tables that are whole
        COLORS.rows                         the rows of a table that is not, see `RowJournal`

Another command has another folder, so the rows of two commands never mix. The folder is gone once
the bundle is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from threading import Lock

from marketpulse.artifacts import UNFINISHED_PREFIX, format_json
from marketpulse.atomic import write_file
from marketpulse.bundle import BundleTable
from marketpulse.bundle.manifest import adapter
from marketpulse.formats.timestamps import format_timestamp

_STATE = "state.json"


class UnfinishedSample:
    """The state of a sample that is being written; one that was interrupted if it exists already.

    `request` is all that decides what the sample contains. `facts` may change while the request
    stays the same, such as the columns of the tables: then the sample begins again. So it does with
    other `masks`.
    """

    def __init__(
        self,
        output: Path,
        request: object,
        facts: object,
        masks: object,
        *,
        taken_at: datetime,
        restart: bool,
    ) -> None:
        if restart:
            remove_unfinished(output)
        self.folder = output / f"{UNFINISHED_PREFIX}{_digest(request)[:8]}"
        self.taken_at = taken_at
        self.snapshot = ""  # of the source; empty if there is none
        self.whole_tables: dict[str, BundleTable] = {}
        self.had_other_masks = False  # what was read had, so it is not continued
        self._facts = _digest(facts)
        self._masks = _digest(masks)
        self._lock = Lock()
        self.is_continued = self._load()
        if not self.is_continued:
            shutil.rmtree(self.folder, ignore_errors=True)

    def file(self, name: str) -> Path:
        """Return the path at which you write this file."""
        self.folder.mkdir(exist_ok=True)
        return self.folder / name

    def journal(self, stem: str) -> Path:
        """Return the path of a table's journal."""
        return self.file(_journal_name(stem))

    def has_rows(self) -> bool:
        """Whether there is anything from which a later run can go on."""
        return bool(self.whole_tables) or self.has_rows_of("*")

    def has_rows_of(self, stem: str) -> bool:
        """Whether there are rows of a table that is not whole."""
        journals = list(self.folder.glob(_journal_name(stem)))
        return any(journal.stat().st_size for journal in journals)

    def add(self, table: BundleTable) -> None:
        """Note that the files of a table are whole, and bring them to the disk."""
        for file in table.files:
            with self.file(file.name).open("rb+") as written:
                os.fsync(written.fileno())
        with self._lock:
            self.whole_tables[table.name] = table
            self.save()

    def save(self) -> None:
        """Write the state."""
        state = {
            "facts": self._facts,
            "masks": self._masks,
            "taken_at": format_timestamp(self.taken_at),
            "snapshot": self.snapshot,
            "tables": [asdict(table) for table in self.whole_tables.values()],
        }
        write_file(self.file(_STATE), format_json(state))

    def link_file(self, name: str, path: Path) -> None:
        """Give a file another path, too."""
        try:
            path.hardlink_to(self.file(name))
        except OSError:  # some network drives have no links
            shutil.copyfile(self.file(name), path)

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _load(self) -> bool:
        """Read the state; return whether there is one that can be continued."""
        # Whatever is wrong with it: then the sample begins again.
        with suppress(OSError, ValueError, KeyError, TypeError):
            state = json.loads((self.folder / _STATE).read_bytes())
            self.had_other_masks = state["masks"] != self._masks
            if self.had_other_masks or state["facts"] != self._facts:
                return False
            table_adapter = adapter(BundleTable)
            tables = [table_adapter.validate_python(table) for table in state["tables"]]
            self.taken_at = datetime.fromisoformat(state["taken_at"])
            self.snapshot = str(state["snapshot"])
            self.whole_tables = {
                table.name: table
                for table in tables
                if all((self.folder / file.name).is_file() for file in table.files)
            }
            return True
        return False


def remove_unfinished(output: Path) -> None:
    """Remove what interrupted samples left in a folder."""
    for folder in list(output.glob(f"{UNFINISHED_PREFIX}*")):
        shutil.rmtree(folder, ignore_errors=True)


def _journal_name(stem: str) -> str:
    # Windows takes CON.rows for a device.
    return f"{stem}_journal.rows"


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
