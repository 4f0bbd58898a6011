"""Every no over HTTP: an RFC 9457 problem document, and the one table from error class to status and title.

    {"type","title","status","code","detail","errors"?: [{"pointer","reason","line"?,"column"?}],"facts"?: {…},"retryable"}

`code` is what a client branches on. `retryable` says that the same request may succeed later; a refusal that is retryable
is kept and tried again by itself.
"""

from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

from api.answers import Whole
from ledger import errors, refusals
from ledger.answers import Unwritable
from ledger.errors import FormError, LedgerError, Refused
from ledger.store import OutcomeUnknown
from ledger.tiers import TierUnknown
from projections.errors import (
    AnalysisEnded,
    MetricUnknown,
    NoConnectionsRecorded,
    ReadModelBuilding,
    RebuildRunning,
    ReviewsUnwritten,
    TwinDamaged,
)
from projections.reports.asking import ValuationMissing

PROBLEM_TYPE = "application/problem+json"


class Unauthenticated(LedgerError):
    """A key is needed: `Authorization: Bearer …`."""

    code = "unauthenticated"


class KeyInvalid(Unauthenticated):
    """This key is not known, or it was revoked."""


class PathUnknown(LedgerError):
    """There is nothing at this path."""

    code = "path_unknown"


class VersionUnknown(errors.NotFound):
    """The rules have no such version."""

    code = "version_unknown"


class MethodNotAllowed(LedgerError):
    """This path does not answer this method."""

    code = "method_not_allowed"

    def __init__(self, allow: str) -> None:
        super().__init__()
        self.allow = allow


class BodyTooSlow(LedgerError):
    """The body stopped arriving."""

    code = "body_too_slow"


class TooLarge(LedgerError):
    """The request is larger than the service takes."""

    code = "too_large"


class EventTooLarge(TooLarge):
    """An event may have 48 KiB at most."""

    code = "event_too_large"


class BatchTooLarge(TooLarge):
    """A batch may have 1,000 events and 8 MiB at most."""

    code = "batch_too_large"


class DocumentTooLarge(TooLarge):
    """A rules document may have 48 KiB at most."""

    code = "document_too_large"


class MediaTypeUnsupported(LedgerError):
    """This media type is not taken here."""

    code = "media_type_unsupported"


class NotReady(LedgerError):
    """The service cannot take requests yet; the facts say why."""

    code = "not_ready"


class InternalError(LedgerError):
    """Something is wrong on our side; it has been logged under the request's id."""

    code = "internal_error"


class Answered(NamedTuple):
    """How a class of errors is answered."""

    status: int
    title: str
    retryable: bool = False


