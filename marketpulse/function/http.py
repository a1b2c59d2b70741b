"""The HTTP application: the jobs of the function, and the OpenAPI document that describes them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.models import Example
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from marketpulse.colors.options import RunOptions
from marketpulse.colors.query import Filter
from marketpulse.errors import MarketPulseError, UsageError
from marketpulse.function.service import Service
from marketpulse.version import __version__

JsonObject: TypeAlias = dict[str, Any]  # for examples, and for FastAPI to describe
DayParameter: TypeAlias = Annotated[
    date | None,
    Query(description="Day of the run's processed_at: finds a run that CI or a person published."),
]
MaxRejected: TypeAlias = (
    Annotated[int, Field(strict=True, ge=0, lt=10**18)]
    | Annotated[str, Field(pattern="^[0-9]{1,18}$|^[0-9]{1,2}([.][0-9]{1,9})?%$|^100%$")]
)

_log = logging.getLogger(__name__)
# HTTP status by exit code; an internal error stays a 500.
_STATUS = {2: 400, 3: 503, 4: 503, 5: 503, 6: 404, 7: 422, 8: 502}
_COLOR_PARAMETERS = {
    *("cusip", "sector", "dealer", "date", "parents", "run", "day", "limit", "offset"),
}
# Of an answer, in bytes: Lambda takes 6 MB, and escapes the body as text in JSON.
_MAX_ANSWER_SIZE = 4_500_000
_LONGEST_TABLE = 261  # OWNER.TABLE: two names of up to 128 characters in quotes, and the dot
_DOCS_HINT = "see /docs for parameters and examples"
_RUN_ID = "c168926d4ecff396"
_SUMMARY: JsonObject = {
    "run_id": _RUN_ID,
    "processed_at": "2026-03-13T18:00:00Z",
    "processing_type": "AUTOMATED",
    "input": "COLORS_TABLE",
    "hierarchy": ["rank", "date", "price"],
    "rows": {"read": 2003, "parents": 313, "children": 1671, "excluded": 0, "rejected": 19},
    "files": [{"name": "processed_colors.parquet", "bytes": 61234, "sha256": "9f86d081..."}],
}
_COLORS = {
    "run_id": _RUN_ID,
    "colors": [
        {
            "MESSAGE_ID": 17700000001000001,
            "CUSIP": "037833100",
            "SECTOR": "2.0_Mezz",
            "DATE": "2026-03-13",
            "PX": 99.1,
            "SOURCE": "TD",
            "IS_PARENT": True,
            "CHILDREN_COUNT": 3,
        }
    ],
}
_ERROR: JsonObject = {
    "error": {
        "check": "MP-SRC-001",
        "message": "there is no table 'COLOR'",
        "hint": "did you mean: COLORS",
        "exit_code": 6,
    }
}


class ErrorBody(BaseModel):
    """What happened, and what to do."""

    check: str
    message: str
    hint: str
    exit_code: int


class ErrorAnswer(BaseModel):
    """The answer to a request that failed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ERROR]})

    error: ErrorBody


class Health(BaseModel):
    """The service answers, and its version."""

    status: str = Field(examples=["ok"])
    version: str = Field(examples=[__version__])


