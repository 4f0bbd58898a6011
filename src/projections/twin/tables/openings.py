"""Openings: customers taken over from other systems, with what they had bought there."""

from projections.twin.declaring import OF_RECORD, Column, Table

_FIRST = "coalesce(r.data.history.first_order_at, r.data.history.last_order_at)"
_LAST = "coalesce(r.data.history.last_order_at, r.data.history.first_order_at)"
_TOLD = f"CASE WHEN {_FIRST} IS NULL THEN 0 WHEN {_FIRST} = {_LAST} THEN 1 ELSE 2 END"
_ORDERS = f"coalesce(r.data.history.orders, {_TOLD})::BIGINT"

OPENINGS = Table(
    name="openings",
    says="A part of what was taken over; where there were orders, the first and the last of them, at the latest at the cut-over.",
    shape={
        "data": {
            "system": "VARCHAR",
            "cutover_at": "TIMESTAMP",
            "history": {"first_order_at": "TIMESTAMP", "last_order_at": "TIMESTAMP", "orders": "BIGINT"},
        }
    },
    rows="parsed AS r WHERE r.type = 'account.opened_from'",
    columns=(
        *OF_RECORD,
        Column("system", "VARCHAR", "r.data.system", required=True),
        Column("orders", "BIGINT", _ORDERS, required=True),
        Column("first_at", "TIMESTAMP", f"CASE WHEN {_ORDERS} > 0 THEN coalesce({_FIRST}, r.data.cutover_at) END"),
        Column("last_at", "TIMESTAMP", f"CASE WHEN {_ORDERS} > 0 THEN coalesce({_LAST}, r.data.cutover_at) END"),
        Column(
            "first_local_at",
            "TIMESTAMP",
            f"CASE WHEN {_ORDERS} > 0 THEN local_time(coalesce({_FIRST}, r.data.cutover_at)) END",
        ),
    ),
    control=(("orders", "system"),),
)
