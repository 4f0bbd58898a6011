"""A stream of lines: NDJSON of any length, by plain clients, and by ones that read while they write. Sent twice."""

import asyncio
import json
import socket
import threading
from contextlib import contextmanager

import httpx
import pytest

import api.answers
import api.auth
import api.bodies
import api.keys
import api.lines
from api.auth import Scope
from api.intake import EVENT_BYTES_MAX
from ledger.answers import Answer
from ledger.errors import DatabaseUnavailable, LedgerError, QueueFull
from tests.api.serving import NDJSON, fresh, grant, purchase, redemption


def lines_of(answer):
    assert answer.headers["content-type"] == "application/x-ndjson", answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def body_of(events):
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def post_lines(shop, body, **params):
    answer = shop.client.post(shop.events, content=body, headers=NDJSON, params=params)
    assert answer.status_code == 200, answer.text
    return lines_of(answer)


def test_a_stream_is_answered_with_what_was_refused_and_a_summary(shop, customer):
    """A line that is not JSON is refused with its number and the rest is recorded.

    Planted: empty lines not counted, so the numbers were wrong; seen.
    """
    body = (
        body_of([purchase(customer, 1000)])
        + b"\n{broken\n\r\n"
        + body_of([redemption(customer, 10**6)])
        + body_of([purchase(customer, 2000)]).rstrip()
    )
    *refused, last = post_lines(shop, body)
    assert [(item["line"], item["status"], item["problem"]["code"]) for item in refused] == [
        (3, "refused", "malformed_json"),
        (5, "refused", "insufficient_points"),
    ]
    assert refused[0].keys() == {"line", "status", "id", "source", "subject", "problem"}
    summary = last["summary"]
    position = summary.pop("position")
    outcome = {"insufficient_points": 1, "malformed_json": 1}
    assert summary == {"read": 4, "recorded": 2, "replayed": 0, "refused": outcome}
    assert shop.client.get(shop.customer(customer)).json()["position"] >= position > 0

    again = post_lines(shop, body)
    assert again[-1]["summary"] == {"read": 4, "recorded": 0, "replayed": 2, "refused": outcome, "position": position}


def test_receipts_all_answers_every_line(shop, customer):
    events = [purchase(customer, 100), purchase(customer, 200), {"id": "x"}]
    first = post_lines(shop, body_of(events), receipts="all")
    assert [line.get("status") for line in first] == ["recorded", "recorded", "refused", None]
    assert [line.get("line") for line in first] == [1, 2, 3, None]
    assert first[1]["balances"] == {"points": 3}
    again = post_lines(shop, body_of(events), receipts="all")
    assert again[:2] == [{**line, "status": "replayed"} for line in first[:2]]


def test_an_empty_stream_has_an_empty_summary(shop):
    for body in (b"", b"\n\n \n"):
        (last,) = post_lines(shop, body)
        assert last == {"summary": {"read": 0, "recorded": 0, "replayed": 0, "refused": {}, "position": None}}


def test_a_line_that_is_too_long_is_refused_alone(shop, customer):
    """Planted: what follows an over-long line in the same read lost; seen."""
    long = json.dumps({**grant(customer, 1), "padding": "x" * EVENT_BYTES_MAX}).encode()
    longer = b'"' + b"x" * 400_000 + b'"'
    body = b"\n".join(
        [long, json.dumps(grant(customer, 5)).encode(), longer, json.dumps(grant(customer, 7)).encode(), longer]
    )
    *refused, last = post_lines(shop, body)
    assert [(item["line"], item["problem"]["code"]) for item in refused] == [
        (1, "event_too_large"),
        (3, "event_too_large"),
        (5, "event_too_large"),
    ]
    assert last["summary"]["recorded"] == 2
    assert shop.client.get(shop.customer(customer)).json()["balances"] == {"points": 12}


def test_lines_may_be_cut_anywhere_on_their_way(shop, customer):
    """The body in pieces of 1 to 50 bytes, also through the middle of a character."""
    body = body_of([purchase(customer, 100, source="/门店") for _ in range(6)])
    pieces, size = [], 1
    while body:
        pieces.append(body[:size])
        body, size = body[size:], size % 50 + 1
    (last,) = post_lines(shop, iter(pieces))
    assert last["summary"]["recorded"] == 6


def test_many_thousand_lines_by_a_client_that_reads_only_afterwards(shop):
    """Every line refused makes an answer far longer than any buffer between us; a client that sends all first must not hang.

    Planted: refused items sent as they come; seen (the client hung).
    """
    body = (b'{"id":"x"}' + b" " * 1500 + b"\n") * 10_000
    narrow = httpx.HTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)])
    client = shop.service.client(transport=narrow)
    *refused, last = lines_of(client.post(shop.events, content=body, headers=NDJSON))
    assert len(refused) == 10_000
    assert refused[-1]["line"] == 10_000
    assert last["summary"]["refused"] == {"malformed": 10_000}


