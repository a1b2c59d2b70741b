"""Compressed files, zips, streams and objects in S3 mean the rows of the plain file."""

import bz2
import csv
import gzip
import io
import lzma
import os
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import boto3
import pyarrow as pa
import pytest
from samples import row_texts, write_lines, write_table
from support import AWS_KEYS, COLORS, PROCESSED_AT, Tool, one_message, posix

from marketpulse import run_colors
from marketpulse.errors import AwsError, DataError, NotFoundError, UsageError
from marketpulse.sources import open_files, open_source
from marketpulse.sources.containers import read_stream, unpack

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": lambda data: bytes(pa.compress(data, codec="zstd", asbytes=True)),
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}
DAY = COLORS.read_bytes()


def rows_of(name: Path) -> list[str]:
    """Return the rows of a source of one table."""
    with open_source(str(name)) as source:
        return row_texts(source.scan(source.find_table()))


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("format_name", ["csv", "ndjson", "json", "parquet", "xlsx"])
def test_compressed(tmp_path: Path, suffix: str, format_name: str) -> None:
    """A compressed file of every format has the rows, types and table name of the plain one."""
    plain = write_table(tmp_path / f"day.{format_name}")
    packed = tmp_path / f"day.{format_name}{suffix}"
    packed.write_bytes(COMPRESS[suffix](plain.read_bytes()))
    with open_source(str(packed)) as source, open_source(str(plain)) as other:
        assert source.find_table() == other.find_table() == "day"
        assert source.scan("day").read_all() == other.scan("day").read_all()
        assert source.info().details == {"file 1": str(packed)}


def test_results_of_a_compressed_day(tmp_path: Path) -> None:
    """RUN_ID and every byte of the results are those of the plain file."""
    results = {}
    for name in ("day.csv", "day.csv.gz", "day.csv.zst", "day.zip"):
        path = tmp_path / name
        if name == "day.zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("of the desk/day.csv", DAY)
                archive.writestr("__MACOSX/of the desk/._day.csv", b"\0\5")
                archive.writestr("readme.txt", "what this is")
        else:
            path.write_bytes(COMPRESS.get(path.suffix, bytes)(DAY))
        output = tmp_path / f"{name}.out"
        run_colors(path, output=output, processed_at=PROCESSED_AT[1])
        results[name] = [
            (output / f"{table}_colors.csv").read_bytes()
            for table in ("processed", "excluded", "rejected")
        ]
    assert len(set(map(tuple, results.values()))) == 1


def test_several_parts(tmp_path: Path) -> None:
    """Compressed files that were put together are read to their end."""
    for suffix, compress in COMPRESS.items():
        path = tmp_path / f"{suffix[1:]}.csv{suffix}"
        path.write_bytes(compress(b"PX\n1\n") + compress(b"2\n"))
        assert rows_of(path) == rows_of(write_lines(tmp_path / "plain.csv", "PX", "1", "2"))


@pytest.mark.parametrize("suffix", COMPRESS)
def test_damaged(tmp_path: Path, suffix: str) -> None:
    """A file that is cut short, or not compressed, is an error: no row is left out silently."""
    path = tmp_path / f"day.csv{suffix}"
    for content in (COMPRESS[suffix](DAY)[:-9], DAY):
        path.write_bytes(content)
        with pytest.raises(DataError, match="damaged or cut short"):
            open_source(str(path))


def test_compressed_without_suffix(tmp_path: Path) -> None:
    """A compressed file that calls itself CSV says what it is."""
    path = tmp_path / "day.csv"
    path.write_bytes(gzip.compress(DAY))
    with pytest.raises(DataError, match="this is a compressed file, not CSV") as caught:
        open_source(str(path))
    assert ".csv.gz" in caught.value.hint


def test_zip_of_several_files(tmp_path: Path) -> None:
    """A zip of two days could be one table, or two: it is refused, with their names."""
    with zipfile.ZipFile(tmp_path / "days.zip", "w") as archive:
        archive.writestr("monday.csv", "PX\n1\n")
        archive.writestr("tuesday.csv", "PX\n2\n")
    with pytest.raises(DataError, match=r"holds 2: monday.csv, tuesday.csv"):
        open_source(str(tmp_path / "days.zip"))


def test_a_bundle_among_others(tmp_path: Path) -> None:
    """A bundle is a source of its own, so its zip is refused beside other files."""
    write_lines(tmp_path / "a.csv", "PX", "1")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("manifest.json", "{}")
        archive.writestr("COLORS_sample.csv", "PX\n1\n")
    with pytest.raises(DataError, match=r"b\.zip: this is the zip of a bundle"):
        open_files([tmp_path / "a.csv", tmp_path / "b.zip"])


