"""Points transferred between customers: lot by lot, all or nothing, and every no by its name."""

from collections.abc import Callable

import pytest

from tests.builders import clock_runs, event, granted, purchase, redeemed, refunded, transferred
from tests.given import table
from tests.several import Several, several

A_HAS = (
    ("a", granted(50, "2026-01-01", expires_at="2026-06-01T00:00:00Z")),
    ("a", granted(100, "2026-01-02", reason="game", expires_at="2026-05-01T00:00:00Z")),
)
B_IS = ("b", granted(1, "2026-01-01"))
OUT = "120 points customer:points -> program:transferred of 2.1:100 1.1:20"
IN = [
    "100 points program:transferred -> customer:points opens 2.1 until 2026-05-01",
    "20 points program:transferred -> customer:points opens 2.2 until 2026-06-01",
]


def frozen(what: str, time: str) -> object:
    return event("customer.frozen", time, what=what, reason="stolen")


def closed(time: str) -> object:
    return event("customer.closed", time, reason="asked to leave")


def test_what_leaves_the_senders_lots_arrives_as_lots_with_their_expiry() -> None:
    """Lots soonest to expire first; the receiver's keep grant, expiry and reason. Against: one lot with one expiry."""
    done = several(*A_HAS, B_IS, transfers={}).when("a", transferred("T-1", 120, "b", "2026-02-01"))
    done.unit(("a", "points.transferred", [OUT]), ("b", "points.transferred", IN))
    done.lots("a", "1.1 30/50 until 2026-06-01")
    done.lots("b", "2.1 100/100 until 2026-05-01", "2.2 20/20 until 2026-06-01", "1.1 1/1")
    arrived = {lot.id: (lot.reason, lot.granted_at) for lot in done.account("b").lots.values()}
    left = {
        lot.id: (lot.reason, lot.granted_at) for lot in done.trial.histories["a"] and done.account("a").lots.values()
    }
    assert arrived["2.2"] == left["1.1"]
    assert arrived["2.1"][0] == "game"


def test_each_half_names_the_other_and_only_the_events_own_has_its_key() -> None:
    done = several(*A_HAS, B_IS, transfers={}).when("a", transferred("T-1", 5, "b", "2026-02-01", note="thanks"))
    own, half = done.records
    assert (own.reference, half.reference) == ("transfer:T-1", None)
    assert own.data == {"transfer_id": "T-1", "points": 5, "to": "b", "note": "thanks"}
    assert half.data == {"transfer_id": "T-1", "points": 5, "from": "a", "note": "thanks"}
    assert (half.cause, half.actor) == ({"source": own.source, "id": own.id}, own.actor)


def test_the_rules_may_let_what_arrives_begin_anew() -> None:
    done = several(*A_HAS, B_IS, transfers={"expiry": "anew"}, expiry={"kind": "after_days", "n": 9})
    done.when("a", transferred("T-1", 120, "b", "2026-02-01")).lots(
        "b", "3.1 100/100 until 2026-02-11", "3.2 20/20 until 2026-02-11"
    )


def test_what_fell_due_on_either_stream_is_written_first_and_the_events_own_record_is_found() -> None:
    """Against: what time brought on the other stream written after the half, or taken for the event's own record."""
    before = (
        ("a", granted(5, "2026-01-01", expires_at="2026-01-20T00:00:00Z")),
        ("b", granted(7, "2026-01-01", expires_at="2026-01-10T00:00:00Z")),
        ("a", granted(10, "2026-01-02")),
    )
    done = several(*before, transfers={}).when("a", transferred("T-1", 10, "b", "2026-02-01"))
    assert [(one.subject, one.type, one.version) for one in done.records] == [
        ("b", "points.expired", 2),
        ("a", "points.expired", 3),
        ("a", "points.transferred", 4),
        ("b", "points.transferred", 3),
    ]
    done.instants("2026-01-10", "2026-01-20", "2026-02-01", "2026-02-01")


def test_what_arrives_covers_the_receivers_debt_first() -> None:
    owing = (
        ("b", purchase("SO-1", 4000, "2026-01-01")),
        ("b", redeemed("R-1", 40, "2026-01-02")),
        ("b", refunded("SO-1", 4000, "2026-01-03")),
    )
    done = several(*A_HAS, *owing, transfers={}, refunds="allow_negative")
    done.when("a", transferred("T-1", 100, "b", "2026-02-01")).lots("b", "4.1 60/100 until 2026-05-01")


