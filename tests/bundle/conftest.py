"""Fixtures of `bundles.py`, which the tests of bundles and of extraction share."""

from bundles import awkward_bundle, bundle

__all__ = ["awkward_bundle", "bundle"]
