"""MarketPulse: extract bond market colors safely, rank them into parents and children, publish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketpulse.version import __version__ as __version__

__all__ = [
    "ColorsRun",
    "Explanation",
    "Loaded",
    "MarketPulseError",
    "OracleDatabase",
    "RunOptions",
    "__version__",
    "explain",
    "load",
    "run_colors",
]

if TYPE_CHECKING:
    from marketpulse.colors.explain import Explanation as Explanation
    from marketpulse.colors.explain import explain_colors as explain
    from marketpulse.colors.options import RunOptions as RunOptions
    from marketpulse.colors.results import ColorsRun as ColorsRun
    from marketpulse.colors.run import run_colors as run_colors
    from marketpulse.errors import MarketPulseError as MarketPulseError
    from marketpulse.sources.bundle import Loaded as Loaded
    from marketpulse.sources.bundle import load as load
    from marketpulse.sources.oracle import OracleDatabase as OracleDatabase

_MODULES = {
    "ColorsRun": "marketpulse.colors.results",
    "Explanation": "marketpulse.colors.explain",
    "explain": "marketpulse.colors.explain",
    "RunOptions": "marketpulse.colors.options",
    "run_colors": "marketpulse.colors.run",
    "Loaded": "marketpulse.sources.bundle",
    "MarketPulseError": "marketpulse.errors",
    "OracleDatabase": "marketpulse.sources.oracle",
    "load": "marketpulse.sources.bundle",
}
_OWN_NAMES = {"explain": "explain_colors"}  # in their modules


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that `import marketpulse` is quick."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - needed for the first use of a name only

    return getattr(import_module(_MODULES[name]), _OWN_NAMES.get(name, name))


def __dir__() -> list[str]:
    """The public names, imported or not: `dir` and completion show them."""
    return sorted(__all__)
