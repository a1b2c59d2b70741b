"""Values of options: plain ones are read as Typer reads them, all others by Typer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer._click import Context
from typer._click.core import Command
from typer._click.exceptions import BadParameter
from typer.core import TyperArgument, TyperGroup, TyperOption

from marketpulse.cli.app import app
from marketpulse.cli.values import PlainValues

VALUES = [
    None, "", "a", "0", "1", "-1", " 5", "1.0", "0x1", "1_0", "\u0663", "9" * 30, 0, 5, -3, True,
    2.5, "csv", "CSV", "json", "demo", "nowhere/at/all", ".", Path(), Path("a"), b"a",
    [], ["a"], ("a", "b"), ["1", None], [Path("a"), "b"], [5], ["COLUMN", "3"],
]  # fmt: skip


def parameters(command: Command) -> Iterator[TyperArgument | TyperOption]:
    """The parameters of a command and of those below it."""
    for param in command.params:
        assert isinstance(param, TyperArgument | TyperOption)
        yield param
    if isinstance(command, TyperGroup):
        for below in command.commands.values():
            yield from parameters(below)


def distinct_parameters() -> list[TyperArgument | TyperOption]:
    """One parameter of each kind: of a type, with limits, of one or several values."""
    kinds = {}
    for param in parameters(typer.main.get_command(app)):
        info = param.type_descriptor.parameter_info
        limits = (info.min, info.max, info.readable, info.exists, info.dir_okay)
        kinds[str(param.type_descriptor.annotation), limits, param.nargs, param.multiple] = param
    return [*kinds.values()]


@pytest.mark.parametrize("param", distinct_parameters(), ids=lambda param: param.name)
def test_values_are_those_of_typer(param: TyperArgument | TyperOption, tmp_path: Path) -> None:
    """Whatever stands on the command line has the value, or the message, that Typer has for it."""
    context = Context(typer.main.get_command(app))
    secret = tmp_path / "secret"
    secret.touch(mode=0)  # that only root may read

    def outcome(reader: object) -> tuple[type, object]:
        try:
            read = reader.coerce(value, param, context)  # type: ignore[attr-defined]  # both have it
        except BadParameter as error:
            return type(error), error.message
        return type(read), read

    for value in [*VALUES, str(secret)]:
        assert outcome(PlainValues()) == outcome(type(param).get_runtime_param(param)), value
