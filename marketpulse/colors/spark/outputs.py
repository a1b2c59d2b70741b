"""Files that a task writes: each attempt its own, under names that no other attempt has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import pyarrow as pa

from marketpulse.artifacts import numbered_file
from marketpulse.atomic import PartFolder, finish_part
from marketpulse.colors.columns import Columns
from marketpulse.colors.results import workbook_options
from marketpulse.colors.spark.reports import WrittenPart
from marketpulse.errors import OutputError
from marketpulse.formats import write_rows


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """How tasks write tables: the folder that all of them see, and the formats."""

    place: PartFolder
    formats: tuple[str, ...]
    columns: Columns  # of the input

    def write(
        self,
        table: str,
        number: int,
        attempt: int,
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
        *,
        even_empty: bool = False,
    ) -> tuple[WrittenPart, ...]:
        """Write one table of a task in all formats; nothing if it has no rows.

        Raises `OutputError` if the folder cannot be written here.
        """
        filled = (batch for batch in batches if len(batch))
        first = next(filled, None)
        if first is None and not even_empty:
            return ()
        names = {suffix: numbered_file(table, number, suffix) for suffix in self.formats}
        paths = {suffix: self.place.part(name, attempt) for suffix, name in names.items()}
        rows = filled if first is None else chain([first], filled)
        try:
            write_rows(rows, schema, paths, workbook_options(self.columns, table))
        except FileNotFoundError as error:
            raise OutputError(
                f"{self.place.folder}: an executor of Spark does not see this folder",
                hint="name a folder with --output that the driver and all executors share",
            ) from error
        return tuple(
            WrittenPart(
                path=path, table=table, suffix=suffix, record=finish_part(path, names[suffix])
            )
            for suffix, path in paths.items()
        )
