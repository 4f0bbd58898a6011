"""Plans of membership for tests of the domain, and what a reader sees under them."""

from typing import Any

from ledger import account as accounts
from tests.builders import ClockRuns, Event, MemoryLedger, at, rules
from tests.given import Given, given
from tests.vouchers import TEN_OFF

COUPONS = [{"id": "tea", "value": TEN_OFF, "caps": {"total": 100}}, {"id": "cake", "value": TEN_OFF, "uses": 3}]
BUNDLE = {"points": 500, "coupons": [{"kind": "tea", "count": 2}, {"kind": "cake"}]}
VIP = {"id": "vip", "price": 36_500, "currency": "CNY", "months": 12}
PLANS = [
    {**VIP, "bundle": BUNDLE, "benefit": {"percent_off": "12"}, "pause_days_max": 30},
    {**VIP, "id": "monthly", "price": 3000, "months": 1},
    {**VIP, "id": "today", "renewal": "from_today"},
    {**VIP, "id": "listed", "refund": "less_used_at_list", "list_month": 4000},
    {**VIP, "id": "kept", "refund": "none", "takes_back": False, "bundle": {"points": 500}},
]
RULES = rules(coupons=COUPONS, membership=PLANS)


def having(*steps: Event | ClockRuns, zone: str = "UTC") -> Given:
    """What happened under these plans."""
    return given(*steps, document={**RULES, "program": {"time_zone": zone}})


def seen(ledger: MemoryLedger, as_of: str | int) -> Any:
    """What a reader sees of the membership at an instant."""
    instant = at(as_of)
    return accounts.show_account(accounts.fold(ledger.records, instant), instant).get("membership")


def periods(ledger: MemoryLedger, as_of: str | int) -> list[tuple[str, str]]:
    """The days on which its periods begin and end."""
    return [(one["start"][:10], one["end"][:10]) for one in seen(ledger, as_of)["periods"]]