def test_a_zip_in_a_folder(tmp_path: Path) -> None:
    """A folder reads it as a glob does. Beside the same rows it is refused."""
    (tmp_path / "a.csv").write_bytes(b"PX\n1\n")
    with zipfile.ZipFile(tmp_path / "b.ZIP", "w") as archive:
        archive.writestr("b.csv", b"PX\n2\n")
    for name in (str(tmp_path), str(tmp_path / "*")):
        with open_source(name) as source:
            (table,) = source.tables()
            assert source.scan(table.name).read_all()["PX"].to_pylist() == ["1", "2"]
    for twin in ("b.csv", "b.csv.gz"):
        (tmp_path / twin).write_bytes(b"PX\n2\n")
        with pytest.raises(UsageError, match=r"b\.csv.* and .*b\.ZIP look like the same rows"):
            open_source(str(tmp_path))
        (tmp_path / twin).unlink()


def test_a_zip_with_a_password(tmp_path: Path) -> None:
    """A locked zip says so."""
    with zipfile.ZipFile(tmp_path / "day.zip", "w") as archive:
        archive.writestr("day.csv", "PX\n1\n")
    content = bytearray((tmp_path / "day.zip").read_bytes())
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(mark) + flags] |= 1
    (tmp_path / "day.zip").write_bytes(content)
    with pytest.raises(DataError, match="the zip has a password"):
        open_source(str(tmp_path / "day.zip"))


def test_a_zip_among_others(tmp_path: Path) -> None:
    """A zip can be one of several inputs, and hold a compressed file."""
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("b.csv.gz", gzip.compress(b"PX\n2\n"))
    write_lines(tmp_path / "a.csv", "PX", "1")
    with open_files([tmp_path / "a.csv", tmp_path / "b.zip"]) as source:
        assert source.scan(source.find_table()).read_all()["PX"].to_pylist() == ["1", "2"]


def test_the_same_day_twice(tmp_path: Path) -> None:
    """`gzip -k` leaves the plain file: a folder of both would count each row twice."""
    write_lines(tmp_path / "day.csv", "PX", "1")
    (tmp_path / "day.csv.gz").write_bytes(gzip.compress(b"PX\n1\n"))
    for name in (tmp_path, tmp_path / "day*"):
        with pytest.raises(UsageError, match="the same rows twice"):
            open_source(str(name))


@posix
def test_streams(tool: Tool, tmp_path: Path) -> None:
    """`-` is standard input, and a pipe is read like a file; both have the results of the file."""
    tool.run_colors()
    expected = (tool.out / "processed_colors.csv").read_bytes()
    pipe = tmp_path / "day.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[DAY])
    writer.start()
    for name in ("-", "/dev/stdin", pipe):
        with COLORS.open("rb") as day:
            words = ("run-colors", name, *PROCESSED_AT, "--output", "streamed")
            assert tool.run_process(*words, stdin=day).code == 0
        assert (tool.folder / "streamed/processed_colors.csv").read_bytes() == expected
    writer.join()


def test_empty_standard_input(tool: Tool) -> None:
    """Nothing on standard input is an error that names it."""
    with Path(os.devnull).open("rb") as nothing:
        result = tool.run_process("run-colors", "-", stdin=nothing)
    assert result.code == 7
    assert "standard input: the file is empty" in one_message(result.err)


# -- S3 --------------------------------------------------------------------------------------------