TABLE: dict[type[LedgerError], Answered] = {
    LedgerError: Answered(500, "Internal error"),
    Unwritable: Answered(500, "Could not be stored"),
    TwinDamaged: Answered(500, "Twin damaged"),
    InternalError: Answered(500, "Internal error"),
    FormError: Answered(400, "Malformed"),
    errors.CutOffInFuture: Answered(400, "Cut-off in the future"),
    Unauthenticated: Answered(401, "Key needed"),
    KeyInvalid: Answered(401, "Key unknown or revoked"),
    errors.NotPermitted: Answered(403, "Not permitted"),
    errors.ApprovalNeeded: Answered(403, "Approval needed"),
    errors.SamePrincipal: Answered(403, "Same principal"),
    errors.NotFound: Answered(404, "Not found"),
    errors.ProgramUnknown: Answered(404, "Program unknown"),
    errors.CustomerUnknown: Answered(404, "Customer unknown"),
    errors.CodesUnknown: Answered(404, "Codes unknown"),
    errors.ReceiptUnknown: Answered(404, "Receipt unknown"),
    VersionUnknown: Answered(404, "Version unknown"),
    MetricUnknown: Answered(404, "Metric unknown"),
    PathUnknown: Answered(404, "Nothing here"),
    MethodNotAllowed: Answered(405, "Method not allowed"),
    BodyTooSlow: Answered(408, "Body too slow", retryable=True),
    errors.ChangeUnknown: Answered(404, "Change unknown"),
    errors.ChangeSettled: Answered(409, "Change settled"),
    errors.ChangeDiffers: Answered(409, "Change differs"),
    errors.ChangeOutdated: Answered(409, "Change out of date"),
    errors.KeyReused: Answered(409, "Key reused with other content"),
    errors.FixedAtCreation: Answered(409, "Fixed at creation"),
    errors.CursorUnknown: Answered(409, "Cursor of another history"),
    RebuildRunning: Answered(409, "Rebuild running", retryable=True),
    ValuationMissing: Answered(409, "Valuation missing"),
    NoConnectionsRecorded: Answered(409, "No connections recorded"),
    errors.VersionConflict: Answered(412, "Version conflict"),
    TooLarge: Answered(413, "Too large"),
    EventTooLarge: Answered(413, "Event too large"),
    BatchTooLarge: Answered(413, "Batch too large"),
    DocumentTooLarge: Answered(413, "Document too large"),
    errors.RecordTooLarge: Answered(413, "Record too large"),
    MediaTypeUnsupported: Answered(415, "Media type unsupported"),
    Refused: Answered(422, "Refused"),
    errors.CurrencyNotAccepted: Answered(422, "Currency not accepted"),
    errors.PurchaseUnknown: Answered(422, "Purchase not recorded yet"),
    errors.RedemptionUnknown: Answered(422, "Redemption not recorded yet"),
    errors.ReferrerUnknown: Answered(422, "Referrer not recorded yet"),
    errors.ReferralLoop: Answered(422, "Referral would be a loop"),
    errors.ReferralEnded: Answered(422, "Referral does not hold"),
    errors.CustomerClosed: Answered(422, "Customer closed"),
    errors.CustomerFrozen: Answered(422, "Customer frozen"),
    errors.CustomerNotFrozen: Answered(422, "Customer not frozen"),
    errors.CustomerNotSettled: Answered(422, "Customer not settled"),
    errors.LineUnknown: Answered(422, "Line unknown"),
    errors.RefundExceedsPurchase: Answered(422, "Refund exceeds purchase"),
    errors.ReversalExceedsRedemption: Answered(422, "Reversal exceeds redemption"),
    errors.ReversalBeforeRedemption: Answered(422, "Reversal before redemption"),
    errors.InsufficientPoints: Answered(422, "Insufficient points"),
    errors.HoldUnknown: Answered(422, "Hold not recorded yet"),
    errors.HoldEnded: Answered(422, "Hold ended"),
    errors.CaptureExceedsHold: Answered(422, "Capture exceeds hold"),
    errors.TooManyHolds: Answered(422, "Too many open holds"),
    errors.LoadUnknown: Answered(422, "Load not recorded yet"),
    errors.InsufficientStoredValue: Answered(422, "Insufficient stored value"),
    errors.TenderNotPayable: Answered(422, "Tender not payable"),
    errors.TenderNotWholePoints: Answered(422, "Tender is no whole number of points"),
    errors.RefundExceedsTender: Answered(422, "Refund exceeds tender"),
    errors.RefundExceedsPrincipal: Answered(422, "Refund exceeds principal"),
    errors.CoolingOffEnded: Answered(422, "Cooling-off window ended"),
    TierUnknown: Answered(422, "Tier unknown"),
    refusals.AlreadyLive: Answered(422, "Already live"),
    refusals.AlreadyTakenOver: Answered(422, "Already taken over"),
    refusals.CouponUsesExceeded: Answered(422, "Coupon uses exceeded"),
    refusals.CouponKindUnknown: Answered(422, "Coupon kind unknown"),
    refusals.CouponNotForCampaign: Answered(422, "Coupon not for this campaign"),
    refusals.CouponNotForTier: Answered(422, "Coupon not for this tier"),
    refusals.CouponUnknown: Answered(422, "Coupon not issued yet"),
    refusals.CouponNotYetValid: Answered(422, "Coupon not valid yet"),
    refusals.CouponVoided: Answered(422, "Coupon voided"),
    refusals.CouponExpired: Answered(422, "Coupon expired"),
    refusals.CouponUsed: Answered(422, "Coupon used"),
    refusals.CouponNotValidHere: Answered(422, "Coupon not valid here"),
    refusals.MinimumSpendNotMet: Answered(422, "Minimum spend not met"),
    refusals.BenefitUnknown: Answered(422, "Unknown benefit"),
    refusals.BenefitNotForTier: Answered(422, "Not for this tier"),
    refusals.BenefitNotNow: Answered(422, "Not now"),
    refusals.BenefitTaken: Answered(422, "Benefit taken"),
    refusals.NoTiers: Answered(422, "No tiers"),
    refusals.CodeUnknown: Answered(422, "Unknown code"),
    refusals.CodeTooLate: Answered(422, "Code too late"),
    refusals.CodesKnown: Answered(422, "Codes known"),
    refusals.CouponHeld: Answered(422, "Coupon held"),
    refusals.CouponWorthExceeded: Answered(422, "Coupon worth exceeded"),
    refusals.CouponRedemptionUnknown: Answered(422, "Coupon use not recorded yet"),
    refusals.PackageKindUnknown: Answered(422, "Package kind unknown"),
    refusals.PackageUnknown: Answered(422, "Package not sold yet"),
    refusals.PackageNotYetValid: Answered(422, "Package not valid yet"),
    refusals.PackageExpired: Answered(422, "Package expired"),
    refusals.PackageUsedUp: Answered(422, "Package used up"),
    refusals.PackageNotValidHere: Answered(422, "Package not valid here"),
    refusals.PackageNotRefundable: Answered(422, "Package not refundable"),
    refusals.MembershipPlanUnknown: Answered(422, "Membership plan unknown"),
    refusals.MembershipUnknown: Answered(422, "Membership not recorded yet"),
    refusals.MembershipOutOfOrder: Answered(422, "Membership changed since"),
    refusals.MembershipActive: Answered(422, "Membership active"),
    refusals.MembershipNotActive: Answered(422, "Membership not active"),
    refusals.MembershipPauseNotAllowed: Answered(422, "Pause not allowed"),
    refusals.TransferNotAllowed: Answered(422, "Transfer not allowed"),
    refusals.TransferToSelf: Answered(422, "Transfer to oneself"),
    refusals.ReceiverUnknown: Answered(422, "Receiver unknown"),
    refusals.ReceiverClosed: Answered(422, "Receiver closed"),
    refusals.ReceiverFrozen: Answered(422, "Receiver frozen"),
    refusals.TransferLimitReached: Answered(422, "Transfer limit reached"),
    refusals.SpenderUnknown: Answered(422, "Spender not recorded yet"),
    refusals.TooManyAuthorisations: Answered(422, "Too many authorisations"),
    refusals.NotAuthorised: Answered(422, "Not authorised"),
    refusals.AuthorisedForOtherAsset: Answered(422, "Authorised for another asset"),
    refusals.AuthorisationEnded: Answered(422, "Authorisation ended"),
    refusals.AuthorisationLimitExceeded: Answered(422, "Authorisation limit exceeded"),
    errors.TooManyLots: Answered(422, "Too many open lots"),
    errors.LimitReached: Answered(422, "Limit reached"),
    errors.QueueFull: Answered(429, "Too many events waiting", retryable=True),
    NotReady: Answered(503, "Not ready", retryable=True),
    ReadModelBuilding: Answered(503, "Read model building", retryable=True),
    AnalysisEnded: Answered(503, "Analysis ended", retryable=True),
    ReviewsUnwritten: Answered(503, "Reviews not written yet", retryable=True),
    errors.DatabaseUnavailable: Answered(503, "Database unavailable", retryable=True),
    OutcomeUnknown: Answered(503, "Outcome unknown", retryable=True),
    errors.StreamUnreadable: Answered(503, "Stream unreadable", retryable=True),
}

