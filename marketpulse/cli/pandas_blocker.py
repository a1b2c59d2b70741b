"""pandas stays out of commands that do not use it."""

from __future__ import annotations

import sys


class PandasBlocker:
    """An import hook that reports pandas as not installed.

    Arrow imports pandas with its first array if it can. That takes half a second, and no command
    but `run-colors --engine spark` uses pandas.
    """

    # None in sys.modules would be shorter, but Arrow's compiled code takes it for the module.
    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


def block_pandas() -> None:
    """Keep every import of pandas from now on from finding it."""
    sys.meta_path.insert(0, PandasBlocker())


def allow_pandas() -> None:
    """End `block_pandas`."""
    sys.meta_path[:] = [hook for hook in sys.meta_path if not isinstance(hook, PandasBlocker)]
