"""HTTP: the same jobs for programs of the company, with an OpenAPI document that describes them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from marketpulse.colors.options import RunOptions
from marketpulse.colors.query import Filter
from marketpulse.errors import MarketPulseError, UsageError
from marketpulse.function.service import Service
from marketpulse.version import __version__

_log = logging.getLogger(__name__)
# By exit code; a fault of ours stays a 500.
_STATUS = {2: 400, 3: 503, 4: 503, 5: 503, 6: 404, 7: 422, 8: 502}
_FILTERS = {"cusip", "sector", "dealer", "date", "parents", "run", "limit", "offset"}
_MOST_BYTES = 4_500_000  # of an answer: as a text in JSON it becomes more, and Lambda takes 6 MB
_HOW_TO_ASK = "/docs shows what is asked for, with examples"
_RUN_ID = "c168926d4ecff396"
_SUMMARY: dict[str, Any] = {
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
_FAULT: dict[str, Any] = {
    "error": {
        "check": "MP-SRC-001",
        "message": "there is no table 'COLOR'",
        "hint": "did you mean: COLORS",
        "exit_code": 6,
    }
}


class Fault(BaseModel):
    """What went wrong, and what to do."""

    check: str
    message: str
    hint: str
    exit_code: int


class Failed(BaseModel):
    """The answer in place of a result."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FAULT]})

    error: Fault


class Health(BaseModel):
    """That the service answers, and in which version."""

    status: str = Field(examples=["ok"])
    version: str = Field(examples=[__version__])


class RunAsked(BaseModel):
    """A run to be made now. Everything may be left out."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"hierarchy": "date,rank,price"}]},
    )

    table: str | None = Field(None, description="Else ORACLE_TABLE_NAME.", max_length=261)
    where: str | None = Field(
        None,
        description="Only rows of which this condition is true, in Oracle's words.",
        max_length=4000,
    )
    hierarchy: Literal[
        "rank,date,price",
        "rank,price,date",
        "date,rank,price",
        "date,price,rank",
        "price,rank,date",
        "price,date,rank",
    ] = Field("rank,date,price", description="Which key comes first.")
    mapping: list[str] = Field(
        default=[], description="Which column is which: price=MID_PRICE.", max_length=50
    )
    time: datetime | None = Field(None, description="What PROCESSED_AT says; else now.")
    max_rejected: str | None = Field(
        None,
        description="Fail where more rows are rejected: 50, or a share: 5%. Else 10%.",
        pattern="^[0-9]{1,18}$|^[0-9]{1,2}([.][0-9]{1,9})?%$|^100%$",
    )


_faults: dict[int | str, dict[str, Any]] = {
    status: {"model": Failed, "description": said}
    for status, said in {
        400: "The question does not fit together.",
        404: "There is no such thing.",
        422: "The data or the words of the question are not what they should be.",
        502: "AWS does not do it.",
        503: "The database cannot be reached or refuses the login, or a setting is missing.",
    }.items()
}


def application(service: Callable[[], Service]) -> FastAPI:
    """The application; what it works with is asked for when a question comes."""
    app = FastAPI(
        title="MarketPulse",
        version=__version__,
        summary="Bond market colors: tables, runs, and the colors that are published.",
        responses=_faults,
    )
    app.add_exception_handler(MarketPulseError, _failed)
    app.add_exception_handler(RequestValidationError, _misasked)
    app.add_exception_handler(HTTPException, _unknown)
    _add_database(app, service)
    _add_published(app, service)
    return app


def _add_database(app: FastAPI, service: Callable[[], Service]) -> None:
    @app.get("/health", response_model=Health, tags=["service"])
    async def health() -> Any:  # beside all threads, which may wait for a database
        """Whether the service answers. Asks nobody else."""
        return {"status": "ok", "version": __version__}

    @app.get("/tables", tags=["database"])
    def tables() -> list[dict[str, Any]]:
        """The tables that the database shows us."""
        return service().tables()

    @app.get("/tables/{table:path}/schema", tags=["database"])  # there are slashes in names
    def schema(
        table: Annotated[
            str, Path(min_length=1, max_length=261, openapi_examples=_named("COLORS_TABLE"))
        ],
    ) -> dict[str, Any]:
        """A table's columns, keys and comments."""
        return service().schema(table)

    @app.post("/runs", status_code=201, responses={201: _example(_SUMMARY)}, tags=["runs"])
    def run(request: Request, asked: RunAsked | None = None) -> dict[str, Any]:
        """Rank the colors now and publish them. The same rows again change nothing."""
        asked = asked or RunAsked.model_validate({})
        options = RunOptions(
            table=asked.table,
            where=asked.where,
            hierarchy=asked.hierarchy,
            mapping=tuple(asked.mapping),
            processed_at=asked.time,
            max_rejected=asked.max_rejected,
        )
        return service().run(options, _request_id(request)).as_json()


