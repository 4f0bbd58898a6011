"""Coupons issued, used, given back, taken out of use."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import StringConstraints, with_config
from typing_extensions import TypedDict

from ledger.shapes.basics import CLOSED, KIND_PATTERN, Instant, LongText, Money, Place, Text

Kind = Annotated[str, StringConstraints(pattern=KIND_PATTERN)]
IssueReason = Literal["campaign", "birthday", "referral", "goodwill", "game", "checkin", "service", "purchase", "sold"]


@with_config(CLOSED)
class CouponIssued(TypedDict):
    """`coupon.issued`: a customer gets a coupon of a kind the rules know; `reason` is campaign where it is not said."""

    coupon_id: Text
    kind: Kind
    code: NotRequired[Text]
    campaign: NotRequired[Text]
    reason: NotRequired[IssueReason]
    expires_at: NotRequired[Instant]
    place: NotRequired[Place]


@with_config(CLOSED)
class CouponClaimed(TypedDict):
    """`coupon.claimed`: the customer claims the coupon of a code, in any way it may be written."""

    code: Text
    place: NotRequired[Place]


@with_config(CLOSED)
class CouponRedeemed(TypedDict):
    """`coupon.redeemed`: one use. `spend` is what is bought with it and `amount` what it took off, in minor units."""

    coupon_id: Text
    redemption_id: Text
    order_id: NotRequired[Text]
    spend: NotRequired[Money]
    amount: NotRequired[Money]
    place: NotRequired[Place]


@with_config(CLOSED)
class CouponReturned(TypedDict):
    """`coupon.returned`: a use taken back, as after a refund; once."""

    redemption_id: Text
    reason: NotRequired[LongText]


@with_config(CLOSED)
class CouponVoided(TypedDict):
    """`coupon.voided`: what is left of the coupon is taken out of use."""

    coupon_id: Text
    reason: LongText


SHAPES: dict[str, Any] = {
    "coupon.issued": CouponIssued,
    "coupon.claimed": CouponClaimed,
    "coupon.redeemed": CouponRedeemed,
    "coupon.returned": CouponReturned,
    "coupon.voided": CouponVoided,
}
