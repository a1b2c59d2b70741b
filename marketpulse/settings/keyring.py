"""The system's keyring as the place of a password, by way of ORACLE_PASSWORD_COMMAND."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from marketpulse.errors import SettingsError, UsageError
from marketpulse.shell import command_line, pip_command

_SERVICE = "marketpulse"


def require_keyring() -> None:
    """Raise `UsageError` if the extra `keyring` is not installed."""
    if find_spec("keyring") is None:
        raise UsageError(
            "--keyring needs the library keyring, which is not installed",
            hint=f"install the extra: {pip_command('keyring')}",
        )


def store_password(account: str, password: str) -> str:
    """Store a password in the keyring of the system; return the command that prints it.

    Raises `SettingsError` if the system has no keyring, or it is locked.
    """
    import keyring  # noqa: PLC0415 - an optional extra
    import keyring.errors  # noqa: PLC0415 - an optional extra

    try:
        keyring.set_password(_SERVICE, account, password)
    except keyring.errors.KeyringError as error:
        raise SettingsError(
            f"the keyring of this system does not take the password: {error}",
            hint="unlock it, or leave out --keyring",
            check="MP-SET-003",
        ) from error
    # This Python has keyring; the one that is called python later may not.
    words = [sys.executable, "-m", "keyring", "get", _SERVICE, account]
    return command_line(words)
