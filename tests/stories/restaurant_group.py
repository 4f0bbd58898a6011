"""A year at a restaurant group: its own store in Shenzhen, a franchised one in Guangzhou."""

from tests.stories.teller import Teller

SHENZHEN = {"store": "SZ-001", "channel": "pos", "guide": "g-7"}
GUANGZHOU = {"store": "GZ-014", "channel": "pos"}


def tell(shop: Teller) -> None:
    """Lin Wei joins, brings Chen Yu, loads her card, eats, pays, is refunded; her tier follows."""
    shop.say("Two stores are registered: one of the group's own, one of a franchisee.")
    shop.place("SZ-001", brand="xibei", entity="Xibei Shenzhen Ltd")
    shop.place("GZ-014", brand="xibei", entity="Guangzhou Catering Ltd", franchisee="fr-9")
    shop.say("Wei signs up on a Monday and stays for lunch, which earns double on weekdays.")
    shop.post("2026-03-02 12:05", "wei", "customer.signed_up", place=SHENZHEN)
    shop.post(
        "2026-03-02 12:40",
        "wei",
        "purchase.recorded",
        order_id="A-1",
        currency="CNY",
        total=12800,
        covers=2,
        place=SHENZHEN,
    )
    shop.say("She loads 1,000 yuan and gets 200 on top; a dinner of 600 is paid from both in proportion.")
    shop.post(
        "2026-03-06 19:00", "wei", "stored_value.loaded", load_id="L-1", currency="CNY", principal=100000, bonus=20000,
        payment_reference="wx-4200001", place=SHENZHEN,
    )  # fmt: skip
    shop.post(
        "2026-03-20 20:10", "wei", "purchase.recorded", order_id="A-2", currency="CNY", total=60000, covers=4,
        tenders=[{"kind": "stored_value", "amount": 60000}], place=SHENZHEN,
    )  # fmt: skip
    shop.say(
        "A dish was cold: 60 yuan go back to the two lots they came from, and the points they earned are taken back."
    )
    shop.post(
        "2026-03-20 20:40", "wei", "purchase.refunded", refund_id="RF-1", order_id="A-2", amount=6000, place=SHENZHEN
    )
    shop.say("Her friend Yu comes to the franchised store, names her, and spends enough for the referral to count.")
    shop.post("2026-04-11 18:00", "yu", "customer.signed_up", referred_by="wei", place=GUANGZHOU)
    shop.post(
        "2026-04-11 19:30",
        "yu",
        "purchase.recorded",
        order_id="B-1",
        currency="CNY",
        total=23500,
        covers=3,
        place=GUANGZHOU,
    )
    shop.await_record("wei", "referral.rewarded")
    shop.say("A banquet makes Wei a regular at once; a voucher for tea is used where it may be.")
    shop.post(
        "2026-05-01 19:30",
        "wei",
        "purchase.recorded",
        order_id="A-3",
        currency="CNY",
        total=88800,
        covers=8,
        place=SHENZHEN,
    )
    shop.post(
        "2026-05-02 10:00", "wei", "coupon.issued", coupon_id="C-1", kind="tea", reason="campaign", campaign="may"
    )
    shop.post(
        "2026-05-09 15:00", "wei", "coupon.redeemed", coupon_id="C-1", redemption_id="U-1", spend=5200, place=SHENZHEN
    )
    shop.post(
        "2026-05-09 15:01", "wei", "coupon.redeemed", coupon_id="C-1", redemption_id="U-2", spend=7200, place=SHENZHEN
    )
    shop.say(
        "Being a regular brought a voucher, too: it is set aside for a delivery, which comes with less than it is worth."
    )
    tea = "benefit:tea_for_regulars:ever:tea:1"
    shop.post(
        "2026-05-10 18:00", "wei", "hold.placed", hold_id="H-0", asset="coupon", coupon_id=tea, spend=7200,
        until="2026-05-10T23:00:00+08:00", place=SHENZHEN,
    )  # fmt: skip
    shop.post(
        "2026-05-10 18:01", "wei", "coupon.redeemed", coupon_id=tea, redemption_id="U-3", spend=7200, place=SHENZHEN
    )
    shop.post("2026-05-10 19:00", "wei", "hold.captured", hold_id="H-0", amount=1200, order_id="A-5")
    shop.say(
        "In the month of her birthday she has the cake, and it comes with the lunch it is eaten at; a second one is refused."
    )
    shop.post("2026-05-12 12:00", "wei", "benefit.taken", benefit="birthday_cake", attributes={"birthday_month": 5})
    shop.post(
        "2026-05-12 12:40", "wei", "purchase.recorded", order_id="A-6", currency="CNY", total=9800, place=SHENZHEN,
        tenders=[
            {"kind": "coupon", "amount": 0, "coupon_id": "benefit:birthday_cake:2026:cake:1"},
            {"kind": "wechat", "amount": 9800},
        ],
    )  # fmt: skip
    shop.post("2026-05-13 12:00", "wei", "benefit.taken", benefit="birthday_cake", attributes={"birthday_month": 5})
    shop.say("The rest of the card is held for a table, of which a part is captured; more than is there is refused.")
    shop.post(
        "2026-05-20 12:00", "wei", "hold.placed", hold_id="H-1", asset="stored_value", currency="CNY", amount=30000,
        until="2026-05-20T23:00:00+08:00",
    )  # fmt: skip
    shop.post("2026-05-20 20:00", "wei", "hold.captured", hold_id="H-1", amount=26000, order_id="A-4")
    shop.post("2026-05-20 20:30", "wei", "stored_value.spent", spend_id="S-1", currency="CNY", amount=100000)
    shop.say("Yu buys a year of VIP; the tier lasts as long.")
    shop.post("2026-05-21 12:00", "yu", "membership.purchased", membership_id="M-1", plan="vip", place=GUANGZHOU)
    shop.read("yu", "2026-05-22 00:00")
    shop.read("wei", "2026-05-22 00:00")
