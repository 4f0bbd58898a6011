"""Referrals: every step of one, on whichever stream it stands."""

from projections.twin.declaring import OF_RECORD, VERSION, Column, Table, one_of

_KINDS = ("made", "noted", "qualified", "disqualified", "rewarded", "revoked")
_TYPES = [f"referral.{kind}" for kind in _KINDS]

REFERRALS = Table(
    name="referrals",
    says="A step of a referral; `role` is whose stream a reward or its revocation stands on: referrer or referred.",
    shape={"data": {"referrer": "VARCHAR", "referred": "VARCHAR", "role": "VARCHAR", "reason": "VARCHAR"}},
    rows=f"parsed AS r WHERE {one_of(_TYPES)}",
    columns=(
        *OF_RECORD,
        VERSION,
        Column("kind", "VARCHAR", "r.type[10:]", required=True),
        Column("referrer", "VARCHAR", "coalesce(r.data.referrer, r.subject)", required=True),
        Column("referred", "VARCHAR", "coalesce(r.data.referred, r.subject)", required=True),
        Column("role", "VARCHAR", "r.data.role"),
        Column("reason", "VARCHAR", "r.data.reason"),
    ),
    control=(("*", "kind"),),
)
