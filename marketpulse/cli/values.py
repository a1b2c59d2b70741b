"""The values of options and arguments: simple ones are read without pydantic.

Typer has pydantic read each value. To load pydantic takes a tenth of ranking a small day.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args, get_origin

from typer.core import TyperArgument, TyperOption

if TYPE_CHECKING:
    # typer publishes no names for these.
    from typer._click import Context
    from typer._coercion import RuntimeParam
    from typer.models import ParameterInfo


class PlainValues:
    """Reads simple values of parameters; Typer reads all others, and those that are wrong."""

    def coerce(self, value: object, param: TyperArgument | TyperOption, ctx: Context) -> object:
        """The value in the parameter's type. Raises Typer's errors."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        descriptor = param.type_descriptor
        try:
            return _read_plain(descriptor.annotation, value, descriptor.parameter_info)
        except ValueError:
            typer_values: RuntimeParam = type(param).get_runtime_param(param)
            return typer_values.coerce(value, param, ctx)


def read_plain_values(params: Iterable[object]) -> None:
    """Have the values of these parameters read by `PlainValues`."""
    for param in params:
        if isinstance(param, TyperArgument | TyperOption):
            param.get_runtime_param = PlainValues  # type: ignore[method-assign, assignment]  # Typer has no place for it


def _read_plain(kind: object, value: object, info: ParameterInfo) -> object:
    """Raise `ValueError` if Typer has to read the value."""
    if get_origin(kind) is list and isinstance(value, list | tuple):
        (kind,) = get_args(kind)
        return [_read_plain(kind, item, info) for item in value]
    if get_origin(kind) is Literal and type(value) is str and value in get_args(kind):
        return value
    if info.parser is not None or not isinstance(kind, type):
        raise ValueError
    if kind is str and type(value) is str:
        return value
    if kind is Path and isinstance(value, str | Path):
        return _read_path(Path(value), info)
    if kind is int:
        return _read_number(value, info)
    raise ValueError


def _read_number(value: object, info: ParameterInfo) -> int:
    if type(value) is str and value.isascii() and value.isdigit():
        value = int(value)
    if type(value) is not int or info.clamp:
        raise ValueError
    if (info.min is not None and value < info.min) or (info.max is not None and value > info.max):
        raise ValueError
    return value


def _read_path(path: Path, info: ParameterInfo) -> Path:
    """The path, if nothing is asked of it but that it can be read where it exists."""
    asked = (info.exists, info.writable, info.resolve_path, info.allow_dash, info.path_type)
    if any(asked) or not (info.file_okay and info.dir_okay):
        raise ValueError
    if info.readable and os.path.lexists(path) and not os.access(path, os.R_OK):
        raise ValueError
    return path
