"""How a unit's records and the lots they open are named."""

from uuid import NAMESPACE_URL, UUID, uuid5

from ledger.instants import show
from ledger.records import Posting, customer_stream_id


def due_id(program: str, subject: str, what: str, instant: int, version: int) -> UUID:
    """Id of a record that time brings: the same whoever writes it, and another for a lot reopened since."""
    stream = customer_stream_id(program, subject)
    return uuid5(NAMESPACE_URL, f"{stream}/{what}/{show(instant)}/{version}")


def renumbered(posting: Posting, planned: int, version: int) -> Posting:
    """The reversed expiries come first, so the lots that the event's own record opens carry a later version than planned."""
    before, after = f"{planned}.", f"{version}."

    def renamed(lot: str) -> str:
        return after + lot.removeprefix(before) if lot.startswith(before) else lot

    return posting._replace(
        lot=None if posting.lot is None else renamed(posting.lot),
        lots=tuple((renamed(lot), amount) for lot, amount in posting.lots),
        debts=tuple((renamed(debt), amount) for debt, amount in posting.debts),
    )
