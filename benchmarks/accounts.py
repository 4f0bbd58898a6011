"""Customers with long histories or many open lots, as commands: grants and redemptions, oldest first."""

from collections.abc import Iterator
from typing import Any

from benchmarks.purchases import SINGLE, now, post
from ledger.deciding import Command
from ledger.instants import DAY, MINUTE, show

PLENTY = 10_000_000
"""Points that no load uses up."""


def with_records(customer: str, records: int) -> Iterator[Command]:
    """A customer of so many records and one open lot: granted and redeemed in turn, and plenty at the end."""
    begun = now() - DAY - records * MINUTE
    for number in range(records - 1):
        time = begun + number * MINUTE
        if number % 2:
            yield _command(
                customer, number, "points.redeemed", time, {"redemption_id": f"R-{customer}-{number}", "points": 100}
            )
        else:
            yield _grant(customer, number, time, 100)
    yield _grant(customer, records, now() - DAY, PLENTY)


def with_purchases(customer: str, records: int) -> Iterator[Command]:
    """A customer of so many records, of which every fifth redeems what the four purchases before it earned."""
    begun = now() - DAY - records * MINUTE
    for number in range(records):
        time = begun + number * MINUTE
        if number % 5 == 4:  # noqa: PLR2004
            data = {"redemption_id": f"R-{customer}-{number}", "points": 4 * 85}
            yield _command(customer, number, "points.redeemed", time, data)
        else:
            yield _command(customer, number, "purchase.recorded", time, _purchase(f"SO-{customer}-{number}"))


def with_lots(customer: str, lots: int) -> Iterator[Command]:
    """A customer of so many open lots, one record each."""
    for number in range(lots):
        yield _grant(customer, number, now() - DAY - (lots - number) * MINUTE, PLENTY)


def with_due(customer: str, expires_at: int) -> Command:
    """A customer of one lot that is gone at an instant."""
    data = {"points": 100, "reason": "goodwill", "expires_at": show(expires_at)}
    return _command(customer, 0, "points.granted", now() - 30 * DAY, data)


def redemption(customer: str, number: int, *, key: str) -> bytes:
    """A request that redeems one point: it changes a lot and opens none."""
    event = (
        f'{{"specversion":"1.0","id":"load-{customer}-{number}","source":"/pos/bench","type":"points.redeemed",'
        f'"subject":"{customer}","time":"{show(now())}","data":{{"redemption_id":"load-{customer}-{number}","points":1}}}}'
    )
    return post(event.encode(), key=key, content_type=SINGLE)


def _grant(customer: str, number: int, time: int, points: int) -> Command:
    return _command(customer, number, "points.granted", time, {"points": points, "reason": "goodwill"})


def _command(customer: str, number: int, kind: str, time: int, data: dict[str, Any]) -> Command:
    return Command("/pos/bench", f"{customer}-{number}", kind, customer, time, data, "service:bench")


def _purchase(order_id: str) -> dict[str, Any]:
    lines = [
        {"line": 1, "sku": "A1", "quantity": 2, "amount": 2598},
        {"line": 2, "sku": "B7", "quantity": 1, "amount": 5990},
    ]
    return {
        "order_id": order_id,
        "currency": "CNY",
        "total": 8588,
        "lines": lines,
        "place": {"store": "SZ-001", "channel": "shop"},
    }
