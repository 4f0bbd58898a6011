"""Sign-ups, with the place and the person that brought them."""

from projections.twin.declaring import OF_RECORD, PLACE, PLACE_SHAPE, Column, Table, merged

SIGNUPS = Table(
    name="signups",
    says="A customer signed up.",
    shape=merged(PLACE_SHAPE, {"data": {"campaign": "VARCHAR", "live_code": "VARCHAR", "referred_by": "VARCHAR"}}),
    rows="parsed AS r WHERE r.type = 'customer.signed_up'",
    columns=(
        *OF_RECORD,
        *PLACE,
        Column("campaign", "VARCHAR", "r.data.campaign"),
        Column("live_code", "VARCHAR", "r.data.live_code"),
        Column("referred_by", "VARCHAR", "r.data.referred_by"),
    ),
)
