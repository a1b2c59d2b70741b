"""The group of all commands: what they have in common."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from marketpulse.cli import console
from marketpulse.cli.errors import error_boundary, wants_json
from marketpulse.cli.examples import EXAMPLES
from marketpulse.cli.values import read_plain_values
from marketpulse.errors import UsageError

if TYPE_CHECKING:
    # typer publishes no names for these.
    from typer._click import Context
    from typer._click.core import Command, Parameter


_OUTPUT_OPTIONS = {"--output", "-o", "--models", "--receipt"}


class CommandGroup(TyperGroup):
    """The commands behind the error boundary, for the process and for tests within a process.

    `help COMMAND` is `COMMAND --help`. The options before the command may also stand after it.
    """

    def __init__(self, **keywords: Any) -> None:  # Typer decides which it passes
        super().__init__(**keywords)
        shared = [option for option in self.params if isinstance(option, TyperOption)]
        for path, command in _leaves(self.commands, ()):
            _share(command, shared)
            for argument in command.params:
                if isinstance(argument, TyperArgument):
                    # INPUT alone, not INPUT <list[str]>: its help says what it is.
                    argument.display_type_rich = _no_type  # type: ignore[method-assign]  # click would need a class for each
            if examples := EXAMPLES.get(" ".join(path)):
                command.epilog = _epilog(examples)
        for listed in self.commands.values():
            # Without it, the list of the commands cuts each summary at 45 characters.
            listed.short_help = listed.short_help or _summary(listed.help or "")

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse the options before the command."""
        if args[:1] == ["help"]:
            args = [*args[1:], "--help"]
        console.message_format.as_json = wants_json(args, "--log-format")
        read_plain_values(self.get_params(ctx))  # `self.params` lacks --help
        # Wrong options fail here, before `invoke`.
        with error_boundary(args, verbose=lambda: False):
            return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: Context, args: list[str]
    ) -> tuple[str | None, Command | None, list[str]]:
        """Find the command."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            leaves = (leaf for _, leaf in _leaves({"": command}, ()))
            for part in {command, *leaves}:
                read_plain_values(part.get_params(ctx))
        return name, command, rest

    def invoke(self, ctx: Context) -> object:
        """Run the command."""
        # The command's own arguments are not parsed yet: --format json may be among them.
        arguments = [*ctx._protected_args, *ctx.args]  # noqa: SLF001 - click offers no other way
        with error_boundary(arguments, verbose=lambda: bool(ctx.obj and ctx.obj.verbose)):
            _refuse_empty_outputs(arguments)
            return super().invoke(ctx)


def _refuse_empty_outputs(words: Sequence[str]) -> None:
    """Raise `UsageError` if the name of an output is empty: it would mean the working folder."""
    given = [*pairwise(words), *((word[:-1], "") for word in words if word.endswith("="))]
    for option, value in given:
        if option in _OUTPUT_OPTIONS and not value.strip():
            raise UsageError(f"{option}: the name is empty", hint="is a variable not set?")


def _leaves(
    commands: Mapping[str, Command], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    """Every command with the words that name it."""
    for name, command in commands.items():
        if isinstance(command, TyperGroup):
            yield from _leaves(command.commands, (*path, name))
        elif isinstance(command, TyperCommand):
            yield (*path, name), command


def _share(command: TyperCommand, options: Sequence[TyperOption]) -> None:
    """Give a command these options, too, except those whose names it has itself."""
    names = {name for param in command.params for name in param.opts}
    for option in options:
        if option.is_eager or names & {*option.opts}:
            continue
        # Hidden, so that the help of a command lists its own options alone. Not exposed, because
        # its function has no such parameter.
        shared = copy.copy(option)
        shared.hidden, shared.expose_value, shared.callback = True, False, _override
        command.params.append(shared)


def _no_type(ctx: Context) -> None:
    """The type of an argument in help."""


def _override(ctx: Context, param: Parameter, value: object) -> object:
    """Give the session the value of an option that stands after the command."""
    if param.name and ctx.obj.is_given(ctx, param.name):
        ctx.obj.override(param.name, value)
    return value


def _summary(text: str) -> str:
    """The first sentence of a docstring."""
    first = inspect.cleandoc(text).partition("\n\n")[0].replace("\n", " ")
    return first.partition(". ")[0].removesuffix(".")


def _epilog(examples: Sequence[str]) -> str:
    # After a line with \b, click keeps the lines of a paragraph as they are.
    lines = [f"  marketpulse {example}" for example in examples]
    return "\n".join(["\b", "Examples:", *lines])
