"""A second, naive model of customers who pass points on and spend for each other: lists of lots, walked one by one.

Events come in order of time, a day apart or more; it shares no code with the ledger.
"""

from dataclasses import dataclass, field

FOR_EVER = 10**6


class Refusal(Exception):
    """The code of a no."""


@dataclass
class NaiveLot:
    expires: int
    granted: int
    number: int
    left: int


@dataclass
class Lent:
    limit: int
    until: int
    used: int = 0


@dataclass
class Redeemed:
    """Whose lots a redemption took, in order of consumption, and what it counts against."""

    payer: str
    taken: list[tuple[NaiveLot, int]]
    lent: Lent | None = None


@dataclass
class NaiveTogether:
    """Everybody's lots, what is lent to whom (owner, spender), and redemptions by spender and number."""

    lots: dict[str, list[NaiveLot]] = field(default_factory=dict)
    lent: dict[tuple[str, str], Lent] = field(default_factory=dict)
    redemptions: dict[tuple[str, str], Redeemed] = field(default_factory=dict)
    opened: int = 0

    def grant(self, who: str, day: int, points: int, expires: int) -> None:
        self._open(who, expires, day, points)

    def transfer(self, who: str, day: int, points: int, to: str) -> None:
        if to not in self.lots:
            raise Refusal("receiver_unknown")
        for lot, part in self._take(who, day, points):
            self._open(to, lot.expires, lot.granted, part)

    def redeem(self, who: str, day: int, points: int, number: str) -> None:
        self.redemptions[who, number] = Redeemed(who, self._take(who, day, points))

    def lend(self, who: str, spender: str, limit: int, until: int) -> None:
        if spender not in self.lots:
            raise Refusal("spender_unknown")
        self.lots.setdefault(who, [])
        self.lent[who, spender] = Lent(limit, until)

    def redeem_for(self, who: str, day: int, points: int, owner: str, number: str) -> None:
        lent = self.lent.get((owner, who))
        if lent is None:
            raise Refusal("not_authorised")
        if day >= lent.until:
            raise Refusal("authorisation_ended")
        if lent.used + points > lent.limit:
            raise Refusal("authorisation_limit_exceeded")
        taken = self._take(owner, day, points)
        lent.used += points
        self.redemptions[who, number] = Redeemed(owner, taken, lent)

    def reverse(self, who: str, day: int, points: int, number: str) -> None:
        redemption = self.redemptions.get((who, number))
        if redemption is None:
            raise Refusal("redemption_unknown")
        if points > sum(part for _, part in redemption.taken):
            raise Refusal("reversal_exceeds_redemption")
        if redemption.lent is not None:
            redemption.lent.used -= points
        for place in reversed(range(len(redemption.taken))):
            lot, part = redemption.taken[place]
            back = min(part, points)
            points -= back
            redemption.taken[place] = (lot, part - back)
            if not back:
                continue
            if lot.expires > day:
                lot.left += back
            else:
                self._open(redemption.payer, FOR_EVER, lot.granted, back)

    def alive(self, who: str, day: int) -> list[tuple[int, int, int]]:
        """What is left on a day, in order of consumption: expiry, grant, amount."""
        return [(lot.expires, lot.granted, lot.left) for lot in self._in_order(who, day)]

    def _open(self, who: str, expires: int, granted: int, points: int) -> None:
        self.opened += 1
        self.lots.setdefault(who, []).append(NaiveLot(expires, granted, self.opened, points))

    def _in_order(self, who: str, day: int) -> list[NaiveLot]:
        there = [lot for lot in self.lots.get(who, []) if lot.expires > day and lot.left]
        return sorted(there, key=lambda lot: (lot.expires, lot.granted, lot.number))

    def _take(self, who: str, day: int, points: int) -> list[tuple[NaiveLot, int]]:
        there = self._in_order(who, day)
        if sum(lot.left for lot in there) < points:
            raise Refusal("insufficient_points")
        taken = []
        for lot in there:
            part = min(lot.left, points)
            if part:
                lot.left -= part
                points -= part
                taken.append((lot, part))
        return taken
