"""The connection test: what is installed, each layer between us and the database, then AWS.

Each step needs what the steps before it found, so the first failure ends the test.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from platform import python_version
from statistics import median

from marketpulse.artifacts import POINTER
from marketpulse.errors import AwsError, MarketPulseError, NotFoundError
from marketpulse.extras import LIBRARIES, has_extra, require_extra
from marketpulse.model import format_count
from marketpulse.publish import S3Location, parse_s3_uri
from marketpulse.settings.load import OracleSettings
from marketpulse.sources.oracle import OracleDatabase, OracleSource
from marketpulse.sources.oracle.tns import Endpoint, look_up, open_connection, start_tls
from marketpulse.version import __version__

_TIMEOUT = 10.0  # seconds for each network step
_PINGS = 5


@dataclass(frozen=True, kw_only=True)
class Step:
    """The result of one layer. `state` is `ok`, `skipped` or `failed`.

    `detail` says what was found, or what went wrong. A failed step has the hint, the check id and
    the exit code of its error.
    """

    layer: str
    state: str
    seconds: float
    detail: str
    hint: str = ""
    check: str = ""
    exit_code: int = 0

    def as_json(self) -> dict[str, object]:
        """The step as `--format json` prints it, with seconds rounded to milliseconds."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}


class SkippedError(Exception):
    """A step has nothing to test. The message says why."""


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """What to test. Raises `UsageError` if the bucket is not a valid address.

    settings  returns the settings, or raises; called by the first step
    region    the AWS region
    table     the table to read one row of; None means ORACLE_TABLE_NAME
    bucket    a bucket to read from: NAME or s3://NAME/PREFIX/
    """

    settings: Callable[[], OracleSettings]
    region: str
    table: str | None = None
    bucket: str | None = None

    def __post_init__(self) -> None:
        self.location()

    def location(self) -> S3Location | None:
        """The place of the bucket to test, if any."""
        if self.bucket is None:
            return None
        return parse_s3_uri(self.bucket if "://" in self.bucket else f"s3://{self.bucket}")


def diagnose(options: DoctorOptions) -> Iterator[Step]:
    """Test layer after layer and yield each result at once.

    A failure is a `failed` step, the last one; no `MarketPulseError` is raised. The test logs in
    at most once, so a wrong password does not lock the account.
    """
    with ExitStack() as stack:
        for layer, run in _Diagnosis(options, stack).layers():
            step = _run_step(layer, run)
            yield step
            if step.state == "failed":
                return


def _run_step(layer: str, run: Callable[[], str]) -> Step:
    started = time.monotonic()
    step = Step(layer=layer, state="ok", seconds=0, detail="")
    try:
        step = replace(step, detail=run())
    except SkippedError as reason:
        step = replace(step, state="skipped", detail=str(reason))
    except MarketPulseError as error:
        step = replace(
            step,
            state="failed",
            detail=error.message,
            hint=error.hint,
            check=error.check,
            exit_code=error.exit_code,
        )
    return replace(step, seconds=time.monotonic() - started)


def _describe_installation() -> str:
    groups = {
        "extras": [extra for extra in LIBRARIES if has_extra(extra)],
        "not installed": [extra for extra in LIBRARIES if not has_extra(extra)],
    }
    parts = [f"{title}: {', '.join(names)}" for title, names in groups.items() if names]
    return "; ".join([f"{__version__}, Python {python_version()}", *parts])


