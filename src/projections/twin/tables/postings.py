"""Postings: every movement of an asset, at its own instant."""

from projections.twin.declaring import CUSTOMER, POSITION, Column, Shape, Table

WAITS_UNTIL = "9999-12-31T00:00:00Z"
"""Read as `available_at` where the record has null: later than any instant, it waits for a delivery."""

POSTINGS_SHAPE: Shape = {
    "postings": [
        {
            "asset": "VARCHAR",
            "amount": "BIGINT",
            "from": "VARCHAR",
            "to": "VARCHAR",
            "lot": "VARCHAR",
            "lots": [["VARCHAR"]],
            "debts": [["VARCHAR"]],
            "at": "TIMESTAMP",
            "available_at": "TIMESTAMP",
            "granted_at": "TIMESTAMP",
            "expires_at": "TIMESTAMP",
            "reason": "VARCHAR",
            "rule": "VARCHAR",
        }
    ],
    "data": {"until": "TIMESTAMP"},
    "derived": {"entity": "VARCHAR"},
}
"""What `posted` holds of a record: see `projections.twin.parsing`."""

MOVED_AT = Column("at", "TIMESTAMP", "coalesce(each.at, r.at)", required=True)
MOVED_LOCAL_AT = Column(
    "local_at",
    "TIMESTAMP",
    "CASE WHEN each.at IS NULL THEN r.local_at ELSE local_time(each.at) END",
    required=True,
)

POSTINGS = Table(
    name="postings",
    says="A posting; `source` and `target` are its accounts.",
    shape=POSTINGS_SHAPE,
    rows="posted AS r",
    columns=(
        POSITION,
        CUSTOMER,
        MOVED_AT,
        MOVED_LOCAL_AT,
        Column("type", "VARCHAR", "r.type", required=True),
        Column("asset", "VARCHAR", "each.asset", required=True),
        Column("amount", "BIGINT", "each.amount", required=True),
        Column("source", "VARCHAR", 'each."from"', required=True),
        Column("target", "VARCHAR", 'each."to"', required=True),
        Column("reason", "VARCHAR", "each.reason"),
        Column("rule", "VARCHAR", "each.rule"),
    ),
    control=(("amount", "asset"),),
)
