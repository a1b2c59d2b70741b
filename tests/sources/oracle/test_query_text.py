"""What may be sent as a query, and what is refused, by which word."""

import pytest

from marketpulse.errors import UsageError
from marketpulse.sources.oracle.query_text import parse_query, read_query

FEED = """-- the feed of the desk
WITH quotes AS (
    SELECT /*+ PARALLEL(q 4) */ message_id, cusip, bid, ask, kind FROM quotes_table q
), ranked AS (
    SELECT q.*, CASE kind WHEN 'TRADE; done' THEN 1 WHEN 'BID' THEN 3 ELSE 6 END AS rank,
           ROW_NUMBER() OVER (PARTITION BY cusip ORDER BY message_id DESC NULLS LAST) AS place
      FROM quotes q
)
SELECT TO_CHAR(message_id) AS message_id, cusip, rank, NVL(bid, ask) AS px
  FROM ranked /* not; the end */ WHERE place = 1"""

ACCEPTED = {
    "plain": "SELECT 1 FROM dual",
    "lower case": "select cusip from colors",
    "CTEs": FEED,
    "recursive": "WITH t (n) AS (SELECT 1 FROM dual UNION ALL SELECT n + 1 FROM t WHERE n < 5) "
    "SELECT n FROM t",
    "comment first": "/* why */ SELECT 1 FROM dual",
    "hint": "SELECT /*+ FULL(c) */ cusip FROM colors c",
    "comment of an other statement": "SELECT 1 -- DROP TABLE colors;\nFROM dual",
    "text of another statement": "SELECT 'DELETE FROM x; COMMIT' FROM dual",
    "quoted names": 'SELECT "UPDATE", ";", "INTO" FROM "DELETE"',
    "doubled quotes": "SELECT 'it''s; so', \"a;b\" FROM dual",
    "q brackets": "SELECT q'[it's; FOR UPDATE]' FROM dual",
    "q exclamation": "SELECT nq'!a'b;!' FROM dual",
    "UNION": "SELECT 1 FROM dual UNION ALL SELECT 2 FROM dual",
    "MINUS in parentheses": "(SELECT 1 FROM dual) MINUS (SELECT 2 FROM dual)",
    "analytic": "SELECT LAG(px) OVER (PARTITION BY cusip ORDER BY d) FROM colors",
    "LISTAGG": "SELECT LISTAGG(cusip, ';') WITHIN GROUP (ORDER BY cusip) FROM colors",
    "PIVOT": "SELECT * FROM t PIVOT (MAX(px) FOR kind IN ('BID' AS bid, 'OFFER' AS offer))",
    "MODEL": "SELECT * FROM t MODEL DIMENSION BY (y) MEASURES (p) RULES UPDATE (p[2026] = 1)",
    "MATCH_RECOGNIZE": "SELECT * FROM t MATCH_RECOGNIZE (ORDER BY d PATTERN (^ a+? b{2,3} $) "
    "DEFINE a AS px > 1)",
    "JSON_TRANSFORM": "SELECT JSON_TRANSFORM(doc, INSERT '$.a' = 1, RENAME '$.b' = 'c') FROM t",
    "XMLTABLE": "SELECT x.* FROM XMLTABLE('for $i in /a return $i' PASSING doc COLUMNS b "
    "NUMBER PATH '@b') x",
    "a subquery named function": "WITH function AS (SELECT 1 n FROM dual) SELECT n FROM function",
    "a link": "SELECT cusip FROM colors@archive",
    "flashback": "SELECT cusip FROM colors AS OF TIMESTAMP SYSDATE - 1",
    "binds": "SELECT cusip FROM colors WHERE day >= TO_DATE(:day, 'YYYY-MM-DD') AND rank < :1",
    "floats": "SELECT 1.5D, 2f, .5 FROM dual",
    "division on a line of its own": "SELECT a\n/\nb FROM t",
    "a column MERGE": "SELECT merge, comment FROM t",
}
TERMINATED = {
    "semicolon": "SELECT 1 FROM dual;",
    "semicolon and comment": "SELECT 1 FROM dual ; -- the end; really",
    "SQL*Plus": "SELECT 1 FROM dual\n/\n",
    "both": "SELECT 1 FROM dual;\n/\n",
    "blank": "\n\n  SELECT 1 FROM dual  \n",
}
REFUSED = {
    "INSERT": ("INSERT INTO t SELECT * FROM u", "INSERT: it changes rows"),
    "UPDATE": ("update t set a = 1", "update: it changes rows"),
    "DELETE": ("/* SELECT */ DELETE FROM t", "DELETE: it changes rows"),
    "MERGE": ("MERGE INTO t USING u ON (1=1) WHEN MATCHED THEN UPDATE SET a = 1", "MERGE: it"),
    "WITH and DELETE": ("WITH a AS (SELECT 1 FROM dual) DELETE FROM t", "DELETE: it changes rows"),
    "CREATE": ("CREATE TABLE t AS SELECT 1 FROM dual", "CREATE: it changes the database"),
    "DROP": ("DROP TABLE t", "DROP: it changes the database"),
    "TRUNCATE": ("TRUNCATE TABLE t", "TRUNCATE: it changes the database"),
    "GRANT": ("GRANT SELECT ON t TO u", "GRANT: it changes the database"),
    "ALTER SESSION": ("ALTER SESSION SET NLS_SORT = 'X'", "ALTER: it changes"),
    "BEGIN": ("BEGIN p; END;", "BEGIN: it is PL/SQL"),
    "DECLARE": ("DECLARE x NUMBER; BEGIN NULL; END;", "DECLARE: it is PL/SQL"),
    "CALL": ("CALL p(1)", "CALL: it calls a procedure"),
    "EXEC": ("EXEC p", "EXEC: it calls a procedure"),
    "ODBC call": ("{call p(1)}", "{: it calls a procedure"),
    "WITH FUNCTION": (
        "WITH FUNCTION f RETURN NUMBER IS BEGIN RETURN 1; END; SELECT f FROM dual",
        "WITH FUNCTION: it is PL/SQL",
    ),
    "SELECT INTO": ("SELECT 1 INTO x FROM dual", "INTO: it is PL/SQL"),
    "FOR UPDATE": ("SELECT * FROM t\nFOR   UPDATE NOWAIT", "line 2: FOR UPDATE: it locks rows"),
    "two statements": ("SELECT 1 FROM dual; SELECT 2 FROM dual", ";: another statement follows"),
    "two of SQL*Plus": ("SELECT 1 FROM dual\n/\nDELETE FROM t", "/: another statement"),
    "two by a slash": ("SELECT 1 FROM dual\n/\nSELECT 2 FROM dual", "/: another statement"),
    "COMMIT": ("COMMIT", "COMMIT: it changes the session"),
    "LOCK": ("LOCK TABLE t IN EXCLUSIVE MODE", "LOCK: it changes the session"),
    "EXPLAIN": ("EXPLAIN PLAN FOR SELECT 1 FROM dual", "EXPLAIN: it writes"),
    "sequence": ("SELECT s.NEXTVAL FROM dual", "NEXTVAL: it changes a sequence"),
    "substitution": ("SELECT * FROM t WHERE d = &day", "&: SQL[*]Plus variables"),
    "SQL*Plus settings": ("SPOOL out.csv", "SPOOL: it is a SQL[*]Plus command"),
    "nothing": ("-- nothing\n", "it is empty"),
    "only a semicolon": (";", "it is empty"),
    "no query": ("colors", "colors: a query begins with SELECT or WITH"),
    "an open text": ("SELECT 'a FROM dual", "its end is missing"),
    "an open comment": ("SELECT 1 /* FROM dual", "the comment has no end"),
    "open parenthesis": ("SELECT (1 FROM dual", "a parenthesis is not closed"),
    "closed parenthesis": ("SELECT 1) FROM dual", r"\): this parenthesis was not opened"),
}


