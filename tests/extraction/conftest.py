"""Fixtures that the tests of extraction share with others."""

from bundles import awkward_bundle, bundle
from schemas import market

__all__ = ["awkward_bundle", "bundle", "market"]
