"""The tie-out of what was taken over: old figures, as the file's openings tell them, beside new ones, as the ledger holds them.

Each opening (customer, system, part) is looked up in the customer's stream, folded as of the opening's own instant: what is
left then of the lots it opened, the tier the customer stands at, the membership it holds. So what was refused, paid for a debt,
or stands at another tier is a difference. Openings are kept in a temporary file meanwhile: memory does not grow with them.
"""

import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from ledger import account as accounts
from ledger.deciding.command import Command
from ledger.instants import NEVER, parse, to_datetime
from ledger.parts.tiers import tier_of
from ledger.records import Record, customer_stream_id
from ledger.store import StoredRecord

OPENED = "account.opened_from"
OPENINGS_AT_ONCE = 500
NAMED_MAX = 20
"""So many customers behind differences are named; all differences are counted."""

Figure = tuple[str, str]
"""What is compared, and its part: an asset and the month in which it expires, `tier` and its name, `membership` and its plan."""

Streams = Callable[[list[UUID]], Awaitable[dict[UUID, list[StoredRecord]]]]
"""Whole streams of the program by id."""


@dataclass(slots=True)
class TieOut:
    """Old = new, figure by figure.

    Attributes:
        customers_old, customers_new: distinct customers the file takes over, and those of them the ledger has taken over.
        old, new: by figure. customers_differing: how many there are. differing: the first of them: customer, figure, old, new.
    """

    customers_old: int = 0
    customers_new: int = 0
    old: Counter[Figure] = field(default_factory=Counter)
    new: Counter[Figure] = field(default_factory=Counter)
    customers_differing: int = 0
    differing: list[tuple[str, Figure, int, int]] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether every customer's figures are the same in both; sums alone could hide two that cancel out."""
        return self.customers_old == self.customers_new and not self.customers_differing and self.old == self.new

    def rows(self) -> list[tuple[Figure, int, int]]:
        """Every figure with its old and its new amount; of an asset in several months, first their sum."""
        figures = sorted(self.old.keys() | self.new.keys())
        shown = []
        for what in dict.fromkeys(figure[0] for figure in figures):
            parts = [(figure, self.old[figure], self.new[figure]) for figure in figures if figure[0] == what]
            if what not in ("tier", "membership") and len(parts) > 1:
                shown.append(((what, ""), sum(old for _, old, _ in parts), sum(new for *_, new in parts)))
            shown += parts
        return shown

    def to_json(self) -> dict[str, Any]:
        """The tie-out for programs."""
        return {
            "customers": {"old": self.customers_old, "new": self.customers_new},
            "figures": [{"what": what, "of": of, "old": old, "new": new} for (what, of), old, new in self.rows()],
            "customers_differing": self.customers_differing,
            "differing": [
                {"customer": customer, "what": what, "of": of, "old": old, "new": new}
                for customer, (what, of), old, new in self.differing
            ],
            "agrees": self.agrees,
        }


class Openings:
    """The openings of a file, kept until they are tied out."""

    def __init__(self, program: str, zone: ZoneInfo) -> None:
        self._program = program
        self._zone = zone
        self._kept: IO[bytes] | None = None
        self.count = 0

    def add(self, command: Command) -> None:
        """Keep an opening."""
        if self._kept is None:
            self._kept = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`, at the end of the import
        self._kept.write(orjson.dumps([command.subject, command.data]) + b"\n")
        self.count += 1

    async def tied(self, streams: Streams) -> TieOut:
        """Compare all of them with the ledger."""
        found = TieOut()
        seen: tuple[set[str], set[str]] = (set(), set())
        for chunk in self._chunks():
            ids = {customer: customer_stream_id(self._program, customer) for customer, _ in chunk}
            stored = await streams(list(ids.values()))
            records = {
                customer: [Record.from_bytes(one.record) for one in stored.get(stream, ())]
                for customer, stream in ids.items()
            }
            for customer, data in chunk:
                self._compare(found, customer, data, records[customer], seen)
        found.customers_old, found.customers_new = len(seen[0]), len(seen[1])
        return found

    def _compare(
        self,
        found: TieOut,
        customer: str,
        data: dict[str, Any],
        records: list[Record],
        seen: tuple[set[str], set[str]],
    ) -> None:
        old, opening = self._told(data), _opening_of(records, data)
        new = Counter[Figure]() if opening is None else self._held(opening, records, data)
        seen[0].add(customer)
        if opening is not None:
            seen[1].add(customer)
        found.old += old
        found.new += new
        differing = [(figure, old[figure], new[figure]) for figure in sorted(old.keys() | new.keys())]
        differing = [one for one in differing if one[1] != one[2]]
        if differing or opening is None:
            found.customers_differing += 1
            if len({name for name, *_ in found.differing}) < NAMED_MAX:
                found.differing += [(customer, *one) for one in differing or [(("opening", data["system"]), 1, 0)]]

    def _told(self, data: dict[str, Any]) -> Counter[Figure]:
        """What the file says of one opening."""
        told = Counter[Figure]()
        for lot in data["lots"]:
            told[lot["asset"], self._month(parse(lot["expires_at"]) if "expires_at" in lot else NEVER)] += lot["amount"]
        for coupon in data.get("coupons", ()):
            told[f"coupon:{coupon['kind']}", "coupons"] += 1
        if "tier" in data:
            told["tier", data["tier"]["tier"]] += 1
        if "membership" in data:
            told["membership", data["membership"]["plan"]] += 1
        return told

    def _held(self, opening: Record, records: list[Record], data: dict[str, Any]) -> Counter[Figure]:
        """What the ledger holds of it at the opening's own instant."""
        state = accounts.lapsed(accounts.fold(records, opening.instant), opening.instant)
        held = Counter[Figure]()
        for lot in state.lots.values():
            if lot.id.startswith(f"{opening.version}."):
                if lot.asset.startswith("coupon:"):
                    held[lot.asset, "coupons"] += 1
                else:
                    held[lot.asset, self._month(lot.expires_at)] += lot.remaining
        tier = tier_of(state.parts.get("tiers"))
        if "tier" in data and tier is not None:
            held["tier", tier] += 1
        membership = state.parts.get("membership")
        if "membership" in data and membership and membership["id"] == data["membership"]["membership_id"]:
            held["membership", membership["plan"]] += 1
        return held

    def _month(self, expires_at: int) -> str:
        return "never" if expires_at == NEVER else f"{to_datetime(expires_at).astimezone(self._zone):%Y-%m}"

    def close(self) -> None:
        """Let go of what is kept."""
        if self._kept is not None:
            self._kept.close()

    def _chunks(self) -> Iterator[list[tuple[str, dict[str, Any]]]]:
        if self._kept is None:
            return
        self._kept.seek(0)
        lines = iter(self._kept)
        while chunk := list(islice(lines, OPENINGS_AT_ONCE)):
            yield [orjson.loads(line) for line in chunk]


def _opening_of(records: Iterable[Record], data: dict[str, Any]) -> Record | None:
    part = data.get("part", 1)
    for record in records:
        said = record.data
        if record.type == OPENED and (said["system"], said.get("part", 1)) == (data["system"], part):
            return record
    return None