@pytest.mark.parametrize("query", ACCEPTED.values(), ids=ACCEPTED)
def test_queries_are_sent_as_written(query: str) -> None:
    """One SELECT passes unchanged, whatever its comments, texts and names hold."""
    assert parse_query(query) == query


@pytest.mark.parametrize("query", TERMINATED.values(), ids=TERMINATED)
def test_an_end_is_left_out(query: str) -> None:
    """What ends a statement in other tools is not sent."""
    assert parse_query(query) == "SELECT 1 FROM dual"


@pytest.mark.parametrize(("query", "reason"), REFUSED.values(), ids=REFUSED)
def test_other_statements_are_refused(query: str, reason: str) -> None:
    """What is not one SELECT that only reads is refused by its name."""
    with pytest.raises(UsageError, match=reason) as caught:
        parse_query(query, "feed.sql")
    assert caught.value.message.startswith("feed.sql")
    assert caught.value.check == "MP-USE-004"


def test_files() -> None:
    """A query's table is named after its file; its text is UTF-8, with or without a mark."""
    content = "\ufeff\n  SELECT 'é' FROM dual WHERE :day = 5;\n".encode()
    paths = {"-": "query", "sql/feed.sql": "feed", "s3://b/k/day.v2.sql": "day.v2"}
    queries = [read_query(content, path, ["day=5"]) for path in paths]
    assert [query.name for query in queries] == [*paths.values()]
    assert [query.file for query in queries[:2]] == ["standard input", "sql/feed.sql"]
    assert (queries[0].text, queries[0].start, queries[0].binds) == (
        "SELECT 'é' FROM dual WHERE :day = 5", (2, 3), {"day": "5"},
    )  # fmt: skip
    with pytest.raises(UsageError, match=r"feed\.sql: byte 8 is not UTF-8"):
        read_query(b"SELECT '\xe9'", "feed.sql")
