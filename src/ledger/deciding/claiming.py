"""Coupons claimed with a code of a batch: each code once, whoever comes first, within the caps of its batch and kind."""

from ledger import codes
from ledger.deciding.command import Command, Decision
from ledger.deciding.coupons import check_issue, issue
from ledger.deciding.places import where
from ledger.deciding.unit import Unit
from ledger.errors import LimitReached
from ledger.instants import parse
from ledger.parts.claims import NAME
from ledger.refusals import CodeTooLate, CodeUnknown, CouponKindUnknown


def claimed(unit: Unit, command: Command) -> Decision:
    """Give a customer the coupon of a code. That it is genuine was looked at with its form.

    The code is the business key, so of any number who claim it one is first, and the others are told who is not them: 409.

    Raises:
        CodeUnknown, CodeTooLate, CouponKindUnknown, CouponNotForTier
        CouponExpired: the coupon would not be valid any more.
        LimitReached: the customer has claimed as many of the batch, or had as many of the kind, as there may be; the append
            says the same of all customers together.
    """
    data = command.data
    code = codes.read(data["code"])
    batch = unit.context.state.codes.get(code.batch) if code else None
    if code is None or batch is None or not 1 <= code.number <= batch.data["count"]:
        raise CodeUnknown(code=data["code"])
    said, name = batch.data, batch.data["batch"]
    if "claim_until" in said and parse(said["claim_until"]) <= unit.instant:
        raise CodeTooLate(batch=name, claim_until=said["claim_until"])
    kind = unit.rules.document.coupon_kinds.get(said["kind"])
    if kind is None:
        raise CouponKindUnknown(kind=said["kind"], kinds=sorted(unit.rules.document.coupon_kinds))
    check_issue(unit, kind, said.get("campaign"))
    had = unit.account.parts.get(NAME, {}).get(name, 0)
    if had >= said.get("per_customer", had + 1):
        raise LimitReached(counter=f"codes:{name}:per_customer", used=had, limit=said["per_customer"])
    named = issue(unit, kind, codes.PREFIX + data["code"], reason="campaign")
    named |= {"code": data["code"]} | ({"campaign": said["campaign"]} if "campaign" in said else {})
    unit.counters.append((f"codes:{name}:total", 1, said.get("total")))
    derived = {"batch": name, "number": code.number, "coupons": [named], **where(unit, data)}
    return unit.finish(command, reference=f"coupon_code:{data['code']}", derived=derived)
