"""The page of a run: from the rows read to the parents, and each security with its ranking."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from marketpulse.artifacts import (
    EXCLUDED,
    PROCESSED,
    REJECTED,
    RUN_TABLES,
    RunSummary,
)
from marketpulse.colors.explain import RankedColors, main_columns, rank_securities
from marketpulse.colors.finished_run import (
    check_counts,
    find_file,
    find_record,
    prepare_again,
    read_summary,
    rule_titles,
)
from marketpulse.colors.prepare import PreparedRun
from marketpulse.formats.encode import to_text
from marketpulse.report.page import fill
from marketpulse.sources import open_source
from marketpulse.version import __version__

_MOST_COLORS = 200_000  # on a page, in whole securities
_MOST_OTHERS = 20_000  # excluded rows, and rejected rows
_MOST_BARS = 40  # of a table with bars
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, kw_only=True)
class Share:
    """A sector or a dealer, with its parents and children."""

    name: str | None
    parents: int
    children: int

    @property
    def colors(self) -> int:
        """All its colors."""
        return self.parents + self.children


@dataclass(frozen=True, kw_only=True)
class Shares:
    """The largest sectors or dealers, and how many more there are."""

    title: str
    largest: tuple[Share, ...]
    others: int


def run_page(folder: Path) -> str:
    """Return the page of a run's folder.

    Needs the extra `report`. Raises `DataError` if the folder is not what its summary says.
    """
    summary = read_summary(folder)
    check_counts(folder, summary)
    with prepare_again(folder, summary) as prepared:
        prepared.engine.profile()
        names = ["TICKER", "SECTOR", *main_columns(prepared.columns)]
        colors = rank_securities(prepared, names, _MOST_COLORS)
        roles = ("CUSIP", "TICKER", "SECTOR", "SOURCE", "DATE", "PX")
        labels = {role: _label(prepared, role) for role in roles}
        shares = _shares(folder, summary, [labels["SECTOR"], labels["SOURCE"]])
        tables = {
            table: _rows(folder, summary, table, list(colors.columns), labels["CUSIP"], reason)
            for table, reason in ((EXCLUDED, "RULE_ID"), (REJECTED, "REASON"))
        }
    titles = rule_titles(summary)
    rules = tables[EXCLUDED]["RULE_ID"]
    rules[:] = [rule and titles.get(rule, rule) for rule in rules]
    data = _page_data(colors, labels, tables)
    return fill(
        "run.html.j2",
        title=folder.resolve().name,
        summary=summary.content,
        rule_titles=titles,
        shares=shares,
        shown=len(colors.cusips),
        securities=len({*colors.cusips}),
        data=base64.b64encode(gzip.compress(data.encode(), mtime=0)).decode(),
        chart_library=_chart_library(),
        version=__version__,
    )


def _chart_library() -> str:
    """Vega-Lite and what it needs, as one script that needs no network."""
    import vl_convert  # noqa: PLC0415 - an extra of 85 MB

    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def page_files(folder: Path) -> list[str]:
    """Return the names of the files that `run_page` reads, apart from the summary.

    Raises `DataError` if the summary is not one of a run.
    """
    summary = read_summary(folder)
    records = (find_record(summary, table) for table in RUN_TABLES)
    return [record.name for record in records if record]


def _label(prepared: PreparedRun, role: str) -> str | None:
    column = prepared.columns.find(role)
    return column.label if column else None


def _scan(folder: Path, summary: RunSummary, table: str) -> Iterator[pa.RecordBatch]:
    """The rows of a table of the run, all cells as text."""
    path = find_file(folder, summary, table)
    if path.stat().st_size == 0:  # NDJSON without rows
        return
    with open_source(str(path)) as source:
        for batch in source.scan(source.find_table()):
            columns = [
                to_text(column, field).cast(pa.string())
                for column, field in zip(batch.columns, batch.schema, strict=True)
            ]
            yield pa.record_batch(columns, names=batch.schema.names)


def _shares(folder: Path, summary: RunSummary, labels: Sequence[str | None]) -> list[Shares]:
    """Parents and children by the values of each of these columns, counted over all rows."""
    counters: dict[str, Counter[tuple[str | None, bool]]] = {
        label: Counter() for label in labels if label
    }
    for batch in _scan(folder, summary, PROCESSED):
        for label, counter in counters.items():
            table = pa.Table.from_batches([batch.select([label, "IS_PARENT"])])
            grouped = table.group_by([label, "IS_PARENT"]).aggregate([([], "count_all")])
            for name, is_parent, count in zip(*grouped.to_pydict().values(), strict=True):
                counter[name, is_parent.lower() == "true"] += count
    return [_largest(label, counter) for label, counter in counters.items()]


def _largest(title: str, counter: Counter[tuple[str | None, bool]]) -> Shares:
    """The values with the most colors. Case and outer blanks make no difference, as in rules."""
    names: dict[str | None, str | None] = {}
    counts: Counter[tuple[str | None, bool]] = Counter()
    for (name, is_parent), count in counter.most_common():
        folded = None if name is None else name.strip().casefold()
        names.setdefault(folded, name and name.strip())  # the most frequent spelling
        counts[folded, is_parent] += count
    shares = [
        Share(name=name, parents=counts[folded, True], children=counts[folded, False])
        for folded, name in names.items()
    ]
    shares.sort(key=lambda share: (-share.colors, share.name or ""))
    return Shares(
        title=title,
        largest=tuple(shares[:_MOST_BARS]),
        others=max(len(shares) - _MOST_BARS, 0),
    )


def _rows(
    folder: Path,
    summary: RunSummary,
    table: str,
    columns: Sequence[str],
    cusip: str | None,
    reason: str,
) -> dict[str, list[str | None]]:
    """The first excluded or rejected rows: their CUSIP, these columns, and the reason."""
    names = [cusip or "CUSIP", *columns, reason]
    cells: dict[str, list[str | None]] = {name: [] for name in names}
    for batch in _scan(folder, summary, table):
        rows = batch.slice(0, _MOST_OTHERS - len(cells[reason]))
        for name in cells:
            cells[name] += rows.column(name).to_pylist()
        if len(cells[reason]) == _MOST_OTHERS:
            break
    return cells


def _page_data(
    colors: RankedColors,
    labels: Mapping[str, str | None],
    tables: Mapping[str, Mapping[str, list[str | None]]],
) -> str:
    """What the script of the page searches, as JSON. Columns are lists of places in words."""
    starts = [row for row, position in enumerate(colors.positions) if position == 1]
    return _JSON(
        {
            "cusips": [colors.cusips[row] for row in starts],
            "starts": [*starts, len(colors.cusips)],
            "columns": {name: _coded(cells) for name, cells in colors.columns.items()},
            "decided": _coded(colors.decided),
            "labels": labels,
            "excluded": {name: _coded(cells) for name, cells in tables[EXCLUDED].items()},
            "rejected": {name: _coded(cells) for name, cells in tables[REJECTED].items()},
        }
    )


def _coded(values: Sequence[str | int | None]) -> dict[str, list[str | int | None] | list[int]]:
    """A column as its distinct values, and the place of each cell's value among them."""
    places: dict[str | int | None, int] = {}
    codes = [places.setdefault(value, len(places)) for value in values]
    return {"words": list(places), "codes": codes}