class _Diagnosis:
    """The steps, with what earlier steps leave for later ones."""

    def __init__(self, options: DoctorOptions, stack: ExitStack) -> None:
        self._options = options
        self._stack = stack
        self._endpoints: list[Endpoint] = []  # those that passed every step so far
        self._database: OracleDatabase
        self._source: OracleSource

    def layers(self) -> list[tuple[str, Callable[[], str]]]:
        """The name and the function of each step, in their order."""
        return [
            ("installation", _describe_installation),
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
        settings = self._options.settings()
        self._database = OracleDatabase(settings)
        self._source = OracleSource(self._database)
        self._endpoints = list(self._database.address.endpoints)
        return str(self._database.address)

    def _aws(self) -> str:
        if not has_extra("aws"):
            raise SkippedError("the extra 'aws' is not installed, so SSM is not used")
        from marketpulse.aws.session import caller_identity  # noqa: PLC0415 - loads boto3, an extra

        try:
            arn = caller_identity(self._options.region)
        except AwsError as error:
            # The settings are complete by now: the database may work without AWS.
            raise SkippedError(error.message) from error
        if arn is None:
            raise SkippedError("no AWS credentials, so SSM is not used")
        return arn

    def _name(self) -> str:
        return "; ".join(self._each(lambda endpoint: ", ".join(look_up(endpoint, self._seconds()))))

    def _tcp(self) -> str:
        def connect(endpoint: Endpoint) -> str:
            with open_connection(endpoint, self._seconds()):
                return f"{endpoint} answers"

        return "; ".join(self._each(connect))

    def _tls(self) -> str:
        if not any(endpoint.tls for endpoint in self._endpoints):
            raise SkippedError("not requested: the address does not begin with tcps://")

        def handshake(endpoint: Endpoint) -> str:
            if not endpoint.tls:
                return f"{endpoint} without TLS"
            with open_connection(endpoint, self._seconds()) as socket:
                secure = start_tls(socket, endpoint, self._database.login.tls_context())
                return f"{endpoint} {secure.version()}"

        return "; ".join(self._each(handshake))

    def _listener(self) -> str:
        service = self._database.login.probe(self._seconds())
        encryption = ", requires native encryption" if service.encryption_required else ""
        return f"knows {self._database.address.service}{encryption}"

    def _login(self) -> str:
        self._stack.enter_context(self._source)
        return f"{self._database.login.driver} driver: {self._database.login.driver_reason}"

    def _encryption(self) -> str:
        if all(endpoint.tls for endpoint in self._endpoints):
            return "TLS"
        if self._database.login.driver == "thick":
            return "negotiated by Oracle's client library and the server"
        if self._database.protection is not None:
            return f"native network encryption by marketpulse: {self._database.protection}"
        raise SkippedError("none: rows cross the network unencrypted, except inside a VPN")

    def _privileges(self) -> str:
        tables = self._source.tables()
        self._check_schema({table.schema for table in tables})
        default = self._database.settings.table_name
        name = default if self._options.table is None else self._options.table
        visible = format_count(len(tables), "table is", "tables are") + " visible"
        if name is None:
            return visible
        table = self._source.find_table(name)
        self._source.scan(table, limit=1).read_all()
        return f"{visible}, {table} can be read"

    def _check_schema(self, owners: set[str]) -> None:
        """Raise `NotFoundError` if ORACLE_SCHEMA is a schema without a visible table."""
        schema = self._database.settings.schema
        if schema is None or not owners or schema.strip('"') in owners or schema.upper() in owners:
            return
        similar = get_close_matches(schema.upper(), sorted(owners), n=1)
        meant = f"did you mean {similar[0]}" if similar else f"there is {', '.join(sorted(owners))}"
        raise NotFoundError(
            f"ORACLE_SCHEMA: no table of a schema {schema} is visible",
            hint=f"{meant}; or ask the database team for SELECT on its tables",
            check="MP-SRC-007",
        )

    def _character_set(self) -> str:
        details = self._source.info().details
        names = ("character_set", "national_character_set")
        character_sets = [details[name] for name in names if name in details]
        if not character_sets:
            raise SkippedError("this user may not read it")
        version = details["version"]
        return f"{', '.join(character_sets)}; Oracle {version}; times with a zone are read in UTC"

    def _round_trip(self) -> str:
        seconds = []
        for _ in range(_PINGS):
            started = time.monotonic()
            self._database.ping()
            seconds.append(time.monotonic() - started)
        return f"{median(seconds) * 1000:.0f} ms"

    def _s3(self) -> str:
        location = self._options.location()
        if location is None:
            raise SkippedError("to test a bucket, add --bucket NAME")
        require_extra("aws", "--bucket")
        from marketpulse.aws.bucket import Bucket  # noqa: PLC0415 - loads boto3, an extra

        # Looks for one object, as a push does: a role may see nothing but its prefix.
        with Bucket(location.bucket, region=self._options.region) as bucket:
            bucket.find([location.key(POINTER)])
        return f"s3://{location.bucket}/{location.prefix} answers"

    def _seconds(self) -> float:
        """The limit of a wait. Raises `UnreachableError` if the deadline has passed."""
        return self._database.login.deadline.limit(_TIMEOUT)

    def _each(self, test: Callable[[Endpoint], str]) -> list[str]:
        """The result of each endpoint. Later steps use only those that passed.

        An address may list several hosts; one that answers is enough. Raises the first error if
        none passes.
        """
        results, passed, errors = [], [], []
        for endpoint in self._endpoints:
            try:
                results.append(test(endpoint))
                passed.append(endpoint)
            except MarketPulseError as error:
                errors.append(error)
        if not passed:
            raise errors[0]
        self._endpoints = passed
        return results + [error.message for error in errors]
