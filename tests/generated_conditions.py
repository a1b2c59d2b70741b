"""Generated rows and conditions, each spelled for Oracle and for other engines that know it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import pyarrow as pa
from hypothesis import strategies as st

# A condition or a value, by the name of the engine that it is spelled for.
Spelled = dict[str, str]

_POSTGRESQL, _MARIADB = "PostgreSQL", "MariaDB"
_NAMES = (
    *("MESSAGE_ID", "TICKER", "SECTOR", "CUSIP", "DATE", "PX", "SOURCE", "BIAS", "RANK"),
    *("CONFIDENCE", "DATE_1", "NOTE"),
)
_TYPES = {
    _POSTGRESQL: {"number": "numeric", "date": "timestamp(0)", "text": "varchar(60)"},
    _MARIADB: {"number": "decimal(20, 6)", "date": "datetime", "text": "varchar(60)"},
}
_KINDS = {
    **dict.fromkeys(("MESSAGE_ID", "PX", "RANK", "CONFIDENCE"), "number"),
    **dict.fromkeys(("DATE", "DATE_1"), "date"),
}


def _definition(engine: str, name: str) -> str:
    quoted = f'"{name.lower() if engine == _POSTGRESQL else name}"'
    kind = "int" if name == "MESSAGE_ID" else _TYPES[engine][_KINDS.get(name, "text")]
    return f"{quoted} {kind}"


COLUMNS = {engine: ", ".join(_definition(engine, name) for name in _NAMES) for engine in _TYPES}


@dataclass(frozen=True)
class Rows:
    """Rows as text."""

    cells: list[list[str | None]]

    def typed(self) -> pa.RecordBatch:
        """Return the rows in their types; an empty text is null to Oracle."""
        arrays: dict[str, pa.Array] = {}
        for place, name in enumerate(_NAMES):
            column = [row[place] for row in self.cells]
            kind = _KINDS.get(name, "text")
            if name == "MESSAGE_ID":
                arrays[name] = pa.array([int(cell or 0) for cell in column])
            elif kind == "number":
                numbers = [None if cell is None else Decimal(cell) for cell in column]
                arrays[name] = pa.array(numbers, pa.decimal128(12, 3))
            elif kind == "date":
                dates = [None if cell is None else datetime.fromisoformat(cell) for cell in column]
                arrays[name] = pa.array(dates, pa.timestamp("s"))
            else:
                arrays[name] = pa.array(column, pa.string())
        return pa.RecordBatch.from_pydict(arrays)


_texts = st.none() | st.text("aAbB %_x", min_size=1, max_size=6)
_numbers = st.none() | st.decimals(-500, 500, places=3).map(str)
_dates = st.none() | st.datetimes(datetime(1999, 1, 1), datetime(2031, 12, 31)).map(  # noqa: DTZ001 - a DATE has no zone
    lambda timestamp: timestamp.strftime("%Y-%m-%d %H:%M:%S")
)
_days = st.dates(datetime(1999, 1, 1).date(), datetime(2031, 12, 31).date())  # noqa: DTZ001 - the same
_row = st.tuples(
    *(
        {"number": _numbers, "date": _dates, "text": _texts}[_KINDS.get(name, "text")]
        for name in _NAMES[1:]
    )
)
rows = st.lists(_row, min_size=1, max_size=8).map(
    lambda drawn: Rows([[str(number), *row] for number, row in enumerate(drawn, 1)])
)


def _all(text: str) -> Spelled:
    return dict.fromkeys(("Oracle", _POSTGRESQL, _MARIADB), text)


def _column(name: str) -> Spelled:
    return {"Oracle": name, _POSTGRESQL: f'"{name.lower()}"', _MARIADB: f'"{name}"'}


def _apply(oracle: str, *parts: Spelled, **others: str | None) -> Spelled:
    """Fill a template for each engine that knows all parts; None is an engine without it."""
    templates = {"Oracle": oracle, _POSTGRESQL: oracle, _MARIADB: oracle, **others}
    return {
        engine: template.format(*(part[engine] for part in parts))
        for engine, template in templates.items()
        if template is not None and all(engine in part for part in parts)
    }


def _function(
    oracle: str, *arguments: st.SearchStrategy[Spelled], **others: str | None
) -> st.SearchStrategy[Spelled]:
    return st.tuples(*arguments).map(lambda parts: _apply(oracle, *parts, **others))


def _text_function(
    oracle: str, *arguments: st.SearchStrategy[Spelled], **others: str | None
) -> st.SearchStrategy[Spelled]:
    """A function whose empty result PostgreSQL has to be told is null."""
    others.setdefault(_POSTGRESQL, oracle)
    others[_POSTGRESQL] = f"nullif({others[_POSTGRESQL]}, '')"
    return _function(oracle, *arguments, **others)


def _choice(*values: object) -> st.SearchStrategy[Spelled]:
    return st.sampled_from(values).map(lambda value: _all(str(value)))


_starts, _lengths = _choice(1, 2, 3, -1, -2, -9), _choice(1, 2, 9)
_positions, _occurrences = _choice(1, 2, -1, -2), _choice(1, 2)
_literals = st.text("aAbB x", min_size=1, max_size=3).map(
    lambda text: _all(f"'{text}'") | {_POSTGRESQL: f"'{text}'::varchar"}
)
_empty = st.just({"Oracle": "''", _POSTGRESQL: "NULL::varchar", _MARIADB: "''"})
_text = st.recursive(
    st.sampled_from(["NOTE", "BIAS", "SOURCE"]).map(_column) | _literals | _empty,
    lambda text: st.one_of(
        _text_function("SUBSTR({0}, {1}, {2})", text, _starts, _lengths),
        _text_function("UPPER({0})", text),
        _text_function("LOWER({0})", text),
        _text_function("TRIM({0})", text),
        _text_function("LTRIM({0}, 'ab')", text, MariaDB=None),
        _text_function("RTRIM({0}, 'b ')", text, MariaDB=None),
        _text_function("({0} || {1})", text, text, PostgreSQL="concat({0}, {1})"),
        _function("NVL({0}, {1})", text, text, PostgreSQL="coalesce({0}, {1})"),
        _function("COALESCE({0}, {1})", text, text),
        _function("GREATEST({0}, {1})", text, text, PostgreSQL="oracle.greatest({0}, {1})"),
    ),
    max_leaves=4,
)  # fmt: skip
_number = st.recursive(
    st.sampled_from(["RANK", "PX", "CONFIDENCE"]).map(_column)
    | st.integers(-20, 20).map(lambda value: _all(f"({value})")),
    lambda number: st.one_of(
        _function("({0} + {1})", number, number),
        _function("({0} - {1})", number, number),
        _function("({0} * 2)", number),
        _function("ABS({0})", number),
        _function("ROUND({0}, {1})", number, _choice(0, 1, 2, -1, -2)),
        _function("TRUNC({0}, {1})", number, _choice(0, 1, 2, -1), MariaDB="TRUNCATE({0}, {1})"),
        _function("MOD({0}, {1})", number, _choice(1, 2, 7)),
        _function("LENGTH({0})", _text),
        _function("INSTR({0}, 'a', {1}, {2})", _text, _positions, _occurrences, MariaDB=None),
        _function("NVL({0}, {1})", number, number, PostgreSQL="coalesce({0}, {1})"),
        _function("LEAST({0}, {1})", number, number, PostgreSQL="oracle.least({0}, {1})"),
        _function("DECODE({0}, {1}, 1, 0)", _text, _text, PostgreSQL=
                  "CASE WHEN {0} IS NOT DISTINCT FROM {1} THEN 1 ELSE 0 END"),
        _function("CASE WHEN {0} > {1} THEN {0} END", number, number),
    ),
    max_leaves=4,
)  # fmt: skip
_units = _choice("'YYYY'", "'Q'", "'MM'", "'IW'", "'DD'", "'HH24'", "'MI'")
_rounded_units = _choice("'YYYY'", "'Q'", "'MM'", "'DD'", "'HH24'", "'MI'")
_date = st.recursive(
    st.sampled_from(["DATE", "DATE_1"]).map(_column)
    | _days.map(lambda day: _all(f"DATE '{day}'") | {_POSTGRESQL: f"TIMESTAMP '{day}'"}),
    lambda date: st.one_of(
        _function("TRUNC({0}, {1})", date, _units, MariaDB=None),
        _function("ROUND({0}, {1})", date, _rounded_units, MariaDB=None),
        _function("({0} + {1})", date, _choice(1, 30, -400),
                  MariaDB="DATE_ADD({0}, INTERVAL {1} DAY)",
                  PostgreSQL="({0} + {1} * interval '1 day')"),
        _function("ADD_MONTHS({0}, {1})", date, _choice(1, 12, -1, 7), MariaDB=None,
                  PostgreSQL="add_months({0}, {1})"),
        _function("LAST_DAY(TRUNC({0}))", date, MariaDB=None),
        _function("NEXT_DAY({0}, 'FRIDAY')", date, MariaDB=None),
        _function("GREATEST({0}, {1})", date, date, PostgreSQL="oracle.greatest({0}, {1})"),
    ),
    max_leaves=3,
)  # fmt: skip
_models = _choice(
    *("'YYYY-MM-DD HH24:MI:SS'", "'YYYYMMDD'", "'DD-MON-YYYY'", "'Dy, DD Mon'", "'MONTH'", "'Q'"),
    *("'DDD'", "'IW'", "'WW'", "'W'", "'HH12:MI AM'", "'J'", "'SSSSS'", "'DAY'"),
)
_written = _function(
    "TO_CHAR({0}, {1})", _date, _models, MariaDB=None, PostgreSQL="pg_catalog.to_char({0}, {1})"
) | _function("TO_CHAR({0}, {1})", _number, _choice("'9990.00'", "'S9990.0'", "'FM99990.0'"),
              MariaDB=None, PostgreSQL="pg_catalog.to_char({0}::numeric, {1})")  # fmt: skip
_operators = _choice("=", "<>", "<", "<=", ">", ">=")


def _compared(value: st.SearchStrategy[Spelled]) -> st.SearchStrategy[Spelled]:
    return st.one_of(
        _function("{0} {2} {1}", value, value, _operators),
        _function("{0} BETWEEN {1} AND {2}", value, value, value),
        _function("{0} IN ({1}, {2})", value, value, value),
        _function("{0} NOT IN ({1}, {2})", value, value, value),
        _function("{0} IS NULL", value),
    )


_patterns = st.text("ab%_x", min_size=1, max_size=4).map(lambda text: _all(f"'{text}'"))
conditions: st.SearchStrategy[Spelled] = st.recursive(
    st.one_of(
        _compared(_text),
        _compared(_number),
        _compared(_date),
        _compared(_written),
        _function("{0} LIKE {1}", _text, _patterns),
        _function("{0} LIKE {1} ESCAPE 'x'", _text, st.just(_all("'ax%b%'"))),
    ),
    lambda condition: st.one_of(
        _function("({0} AND {1})", condition, condition),
        _function("({0} OR {1})", condition, condition),
        _function("NOT ({0})", condition),
    ),
    max_leaves=3,
)