def test_very_many_lots_arrive_joined_where_they_agree() -> None:
    """110 lots of one month and expiry. Against: a record too large to be written."""
    many = [("a", granted(1, f"2026-01-{day:02d}T{hour:02d}:00")) for day in range(1, 12) for hour in range(10)]
    done = several(*many, B_IS, transfers={}).when("a", transferred("T-1", 110, "b", "2026-02-01"))
    done.lots("a").lots("b", "1.1 1/1", "2.1 110/110")


def test_both_are_right_at_every_cut_off_and_explained() -> None:
    done = several(*A_HAS, B_IS, transfers={}).when("a", transferred("T-1", 120, "b", "2026-02-01"))
    for as_of, of_a, of_b in (
        ("2026-01-31", 150, 1),
        ("2026-02-01", 30, 121),
        ("2026-05-02", 30, 21),
        ("2026-06-02", 0, 1),
    ):
        found = [done.shown(name, as_of)["balances"]["points"] for name in ("a", "b")]
        assert found == [of_a, of_b], as_of


LATE = transferred("T-1", 60, "b", "2026-02-01").late("2026-07-01")


def test_a_late_transfer_takes_what_was_free_from_then_until_now_and_reverses_the_expiry_it_makes_untrue() -> None:
    """The lot expired on 1 May; what moves expires at the receiver instead. Source: DESIGN 5."""
    before = (*A_HAS, B_IS, ("a", redeemed("R-1", 20, "2026-03-01")), ("a", clock_runs("2026-07-01")))
    done = several(*before, ("b", clock_runs("2026-07-01")), transfers={}).when("a", LATE)
    assert [(one.subject, one.type) for one in done.records] == [
        ("a", "points.expiry_reversed"),
        ("a", "points.transferred"),
        ("b", "points.transferred"),
    ]
    done.lots("a").lots("b", "2.1 60/60 until 2026-05-01", "1.1 1/1")
    assert [done.shown("b", as_of)["balances"]["points"] for as_of in ("2026-01-31", "2026-02-01", "2026-05-01")] == [
        1,
        61,
        1,
    ]
    done.run("b", clock_runs("2026-07-01"))
    done.lots("b", "1.1 1/1")


def test_a_late_transfer_of_what_was_spent_since_is_refused() -> None:
    """Against: what was free then taken for free now."""
    before = (*A_HAS, B_IS, ("a", redeemed("R-1", 100, "2026-03-01")))
    several(*before, transfers={}).when("a", LATE).refused("insufficient_points", available=50, requested=60)


def test_a_transfer_late_for_the_receiver_only_pays_a_debt_from_when_both_were_there() -> None:
    owing = (
        ("b", purchase("SO-1", 4000, "2026-03-01")),
        ("b", redeemed("R-1", 40, "2026-03-02")),
        ("b", refunded("SO-1", 4000, "2026-03-03")),
    )
    done = several(*A_HAS, *owing, transfers={}, refunds="allow_negative")
    done.when("a", transferred("T-1", 100, "b", "2026-02-01").late("2026-03-04"))
    done.lots("b", "4.1 60/100 until 2026-05-01")


