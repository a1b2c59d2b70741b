"""Store the password in the system's keyring, for ORACLE_PASSWORD_COMMAND to read."""

from __future__ import annotations

import sys

from marketpulse.errors import SettingsError, command_line

_SERVICE = "marketpulse"


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
            f"the keyring of this system did not accept the password: {error}",
            hint="unlock it, or leave out --keyring",
            check="MP-SET-003",
        ) from error
    # This Python has keyring; the one that is called python later may not.
    words = [sys.executable, "-m", "keyring", "get", _SERVICE, account]
    return command_line(words)
