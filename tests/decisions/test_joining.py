"""`customer.signed_up` and `account.opened_from`: how a customer comes."""

from ledger.instants import show
from tests.builders import clock_runs, given_back, granted, opened, purchase, redeemed, registered, rules, signed_up
from tests.given import given, table

HELLO = {"id": "hello", "on": "customer.signed_up", "points": 100}
MONTHLY = {"kind": "end_of_month", "n": 0}


def lot(amount, asset="points", granted_at="2025-06-01T00:00:00Z", **more):
    return {"asset": asset, "amount": amount, "granted_at": granted_at, "reason": "purchase", **more}


@table(
    (
        "it earns what the rules give for it",
        lambda: (
            given(document=rules(HELLO, expiry=MONTHLY))
            .when(signed_up("2026-03-01"))
            .then("100 points program:issued:signup -> customer:points opens 1.1 until 2026-04-01 by hello")
            .notes()
        ),
    ),
    ("without a rule it earns nothing", lambda: given().when(signed_up("2026-03-01")).then().balance(0)),
    (
        "its points wait for nothing, whatever purchases wait for",
        lambda: (
            given(document=rules(HELLO, availability={"kind": "after_delivery"}))
            .when(signed_up("2026-03-01"))
            .seen("2026-03-01", available=100)
        ),
    ),
    (
        "where it was is kept, with the brand of that time",
        lambda: (
            given(registered("SZ-1", "red", "2026-01-01T00:00:00Z", "2026-01-01"))
            .when(
                signed_up("2026-03-01", place={"store": "SZ-1", "channel": "wecom", "guide": "g-7"}, live_code="lc-1")
            )
            .derived(brand="red", business_day="2026-03-01")
        ),
    ),
    (
        "after the first purchase it is a sign-up all the same",
        lambda: (
            given(purchase("SO-1", 100, "2026-02-01"), document=rules(HELLO)).when(signed_up("2026-03-01")).balance(100)
        ),
    ),
)
def test_a_customer_signs_up(scenario):
    """Planted: availability of purchases applied to the points of a sign-up."""
    scenario()


@table(
    (
        "each lot with its own grant, expiry and reason",
        lambda: (
            given()
            .when(opened("2026-01-01", [lot(320, expires_at="2026-07-01T00:00:00Z"), lot(5, "growth")]))
            .then(
                "320 points program:opening:old -> customer:points opens 1.1 until 2026-07-01",
                "5 growth program:opening:old -> customer:growth opens 1.2",
            )
            .lots("1.1 320/320 until 2026-07-01", "growth 1.2 5/5")
        ),
    ),
    (
        "money keeps its currency and its two kinds",
        lambda: (
            given()
            .when(opened("2026-01-01", [lot(1000, "stored.principal:CNY"), lot(50, "stored.bonus:CNY")]))
            .lots("stored.principal:CNY 1.1 1000/1000", "stored.bonus:CNY 1.2 50/50")
        ),
    ),
    (
        "the rules' expiry does not touch what says nothing: it never expires",
        lambda: given(expiry=MONTHLY).when(opened("2026-01-01", [lot(320)])).lots("1.1 320/320"),
    ),
    (
        "it counts from the opening, not from the grant in the other system",
        lambda: (
            given()
            .when(opened("2026-01-01", [lot(320)]))
            .seen("2025-12-31", points=0)
            .seen("2026-01-01", points=320, available=320)
        ),
    ),
    (
        "but the older grant is spent first",
        lambda: (
            given(granted(10, "2025-07-01"), opened("2026-01-01", [lot(320)]))
            .when(redeemed("R", 321, "2026-01-02"))
            .then("321 points customer:points -> program:redeemed of 2.1:320 1.1:1")
        ),
    ),
    (
        "what was bought before counts in the totals",
        lambda: totals(
            given(purchase("SO-1", 100, "2026-02-01")).when(
                opened(
                    "2026-02-02",
                    history={
                        "first_order_at": "2019-03-08T12:00:00Z",
                        "last_order_at": "2025-12-30T18:00:00Z",
                        "orders": 41,
                        "spend": {"CNY": 523_400, "JPY": 9},
                    },
                )
            ),
            orders=42,
            gross={"CNY": 523_500, "JPY": 9},
            net={"CNY": 523_500, "JPY": 9},
            first="2019-03-08T12:00:00Z",
            last="2026-02-01T00:00:00Z",
        ),
    ),
    (
        "a history with one date",
        lambda: totals(
            given().when(opened("2026-01-01", history={"first_order_at": "2019-03-08T12:00:00Z", "orders": 1})),
            orders=1,
            gross={},
            net={},
            first="2019-03-08T12:00:00Z",
            last="2019-03-08T12:00:00Z",
        ),
    ),
    (
        "what was opened expires by itself",
        lambda: (
            given(opened("2026-01-01", [lot(320, expires_at="2026-07-01T00:00:00Z")]))
            .when(clock_runs("2026-08-01"))
            .unit(("points.expired", "2026-07-01", ["320 points customer:points -> program:expired of 1.1:320"]))
        ),
    ),
    (
        "spent and given back it keeps the grant of the other system",
        lambda: (
            given(
                opened("2026-01-01", [lot(320, expires_at="2026-07-01T00:00:00Z")]),
                redeemed("R", 320, "2026-06-30"),
                given_back("R", "2026-07-02"),
                granted(5, "2026-07-03"),
                expiry=MONTHLY,
            )
            .when(redeemed("R-2", 1, "2026-07-04"))
            .then("1 points customer:points -> program:redeemed of 3.1:1")
        ),
    ),
)
def test_an_account_is_taken_over(scenario):
    """Planted: lots opened at the instant of their grant, so a balance of last year changes."""
    scenario()


def totals(when, *, orders, gross, net, first, last):
    assert when.error is None
    found = when.ledger.account.totals
    assert (found.orders, found.gross, found.net) == (orders, gross, net)
    assert (show(found.first_order_at), show(found.last_order_at)) == (first, last)
