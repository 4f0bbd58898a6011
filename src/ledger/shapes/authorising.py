"""One customer lets another spend on its account."""

from typing import Any, Literal, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from ledger.shapes.basics import CLOSED, Currency, Instant, LongText, Positive, Text


@with_config(CLOSED)
class Authorised(TypedDict):
    """`account.authorised`: the spender may take up to `limit` from the subject's account; anew, it replaces what ran before."""

    spender: Text
    asset: Literal["points", "stored_value"]
    currency: NotRequired[Currency]
    limit: Positive
    until: NotRequired[Instant]


@with_config(CLOSED)
class AuthorisationEnded(TypedDict):
    """`account.authorisation_ended`: the spender may take no more of it."""

    spender: Text
    asset: Literal["points", "stored_value"]
    currency: NotRequired[Currency]
    reason: NotRequired[LongText]


SHAPES: dict[str, Any] = {
    "account.authorised": Authorised,
    "account.authorisation_ended": AuthorisationEnded,
}
