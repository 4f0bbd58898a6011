"""Money taken in ahead of any order, and paid back: stored value, packages, memberships. Minor units of `currency`."""

from projections.twin.declaring import OF_RECORD, PLACE, PLACE_SHAPE, Column, Table, merged, one_of

_AMOUNTS = {
    "stored_value.loaded": "r.data.principal",
    "stored_value.refunded": "-r.derived.principal",
    "package.sold": "r.data.price",
    "package.refunded": "-r.derived.amount",
    "membership.purchased": "r.derived.membership.periods[-1].price",
    "membership.renewed": "r.derived.membership.periods[-1].price",
    "membership.cancelled": "-TRY_CAST(r.derived.refund AS BIGINT)",
}
_BY_TYPE = " ".join(f"WHEN '{kind}' THEN {sql}" for kind, sql in _AMOUNTS.items())
_CURRENCY = "coalesce(r.derived.currency, r.data.currency, r.derived.membership.periods[-1].currency)"

PREPAYMENTS = Table(
    name="prepayments",
    says="Money paid in ahead for `kind` stored_value, package or membership, or (with a negative amount) paid back.",
    shape=merged(
        PLACE_SHAPE,
        {
            "data": {"principal": "BIGINT", "price": "BIGINT", "currency": "VARCHAR"},
            "derived": {
                "principal": "BIGINT",
                "amount": "BIGINT",
                "refund": "JSON",
                "currency": "VARCHAR",
                "membership": {"periods": [{"price": "BIGINT", "currency": "VARCHAR"}]},
            },
        },
    ),
    rows=f"parsed AS r WHERE {one_of(_AMOUNTS)}",
    columns=(
        *OF_RECORD,
        Column("kind", "VARCHAR", "regexp_extract(r.type, '^[^.]*')", required=True),
        Column("is_refund", "BOOLEAN", "r.type LIKE '%.refunded' OR r.type LIKE '%.cancelled'", required=True),
        Column("currency", "VARCHAR", _CURRENCY, required=True),
        Column(
            "amount",
            "BIGINT",
            f"CASE r.type {_BY_TYPE} END",
            required=True,
        ),
        *PLACE,
    ),
    control=(("amount", "currency"),),
)
