"""What refunds and returns undo of which line of which order. A return that matched no order has no row here."""

from projections.twin.declaring import OF_RECORD, Column, Table

REFUND_LINES = Table(
    name="refund_lines",
    says="Minor units that a refund or return undoes of one line; `position` is the refund's; line 0: of an order without lines.",
    shape={"derived": {"orders": [{"order": "VARCHAR", "lines": [["BIGINT"]]}]}},
    rows="""(
        SELECT *, unnest(each.lines) AS part
        FROM (
            SELECT *, unnest(derived.orders) AS each
            FROM parsed WHERE type IN ('purchase.refunded', 'purchase.returned')
        )
    ) AS r""",
    columns=(
        *OF_RECORD,
        Column("reference", "VARCHAR", 'each."order"', required=True),
        Column("line", "BIGINT", "part[1]", required=True),
        Column("amount", "BIGINT", "part[2]", required=True),
    ),
)