REFUSALS: list[tuple[str, Callable[[], Several]]] = [
    (
        "not allowed by the rules",
        lambda: several(*A_HAS, B_IS).when("a", transferred("T", 1, "b", "2026-02-01")).refused("transfer_not_allowed"),
    ),
    (
        "to oneself",
        lambda: (
            several(*A_HAS, transfers={})
            .when("a", transferred("T", 1, "a", "2026-02-01"))
            .refused("transfer_to_self", to="a")
        ),
    ),
    (
        "sender frozen",
        lambda: (
            several(*A_HAS, B_IS, ("a", frozen("redeem", "2026-01-05")), transfers={})
            .when("a", transferred("T", 1, "b", "2026-02-01"))
            .refused("customer_frozen", what="redeem")
        ),
    ),
    (
        "sender closed",
        lambda: (
            several(*A_HAS, B_IS, ("a", closed("2026-01-05")), transfers={})
            .when("a", transferred("T", 1, "b", "2026-02-01"))
            .refused("customer_closed")
        ),
    ),
    (
        "receiver unknown",
        lambda: (
            several(*A_HAS, transfers={})
            .when("a", transferred("T", 1, "b", "2026-02-01"))
            .refused("receiver_unknown", to="b")
        ),
    ),
    (
        "receiver closed",
        lambda: (
            several(*A_HAS, B_IS, ("b", closed("2026-01-05")), transfers={})
            .when("a", transferred("T", 1, "b", "2026-02-01"))
            .refused("receiver_closed", to="b")
        ),
    ),
    (
        "receiver frozen",
        lambda: (
            several(*A_HAS, B_IS, ("b", frozen("earn", "2026-01-05")), transfers={})
            .when("a", transferred("T", 1, "b", "2026-02-01"))
            .refused("receiver_frozen", to="b")
        ),
    ),
    (
        "a receiver that may not redeem receives",
        lambda: (
            several(*A_HAS, B_IS, ("b", frozen("redeem", "2026-01-05")), transfers={})
            .when("a", transferred("T", 1, "b", "2026-02-01"))
            .lots("b", "3.1 1/1 until 2026-05-01", "1.1 1/1")
        ),
    ),
    (
        "fewer than the rules ask for",
        lambda: (
            several(*A_HAS, B_IS, transfers={"points_min": 10})
            .when("a", transferred("T", 9, "b", "2026-02-01"))
            .refused("transfer_limit_reached", points_min=10, requested=9)
        ),
    ),
    (
        "more at once than the rules allow",
        lambda: (
            several(*A_HAS, B_IS, transfers={"points_max": 10})
            .when("a", transferred("T", 11, "b", "2026-02-01"))
            .refused("transfer_limit_reached", points_max=10, requested=11)
        ),
    ),
    (
        "more than there are",
        lambda: (
            several(*A_HAS, B_IS, transfers={})
            .when("a", transferred("T", 151, "b", "2026-02-01"))
            .refused("insufficient_points", available=150, requested=151)
        ),
    ),
    (
        "nothing for a sender nobody knows",
        lambda: (
            several(B_IS, transfers={})
            .when("a", transferred("T", 1, "b", "2026-02-01"))
            .refused("insufficient_points", available=0, requested=1)
        ),
    ),
    (
        "to a phone number",
        lambda: (
            several(*A_HAS, transfers={})
            .when("a", transferred("T", 1, "13800138000", "2026-02-01"))
            .refused("personal_identifier")
        ),
    ),
]


@table(*REFUSALS)
def test_every_no_has_its_name_and_changes_nothing(scenario: Callable[[], Several]) -> None:
    scenario()


def test_a_day_is_a_business_day_of_the_program_and_late_ones_count_on_their_own() -> None:
    """100 a day, days from 05:00. Against: the limit counted by arrival, or by calendar day."""
    rules = {"transfers": {"per_day_max": 100}, "business_day_starts_at": "05:00"}
    before = (*A_HAS, B_IS, ("a", transferred("T-1", 60, "b", "2026-02-01T23:00")))
    again = several(*before, **rules)
    again.when("a", transferred("T-2", 41, "b", "2026-02-02T04:59"))
    again.refused("transfer_limit_reached", transferred=60, per_day_max=100, requested=41)
    several(*before, **rules).when("a", transferred("T-2", 40, "b", "2026-02-02T04:59")).lots(
        "a", "1.1 50/50 until 2026-06-01"
    )
    next_day = several(*before, ("a", transferred("T-2", 30, "b", "2026-02-02T05:00")), **rules)
    next_day.when("a", transferred("T-3", 41, "b", "2026-02-01T22:00").late("2026-02-03"))
    next_day.refused("transfer_limit_reached", transferred=60, per_day_max=100, requested=41)


@pytest.mark.parametrize("points", [0, -1, 1.5, "1"])
def test_points_are_a_positive_whole_number(points: object) -> None:
    posted = transferred("T", points, "b", "2026-02-01")  # type: ignore[arg-type]
    several(*A_HAS, B_IS, transfers={}).when("a", posted).refused("malformed")
