"""What is in the way to the database and to AWS, layer by layer. The first fault ends the walk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from marketpulse.errors import AwsError, MarketPulseError
from marketpulse.settings import OracleSettings
from marketpulse.sources.oracle import OracleDatabase, OracleSource
from marketpulse.sources.oracle.tns import Endpoint, connected, look_up, secured

_SECONDS = 10.0  # for each step
_PINGS = 5


@dataclass(frozen=True)
class Step:
    """One layer: `state` is ok, skipped or failed; a fault has its check, remedy and exit code."""

    layer: str
    state: str
    seconds: float
    told: str
    hint: str = ""
    check: str = ""
    exit_code: int = 0

    def as_json(self) -> dict[str, Any]:
        """The step as `--format json` shows it; seconds to the millisecond."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}


class Skipped(Exception):
    """There is nothing to be looked at."""


@dataclass(frozen=True)
class Asked:
    """What is to be looked at, and by whom it is found."""

    settings: Callable[[], OracleSettings]
    identity: Callable[[], str | None]  # who we are for AWS, or None
    bucket: Callable[[], str] | None = None  # says which bucket it has seen
    table: str | None = None


def diagnose(asked: Asked) -> Iterator[Step]:
    """Walk the layers in order; a step after the other is given as it ends.

    Nobody logs in more than once. Raises nothing: a fault is a step that failed, and the last.
    """
    with ExitStack() as stack:
        for layer, look in _Walk(asked, stack).layers():
            begun = time.monotonic()
            try:
                told = look()
            except Skipped as why:
                yield Step(layer, "skipped", time.monotonic() - begun, str(why))
            except MarketPulseError as fault:
                seconds = time.monotonic() - begun
                yield Step(
                    layer, "failed", seconds, fault.message, fault.hint, fault.check,
                    fault.exit_code,
                )  # fmt: skip
                return
            else:
                yield Step(layer, "ok", time.monotonic() - begun, told)


class _Walk:
    """The steps, each with what the ones before it have found."""

    def __init__(self, asked: Asked, stack: ExitStack) -> None:
        self._asked = asked
        self._stack = stack
        self._endpoints: list[Endpoint] = []  # those that have answered so far
        self._database: OracleDatabase
        self._source: OracleSource

    def layers(self) -> list[tuple[str, Callable[[], str]]]:
        return [
            ("settings", self._settings),
            ("aws", self._aws),
            ("name", self._name),
            ("tcp", self._tcp),
            ("tls", self._tls),
            ("listener", self._listener),
            ("login", self._login),
            ("encryption", self._encryption),
            ("privileges", self._privileges),
            ("character set", self._character_set),
            ("round trip", self._round_trip),
            ("s3", self._s3),
        ]

    def _settings(self) -> str:
        settings = self._asked.settings()
        self._database = OracleDatabase(settings)
        self._source = OracleSource(self._database)
        self._endpoints = list(self._database.address.endpoints)
        return str(self._database.address)

    def _aws(self) -> str:
        try:
            who = self._asked.identity()
        except AwsError as fault:  # the settings did without it
            raise Skipped(fault.message) from fault
        if who is None:
            raise Skipped("no credentials; SSM is not asked")
        return who

    def _name(self) -> str:
        found = self._each(lambda endpoint: ", ".join(look_up(endpoint, _SECONDS)))
        return "; ".join(found)

    def _tcp(self) -> str:
        def connect(endpoint: Endpoint) -> str:
            with connected(endpoint, _SECONDS):
                return f"{endpoint} answers"

        return "; ".join(self._each(connect))

    def _tls(self) -> str:
        if not any(it.tls for it in self._endpoints):
            raise Skipped("not asked for")

        def greet(endpoint: Endpoint) -> str:
            if not endpoint.tls:
                return f"{endpoint} without"
            with connected(endpoint, _SECONDS) as plain:
                way = secured(plain, endpoint, self._database.trusted())
                return f"{endpoint} {way.version()}"

        return "; ".join(self._each(greet))

    def _listener(self) -> str:
        service = self._database.probe(_SECONDS)
        demands = ", which demands native encryption" if service.encryption_required else ""
        return f"knows {self._database.address.service}{demands}"

    def _login(self) -> str:
        self._stack.enter_context(self._source)
        return f"{self._database.driver} driver: {self._database.why_driver}"

    def _encryption(self) -> str:
        if all(it.tls for it in self._endpoints):
            return "TLS"
        if self._database.driver == "thick":
            return "as Oracle's library and the server agreed"
        raise Skipped("none: what is read crosses the network as it is, VPN aside")

    def _privileges(self) -> str:
        tables = self._source.tables()
        usual = self._database.settings.table_name
        wanted = usual if self._asked.table is None else self._asked.table
        if wanted is None:
            return f"{len(tables)} tables may be seen"
        table = self._source.named(wanted)
        self._source.scan(table, limit=1).read_all()
        return f"{len(tables)} tables may be seen, and {table} be read"

    def _character_set(self) -> str:
        facts = self._source.info().details
        known = [facts[it] for it in ("character_set", "national_character_set") if it in facts]
        if not known:
            raise Skipped("not to be read by this user")
        return f"{', '.join(known)}; Oracle {facts['version']}; times with a zone are read in UTC"

    def _round_trip(self) -> str:
        seconds = []
        for _ in range(_PINGS):
            begun = time.monotonic()
            self._database.ping()
            seconds.append(time.monotonic() - begun)
        return f"{median(seconds) * 1000:.0f} ms"

    def _s3(self) -> str:
        if self._asked.bucket is None:
            raise Skipped("--bucket names one to be looked at")
        return self._asked.bucket()

    def _each(self, look: Callable[[Endpoint], str]) -> list[str]:
        """What each endpoint answers; those that do not are left out, unless all are."""
        told, left, faults = [], [], []
        for endpoint in self._endpoints:
            try:
                told.append(look(endpoint))
                left.append(endpoint)
            except MarketPulseError as fault:
                faults.append(fault)
        if not left:
            raise faults[0]
        self._endpoints = left
        return told + [fault.message for fault in faults]
