"""Orders: one `purchase.recorded` each, before any refund. Money in minor units of `currency`.

`tier` is what the customer stood at when the order was decided.
"""

from projections.twin.declaring import OF_RECORD, PLACE, PLACE_SHAPE, VERSION, Column, Table, merged

ORDERS = Table(
    name="orders",
    says="An order.",
    shape=merged(
        PLACE_SHAPE,
        {
            "data": {
                "order_id": "VARCHAR",
                "currency": "VARCHAR",
                "total": "BIGINT",
                "tax": "BIGINT",
                "prices_include_tax": "BOOLEAN",
                "covers": "BIGINT",
                "lines": [{"quantity": "DECIMAL(18,3)"}],
            },
            "derived": {"reference": "VARCHAR", "business_day": "DATE", "tier": {"tier": "VARCHAR"}},
        },
    ),
    rows="parsed AS r WHERE r.type = 'purchase.recorded'",
    columns=(
        *OF_RECORD,
        VERSION,
        Column("order_id", "VARCHAR", "r.data.order_id", required=True),
        Column("reference", "VARCHAR", "r.derived.reference", required=True),
        Column("business_day", "DATE", "r.derived.business_day", required=True),
        Column("currency", "VARCHAR", "r.data.currency", required=True),
        Column("total", "BIGINT", "r.data.total", required=True),
        Column("tax", "BIGINT", "coalesce(r.data.tax, 0)", required=True),
        Column("tax_included", "BOOLEAN", "coalesce(r.data.prices_include_tax, true)", required=True),
        Column("covers", "BIGINT", "r.data.covers"),
        Column(
            "quantity",
            "DECIMAL(18,3)",
            "list_sum(list_transform(r.data.lines, lambda one: one.quantity))::DECIMAL(18,3)",
        ),
        Column("tier", "VARCHAR", "r.derived.tier.tier"),
        *PLACE,
    ),
    control=(("total", "currency"),),
)