class RunBody(BaseModel):
    """A run to make now. Every field is optional.

    The fields are the keys of an event but `where`: callers choose no rows.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"hierarchy": "date,rank,price"}]},
    )

    table: str | None = Field(
        None,
        description="One of the tables that the function allows. Default: the first of them.",
        max_length=_LONGEST_TABLE,
    )
    hierarchy: Literal[
        "rank,date,price",
        "rank,price,date",
        "date,rank,price",
        "date,price,rank",
        "price,rank,date",
        "price,date,rank",
    ] = Field("rank,date,price", description="The order of the ranking keys.")
    mapping: list[str] = Field(
        default=[], description="Names of columns: price=MID_PRICE.", max_length=50
    )
    types: list[str] = Field(
        default=[], description="Kinds of further columns: SPREAD=number.", max_length=50
    )
    date_format: list[str] = Field(
        default=[], description="How text spells dates: DATE=DD-MON-YY.", max_length=50
    )
    accept_rounded_ids: bool = Field(
        False, description="Take a MESSAGE_ID that a spreadsheet has rounded."
    )
    delimiter: str | None = Field(None, description="CSV: ; or tab.", min_length=1, max_length=10)
    # The limits of Excel: 31 characters in the name of a sheet, 1,048,576 rows in a sheet.
    sheet: str | None = Field(None, description="XLSX: the sheet.", min_length=1, max_length=31)
    header_row: int | None = Field(
        None, description="XLSX: the row that names the columns.", ge=1, le=1_048_576
    )
    time: datetime | None = Field(None, description="PROCESSED_AT. Default: now.")
    max_rejected: MaxRejected | None = Field(
        None, description="Fail if more rows are rejected: a number, or a share: 5%. Default: 10%."
    )

    def as_options(self, tables: Sequence[str]) -> RunOptions:
        """The body as options of a run. Raises `HTTPException` for a table that is not allowed."""
        # The list guards tables that the function's user may read, and callers shall not.
        table = self.table or tables[0]
        if table not in tables:
            raise HTTPException(403, f"table: this function ranks only {', '.join(tables)}")
        return RunOptions(
            table=table,
            hierarchy=self.hierarchy,
            mapping=tuple(self.mapping),
            types=tuple(self.types),
            date_formats=tuple(self.date_format),
            accept_rounded_ids=self.accept_rounded_ids,
            delimiter=self.delimiter,
            sheet=self.sheet,
            header_row=self.header_row,
            processed_at=self.time,
            max_rejected=self.max_rejected,
        )


_ERROR_RESPONSES: dict[int | str, JsonObject] = {
    status: {"model": ErrorAnswer, "description": description}
    for status, description in {
        400: "The parameters contradict each other.",
        404: "There is no such table, run or path.",
        422: "Parameters or data are invalid.",
        502: "AWS refused or did not answer.",
        503: "The database is not reachable or refuses the login, or a setting is missing.",
    }.items()
}


class StageApplication:
    """The application behind an API Gateway, whose stage comes first in every path: /prod/colors.

    An HTTP API sends the path with its stage, a REST API without it.
    """

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say to the application which part of the path is the stage."""
        context = scope["aws.event"]["requestContext"]
        stage, path = f"/{context.get('stage')}", scope["path"]
        if f"{path}/".startswith(f"{stage}/"):
            scope = {**scope, "root_path": stage}
        elif f"{context.get('path')}/".startswith(f"{stage}/"):
            scope = {**scope, "root_path": stage, "path": stage + path}
        await self._application(scope, receive, send)


