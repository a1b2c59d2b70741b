"""The options before the command, and what follows from them: settings, secrets, the source."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from marketpulse.cli import console
from marketpulse.errors import NotFoundError, SettingsError, UsageError
from marketpulse.settings.file import RUN_VARIABLES, find_settings_file
from marketpulse.settings.log import configure_logging
from marketpulse.sources.base import FileOptions, standard_input

if TYPE_CHECKING:
    import typer
    from pydantic import SecretStr

    from marketpulse.extraction.masks.key import MaskKey
    from marketpulse.model import Progress
    from marketpulse.settings.load import OracleSettings, RunSetting, Settings, SettingsReport
    from marketpulse.sources import Source
    from marketpulse.sources.oracle.select_query import SelectQuery


@dataclass(kw_only=True)
class Session:
    """The options that every command has. Settings are loaded on first use."""

    source: str | None = None
    env_file: Path | None = None
    config: Path | None = None
    credentials: str | None = None
    driver: str | None = None
    deadline: float | None = None
    log_format: str = "text"
    verbose: int = 0  # 1 logs what is done, 2 logs more
    quiet: bool = False
    _settings: Settings | None = field(default=None, repr=False)
    _oracle: OracleSettings | None = field(default=None, repr=False)
    _mask_key: SecretStr | None = field(default=None, repr=False)

    def override(self, name: str, value: object) -> None:
        """Set an option that stands after the command; it wins over the one before it."""
        setattr(self, name, value)
        self.configure_log()

    def configure_log(self) -> None:
        """Show the log at the level that the options ask for."""
        if self.quiet:
            # Without a handler, Python prints warnings of the log on standard error.
            logging.getLogger("marketpulse").setLevel(logging.ERROR)
        as_json = self.log_format == "json"
        if self.verbose or (as_json and not self.quiet):
            # Without -v, warnings of the log alone, which Python would print as text.
            levels = (logging.WARNING, logging.INFO, logging.DEBUG)
            configure_logging(levels[min(self.verbose, 2)], as_json=as_json)

    def settings(self) -> Settings:
        """The settings, without those in AWS SSM."""
        if self._settings is None:
            from marketpulse.settings.load import load_settings  # noqa: PLC0415 - pydantic takes 0.2 s

            self._settings = load_settings(
                self.options, os.environ, self.env_file, self.settings_file
            )
        return self._settings

    def oracle_settings(self) -> OracleSettings:
        """The settings of the database connection. Reads AWS SSM if some are missing."""
        if self._oracle is None:
            from marketpulse.settings.load import (  # noqa: PLC0415 - pydantic: 0.2 s
                env_file_remarks,
                oracle_settings,
            )

            for remark in env_file_remarks(self.env_file):
                self.say(f"warning: {remark}")
            ask = console.ask_password if console.is_interactive() else None
            self._oracle = oracle_settings(self.options, os.environ, self.env_file, ask)
        return self._oracle

    def mask_key(self) -> MaskKey:
        """The key of masks. Reads AWS if it is not set on this machine."""
        from marketpulse.extraction.masks.key import MaskKey  # noqa: PLC0415 - only masks need it
        from marketpulse.settings.load import mask_key  # noqa: PLC0415 - pydantic: 0.2 s

        self._mask_key = mask_key(self.options, os.environ, self.env_file)
        return MaskKey(self._mask_key.get_secret_value())

    def explain_settings(self) -> SettingsReport:
        """Every setting with its origin, including AWS SSM."""
        from marketpulse.settings.load import explain_settings  # noqa: PLC0415 - pydantic: 0.2 s

        return explain_settings(self.options, os.environ, self.env_file, self.settings_file)

    def run_settings(self) -> Mapping[str, RunSetting]:
        """What a run uses unless an option says otherwise, by the keys of `marketpulse.toml`."""
        file, variables = self.settings_file, RUN_VARIABLES.values()
        places = file or self.env_file or Path(".env").is_file()
        if not (places or any(variable in os.environ for variable in variables)):
            return {}
        from marketpulse.settings.load import run_settings  # noqa: PLC0415 - pydantic takes 0.2 s

        return run_settings(os.environ, self.env_file, file)

    @property
    def settings_file(self) -> Path | None:
        """The file of `--config`, or `marketpulse.toml` in the working folder, if any."""
        return find_settings_file(self.config)

    @property
    def options(self) -> dict[str, str | None]:
        """The options by the names of the settings that they override."""
        return {
            "MARKETPULSE_SOURCE": self.source,
            "MARKETPULSE_CREDENTIALS": self.credentials,
            "ORACLE_DRIVER": self.driver,
            "MARKETPULSE_DEADLINE": None if self.deadline is None else str(self.deadline),
        }

    def secrets(self) -> list[str]:
        """The passwords of this run. Shorter than eight characters they match by accident."""
        settings = self.settings()
        passwords = [settings.oracle_password, settings.oracle_wallet_password]
        passwords += [settings.mask_key, self._mask_key]
        passwords += [self._oracle.password] if self._oracle else []
        texts = dict.fromkeys(password.get_secret_value() for password in passwords if password)
        return [text for text in texts if len(text) >= 8]

    def say(self, text: str) -> None:
        """Print a note or a warning on standard error, unless `--quiet` was given."""
        if not self.quiet:
            console.say(text)

    def warn_of_options(self, ctx: typer.Context, because: str, *names: str) -> None:
        """Warn of each of these parameters that was given although it changes nothing."""
        for name in names:
            if self.is_given(ctx, name):
                self.say(f"warning: --{name.replace('_', '-')} changes nothing {because}")

    @staticmethod
    def is_given(ctx: typer.Context, name: str) -> bool:
        """Whether a parameter stands on the command line."""
        source = ctx.get_parameter_source(name)
        return source is not None and source.name == "COMMANDLINE"

    def progress(self, unit: str = "rows") -> Progress:
        """A progress display on standard error that counts `unit`."""
        return console.progress(quiet=self.quiet, unit=unit)

    def open_source(
        self,
        inputs: Sequence[str] | None = None,
        source: str | None = None,
        *,
        max_lob: int | None = None,
        system: bool = False,
        files: FileOptions | None = None,
        query: str | None = None,
        binds: Sequence[str] | None = None,
    ) -> Source:
        """Open the INPUT arguments, else `--source`, else the source of the settings.

        `source` is the option after the command: it overrides the one before it. `query` is the
        path of a SELECT for Oracle. Raises `UsageError` if INPUT and `--source` are both given, or
        a query for another source.
        """
        from marketpulse.sources import open_files, open_source  # noqa: PLC0415 - heavy

        names = self.input_names(inputs, source)
        files = self.file_options(names, files)
        is_oracle = names == ["oracle"]
        if query is not None and not is_oracle:
            raise UsageError(
                f"--query needs an Oracle database, and the input is {names[0]}",
                hint="leave out --query, or read it with --source oracle",
            )
        select = _read_query(query, binds or ())
        if not is_oracle:
            for option, given in (("--max-lob", max_lob is not None), ("--include-system", system)):
                if given:
                    self.say(
                        f"warning: {option} changes nothing: the input is not an Oracle database"
                    )
            is_single = len(names) == 1
            opened = open_source(names[0], files=files) if is_single else open_files(names, files)
            for warning in opened.warnings:
                self.say(f"warning: {warning}")
            return opened
        try:
            oracle = self.oracle_settings()
        except SettingsError as error:
            if not (inputs or source or self.source):  # perhaps the user did not mean a database
                error.add_hint("or name a file, a folder or 'demo' with --source")
            raise
        return open_source(
            "oracle", oracle=oracle, max_lob=max_lob, system=system, query=select, files=files
        )

    def input_names(self, inputs: Sequence[str] | None, source: str | None) -> list[str]:
        """The INPUT arguments, else `--source`, else the source of the settings."""
        option = source or self.source
        if inputs and option:
            raise UsageError("INPUT and --source both name the input", hint="leave out one of them")
        return list(inputs or [option or self.settings().source])

    def split_source(
        self, names: Sequence[str] | None, source: str | None
    ) -> tuple[str | None, list[str]]:
        """The source, and the tables among these names: the first may be a path of the source.

        A name is a path if it exists and cannot be meant as a table: it has the suffix of a file,
        a slash, or the files of a bundle in it.
        """
        first, *others = names or [""]
        if first and source is None and self.source is None and _is_path(first):
            return first, others
        return source, list(names or ())

    def file_options(self, names: Sequence[str], files: FileOptions | None = None) -> FileOptions:
        """The options with the settings of AWS, which are loaded only for addresses in S3."""
        from marketpulse.formats import parse_delimiter  # noqa: PLC0415 - not for --help

        files = files or FileOptions()
        if files.delimiter is not None:
            files = replace(files, delimiter=parse_delimiter(files.delimiter))
        if not any(name.startswith("s3://") for name in names):
            return files
        settings = self.settings()
        seconds = settings.deadline
        ends = None if seconds is None else time.monotonic() + seconds
        return replace(files, region=settings.aws_region, ends=ends)


def check_query(query: str | None, name: str, tables: object) -> None:
    """Raise `UsageError` if `--query` and the parameter with this name both say what to read."""
    if query is not None and tables:
        raise UsageError(f"{name} and --query both name what to read", hint="leave out one of them")


def check_standard_input(*options: Iterable[object] | None) -> None:
    """Raise `UsageError` if the values of these options name standard input, `-`, twice."""
    if sum(str(name) == "-" for names in options for name in names or ()) > 1:
        raise UsageError(
            "standard input (-) can be read only once", hint="name files in the other places"
        )


def _read_query(path: str | None, binds: Sequence[str]) -> SelectQuery | None:
    """Read and check the file of `--query`, or standard input; None if there is none.

    Raises `NotFoundError` if it cannot be read, `UsageError` if it is not one SELECT.
    """
    if path is None:
        if binds:
            raise UsageError("--bind gives values to --query", hint="add --query FILE.sql")
        return None
    from marketpulse.sources.oracle import query_text  # noqa: PLC0415 - loads the driver

    try:
        content = standard_input().read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        label = "standard input" if path == "-" else path
        raise NotFoundError(
            f"--query: {label}: {error.strerror or error}", hint="check the name of the file"
        ) from error
    return query_text.read_query(content, path, binds)


def _is_path(name: str) -> bool:
    from marketpulse.sources import is_bundle  # noqa: PLC0415 - not for --help

    path = Path(name)
    if name.startswith("s3://") or is_bundle(path):
        return True
    return (path.is_file() and bool(path.suffix)) or (path.exists() and path.name != name)
