"""The jobs of the function: runs that change nothing, rules from the bucket, runs that fail."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from function.helpers import AT, Cloud, ask, call
from s3_server import Object, Store
from support import COLORS, DAY, ROOT, Tool

from marketpulse.colors.options import RunOptions
from marketpulse.colors.query import Filter
from marketpulse.errors import AwsError, DataError, MarketPulseError, UsageError
from marketpulse.function.service import Service


def test_the_same_rows_again_change_nothing(cloud: Cloud) -> None:
    """The same event again, or later with the same rows, writes nothing."""
    call({"time": AT})
    writes, objects = cloud.writes(), cloud.objects()
    again = call({"time": AT})
    later = call({"time": "2026-03-13T10:00:00Z"})

    assert {pushed["action"] for pushed in again["push"]["objects"]} == {"skipped"}
    assert {pushed["action"] for pushed in later["push"]["objects"]} == {"kept", "skipped"}
    assert (later["processed_at"], later["files"]) == (again["processed_at"], again["files"])
    assert (cloud.writes(), cloud.objects()) == (writes, objects)


def test_rules_from_the_bucket_and_a_condition(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules may be an object; `where` goes to the database."""
    rule = {"type": "where", "column": "RANK", "operator": "equals", "value": 6}
    rules = {"rules": [{"id": 1, "name": "x", "is_active": True, "conditions": [rule]}]}
    monkeypatch.setenv("MARKETPULSE_RULES", "s3://colors/desk/rules.json")
    with pytest.raises(MarketPulseError, match="there are no such rules"):
        call({"time": AT})
    cloud.s3.put_object(Bucket="colors", Key="desk/rules.json", Body=json.dumps(rules).encode())
    everything = call({"time": AT})
    some = call({"time": AT, "where": "RANK < 6"})

    assert everything["excluded_by_rule"]["1"] == everything["rows"]["read"] - some["rows"]["read"]
    assert some["rows"]["excluded"] == 0
    assert everything["rules"] == some["rules"] == "s3://colors/desk/rules.json"
    again = call({"time": AT, "where": "RANK < 6"})
    assert {pushed["action"] for pushed in again["push"]["objects"]} == {"skipped"}