@pytest.fixture
def tool_with_s3(tool: Tool, moto: str) -> Tool:
    """The command line with a bucket `desk`."""
    tool.env |= {**AWS_KEYS, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_S3": moto}
    objects = {
        "in/day.csv.gz": gzip.compress(DAY),
        "in/notes.txt": b"not rows",
        "in/other/day.csv": b"PX\n1\n",
        "raw/day.csv": DAY,
        "semicolons.csv": b"MESSAGE_ID;CUSIP\n1;2\n",
    }
    for day in ("12", "13"):
        objects[f"hive/DATE=2026-03-{day}/part.csv"] = (
            f"MESSAGE_ID,CUSIP,RANK,PX\n{day},037833100,1,99\n".encode()
        )
    client = boto3.client(
        "s3",
        endpoint_url=moto,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket="desk")
    for key, body in objects.items():
        client.put_object(Bucket="desk", Key=key, Body=body)
    client.put_object(Bucket="desk", Key="bad.csv", Body=DAY, Metadata={"sha256": "0" * 64})
    client.close()
    return tool


def test_objects_and_prefixes(tool_with_s3: Tool) -> None:
    """An object, and the objects below a prefix, rank like the file; so do folders of days."""
    tool_with_s3.run_colors()
    expected = (tool_with_s3.out / "processed_colors.csv").read_bytes()
    for address in ("s3://desk/raw/day.csv", "s3://desk/raw/", "s3://desk/in/"):
        result = tool_with_s3.run("run-colors", address, *PROCESSED_AT, "--output", "remote")
        assert result.code == 0, result.err
        assert (tool_with_s3.folder / "remote/processed_colors.csv").read_bytes() == expected
    result = tool_with_s3.run("run-colors", "s3://desk/hive/", *PROCESSED_AT, "--output", "days")
    with (tool_with_s3.folder / "days/processed_colors.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["MESSAGE_ID"], row["DATE"]) for row in rows] == [
        ("13", "2026-03-13"),
        ("12", "2026-03-12"),
    ]


def test_other_commands_read_s3(tool_with_s3: Tool) -> None:
    """`sample`, `schema` and `rules test` read addresses, too."""
    source = ("--source", "s3://desk/raw/day.csv")
    assert tool_with_s3.run("sample", *source, "--output", "sample").code == 0
    assert "MESSAGE_ID" in tool_with_s3.run("schema", *source).out
    rules = COLORS.with_name("rules.json")
    tested = tool_with_s3.run("rules", "test", "--rules", rules, "s3://desk/raw/day.csv")
    assert tested.code == 0


@pytest.mark.parametrize(
    ("address", "code", "message"),
    [
        ("s3://desk/raw/nothing.csv", 6, "s3://desk/raw/nothing.csv: there is no such object"),
        ("s3://desk/nothing/", 6, "s3://desk/nothing/: no object there ends in"),
        ("s3://desk/in/notes.txt", 6, "s3://desk/in/notes.txt: the name does not end in one of"),
        ("s3://other/day.csv", AwsError.exit_code, "there is no bucket other"),
        ("s3://desk/bad.csv", AwsError.exit_code, "not what was uploaded"),
        ("s3://desk/semicolons.csv", 7, "s3://desk/semicolons.csv: the columns are separated"),
        ("s3://ann:geheim@desk/day.csv", 2, "not an S3 address"),
    ],
)
def test_errors_of_s3(tool_with_s3: Tool, address: str, code: int, message: str) -> None:
    """Each error names the address, never a credential or a temporary file."""
    result = tool_with_s3.run("run-colors", address)
    assert result.code == code
    assert message in one_message(result.err)
    assert "hint:" in result.err
    assert "geheim" not in result.err
    assert str(tool_with_s3.temporary) not in result.err


def test_s3_that_does_not_answer(tool_with_s3: Tool) -> None:
    """A store that cannot be reached is an error of AWS that says where it looked."""
    tool_with_s3.env["AWS_ENDPOINT_URL_S3"] = "http://127.0.0.1:9"
    result = tool_with_s3.run("run-colors", "s3://desk/raw/day.csv")
    assert result.code == AwsError.exit_code
    assert "no answer from 127.0.0.1:9" in one_message(result.err)


# -- delimiters ------------------------------------------------------------------------------------


def with_delimiter(delimiter: str) -> bytes:
    """Return the day with another delimiter, with quotes where they are needed."""
    text = io.StringIO(newline="")
    with COLORS.open(encoding="utf-8", newline="") as file:
        csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(csv.reader(file))
    return text.getvalue().encode()


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_delimiters(tmp_path: Path, delimiter: str) -> None:
    """By `--delimiter`, or a first line `sep=;`, every cell is that of the file with commas."""
    plain = tmp_path / "plain.csv"
    plain.write_bytes(with_delimiter(delimiter))
    named = tmp_path / "named.csv"
    named.write_bytes(f"\ufeffsep={delimiter}\r\n".encode() + with_delimiter(delimiter))
    runs = [
        run_colors(plain, delimiter=delimiter, processed_at=PROCESSED_AT[1]),
        run_colors(named, processed_at=PROCESSED_AT[1]),
        run_colors(COLORS, processed_at=PROCESSED_AT[1]),
    ]
    tables = [run.processed.drop_columns(["RUN_ID"]).to_pylist() for run in runs if run.processed]
    assert tables[0] == tables[1] == tables[2]
    with pytest.raises(DataError, match="the columns are separated by") as caught:
        run_colors(plain)
    option = {"\t": "tab", ";": "semicolon", "|": "pipe"}[delimiter]
    assert f"--delimiter {option}" in caught.value.hint


def test_tsv(tmp_path: Path) -> None:
    """A name that ends in .tsv says that tabs separate the fields."""
    path = write_lines(tmp_path / "day.tsv", "PX\tNOTE", "1\ta,b")
    assert rows_of(path) == rows_of(write_lines(tmp_path / "day.csv", "PX,NOTE", '1,"a,b"'))


@pytest.mark.parametrize("value", ["", ";;", "a", '"', ".", "é"])
def test_impossible_delimiters(value: str) -> None:
    """What cannot separate fields is refused."""
    with pytest.raises(UsageError, match="--delimiter: "):
        run_colors(COLORS, delimiter=value)


def test_delimiter_without_csv(tmp_path: Path) -> None:
    """`--delimiter` means nothing for other inputs, so it is refused."""
    parquet = write_table(tmp_path / "day.parquet")
    for data in (parquet, "demo", pa.table({"PX": [1]})):
        with pytest.raises(UsageError, match="--delimiter"):
            run_colors(data, delimiter=";")


# -- folders that stand for columns ----------------------------------------------------------------


def test_partitions(tmp_path: Path) -> None:
    """Folders `NAME=value` become text columns, also nested; the null of Hive is a null."""
    for number, folder in enumerate(
        ("DATE=2026-03-12/SOURCE=A%20B", "DATE=2026-03-13/SOURCE=__HIVE_DEFAULT_PARTITION__")
    ):
        (tmp_path / "hive" / folder).mkdir(parents=True)
        write_lines(tmp_path / "hive" / folder / "part-0.csv", "PX", str(number))
    (tmp_path / "hive/_SUCCESS").touch()
    (tmp_path / "hive/other").mkdir()
    write_lines(tmp_path / "hive/other/no.csv", "PX", "9")
    expected: dict[str, list[str | None]] = {
        "PX": ["0", "1"],
        "DATE": ["2026-03-12", "2026-03-13"],
        "SOURCE": ["A B", None],
    }
    for name in ("hive", "hive/*/*/*.csv"):
        with open_files([tmp_path / name]) as source:
            assert source.scan(source.find_table()).read_all().to_pydict() == expected
    with open_files([tmp_path / "hive/DATE=2026-03-12"]) as source:
        assert source.scan(source.find_table()).read_all().to_pydict() == {
            name: cells[:1] for name, cells in expected.items()
        }


def test_a_partition_that_is_a_column_already(tmp_path: Path) -> None:
    """A column of the file itself is not replaced by its folder's name."""
    folder = tmp_path / "DATE=2026-03-13"
    folder.mkdir()
    write_lines(folder / "day.csv", "date,PX", "2026-03-13 14:05,1")
    with open_files([tmp_path]) as source:
        assert source.scan(source.find_table()).read_all().to_pydict() == {
            "date": ["2026-03-13 14:05"],
            "PX": ["1"],
        }
        assert source.file_notes().counts() == {"unused_folders": 1}
        assert "DATE=2026-03-13 is not used" in source.file_notes().remarks()[0]


def test_folders_with_different_partitions(tmp_path: Path) -> None:
    """Days with and without a source are not one table."""
    for folder in ("DATE=2026-03-12", "DATE=2026-03-13/SOURCE=X"):
        (tmp_path / folder).mkdir(parents=True)
        write_lines(tmp_path / folder / "part.csv", "PX", "1")
    with pytest.raises(DataError, match=r"its columns differ.*'source'"):
        open_files([tmp_path])


def test_unknown_names(tmp_path: Path) -> None:
    """A compressed file needs the suffix of its format, too."""
    path = tmp_path / "day.gz"
    path.write_bytes(gzip.compress(DAY))
    with pytest.raises(NotFoundError, match="the name does not end in one of"):
        open_source(str(path))


@pytest.mark.parametrize("suffix", ["ndjson", "json", "parquet", "xlsx", "csv"])
def test_the_format_of_a_stream_is_told_by_its_first_bytes(suffix: str, tmp_path: Path) -> None:
    """Content without a suffix gets that of its format; compressed CSV is unpacked."""
    table = pa.table({"MESSAGE_ID": ["1"], "CUSIP": ["037833100"]})
    content = write_table(tmp_path / f"day.{suffix}", table).read_bytes()
    (tmp_path / "stream").write_bytes(content)
    assert read_stream(str(tmp_path / "stream"), tmp_path).name == f"stdin.{suffix}"
    if suffix == "csv":
        (tmp_path / "stream").write_bytes(gzip.compress(content))
        path = read_stream(str(tmp_path / "stream"), tmp_path)
        assert unpack(path, "standard input", tmp_path).read_bytes() == content
