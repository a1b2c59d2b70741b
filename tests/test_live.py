"""A check of a real database, and a report that can be sent to the maintainers.

It runs if ORACLE_HOST or ORACLE_DSN names a database. It creates nothing there, and needs one table
that it may read: ORACLE_TABLE_NAME, or the first. It writes live_report.json to the current folder:
versions, types, counts, times, exit codes. No name and no value of the database is in it.
"""

import json
import os
import platform
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pytest
from support import Result, run_here

from marketpulse import MarketPulseError, __version__, load
from marketpulse.artifacts import MANIFEST
from marketpulse.bundle.manifest import parse_manifest
from marketpulse.formats import read_back
from marketpulse.formats.decode import field_of
from marketpulse.model import Table, TableSchema
from marketpulse.sources.names import quoted
from marketpulse.sources.oracle import OracleDatabase, OracleSource

pytestmark = pytest.mark.skipif(
    not (os.environ.get("ORACLE_HOST") or os.environ.get("ORACLE_DSN")),
    reason="ORACLE_HOST and ORACLE_DSN are not set",
)

REPORT_NAME = "live_report.json"
ROWS = 100
MOST_TABLES = 50  # that are described to find types
LIBRARIES = ("oracledb", "pyarrow", "duckdb", "SQLAlchemy", "sqlglot")
# A type that a user defined is named by its owner: it is no fact about the driver.
KNOWN_TYPE = re.compile(
    r"((SYS|PUBLIC)\.)?(NUMBER|FLOAT|INTEGER|BINARY_\w+|N?VARCHAR2?|N?CHAR|N?CLOB|BLOB|BFILE"
    r"|(LONG )?RAW|LONG|DATE|TIMESTAMP|INTERVAL|U?ROWID|XMLTYPE|JSON|VECTOR|BOOLEAN|OBJECT)"
    r"\b[\w (),*-]*"
)
# How the server counts what a value is long: characters, digits of a RAW, bytes of a BLOB.
LENGTHS = {
    **dict.fromkeys(("VARCHAR2", "NVARCHAR2", "CHAR", "NCHAR", "RAW"), "LENGTH({})"),
    **dict.fromkeys(("CLOB", "NCLOB", "BLOB"), "DBMS_LOB.GETLENGTH({})"),
}


@dataclass
class LiveReport:
    """What was seen, by the name of a step. Names and values of the database stay out."""

    secrets: set[str] = field(default_factory=set)
    steps: dict[str, dict[str, object]] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, object]]:
        """Record what a step puts in the dictionary, how long it takes, and whether it passes."""
        facts = self.steps[name] = {"passed": False}
        started = time.monotonic()
        try:
            yield facts
            facts["passed"] = True
        except MarketPulseError as error:
            facts |= {"check": error.check, "exit_code": error.exit_code}
            raise
        finally:
            facts["seconds"] = round(time.monotonic() - started, 3)

    def as_text(self) -> str:
        """The report as JSON. A setting's value that a text has by chance is left out as well."""
        report = {
            "marketpulse": __version__,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "libraries": {name: version(name) for name in LIBRARIES},
            "steps": self.steps,
        }
        text = json.dumps(report, indent=2)
        for secret in sorted(self.secrets, key=len, reverse=True):
            written = re.escape(json.dumps(secret)[1:-1])
            text = re.sub(rf"(?<!\w){written}(?!\w)", "[left out]", text, flags=re.IGNORECASE)
        return text