def create_application(service: Callable[[], Service], tables: Sequence[str]) -> FastAPI:
    """Create the application. It calls `service` for each request.

    Callers may rank and publish `tables`. If there are none, the application only reads.
    """
    app = FastAPI(
        title="MarketPulse",
        version=__version__,
        summary="Bond market colors: tables, runs, and published colors.",
        responses=_ERROR_RESPONSES,
    )
    app.add_exception_handler(MarketPulseError, _answer_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    app.add_exception_handler(HTTPException, _answer_http_error)
    _add_database_routes(app, service)
    _add_run_route(app, service, tables)
    _add_published_routes(app, service)
    return app


def _add_database_routes(app: FastAPI, service: Callable[[], Service]) -> None:
    # `async` keeps it out of the thread pool: all its threads may wait for the database.
    @app.get("/health", tags=["service"])
    async def health() -> Health:
        """Check that the service answers. It asks no other system."""
        return Health(status="ok", version=__version__)

    @app.get("/tables", tags=["database"])
    def tables() -> list[JsonObject]:
        """List the tables of the database."""
        return service().tables()

    # `:path` because names of tables may have slashes.
    @app.get("/tables/{table:path}/schema", tags=["database"])
    def schema(
        table: Annotated[
            str,
            Path(
                min_length=1, max_length=_LONGEST_TABLE, openapi_examples=_example("COLORS_TABLE")
            ),
        ],
    ) -> JsonObject:
        """Describe a table: columns, keys and comments."""
        return service().schema(table)


def _add_run_route(app: FastAPI, service: Callable[[], Service], tables: Sequence[str]) -> None:
    if not tables:

        @app.post("/runs", include_in_schema=False)
        async def refuse() -> None:
            """Say why there are no runs over HTTP."""
            raise HTTPException(403, "runs over HTTP are off: MARKETPULSE_HTTP_TABLES is not set")

        return

    forbidden: JsonObject = {"model": ErrorAnswer, "description": "The table is not allowed."}
    responses: dict[int | str, JsonObject] = {201: _example_answer(_SUMMARY), 403: forbidden}

    @app.post("/runs", status_code=201, responses=responses, tags=["runs"])
    def run(request: Request, response: Response, body: RunBody | None = None) -> JsonObject:
        """Rank the colors now and publish them. The same rows again change nothing.

        The status is 200 if no color is left: then nothing is published.
        """
        body = body or RunBody.model_validate({})
        published = service().run(body.as_options(tables), _request_id(request))
        if published.receipt is None:
            response.status_code = 200
        return published.as_json()


def _add_published_routes(app: FastAPI, service: Callable[[], Service]) -> None:
    @app.get("/runs/{run_id}", responses={200: _example_answer(_SUMMARY)}, tags=["runs"])
    def summary(
        run_id: Annotated[
            str,
            Path(
                pattern="^([0-9a-f]{16}|latest)$",
                description="The id of a run, or latest.",
                openapi_examples=_example("latest"),
            ),
        ],
        day: DayParameter = None,
    ) -> JsonObject:
        """Show the summary of a published run."""
        return service().summary(None if run_id == "latest" else run_id, day)

    @app.get("/colors", responses={200: _example_answer(_COLORS)}, tags=["runs"])
    def colors(
        request: Request,
        cusip: Annotated[str | None, Query(max_length=100)] = None,
        sector: Annotated[str | None, Query(max_length=400)] = None,
        dealer: Annotated[str | None, Query(max_length=400, description="SOURCE.")] = None,
        on: Annotated[
            date | None, Query(alias="date", description="Day of the color, UTC.")
        ] = None,
        parents: Annotated[bool, Query(description="Parents only.")] = False,
        run_id: Annotated[
            str | None,
            Query(alias="run", pattern="^[0-9a-f]{16}$", description="Default: the latest run."),
        ] = None,
        day: DayParameter = None,
        limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
        offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    ) -> Response:
        """Show published colors in order: by CUSIP, each parent before its children."""
        unknown = sorted(set(request.query_params) - _COLOR_PARAMETERS)
        if unknown:  # ignored, a misspelt filter would return all colors
            raise UsageError(f"there is no filter {', '.join(map(repr, unknown))}", hint=_DOCS_HINT)
        selection = Filter(
            cusip=cusip,
            sector=sector,
            dealer=dealer,
            date=on,
            parents=parents,
            limit=limit,
            offset=offset,
        )
        actual_id, rows = service().colors(run_id, selection, day)
        # Bytes, not objects: JSON of DuckDB keeps digits that a float would lose.
        content = b'{"run_id": "%b", "colors": %b}' % (actual_id.encode(), rows.strip())
        if len(content) > _MAX_ANSWER_SIZE:
            raise UsageError(
                f"the answer would have {len(content):,} bytes; the limit is {_MAX_ANSWER_SIZE:,}",
                hint=f"request fewer colors: a limit below {limit}",
            )
        return Response(content, media_type="application/json")


def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, MarketPulseError)  # noqa: S101 - registered for this class
    fields = {"request_id": _request_id(request), **error.as_json()}
    _log.error("failed", extra={"fields": fields})
    return JSONResponse({"error": error.as_json()}, _STATUS.get(error.exit_code, 500))


def _answer_invalid_request(_request: Request, error: Exception) -> Response:
    """Answer a request with invalid parameters. The message does not repeat their values."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    reasons = [f"{' '.join(map(str, reason['loc']))}: {reason['msg']}" for reason in error.errors()]
    # Our own form of an error instead of FastAPI's: callers need to read one only.
    usage = UsageError("; ".join(reasons), hint=_DOCS_HINT)
    return JSONResponse({"error": usage.as_json()}, 422)


def _answer_http_error(_request: Request, error: Exception) -> Response:
    """Answer a request for an unknown path or method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    usage = UsageError(str(error.detail), hint=_DOCS_HINT)
    return JSONResponse({"error": usage.as_json()}, error.status_code, error.headers)


def _request_id(request: Request) -> str:
    """The id of the request in Lambda, empty elsewhere."""
    return str(getattr(request.scope.get("aws.context"), "aws_request_id", ""))


def _example_answer(content: JsonObject) -> JsonObject:
    return {"content": {"application/json": {"example": content}}}


def _example(value: str) -> dict[str, Example]:
    return {value: {"value": value}}
