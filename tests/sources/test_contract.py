"""The promises of `Source`, tested on every source. A new source needs one entry in `SOURCES`."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import pytest
from samples import batch_texts, names, row_texts, write_table

from marketpulse.artifacts import MANIFEST
from marketpulse.cli.console import progress
from marketpulse.errors import NotFoundError, UsageError
from marketpulse.extraction.sample import write_sample
from marketpulse.extraction.sample_options import SampleOptions
from marketpulse.formats import FORMATS
from marketpulse.model import KeyRows, NewestRows, RandomRows
from marketpulse.sources import Source, open_files, open_source
from marketpulse.sources.demo import DemoSource
from marketpulse.sources.names import quoted
from marketpulse.sources.row_choice import key_values

Opener: TypeAlias = Callable[[], Source]
Builder: TypeAlias = Callable[[Path], Opener]  # creates a source in a folder


def build_files(*file_names: str) -> Builder:
    """Return a builder of files in the formats of their suffixes."""

    def build(folder: Path) -> Opener:
        paths = [write_table(folder / name) for name in file_names]
        return lambda: open_files(paths)

    return build


def build_bundle(formats: str, *, zipped: bool = False) -> Builder:
    """Return a builder of a bundle with all tables of a small demo in these formats."""

    def build(folder: Path) -> Opener:
        options = SampleOptions(limit=None, formats=tuple(formats.split(",")), json_rows=None)
        with DemoSource(30) as market:
            tables = names(market.tables())
            if "json" in formats:
                tables.remove("ALL_TYPES")  # JSON has neither NaN nor infinity
            sample = write_sample(
                *(market, tables, options),
                output=folder / formats,
                taken_at=datetime.datetime(2026, 3, 13, tzinfo=datetime.UTC),
                progress=progress(quiet=True),
                with_zip=zipped,
            )
        return lambda: open_source(str(sample.zip_file or sample.folder))

    return build


def build_folder(folder: Path) -> Opener:
    """Build a folder of samples without a manifest."""
    build_bundle("csv")(folder)
    (folder / "csv" / MANIFEST).unlink()
    return lambda: open_source(str(folder / "csv"))


SOURCES: dict[str, Builder] = {
    "demo": lambda _: lambda: DemoSource(100),
    **{name: build_files(f"Day of colors.{name}") for name in FORMATS},
    **{f"bundle of {name}": build_bundle(name) for name in ("csv", "json", "ndjson", "parquet")},
    "bundle of all, zipped": build_bundle("csv,parquet", zipped=True),
    "folder without a manifest": build_folder,
    "two files": build_files("a.csv", "b.parquet"),
}


@pytest.fixture(params=SOURCES, scope="session")
def opener(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Opener:
    """Return a function that opens the source."""
    return SOURCES[request.param](tmp_path_factory.mktemp("source"))


@pytest.fixture
def source(opener: Opener) -> Iterator[Source]:
    """The open source."""
    with opener() as opened:
        yield opened


def test_tables(source: Source) -> None:
    """The tables are sorted by name, each name is there once, and each table can be read."""
    tables = source.tables()
    assert names(tables) == sorted(set(names(tables)))
    for table in tables:
        count = source.scan(table.name).read_all().num_rows
        assert table.rows in {None, count}


def test_describe(source: Source) -> None:
    """A scan has the described columns, in the same order, with the same types."""
    for table in source.tables():
        schema = source.describe(table.name)
        fields = source.scan(table.name).read_all().schema
        assert schema.table == table
        assert names(schema.columns) == fields.names
        assert [column.arrow_type for column in schema.columns] == [
            str(field.type) for field in fields
        ]


@pytest.mark.parametrize("limit", [0, 1, 2, 1_000_000])
def test_limit(source: Source, limit: int) -> None:
    """A limit returns the first rows, or all if there are fewer."""
    for table in source.tables():
        everything = row_texts(source.scan(table.name))
        assert row_texts(source.scan(table.name, limit=limit)) == everything[:limit]


def test_random_rows(source: Source) -> None:
    """The same seed gives the same rows, each at most once; another seed gives others."""
    for table in source.tables():
        everything = Counter(row_texts(source.scan(table.name)))

        def choose(seed: int, limit: int, table: str = table.name) -> list[str]:
            choice = RandomRows(seed=seed, columns=())
            return row_texts(source.scan(table, limit=limit, choice=choice))

        count = everything.total()
        assert Counter(choose(1, count)) == everything
        few = choose(1, count // 2)
        assert few == choose(1, count)[: count // 2]
        assert Counter(few) <= everything
        if count > 20:
            assert choose(2, count // 2) != few


def test_newest_rows(source: Source) -> None:
    """Each key has its first rows in the order, and no more."""
    for table in source.tables():
        key, column = source.scan(table.name, limit=0).schema.names[:2]
        order = f"{quoted(column)} DESC"
        rows = list(map(repr, source.scan(table.name, order=order).read_all().to_pylist()))
        choice = NewestRows(key=(key,), count=2, order=order)
        found = source.scan(table.name, choice=choice).read_all().to_pylist()
        counts = Counter(repr(row[key]) for row in found)
        everything = Counter(
            repr(value) for value in source.scan(table.name, [key]).read_all()[key].to_pylist()
        )
        assert counts == {value: min(count, 2) for value, count in everything.items()}
        places = [rows.index(repr(row)) for row in found]
        assert places == sorted(places)


def test_key_rows(source: Source) -> None:
    """The rows with the values of a key come, others do not."""
    for table in source.tables():
        key = source.scan(table.name, limit=0).schema.names[:2]
        batches = list(source.scan(table.name))
        values = [value for batch in batches for value in key_values(batch, key)]
        choice = KeyRows(key=tuple(key), values=values[:3])
        found = source.scan(table.name, choice=choice).read_all().num_rows
        assert found == sum(value in values[:3] for value in values)


def test_columns(source: Source) -> None:
    """The requested columns arrive, in the requested order."""
    for table in source.tables():
        whole = source.scan(table.name).read_all()
        for columns in (whole.column_names[::-1], whole.column_names[-1:]):
            part = source.scan(table.name, columns, limit=10)
            assert row_texts(part) == row_texts(whole.select(columns)[:10].to_reader())


def test_order(source: Source) -> None:
    """Rows are sorted as requested, nulls last; the limit applies after that."""
    for table in source.tables():
        name = source.scan(table.name).schema.names[0]
        quoted = '"' + name.replace('"', '""') + '"'
        for direction in ("", " DESC"):
            ordered = source.scan(table.name, order=quoted + direction).read_all()
            assert sorted(row_texts(ordered.to_reader())) == sorted(
                row_texts(source.scan(table.name))
            )
            first = source.scan(table.name, limit=2, order=quoted + direction).read_all()
            assert first[name].to_pylist() == ordered[name].to_pylist()[:2]
            nulls = [cell is None for cell in ordered[name].to_pylist()]
            assert nulls == sorted(nulls)


def test_where(source: Source) -> None:
    """A condition and its opposite together select all rows, and change no value."""
    for table in source.tables():
        name = '"' + source.scan(table.name).schema.names[-1].replace('"', '""') + '"'
        parts = [
            row_texts(source.scan(table.name, where=f"{name} IS {negated} NULL"))
            for negated in ("", "NOT")
        ]
        everything = row_texts(source.scan(table.name))
        assert sorted(chain(*parts)) == sorted(everything)
        assert row_texts(source.scan(table.name, limit=1, where="1 = 1")) == everything[:1]


def test_invalid_condition(source: Source) -> None:
    """An invalid condition or order is `UsageError`, an unknown column `NotFoundError`."""
    table = source.tables()[0].name
    for where in ("", "1", "1 = 1; DROP TABLE x", "1 = 1) OR (1 = 1", "count(*) > 0", "a b"):
        with pytest.raises(UsageError, match="--where") as caught:
            source.scan(table, where=where).read_all()
        assert caught.value.check == "MP-USE-003"
    for order in ("", "1", "a b c", 'upper("x")'):
        with pytest.raises(UsageError, match="--order-by"):
            source.scan(table, order=order).read_all()
    with pytest.raises(NotFoundError, match="no_such"):
        source.scan(table, where="no_such > 1").read_all()
    with pytest.raises(NotFoundError, match="no_such"):
        source.scan(table, order="no_such").read_all()


def test_unknown_table(source: Source) -> None:
    """An unknown table is an error that suggests a similar name."""
    for table in source.tables():
        for look_up in (source.describe, source.scan, source.find_table):
            with pytest.raises(NotFoundError) as caught:
                look_up(table.name + "x")
            assert table.name in caught.value.hint


def test_no_other_table(source: Source) -> None:
    """Another owner's table, half a name or no name never means a similar table."""
    for table in source.tables():
        for pattern in ("OTHER.{}", ".{}", "{}.", '"other"."{}"', '"OTHER.{}"'):
            for look_up in (source.find_table, source.describe, source.scan):
                with pytest.raises(NotFoundError, match="there is no table"):
                    look_up(pattern.format(table.name))
    with pytest.raises(NotFoundError, match="there is no table ''"):
        source.find_table("")


