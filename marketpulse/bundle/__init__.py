"""A bundle: extracted tables with their schemas, in a folder or a zip, completed by a manifest."""

from __future__ import annotations

from marketpulse.bundle.manifest import (
    BundleTable,
    DataFile,
    Manifest,
    MissingTable,
    parse_manifest,
    parse_table_schema,
)
from marketpulse.bundle.reader import Bundle, Container, find_bundle
from marketpulse.bundle.writer import (
    BundleWriter,
    SecretFoundError,
    bundle_folder,
    refuse_secrets,
    source_identity,
    write_zip,
    zip_path,
)

__all__ = [
    "Bundle",
    "BundleTable",
    "BundleWriter",
    "Container",
    "DataFile",
    "Manifest",
    "MissingTable",
    "SecretFoundError",
    "bundle_folder",
    "find_bundle",
    "parse_manifest",
    "parse_table_schema",
    "refuse_secrets",
    "source_identity",
    "write_zip",
    "zip_path",
]
