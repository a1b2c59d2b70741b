"""A database that has been started is used once."""

from marketpulse.colors.database import new_database, start_database


def test_a_started_database_is_taken_by_one_run() -> None:
    """The next has its own: a table of one is none of the other's."""
    start_database()
    with new_database() as started, new_database() as other:
        started.execute("CREATE TABLE rejections AS SELECT 1 AS n")
        assert other.sql("SHOW TABLES").fetchall() == []
        assert started.sql("SHOW TABLES").fetchall() == [("rejections",)]
