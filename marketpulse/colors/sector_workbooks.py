"""The processed colors of a run as one workbook for each sector, for people who open a file."""

from __future__ import annotations

import hashlib
import re
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from marketpulse.artifacts import PROCESSED
from marketpulse.colors.finished_run import find_file, prepare_again, read_summary
from marketpulse.colors.results import workbook_options
from marketpulse.errors import NotFoundError, UsageError
from marketpulse.extras import require_extra
from marketpulse.formats import Writer, open_writer
from marketpulse.formats.encode import to_text
from marketpulse.formats.timestamps import to_utc
from marketpulse.sources import open_source

_MOST_SECTORS = 200
_NO_SECTOR = "no sector"
# Windows takes these names for devices, whatever stands after a dot.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d) *(?:\.|$)", re.IGNORECASE)


def write_sector_workbooks(run: Path, folder: Path) -> None:
    """Write `date=2026-03-13/run=RUN_ID/SECTOR.xlsx` into a folder, each with its colors in order.

    A run without colors has none. Case and outer blanks of a sector make no difference, as in
    rules. Needs the extra `xlsx`. Raises `NotFoundError` if the run has no column with sectors or
    no file that can be read, `UsageError` if it has more than 200 sectors or is in the folder
    already, and `DataError` if it is damaged or a sheet has no room.
    """
    require_extra("xlsx", "a workbook for each sector")
    summary = read_summary(run)
    if summary.empty:
        return
    day = to_utc(datetime.fromisoformat(summary.processed_at)).date()
    target = folder / f"date={day}" / f"run={summary.run_id}"
    if target.exists():
        raise UsageError(
            f"{run}: the run {summary.run_id} is among the PATHs twice",
            hint="leave out one of its folders",
        )
    target.mkdir(parents=True)
    with prepare_again(run, summary) as prepared:
        columns = prepared.columns
    sector = columns.find("SECTOR")
    if sector is None:
        raise NotFoundError(
            f"{run}: the run has no column SECTOR",
            hint="rank the colors again with --map sector=COLUMN",
        )
    name = str(find_file(run, summary, PROCESSED))
    with open_source(name) as source, ExitStack() as stack:
        table = source.find_table()
        rows = source.scan(table)
        writers: dict[str, Writer] = {}
        for folded, title in _find_titles(source.scan(table, [sector.label])).items():
            path, options = target / f"{_file_stem(title)}.xlsx", workbook_options(columns, title)
            writer = open_writer("xlsx", path, rows.schema, options)
            writers[folded] = stack.enter_context(closing(writer))
        for batch in rows:
            positions: dict[str, list[int]] = {}
            for position, title in enumerate(_titles(batch.select([sector.label]))):
                positions.setdefault(title.casefold(), []).append(position)
            for folded, found in positions.items():
                writers[folded].write(batch.take(found))


def _find_titles(sectors: pa.RecordBatchReader) -> dict[str, str]:
    """Return how each sector is spelled first, by its folded name."""
    titles: dict[str, str] = {}
    for batch in sectors:
        for title in _titles(batch):
            titles.setdefault(title.casefold(), title)
    if len(titles) > _MOST_SECTORS:
        raise UsageError(
            f"the run has {len(titles)} sectors, too many for a workbook each",
            hint="leave out --layout, or check the column that --map sector= names",
        )
    return titles


def _titles(sectors: pa.RecordBatch) -> list[str]:
    cells = to_text(sectors.column(0), sectors.schema.field(0)).to_pylist()
    return [(cell or "").strip() or _NO_SECTOR for cell in cells]


def _file_stem(sector: str) -> str:
    """Return the sector if it suits every file system, else a similar name that is unique."""
    stem = re.sub(r"[^A-Za-z0-9 ._&+()-]", "_", sector)[:80].strip(" .")
    if stem == sector and not _DEVICE.match(stem):
        return stem
    digest = hashlib.sha256(sector.casefold().encode()).hexdigest()
    return f"{stem}~{digest[:8]}"