def _add_published(app: FastAPI, service: Callable[[], Service]) -> None:
    @app.get("/runs/{run_id}", responses={200: _example(_SUMMARY)}, tags=["runs"])
    def found(
        run_id: Annotated[
            str,
            Path(
                pattern="^([0-9a-f]{16}|latest)$",
                description="A run's id, or latest.",
                openapi_examples=_named("latest"),
            ),
        ],
    ) -> dict[str, Any]:
        """The summary of a published run."""
        return service().latest() if run_id == "latest" else service().find(run_id)

    @app.get("/colors", responses={200: _example(_COLORS)}, tags=["runs"])
    def colors(
        request: Request,
        cusip: Annotated[str | None, Query(max_length=100)] = None,
        sector: Annotated[str | None, Query(max_length=400)] = None,
        dealer: Annotated[str | None, Query(max_length=400, description="SOURCE.")] = None,
        on: Annotated[date | None, Query(alias="date", description="The color's day, UTC.")] = None,
        parents: Annotated[bool, Query(description="Parents alone.")] = False,
        run_id: Annotated[
            str | None, Query(alias="run", pattern="^[0-9a-f]{16}$", description="Else the latest.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
        offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    ) -> Response:
        """Published colors in their order: CUSIP by CUSIP, each parent before its children."""
        if odd := sorted(set(request.query_params) - _FILTERS):
            raise UsageError(f"there is no filter {', '.join(map(repr, odd))}", hint=_HOW_TO_ASK)
        chosen = Filter(
            cusip=cusip,
            sector=sector,
            dealer=dealer,
            date=on,
            parents=parents,
            limit=limit,
            offset=offset,
        )
        found_in, rows = service().colors(run_id, chosen)
        content = b'{"run_id": "%b", "colors": %b}' % (found_in.encode(), rows.strip())
        if len(content) > _MOST_BYTES:
            raise UsageError(
                f"the answer would have {len(content):,} bytes of {_MOST_BYTES:,}",
                hint=f"ask for less at once: a limit below {limit}",
            )
        return Response(content, media_type="application/json")


def _failed(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, MarketPulseError)  # noqa: S101 - it is what this is registered for
    told = {"request_id": _request_id(request), **fault.as_json()}
    _log.error("failed", extra={"fields": told})
    return JSONResponse({"error": fault.as_json()}, _STATUS.get(fault.exit_code, 500))


def _request_id(request: Request) -> str:
    return str(getattr(request.scope.get("aws.context"), "aws_request_id", ""))


def _misasked(_request: Request, fault: Exception) -> Response:
    """What is wrong with the words of a question; what was sent is not repeated."""
    assert isinstance(fault, RequestValidationError)  # noqa: S101 - so too
    wrong = [f"{' '.join(map(str, it['loc']))}: {it['msg']}" for it in fault.errors()]
    told = UsageError("; ".join(wrong), hint=_HOW_TO_ASK)
    return JSONResponse({"error": told.as_json()}, 422)


def _unknown(_request: Request, fault: Exception) -> Response:
    """A path or a method that is none."""
    assert isinstance(fault, HTTPException)  # noqa: S101 - so too
    told = UsageError(str(fault.detail), hint=_HOW_TO_ASK)
    return JSONResponse({"error": told.as_json()}, fault.status_code, fault.headers)


def _example(content: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"example": content}}}


def _named(value: str) -> Any:
    return {value: {"value": value}}
