"""What a sender may post, checked without looking at any state: its form.

An accepted event's `data` is what validation gives back, so two posts that mean the same are the same. The shapes stand in
`ledger/shapes`; here is what spans fields, and what a customer id may be.
"""

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ledger.codes import PREFIX
from ledger.codes import read as read_code
from ledger.errors import FormError
from ledger.instants import DAY, parse, show
from ledger.shapes import SHAPES

__all__ = ["SHAPES", "check_customer", "milli", "validated"]

_CUSTOMER_ID = re.compile(r"[A-Za-z0-9._~:@-]{1,128}")
_PERSONAL = re.compile(r"(\+?86)?1[3-9]\d{9}|\+\d.*|.*@.*\..*|o[A-Za-z0-9_-]{27}", re.ASCII | re.DOTALL)

TAKEN_OVER = ("history", "tier", "coupons", "membership")
"""What an opening may bring besides lots."""

AFTER_CUTOVER = "granted_after_cutover"

_ADAPTERS: dict[str, TypeAdapter[dict[str, Any]]] = {name: TypeAdapter(shape) for name, shape in SHAPES.items()}


def validated(event_type: str, data: Any, time: int) -> dict[str, Any]:
    """Check the data of an event of a type.

    Args:
        event_type: one of SHAPES.
        data: the JSON value that was sent.
        time: the event's own time, in microseconds.

    Returns:
        The data as it will be kept.

    Raises:
        FormError: every fault with its JSON pointer, below `/data`.
    """
    adapter = _ADAPTERS.get(event_type)
    if adapter is None:
        raise FormError(
            f"There is no event type {event_type!r}.",
            code="type_unknown",
            errors=[{"pointer": "/type", "reason": "unknown event type"}],
        )
    try:
        kept = adapter.validate_python(data)
    except ValidationError as error:
        raise FormError(
            "The event's data is malformed.",
            errors=[_fault(fault["loc"], fault["msg"]) for fault in error.errors(include_url=False)[:20]],
        ) from error
    check = _CHECKS.get(event_type)
    if check is not None:
        check(kept, time)
    return kept


def check_customer(customer: str, pointer: str = "/subject") -> None:
    """Refuse a customer id that is none, or that is personal: it would be hashed for ever.

    Args:
        pointer: where in the event it stands.

    Raises:
        FormError: `malformed` or `personal_identifier`.
    """
    if _PERSONAL.fullmatch(customer):
        raise FormError(
            "The customer looks like a phone number, an e-mail address or an openid; send an id of your own.",
            code="personal_identifier",
            errors=[{"pointer": pointer, "reason": "personal identifiers may not be customer ids"}],
        )
    if not _CUSTOMER_ID.fullmatch(customer):
        raise FormError(
            "This is not a customer id.",
            errors=[{"pointer": pointer, "reason": "1 to 128 of A–Z a–z 0–9 . _ ~ : @ -"}],
        )


def milli(quantity: int | str) -> int:
    """A quantity in thousandths."""
    return quantity * 1000 if isinstance(quantity, int) else int(Decimal(quantity) * 1000)


def _fault(location: tuple[int | str, ...], reason: str) -> dict[str, str]:
    return {
        "pointer": "/data" + "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location),
        "reason": reason,
    }


def _reject(pointer: str, reason: str, code: str = "malformed") -> None:
    raise FormError(
        f"The event's data is malformed: {reason}.",
        code=code,
        errors=[{"pointer": "/data" + pointer, "reason": reason}],
    )


def _check_purchase(data: dict[str, Any], _: int) -> None:
    lines, total = data.get("lines"), data["total"]
    if lines:
        if sum(line["amount"] for line in lines) != total:
            _reject(
                "/lines",
                f"the lines add up to {sum(line['amount'] for line in lines)}, the total is {total}",
                "lines_do_not_add_up",
            )
        if len({line["line"] for line in lines}) != len(lines):
            _reject("/lines", "two lines have the same number")
    tenders = data.get("tenders")
    if tenders:
        if sum(tender["amount"] for tender in tenders) != total:
            _reject(
                "/tenders",
                f"the tenders add up to {sum(tender['amount'] for tender in tenders)}, the total is {total}",
                "tenders_do_not_add_up",
            )
        _check_tenders(tenders)


def _check_tenders(tenders: list[dict[str, Any]]) -> None:
    coupons: set[str] = set()
    for place, tender in enumerate(tenders):
        coupon, pays = tender.get("coupon_id"), tender["kind"] == "coupon" and "reference" not in tender
        if pays and coupon is None:
            reason = "a tender of kind coupon names its coupon, or the redemption that paid it"
            _reject(f"/tenders/{place}/reference", reason, "tender_needs_reference")
        if coupon is not None and not pays:
            _reject(f"/tenders/{place}/coupon_id", "a coupon belongs to a tender of kind coupon without reference")
        if coupon in coupons:
            _reject(f"/tenders/{place}/coupon_id", "a coupon pays once for a purchase")
        coupons |= {coupon} if coupon is not None else set()
    _check_owners(tenders)