@pytest.fixture(scope="module")
def report(request: pytest.FixtureRequest) -> Iterator[LiveReport]:
    """The report, written when the last test has run."""
    report = LiveReport()
    yield report
    path = Path(request.config.invocation_params.dir) / REPORT_NAME
    path.write_text(report.as_text() + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def source(report: LiveReport) -> Iterator[OracleSource]:
    """The database in one session, whose round trips are counted."""
    database = OracleDatabase()
    settings = database.settings
    texts = [settings.dsn, settings.host, settings.service_name, settings.schema]
    texts += [settings.table_name, settings.username.get_secret_value()]
    texts += [settings.password.get_secret_value(), settings.wallet_location, settings.config_dir]
    report.secrets |= {text for text in texts if text}
    with ExitStack() as stack:
        with report.step("login") as facts:
            opened = stack.enter_context(OracleSource(database))
            details = opened.info().details
            names = ("version", "character_set", "national_character_set")
            facts |= {name: details[name] for name in names if name in details}
            facts["driver"] = database.login.driver
        yield opened


@pytest.fixture(scope="module")
def tables(report: LiveReport, source: OracleSource) -> Sequence[Table]:
    """All tables that the user may see."""
    with report.step("list") as facts, count_trips(source, facts):
        found = source.tables()
        facts |= {"tables": len(found), "kinds": Counter(table.kind for table in found)}
    assert found, "the user may see no table"
    return found


@pytest.fixture(scope="module")
def table(source: OracleSource, tables: Sequence[Table]) -> str:
    """The name of the one table that has to be readable."""
    named = source.database.settings.table_name
    ordinary = [listed.name for listed in tables if listed.kind == "table"] or [tables[0].name]
    return source.find_table(named) if named else ordinary[0]


@pytest.fixture(scope="module")
def schema(report: LiveReport, source: OracleSource, table: str) -> TableSchema:
    """The description of that table."""
    with report.step("schema") as facts, count_trips(source, facts):
        described = source.describe(table)
        facts["types"] = Counter(public_type(column.type) for column in described.columns)
        facts["columns"] = len(described.columns)
    return described


@contextmanager
def count_trips(source: OracleSource, facts: dict[str, object]) -> Iterator[None]:
    """Record the round trips of what runs inside."""
    before = source.database.round_trips
    yield
    facts["round_trips"] = source.database.round_trips - before


def public_type(name: str) -> str:
    """A type as the report names it."""
    return name if KNOWN_TYPE.fullmatch(name) else "type of a user"


def exact(listed: Table) -> str:
    """A listed table's name with its owner, as commands and statements take it."""
    return f"{quoted(listed.schema)}.{quoted(listed.name.removeprefix(f'{listed.schema}.'))}"


def run(folder: Path, facts: dict[str, object], *words: object, **changes: str) -> Result:
    """Run a command with this process's settings; record its exit code and its check id."""
    result = run_here(words, folder, {**os.environ, **changes})
    facts["exit_code"] = result.code
    if match := re.search(r'"check": "(MP-[A-Z]+-\d+)"', result.err):
        facts["check"] = match[1]
    return result


def read_files(folder: Path) -> dict[str, pa.Table]:
    """The rows of the one table of a complete bundle, as each of its files has them."""
    manifest = parse_manifest((folder / MANIFEST).read_bytes(), MANIFEST)
    (described,) = manifest.tables
    assert manifest.complete
    schema = pa.schema([field_of(column) for column in described.columns])
    return {
        file.format: pa.Table.from_batches(
            read_back(folder / file.name, schema, make_folder(folder / file.format)), schema
        )
        for file in described.files
    }


def make_folder(path: Path) -> Path:
    """Make a folder, and return it."""
    path.mkdir()
    return path


def test_report() -> None:
    """The value of a setting that a text has by chance is left out; other words stay."""
    report = LiveReport(secrets={'a "password"', "market"})
    report.steps["step"] = {"text": 'a "password" of Market, not marketpulse'}

    text = report.as_text()

    assert '"text": "[left out] of [left out], not marketpulse"' in text
    assert json.loads(text)["marketpulse"] == __version__


def test_doctor(tmp_path: Path, report: LiveReport, schema: TableSchema) -> None:
    """Doctor finds nothing wrong, and says what encrypts the connection."""
    with report.step("doctor") as facts:
        done = run(tmp_path, facts, "doctor", exact(schema.table), "--format", "json")
        steps = json.loads(done.out)["steps"]
        facts["layers"] = [
            {name: step[name] for name in ("layer", "state", "seconds", "check")} for step in steps
        ]
        facts |= {f"{step['layer']}": step["detail"] for step in steps if step["layer"] in
                  {"encryption", "round trip"}}  # fmt: skip
        assert done.code == 0, done.out + done.err


def test_encryption(report: LiveReport, source: OracleSource) -> None:
    """The server names the algorithms in force, if this user may ask."""
    with report.step("encryption") as facts:
        try:
            banners = source.database.query(
                "SELECT NETWORK_SERVICE_BANNER AS BANNER FROM V$SESSION_CONNECT_INFO"
                " WHERE SID = SYS_CONTEXT('USERENV', 'SID')"
            )
        except MarketPulseError as error:
            facts["refused"] = error.check
            return
        found = [text for text in banners.column("BANNER").to_pylist() if "adapter" in (text or "")]
        facts["adapters"] = sorted(found)


def test_round_trips(report: LiveReport, source: OracleSource, schema: TableSchema) -> None:
    """A list and a description take few round trips, however many tables there are."""
    with report.step("scan") as facts, count_trips(source, facts):
        facts["rows"] = source.scan(schema.table.name, limit=ROWS).read_all().num_rows
    assert report.steps["list"]["round_trips"] in range(1, 6)
    assert report.steps["schema"]["round_trips"] in range(13)
    assert report.steps["scan"]["round_trips"] in range(1, 11)


def test_sample(tmp_path: Path, report: LiveReport, schema: TableSchema) -> None:
    """A sample is complete, and its CSV, NDJSON and Parquet files have the same values."""
    with report.step("sample") as facts:
        done = run(tmp_path, facts, "sample", exact(schema.table), "--formats",
                   "csv,parquet,ndjson", "--json-rows", "all", "--limit", ROWS,
                   "--format", "json")  # fmt: skip
        assert done.code == 0, done.err
        verified = run(tmp_path, facts, "verify", "sample_data", "--format", "json")
        assert verified.code == 0, verified.out + verified.err
        files = read_files(tmp_path / "sample_data")
        facts["rows"] = {name: table.num_rows for name, table in files.items()}
        csv, parquet, ndjson = map(rows_as_text, files.values())
        assert csv == parquet == ndjson


def rows_as_text(table: pa.Table) -> list[str]:
    """The rows as text that can be compared."""
    columns = [
        # Python has no time before the year 1.
        (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for column in table.columns
    ]
    rows = zip(*columns, strict=True)
    # JSON has neither NaN nor infinity.
    return [re.sub(r"\b(nan|inf)\b|-inf\b", "None", repr(row)) for row in rows]


def test_types(report: LiveReport, source: OracleSource, tables: Sequence[Table],
               schema: TableSchema) -> None:  # fmt: skip
    """A column of each type in the dictionary can be read, in tables that the user may read."""
    with report.step("types") as facts:
        names = [listed.name for listed in tables if listed.kind == "table"][:MOST_TABLES]
        facts["described"] = len(names)
        wanted: dict[str, tuple[str, str]] = {}
        for described in (schema, *source.describe_all(names)):
            for known in described.columns:
                if not known.unreadable:
                    wanted.setdefault(public_type(known.type), (described.table.name, known.name))
        seen: dict[str, object] = {}
        facts["types"] = seen
        for type_name, (owner, column) in sorted(wanted.items()):
            try:
                values = source.scan(owner, [column], limit=ROWS).read_all().column(0)
            except MarketPulseError as error:
                seen[type_name] = {"check": error.check}
                if owner == schema.table.name:  # others may be listed and forbidden
                    raise
            else:
                seen[type_name] = {"arrow_type": str(values.type), "rows": len(values),
                                   "nulls": values.null_count}  # fmt: skip
    assert any("arrow_type" in str(entry) for entry in seen.values())


def test_query(tmp_path: Path, report: LiveReport, schema: TableSchema) -> None:
    """A query beside the server's own lengths brings every value whole."""
    measured = [
        (quoted(column.name), LENGTHS[kind])
        for column in schema.columns
        if (kind := column.type.partition("(")[0].strip()) in LENGTHS
    ]
    with report.step("query") as facts:
        items = [
            f"{name} AS V{place}, {length.format(name)} AS L{place}"
            for place, (name, length) in enumerate(measured)
        ]
        selected = ", ".join(items) or "1 AS N"
        statement = f"SELECT {selected} FROM {exact(schema.table)} FETCH FIRST {ROWS} ROWS ONLY;\n"
        (tmp_path / "whole.sql").write_text(statement, encoding="utf-8")
        done = run(tmp_path, facts, "sample", "--query", "whole.sql", "--formats", "parquet",
                   "--limit", ROWS, "--format", "json")  # fmt: skip
        assert done.code == 0, done.err
        rows = load(tmp_path / "sample_data").arrow("whole").to_pylist()
        cut = sum(
            not is_whole(row[f"V{place}"], row[f"L{place}"])
            for row in rows
            for place in range(len(measured))
        )
        facts |= {"rows": len(rows), "columns": len(measured), "cut": cut}
        assert cut == 0


def is_whole(value: str | bytes | None, length: object) -> bool:
    """Whether a value is as long as the server says."""
    if not value:
        return length is None or length == 0
    if isinstance(value, bytes):
        return length in {len(value), 2 * len(value)}  # a RAW counts as its hexadecimal digits
    # The length of a CLOB counts characters outside the basic plane twice.
    return length in {len(value), len(value.encode("utf-16-le")) // 2}


def test_run_colors(tmp_path: Path, report: LiveReport, schema: TableSchema) -> None:
    """The table is ranked, or the columns that it lacks are named."""
    with report.step("run-colors") as facts:
        statement = f"SELECT * FROM {exact(schema.table)} FETCH FIRST {ROWS} ROWS ONLY\n"
        (tmp_path / "colors.sql").write_text(statement, encoding="utf-8")
        done = run(tmp_path, facts, "run-colors", "--source", "oracle", "--query", "colors.sql",
                   "--format", "json")  # fmt: skip
        if done.code == 0:
            facts["rows"] = json.loads(done.out)["rows"]
        else:
            assert facts["check"] == "MP-DAT-014", done.err


# A refused login is not among them: it would count against the account.
ERRORS: Mapping[str, tuple[Sequence[str], Mapping[str, str], int]] = {
    "unknown table": (("sample", "MARKETPULSE_NO_TABLE"), {}, 6),
    "unknown column": (("sample", "{table}", "--columns", "MARKETPULSE_NO_COLUMN"), {}, 6),
    "condition": (("sample", "{table}", "--where", "1 = "), {}, 2),
    "statement that writes": (("sample", "--query", "delete.sql"), {}, 2),
    "table of a query": (("sample", "--query", "table.sql"), {}, 6),
    "value of a query": (("sample", "--query", "value.sql"), {}, 2),
    "unknown host": (("list-tables",), {"ORACLE_DSN": "host.invalid:1521/NONE"}, 4),
    "closed port": (("list-tables",), {"ORACLE_DSN": "127.0.0.1:1/NONE"}, 4),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_error(tmp_path: Path, report: LiveReport, schema: TableSchema, kind: str) -> None:
    """What fails ends in one message, with the exit code of its kind."""
    words, settings, code = ERRORS[kind]
    for name, statement in {
        "delete.sql": "DELETE FROM MARKETPULSE_NO_TABLE",
        "table.sql": "SELECT ID FROM MARKETPULSE_NO_TABLE",
        "value.sql": "SELECT TO_NUMBER('x') AS N FROM DUAL",
    }.items():
        (tmp_path / name).write_text(statement, encoding="utf-8")
    with report.step(f"error: {kind}") as facts:
        known = [word.format(table=exact(schema.table)) for word in words]
        done = run(tmp_path, facts, *known, "--format", "json", **settings)
        assert done.code == code, done.out + done.err
        assert "Traceback" not in done.err
