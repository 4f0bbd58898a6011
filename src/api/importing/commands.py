"""Orders into commands: `purchase.recorded`, or `purchase.returned` for a cancellation.

Everything in an event is a function of the order's rows and the mapping: the same rows give the same source, id and data,
so what was imported before is only replayed.

An order's exact sum is rounded to minor units once. Each line is then the difference of two sums rounded the same way, so
the lines add up to the order, and a line of whole minor units keeps exactly what it says.
"""

from collections.abc import Sequence
from typing import Any

from api.importing.mapping import Mapping
from api.importing.orders import QUANTITY_DECIMALS, Line, Order
from ledger import events
from ledger.deciding.command import Command
from ledger.money import exponent, rounded

VARIOUS = "various"
"""The sku of lines drawn together where an order has more than an event may carry."""

_TYPES = {"purchase": "purchase.recorded", "return": "purchase.returned"}


def command_of(order: Order, mapping: Mapping, *, money_decimals: int, actor: str) -> Command:
    """The command that records an order.

    Raises:
        FormError: the ledger does not take it so.
    """
    kind = _TYPES[order.kind]
    lines = drawn_together(order.lines, mapping.lines_max)
    amounts = rounded_lines([line.money for line in lines], mapping, money_decimals)
    data = (
        _purchase(order, lines, amounts, mapping)
        if order.kind == "purchase"
        else _return(order, lines, amounts, mapping)
    )
    if order.place is not None:
        data["place"] = {"store": order.place[0], "channel": order.place[1]}
    events.check_customer(order.customer)
    return Command(
        source=mapping.source,
        id=f"{order.kind}:{order.number}",
        type=kind,
        subject=order.customer,
        time=order.time,
        data=events.validated(kind, data, order.time),
        actor=actor,
    )


def rounded_lines(money: Sequence[int], mapping: Mapping, money_decimals: int) -> list[int]:
    """The lines of one order in minor units; they add up to the rounded sum of the exact ones."""
    minor, whole = 10 ** exponent(mapping.currency), 10**money_decimals
    amounts, so_far, given = [], 0, 0
    for exact in money:
        so_far += exact
        reached = rounded(so_far * minor, whole, mapping.rounding)
        amounts.append(reached - given)
        given = reached
    return amounts


def drawn_together(lines: Sequence[Line], lines_max: int) -> list[Line]:
    """Lines as an event carries them: where they are too many, first those of one sku become one, then the last ones do.

    Quantities and money add up to what they were.
    """
    if len(lines) <= lines_max:
        return list(lines)
    by_sku: dict[tuple[str, str | None], list[Line]] = {}
    for line in lines:
        by_sku.setdefault((line.sku, line.category), []).append(line)
    merged = [_merged(same, sku, category) for (sku, category), same in by_sku.items()]
    if len(merged) <= lines_max:
        return merged
    return [*merged[: lines_max - 1], _merged(merged[lines_max - 1 :], VARIOUS, None)]


def _merged(lines: Sequence[Line], sku: str, category: str | None) -> Line:
    return Line(lines[0].number, sku, category, sum(line.quantity for line in lines), sum(line.money for line in lines))


def _purchase(order: Order, lines: list[Line], amounts: list[int], mapping: Mapping) -> dict[str, Any]:
    attributes: dict[str, Any] = dict(order.attributes)
    if len(lines) < len(order.lines):
        attributes["lines_in_file"] = len(order.lines)
    data: dict[str, Any] = {"order_id": order.number, "currency": mapping.currency, "total": sum(amounts)}
    data["lines"] = [
        {"line": place if line.number is None else line.number, **_goods(line), "amount": amount}
        for place, (line, amount) in enumerate(zip(lines, amounts, strict=True), start=1)
    ]
    if attributes:
        data["attributes"] = attributes
    return data


def _return(order: Order, lines: list[Line], amounts: list[int], mapping: Mapping) -> dict[str, Any]:
    return {
        "return_id": order.number,
        "currency": mapping.currency,
        "amount": sum(amounts),
        "lines": [{**_goods(line), "amount": amount} for line, amount in zip(lines, amounts, strict=True)],
        "match": mapping.cancellation.match if mapping.cancellation else "none",
    }


def _goods(line: Line) -> dict[str, Any]:
    shown: dict[str, Any] = {"sku": line.sku}
    if line.category is not None:
        shown["category"] = line.category
    shown["quantity"] = _quantity(line.quantity)
    return shown


def _quantity(thousandths: int) -> int | str:
    whole, part = divmod(thousandths, 10**QUANTITY_DECIMALS)
    return f"{whole}.{part:03d}" if part else whole
