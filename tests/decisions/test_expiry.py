"""When points are gone: kinds of expiry, ends of months, leap days, zones that skip midnight; and what the clock writes."""

import pytest

from ledger.rules import read_document
from tests.builders import at, clock_runs, granted, opened, purchase, redeemed
from tests.given import given, table, text_of

EXPIRED = "points.expired"


@pytest.mark.parametrize(
    ("kind", "n", "zone", "granted_at", "gone"),
    [
        ("never", 0, "UTC", "2026-01-31T10:00", "never"),
        # After days: that many whole days follow the day of the grant.
        ("after_days", 0, "UTC", "2026-03-01T00:00", "2026-03-02"),
        ("after_days", 0, "UTC", "2026-03-01T23:59:59Z", "2026-03-02"),
        ("after_days", 30, "UTC", "2026-03-01T10:00", "2026-04-01"),
        ("after_days", 365, "UTC", "2023-03-01T10:00", "2024-03-01"),
        # After months: the same day of the month is the last, or the last day there is.
        ("after_months", 1, "UTC", "2026-01-15T10:00", "2026-02-16"),
        ("after_months", 1, "UTC", "2026-01-31T10:00", "2026-03-01"),
        ("after_months", 1, "UTC", "2024-01-31T10:00", "2024-03-01"),
        ("after_months", 1, "UTC", "2024-01-30T10:00", "2024-03-01"),
        ("after_months", 1, "UTC", "2024-01-28T10:00", "2024-02-29"),
        ("after_months", 12, "UTC", "2024-02-29T10:00", "2025-03-01"),
        ("after_months", 48, "UTC", "2024-02-29T10:00", "2028-03-01"),
        ("after_months", 1, "UTC", "2026-12-31T10:00", "2027-02-01"),
        # End of a month: granted 2026-11-21, gone 2027-12-01T00:00Z.
        ("end_of_month", 12, "UTC", "2026-11-21T10:00", "2027-12-01"),
        ("end_of_month", 0, "UTC", "2026-11-21T10:00", "2026-12-01"),
        ("end_of_month", 0, "UTC", "2026-12-31T23:59:59Z", "2027-01-01"),
        ("end_of_month", 1, "UTC", "2024-01-31T10:00", "2024-03-01"),
        ("end_of_month", 12, "UTC", "2026-12-01T00:00", "2028-01-01"),
        # End of a year.
        ("end_of_year", 0, "UTC", "2026-01-01T00:00", "2027-01-01"),
        ("end_of_year", 1, "UTC", "2026-12-31T23:59:59Z", "2028-01-01"),
        # The program's zone: its month and year, its midnight.
        ("end_of_month", 0, "Asia/Shanghai", "2026-11-30T15:59:59Z", "2026-11-30T16:00"),
        ("end_of_month", 0, "Asia/Shanghai", "2026-11-30T16:00", "2026-12-31T16:00"),
        ("end_of_year", 0, "Asia/Shanghai", "2026-12-31T16:00", "2027-12-31T16:00"),
        ("end_of_month", 0, "America/New_York", "2026-03-15T10:00", "2026-04-01T04:00"),
        ("end_of_month", 0, "America/New_York", "2026-11-15T10:00", "2026-12-01T05:00"),
        # Where midnight is skipped, the day begins when the gap ends; where an hour is repeated, at the first midnight.
        ("after_days", 0, "America/Sao_Paulo", "2018-11-03T12:00", "2018-11-04T03:00"),
        ("after_days", 0, "America/Sao_Paulo", "2018-11-04T12:00", "2018-11-05T02:00"),
        ("after_days", 0, "America/Sao_Paulo", "2019-02-16T12:00", "2019-02-17T03:00"),
        ("after_days", 0, "Asia/Beirut", "2024-03-30T12:00", "2024-03-30T22:00"),
        ("after_days", 0, "Asia/Beirut", "2024-03-31T12:00", "2024-03-31T21:00"),
        ("after_days", 0, "Asia/Beirut", "2024-10-26T12:00", "2024-10-26T22:00"),
        ("after_days", 0, "America/Havana", "2024-11-02T12:00", "2024-11-03T04:00"),
        ("end_of_month", 0, "Africa/Cairo", "2023-04-30T12:00", "2023-04-30T21:00"),
        # Samoa had no 30 December 2011.
        ("after_days", 0, "Pacific/Apia", "2011-12-30T09:00", "2011-12-30T10:00"),
        ("after_days", 0, "Pacific/Apia", "2011-12-30T10:00", "2011-12-31T10:00"),
    ],
)
def test_points_are_gone_at_a_midnight_of_the_program(kind, n, zone, granted_at, gone):
    """Planted: a month later clipped with the day of the month in hand, so that 31 January + 1 is 3 March; the gap's end
    looked for in the day before, so that points of 29 December in Samoa were gone as they were granted."""
    document = read_document({"program": {"time_zone": zone}, "expiry": {"kind": kind, "n": n}})
    assert text_of(document.expires_at(at(granted_at))) == gone


