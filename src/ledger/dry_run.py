"""A dry run: the answer an event would get now, decided as the writer decides, with nothing written.

It is of the heads as they are in the log: what waits in a writer's queue is not seen, so the real event may be answered
otherwise. No lock is taken and no key is spent.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from ledger import known, store
from ledger.answers import Answer, others_of, receipt
from ledger.deciding import (
    Command,
    Context,
    Counterpart,
    Decision,
    NeedsCounterpart,
    NeedsHistory,
    ProgramDecision,
    decide,
    decide_program,
)
from ledger.errors import LedgerError, LimitReached, RecordTooLarge, VersionConflict
from ledger.heads import Head, read_heads, read_histories
from ledger.leasing import lent
from ledger.program import ProgramState
from ledger.records import PROGRAM_TYPES, RECORD_BYTES_MAX, customer_stream_id, program_stream_id
from ledger.references import reference_of
from ledger.rules import RulesDocument
from ledger.rules.earning import BUDGET
from ledger.store import Connection, Pool
from ledger.trial import check_fixed, ruled_by
from ledger.waiting import Pending, Ticket

STATUS = "dry_run"


async def dry_run(
    pool: Pool,
    log_id: int,
    program: str,
    state: ProgramState,
    command: Command,
    *,
    now: int,
    proposed: RulesDocument | None = None,
) -> Answer:
    """What an event would be answered with.

    Args:
        state: rules and places of the program as they hold.
        now: the ledger's clock.
        proposed: decide by this document instead, as if it counted from ever.

    Returns:
        The receipt, its status `dry_run`, without positions and `recorded_at`; the first receipt again where the event was
        recorded before; or the no it would get.

    Raises:
        FixedAtCreation: the proposed document changes what was fixed when the program was made.
    """
    if proposed is not None:
        check_fixed(state, proposed)
        state = ruled_by(state, proposed)
    async with lent(pool) as conn:
        try:
            return await _answered(conn, log_id, Context(program, now, state), command)
        except LedgerError as error:
            return Answer(None, error)


async def _answered(conn: Connection, log_id: int, context: Context, command: Command) -> Answer:
    if command.type in PROGRAM_TYPES:
        return await _on_program(conn, log_id, context, command)
    stream_id = customer_stream_id(context.program, command.subject)
    item = Pending(command, stream_id, b"", Ticket(1), 0, 0)
    found = await known.find_by_key(conn, log_id, [item])
    if found:
        return found[0][1]
    head = (await read_heads(conn, log_id, {stream_id: command.subject}))[stream_id]
    scope = context.state.rules.latest.document.program.order_scope
    reference = reference_of(command, context.program, scope)
    known_by_reference = await known.find_by_reference(conn, log_id, {item: reference}) if reference else []
    if known_by_reference:
        return known_by_reference[0][1]
    if command.expected_version not in (None, head.version):
        raise VersionConflict(expected=command.expected_version, actual=head.version)
    decision = await _within_limits(conn, log_id, stream_id, head, context, command)
    return Answer(_receipt(decision))


async def _on_program(conn: Connection, log_id: int, context: Context, command: Command) -> Answer:
    item = Pending(command, program_stream_id(context.program), b"", Ticket(1), 0, 0)
    found = await known.find_by_key(conn, log_id, [item])
    return found[0][1] if found else Answer(_receipt(decide_program(context.state, command, context)))


async def _within_limits(
    conn: Connection, log_id: int, stream_id: UUID, head: Head, context: Context, command: Command
) -> Decision:
    """Decide with the sums across customers as they are: a budget without room is left out, any other limit is a no."""
    while True:
        decision = await _decided(conn, log_id, stream_id, head, context, command)
        if not decision.counters:
            return decision
        counters = await store.read_counters(conn, log_id, [name for name, _, _ in decision.counters])
        over = _first_over(decision, counters)
        if over is None:
            return decision
        name, used, limit = over
        if not name.startswith(BUDGET) and name not in decision.may_go_without:
            raise LimitReached(counter=name, used=used, limit=limit)
        context = replace(context, used_up={**context.used_up, name: max(0, limit - used)})


async def _decided(
    conn: Connection, log_id: int, stream_id: UUID, head: Head, context: Context, command: Command
) -> Decision:
    if head.error is not None:
        raise head.error
    while True:
        try:
            return decide(head.state, command, context)
        except NeedsHistory:
            histories = await read_histories(conn, log_id, [stream_id])
            await asyncio.sleep(0)
            context = replace(context, history=histories.get(stream_id, []))
            if context.counterpart is not None:
                context = await _beside(conn, log_id, context, context.counterpart.customer)
        except NeedsCounterpart as needed:
            context = await _beside(conn, log_id, context, needed.customer)


async def _beside(conn: Connection, log_id: int, context: Context, customer: str) -> Context:
    """With the other customer of an event that concerns two; its records where the first one's were read too."""
    stream_id = customer_stream_id(context.program, customer)
    head = (await read_heads(conn, log_id, {stream_id: customer}))[stream_id]
    if head.error is not None:
        raise head.error
    if context.history is None:
        return replace(context, counterpart=Counterpart(customer, head.state))
    history = (await read_histories(conn, log_id, [stream_id])).get(stream_id, [])
    return replace(context, counterpart=Counterpart(customer, head.state, history))


def _first_over(decision: Decision, counters: Mapping[str, store.Counter]) -> tuple[str, int, int] | None:
    for name, amount, limit in decision.counters:
        used = counters[name].used if name in counters else 0
        if limit is not None and amount > 0 and used + amount > limit:
            return name, used, limit
    return None


def _receipt(decision: Decision | ProgramDecision) -> dict[str, Any]:
    """The receipt as it would be; what only the append gives is null."""
    records = decision.records
    for record in records:
        if len(record.to_bytes()) > RECORD_BYTES_MAX:
            raise RecordTooLarge(bytes=len(record.to_bytes()), bytes_max=RECORD_BYTES_MAX)
    own = decision.own % len(records)
    named = [(record.type, record.subject, record.version) for record in records]
    objects = [record.to_json() for record in records]
    shown = receipt(STATUS, objects[own], named, own, 0, others_of(objects, records[own].subject))
    for record in shown["records"]:
        record["position"] = None
    return {**shown, "position": None, "recorded_at": None, "rules": records[own].rules}
