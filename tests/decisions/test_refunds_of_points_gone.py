"""`purchase.refunded` where the points are spent or gone: what expired counts, and a setting decides about the rest."""

from tests.builders import clock_runs, granted, purchase, redeemed, refunded
from tests.given import given, table

BOUGHT = purchase("SO-1", 8500, "2026-03-01")
MONTHLY = {"kind": "end_of_month", "n": 0}


def taken(amount, *parts):
    return f"{amount} points customer:points -> program:reversed of {' '.join(parts)}"


def became(when, **wanted):
    """What became of the points due of the first earning of the first order."""
    found = when.own.derived["orders"][0]["clawback"][0]
    wanted = {"due": 0, "taken": 0, "expired": 0, "dropped": 0, "debt": 0, **wanted}
    assert {name: found[name] for name in wanted} == wanted


@table(
    (
        "all of it expired: nothing more is taken",
        lambda: became(
            given(BOUGHT, granted(100, "2026-04-01"), expiry=MONTHLY)
            .when(refunded("SO-1", 8500, "2026-04-02"))
            .then()
            .lots("3.1 100/100 until 2026-05-01"),
            due=85,
            expired=85,
        ),
    ),
    (
        "half refunded after all expired: the half counts as taken back",
        lambda: became(
            given(BOUGHT, granted(100, "2026-04-01"), expiry=MONTHLY).when(refunded("SO-1", 4300, "2026-04-02")).then(),
            due=43,
            expired=43,
        ),
    ),
    (
        "and the other half counts no more than what expired",
        lambda: became(
            given(
                BOUGHT,
                redeemed("R", 40, "2026-03-02"),
                granted(100, "2026-04-01"),
                refunded("SO-1", 4300, "2026-04-02"),
                expiry=MONTHLY,
            )
            .when(refunded("SO-1", 4200, "2026-04-03", refund="RF-2"))
            .then(taken(40, "4.1:40")),
            due=42,
            taken=40,
            expired=2,
        ),
    ),
    (
        "part spent, the rest expired: what was spent is taken from other lots",
        lambda: became(
            given(BOUGHT, redeemed("R", 40, "2026-03-02"), granted(100, "2026-04-01"), expiry=MONTHLY)
            .when(refunded("SO-1", 8500, "2026-04-02"))
            .then(taken(40, "4.1:40")),
            due=85,
            taken=40,
            expired=45,
        ),
    ),
    (
        "the clock has run or not, it is the same",
        lambda: became(
            given(BOUGHT, clock_runs("2026-04-02"), expiry=MONTHLY).when(refunded("SO-1", 8500, "2026-04-02")).then(),
            due=85,
            expired=85,
        ),
    ),
    (
        "expired points make no debt",
        lambda: became(
            given(BOUGHT, refunds="allow_negative", expiry=MONTHLY)
            .when(refunded("SO-1", 8500, "2026-04-02"))
            .then()
            .lots(),
            due=85,
            expired=85,
        ),
    ),
)
def test_what_expired_meanwhile_counts_as_taken_back(scenario):
    """Planted: expired points counted anew at every refund of the order."""
    scenario()


SPENT = (BOUGHT, redeemed("R", 85, "2026-03-02"), granted(30, "2026-03-03"))
WAITING = {"kind": "after_days", "days": 14}


@table(
    (
        "pending_only: what is spent stays spent, other lots are left alone",
        lambda: became(
            given(*SPENT, refunds="pending_only").when(refunded("SO-1", 8500, "2026-03-04")).then().lots("3.1 30/30"),
            due=85,
            dropped=85,
        ),
    ),
    (
        "pending_only: what may be spent already stays too",
        lambda: became(
            given(BOUGHT, refunds="pending_only").when(refunded("SO-1", 8500, "2026-03-04")).then(), due=85, dropped=85
        ),
    ),
    (
        "pending_only: what still waits is taken",
        lambda: became(
            given(BOUGHT, refunds="pending_only", availability=WAITING)
            .when(refunded("SO-1", 8500, "2026-03-14T23:59:59Z"))
            .then(taken(85, "1.1:85")),
            due=85,
            taken=85,
        ),
    ),
    (
        "pending_only: at the instant it is available it is safe",
        lambda: became(
            given(BOUGHT, refunds="pending_only", availability=WAITING)
            .when(refunded("SO-1", 8500, "2026-03-15"))
            .then(),
            due=85,
            dropped=85,
        ),
    ),
    (
        "within_balance: as much as there is, the rest is dropped",
        lambda: became(
            given(*SPENT, refunds="within_balance")
            .when(refunded("SO-1", 8500, "2026-03-04"))
            .then(taken(30, "3.1:30"))
            .lots()
            .balance(0),
            due=85,
            taken=30,
            dropped=55,
        ),
    ),
    (
        "within_balance: what waits for its day is there to be taken",
        lambda: became(
            given(BOUGHT, refunds="within_balance", availability=WAITING)
            .when(refunded("SO-1", 8500, "2026-03-04"))
            .then(taken(85, "1.1:85")),
            due=85,
            taken=85,
        ),
    ),
    (
        "within_balance: a lot that has expired is not there",
        lambda: became(
            given(*SPENT[:2], granted(30, "2026-03-03", expires_at="2026-03-04T00:00:00Z"), refunds="within_balance")
            .when(refunded("SO-1", 8500, "2026-03-04"))
            .then(),
            due=85,
            dropped=85,
        ),
    ),
    (
        "allow_negative: the rest is owed",
        lambda: became(
            given(*SPENT, refunds="allow_negative")
            .when(refunded("SO-1", 8500, "2026-03-04"))
            .then(taken(30, "3.1:30"), "55 points customer:points:debt -> program:reversed opens 4.2")
            .lots("owes 4.2 55/55")
            .balance(-55)
            .seen("2026-03-04", points=-55, owed=55, available=0),
            due=85,
            taken=30,
            debt=55,
        ),
    ),
    (
        "the rules of the refund's instant decide, not those of the purchase",
        lambda: became(
            given(*SPENT, refunds="pending_only").when(refunded("SO-1", 100, "2026-03-04")).then(), due=1, dropped=1
        ),
    ),
)
def test_a_setting_says_what_happens_where_the_points_are_spent(scenario):
    """Planted: within_balance leaves out pending lots; allow_negative owes what expired."""
    scenario()