def _check_owner(data: dict[str, Any], _: int) -> None:
    if "on_behalf_of" in data:
        check_customer(data["on_behalf_of"], "/data/on_behalf_of")


def _check_owners(tenders: list[dict[str, Any]]) -> None:
    owners = {place: tender["on_behalf_of"] for place, tender in enumerate(tenders) if "on_behalf_of" in tender}
    for place, owner in owners.items():
        pointer = f"/tenders/{place}/on_behalf_of"
        check_customer(owner, f"/data{pointer}")
        if tenders[place]["kind"] not in ("points", "stored_value") or "reference" in tenders[place]:
            _reject(pointer, "another account pays in points or stored value, in the purchase itself")
        if len(set(owners.values())) > 1:
            _reject(pointer, "one other account pays for a purchase, not several")


def _check_refund(data: dict[str, Any], _: int) -> None:
    lines = data.get("lines")
    if lines:
        if sum(line["amount"] for line in lines) != data["amount"]:
            _reject(
                "/lines",
                f"the lines add up to {sum(line['amount'] for line in lines)}, the amount is {data['amount']}",
                "lines_do_not_add_up",
            )
        if len({line["line"] for line in lines}) != len(lines):
            _reject("/lines", "two lines have the same number")
    tenders = data.get("tenders")
    if tenders and sum(tender["amount"] for tender in tenders) != data["amount"]:
        _reject("/tenders", "the tenders do not add up to the amount", "tenders_do_not_add_up")


def _check_return(data: dict[str, Any], _: int) -> None:
    if sum(line["amount"] for line in data["lines"]) != data["amount"]:
        _reject("/lines", "the lines do not add up to the amount", "lines_do_not_add_up")


def _check_delivery(data: dict[str, Any], _: int) -> None:
    lines = data.get("lines", ())
    if len({line["line"] for line in lines}) != len(lines):
        _reject("/lines", "two lines have the same number")


def _check_grant(data: dict[str, Any], time: int) -> None:
    if "expires_at" in data and parse(data["expires_at"]) <= time:
        _reject("/expires_at", "points expire after they are granted", "expires_before_grant")


def _check_hold(data: dict[str, Any], time: int) -> None:
    if (data["asset"] == "stored_value") != ("currency" in data):
        _reject("/currency", "stored value is held in a currency, points and coupons have none")
    of_coupon = data["asset"] == "coupon"
    if of_coupon != ("coupon_id" in data):
        _reject("/coupon_id", "a hold of a coupon names it, no other does")
    if not of_coupon and "amount" not in data:
        _reject("/amount", "so much is held of points or stored value")
    if not of_coupon and "spend" in data:
        _reject("/spend", "what is bought matters for a coupon only")
    if of_coupon and "on_behalf_of" in data:
        _reject("/on_behalf_of", "a coupon is its owner's to use")
    _check_owner(data, time)
    if parse(data["until"]) <= time:
        _reject("/until", "a hold ends after it is placed", "ends_before_it_begins")


def _check_load(data: dict[str, Any], time: int) -> None:
    if "bonus_expires_at" in data:
        if not data.get("bonus"):
            _reject("/bonus_expires_at", "there is no bonus that could expire")
        if parse(data["bonus_expires_at"]) <= time:
            _reject("/bonus_expires_at", "a bonus expires after it is granted", "expires_before_grant")


def _check_load_refund(data: dict[str, Any], _: int) -> None:
    if ("load_id" in data) == ("currency" in data):
        _reject("/load_id", "a refund names either its load or a currency")


def _check_adjustment(data: dict[str, Any], _: int) -> None:
    if data["points"] == 0:
        _reject("/points", "an adjustment of 0 changes nothing")


def _check_transfer(data: dict[str, Any], _: int) -> None:
    check_customer(data["to"], "/data/to")


def _check_authorised(data: dict[str, Any], time: int) -> None:
    check_customer(data["spender"], "/data/spender")
    if (data["asset"] == "stored_value") != ("currency" in data):
        _reject("/currency", "stored value has a currency, points have none")
    if "until" in data and parse(data["until"]) <= time:
        _reject("/until", "an authorisation ends after it begins", "ends_before_it_begins")


def _check_assignment(data: dict[str, Any], time: int) -> None:
    if "until" in data and parse(data["until"]) <= time:
        _reject("/until", "an assignment ends after it begins")


def _check_opening(data: dict[str, Any], time: int) -> None:
    """What is taken over was there at the cut-over, and is there still when it is taken over."""
    if not data["lots"] and not any(block in data for block in TAKEN_OVER):
        _reject("/lots", f"nothing is taken over: neither lots nor any of {', '.join(TAKEN_OVER)}")
    cutover = min(parse(data["cutover_at"]), time)
    _check_each_taken_over("/lots", data["lots"], "granted_at", cutover, time)
    _check_history(data.get("history", {}), cutover)
    tier = data.get("tier", {})
    if "since" in tier and parse(tier["since"]) > cutover:
        _reject("/tier/since", "a tier is held since before the cut-over", AFTER_CUTOVER)
    if "review_at" in tier and parse(tier["review_at"]) <= time:
        _reject("/tier/review_at", "a tier is reviewed after it is taken over")
    coupons = data.get("coupons", ())
    if len({coupon["coupon_id"] for coupon in coupons}) != len(coupons):
        _reject("/coupons", "two coupons have the same id")
    _check_each_taken_over("/coupons", coupons, "issued_at", cutover, time)
    if "membership" in data:
        _check_membership_taken_over(data["membership"], cutover, time)


