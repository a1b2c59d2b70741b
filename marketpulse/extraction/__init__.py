"""Extraction: what a source holds, samples of it, and code that is generated from its schemas."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marketpulse.extraction.catalog import Schemas as Schemas
    from marketpulse.extraction.catalog import TableListing as TableListing
    from marketpulse.extraction.catalog import describe as describe
    from marketpulse.extraction.catalog import describe_listed as describe_listed
    from marketpulse.extraction.catalog import list_tables as list_tables
    from marketpulse.extraction.ddl import format_ddl as format_ddl
    from marketpulse.extraction.joined_source import describe_sample as describe_sample
    from marketpulse.extraction.pydantic_models import format_models as format_models
    from marketpulse.extraction.pydantic_models import write_models as write_models
    from marketpulse.extraction.sample import Sample as Sample
    from marketpulse.extraction.sample import with_masks as with_masks
    from marketpulse.extraction.sample import write_sample as write_sample
    from marketpulse.extraction.sample_options import PlannedTable as PlannedTable
    from marketpulse.extraction.sample_options import SampleOptions as SampleOptions
    from marketpulse.extraction.sample_options import parse_column_names as parse_column_names
    from marketpulse.extraction.sample_options import parse_row_count as parse_row_count
    from marketpulse.extraction.sample_options import plan_sample as plan_sample
    from marketpulse.extraction.source_comparison import SourceComparison as SourceComparison
    from marketpulse.extraction.source_comparison import compare_sources as compare_sources
    from marketpulse.extraction.verify import Verification as Verification
    from marketpulse.extraction.verify import verify_bundle as verify_bundle

_MODULES = {
    "Schemas": "catalog",
    "TableListing": "catalog",
    "describe": "catalog",
    "describe_listed": "catalog",
    "list_tables": "catalog",
    "describe_sample": "joined_source",
    "format_ddl": "ddl",
    "format_models": "pydantic_models",
    "write_models": "pydantic_models",
    "PlannedTable": "sample_options",
    "Sample": "sample",
    "SampleOptions": "sample_options",
    "parse_column_names": "sample_options",
    "parse_row_count": "sample_options",
    "plan_sample": "sample_options",
    "with_masks": "sample",
    "write_sample": "sample",
    "SourceComparison": "source_comparison",
    "Verification": "verify",
    "compare_sources": "source_comparison",
    "verify_bundle": "verify",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is used: the modules load Arrow, DuckDB and Pydantic."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
