"""Entries of lots and debts: what opened, took from or gave back to each, as the fold of an account does it.

The sum of a lot's entries is what remains of it; of a lot that is past its `expires_at` nothing remains, whether or not the
clock has written so; but what a hold set aside lasts until `held_until`. Source: `ledger.account.move`.
"""

from projections.twin.declaring import CUSTOMER, POSITION, Column, Table, merged
from projections.twin.tables.postings import MOVED_AT, MOVED_LOCAL_AT, POSTINGS_SHAPE

_OF_CUSTOMER = "starts_with(each.\"from\", 'customer:')"
_IS_DEBT = "each.\"from\" = concat('customer:', each.asset, ':debt') AND each.lot IS NOT NULL"
_OPENS = "each.lot IS NOT NULL AND starts_with(each.\"to\", 'customer:')"

_ENTRIES = f"""
    CASE WHEN {_IS_DEBT}
    THEN [{{'kind': 'debt', 'lot': each.lot, 'amount': each.amount, 'opens': true}}]
    ELSE list_concat(
        coalesce(list_transform(each.lots, lambda one:
            {{'kind': 'lot', 'lot': one[1],
              'amount': CASE WHEN {_OF_CUSTOMER} THEN -one[2]::BIGINT ELSE one[2]::BIGINT END, 'opens': false}}), []),
        coalesce(list_transform(each.debts, lambda one:
            {{'kind': 'debt', 'lot': one[1], 'amount': -one[2]::BIGINT, 'opens': false}}), []),
        CASE WHEN {_OPENS}
        THEN [{{'kind': 'lot', 'lot': each.lot, 'amount': each.amount, 'opens': true}}] ELSE [] END)
    END
"""

_OPENED_WITH = "CASE WHEN entry.opens AND entry.kind = 'lot' THEN"

LOT_ENTRIES = Table(
    name="lot_entries",
    says="An entry of a lot (`kind` lot) or a debt; `amount` is signed, `other` the account on the program's side.",
    shape=merged(POSTINGS_SHAPE, {"data": {"until": "TIMESTAMP"}}),
    rows=f"(SELECT *, unnest({_ENTRIES}) AS entry FROM (SELECT *, unnest(postings) AS each FROM parsed)) AS r",
    columns=(
        POSITION,
        CUSTOMER,
        MOVED_AT,
        MOVED_LOCAL_AT,
        Column("asset", "VARCHAR", "each.asset", required=True),
        Column("kind", "VARCHAR", "entry.kind", required=True),
        Column("lot", "VARCHAR", "entry.lot", required=True),
        Column("amount", "BIGINT", "entry.amount", required=True),
        Column("opens", "BOOLEAN", "entry.opens", required=True),
        Column("source", "VARCHAR", 'each."from"', required=True),
        Column("target", "VARCHAR", 'each."to"', required=True),
        Column("granted_at", "TIMESTAMP", f"{_OPENED_WITH} coalesce(each.granted_at, each.at, r.at) END"),
        Column("expires_at", "TIMESTAMP", f"{_OPENED_WITH} each.expires_at END"),
        Column(
            "held_until", "TIMESTAMP", f"{_OPENED_WITH} CASE WHEN each.\"to\" LIKE '%:held' THEN r.data.until END END"
        ),
        Column("available_at", "TIMESTAMP", f"{_OPENED_WITH} (each.available_at->>'$')::TIMESTAMP END"),
        Column("waits", "BOOLEAN", f"{_OPENED_WITH} coalesce(each.available_at::VARCHAR = 'null', false) END"),
        Column(
            "reason", "VARCHAR", f"{_OPENED_WITH} coalesce(each.reason, regexp_extract(each.\"from\", '[^:]*$')) END"
        ),
    ),
    control=(("amount", "asset"),),
)
