"""Means of payment of orders, and of refunds with a minus."""

from projections.twin.declaring import OF_RECORD, Column, Table

TENDERS = Table(
    name="tenders",
    says="A means of payment of an order, or (with a negative amount) of a refund; `position` is its record's.",
    shape={
        "data": {
            "currency": "VARCHAR",
            "tenders": [{"kind": "VARCHAR", "amount": "BIGINT", "reference": "VARCHAR"}],
        },
        "derived": {"currency": "VARCHAR"},
    },
    rows="""(
        SELECT *, unnest(data.tenders) AS each FROM parsed WHERE type IN ('purchase.recorded', 'purchase.refunded')
    ) AS r""",
    columns=(
        *OF_RECORD,
        Column("kind", "VARCHAR", "each.kind", required=True),
        Column("currency", "VARCHAR", "coalesce(r.data.currency, r.derived.currency)", required=True),
        Column(
            "amount",
            "BIGINT",
            "CASE r.type WHEN 'purchase.recorded' THEN each.amount ELSE -each.amount END",
            required=True,
        ),
    ),
    control=(("amount", "currency"),),
)
