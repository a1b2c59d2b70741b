"""Faults that a test makes the server have."""

from __future__ import annotations

from dataclasses import dataclass

from oracle_server.encryption import AES256_SHA256, Algorithms

# Oracle's own texts.
TEXTS = {
    28: "your session has been killed",
    942: "table or view does not exist",
    1013: "user requested cancel of current operation",
    1017: "invalid username/password; logon denied",
    1031: "insufficient privileges",
    1045: "user lacks CREATE SESSION privilege; logon denied",
    1476: "divisor is equal to zero",
    1821: "date format not recognized",
    1555: "snapshot too old: rollback segment number with name too small",
    3113: "end-of-file on communication channel",
    4063: 'view "MARKET.BROKEN_VIEW" has errors',
    8181: "specified number is not a valid system change number",
    12660: "Encryption or crypto-checksumming parameters incompatible",
    29913: "error in executing ODCIEXTTABLEOPEN callout\nORA-29400: data cartridge error\n"
    "KUP-04040: file colors.csv in FEEDS not found",
    28000: "The account is locked.",
    28001: "the password has expired",
}


def error_text(code: int) -> str:
    """Return the text of an error."""
    return f"ORA-{code:05}: {TEXTS.get(code, 'an error')}"


@dataclass
class Faults:
    """The faults of the next connections; none by default.

    They apply to the next `connections` connections, those of `then` after these; None means all.
    """

    refuse: int = 0  # the listener refuses each connection with this code
    silent: bool = False  # accepts connections and sends nothing
    garbage: bytes = b""  # sent instead of an answer
    demand_encryption: bool = False
    algorithms: Algorithms = AES256_SHA256  # of the encryption that is demanded
    login: int = 0  # each login fails with this code
    warning: str = ""  # comes with each login: ORA-28002: ...
    cut_after: int | None = None  # bytes sent after the login
    cut_from_start: int | None = None  # bytes sent from the very start
    stall_after: int | None = None  # bytes sent after the login
    stall_at_row: int | None = None  # of a statement
    stall_at_statement: int | None = None  # counted from 1 in each session
    stall_at_function: int | None = None  # of the protocol: 118 logs in, 96 reads a LOB, 9 logs off
    pause: float = 0.0  # seconds before each packet after the login
    fail_at_statement: tuple[int, int] | None = None  # the number, and the code
    fail_at_text: str = ""  # where in that statement the error is
    fail_at_row: tuple[int, int] | None = None  # the row of a statement, and the code
    cut_at_row: int | None = None  # the row of a statement before which the connection is cut
    delay: float = 0.0  # seconds, for each round trip
    connections: int | None = None
    then: Faults | None = None

    def for_next_connection(self) -> Faults:
        """Return the faults of a connection that begins now, and count it."""
        if self.connections is None:
            return self
        self.connections -= 1
        return self if self.connections >= 0 else self.then or Faults(delay=self.delay)
