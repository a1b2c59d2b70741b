"""Other databases that speak much of Oracle's language, asked for their opinion on conditions.

PostgreSQL with orafce knows Oracle's functions, MariaDB in its Oracle mode Oracle's nulls. Each
runs on a socket in a folder of its own, and its tests are skipped where it is not installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

Rows = tuple[int, ...]
_WAIT = 60  # seconds for a server to start


@dataclass(frozen=True)
class Engine:
    """A database with a table `examples`, asked by its command line; its rows have numbers."""

    name: str
    command: tuple[str, ...]
    setup: str
    statement: str
    table_options: str = ""

    def fill(self, columns: str, rows: Sequence[Sequence[str | None]]) -> None:
        """Create the table with these column definitions and rows."""
        values = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)
        self._run(
            f"{self.setup}\nDROP TABLE IF EXISTS examples;\n"
            f"CREATE TABLE examples ({columns}) {self.table_options};\n"
            f"INSERT INTO examples VALUES {values};\n"
        )

    def ask(self, conditions: Sequence[str]) -> list[Rows | None]:
        """Return the rows of which each condition is true; None where it is not understood."""
        script = [self.setup]
        for number, condition in enumerate(conditions):
            script += [self.statement.format(number=number, condition=condition)]
        answers: list[Rows | None] = [None] * len(conditions)
        for line in self._run("\n".join(script)).splitlines():
            number_text, separator, found = line.partition(":")
            if separator and number_text.isdigit():
                answers[int(number_text)] = tuple(sorted(map(int, found.split())))
        return answers

    def _run(self, script: str) -> str:
        done = subprocess.run(
            self.command, input=script, capture_output=True, text=True, timeout=300, check=False
        )
        return done.stdout


def _literal(cell: str | None) -> str:
    return "NULL" if cell is None else "'" + cell.replace("'", "''") + "'"


@contextmanager
def postgresql() -> Iterator[Engine | None]:
    """Start PostgreSQL with orafce; None where it is not installed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    library = list(Path("/usr/share/postgresql").glob("*/extension/orafce.control"))
    if not programs or not library:
        yield None
        return
    binaries = programs[-1].parent
    with _folder() as folder:
        data = folder / "data"
        _as_owner(
            [
                binaries / "initdb",
                "-D",
                data,
                "-U",
                "desk",
                "-A",
                "trust",
                "--locale=C",
                "-E",
                "UTF8",
            ],
            folder,
        )
        server = [binaries / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="]
        client = Engine(
            name="PostgreSQL",
            command=(
                *(str(binaries / "psql"), "-h", str(folder), "-U", "desk", "-d", "postgres"),
                *("-X", "-q", "-A", "-t"),
            ),
            setup="SET search_path = oracle, public, pg_catalog; SET timezone = 'UTC';",
            statement="SELECT '{number}:' || coalesce(string_agg(message_id::text, ' '), '') "
            "FROM examples WHERE ({condition}\n);",
        )
        with _running(server, folder, [binaries / "pg_isready", "-h", folder]):
            subprocess.run(
                client.command, input="CREATE EXTENSION orafce;", text=True, check=True,
                capture_output=True, timeout=60,
            )  # fmt: skip
            yield client


@contextmanager
def mariadb() -> Iterator[Engine | None]:
    """Start MariaDB in its Oracle mode; None where it is not installed."""
    server, install = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
    if server is None or install is None:
        yield None
        return
    with _folder() as folder:
        data, socket = folder / "data", folder / "s"
        owner = ["--user=nobody"] if os.getuid() == 0 else []
        _as_owner(
            [install, "--no-defaults", f"--datadir={data}", "--skip-test-db",
             "--auth-root-authentication-method=normal", *owner],
            folder, drop=False,
        )  # fmt: skip
        command = [server, "--no-defaults", f"--datadir={data}", f"--socket={socket}",
                   "--skip-networking", "--skip-grant-tables", *owner]  # fmt: skip
        client = Engine(
            name="MariaDB",
            command=("mariadb", "--no-defaults", f"--socket={socket}", "--force", "-N", "-B",
                     "--raw", "--default-character-set=utf8mb4", "mysql"),
            setup="SET sql_mode = 'ORACLE,EMPTY_STRING_IS_NULL'; "
            "SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin; SET time_zone = '+00:00'; "
            "SET group_concat_max_len = 1000000;",
            statement="SELECT '{number}:' || coalesce(group_concat(message_id SEPARATOR ' '), ' ') "
            "FROM examples WHERE ({condition}\n);",
            table_options="CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
        )  # fmt: skip
        ready = ["mariadb-admin", "--no-defaults", f"--socket={socket}", "ping"]
        with _running(command, folder, ready, drop=False):
            yield client


@contextmanager
def _folder() -> Iterator[Path]:
    # A socket's path is short: pytest's folders are too long for it.
    with tempfile.TemporaryDirectory(prefix="mp-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.getuid() == 0:
            shutil.chown(folder, "nobody")
        yield folder


def _as_owner(command: Sequence[object], folder: Path, *, drop: bool = True) -> None:
    user = "nobody" if drop and os.getuid() == 0 else None
    subprocess.run(
        [*map(str, command)], check=True, capture_output=True, timeout=120, cwd=folder, user=user
    )


@contextmanager
def _running(
    command: Sequence[object], folder: Path, ready: Sequence[object], *, drop: bool = True
) -> Iterator[None]:
    user = "nobody" if drop and os.getuid() == 0 else None
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*map(str, command)], stdout=log, stderr=log, cwd=folder, user=user
        )
    try:
        deadline = time.monotonic() + _WAIT
        while subprocess.run([*map(str, ready)], capture_output=True, check=False).returncode:
            assert process.poll() is None, (folder / "log").read_text(errors="replace")
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)
