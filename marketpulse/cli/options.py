"""The options and arguments of the commands, and the words that some of them choose from."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Shape(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"


class ListShape(StrEnum):
    """How a list is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Profile(StrEnum):
    """For whom a CSV file is written."""

    LOSSLESS = "lossless"
    EXCEL = "excel"


class Dialect(StrEnum):
    """Whose statements create the tables."""

    DUCKDB = "duckdb"


class Credentials(StrEnum):
    """Where credentials are looked for."""

    AUTO = "auto"
    ENV = "env"
    SSM = "ssm"


class Driver(StrEnum):
    """Which driver connects."""

    AUTO = "auto"
    THIN = "thin"
    THICK = "thick"


class LogFormat(StrEnum):
    """How the log is written."""

    TEXT = "text"
    JSON = "json"


class Encryption(StrEnum):
    """How a store encrypts objects."""

    S3 = "AES256"
    KMS = "aws:kms"
    KMS_TWICE = "aws:kms:dsse"


class ProcessingType(StrEnum):
    """What PROCESSING_TYPE says."""

    AUTOMATED = "AUTOMATED"
    MANUAL = "MANUAL"


SourceName = Annotated[
    str | None,
    typer.Option(
        "--source",
        metavar="SOURCE",
        help="Where rows come from: oracle, a file, a glob, a folder, or 'demo' "
        "(else MARKETPULSE_SOURCE, else oracle).",
    ),
]
Format = Annotated[Shape, typer.Option("--format", help="How the result is printed.")]
Output = Annotated[
    Path | None, typer.Option("--output", metavar="DIR", help="Write it into this folder, too.")
]
Inputs = Annotated[
    list[str] | None,
    typer.Argument(metavar="INPUT", help="Files, globs or folders, read as one table; or 'demo'."),
]
Tables = Annotated[
    list[str] | None,
    typer.Argument(metavar="TABLE", help="The tables, where there are several."),
]
Table = Annotated[
    str | None, typer.Option("--table", metavar="NAME", help="The table, where there are several.")
]
Hierarchy = Annotated[
    str,
    typer.Option("--hierarchy", metavar="KEYS", help="The order of the keys rank, date and price."),
]
Mapping = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="NAME=COLUMN",
        help="Which column of the input is which: price=MID_PRICE. Repeat as needed.",
    ),
]
RulesFile = Annotated[
    Path | None,
    typer.Option("--rules", metavar="FILE", readable=False, help="Exclusion rules, JSON or TOML."),
]
Where = Annotated[
    str | None,
    typer.Option("--where", metavar="CONDITION", help="Only rows of which this is true."),
]
Chosen = Annotated[
    str | None, typer.Option("--columns", metavar="NAMES", help="Only these: CUSIP,PX.")
]
Order = Annotated[
    str | None,
    typer.Option("--order-by", metavar="COLUMNS", help="First by these: 'PX DESC, CUSIP'."),
]
JsonRows = Annotated[
    str, typer.Option("--json-rows", metavar="N", help="Rows of the JSON file, or all.")
]
TakenAt = Annotated[
    str | None,
    typer.Option("--taken-at", metavar="TIME", help="What names and manifest say, not now."),
]
MaxLob = Annotated[
    int | None,
    typer.Option("--max-lob", min=0, metavar="N", help="Cut long text after N characters."),
]
Push = Annotated[
    str | None,
    typer.Option("--push", metavar="S3URI", help="Send what was written there, as push-s3 does."),
]
MaxRejected = Annotated[
    int | None,
    typer.Option("--max-rejected", min=0, metavar="N", help="Fail where more are rejected."),
]
MemoryLimit = Annotated[
    str | None,
    typer.Option("--memory-limit", metavar="SIZE", help="2GB; beyond it, the disk is used."),
]
Explained = Annotated[
    str | None,
    typer.Option("--explain", metavar="CUSIP", help="Explain this security; write nothing."),
]
ProcessedAt = Annotated[
    str | None,
    typer.Option("--processed-at", metavar="TIME", help="What PROCESSED_AT says, not now."),
]
Sent = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATH... S3URI",
        help="Runs, bundles, folders or files; and last s3://bucket/prefix/",
    ),
]
AskNobody = Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; ask nobody.")]
Overwrite = Annotated[bool, typer.Option("--force", help="Overwrite objects with other content.")]
Endpoint = Annotated[
    str | None,
    typer.Option("--endpoint-url", metavar="URL", help="A store that is not AWS's."),
]
Jobs = Annotated[
    int, typer.Option("--jobs", min=1, max=64, metavar="N", help="So many files at once.")
]
Sse = Annotated[
    Encryption | None,
    typer.Option("--sse", show_default=False, help="Have the store encrypt the objects so."),
]
KmsKey = Annotated[
    str | None, typer.Option("--kms-key-id", metavar="KEY", help="With this key of KMS.")
]
Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="KEY=VALUE", help="Tag the objects. Repeat as needed."),
]
PrefixTemplate = Annotated[
    str | None,
    typer.Option(
        "--prefix-template",
        metavar="TEXT",
        help="Where a run goes below the prefix: 'date={date}/run={run_id}'.",
    ),
]
ReceiptFile = Annotated[
    Path | None,
    typer.Option("--receipt", metavar="FILE", help="Write the receipt as JSON, too."),
]
Limit = Annotated[int, typer.Option("--limit", min=0, metavar="N", help="How many rows.")]
Everything = Annotated[bool, typer.Option("--all", help="All rows.")]
BundleFormats = Annotated[
    str | None, typer.Option("--formats", help="Any of csv,json,ndjson,parquet,xlsx.")
]
ForWhom = Annotated[
    Profile, typer.Option("--profile", help="excel: for spreadsheets, nothing spoilt.")
]
Bundle = Annotated[Path, typer.Option("--output", metavar="DIR", help="The folder for the bundle.")]
Zipped = Annotated[bool, typer.Option("--zip", help="Pack the folder, too: DIR.zip.")]
ReadNothing = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done; read no row.")
]
