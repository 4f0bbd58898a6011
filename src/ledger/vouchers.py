"""Vouchers: lots with an id of their own, coupons and packages, from the records of one stream.

A voucher is a lot of uses of asset `<word>:<kind>`. The record that makes one names it in `derived`; what takes from it or
gives back to it names its lots in the postings. A use given back after the voucher's end may open another lot.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ledger.records import Record

HOLDS = frozenset({"hold.placed", "hold.captured", "hold.released", "hold.timed_out"})

HOLD_USE = "hold:"
"""Begins the name of a use that came of a hold."""


class Words(NamedTuple):
    """What one sort of voucher is called in records.

    Attributes:
        word: begins its assets and types. made: key in `derived` of a list of those the record makes.
        id: names the voucher, use: names a use of it, both keys in `data`.
        made_by: the types that may make one.
        used, returned: the types that use one and give a use back; "" = there is none.
        voided: those that take out of use all that is left.
        also: other types that take from one or give back to it.
        back: key in `derived` of those that a refund, or the end of a hold, gives back; "" = there is none.
    """

    word: str
    made: str
    id: str
    use: str
    made_by: frozenset[str]
    used: str
    returned: str
    voided: frozenset[str] = frozenset()
    also: frozenset[str] = frozenset()
    back: str = ""


COUPONS = Words(
    word="coupon",
    made="coupons",
    id="coupon_id",
    use="redemption_id",
    made_by=frozenset(
        {
            *("coupon.issued", "coupon.claimed", "account.opened_from", "membership.purchased", "membership.renewed"),
            *("benefit.taken", "benefit.granted"),
        }
    ),
    used="coupon.redeemed",
    returned="coupon.returned",
    voided=frozenset({"coupon.voided", "membership.cancelled"}),
    also=frozenset({"customer.closed", "purchase.recorded", "purchase.refunded"}) | HOLDS,
    back="coupons_back",
)

PACKAGES = Words(
    word="package",
    made="packages",
    id="package_id",
    use="use_id",
    made_by=frozenset({"package.sold"}),
    used="package.used",
    returned="",
    also=frozenset({"package.refunded"}),
)


class Held(NamedTuple):
    """A voucher as a decision takes from it: `rules` is the version that made it, `lots` the ids of its lots."""

    id: str
    kind: str
    rules: int
    lots: tuple[str, ...]


@dataclass(slots=True)
class Voucher:
    """A voucher and what became of it; instants in microseconds."""

    held: Held
    made_at: int
    named: dict[str, Any]
    voided_at: int | None = None


@dataclass(slots=True)
class Use:
    """A use of a voucher: the lots it took from, and what it was worth in minor units."""

    voucher: str
    version: int
    instant: int
    lots: tuple[tuple[str, int], ...]
    amount: int
    returned: bool = False


@dataclass(slots=True)
class Vouchers:
    """The vouchers and uses of one stream by their ids."""

    words: Words
    all: dict[str, Voucher] = field(default_factory=dict)
    uses: dict[str, Use] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[Record], words: Words) -> "Vouchers":
        """Read them from the stream's records in order of version."""
        found = cls(words)
        for record in records:
            found._add(record)
        return found

    def _add(self, record: Record) -> None:
        words, derived = self.words, record.derived or {}
        for made in derived.get(words.made, ()):
            held = Held(made[words.id], made["kind"], record.rules, (made["lot"],))
            self.all[held.id] = Voucher(held, record.instant, made)
        for back in derived.get(words.back, ()):
            self._comes_back(back[words.id], back["lot"])
        if record.type == words.used:
            lots = tuple(part for posting in record.postings for part in posting.lots)
            use = Use(record.data[words.id], record.version, record.instant, lots, derived.get("amount", 0))
            self.uses[record.data[words.use]] = use
        elif record.type == words.returned:
            use = self.uses[record.data[words.use]]
            use.returned = True
            for posting in record.postings:
                self._comes_back(use.voucher, posting.lot)
        elif record.type == "hold.captured" and words.word in derived:
            self._captured(record, derived[words.word])
        elif record.type in words.voided:
            taken = {lot for posting in record.postings for lot, _ in posting.lots}
            for voucher in self.all.values():
                if not taken.isdisjoint(voucher.held.lots):
                    voucher.voided_at = record.instant

    def _comes_back(self, name: str, lot: str | None) -> None:
        """A use given back after the voucher's end lies in a lot of its own."""
        held = self.all[name].held
        if lot is not None and lot not in held.lots:
            self.all[name].held = held._replace(lots=(*held.lots, lot))

    def _captured(self, record: Record, used: dict[str, Any]) -> None:
        """A hold captured is a use at the hold's own instant, named after the hold; it came out of the voucher's own lot."""
        at = next(posting.at for posting in record.postings if posting.to == "program:redeemed")
        lots = ((used["lot"], 1),)
        name = HOLD_USE + record.data["hold_id"]
        instant = record.instant if at is None else at
        self.uses[name] = Use(used[self.words.id], record.version, instant, lots, used.get("amount", 0))
