"""Goods brought back without their order, line by line, whatever they were matched with."""

from projections.twin.declaring import OF_RECORD, Column, Table

RETURNED_LINES = Table(
    name="returned_lines",
    says="A line of a return; `position` is the return's.",
    shape={
        "data": {
            "currency": "VARCHAR",
            "lines": [{"sku": "VARCHAR", "category": "VARCHAR", "quantity": "DECIMAL(18,3)", "amount": "BIGINT"}],
        }
    },
    rows="(SELECT *, unnest(data.lines) AS each FROM parsed WHERE type = 'purchase.returned') AS r",
    columns=(
        *OF_RECORD,
        Column("sku", "VARCHAR", "each.sku", required=True),
        Column("category", "VARCHAR", "each.category"),
        Column("quantity", "DECIMAL(18,3)", "each.quantity", required=True),
        Column("currency", "VARCHAR", "r.data.currency", required=True),
        Column("amount", "BIGINT", "each.amount", required=True),
    ),
    control=(("amount", "currency"),),
)
