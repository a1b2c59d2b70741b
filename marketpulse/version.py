"""The release; the package and the wheel take it from here."""

__version__ = "0.1.0"
