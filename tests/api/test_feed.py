"""The feed: pages and follows live, skips nothing, repeats nothing, and refuses a cursor of another history."""

import hashlib
import json
import threading
from contextlib import contextmanager

import pytest

import api.auth
import api.feed
import api.keys
from api.auth import Scope
from tests.api.serving import await_that, fresh, grant, purchase

LIVE = {"Accept": "text/event-stream"}


def feed(shop, **params):
    answer = shop.client.get(f"/v1/programs/{shop.program}/feed", params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


@contextmanager
def following(shop, *, key=None, **params):
    """The events of a live feed, parsed as they come: (id, data); comments are left out."""
    headers = LIVE | params.pop("headers", {})
    client = shop.client if key is None else shop.service.client(key)
    with client.stream("GET", f"/v1/programs/{shop.program}/feed", params=params, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        yield _parsed(answer.iter_lines())


def _parsed(lines):
    identity = None
    for line in lines:
        if line.startswith("id: "):
            identity = line.removeprefix("id: ")
        elif line.startswith("data: "):
            yield identity, json.loads(line.removeprefix("data: "))


@pytest.fixture
def busy_shop(own_shop):
    """A program with ten records: its rules, and nine grants."""
    answers = own_shop.post_batch([grant(fresh("c"), n + 1) for n in range(9)]).json()
    assert {answer["status"] for answer in answers} == {"recorded"}
    return own_shop


def test_the_feed_is_the_log_in_order_with_hashes(busy_shop):
    """Every line carries the leaf hash of the record's bytes as they are on the line.

    Planted: the record parsed and serialised again with sorted keys; seen.
    """
    answer = busy_shop.client.get(f"/v1/programs/{busy_shop.program}/feed")
    lines = answer.text.splitlines()
    assert [json.loads(line)["position"] for line in lines] == list(range(1, 11))
    for line in lines:
        record = line[line.index('"record":') + len('"record":') : -1]
        assert json.loads(line)["hash"] == hashlib.sha256(b"\x00" + record.encode()).hexdigest()


def test_pages_go_on_from_a_position_or_a_checkpoint(busy_shop):
    whole = feed(busy_shop)
    read, after = [], "0"
    while page := feed(busy_shop, after=after, limit=3):
        read += page
        after = f"{page[-1]['position']}:{page[-1]['hash']}"
    assert read == whole
    assert feed(busy_shop, after=8) == whole[8:]
    assert feed(busy_shop, after=10) == []


def test_a_page_longer_than_a_piece_is_whole(busy_shop, monkeypatch):
    monkeypatch.setattr(api.feed, "PIECE_RECORDS", 3)
    assert len(feed(busy_shop)) == 10
    assert [line["position"] for line in feed(busy_shop, after=2, limit=7)] == list(range(3, 10))


def test_a_cursor_of_another_history_is_refused(busy_shop):
    """Another hash, or a position the log has not come to: the log was restored from an older backup.

    Planted: the hash of a cursor not compared; seen.
    """
    (last,) = feed(busy_shop, after=9)
    url = f"/v1/programs/{busy_shop.program}/feed"
    for after in (f"10:{'0' * 64}", f"9:{last['hash']}", "11", f"11:{last['hash']}", "9007199254740991"):
        for headers in ({}, LIVE, {**LIVE, "Last-Event-ID": after}):
            answer = busy_shop.client.get(url, params={"after": after}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (409, "cursor_unknown")


@pytest.mark.parametrize(
    "params", [{"after": "x"}, {"after": "-1"}, {"after": "1:abc"}, {"limit": "0"}, {"limit": "10001"}, {"from": "1"}]
)
def test_a_malformed_question_to_the_feed_is_400(shop, params):
    assert shop.client.get("/v1/programs/shop/feed", params=params).status_code == 400


def test_a_live_feed_sends_what_is_there_and_then_what_comes(busy_shop):
    with following(busy_shop) as events:
        old = [next(events) for _ in range(10)]
        assert busy_shop.post(purchase(fresh("c"))).status_code == 201
        identity, new = next(events)
    assert [data["position"] for _, data in old] == list(range(1, 11))
    assert (new["position"], new["record"]["type"]) == (11, "purchase.recorded")
    assert identity == f"11:{new['hash']}"
    assert [new] == feed(busy_shop, after=old[-1][0])


def test_a_live_feed_goes_on_where_the_client_left_off(busy_shop):
    """`Last-Event-ID` wins over `after`."""
    with following(busy_shop, after="1") as events:
        last = [next(events) for _ in range(4)][-1][0]
    with following(busy_shop, after="1", headers={"Last-Event-ID": last}) as events:
        assert next(events)[1]["position"] == 6


def test_followers_miss_nothing_and_get_nothing_twice_under_eight_writers(own_shop):
    """Planted: the place a follower has read up to taken one too far; seen."""
    seen = {n: [] for n in range(3)}
    total = 1 + 8 * 150

    def follow(n):
        with following(own_shop, key=own_shop.service.admin_key) as events:
            while len(seen[n]) < total:
                seen[n].append(next(events)[1]["position"])

    def write():
        client = own_shop.service.client()
        for _ in range(5):
            batch = [grant(fresh("c"), 1) for _ in range(30)]
            headers = {"Content-Type": "application/cloudevents-batch+json"}
            assert client.post(own_shop.events, json=batch, headers=headers).status_code == 200

    threads = [threading.Thread(target=follow, args=(n,)) for n in seen]
    threads += [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(positions == list(range(1, total + 1)) for positions in seen.values())


def test_a_live_feed_ends_when_its_key_is_revoked(busy_shop, monkeypatch):
    """Planted: the key looked at once, when the feed begins; seen (it went on)."""
    monkeypatch.setattr(api.feed, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(api.auth, "KEPT_SECONDS", 0.05)
    key = busy_shop.service.key(Scope.AUDIT)
    with following(busy_shop, key=key) as events:
        assert len([next(events) for _ in range(10)]) == 10
        assert busy_shop.service.as_owner(lambda conn: api.keys.revoke(conn, key))
        assert list(events) == []


def test_a_quiet_feed_says_that_it_lives(busy_shop, monkeypatch):
    monkeypatch.setattr(api.feed, "HEARTBEAT_SECONDS", 0.05)
    url = f"/v1/programs/{busy_shop.program}/feed"
    with busy_shop.client.stream("GET", url, params={"after": "10"}, headers=LIVE) as answer:
        comments = [line for line, _ in zip((line for line in answer.iter_lines() if line), range(3), strict=False)]
    assert comments == [": following", ": still here", ": still here"]


def test_a_follower_that_left_is_forgotten(busy_shop):
    tail = busy_shop.service.app.state.tail
    with following(busy_shop) as events:
        next(events)
        await_that(lambda: tail._waiting)
    await_that(lambda: not tail._waiting)