def test_order_of_arrival_is_kept(shop, customer):
    grants = [grant(customer, 1) for _ in range(1_500)]
    spends = [redemption(customer, 1) for _ in range(1_500)]
    events = [event for pair in zip(grants, spends, strict=True) for event in pair]
    (last,) = post_lines(shop, body_of(events))
    assert last["summary"]["recorded"] == 3_000
    assert shop.client.get(shop.customer(customer)).json()["balances"] == {"points": 0}


def test_the_shortest_lines_are_posted_in_groups(shop, monkeypatch):
    """Planted: a whole read posted at once; seen."""
    sizes = []
    ledger = shop.service.app.state.ledger

    async def post_many(_program, commands):
        sizes.append(len(commands))
        return [Answer(None, one) for one in commands]

    monkeypatch.setattr(type(ledger), "post_many", lambda _self, program, commands: post_many(program, commands))
    *refused, last = post_lines(shop, b"1\n" * 5_000)
    assert last["summary"]["read"] == len(refused) == 5_000
    assert max(sizes) <= api.lines.GROUP_LINES_MAX


def test_if_match_does_not_go_with_lines(shop, customer):
    answer = shop.client.post(shop.events, content=body_of([purchase(customer)]), headers={**NDJSON, "If-Match": '"0"'})
    assert (answer.status_code, answer.json()["code"]) == (400, "if_match_malformed")


def test_receipts_is_all_or_refused(shop):
    answer = shop.client.post(shop.events, content=b"", headers=NDJSON, params={"receipts": "some"})
    assert (answer.status_code, answer.json()["code"]) == (400, "parameter_malformed")


# --- Reading while writing --------------------------------------------------------------------------------------------