MONTHLY = {"kind": "end_of_month", "n": 0}


@table(
    (
        "the clock writes what is due, at its own instant",
        lambda: (
            given(purchase("SO-1", 8500, "2026-03-10"), expiry=MONTHLY)
            .when(clock_runs("2026-05-20"))
            .unit((EXPIRED, "2026-04-01", ["85 points customer:points -> program:expired of 1.1:85"]))
            .lots()
        ),
    ),
    (
        "a microsecond before there is nothing to write",
        lambda: (
            given(purchase("SO-1", 8500, "2026-03-10"), expiry=MONTHLY)
            .when(clock_runs(at("2026-04-01") - 1))
            .unit()
            .lots("1.1 85/85 until 2026-04-01")
        ),
    ),
    (
        "lots that end together expire in one record, those to be spent first named first",
        lambda: (
            given(purchase("SO-1", 8500, "2026-03-10"), purchase("SO-2", 1500, "2026-03-11"), expiry=MONTHLY)
            .when(clock_runs("2026-04-01"))
            .unit((EXPIRED, "2026-04-01", ["100 points customer:points -> program:expired of 1.1:85 2.1:15"]))
        ),
    ),
    (
        "lots that end at different instants expire in records of their own",
        lambda: (
            given(granted(5, "2026-03-10", expires_at="2026-03-20T00:00:00Z"), granted(7, "2026-03-11"), expiry=MONTHLY)
            .when(clock_runs("2026-04-02"))
            .unit(
                (EXPIRED, "2026-03-20", ["5 points customer:points -> program:expired of 1.1:5"]),
                (EXPIRED, "2026-04-01", ["7 points customer:points -> program:expired of 2.1:7"]),
            )
        ),
    ),
    (
        "only what is left expires",
        lambda: (
            given(granted(50, "2026-03-10"), redeemed("R-1", 20, "2026-03-11"), expiry=MONTHLY)
            .when(clock_runs("2026-04-01"))
            .unit((EXPIRED, "2026-04-01", ["30 points customer:points -> program:expired of 1.1:30"]))
        ),
    ),
    (
        "each asset in a posting of its own",
        lambda: (
            given(
                opened(
                    "2026-03-01",
                    [
                        {"asset": asset, "amount": 5, "reason": "opening", "granted_at": "2026-01-01T00:00:00Z"}
                        | {"expires_at": "2026-04-01T00:00:00Z"}
                        for asset in ("points", "growth")
                    ],
                )
            )
            .when(clock_runs("2026-04-01"))
            .unit(
                (
                    EXPIRED,
                    "2026-04-01",
                    [
                        "5 points customer:points -> program:expired of 1.1:5",
                        "5 growth customer:growth -> program:expired of 1.2:5",
                    ],
                )
            )
        ),
    ),
    (
        "twice run, the clock writes nothing more",
        lambda: (
            given(granted(50, "2026-03-10"), clock_runs("2026-04-02"), expiry=MONTHLY)
            .when(clock_runs("2026-04-03"))
            .unit()
        ),
    ),
    (
        "an event writes what fell due on the way, ahead of its own record in the same unit",
        lambda: (
            given(granted(50, "2026-03-10"), expiry=MONTHLY)
            .when(granted(7, "2026-04-05"))
            .unit(
                (EXPIRED, "2026-04-01", ["50 points customer:points -> program:expired of 1.1:50"]),
                (
                    "points.granted",
                    "2026-04-05",
                    ["7 points program:issued:goodwill -> customer:points opens 3.1 until 2026-05-01"],
                ),
            )
        ),
    ),
    (
        "at the very instant of expiry the lot is gone",
        lambda: (
            given(granted(50, "2026-03-10"), expiry=MONTHLY)
            .when(redeemed("R-1", 1, "2026-04-01"))
            .refused("insufficient_points", available=0, requested=1)
            .nothing_changed()
        ),
    ),
    (
        "a microsecond before it is all there",
        lambda: (
            given(granted(50, "2026-03-10"), expiry=MONTHLY)
            .when(redeemed("R-1", 50, at("2026-04-01") - 1))
            .then("50 points customer:points -> program:redeemed of 1.1:50")
        ),
    ),
    (
        "a reader sees it gone whether or not the clock has written it",
        lambda: (
            given(granted(50, "2026-03-10"), expiry=MONTHLY)
            .when(clock_runs("2026-03-12"))
            .seen(at("2026-04-01") - 1, points=50, available=50)
            .seen("2026-04-01", points=0, available=0)
        ),
    ),
)
def test_what_falls_due(scenario):
    """Planted: a lot counted as gone only after its `expires_at` (`<` for `<=`)."""
    scenario()
