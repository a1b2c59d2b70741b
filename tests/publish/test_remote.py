"""The same run again: at another time, on another day, at once, and after a failure."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from publish.helpers import (
    RUNS,
    digest,
    latest_of,
    ranked_again,
    send,
)
from s3_server import Object, Store, StoreFault

from marketpulse.errors import AwsError


def test_of_two_rankings_at_once_one_is_published(
    store: Store, runs: dict[str, Path], tmp_path: Path
) -> None:
    """The later of two pushes of the same rows waits, and finds the run published."""
    shutil.copytree(runs["one"], tmp_path / "later")
    ranked_again(tmp_path / "later")
    store.round_trip = 0.01
    for _ in range(3):
        store.objects.clear()
        with ThreadPoolExecutor(2) as pool:
            both = pool.map(
                lambda run: send(store, run, timeout=10), (runs["one"], tmp_path / "later")
            )
            actions = [{pushed.action for pushed in receipt.objects[:-1]} for receipt in both]
        assert sorted(actions, key=len) in ([{"sent"}, {"kept"}], [{"kept"}, {"sent"}])
        assert latest_of(store) == RUNS["one"]


def test_a_run_in_other_formats_or_on_another_day_stays(
    store: Store, runs: dict[str, Path]
) -> None:
    """The same rows are published once, with the first formats and the first day."""
    published = {pushed.key for pushed in send(store, runs["one"]).objects}
    seal = runs["one"] / "run_summary.json"
    summary = json.loads(seal.read_text())
    (runs["one"] / "c.csv").write_bytes(b"c")
    summary["files"].append({"name": "c.csv", "bytes": 1, "sha256": digest(b"c")})
    for timestamp in ("2026-03-13T23:40:00Z", "2026-03-14T00:10:00Z"):
        seal.write_text(json.dumps({**summary, "processed_at": timestamp}))
        receipt = send(store, runs["one"])
        assert {pushed.action for pushed in receipt.objects[:-1]} == {"kept"}
        assert {pushed.key for pushed in receipt.objects} == published == set(store.objects)
    lost = next(key for key in published if key.endswith("b.csv"))
    del store.objects[lost]
    assert send(store, runs["one"]).objects[0].action == "sent"
    assert latest_of(store) == RUNS["one"]


def test_a_run_that_lost_a_file_is_published_anew(store: Store, runs: dict[str, Path]) -> None:
    """A published run that lost a file is replaced when the same rows are ranked again."""
    send(store, runs["one"])
    del store.objects[next(key for key in store.objects if key.endswith("b.csv"))]
    ranked_again(runs["one"])
    with pytest.raises(AwsError, match="is not finished"):
        send(store, runs["one"])
    for stored in store.objects.values():
        stored.modified -= timedelta(minutes=21)
    receipt = send(store, runs["one"])
    assert {pushed.action for pushed in receipt.objects} <= {"sent", "skipped"}
    assert store.read(next(key for key in store.objects if key.endswith("a.csv"))) == b"of later"
    assert latest_of(store) == RUNS["one"]


def test_a_push_that_broke_off_does_not_block_the_next_ranking(
    store: Store, runs: dict[str, Path]
) -> None:
    """Files without a seal block a push for some minutes only; other people's objects always do."""
    store.choose_fault = lambda request: (
        StoreFault.DENIED if "PUT" in request and "run_summary" in request else None
    )
    with pytest.raises(AwsError):
        send(store, runs["one"])
    store.choose_fault = lambda _: None
    ranked_again(runs["one"])
    with pytest.raises(AwsError) as refused:
        send(store, runs["one"])
    assert refused.value.check == "MP-AWS-004"

    for stored in store.objects.values():
        stored.modified -= timedelta(minutes=21)
    receipt = send(store, runs["one"])
    assert {pushed.action for pushed in receipt.objects} == {"sent", "skipped"}
    assert latest_of(store) == RUNS["one"]

    folder = receipt.objects[0].key.rpartition("/")[0].replace(RUNS["one"], RUNS["two"])
    foreign = Object(b"not ours", "", {}, modified=datetime(2020, 1, 1, tzinfo=UTC))
    store.objects[f"{folder}/a.csv"] = foreign
    with pytest.raises(AwsError) as refused:
        send(store, runs["two"])
    assert refused.value.check == "MP-AWS-004"
    assert store.objects[f"{folder}/a.csv"] is foreign


def test_a_seal_with_a_damaged_time_is_sent_again(store: Store, runs: dict[str, Path]) -> None:
    """A published summary with a damaged PROCESSED_AT is replaced."""
    send(store, runs["one"])
    seal = next(stored for key, stored in store.objects.items() if key.endswith("run_summary.json"))
    whole, seal.content = seal.content, seal.content.replace(b"23:30", b"23:31")
    receipt = send(store, runs["one"])

    assert [pushed.action for pushed in receipt.objects] == ["skipped"] * 3 + ["sent"] * 2
    assert whole in [stored.content for stored in store.objects.values()]
    assert latest_of(store) == RUNS["one"]


def test_the_same_run_of_another_time_is_published_once(
    store: Store, runs: dict[str, Path]
) -> None:
    """With another PROCESSED_AT the published run stays; --force replaces it."""
    send(store, runs["one"])
    ranked_again(runs["one"])
    before = dict(store.objects)
    receipt = send(store, runs["one"])

    assert [pushed.action for pushed in receipt.objects] == ["kept"] * 4 + ["skipped"]
    assert store.objects == before
    assert send(store, runs["one"], force=True).objects[0].action == "sent"
    assert latest_of(store) == RUNS["one"]


def test_the_pointer_of_another_push_stays(store: Store, runs: dict[str, Path]) -> None:
    """A push whose pointer was replaced by a newer one succeeds."""
    send(store, runs["one"])
    newer = store.objects.pop("p/latest.json")

    def overtake(request: str) -> None:
        if request == "GET p/latest.json":
            store.objects["p/latest.json"] = newer

    store.choose_fault = overtake
    receipt = send(store, runs["two"])

    assert receipt.objects[-1].action == "sent"
    assert latest_of(store) == RUNS["one"]
