"""Orders: a row a purchase, with what was refunded of it."""

from collections.abc import Iterable
from typing import Any

import orjson

from ledger.errors import InvariantBroken
from ledger.records import Record
from projections.models.model import Model


def _keys(record: Record) -> Iterable[str]:
    if record.type == "purchase.recorded":
        return ((record.derived or {})["reference"],)
    if record.type in ("purchase.refunded", "purchase.returned"):
        return {part["order"]: None for part in (record.derived or {}).get("orders", ())}
    return ()


def _fold(memory: list[Any] | None, key: str, position: int, record: Record) -> list[Any]:
    if record.type == "purchase.recorded":
        return _bought(position, record)
    if memory is None:
        raise InvariantBroken(f"record at position {position} refunds order {key}, which is not there")
    parts = [part for part in (record.derived or {})["orders"] if part["order"] == key]
    memory[_REFUNDED] += sum(amount for part in parts for _, amount, _ in part["lines"])
    memory[_NET] = memory[_GROSS] - memory[_REFUNDED]
    memory[_REFUNDS] += 1
    return memory


def _bought(position: int, record: Record) -> list[Any]:
    data, derived = record.data, record.derived or {}
    place = data.get("place", {})
    return [
        record.subject,
        data["order_id"],
        position,
        record.version,
        record.instant,
        derived["business_day"],
        data["currency"],
        data["total"],
        0,
        data["total"],
        0,
        len(data.get("lines", ())),
        place.get("channel"),
        place.get("store"),
        place.get("guide"),
        derived.get("brand"),
        derived.get("entity"),
    ]


_GROSS, _REFUNDED, _NET, _REFUNDS = 7, 8, 9, 10

ORDERS = Model(
    name="orders",
    shape=1,
    key="reference",
    columns={
        "customer": "text NOT NULL",
        "order_id": "text NOT NULL",
        "position": "bigint NOT NULL",
        "version": "bigint NOT NULL",
        "ordered_at": "bigint NOT NULL",
        "business_day": "text NOT NULL",
        "currency": "text NOT NULL",
        "gross": "bigint NOT NULL",
        "refunded": "bigint NOT NULL",
        "net": "bigint NOT NULL",
        "refunds": "bigint NOT NULL",
        "lines": "bigint NOT NULL",
        "channel": "text",
        "store": "text",
        "guide": "text",
        "brand": "text",
        "entity": "text",
    },
    indexes=("customer, ordered_at", "ordered_at, reference"),
    keys=_keys,
    fold=_fold,
    write=lambda memory: orjson.dumps(memory).decode(),
    read=orjson.loads,
    row=tuple,
)
