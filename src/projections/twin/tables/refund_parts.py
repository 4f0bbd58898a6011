"""What refunds and returns undo of which order. A return that matched no order has no row here."""

from projections.twin.declaring import OF_RECORD, Column, Table

REFUND_PARTS = Table(
    name="refund_parts",
    says="Minor units that a refund or return undoes of one order; `position` is the refund's.",
    shape={"derived": {"orders": [{"order": "VARCHAR", "lines": [["BIGINT"]]}]}},
    rows="""(
        SELECT *, unnest(derived.orders) AS each FROM parsed WHERE type IN ('purchase.refunded', 'purchase.returned')
    ) AS r""",
    columns=(
        *OF_RECORD,
        Column("reference", "VARCHAR", 'each."order"', required=True),
        Column(
            "amount",
            "BIGINT",
            "coalesce(list_sum(list_transform(each.lines, lambda one: one[2])), 0)::BIGINT",
            required=True,
        ),
    ),
)
