"""Tier transitions: what the ledger wrote when a tier was reached, kept, lost, assigned or corrected."""

from projections.twin.declaring import OF_RECORD, VERSION, Column, Table

TIER_CHANGES = Table(
    name="tier_changes",
    says="A tier changed, or was kept by a review; `corrects` names the versions of changes that this one makes untrue.",
    shape={
        "data": {
            "kind": "VARCHAR",
            "from": "VARCHAR",
            "tier": "VARCHAR",
            "rank": "BIGINT",
            "since": "TIMESTAMP",
            "on": "DATE",
            "review_at": "TIMESTAMP",
            "corrects": ["BIGINT"],
        }
    },
    rows="parsed AS r WHERE r.type = 'tier.changed'",
    columns=(
        *OF_RECORD,
        VERSION,
        Column("kind", "VARCHAR", "r.data.kind", required=True),
        Column("tier_before", "VARCHAR", 'r.data."from"'),
        Column("tier", "VARCHAR", "r.data.tier"),
        Column("rank", "BIGINT", "r.data.rank", required=True),
        Column("since", "TIMESTAMP", "r.data.since", required=True),
        Column("business_day", "DATE", 'r.data."on"', required=True),
        Column("review_at", "TIMESTAMP", "r.data.review_at"),
        Column("corrects", "BIGINT[]", "coalesce(r.data.corrects, [])", required=True),
    ),
    control=(("*", "kind"),),
)
