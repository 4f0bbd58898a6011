"""Half a year at a mother-and-baby retailer: goods on the way, goods sent back, and what becomes of points and tier."""

from tests.stories.teller import Teller

APP = {"store": "ONLINE", "channel": "app"}


def tell(shop: Teller) -> None:
    """Mei buys for a newborn, waits for her parcels, sends something back, and pays with points."""
    shop.say("Mei signs up; her first order has formula, which earns growth and no points.")
    shop.post("2026-02-01 09:00", "mei", "customer.signed_up", place=APP)
    shop.post(
        "2026-02-01 10:00", "mei", "purchase.recorded", order_id="B-1", currency="CNY", total=50000, place=APP,
        lines=[
            {"line": 1, "sku": "MILK-1", "category": "infant_formula", "quantity": 1, "amount": 30000},
            {"line": 2, "sku": "DIAPER-M", "category": "diapers", "quantity": 2, "amount": 20000},
        ],
    )  # fmt: skip
    shop.read("mei", "2026-02-03 00:00")
    shop.say("The parcel arrives; a week later the points may be spent.")
    shop.post("2026-02-04 15:00", "mei", "order.delivered", order_id="B-1")
    shop.read("mei", "2026-02-11 15:00")
    shop.say("A pram makes her gold at once.")
    shop.post("2026-02-20 20:00", "mei", "purchase.recorded", order_id="B-2", currency="CNY", total=189900, place=APP)
    shop.post("2026-02-23 11:00", "mei", "order.delivered", order_id="B-2")
    shop.say("She pays 3 yuan of the next order with points; a coupon for diapers is hers once.")
    shop.post(
        "2026-03-10 21:00", "mei", "purchase.recorded", order_id="B-3", currency="CNY", total=25900, place=APP,
        tenders=[{"kind": "points", "amount": 300}, {"kind": "wechat", "amount": 25600}],
    )  # fmt: skip
    shop.post(
        "2026-03-11 09:00",
        "mei",
        "coupon.issued",
        coupon_id="D-1",
        kind="diapers_20",
        reason="campaign",
        campaign="spring",
    )
    shop.post(
        "2026-03-12 09:00",
        "mei",
        "coupon.issued",
        coupon_id="D-2",
        kind="diapers_20",
        reason="campaign",
        campaign="spring",
    )
    shop.say(
        "It pays for diapers, with the coupon that gold brought; both come back with the parcel, the money to her card."
    )
    shop.post(
        "2026-03-12 20:00", "mei", "purchase.recorded", order_id="B-4", currency="CNY", total=23200, place=APP,
        tenders=[
            {"kind": "coupon", "amount": 2000, "coupon_id": "D-1"},
            {"kind": "coupon", "amount": 1200, "coupon_id": "benefit:gold_welcome:2026:shipping:1"},
            {"kind": "wechat", "amount": 20000},
        ],
    )  # fmt: skip
    shop.post("2026-03-13 16:00", "mei", "purchase.refunded", refund_id="RF-1", order_id="B-4", amount=23200)
    shop.say("The pram goes back: what it earned is taken back, and the tier it brought is undone.")
    shop.post("2026-03-14 16:00", "mei", "purchase.refunded", refund_id="RF-2", order_id="B-2", amount=189900)
    shop.read("mei", "2026-03-15 00:00")
    shop.say("Her birthday is in March; the ledger hears the month and keeps no date.")
    shop.post("2026-03-15 10:00", "mei", "benefit.taken", benefit="birthday_gift", attributes={"birthday_month": 3})
    shop.say("What is left is not available yet, so nothing can be redeemed.")
    shop.post("2026-03-16 10:00", "mei", "points.redeemed", redemption_id="R-1", points=5000)
