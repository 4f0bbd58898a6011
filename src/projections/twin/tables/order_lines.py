"""Lines of orders, where the sender gave them."""

from projections.twin.declaring import OF_RECORD, Column, Table

ORDER_LINES = Table(
    name="order_lines",
    says="A line of an order; `position` is its order's.",
    shape={
        "data": {
            "currency": "VARCHAR",
            "lines": [
                {
                    "line": "BIGINT",
                    "sku": "VARCHAR",
                    "category": "VARCHAR",
                    "quantity": "DECIMAL(18,3)",
                    "amount": "BIGINT",
                    "discount": "BIGINT",
                    "tax": "BIGINT",
                }
            ],
        }
    },
    rows="(SELECT *, unnest(data.lines) AS each FROM parsed WHERE type = 'purchase.recorded') AS r",
    columns=(
        *OF_RECORD,
        Column("line", "BIGINT", "each.line", required=True),
        Column("sku", "VARCHAR", "each.sku", required=True),
        Column("category", "VARCHAR", "each.category"),
        Column("quantity", "DECIMAL(18,3)", "each.quantity", required=True),
        Column("currency", "VARCHAR", "r.data.currency", required=True),
        Column("amount", "BIGINT", "each.amount", required=True),
        Column("discount", "BIGINT", "each.discount"),
        Column("tax", "BIGINT", "each.tax"),
    ),
    control=(("amount", "currency"),),
)