class Wire:
    """A connection that sends a chunked body piece by piece and reads the answer as it comes."""

    def __init__(self, shop, params="", key=None):
        self._shop, self._params, self._key = shop, params, key or shop.service.admin_key

    async def __aenter__(self):
        host, port = self._shop.service.url.removeprefix("http://").split(":")
        plug = socket.socket()
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # what is not read soon stands in the server's way
        plug.connect((host, int(port)))
        self.reader, self._writer = await asyncio.open_connection(sock=plug, limit=65536)
        head = (
            f"POST {self._shop.events}{self._params} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {self._key}\r\n"
            "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        self._writer.write(head.encode())
        return self

    async def __aexit__(self, *_):
        self._writer.close()
        await self._writer.wait_closed()

    async def send(self, content):
        self._writer.write(b"%x\r\n%s\r\n" % (len(content), content))
        await self._writer.drain()

    async def end(self):
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def head(self):
        return await self.reader.readuntil(b"\r\n\r\n")

    async def chunk(self):
        """One piece of the answer; empty at the end."""
        size = int(await self.reader.readline(), 16)
        content = await self.reader.readexactly(size)
        await self.reader.readexactly(2)
        return content

    async def rest(self):
        pieces = []
        while piece := await self.chunk():
            pieces.append(piece)
        return [json.loads(line) for line in b"".join(pieces).splitlines()]


async def test_receipts_all_answers_a_line_before_the_next_is_sent(shop, customer):
    """Planted: the answers of a group sent with the next one; seen (it waited for ever)."""
    async with asyncio.timeout(20), Wire(shop, "?receipts=all") as wire:
        for number in range(1, 4):
            await wire.send(body_of([grant(customer, 5)]))
            if number == 1:
                assert b"200 OK" in await wire.head()
            receipt = json.loads(await wire.chunk())
            assert (receipt["line"], receipt["balances"]) == (number, {"points": 5 * number})
        await wire.end()
        assert (await wire.rest())[-1]["summary"]["recorded"] == 3


@pytest.fixture
def impatient(monkeypatch):
    """Half a second for the 30 s a client may be silent."""
    monkeypatch.setattr(api.answers, "UNREAD_SECONDS_MAX", 0.5)
    monkeypatch.setattr(api.bodies, "SILENCE_SECONDS_MAX", 0.5)


async def test_receipts_all_ends_with_an_error_line_where_nothing_is_read(shop, customer, impatient):
    """A client that sends everything first is not left hanging: after the patience its rest is dropped, and it is told.

    Planted: the rest of the body not read; seen (both sides waited for ever).
    """
    body = (b'{"id":"x"}' + b" " * 1000 + b"\n") * 500
    async with asyncio.timeout(60), Wire(shop, "?receipts=all") as wire:
        for _ in range(40):
            await wire.send(body)
        await wire.end()
        await wire.head()
        *answered, last = await wire.rest()
    assert last.keys() == {"error"}
    assert last["error"]["code"] == "body_too_slow"
    assert 0 < len(answered) < 20_000
    assert [line["line"] for line in answered] == list(range(1, len(answered) + 1))


async def test_a_body_that_stops_arriving_is_given_up(shop, customer, impatient):
    """Before anything was read 408, later an error line without a summary; what was sent is recorded."""
    async with asyncio.timeout(20), Wire(shop) as wire:
        assert b"408" in await wire.head()
    async with asyncio.timeout(20), Wire(shop) as wire:
        await wire.send(body_of([grant(customer, 5)]))
        assert b"200 OK" in await wire.head()
        (last,) = await wire.rest()
    assert (last["line"], last["error"]["code"]) == (2, "body_too_slow")
    assert shop.client.get(shop.customer(customer)).json()["balances"] == {"points": 5}


async def test_a_client_that_leaves_takes_nothing_back(shop, customer):
    """What had arrived is recorded; the same again is only replayed."""
    events = [grant(customer, 5) for _ in range(3)]
    async with asyncio.timeout(20), Wire(shop, "?receipts=all") as wire:
        await wire.send(body_of(events))
        await wire.head()
        await wire.chunk()
    assert post_lines(shop, body_of(events))[-1]["summary"]["replayed"] == 3


async def test_a_revoked_key_ends_its_stream(shop, customer):
    """Planted: the key looked at once, when the stream begins; seen."""
    key = await asyncio.to_thread(shop.service.key, Scope.POST)
    with prompt_revocation(shop):
        async with asyncio.timeout(20), Wire(shop, "?receipts=all", key=key) as wire:
            await wire.send(body_of([grant(customer, 5)]))
            await wire.head()
            await wire.chunk()
            await asyncio.to_thread(revoke, shop, key)
            await wire.send(body_of([grant(customer, 5)]))
            (last,) = await wire.rest()
    assert (last["line"], last["error"]["status"]) == (2, 401)
    assert shop.client.get(shop.customer(customer)).json()["balances"] == {"points": 5}


def revoke(shop, key):
    assert shop.service.as_owner(lambda conn: api.keys.revoke(conn, key))


@contextmanager
def prompt_revocation(shop):
    """Keys are looked up every time."""
    kept, api.auth.KEPT_SECONDS = api.auth.KEPT_SECONDS, 0.0
    shop.service.app.state.keys._kept.clear()
    yield
    api.auth.KEPT_SECONDS = kept


# --- A full queue, an absent database ---------------------------------------------------------------------------------


class Turning:
    """A ledger that turns commands away before it takes them."""

    def __init__(self, ledger, error, times):
        self._ledger, self._error, self.left = ledger, error, times

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    async def post_many(self, program, commands):
        if self.left:
            self.left -= 1
            return [Answer(None, one if isinstance(one, LedgerError) else self._error) for one in commands]
        return await self._ledger.post_many(program, commands)


@pytest.fixture
def turning(shop):
    state = shop.service.app.state
    ledger = state.ledger

    def turn(error, times):
        state.ledger = Turning(ledger, error, times)

    yield turn
    state.ledger = ledger


def test_a_stream_waits_by_itself_for_a_full_queue(shop, customer, turning):
    turning(QueueFull(), 3)
    (last,) = post_lines(shop, body_of([grant(customer, 5), grant(customer, 5)]))
    assert last["summary"]["recorded"] == 2


def test_a_stream_gives_up_on_a_database_that_stays_away(shop, customer, turning, monkeypatch):
    """503 where nothing was answered yet; later a cut answer that says at which line."""
    monkeypatch.setattr(api.lines, "PATIENCE_SECONDS", 0.2)
    turning(DatabaseUnavailable(reason="secret"), 10**6)
    answer = shop.client.post(shop.events, content=body_of([grant(customer, 5)]), headers=NDJSON)
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.headers["retry-after"]
    assert "secret" not in answer.text
    (shown, last) = post_lines(shop, body_of([{"id": "x"}, grant(customer, 5)]))
    assert shown["line"] == 1
    assert (last["line"], last["error"]["code"]) == (2, "database_unavailable")


def test_many_streams_at_once(shop):
    """Eight clients, three thousand events on twelve customers; nothing lost, nothing doubled, all of it sent twice."""
    customers = [fresh("c") for _ in range(12)]
    bodies = [body_of([grant(customers[n % 12], 1) for n in range(375)]) for _ in range(8)]
    summaries = []

    def send(body):
        client = shop.service.client()
        for _ in range(2):
            answer = client.post(shop.events, content=body, headers=NDJSON)
            summaries.append(json.loads(answer.text.splitlines()[-1])["summary"])

    threads = [threading.Thread(target=send, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(summary["recorded"] for summary in summaries) == 3_000
    assert sum(summary["replayed"] for summary in summaries) == 3_000
    balances = [shop.client.get(shop.customer(one)).json()["balances"]["points"] for one in customers]
    assert sum(balances) == 3_000
