"""Paid memberships: what each event about one left of it. The last one written by a cut-off is the one that stands."""

from projections.twin.declaring import OF_RECORD, VERSION, Column, Table, one_of

_KINDS = ("purchased", "renewed", "paused", "resumed", "cancelled", "ended")
_TYPES = [f"membership.{kind}" for kind in _KINDS]

MEMBERSHIPS = Table(
    name="memberships",
    says="A paid membership was bought, taken over, renewed, paused, resumed or cancelled, or is over; `ends_at`: as it stands.",
    shape={
        "data": {"membership_id": "VARCHAR", "plan": "VARCHAR", "membership": {"membership_id": "VARCHAR"}},
        "derived": {"membership": {"plan": "VARCHAR", "status": "VARCHAR", "end": "TIMESTAMP"}},
    },
    rows=f"parsed AS r WHERE {one_of(_TYPES)} OR (r.type = 'account.opened_from' AND r.derived.membership.plan IS NOT NULL)",
    columns=(
        *OF_RECORD,
        VERSION,
        Column("kind", "VARCHAR", "regexp_extract(r.type, '[^.]*$')", required=True),
        Column(
            "membership_id", "VARCHAR", "coalesce(r.data.membership_id, r.data.membership.membership_id)", required=True
        ),
        Column("plan", "VARCHAR", "coalesce(r.derived.membership.plan, r.data.plan)", required=True),
        Column("status", "VARCHAR", "coalesce(r.derived.membership.status, 'ended')", required=True),
        Column("ends_at", "TIMESTAMP", 'coalesce(r.derived.membership."end", r.at)', required=True),
    ),
    control=(("*", "kind"),),
)
