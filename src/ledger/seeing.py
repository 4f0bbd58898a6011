"""What a reader sees of an account at an instant: what time has brought by then counts, whether or not the clock has written it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ledger.account import Account, show_account
from ledger.deciding import Context, Decision, advance
from ledger.parts.tiers import EMPTY, due_at
from ledger.program import ProgramState
from ledger.records import Lot, Record, lot_to_json
from ledger.tiers import show_tier


def seen(
    state: Account,
    instant: int,
    *,
    program: str,
    customer: str,
    known: ProgramState,
    show_lot: Callable[[Lot], dict[str, Any]] = lot_to_json,
) -> dict[str, Any]:
    """The body of the customer answer at an instant.

    Args:
        state: what had happened by the instant, folded.
        known: the program's rules as the reader knows them; a review that is due follows them.
    """
    if known.rulebook is None:
        return show_account(state, instant, show_lot)
    state = brought_to(state, instant, program=program, customer=customer, known=known)
    shown = show_account(state, instant, show_lot)
    version = known.rulebook.at(instant)
    if version.document.tiers is not None:
        shown["tier"] = show_tier(state.parts.get("tiers", EMPTY), version, instant)
    return shown


def brought_to(state: Account, instant: int, *, program: str, customer: str, known: ProgramState) -> Account:
    """The account with what has fallen due by an instant of tiers and of coupons held; its version is that of its last record."""
    decision = _due(state, instant, program=program, customer=customer, known=known)
    return state if decision is None else replace(decision.account, version=state.version)


def unwritten(state: Account, instant: int, *, program: str, customer: str, known: ProgramState) -> list[Record]:
    """The records of the reviews that have fallen due by an instant, as the clock would write them."""
    decision = _due(state, instant, program=program, customer=customer, known=known)
    return [] if decision is None else [record for record in decision.records if record.type == "tier.changed"]


def _due(state: Account, instant: int, *, program: str, customer: str, known: ProgramState) -> Decision | None:
    part, holds = state.parts.get("tiers"), state.parts.get("holds", {})
    reviewed = part is not None and due_at(part) <= instant
    if not reviewed and not any("coupon" in hold and hold["until"] <= instant for hold in holds.values()):
        return None
    return advance(state, customer, instant, Context(program, instant, known))
