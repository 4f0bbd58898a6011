"""Where a number comes from: the lots behind a balance, what made each and what took from it, adding up to the number."""

from collections.abc import Iterable
from typing import Any

from ledger.account import lot_of, order_of_consumption
from ledger.instants import parse, show
from ledger.records import Lot, Posting, Record, lot_to_json


def explanation(records: Iterable[tuple[int | None, Record]], asset: str, as_of: int) -> dict[str, Any]:
    """Explain a balance.

    Args:
        records: (position, record) of one stream in order of version; None where it is due and not written yet.
        asset: which balance.
        as_of: microseconds; later postings do not count, and lots gone by then are explained as expired.

    Returns:
        `value` = Σ remaining of `terms` − Σ remaining of `debts`; for each lot amount = remaining + Σ taken, where what was
        given back counts as taken with a minus.
    """
    terms: dict[str, dict[str, Any]] = {}
    debts: dict[str, dict[str, Any]] = {}
    lots: dict[str, Lot] = {}
    held_until: dict[str, int] = {}
    for position, record in records:
        named = _named(position, record)
        for posting in record.postings:
            at = record.instant if posting.at is None else posting.at
            if posting.asset == asset and at <= as_of:
                if posting.lot is not None and posting.to.endswith(":held"):
                    held_until[posting.lot] = parse(record.data["until"])
                _apply(posting, at, record, named, terms, debts, lots)
    for lot in lots.values():
        if held_until.get(lot.id, as_of) <= as_of:
            _lapse(terms[lot.id], lot, as_of)
        elif terms[lot.id]["remaining"]:
            terms[lot.id]["held_until"] = show(held_until[lot.id])
    shown = [terms[lot.id] for lot in sorted(lots.values(), key=order_of_consumption)]
    value = sum(term["remaining"] for term in shown) - sum(debt["remaining"] for debt in debts.values())
    return {"value": value, "terms": shown, "debts": list(debts.values())}


def _apply(
    posting: Posting,
    at: int,
    record: Record,
    named: dict[str, Any] | None,
    terms: dict[str, dict[str, Any]],
    debts: dict[str, dict[str, Any]],
    lots: dict[str, Lot],
) -> None:
    sign = 1 if posting.source.startswith("customer:") else -1
    for taken_from, amount in posting.lots:
        _took(terms[taken_from], sign * amount, posting, at, named)
    for closed, amount in posting.debts:
        _took(debts[closed], amount, posting, at, named)
    if posting.lot is None:
        return
    opened = _term(posting, at, record, named)
    if posting.source.endswith(":debt"):
        debts[posting.lot] = opened
    else:
        lot = lot_of(posting, at)
        lots[posting.lot] = lot
        terms[posting.lot] = {**lot_to_json(lot), **opened}


def _term(posting: Posting, at: int, record: Record, named: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "lot": posting.lot,
        "amount": posting.amount,
        "remaining": posting.amount,
        "at": show(at),
        "record": named,
        "from": posting.source,
        "rules": record.rules,
        "rule": posting.rule,
        "why": posting.why,
        "taken": [],
    }


def _took(term: dict[str, Any], amount: int, posting: Posting, at: int, named: dict[str, Any] | None) -> None:
    term["remaining"] -= amount
    term["taken"].append({"record": named, "amount": amount, "at": show(at), "to": posting.to})


def _lapse(term: dict[str, Any], lot: Lot, as_of: int) -> None:
    """What is past its expiry and not yet written as expired is gone for a reader all the same."""
    if term["remaining"] and lot.expires_at <= as_of:
        term["taken"].append(
            {"record": None, "amount": term["remaining"], "at": show(lot.expires_at), "to": "program:expired"}
        )
        term["remaining"] = 0


def _named(position: int | None, record: Record) -> dict[str, Any] | None:
    if position is None:
        return None
    return {
        "version": record.version,
        "position": position,
        "type": record.type,
        "id": record.id,
        "source": record.source,
        "time": show(record.time),
    }