def test_a_query_instead_of_a_table(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The query of the settings is read unless a caller names a table; no caller brings one."""
    query = b"""-- the feed
        SELECT message_id, cusip, "DATE", rank, px, source, bias FROM market.colors_table
        WHERE rank <= 3;"""
    monkeypatch.setenv("MARKETPULSE_QUERY", "s3://colors/desk/feed.sql")
    with pytest.raises(MarketPulseError, match="there is no such query"):
        call({"time": AT})
    cloud.s3.put_object(Bucket="colors", Key="desk/feed.sql", Body=query)
    feed, table = call({"time": AT, "where": "RANK > 1"}), call({"time": AT, "table": "QUOTES"})

    assert 0 < feed["rows"]["read"] < table["rows"]["read"] == 200
    with pytest.raises(MarketPulseError, match="unknown keys: 'query'"):
        call({"time": AT, "query": "SELECT 1 FROM dual"})
    cloud.s3.put_object(Bucket="colors", Key="desk/feed.sql", Body=b"DELETE FROM colors_table")
    with pytest.raises(MarketPulseError, match="DELETE: it changes rows"):
        call({"time": AT})


def test_an_empty_set_never_replaces_a_good_one(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A run without usable rows, with too many rejected ones, or without rows publishes nothing."""
    day = tmp_path / "day.csv"
    monkeypatch.setenv("MARKETPULSE_SOURCE", str(day))
    monkeypatch.setenv("MARKETPULSE_HTTP_TABLES", "day")

    def rank(good: int, bad: int, **event: Any) -> Any:
        rows = [
            f"{number},037833100,1,2026-03-13,{'1' if number < good else 'x'}"
            for number in range(good + bad)
        ]
        day.write_text("\n".join(["MESSAGE_ID,CUSIP,RANK,DATE,PX", *rows]), encoding="utf-8")
        return call({"time": AT, **event})

    assert rank(9, 1)["rows"]["rejected"] == 1
    before = cloud.writes()
    with pytest.raises(DataError, match="none of the 5 rows can be used: PX: 'x'"):
        rank(0, 5)
    with pytest.raises(DataError, match=r"11 of 100 rows .* --max-rejected 10%"):
        rank(89, 11)
    with pytest.raises(DataError, match="--max-rejected 5%"):
        rank(9, 1, max_rejected="5%")
    assert ask("/runs", method="POST")[0] == 201  # the tenth is within the limit
    body = json.dumps({"max_rejected": "5%"})
    assert ask("/runs", method="POST", body=body)[0] == 422
    empty = rank(0, 0)
    assert (empty["rows"]["read"], empty["push"]) == (0, None)
    assert "no color is left" in empty["unpublished"]
    assert ask("/runs", method="POST")[0] == 200
    assert cloud.writes() == before
    assert rank(89, 11, max_rejected=11)["rows"]["rejected"] == 11


def test_the_condition_of_the_guide(cloud: Cloud) -> None:
    """The condition in docs/devops.md selects the rows of today."""
    guide = (ROOT / "docs/devops.md").read_text(encoding="utf-8")
    (where,) = re.findall(r'where = "(.*)" }', guide)
    none = call({"time": AT, "where": where.replace('\\"', '"')})
    every = call({"time": AT, "where": where.replace('\\"', '"').replace(">=", "<")})

    assert none["rows"]["read"] == 0
    assert every["rows"]["read"] > 100
    assert any("SYSDATE" in statement.sql for statement in cloud.database.record.statements)


@pytest.mark.parametrize(
    ("bucket", "message"),
    [
        ("colors", "s3://colors/ answers"),
        ("s3://colors/processed_colors/", "s3://colors/processed_colors answers"),
        ("colors/processed_colors", "s3://colors/processed_colors answers"),
        ("no-such-bucket", "there is no bucket no-such-bucket"),
    ],
)
def test_doctor_reads_from_the_bucket(tool: Tool, bucket: str, message: str) -> None:
    """`doctor --bucket` asks as a push does: below the prefix."""
    done = tool.run("doctor", "--bucket", bucket)

    assert message in done.out
    assert done.code == (0 if "answers" in message else 8), done.out


@pytest.mark.usefixtures("cloud")
def test_events_say_how_files_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The delimiter, and the types of further columns, as on the command line."""
    day = tmp_path / "day.csv"
    monkeypatch.setenv("MARKETPULSE_SOURCE", str(day))
    day.write_text(
        "MESSAGE_ID;CUSIP;RANK;DATE;PX;SPREAD\n1;037833100;1;2026-03-13;98.5;9\n"
        "2;037833100;1;2026-03-13;98.5;x\n3;037833100;1;2026-03-13;98.5;10\n",
        encoding="utf-8",
    )
    event = {"time": AT, "delimiter": ";", "types": ["SPREAD=number"], "max_rejected": 1}
    answer = call(event)
    assert (answer["rows"]["read"], answer["rows"]["rejected"]) == (3, 1)
    assert answer["types"] == {"SPREAD": "number"}
    with pytest.raises(UsageError, match="--sheet: the input is not XLSX"):
        call({"time": AT, "sheet": "Colors"})


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("GET rules.json", "s3://colors/rules.json: the deadline passed"),
        ("GET day.csv", "s3://colors/day.csv: the deadline passed"),
        ("PUT p/date=.*", "s3://colors/p: the deadline (of .* has )?passed"),
        ("PUT p/runs/.*", "s3://colors/p: the deadline (of .* has )?passed"),
    ],
)
def test_a_silent_store(
    store: Store, monkeypatch: pytest.MonkeyPatch, place: str, message: str
) -> None:
    """MARKETPULSE_DEADLINE bounds a call, whatever it waits for in S3."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", store.url)
    rules = (DAY / "rules.json").read_bytes()
    for name, content in {"rules.json": rules, "day.csv": COLORS.read_bytes()}.items():
        store.objects[name] = Object(content, "etag", {})
    service = Service(
        {
            "MARKETPULSE_SOURCE": "s3://colors/day.csv",
            "MARKETPULSE_RULES": "s3://colors/rules.json",
            "MARKETPULSE_PUSH": "s3://colors/p",
            "MARKETPULSE_DEADLINE": "2",
        }
    )
    store.silence(place)
    began = time.monotonic()
    with pytest.raises(AwsError, match=message):
        service.run(RunOptions())
    assert time.monotonic() - began < 10
    assert store.read("p/latest.json") is None or place.startswith("PUT p/runs")


@pytest.mark.parametrize("place", ["GET .*latest.json list-type", "GET .*parquet"])
def test_readers_of_a_silent_store(
    store: Store, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Readers of published runs wait no longer than MARKETPULSE_DEADLINE either."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", store.url)
    names = {"MARKETPULSE_SOURCE": "demo", "MARKETPULSE_PUSH": "s3://colors/p"}
    Service(names).run(RunOptions(table="COLORS"))
    service = Service({**names, "MARKETPULSE_DEADLINE": "0.5"})
    store.silence(place)
    with pytest.raises(AwsError, match="s3://colors/p: the deadline passed"):
        service.colors(None, Filter())