def test_unknown_column(source: Source) -> None:
    """An unknown column is an error that suggests a similar name."""
    for table in source.tables():
        name = source.describe(table.name).columns[0].name
        with pytest.raises(NotFoundError, match=f"column '{name}x'") as caught:
            source.scan(table.name, [name, name + "x"])
        assert name in caught.value.hint


def test_again(source: Source) -> None:
    """Two readers of a table are independent, and return the same rows in the same order."""
    for table in source.tables():
        first, second = source.scan(table.name), source.scan(table.name)
        batch = next(first, None)
        assert row_texts(second) == ([] if batch is None else batch_texts(batch)) + row_texts(first)


def test_case(source: Source) -> None:
    """A name finds its table in any case, if only one table has this name."""
    tables = names(source.tables())
    counts = Counter(name.casefold() for name in tables)
    for name in tables:
        assert source.find_table(f'"{name}"') == source.find_listed_table(name) == name
        if '"' in name:
            assert source.find_table(name) == name
        elif counts[name.casefold()] == 1:
            assert source.find_table(name.swapcase()) == name
            assert source.describe(name.swapcase()).table.name == name
            assert row_texts(source.scan(name.swapcase())) == row_texts(source.scan(name))


def test_info(source: Source) -> None:
    """A source tells its kind, its name and details."""
    info = source.info()
    assert info.kind
    assert info.name
    assert info.details


def test_leaving(opener: Opener, leftovers: Callable[[], list[Path]]) -> None:
    """No temporary file stays, whether the source was unused, used, or left by an error."""
    with opener():
        pass
    assert leftovers() == []
    with suppress(ZeroDivisionError), opener() as source:
        reader = source.scan(source.tables()[0].name)
        assert leftovers()
        raise ZeroDivisionError
    assert leftovers() == []
    del reader
