"""A run as one workbook: parents, children, excluded and rejected rows, and the summary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.artifacts import EXCLUDED, PROCESSED, REJECTED
from marketpulse.colors.columns import Columns
from marketpulse.colors.results import workbook_options
from marketpulse.formats import Writer, XlsxOptions
from marketpulse.formats.xlsx import XlsxBook

_SUMMARY = pa.schema([pa.field("what", pa.string()), pa.field("value", pa.string())])
_TITLES = {EXCLUDED: "excluded", REJECTED: "rejected"}


class RunWorkbook:
    """The sheets of a run. Write all tables, then the summary, then `close`."""

    def __init__(self, path: Path, columns: Columns) -> None:
        self._book = XlsxBook(path)
        self._columns = columns

    def open_table(self, name: str, schema: pa.Schema) -> Writer:
        """Return what writes the rows of a table of the run to its sheet or sheets."""
        if name == PROCESSED:
            return _Families(self, schema)
        return self.add_sheet(_TITLES[name], schema)

    def add_sheet(self, title: str, schema: pa.Schema) -> Writer:
        """Add a sheet for rows of the input's columns."""
        return self._book.add_sheet(schema, workbook_options(self._columns, title))

    def write_summary(self, summary: Mapping[str, object]) -> None:
        """Write the summary of the run as rows of a name and a value."""
        rows = list(_flat("", summary))
        cells = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        sheet = self._book.add_sheet(_SUMMARY, XlsxOptions(title="summary"))
        sheet.write(pa.record_batch(cells, _SUMMARY))

    def close(self) -> None:
        """Finish the file."""
        self._book.close()

    def discard(self) -> None:
        """Close what is open without finishing the file."""
        self._book.discard()


class _Families:
    """Writes parents and children to a sheet each."""

    def __init__(self, workbook: RunWorkbook, schema: pa.Schema) -> None:
        self._parents = workbook.add_sheet("parents", schema)
        self._children = workbook.add_sheet("children", schema)

    def write(self, batch: pa.RecordBatch) -> None:
        is_parent = batch.column("IS_PARENT")
        self._parents.write(batch.filter(is_parent))
        self._children.write(batch.filter(pc.invert(is_parent)))

    def close(self) -> None:
        """The workbook closes its sheets."""


def _flat(name: str, value: object) -> list[tuple[str, str]]:
    """A value of the summary as rows: those of what it holds, each with the path to it."""
    if isinstance(value, Mapping):
        parts = [(f"{name}: {key}" if name else str(key), part) for key, part in value.items()]
        return [row for key, part in parts for row in _flat(key, part)]
    if isinstance(value, list):
        return [(name, ", ".join(map(str, value)))] if value else []
    return [] if value is None else [(name, str(value))]