def _check_each_taken_over(pointer: str, each: Iterable[dict[str, Any]], since: str, cutover: int, time: int) -> None:
    for place, one in enumerate(each):
        if parse(one[since]) > cutover:
            _reject(f"{pointer}/{place}/{since}", "what is taken over was there before the cut-over", AFTER_CUTOVER)
        if "expires_at" in one and parse(one["expires_at"]) <= time:
            _reject(f"{pointer}/{place}/expires_at", "what is gone cannot be taken over", "expires_before_grant")


def _check_history(history: dict[str, Any], cutover: int) -> None:
    if history.get("orders") == 0 and ("first_order_at" in history or "last_order_at" in history):
        _reject("/history/orders", "there is an instant of an order, so there were orders")
    for name in ("signed_up_at", "first_order_at", "last_order_at"):
        if name in history and parse(history[name]) > cutover:
            _reject(f"/history/{name}", "history lies before the cut-over", AFTER_CUTOVER)
    for place, day in enumerate(history.get("counted", ())):
        if day["on"] > show(cutover + DAY)[:10]:
            _reject(f"/history/counted/{place}/on", "history lies before the cut-over", AFTER_CUTOVER)


def _check_membership_taken_over(membership: dict[str, Any], cutover: int, time: int) -> None:
    if ("price" in membership) != ("currency" in membership):
        _reject("/membership/currency", "a price has a currency, and a currency a price")
    if parse(membership["start"]) > cutover:
        _reject("/membership/start", "a membership begins before the cut-over", AFTER_CUTOVER)
    if parse(membership["end"]) <= time:
        _reject("/membership/end", "a membership that is over cannot be taken over", "expires_before_grant")


def _check_coupon(data: dict[str, Any], time: int) -> None:
    if data["coupon_id"].startswith(("membership:", "benefit:", "opening:", PREFIX)):
        _reject("/coupon_id", "the coupons of a bundle, and those taken over, are named so")
    if "expires_at" in data and parse(data["expires_at"]) <= time:
        _reject("/expires_at", "a coupon ends after it is issued", "expires_before_grant")


def _check_claim(data: dict[str, Any], _: int) -> None:
    code = read_code(data["code"])
    if code is None:
        _reject("/code", "a code has 18 letters and digits", "code_not_genuine")
    else:
        data["code"] = code.text  # one code is one business key, however it is typed


def _check_use(data: dict[str, Any], _: int) -> None:
    if data["redemption_id"].startswith("hold:"):
        _reject("/redemption_id", "the uses that come of holds are named so")


def _check_membership(data: dict[str, Any], _: int) -> None:
    if ("price" in data) != ("currency" in data):
        _reject("/currency", "a price has a currency, and a currency a price")


def _check_package(data: dict[str, Any], time: int) -> None:
    if "valid_until" in data and parse(data["valid_until"]) <= time:
        _reject("/valid_until", "a package ends after it is sold", "expires_before_grant")


def _check_freeze(data: dict[str, Any], time: int) -> None:
    if "until" in data and parse(data["until"]) <= time:
        _reject("/until", "a freeze ends after it begins")


def _check_declaration(data: dict[str, Any], _: int) -> None:
    if data["net"] != data["gross"] - data["refunds"]:
        _reject("/net", "net is gross less refunds")
    if "order_ids" in data and len(set(data["order_ids"])) != data["orders"]:
        _reject("/order_ids", f"{data['orders']} different orders are declared")


_CHECKS: dict[str, Callable[[dict[str, Any], int], None]] = {
    "purchase.recorded": _check_purchase,
    "purchase.refunded": _check_refund,
    "purchase.returned": _check_return,
    "order.delivered": _check_delivery,
    "points.granted": _check_grant,
    "points.adjusted": _check_adjustment,
    "points.transferred": _check_transfer,
    "points.redeemed": _check_owner,
    "stored_value.spent": _check_owner,
    "account.authorised": _check_authorised,
    "account.authorisation_ended": _check_authorised,
    "tier.assigned": _check_assignment,
    "account.opened_from": _check_opening,
    "source.declared": _check_declaration,
    "hold.placed": _check_hold,
    "customer.frozen": _check_freeze,
    "stored_value.loaded": _check_load,
    "stored_value.refunded": _check_load_refund,
    "coupon.issued": _check_coupon,
    "coupon.claimed": _check_claim,
    "coupon.redeemed": _check_use,
    "package.sold": _check_package,
    "membership.purchased": _check_membership,
    "membership.renewed": _check_membership,
}
