"""The command `init`: ask for the connection, test it, and write `.env`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

from marketpulse.cli import console, render
from marketpulse.cli import options as opt
from marketpulse.cli.session import Session
from marketpulse.errors import SettingsError, UsageError
from marketpulse.extras import require_extra

if TYPE_CHECKING:
    from marketpulse.settings.load import OracleSettings
    from marketpulse.sources.oracle.tns import Address

Answers = dict[str, str]  # by the names of the settings; empty means not set

_ADDRESS = ("ORACLE_HOST", "ORACLE_PORT", "ORACLE_SERVICE_NAME", "ORACLE_DSN")
_LOGIN = ("ORACLE_USERNAME", "ORACLE_PASSWORD", "ORACLE_PASSWORD_COMMAND")
_ASKED = {*_ADDRESS, *_LOGIN, "ORACLE_SCHEMA", "ORACLE_TABLE_NAME"}


def init(ctx: typer.Context, keyring: opt.InitKeyring = False) -> None:
    """Ask for the connection to Oracle, test it, and write it to .env.

    Answer with Enter to keep what is in brackets.
    """
    from marketpulse.settings import env_file, load  # noqa: PLC0415 - pydantic takes 0.2 s
    from marketpulse.settings.keyring import store_password  # noqa: PLC0415 - see above

    session: Session = ctx.obj
    if not console.is_interactive():
        raise UsageError(
            "init asks questions, and there is no terminal to answer them",
            hint="write ORACLE_HOST, ORACLE_SERVICE_NAME, ORACLE_USERNAME, ORACLE_PASSWORD and "
            "ORACLE_SCHEMA to .env, one NAME=VALUE a line, or set them in the environment",
        )
    if keyring:
        require_extra("keyring", "--keyring")
    path = session.env_file or env_file.ENV_FILE
    earlier = env_file.read_env_file(path, load.VARIABLES) if path.is_file() else None
    answers = {name: value for name, value in (earlier.values if earlier else {}).items() if value}
    while True:
        answers = _ask(answers)
        code = _test(session, answers)
        if code == 0 or not console.confirm("Correct the answers and test again?"):
            break
    if code and not console.confirm(f"Write {path} anyway?"):
        raise typer.Exit(code)
    if keyring:
        account = f"{answers['ORACLE_USERNAME']}@{answers['ORACLE_HOST'] or answers['ORACLE_DSN']}"
        command = store_password(account, answers["ORACLE_PASSWORD"])
        # Empty, so that an earlier password leaves the file.
        answers |= {"ORACLE_PASSWORD": "", "ORACLE_PASSWORD_COMMAND": command}
    env_file.write_env_file(path, answers)
    # Windows has no such permissions: there a file is as open as its folder.
    readers = "whoever opens its folder" if os.name == "nt" else "only you"
    console.say(f"wrote {path}, which {readers} can read")
    if code:
        raise typer.Exit(code)
    console.say("next: `marketpulse list-tables`")


def _ask(earlier: Mapping[str, str]) -> Answers:
    """Ask for each setting, with the earlier answer as the default."""
    answers = _ask_address(earlier)
    answers["ORACLE_USERNAME"] = _ask_needed("User name", earlier.get("ORACLE_USERNAME", ""))
    answers["ORACLE_PASSWORD"] = _ask_password(answers)
    owner = earlier.get("ORACLE_SCHEMA", answers["ORACLE_USERNAME"].upper())
    answers["ORACLE_SCHEMA"] = console.ask("Schema: the owner of the tables", owner)
    table = earlier.get("ORACLE_TABLE_NAME", "")
    answers["ORACLE_TABLE_NAME"] = console.ask("Default table", table)
    return answers


def _ask_password(answers: Mapping[str, str]) -> str:
    """Ask for the password, until it is one that the database has not refused before."""
    from marketpulse.sources.oracle.refusals import FileGuard  # noqa: PLC0415 - see above

    address = str(_address_of(answers))
    while True:
        password = console.ask_password(answers["ORACLE_USERNAME"])
        settings = _settings({**answers, "ORACLE_PASSWORD": password})
        guard = FileGuard(settings.state_folder) if settings.state_folder else None
        if not guard or not (refused_at := guard.refused_at(settings, address)):
            return password
        console.say(
            f"  the database refused this password at {refused_at}, and it is not sent again\n"
            "  hint: type another one; if this one is right by now, press Ctrl-C and "
            f"{guard.remedy()}"
        )


def _ask_address(earlier: Mapping[str, str]) -> Answers:
    """Ask for the address in any form, until it is understood; show how."""
    default = earlier.get("ORACLE_DSN") or earlier.get("ORACLE_HOST", "")
    while True:
        text = _ask_needed("Host of the database, or a whole connect string", default)
        if text == earlier.get("ORACLE_HOST") or _is_host(text):
            port = console.ask("Port", earlier.get("ORACLE_PORT", "1521"))
            service = _ask_needed("Service name", earlier.get("ORACLE_SERVICE_NAME", ""))
            values = (text, port, service, "")
        else:
            values = ("", "", "", text)
        answers = dict(zip(_ADDRESS, values, strict=True))
        try:
            console.say(f"  understood as {_address_of(answers)}")
        except SettingsError as error:
            console.say(f"  {error.message}\n  hint: {error.hint}")
        else:
            return answers


def _ask_needed(question: str, default: str) -> str:
    answer = ""
    while not answer:
        answer = console.ask(question, default)
    return answer


def _is_host(text: str) -> bool:
    """Whether this is a host alone. With TNS_ADMIN, a name without dots is an alias."""
    plain = text.removeprefix("tcps://").replace(".", "").replace("-", "").isalnum()
    return plain and ("." in text or not os.environ.get("TNS_ADMIN"))


def _address_of(answers: Mapping[str, str]) -> Address:
    from marketpulse.sources.oracle.dsn import address_of  # noqa: PLC0415 - loads the driver

    # Settings need a login, and an address has none.
    login = {"ORACLE_USERNAME": "-", "ORACLE_PASSWORD": "-"}
    return address_of(_settings({**answers, **login}))


def _settings(answers: Mapping[str, str]) -> OracleSettings:
    """The settings of the answers and of the environment, without what is asked for there."""
    from marketpulse.settings.load import answered_settings  # noqa: PLC0415 - pydantic: 0.2 s

    environment = {name: value for name, value in os.environ.items() if name not in _ASKED}
    return answered_settings(answers, environment)


def _test(session: Session, answers: Mapping[str, str]) -> int:
    """Test the answers as doctor does; return its exit code."""
    from marketpulse.doctor import DoctorOptions, diagnose  # noqa: PLC0415 - loads the driver

    options = DoctorOptions(
        settings=lambda: _settings(answers),
        region=session.settings().aws_region,
    )
    return render.show_diagnosis(diagnose(options), as_json=False)
