"""Referring: what a referral means for the streams of both sides is posted by following the log.

A referral is made, qualified and disqualified on the referred customer's stream. This policy follows those records and answers
each on the streams it concerns: noted on the referrer's, rewarded or revoked on both. What it posts has ids that derive from
the record it answers, so it may be killed between any two steps, run twice, or run in two processes, and nothing is given
twice; how far it came is kept only so that a start is short.

A loop of referrals (a customer brought, over any number of others, by one it brought) is found here, since it spans streams: the
referral that is answered when it is found is revoked, and the others stand.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid5

import structlog

from ledger import store, store_policies
from ledger.account import Account
from ledger.answers import Answer
from ledger.deciding import Command
from ledger.ending import end
from ledger.errors import DatabaseUnavailable, KeyReused, QueueFull, ReferralLoop, Refused
from ledger.heads import read_heads
from ledger.leasing import UNREACHABLE, lent
from ledger.program import ProgramState
from ledger.records import Record, customer_stream_id
from ledger.store import Pool
from ledger.writer import Writer

NAME = "referring"
SOURCE = "ledger:referral"
FOLLOWED = ("referral.made", "referral.qualified", "referral.disqualified")

AT_ONCE = 500
POSITIONS_AT_ONCE = 100_000
"""So far a read looks for what it follows; the records between are not decoded."""

LOOK_SECONDS = 0.5
"""How soon what other processes append is seen; what this one appends wakes it."""

GATHER_SECONDS = 0.02
PAUSE_SECONDS = 1.0
GENERATIONS_MAX = 64

log = structlog.get_logger("referring")


class Referring:
    """Follows one log, where the program's rules know referrals.

    Attributes:
        position: up to where everything is answered.
    """

    def __init__(
        self, pool: Pool, log_id: int, program: str, writer: Writer, state: Callable[[], ProgramState]
    ) -> None:
        self._pool = pool
        self._log_id = log_id
        self._program = program
        self._writer = writer
        self._state = state
        self._event = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.position: int | None = None
        self._marked = 0
        self._failed_at: int | None = None

    def wake(self) -> None:
        """Something was appended."""
        self._event.set()

    def start(self) -> None:
        """Begin to work, in the running event loop; first with what was left behind."""
        self._task = asyncio.create_task(self._work(), name=f"referring of log {self._log_id}")

    async def close(self) -> None:
        """Stop; what is not answered yet is answered after the next start."""
        await end(self._task)

    async def run_once(self) -> int:
        """Answer everything that is in the log; how many records were answered.

        Raises:
            DatabaseUnavailable, QueueFull: what is left is for the next time.
        """
        answered = 0
        async with lent(self._pool) as conn:
            if self.position is None:
                self.position = self._marked = await store_policies.policy_position(conn, self._log_id, NAME)
            last = (await store.read_logs(conn, [self._log_id]))[self._log_id].next_position - 1
        while self.position < last:
            up_to = min(last, self.position + POSITIONS_AT_ONCE)
            async with lent(self._pool) as conn:
                found = await store_policies.read_types(
                    conn, self._log_id, FOLLOWED, after=self.position, up_to=up_to, limit=AT_ONCE
                )
            await self._answer([Record.from_bytes(stored.record) for stored in found])
            answered += len(found)
            self.position = found[-1].position if len(found) == AT_ONCE else up_to
            await self._mark(answered)
        return answered

    async def _answer(self, causes: Sequence[Record]) -> None:
        loops = await self._loops([cause for cause in causes if cause.type == "referral.made"])
        ended = [loop_command(cause) for cause in causes if _key(cause) in loops]  # first, so that the others stand
        answers = [command for cause in causes for command in answers_to(cause, is_loop=_key(cause) in loops)]
        await self._post([*ended, *answers], causes)

    async def _post(self, commands: Sequence[Command], causes: Sequence[Record]) -> None:
        """Post in order, and end what turns out to be a loop only now.

        A final refusal is an answer too, one that waits is tried again by itself. What cannot be decided is logged; how far
        the policy came is then kept no more, so that the next start tries it again.
        """
        answers = await self._writer.post(commands)
        loops = []
        for command, answer in zip(commands, answers, strict=True):
            self._look_at(command, answer)
            if isinstance(answer.error, ReferralLoop):
                loops.append(command.cause)
        ended = [cause for cause in causes if _named(cause) in loops]
        if ended:
            await self._post([loop_command(cause) for cause in ended], ())

    def _look_at(self, command: Command, answer: Answer) -> None:
        error = answer.error
        if isinstance(error, (DatabaseUnavailable, QueueFull)):
            raise error
        if error is not None and not isinstance(error, (Refused, KeyReused)):
            log.error("referral_stuck", type=command.type, code=error.code)
            self._failed_at = self.position

    async def _loops(self, made: Sequence[Record]) -> set[tuple[str, str]]:
        """Which of these referrals close a loop: the latest of each, as long as none of it was revoked."""
        brought_by = await self._brought_by({str(cause.data["referrer"]) for cause in made})
        loops: set[tuple[str, str]] = set()
        for cause in reversed(made):
            above: str | None = cause.data["referrer"]
            for _ in range(GENERATIONS_MAX):
                if above is None or above == cause.subject:
                    break
                above = brought_by.get(above)
            if above == cause.subject:
                loops.add(_key(cause))
                brought_by[cause.subject] = None
        return loops

    async def _brought_by(self, customers: set[str]) -> dict[str, str | None]:
        """Who brought these customers, who brought those, and so on: a generation at a time, by the heads as they are."""
        found: dict[str, str | None] = {}
        for _ in range(GENERATIONS_MAX):
            streams = {customer_stream_id(self._program, customer): customer for customer in customers - found.keys()}
            if not streams:
                break
            async with lent(self._pool) as conn:
                heads = await read_heads(conn, self._log_id, streams)
            found |= {head.customer: _referrer_of(head.state) for head in heads.values()}
            customers = {customer for customer in found.values() if customer is not None}
        return found

    async def _mark(self, answered: int) -> None:
        """Keep how far it came, where that spares the next start something."""
        if self.position is None or self._failed_at is not None:
            return
        if answered or self.position - self._marked >= POSITIONS_AT_ONCE:
            async with lent(self._pool) as conn:
                await store_policies.mark_policy(conn, self._log_id, NAME, self.position)
            self._marked = self.position

    def _has_rules(self) -> bool:
        book = self._state().rulebook
        return book is not None and any(version.document.referral is not None for version in book.versions)

    async def _work(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._event.wait(), LOOK_SECONDS)
                await asyncio.sleep(GATHER_SECONDS)
            self._event.clear()
            if not self._has_rules():
                continue
            try:
                await self.run_once()
            except (DatabaseUnavailable, QueueFull, *UNREACHABLE) as error:
                log.warning("referring_waits", reason=type(error).__name__)
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception:
                log.exception("referring_failed")
                await asyncio.sleep(PAUSE_SECONDS)


def answers_to(cause: Record, *, is_loop: bool = False) -> Iterator[Command]:
    """What a record of a referral means for the streams of both sides; a function of the record alone."""
    referrer, referred = cause.data["referrer"], cause.subject
    both = {"referrer": referrer, "referred": referred}
    match cause.type:
        case "referral.made":
            if "replaces" in cause.data:
                before = cause.data["replaces"]
                data = {"role": "referrer", "referrer": before, "referred": referred, "reason": "replaced"}
                yield _command(cause, "referral.revoked", before, data)
            if not is_loop:
                yield _command(cause, "referral.noted", referrer, {"referred": referred})
        case "referral.qualified":
            yield _command(cause, "referral.rewarded", referrer, {"role": "referrer", **both})
            yield _command(cause, "referral.rewarded", referred, {"role": "referred", **both})
        case "referral.disqualified":
            yield _command(cause, "referral.revoked", referrer, {"role": "referrer", **both, "reason": "refunded"})
            yield _command(cause, "referral.revoked", referred, {"role": "referred", **both, "reason": "refunded"})


def loop_command(cause: Record) -> Command:
    """Ends a referral that closes a loop, on the referred customer's stream."""
    data = {"role": "referred", "referrer": cause.data["referrer"], "referred": cause.subject, "reason": "loop"}
    return _command(cause, "referral.revoked", cause.subject, data)


def _command(cause: Record, kind: str, subject: str, data: dict[str, Any]) -> Command:
    """An event of the policy: at its cause's instant, under an id that is the same whoever derives it."""
    namespace = customer_stream_id(cause.program, cause.subject)
    return Command(
        source=SOURCE,
        id=str(uuid5(namespace, f"{kind}/{subject}/{cause.source}/{cause.id}")),
        type=kind,
        subject=subject,
        time=cause.instant,
        data=data,
        actor=SOURCE,
        cause=_named(cause),
    )


def _named(cause: Record) -> dict[str, str]:
    return {"source": cause.source, "id": cause.id}


def _key(cause: Record) -> tuple[str, str]:
    return cause.source, cause.id


def _referrer_of(account: Account) -> str | None:
    by = account.parts.get("referral", {}).get("by")
    return None if by is None or by["status"] == "revoked" else by["referrer"]
