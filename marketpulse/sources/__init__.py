"""Where rows come from. Every command reads from one `Source` and knows no more about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from marketpulse.errors import NotFound
from marketpulse.model import OnMisfit, SourceInfo, Table, TableSchema

if TYPE_CHECKING:
    import pyarrow as pa

    from marketpulse.settings import OracleSettings
    from marketpulse.sources.bundle import BundleSource


class Source(Protocol):
    """A database, or what stands in for one. A context manager: leaving it closes everything."""

    def info(self) -> SourceInfo:
        """Say what this is, without credentials."""

    def tables(self) -> Sequence[Table]:
        """All tables, by name."""

    def named(self, name: str | None = None) -> str:
        """The table meant by `name`, as `tables` spells it, or the only one there is.

        Raises `NotFound`, which names the nearest tables.
        """
        tables = [table.name for table in self.tables()]
        if name is None:
            if len(tables) == 1:
                return tables[0]
            raise NotFound(
                f"{self.info().name} has {len(tables)} tables, and none was named",
                hint=f"name one: {', '.join(tables[:10])}",
            )
        if name in tables:
            return name
        if len(name) > 2 and name[0] == name[-1] == '"':  # spelled to the letter
            exact = name[1:-1].replace('""', '"')
            if exact in tables:
                return exact
        same = [table for table in tables if table.casefold() == name.casefold()]
        if len(same) == 1:
            return same[0]
        raise unknown("table", name, tables)

    def describe(self, table: str) -> TableSchema:
        """The table's columns and keys. Raises what `named` raises."""

    def describe_all(self, tables: Sequence[str]) -> Sequence[TableSchema]:
        """Several tables, by as few questions as a source needs."""
        return [self.describe(table) for table in tables]

    def scan(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        on_misfit: OnMisfit | None = None,
        where: str | None = None,
        order: str | None = None,
    ) -> pa.RecordBatchReader:
        """The table's rows, in its order, in batches.

        `where` is a condition of SQL, `order` a list of columns, each with ASC or DESC; of the
        rows that remain `limit` are the first. Where either is nonsense, `WrongUsage` is raised.
        Lines that are no row go to `on_misfit`, each before the end of the rows that follow it;
        without it they raise `BadData`. Raises `NotFound` for an unknown table or column.
        """

    def remarks(self, table: str) -> Sequence[str]:  # noqa: ARG002 - most have none
        """What the last scan of this table had to change in values, to be told to the user."""
        return ()

    def count(self, table: str) -> int:
        """How many rows the table has, counted."""
        return sum(len(batch) for batch in self.scan(table))

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def open_source(
    name: str,
    *,
    rows: int | None = None,
    oracle: OracleSettings | None = None,
    max_lob: int | None = None,
    system: bool = False,
) -> Source:
    """Open `oracle`, `demo` (with this many colors), a bundle, a file, a glob or a folder of files.

    `oracle` None means the settings of the environment, `max_lob` cuts its long text after so many
    characters, `system` shows its own schemas, too. Raises `NotFound` where there is nothing of
    that name, `BadData` where a file is not what it says, and what `OracleDatabase` raises.
    """
    if name == "demo":
        from marketpulse.sources.demo import DemoSource  # noqa: PLC0415 - heavy, only where needed

        return DemoSource() if rows is None else DemoSource(rows)
    if name == "oracle":
        from marketpulse.sources.oracle import OracleDatabase, OracleSource  # noqa: PLC0415 - so too

        return OracleSource(OracleDatabase(oracle), max_lob=max_lob, system=system)
    path = Path(name)
    if path.suffix.lower() == ".zip" or _is_bundle(path):
        return open_bundle(path)
    return open_files([name])


def open_bundle(path: Path) -> BundleSource:
    """Open a bundle, a folder or a zip. Raises `NotFound` or `BadData` where it is none."""
    from marketpulse.sources.bundle import BundleSource  # noqa: PLC0415 - heavy, so too

    return BundleSource(path)


def _is_bundle(path: Path) -> bool:
    """Whether a folder is a bundle, or has been one: the files beside a lost manifest tell."""
    if not path.is_dir():
        return False
    return any(
        name in {"manifest.json", "accessible_tables.json"} or name.endswith("_schema.json")
        for name in (it.name for it in path.iterdir())
    )


def open_files(names: Sequence[str | Path]) -> Source:
    """Open files, globs and folders together as one table."""
    from marketpulse.sources.files import FilesSource  # noqa: PLC0415 - heavy, only where needed

    return FilesSource([str(name) for name in names])


def unknown(what: str, name: str, known: Sequence[str]) -> NotFound:
    """The error for a name that is not there, with the names nearest to it."""
    from difflib import get_close_matches  # noqa: PLC0415 - only where something went wrong

    folded = dict.fromkeys(one.casefold() for one in known)
    matches = get_close_matches(name.casefold(), folded, cutoff=0.7)
    near = [one for match in matches for one in known if one.casefold() == match]
    listed = ", ".join(near or list(known)[:10])
    return NotFound(
        f"there is no {what} {name!r}",
        hint=f"{'did you mean' if near else 'there is'}: {listed}" if listed else "",
    )
