"""Generate colors that are as unkind as real ones, or more so: one argument for each property.

    PYTHONPATH=tests python -m benchmarks.colors day.csv --rows 1000000 --ties 0.75 --tail 1.6

The defaults are those of a real day: three of four rows repeat the CUSIP, rank, date and price of
another, and nearly all of these its MESSAGE_ID. The same arguments give the same file.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import duckdb

# What a share of the cells of PX and the other prices becomes, and of the dates.
SPELLINGS: Mapping[str, str] = {
    "plain": "{cell}",
    "zeros": "{cell} || '0'",
    "blanks": "' ' || {cell} || ' '",
    "exponent": "{cell} || 'e0'",
    "digits": "{cell} || '0000000000000000000000000000000000001'",
}
DATES: Mapping[str, str] = {
    "day": "CAST({day} AS VARCHAR)",
    "zulu": "{day} || 'T09:' || lpad(CAST(quote % 60 AS VARCHAR), 2, '0') || ':00Z'",
    "offset": "{day} || ' 09:' || lpad(CAST(quote % 60 AS VARCHAR), 2, '0') || ':00+02:00'",
}


@dataclass(frozen=True, kw_only=True)
class Colors:
    """The properties of generated colors."""

    rows: int = 1_000_000
    ties: float = 0.75  # the share of rows that repeat CUSIP, rank, date and price of another
    messages: float = 0.97  # the share of those that repeat the MESSAGE_ID, too
    tail: float = 1.6  # 1: all securities have about as many rows; above, few have many
    nulls: float = 0.01  # the share of empty cells in each column that may be empty
    lower: float = 0.03  # the share of CUSIPs in lower case or between blanks
    spelling: str = "plain"  # of prices, a key of SPELLINGS
    spelled: float = 0.01  # the share of prices with that spelling
    date: str = "day"  # of dates, a key of DATES

    def write(self, path: Path) -> None:
        """Write the colors to a file: Parquet with types if its name says so, else CSV."""
        with duckdb.connect() as connection:
            connection.execute(_DRAW)
            spelling = SPELLINGS[self.spelling]
            select = _SELECT.format(
                **asdict(self),
                securities=max(1, self.rows // 6),
                quotes=max(1, round(self.rows * (1 - self.ties))),
                price=spelling.format(cell="cell"),
                ask=spelling.format(cell="ask_cell"),
                cover=spelling.format(cell="cover_cell"),
                day=DATES[self.date].format(day="day"),
            )
            if path.suffix == ".parquet":
                select = f"SELECT * REPLACE ({_TYPES}) FROM ({select})"
            options = "FORMAT parquet" if path.suffix == ".parquet" else "HEADER"
            connection.execute(f"COPY ({select}) TO '{path}' ({options})")


_TYPES = ", ".join(
    [
        *(f"CAST({name} AS BIGINT) AS {name}" for name in ("MESSAGE_ID", "RANK", "CONFIDENCE")),
        *(
            f"CAST({name} AS DOUBLE) AS {name}"
            for name in ("PRICE_LEVEL", "BID", "ASK", "PX", "COV_PRICE", "PERCENT_DIFF")
        ),
        "CAST(PRICE_DIFF AS DOUBLE) AS PRICE_DIFF",
        'CAST("DATE" AS TIMESTAMP) AS "DATE"',
        "CAST(DATE_1 AS DATE) AS DATE_1",
    ]
)

# Rows of one quote tie: they have its security, rank, date, price and mostly its message. What else
# they have is each row's own. `draw` gives a number for a number and a
# purpose.
_DRAW = "CREATE MACRO draw(number, purpose) AS CAST(hash(number, purpose) >> 1 AS BIGINT)"
_SELECT = """
WITH rows AS (
    -- A multiplication shuffles: the factor is a prime that no number of rows contains.
    SELECT (i * 1000000007) % {rows} AS place,
        CASE WHEN place < {quotes} THEN place ELSE draw(place, 0) % {quotes} END AS quote,
    FROM range({rows}) numbers(i)
), quoted AS (
    SELECT place, quote,
        CAST(floor({securities} * pow(draw(quote, 1) / 9223372036854775808.0, {tail})) AS BIGINT)
            AS security,
        draw(quote, 2) % {rows} // 40 AS message,
        draw(quote, 3) % 5 + 2 AS rank,
        draw(quote, 4) AS fate,
        DATE '2026-02-28' + CAST(draw(quote, 5) % 14 AS INTEGER) AS day,
        round(90 + draw(quote, 6) % 960 / 96, CASE WHEN fate % 4 = 0 THEN 4 ELSE 2 END) AS price,
        draw(place, 7) AS own,
        own % 10000 / 10000 AS u,
        (own >> 14) % 10000 / 10000 AS v,
        (own >> 28) % 10000 / 10000 AS w,
        round(price + (own % 2001 - 1000) / 1871.0, 5) AS cover,
        round(abs(price - cover) * 100 / cover, 2) AS percent,
    FROM rows
), named AS (
    SELECT *, upper(printf('%08x', (security * 2654435761) % 4294967296)) || security % 10 AS code,
        ['BARC', 'BNP', 'BOA', 'CITI', 'GS', 'HSBC', 'JPM', 'MS', 'NOMURA', 'ODDO', 'PNCAP',
            'SANTANDER', 'SMBC', 'SOCGEN', 'STONEX', 'TD', 'WFC'][fate % 17 + 1] AS dealer,
        ['BWIC COVER', 'BID', 'OFFER', 'BWIC TALK', 'VALUATION'][rank - 1] AS kind,
    FROM quoted
), cells AS (
    SELECT *, CAST(price AS VARCHAR) AS cell, CAST(cover AS VARCHAR) AS cover_cell,
        CAST(round(price + fate % 9 * 0.0625, 3) AS VARCHAR) AS ask_cell
    FROM named
)
SELECT
    CAST(17700000000000000 + message * 42372476
        + CASE WHEN v < {messages} THEN 0 ELSE 1 + own % 5 END AS VARCHAR) AS MESSAGE_ID,
    ['ABCLO', 'KKR', 'GOCAP', 'AMMC', 'MAGNE', 'CGMS', 'OAKC', 'HLEND'][security % 8 + 1]
        || ' 20' || 12 + security % 14 || '-' || security % 99 || 'A ER' AS TICKER,
    ['2.0_AAA_Senior', '2.0_AAA_Mez', '2.0_Senior', '2.0_Mezz', 'MM-CLO', 'A_BSL'][security % 6 + 1]
        AS SECTOR,
    CASE WHEN w >= {lower} THEN code WHEN own % 3 = 0 THEN lower(code)
        WHEN own % 3 = 1 THEN ' ' || code ELSE code || '  ' END AS CUSIP,
    {day} AS "DATE",
    CASE WHEN u < {spelled} THEN {price} ELSE cell END AS PRICE_LEVEL,
    CASE WHEN rank = 4 THEN '0.0' WHEN u < {spelled} THEN {price} ELSE cell END AS BID,
    CASE WHEN u < {spelled} THEN {ask} ELSE ask_cell END AS ASK,
    CASE WHEN fate % 10000 < {nulls} * 10000 THEN NULL
        WHEN u < {spelled} THEN {price} ELSE cell END AS PX,
    CASE WHEN v > 0.2 THEN dealer WHEN v > 0.1 THEN dealer || ' '
        WHEN v > 0.05 THEN ' ' || dealer || ' ' ELSE left(dealer, 1) || lower(substr(dealer, 2)) END
        AS SOURCE,
    CASE WHEN w < 0.1 THEN lower(kind) ELSE kind END AS BIAS,
    CASE WHEN fate // 10000 % 10000 < {nulls} * 10000 THEN NULL ELSE CAST(rank AS VARCHAR) END
        AS RANK,
    CASE WHEN w < {nulls} THEN NULL WHEN u < {spelled} THEN {cover} ELSE cover_cell END
        AS COV_PRICE,
    CASE WHEN w < {nulls} THEN NULL ELSE CAST(percent AS VARCHAR) END AS PERCENT_DIFF,
    CASE WHEN w < {nulls} THEN NULL ELSE CAST(round(price - cover, 5) AS VARCHAR) END AS PRICE_DIFF,
    CASE WHEN u < 0.2 THEN CAST(own % 11 AS VARCHAR) ELSE '10' END AS CONFIDENCE,
    CAST(day - 1 AS VARCHAR) AS DATE_1,
    CASE WHEN percent < 0.5 THEN 'Small Difference' ELSE 'Significant Difference' END
        AS DIFF_STATUS,
    [NULL, NULL, 'talk only', 'comma, inside', 'said "firm"', E'two\nlines', 'NA', 'NULL', '0012',
        'é ü 東京'][own % 10 + 1] AS NOTE,
    [NULL, '1E5', '007', 'TRUE', 'x;y'][own // 10 % 5 + 1] AS DESK_CODE,
FROM cells
"""


def main() -> None:
    """Write the file that the command line describes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("path", type=Path)
    for field in fields(Colors):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    options = vars(parser.parse_args())
    path = options.pop("path")
    Colors(**options).write(path)


if __name__ == "__main__":
    main()
