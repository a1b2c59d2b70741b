"""pyarrow's functions are made as they are used.

`pyarrow.compute` makes 290 functions with their documentation as it is loaded, which takes as long
as to read and profile a small day. A command uses thirty.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_MODULE = "pyarrow.compute"
_NAMED = ["utf8_zero_fill"]  # what the module itself names while it is loaded
_WORDS = {"and_": "and", "or_": "or"}  # of Python, which no function may be named


class ArrowFunctions(Loader):
    """An import hook that loads the module with few functions. It makes the others when asked."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, *_: object
    ) -> ModuleSpec | None:
        """The module with this hook as its loader."""
        spec = PathFinder.find_spec(name, path) if name == _MODULE else None
        if spec and spec.loader:
            self._loader, spec.loader = spec.loader, self
        return spec

    def exec_module(self, module: ModuleType) -> None:
        """Load the module."""
        from pyarrow import _compute  # noqa: PLC0415 - not before pyarrow is loaded

        function_registry = _compute.function_registry
        registry = function_registry()
        _compute.function_registry = lambda: _FewFunctions(registry.get_function)
        try:
            self._loader.exec_module(module)
        finally:
            _compute.function_registry = function_registry

        def make_function(name: str) -> object:
            try:
                known = registry.get_function(_WORDS.get(name, name))
            except KeyError:
                known = None
            # As the module does: what aggregates groups, or has no argument, is no function.
            if known is None or known.kind == "hash_aggregate" or known.arity == 0:
                raise AttributeError(f"module {_MODULE!r} has no attribute {name!r}")
            made = module._wrap_function(name, known)  # noqa: SLF001 - what the module makes them by
            setattr(module, name, made)
            return made

        vars(module).update(function_registry=function_registry, __getattr__=make_function)


class _FewFunctions:
    """A registry of functions that lists but a few."""

    def __init__(self, get_function: Callable[[str], object]) -> None:
        self.get_function = get_function

    def list_functions(self) -> list[str]:
        return _NAMED


def make_functions_late() -> None:
    """Have the functions of pyarrow made as they are used, from now on."""
    sys.meta_path.insert(0, ArrowFunctions())
