"""Every event in every state of the life cycle, against the workers and a real ledger."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import asyncpg
from tests.integration.workers.conftest import document, handle, status, submitted
from tests.integration.workers.test_way import Exchange

from lienthong.document.life_cycle import (
    ACTORS,
    RECORDED_STATES,
    STATUS_CODES,
    TABLE,
    Actor,
    Event,
    Pending,
    Role,
    State,
    StepOutcome,
    step,
)
from lienthong.edxml import Business, BusinessType, Receiver, Replacement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.integration.workers.conftest import ExaminesHere

    from lienthong.bus.messages import Incoming
    from lienthong.ledger.ledger import Ledger
    from lienthong.payload import FolderStore

Stand = tuple[State, Pending]
BEGIN: Stand = (State.DELIVERED, Pending.NOTHING)
EVENTS = [event for event in Event if ACTORS[event] is not Actor.EXCHANGE]


@dataclass(frozen=True)
class Case:
    """A document that is led to a state, and what happens to it then."""

    name: str
    way: tuple[Event, ...]
    stand: Stand
    event: Event


def ways() -> dict[Stand, list[tuple[Event, ...]]]:
    """Return the shortest ways by which sender and receiver lead a delivery to each state, one for each last event."""
    shortest: dict[Stand, tuple[Event, ...]] = {BEGIN: ()}
    found: dict[Stand, list[tuple[Event, ...]]] = {BEGIN: [()]}
    waiting = deque([BEGIN])
    while waiting:
        stand = waiting.popleft()
        rows = [row for row in TABLE if row.role is Role.DOCUMENT and (row.state, row.pending) == stand]
        for row in rows:
            after = row.to_state, row.to_pending
            if row.event not in EVENTS or after == stand:
                continue
            if after not in shortest:
                shortest[after] = (*shortest[stand], row.event)
                found[after] = [shortest[after]]
                waiting.append(after)
            elif row.to_pending is Pending.TAKE_BACK and len(found[after]) == 1 and row.event is Event.WITHDRAW:
                # Code 13 asks without a document of its own, a withdrawal with one.
                found[after].append((*shortest[stand], row.event))
    return found


def cases() -> list[Case]:
    """Return every state of a delivered document with every event."""
    return [
        Case(f"{state}.{pending}.{number}.{event}", way, (state, pending), event)
        for (state, pending), known in ways().items()
        for number, way in enumerate(known)
        for event in EVENTS
    ]


def message(case: Case, event: Event, number: int) -> Incoming:
    """Return what sender or receiver submits to cause an event; it waits for nothing any more."""
    key = f"{case.name}.{number}"
    if event in STATUS_CODES:
        parties = {"reporter": "G22", "owner": "H23"} if event is Event.TAKE_BACK else {}
        told = status(event, document_id=case.name, **parties)
        return replace(submitted(told, message_id=key), attempts=9)
    business = {
        Event.WITHDRAW: Business(BusinessType.WITHDRAW, reason=key),
        Event.UPDATE: Business(BusinessType.UPDATE, reason=key, document_id=case.name),
        Event.REMOVE: Business(
            BusinessType.UPDATE, reason=key, document_id=case.name, receivers=(Receiver("H23", added=False),)
        ),
        Event.REPLACE: Business(BusinessType.REPLACE, reason=key, replacements=(Replacement(case.name, ("H23",)),)),
    }[event]
    document_id = key if event is Event.REPLACE else case.name
    return submitted(document(document_id, business=business), message_id=key)


async def cause(exchange: Exchange, happening: Sequence[tuple[Case, Event, int]]) -> dict[str, bool]:
    """Let something happen to many documents at once; return, by case, whether it was refused."""
    messages = [(case, event, message(case, event, number)) for case, event, number in happening]
    said = [(case, one) for case, event, one in messages if event in STATUS_CODES]
    sent = [(case, one) for case, event, one in messages if event not in STATUS_CODES]
    tasks = [replace(one, attempts=9) for one in await exchange.to_router(*(one for _, one in sent))]
    routed = await handle(exchange.router, exchange.ledger, *tasks) if tasks else []
    reported = await exchange.report(*(one for _, one in said)) if said else []
    outcomes = zip([case for case, _ in (*sent, *said)], [*routed, *reported], strict=True)
    return {case.name: any(one.exchange == "work" for one in outcome.outputs) for case, outcome in outcomes}


async def stands(database: str) -> Mapping[str, Stand]:
    """Return where the ledger says that each document stands."""
    connection = await asyncpg.connect(database)
    rows = await connection.fetch(
        "select d.document_id, v.state, v.take_back, v.request from delivery v join document d using (document) "
        "where d.business = 0"
    )
    await connection.close()
    return {
        row["document_id"]: (
            State(row["state"]),
            Pending.TAKE_BACK if row["take_back"] else Pending.UPDATE if row["request"] else Pending.NOTHING,
        )
        for row in rows
    }


async def test_every_event_in_every_state(
    ledger: Ledger, store: FolderStore, examiner: ExaminesHere, database: str
) -> None:
    """Workers and ledger answer as the published table does: applied, repeated, or refused with nothing changed."""
    exchange = Exchange(ledger, store, examiner)
    every = cases()
    assert {state for state, _ in ways()} == {
        state for state in RECORDED_STATES if state not in (State.PARKED, State.AGREED, State.DECLINED, State.LAPSED)
    }
    await exchange.deliver(*(submitted(document(case.name), message_id=case.name) for case in every))
    for number in range(max(len(case.way) for case in every)):
        refused = await cause(exchange, [(case, case.way[number], number) for case in every if len(case.way) > number])
        assert not any(refused.values()), "the way there is allowed"
    before = await stands(database)
    assert before == {case.name: case.stand for case in every}
    refused = await cause(exchange, [(case, case.event, 99) for case in every])
    after = await stands(database)
    for case in every:
        state, pending = case.stand
        done = step(state, case.event, pending=pending)
        assert after[case.name] == (done.state, done.pending), case
        by_document = Event.WITHDRAW in case.way or Event.UPDATE in case.way
        if case.event is Event.ARRIVE and by_document:
            continue  # of the request, which has not arrived yet
        asks_twice = done.outcome is StepOutcome.REPEATED and case.event not in STATUS_CODES
        expected = done.outcome is StepOutcome.ILLEGAL or (asks_twice and by_document)
        assert refused[case.name] == expected, case
