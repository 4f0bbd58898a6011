"""`account.opened_from` brings a tier, and what counts towards one, on the days on which it counts."""

from typing import Any

from tests.builders import Event, clock_runs, opened, purchase, refunded
from tests.given import Given, given, table
from tests.tiering import changed, level, stands, tier_seen, tiered


def growth(amount: int, granted_at: str) -> dict[str, Any]:
    return {"asset": "growth", "amount": amount, "granted_at": f"{granted_at}T12:00:00Z", "reason": "opening"}


def with_tier(lots: list[dict[str, Any]], tier: str = "gold", time: str = "2026-02-01", **said: Any) -> Event:
    return opened(time, lots, tier={"tier": tier, **said})


GOLD_TO_JULY = {"since": "2024-06-01T00:00:00Z", "review_at": "2026-07-01T00:00:00Z"}
YEAR_ROLLING = {"window": {"kind": "rolling", "months": 12}}


def after(*steps: Any, **tiers: Any) -> Given:
    return given(*steps, document=tiered(**tiers))


@table(
    (
        "it stands as it did, with its own review",
        lambda: changed(
            after().when(with_tier([growth(600, "2025-09-01")], **GOLD_TO_JULY)),
            "assigned gold 2026-02-01, review 2026-07-01",
        ),
    ),
    (
        "without one, as the rules have it",
        lambda: changed(after().when(with_tier([])), "assigned gold 2026-02-01, review 2027-01-01"),
    ),
    (
        "months are counted from the day it is held since",
        lambda: changed(
            after(**YEAR_ROLLING).when(with_tier([], since="2024-11-30T00:00:00Z")),
            "assigned gold 2026-02-01, review 2026-11-30",
        ),
    ),
    (
        "at its review what counted there keeps it",
        lambda: changed(
            after(with_tier([growth(600, "2025-09-01")], **GOLD_TO_JULY), **YEAR_ROLLING).when(
                clock_runs("2026-07-01")
            ),
            "retained gold 2026-07-01, review 2027-07-01",
        ),
    ),
    (
        "or not, once it lies outside the window",
        lambda: changed(
            after(
                with_tier([growth(600, "2025-06-30"), growth(100, "2025-07-01")], **GOLD_TO_JULY), **YEAR_ROLLING
            ).when(clock_runs("2026-07-01")),
            "downgraded silver 2026-07-01, review 2027-07-01",
        ),
    ),
    (
        "what counts for a better one does not raise it before something else counts",
        lambda: changed(after().when(with_tier([growth(600, "2026-01-05")], "silver")), *SILVER_STANDS),
    ),
    (
        "nor does another part of the same account",
        lambda: changed(after(with_tier([], "silver")).when(opened("2026-02-01", [growth(600, "2026-01-05")], part=2))),
    ),
    (
        "but the next purchase does",
        lambda: changed(
            after(with_tier([growth(600, "2026-01-05")], "silver")).when(purchase("SO-1", 100, "2026-02-02")),
            "upgraded gold 2026-02-02, review 2027-01-01",
        ),
    ),
    (
        "a refund does not undo what another system gave",
        lambda: changed(
            after(
                with_tier([growth(600, "2026-01-05")]),
                purchase("SO-1", 100, "2026-02-02"),
                refunds_undo_upgrade=True,
            ).when(refunded("SO-1", 100, "2026-02-03"))
        ),
    ),
    (
        "arriving late, what came after it is run again",
        lambda: changed(
            after(purchase("SO-1", 150_00, "2026-02-02")).when(with_tier([], "gold")),
            "corrected gold 2026-02-01, review 2027-01-01, not 2",
        ),
    ),
    (
        "without a tier, the growth of its days says which",
        lambda: changed(
            after().when(opened("2026-02-01", [growth(600, "2025-12-31"), growth(100, "2026-01-01")])),
            "upgraded silver 2026-02-01, review 2027-01-01",
        ),
    ),
    (
        "orders and spend count on the days that are told",
        lambda: changed(
            after(**SPENDING).when(
                opened(
                    "2026-02-01",
                    history={
                        "counted": [
                            {"on": "2025-12-31", "orders": 9, "spend": {"CNY": 90_000}},
                            {"on": "2026-01-10", "orders": 2, "spend": {"CNY": 60_000, "USD": 7}},
                        ]
                    },
                )
            ),
            "upgraded silver 2026-02-01, review 2027-01-01",
        ),
    ),
)
def test_a_tier_is_taken_over(scenario):
    """Planted: the tier of the first part raised by the growth of the second; growth counted on the day of the opening."""
    scenario()


SILVER_STANDS = ("assigned silver 2026-02-01, review 2027-01-01",)
SPENDING = {
    "currency": "CNY",
    "levels": [level("silver", 1, spend=50_000, orders=2), level("gold", 2, spend=100_000)],
}


def test_a_reader_sees_the_tier_from_the_cut_over_on_with_what_keeps_it():
    ledger = after(with_tier([growth(300, "2026-01-05")], **GOLD_TO_JULY), **YEAR_ROLLING).ledger
    assert (stands(ledger, "2026-01-31T23:59"), stands(ledger, "2026-02-01")) == (None, "gold")
    shown = tier_seen(ledger, "2026-02-01")
    assert (shown["since"], shown["review_at"]) == ("2024-06-01T00:00:00Z", "2026-07-01T00:00:00Z")
    assert (shown["next"], shown["retain"]["missing"]) == (None, {"growth": 200})