_RETRY_AFTER_SECONDS: dict[int, int] = {408: 1, 429: 1, 503: 2}


def answered(error: LedgerError) -> Answered:
    """The row of the table for an error: of its own class, or of the nearest class it derives from."""
    for known in type(error).__mro__:
        row = TABLE.get(known)
        if row is not None:
            return row
    return TABLE[LedgerError]


def code_of(error: LedgerError) -> str:
    """The stable code a client branches on."""
    return error.form_code if isinstance(error, FormError) else error.code


def problem(error: LedgerError) -> dict[str, Any]:
    """The problem document of an error."""
    status, title, retryable = answered(error)
    code = code_of(error)
    document: dict[str, Any] = {
        "type": f"urn:ledger:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": error.message,
    }
    if isinstance(error, FormError) and error.errors:
        document["errors"] = error.errors
    if error.facts and (status < HTTPStatus.INTERNAL_SERVER_ERROR or isinstance(error, NotReady)):
        document["facts"] = error.facts  # of our own troubles the facts stay in the log
    document["retryable"] = error.retryable if isinstance(error, Refused) else retryable
    return document


def problem_answer(error: LedgerError, headers: dict[str, str] | None = None) -> Whole:
    """The whole answer to a request that failed."""
    body = orjson.dumps(problem(error), default=str)
    return Whole(answered(error).status, body, PROBLEM_TYPE, headers_of(error) | (headers or {}))


def headers_of(error: LedgerError) -> dict[str, str]:
    """The headers its status calls for."""
    headers: dict[str, str] = {}
    status = answered(error).status
    if isinstance(error, Unauthenticated):
        invalid = ', error="invalid_token"' if isinstance(error, KeyInvalid) else ""
        headers["WWW-Authenticate"] = f'Bearer realm="ledger"{invalid}'
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = error.allow
    if status in _RETRY_AFTER_SECONDS:
        headers["Retry-After"] = str(_RETRY_AFTER_SECONDS[status])
    return headers
