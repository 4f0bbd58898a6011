"""Named noes of openings, coupons, packages, membership, transfers, authorisations. The others, in order, stand in `errors.py`."""

from ledger.errors import PurchaseUnknown, Refused


class AlreadyLive(Refused):
    """The customer was taken over from this system at another cut-over already."""

    code = "already_live"


class AlreadyTakenOver(Refused):
    """This was taken over from that system already, with another part."""

    code = "already_taken_over"


class CouponUsesExceeded(Refused):
    """More uses would be taken over than a coupon of this kind has."""

    code = "coupon_uses_exceeded"


class BenefitUnknown(Refused):
    """The rules of that instant have no benefit of this name."""

    code = "benefit_unknown"


class BenefitNotForTier(Refused):
    """The benefit is for customers of certain tiers only."""

    code = "benefit_not_for_tier"


class BenefitNotNow(Refused):
    """It is none of the moments at which the benefit is given, or the event does not say what that takes."""

    code = "benefit_not_now"


class BenefitTaken(Refused):
    """The customer has had the benefit in this period."""

    code = "benefit_taken"


class NoTiers(Refused):
    """The rules of that instant have no tiers."""

    code = "no_tiers"


class CodeUnknown(Refused):
    """No batch of this program has this code."""

    code = "code_unknown"


class CodeTooLate(Refused):
    """The time in which codes of this batch could be claimed is over."""

    code = "code_too_late"


class CodesKnown(Refused):
    """The program has a batch of codes of this name already, or as many batches as there may be."""

    code = "codes_known"


class CouponKindUnknown(Refused):
    """The rules know no coupon of this kind."""

    code = "coupon_kind_unknown"


class CouponNotForCampaign(Refused):
    """Coupons of this kind are issued in certain campaigns only."""

    code = "coupon_not_for_campaign"


class CouponNotForTier(Refused):
    """Coupons of this kind are issued to customers of certain tiers only."""

    code = "coupon_not_for_tier"


class CouponUnknown(PurchaseUnknown):
    """The coupon has not been issued to this customer yet; the event is kept and tried again when it is."""

    code = "coupon_unknown"


class CouponNotYetValid(Refused):
    """The coupon may be used later only."""

    code = "coupon_not_yet_valid"


class CouponVoided(Refused):
    """The coupon was taken out of use."""

    code = "coupon_voided"


class CouponExpired(Refused):
    """The coupon's time is over."""

    code = "coupon_expired"


class CouponUsed(Refused):
    """Nothing is left of the coupon."""

    code = "coupon_used"


class CouponHeld(Refused):
    """The coupon is set aside by a hold."""

    code = "coupon_held"


class CouponNotValidHere(Refused):
    """The coupon may not be used in this store."""

    code = "coupon_not_valid_here"


class MinimumSpendNotMet(Refused):
    """Less is bought than the coupon asks for, or it was not said how much."""

    code = "minimum_spend_not_met"


class CouponWorthExceeded(Refused):
    """More would be taken off than a use of the coupon is worth."""

    code = "coupon_worth_exceeded"


class CouponRedemptionUnknown(PurchaseUnknown):
    """This use of the coupon has not been recorded for this customer yet; the event is kept and tried again when it is."""

    code = "coupon_redemption_unknown"


class PackageKindUnknown(Refused):
    """The rules know no package of this kind."""

    code = "package_kind_unknown"


class PackageUnknown(PurchaseUnknown):
    """The package has not been sold to this customer yet; the event is kept and tried again when it is."""

    code = "package_unknown"


class PackageNotYetValid(Refused):
    """The package may be used later only."""

    code = "package_not_yet_valid"


class PackageExpired(Refused):
    """The package's time is over."""

    code = "package_expired"


class PackageUsedUp(Refused):
    """Fewer uses are left of the package than asked for."""

    code = "package_used_up"


class PackageNotValidHere(Refused):
    """The package may not be used in this store."""

    code = "package_not_valid_here"


class PackageNotRefundable(Refused):
    """The rules under which the package was sold do not refund this."""

    code = "package_not_refundable"


class MembershipPlanUnknown(Refused):
    """The rules know no plan of this name."""

    code = "membership_plan_unknown"


class MembershipUnknown(PurchaseUnknown):
    """This customer has not bought this membership yet; the event is kept and tried again when it is recorded."""

    code = "membership_unknown"


class MembershipOutOfOrder(Refused):
    """The membership was changed later than that already; a change is never decided again."""

    code = "membership_out_of_order"


class MembershipActive(Refused):
    """The customer has a membership that is not over."""

    code = "membership_active"


class MembershipNotActive(Refused):
    """The membership is in another state than this needs."""

    code = "membership_not_active"


class MembershipPauseNotAllowed(Refused):
    """The plan lets no days be paused, or all of them have been."""

    code = "membership_pause_not_allowed"


class TransferNotAllowed(Refused):
    """The rules let customers transfer nothing to each other."""

    code = "transfer_not_allowed"


class TransferToSelf(Refused):
    """Sender and receiver are one customer."""

    code = "transfer_to_self"


class ReceiverUnknown(Refused):
    """The receiver has no record yet; nothing was taken."""

    code = "receiver_unknown"


class ReceiverClosed(Refused):
    """The receiver's account is closed; nothing was taken."""

    code = "receiver_closed"


class ReceiverFrozen(Refused):
    """The receiver may not earn at that time; nothing was taken."""

    code = "receiver_frozen"


class TransferLimitReached(Refused):
    """More would be transferred at once, or on one day, than the rules allow, or less than they ask for."""

    code = "transfer_limit_reached"


class SpenderUnknown(PurchaseUnknown):
    """The spender has no record yet; the event is kept and tried again when the spender signs up."""

    code = "spender_unknown"


class TooManyAuthorisations(Refused):
    """A hundred authorisations run on this account."""

    code = "too_many_authorisations"


class NotAuthorised(Refused):
    """The owner has not authorised this customer to spend on the account."""

    code = "not_authorised"


class AuthorisedForOtherAsset(Refused):
    """The owner has authorised this customer to spend something else."""

    code = "authorised_for_other_asset"


class AuthorisationEnded(Refused):
    """The owner's authorisation does not run at that time."""

    code = "authorisation_ended"


class AuthorisationLimitExceeded(Refused):
    """More would be spent than is left of the owner's authorisation."""

    code = "authorisation_limit_exceeded"
