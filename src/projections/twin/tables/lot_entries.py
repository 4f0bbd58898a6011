"""Entries of lots and debts: what opened, took from or gave back to each, as the fold of an account does it.

The sum of a lot's entries is what remains of it; of a lot that is past its `expires_at` nothing remains, whether or not the
clock has written so; but what a hold set aside lasts until `held_until`. Source: `ledger.account.move`.
"""

from projections.twin.declaring import CUSTOMER, POSITION, Column, Table
from projections.twin.tables.postings import MOVED_AT, MOVED_LOCAL_AT, POSTINGS_SHAPE, WAITS_UNTIL

_FROM_CUSTOMER = "starts_with(each.\"from\", 'customer:')"
_OWES = "(each.\"from\" = concat('customer:', each.asset, ':debt') AND each.lot IS NOT NULL)"

_ENTRIES = f"""(
    SELECT *, each.lot AS lot, CASE WHEN {_OWES} THEN 'debt' ELSE 'lot' END AS kind, each.amount AS entered, true AS opens
    FROM posted
    WHERE each.lot IS NOT NULL AND ({_OWES} OR starts_with(each."to", 'customer:'))
    UNION ALL
    SELECT * EXCLUDE (one), one[1], 'lot', CASE WHEN {_FROM_CUSTOMER} THEN -one[2]::BIGINT ELSE one[2]::BIGINT END, false
    FROM (SELECT *, unnest(each.lots) AS one FROM posted WHERE each.lots IS NOT NULL AND NOT {_OWES})
    UNION ALL
    SELECT * EXCLUDE (one), one[1], 'debt', -one[2]::BIGINT, false
    FROM (SELECT *, unnest(each.debts) AS one FROM posted WHERE each.debts IS NOT NULL AND NOT {_OWES})
)"""

_WAITS = f"each.available_at = TIMESTAMP '{WAITS_UNTIL}'"
_OPENED_WITH = "CASE WHEN r.opens AND r.kind = 'lot' THEN"
_GRANTED_LOCAL_AT = f"CASE WHEN each.granted_at IS NULL THEN {MOVED_LOCAL_AT.sql} ELSE local_time(each.granted_at) END"
_LAST_ALIVE_LOCAL_AT = "local_time(each.expires_at - INTERVAL 1 microsecond)"


def _month_of(local_at: str) -> str:
    return f"(year({local_at}) * 100 + month({local_at}))::INTEGER"


LOT_ENTRIES = Table(
    name="lot_entries",
    says="An entry of a lot (`kind` lot) or a debt; `amount` is signed. What opens a lot says of whose `entity` and months it is, "
    "or which lot it `joins`: the eldest of those it was made of. Months as 202603; the expiry month is the last one alive.",
    shape=POSTINGS_SHAPE,
    rows=f"{_ENTRIES} AS r",
    columns=(
        POSITION,
        CUSTOMER,
        MOVED_AT,
        MOVED_LOCAL_AT,
        Column("type", "VARCHAR", "r.type", required=True),
        Column("asset", "VARCHAR", "each.asset", required=True),
        Column("kind", "VARCHAR", "r.kind", required=True),
        Column("lot", "VARCHAR", "r.lot", required=True),
        Column("amount", "BIGINT", "r.entered", required=True),
        Column("opens", "BOOLEAN", "r.opens", required=True),
        Column("source", "VARCHAR", 'each."from"', required=True),
        Column("target", "VARCHAR", 'each."to"', required=True),
        Column("granted_at", "TIMESTAMP", f"{_OPENED_WITH} coalesce(each.granted_at, each.at, r.at) END"),
        Column("expires_at", "TIMESTAMP", f"{_OPENED_WITH} each.expires_at END"),
        Column("held_until", "TIMESTAMP", f"{_OPENED_WITH} CASE WHEN each.\"to\" LIKE '%:held' THEN r.until END END"),
        Column("available_at", "TIMESTAMP", f"{_OPENED_WITH} CASE WHEN NOT {_WAITS} THEN each.available_at END END"),
        Column("waits", "BOOLEAN", f"{_OPENED_WITH} coalesce({_WAITS}, false) END"),
        Column("reason", "VARCHAR", f"{_OPENED_WITH} coalesce(each.reason, split_part(each.\"from\", ':', -1)) END"),
        Column("entity", "VARCHAR", "CASE WHEN r.opens THEN r.entity END"),
        Column("joins", "VARCHAR", f"{_OPENED_WITH} CASE WHEN {_FROM_CUSTOMER} THEN each.lots[1][1] END END"),
        Column("grant_month", "INTEGER", f"{_OPENED_WITH} {_month_of(_GRANTED_LOCAL_AT)} END"),
        Column("expiry_month", "INTEGER", f"{_OPENED_WITH} {_month_of(_LAST_ALIVE_LOCAL_AT)} END"),
    ),
    control=(("amount", "asset"),),
)
