"""Refunds of named orders and returns of goods, at the date of the refund."""

from projections.twin.declaring import OF_RECORD, PLACE, PLACE_SHAPE, Column, Table, merged

REFUNDS = Table(
    name="refunds",
    says="A refund or a return; `amount` in minor units, whatever it was matched with.",
    shape=merged(
        PLACE_SHAPE,
        {
            "data": {"refund_id": "VARCHAR", "return_id": "VARCHAR", "currency": "VARCHAR", "amount": "BIGINT"},
            "derived": {"currency": "VARCHAR", "business_day": "DATE"},
        },
    ),
    rows="parsed AS r WHERE r.type IN ('purchase.refunded', 'purchase.returned')",
    columns=(
        *OF_RECORD,
        Column("kind", "VARCHAR", "r.type[10:]", required=True),
        Column("refund_id", "VARCHAR", "coalesce(r.data.refund_id, r.data.return_id)", required=True),
        Column("business_day", "DATE", "r.derived.business_day", required=True),
        Column("currency", "VARCHAR", "coalesce(r.data.currency, r.derived.currency)", required=True),
        Column("amount", "BIGINT", "r.data.amount", required=True),
        *PLACE,
    ),
    control=(("amount", "currency"),),
)
