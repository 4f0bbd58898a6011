"""Every way the ledger says no, in the order in which a posted event is checked.

form (400) → rights (403) → key (409) → precondition (412) → decision (422).
The docstring of a class is its default message. The domain knows no HTTP: `api/problems.py` maps classes to statuses.
"""

from typing import Any, ClassVar


class LedgerError(Exception):
    """The ledger could not do what was asked."""

    code: ClassVar[str] = "ledger_error"

    def __init__(self, message: str | None = None, **facts: Any) -> None:
        self.message = message or _first_line(type(self).__doc__)
        self.facts = facts
        super().__init__(self.message)


class FormError(LedgerError):
    """The event is malformed.

    `errors` holds a `pointer` and a `reason` for each fault; of a document in YAML also its `line` and `column`.
    """

    code = "malformed"

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str = "malformed",
        errors: list[dict[str, Any]] | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.form_code = code
        self.errors = errors or []


class NotPermitted(LedgerError):
    """The key has not the scope this needs."""

    code = "forbidden"


class ApprovalNeeded(NotPermitted):
    """This takes two people: it is proposed by one and approved by another."""

    code = "approval_needed"


class SamePrincipal(NotPermitted):
    """Whoever proposed a change cannot approve it, with whatever key."""

    code = "same_principal"


class NotFound(LedgerError):
    """There is no such thing."""

    code = "not_found"


class ProgramUnknown(NotFound):
    """There is no program of this name."""

    code = "program_unknown"


class CustomerUnknown(NotFound):
    """The ledger has no record of this customer at that state of knowledge."""

    code = "customer_unknown"


class CodesUnknown(NotFound):
    """The program has no batch of codes of this name."""

    code = "codes_unknown"


class ReceiptUnknown(NotFound):
    """No event with this source and id has been recorded."""

    code = "receipt_unknown"


class ChangeUnknown(NotFound):
    """There is no such change."""

    code = "change_unknown"


class ChangeSettled(LedgerError):
    """This change was approved before."""

    code = "change_settled"


class ChangeDiffers(LedgerError):
    """The hash is not that of the change's content: look at it again."""

    code = "change_differs"


class ChangeOutdated(LedgerError):
    """Other rules were published after this proposal: propose again."""

    code = "change_outdated"


class KeyReused(LedgerError):
    """The key was used before with other content."""

    code = "key_reused"


class FixedAtCreation(LedgerError):
    """This part of the rules was fixed when the program was created."""

    code = "fixed_at_creation"


class CursorUnknown(LedgerError):
    """The cursor belongs to another history of this log."""

    code = "cursor_unknown"


class VersionConflict(LedgerError):
    """The stream has another version than the one expected."""

    code = "version_conflict"


class RecordTooLarge(LedgerError):
    """The record would be longer than 60 KiB after deciding."""

    code = "record_too_large"


class CutOffInFuture(LedgerError):
    """A cut-off lies in the future."""

    code = "cut_off_in_future"


class QueueFull(LedgerError):
    """More events wait than the service may hold; send again after a pause."""

    code = "queue_full"


class DatabaseUnavailable(LedgerError):
    """The database cannot be reached or cannot write; nothing was spent or kept, send again."""

    code = "database_unavailable"


class StreamUnreadable(LedgerError):
    """This stream holds a record of a type or schema that this version of the service does not know."""

    code = "stream_unreadable"


class Refused(LedgerError):
    """A decision against the event. Kept, and answered the same way for ever unless it is retryable."""

    code = "refused"
    retryable: ClassVar[bool] = False
    waits_for: str | None = None


class CurrencyNotAccepted(Refused):
    """The program does not take this currency."""

    code = "currency_not_accepted"


class PurchaseUnknown(Refused):
    """The purchase has not been recorded for this customer yet; the event is kept and tried again when it arrives."""

    code = "purchase_unknown"
    retryable = True

    def __init__(self, message: str | None = None, *, waits_for: str, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.waits_for = waits_for


class RedemptionUnknown(PurchaseUnknown):
    """The redemption has not been recorded for this customer yet; the event is kept and tried again when it arrives."""

    code = "redemption_unknown"


class ReferrerUnknown(PurchaseUnknown):
    """The referrer has no record yet; what concerns the referral is kept and tried again when the referrer signs up."""

    code = "referrer_unknown"


class ReferralLoop(Refused):
    """The customer was brought, perhaps over others, by the one it is said to have brought."""

    code = "referral_loop"


class ReferralEnded(Refused):
    """The referral does not hold, or was rewarded already; nothing is given."""

    code = "referral_ended"


class CustomerClosed(Refused):
    """The account is closed; nothing is recorded on it any more."""

    code = "customer_closed"


class CustomerFrozen(Refused):
    """What the event would do is frozen for this customer at its time."""

    code = "customer_frozen"


class CustomerNotFrozen(Refused):
    """Nothing of this is frozen at that time."""

    code = "customer_not_frozen"


class CustomerNotSettled(Refused):
    """Something that was paid for, or a hold, is still open, so the account is not closed."""

    code = "customer_not_settled"


class LineUnknown(Refused):
    """The purchase has no such line."""

    code = "line_unknown"


class RefundExceedsPurchase(Refused):
    """More would be refunded than is left of the purchase."""

    code = "refund_exceeds_purchase"


class ReversalExceedsRedemption(Refused):
    """More points would be given back than are left of the redemption."""

    code = "reversal_exceeds_redemption"


class ReversalBeforeRedemption(Refused):
    """The reversal would have happened before the redemption it reverses."""

    code = "reversal_before_redemption"


class InsufficientPoints(Refused):
    """Fewer points are available than requested; nothing was taken."""

    code = "insufficient_points"


class HoldUnknown(PurchaseUnknown):
    """The hold has not been recorded for this customer yet; the event is kept and tried again when it arrives."""

    code = "hold_unknown"


class HoldEnded(Refused):
    """The hold was captured, released or timed out before; it can never be captured or released again."""

    code = "hold_ended"


class CaptureExceedsHold(Refused):
    """More would be captured than is held."""

    code = "capture_exceeds_hold"


class TooManyHolds(Refused):
    """The account has 100 open holds."""

    code = "too_many_holds"


class LoadUnknown(PurchaseUnknown):
    """The load has not been recorded for this customer yet; the event is kept and tried again when it arrives."""

    code = "load_unknown"


class InsufficientStoredValue(Refused):
    """Less stored value is available than requested; nothing was taken."""

    code = "insufficient_stored_value"


class TenderNotPayable(Refused):
    """The rules do not say what a tender of this kind is worth in this currency; send the reference of what paid it."""

    code = "tender_not_payable"


class TenderNotWholePoints(Refused):
    """The amount is not a whole number of points at the value the rules give a point."""

    code = "tender_not_whole_points"


class RefundExceedsTender(Refused):
    """More would go back to a kind of tender than is left of what it paid."""

    code = "refund_exceeds_tender"


class RefundExceedsPrincipal(Refused):
    """More would be refunded than is left of what was paid in."""

    code = "refund_exceeds_principal"


class CoolingOffEnded(Refused):
    """The rules refund stored value within the cooling-off window only, and it has ended."""

    code = "cooling_off_ended"


class TooManyLots(Refused):
    """The account holds 2,000 open lots of this asset and no two of them can be joined."""

    code = "too_many_lots"


class LimitReached(Refused):
    """A limit is used up; `counter` names it, a customer's own or one that all customers share."""

    code = "limit_reached"


class InvariantBroken(Exception):
    """A rule that must always hold does not. Work on the stream stops; caught only at the outermost edge."""


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().splitlines()[0]
