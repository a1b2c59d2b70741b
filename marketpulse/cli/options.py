"""The options and arguments of the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from marketpulse.cli.completion import complete_table

# -- before the command ----------------------------------------------------------------------------


SourceName = Annotated[
    str | None,
    typer.Option(
        "--source",
        metavar="SOURCE",
        help="Where to read rows: oracle, demo, a file, a folder, a glob or s3:// "
        "(default: MARKETPULSE_SOURCE, then oracle).",
    ),
]
EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file", metavar="FILE", readable=False, help="Read settings from FILE, not ./.env."
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        readable=False,
        help="Read settings of runs from FILE, not ./marketpulse.toml.",
    ),
]
CredentialsChoice = Annotated[
    Literal["auto", "env", "ssm"] | None,
    typer.Option(
        "--credentials",
        show_default=False,
        help="env: never read AWS SSM. ssm: read the connection from AWS SSM only.",
    ),
]
DriverChoice = Annotated[
    Literal["auto", "thin", "thick", "nne"] | None,
    typer.Option("--driver", show_default=False, help="Mode of the Oracle driver (default: auto)."),
]
Deadline = Annotated[
    float | None,
    typer.Option(
        "--deadline",
        min=0.1,
        metavar="SECONDS",
        help="Give up on the database or S3 after SECONDS.",
    ),
]
LogFormatChoice = Annotated[
    Literal["text", "json"],
    typer.Option("--log-format", help="Format of messages, log and progress."),
]
Verbosity = Annotated[
    int,
    typer.Option(
        "-v", "--verbose", count=True, show_default=False, help="Log more; -v -v logs even more."
    ),
]
Quiet = Annotated[
    bool, typer.Option("-q", "--quiet", help="Print errors only, no warnings and no progress.")
]

# -- several commands ------------------------------------------------------------------------------

ResultFormat = Annotated[
    Literal["table", "json"],
    typer.Option("--format", help="Print a table for people or JSON for programs."),
]
InputNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT",
        help="Files, folders, globs or s3:// addresses, read as one table; - for standard "
        "input; or demo.",
    ),
]
FieldDelimiter = Annotated[
    str | None,
    typer.Option(
        "--delimiter",
        metavar="CHAR",
        help="What separates the fields of CSV input: semicolon, tab, pipe or the character itself "
        "(default: a comma).",
    ),
]
SheetName = Annotated[
    str | None, typer.Option("--sheet", metavar="NAME", help="The sheet of XLSX input to read.")
]
HeaderRow = Annotated[
    int | None,
    typer.Option(
        "--header-row",
        min=1,
        metavar="N",
        help="The row of XLSX input that names the columns; rows above it are left out.",
    ),
]
TableNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TABLE",
        autocompletion=complete_table,
        help='Tables to read, also A,B or "COLOR*" (default: ORACLE_TABLE_NAME, or the only '
        "table). The first may be the path of a bundle or a file.",
    ),
]
TableName = Annotated[
    str | None,
    typer.Option(
        "--table",
        metavar="NAME",
        autocompletion=complete_table,
        help="Table to read (default: ORACLE_TABLE_NAME, or the only table).",
    ),
]
WhereCondition = Annotated[
    str | None,
    typer.Option(
        "--where", metavar="CONDITION", help="Read only rows that match: \"BIAS = 'BID'\"."
    ),
]
QueryFile = Annotated[
    str | None,
    typer.Option(
        "--query",
        metavar="FILE.sql",
        help="Read the result of this SELECT, not a table; - is standard input. Oracle only.",
    ),
]
BindValues = Annotated[
    list[str] | None,
    typer.Option(
        "--bind",
        metavar="NAME=VALUE",
        help="Value of the bind variable :NAME of --query, as text. Can be repeated.",
    ),
]
ColumnMapping = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="NAME=COLUMN",
        help="Use this input column: price=MID_PRICE. Can be repeated.",
    ),
]
ColumnTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        metavar="COLUMN=TYPE",
        help="Type of a column beyond the contract: SPREAD=number, or integer, date, text. "
        "Can be repeated.",
    ),
]
DateFormat = Annotated[
    list[str] | None,
    typer.Option(
        "--date-format",
        metavar="FORMAT",
        help="Also read dates in this format: M/D/YYYY, D/M/YYYY, DD-MON-YY, DD-MON-YYYY, YYYYMMDD "
        "or excel; of one column: DATE=M/D/YYYY. Can be repeated.",
    ),
]
RoundedIds = Annotated[
    bool,
    typer.Option(
        "--accept-rounded-ids",
        help="Accept a MESSAGE_ID that a spreadsheet rounded: use the digits that are left.",
    ),
]
Again = Annotated[
    bool,
    typer.Option(
        "--again",
        help="Rank the processed colors of a run again, without the columns that it added.",
    ),
]
PushTarget = Annotated[
    str | None,
    typer.Option("--push", metavar="S3URI", help="Also upload the result, like push-s3 does."),
]

# -- run-colors and rules --------------------------------------------------------------------------

_RULES = typer.Option(
    "--rules",
    metavar="FILE",
    readable=False,  # the job reports what it cannot read, with a hint
    help="Exclusion rules, JSON or TOML; - is standard input. Can be repeated.",
)
RulesFiles = Annotated[list[Path] | None, _RULES]
RequiredRulesFiles = Annotated[list[Path], _RULES]
CompareRules = Annotated[
    list[Path] | None,
    typer.Option(
        "--compare",
        metavar="OTHER",
        readable=False,
        help="List the rows that these rules treat differently. Can be repeated.",
    ),
]
RulesFileArguments = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE", readable=False, help="Exclusion rules, JSON or TOML; - is standard input."
    ),
]
Hierarchy = Annotated[
    str | None,
    typer.Option(
        "--hierarchy",
        metavar="KEYS",
        help="Ranking keys, most important first (default: rank,date,price).",
    ),
]
ByDay = Annotated[
    bool,
    typer.Option(
        "--by-day",
        help="Rank each folder date=YYYY-MM-DD of INPUT separately; skip unchanged days.",
    ),
]
FirstDay = Annotated[
    str | None, typer.Option("--since", metavar="DAY", help="First day of --by-day: 2026-03-01.")
]
LastDay = Annotated[
    str | None, typer.Option("--until", metavar="DAY", help="Last day of --by-day: 2026-03-31.")
]
RunFolder = Annotated[
    Path, typer.Option("--output", metavar="DIR", help="Write the results to DIR.")
]
RunFormats = Annotated[
    str | None,
    typer.Option(
        "--formats",
        metavar="LIST",
        help="Any of csv,ndjson,json,parquet,xlsx (default: csv; with --push csv,parquet).",
    ),
]
WorkbookFlag = Annotated[
    bool,
    typer.Option(
        "--workbook", help="Write XLSX as one workbook, with a sheet for each kind of row."
    ),
]
ProcessingTypeChoice = Annotated[
    Literal["AUTOMATED", "MANUAL"],
    typer.Option("--processing-type", help="Value of PROCESSING_TYPE."),
]
ProcessedAt = Annotated[
    str | None,
    typer.Option(
        "--processed-at", metavar="TIME", help="Value of PROCESSED_AT (default: the current time)."
    ),
]
MaxRejected = Annotated[
    str | None,
    typer.Option(
        "--max-rejected",
        metavar="N",
        help="Fail if more rows are rejected: 50, or 5% (default: no limit; with --push 10%).",
    ),
]
MemoryLimit = Annotated[
    str | None,
    typer.Option(
        "--memory-limit",
        metavar="SIZE",
        help="Memory limit, such as 2GB; what does not fit goes to disk.",
    ),
]
EngineChoice = Annotated[
    Literal["duckdb", "spark"],
    typer.Option("--engine", help="Where to rank: in this process, or on a Spark cluster."),
]
SparkMaster = Annotated[
    str | None,
    typer.Option(
        "--master",
        metavar="URL",
        help="The master of Spark, such as spark://host:7077 (default: that of spark-submit, or "
        "the cores of this machine).",
    ),
]
ExplainCusip = Annotated[
    str | None,
    typer.Option(
        "--explain", metavar="CUSIP", help="Explain the result of one security. Writes nothing."
    ),
]

# -- list-tables and schema ------------------------------------------------------------------------

ListedInput = Annotated[
    list[str] | None,
    typer.Argument(metavar="INPUT", help="A bundle, files or demo to list, instead of --source."),
]
NamePattern = Annotated[
    str | None,
    typer.Option(
        "--like", metavar="NAME", help="Tables with NAME in their name; or a pattern: COLOR%."
    ),
]
SchemaName = Annotated[
    str | None, typer.Option("--schema", metavar="OWNER", help="Tables of this schema only.")
]
IncludeSystem = Annotated[
    bool, typer.Option("--include-system", help="Include Oracle's own schemas.")
]
ExactCounts = Annotated[
    bool, typer.Option("--exact", help="Count the rows of each table. Slow on large tables.")
]
CopyFolder = Annotated[
    Path | None,
    typer.Option("--output", metavar="DIR", help="Also write the result as JSON files to DIR."),
]
ListFormatChoice = Annotated[
    Literal["table", "json", "csv"], typer.Option("--format", help="Print a table, JSON or CSV.")
]
DescribedTables = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TABLE",
        autocompletion=complete_table,
        help='Tables to describe, also A,B or "COLOR*" (default: all; of a database '
        "ORACLE_TABLE_NAME). The first may be the path of a bundle or a file.",
    ),
]
ModelsFile = Annotated[
    Path | None,
    typer.Option("--models", metavar="FILE.py", help="Also write Pydantic models to FILE.py."),
]
DdlDialect = Annotated[
    Literal["duckdb"] | None,
    typer.Option("--ddl", help="Print CREATE TABLE statements for this database instead."),
]

# -- sample and verify -----------------------------------------------------------------------------

RowLimit = Annotated[
    int, typer.Option("--limit", min=0, metavar="N", help="Rows to take of each table.")
]
AllRows = Annotated[bool, typer.Option("--all", help="Take all rows.")]
RandomChoice = Annotated[
    bool,
    typer.Option("--random", help="Take random rows, the same ones for the same --seed."),
]
RandomSeed = Annotated[
    int,
    typer.Option(
        "--seed",
        min=0,
        max=4_294_967_295,  # ORA_HASH takes no larger seed
        metavar="N",
        help="Seed of --random: the same seed takes the same rows.",
    ),
]
NewestPerKey = Annotated[
    tuple[str, int] | None,
    typer.Option(
        "--per",
        metavar="COLUMNS N",
        help="Take the newest N rows of each value: --per CUSIP 3. --order-by defines newest.",
    ),
]
FollowFlag = Annotated[
    bool,
    typer.Option("--follow", help="Also take the rows of other tables that foreign keys refer to."),
]
ColumnNames = Annotated[
    str | None,
    typer.Option("--columns", metavar="NAMES", help="Take only these columns: CUSIP,PX."),
]
OrderBy = Annotated[
    str | None,
    typer.Option("--order-by", metavar="COLUMNS", help='Sort the rows: "PX DESC, CUSIP".'),
]
MaskColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--mask",
        metavar="COLUMN=KIND",
        help="Mask a column, hmac, redact or shift: CUSIP=hmac. Can be repeated.",
    ),
]
MaskFile = Annotated[
    Path | None,
    typer.Option(
        "--mask-file", metavar="FILE", help="Mask the columns listed in this JSON or TOML file."
    ),
]
BundleFormats = Annotated[
    str | None,
    typer.Option(
        "--formats",
        metavar="LIST",
        help="Any of csv,json,ndjson,parquet,xlsx (default: csv,json; for excel also xlsx).",
    ),
]
ProfileChoice = Annotated[
    Literal["lossless", "excel"],
    typer.Option("--profile", help="excel: write CSV that a spreadsheet program does not change."),
]
JsonRows = Annotated[
    str, typer.Option("--json-rows", metavar="N", help="Rows in the JSON file: a number, or all.")
]
BundleFolder = Annotated[
    Path, typer.Option("--output", metavar="DIR", help="Write the bundle to DIR.")
]
MaxLob = Annotated[
    int | None,
    typer.Option("--max-lob", min=0, metavar="N", help="Cut long text after N characters."),
]
ZipFlag = Annotated[bool, typer.Option("--zip", help="Also pack the folder as DIR.zip.")]
SampleJobs = Annotated[
    int,
    typer.Option(
        "--jobs",
        min=1,
        max=8,  # more sessions are a burden on the database
        metavar="N",
        help="Tables to read from Oracle at the same time, each in its own session.",
    ),
]
TakenAt = Annotated[
    str | None,
    typer.Option(
        "--taken-at", metavar="TIME", help="Timestamp to use instead of the current time."
    ),
]
SampleDryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be written. Reads no rows.")
]
ReplaceFlag = Annotated[
    bool, typer.Option("--replace", help="Remove the tables that the folder already holds.")
]
RestartFlag = Annotated[
    bool,
    typer.Option(
        "--restart", help="Read all rows again instead of resuming an interrupted sample."
    ),
]
BundlePath = Annotated[
    str,
    typer.Argument(
        metavar="BUNDLE", help="A folder that sample wrote, its zip, or s3://BUCKET/PREFIX/."
    ),
]

# -- diff ------------------------------------------------------------------------------------------

LeftSource = Annotated[
    str,
    typer.Argument(metavar="A", help="A bundle, a file, 'demo', or 'oracle' for the database."),
]
RightSource = Annotated[
    str, typer.Argument(metavar="B", help="What to compare A with, named in the same ways.")
]
ComparedTables = Annotated[
    list[str] | None,
    typer.Argument(metavar="TABLE", help="The tables to compare (default: those of both sides)."),
]
SchemaOnly = Annotated[
    bool, typer.Option("--schema-only", help="Compare tables, columns and keys; read no rows.")
]

# -- init ------------------------------------------------------------------------------------------

InitKeyring = Annotated[
    bool,
    typer.Option(
        "--keyring", help="Keep the password in the keyring of the system, not in the file."
    ),
]

# -- report ----------------------------------------------------------------------------------------

ReportSource = Annotated[
    str,
    typer.Argument(
        metavar="BUNDLE|RUN",
        help="The folder or zip of a bundle, the folder of a run, or s3://BUCKET/PREFIX/.",
    ),
]
ReportFile = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="Page to write (default: NAME_report.html beside it); - prints it."
    ),
]
ReportFlag = Annotated[
    bool, typer.Option("--report", help="Also write an HTML report: DIR_report.html.")
]

# -- push-s3, ssm and terraform --------------------------------------------------------------------

PushPaths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATH... S3URI",
        help="Runs, bundles, folders or files; then the target: s3://bucket/prefix/",
    ),
]
PushDryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be uploaded. Does not contact AWS.")
]
ForceUpload = Annotated[
    bool, typer.Option("--force", help="Overwrite objects that have other content.")
]
EndpointUrl = Annotated[
    str | None,
    typer.Option(
        "--endpoint-url", metavar="URL", help="Address of an S3-compatible store other than AWS."
    ),
]
UploadJobs = Annotated[
    int,
    typer.Option("--jobs", min=1, max=64, metavar="N", help="Number of parallel uploads."),
]
EncryptionChoice = Annotated[
    Literal["AES256", "aws:kms", "aws:kms:dsse"] | None,
    typer.Option("--sse", show_default=False, help="Server-side encryption of the objects."),
]
KmsKey = Annotated[
    str | None,
    typer.Option("--kms-key-id", metavar="KEY", help="KMS key for --sse aws:kms."),
]
ObjectTags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="KEY=VALUE", help="Tag the objects. Can be repeated."),
]
PrefixTemplate = Annotated[
    str | None,
    typer.Option(
        "--prefix-template",
        metavar="TEXT",
        help="Folder of a run below the prefix (default: date={date}/run={run_id}).",
    ),
]
PushLayout = Annotated[
    Literal["by-sector"] | None,
    typer.Option(
        "--layout",
        help="Also upload the colors of each run as a workbook for each sector, below by-sector/.",
    ),
]
Recursive = Annotated[
    bool, typer.Option("--recursive", help="Upload the folders inside a folder, too.")
]
VerifyUpload = Annotated[
    Literal["read", "digest", "none"],
    typer.Option(
        "--verify",
        help="Read the objects of a set back (read), trust the store's own digest where it has "
        "one (digest), or neither (none).",
    ),
]
ReceiptFile = Annotated[
    Path | None,
    typer.Option("--receipt", metavar="FILE", help="Also write the receipt as JSON to FILE."),
]
ParameterNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="Parameters to write, such as password (default: the connection's seven).",
    ),
]
ParameterKey = Annotated[
    str | None,
    typer.Option("--kms-key-id", metavar="KEY", help="KMS key for what is secret."),
]
TerraformFolder = Annotated[Path, typer.Argument(metavar="DIR", help="Write the files to DIR.")]
ForceWrite = Annotated[bool, typer.Option("--force", help="Overwrite files that were changed.")]

# -- doctor and demo -------------------------------------------------------------------------------

DoctorTable = Annotated[
    str | None,
    typer.Argument(metavar="TABLE", help="Table to test (default: ORACLE_TABLE_NAME)."),
]
DoctorBucket = Annotated[
    str | None,
    typer.Option(
        "--bucket", metavar="BUCKET", help="Also test this bucket: NAME or s3://NAME/PREFIX/."
    ),
]
DemoFolder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Write the files of the tour to FOLDER.")
]
DemoRows = Annotated[
    int, typer.Option("--rows", min=1, metavar="N", help="Number of colors to make.")
]
