"""Every event in every state of the life cycle, against a running exchange: what agencies send and what they hear."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg

from lienthong.agency import AgencyClient, Delivered, DocumentReference, Refused, StatusReport
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
    states_of,
    step,
)
from lienthong.edxml import Business, BusinessType, Document, Organization, Receiver, Replacement
from lienthong.simulation.units import Member, Unit
from lienthong.simulation.units import Role as Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tests.end_to_end.conftest import RunningExchange

    from lienthong.agency import Submission

SENDER, RECEIVER = "H01", "H02"
MEMBERS = (
    Member(Unit(SENDER, "Tỉnh gửi", "province"), Part.SENDS_ONLY),
    Member(Unit(RECEIVER, "Tỉnh nhận", "province"), Part.FULLY),
)
SECONDS = 120.0
"""For each round: far more than it takes; what is missing by then is named."""
LOOK_SECONDS = 0.1
OF_REQUEST = "request."
Stand = tuple[State, Pending]
BEGIN: Stand = (State.DELIVERED, Pending.NOTHING)
EVENTS = [event for event in Event if ACTORS[event] is not Actor.EXCHANGE]
BY_RECEIVER = [event for event in EVENTS if ACTORS[event] is Actor.RECEIVER]
UNREACHED = (State.PARKED, State.AGREED, State.DECLINED, State.LAPSED)
"""A document is parked when its receiver does not collect; the others are states of requests."""
REQUESTS: Mapping[State, tuple[Event, ...]] = {
    State.DELIVERED: (),
    State.ARRIVED: (Event.ARRIVE,),
    State.AGREED: (Event.ARRIVE, Event.AGREE),
    State.DECLINED: (Event.ARRIVE, Event.DECLINE),
    State.LAPSED: (Event.ARRIVE, Event.REPLACE),
}
"""How a request about a document comes to each of its states."""


@dataclass(frozen=True)
class Case:
    """A document that is led to a state, and what happens then to it, or to the request about it (`role`).

    Attributes:
        name: its DocumentId.
        way: what happens to it first, and to the request where there is one.
        stand: where the document stands by then.
        event: what happens then.
        role: to what.
        state: the state of that.
    """

    name: str
    way: tuple[Event, ...]
    stand: Stand
    event: Event
    role: Role
    state: State

    @property
    def is_of_document(self) -> bool:
        """Whether the event is of the document, as everything is once a request of it is: an update is the document."""
        in_force = (self.role, self.state) == (Role.UPDATE, State.AGREED)
        answers = (Event.ARRIVE, Event.AGREE, Event.DECLINE)
        return self.role is Role.DOCUMENT or (in_force and self.event not in answers)

    @property
    def outcome(self) -> StepOutcome:
        """What the published table says."""
        if self.is_of_document:
            return step(self.stand[0], self.event, pending=self.stand[1]).outcome
        return step(self.state, self.event, role=self.role).outcome

    @property
    def after(self) -> Stand:
        """Where the document stands afterwards."""
        event = self.event
        if not self.is_of_document:
            changed = step(self.state, event, role=self.role).state
            if changed is self.state or changed not in (State.AGREED, State.DECLINED):
                return self.stand
            event = Event.AGREE if changed is State.AGREED else Event.DECLINE
        done = step(self.stand[0], event, pending=self.stand[1])
        return done.state, done.pending

    @property
    def refused(self) -> bool:
        """Whether the exchange refuses the event: the impossible, and asking twice by a document."""
        asked_by_document = Event.WITHDRAW in self.way or Event.REMOVE in self.way
        asks_twice = self.outcome is StepOutcome.REPEATED and self.event not in STATUS_CODES
        return self.outcome is StepOutcome.ILLEGAL or (asks_twice and asked_by_document)


def ways() -> dict[Stand, list[tuple[Event, ...]]]:
    """Return the shortest ways by which sender and receiver lead a document to each state, one for each last event."""
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
    """Return every state of a delivered document, and of a request about one, with every event of its parties."""
    of_documents = [
        Case(f"{state}.{pending}.{number}.{event}", way, (state, pending), event, Role.DOCUMENT, state)
        for (state, pending), known in ways().items()
        for number, way in enumerate(known)
        for event in EVENTS
    ]
    return of_documents + [
        Case(f"{OF_REQUEST}{asks}.{state}.{event}", (asks, *way), _stand(asks, way), event, Role(asks.value), state)
        for asks in (Event.UPDATE, Event.WITHDRAW)
        for state, way in REQUESTS.items()
        for event in BY_RECEIVER
    ]


def _stand(asks: Event, way: Sequence[Event]) -> Stand:
    """Return where a document stands that its sender asked something about."""
    stand = BEGIN
    for event in (asks, *(event for event in way if event is not Event.ARRIVE)):
        done = step(stand[0], event, pending=stand[1])
        stand = done.state, done.pending
    return stand


@dataclass(frozen=True)
class Caused:
    """An event that was caused, or is about to be."""

    case: Case
    event: Event
    number: int

    @property
    def document_id(self) -> str:
        """The DocumentId of the document that causes it, or that its status names."""
        if self.event not in STATUS_CODES:
            return f"{self.case.name}/{self.number}"
        of_request = self.case.role is not Role.DOCUMENT and ACTORS[self.event] is Actor.RECEIVER
        return f"{self.case.name}/0" if of_request else self.case.name

    @property
    def by(self) -> str:
        """Who causes it."""
        return RECEIVER if ACTORS[self.event] is Actor.RECEIVER else SENDER

    @property
    def told(self) -> str:
        """Whom a status is for."""
        return SENDER if self.by == RECEIVER else RECEIVER

    @property
    def times(self) -> int:
        """How often that one has heard this status of this case by then, when it is applied as it ought to be."""
        is_last = self.number >= len(self.case.way)
        happened = [*self.case.way[: self.number + 1], *((self.event,) if is_last and self.is_applied else ())]
        return happened.count(self.event)

    @property
    def is_applied(self) -> bool:
        """Whether the table applies it; what leads to the state is."""
        return self.number < len(self.case.way) or self.case.outcome is StepOutcome.APPLIED


class Walk:
    """Two agencies' systems that walk their documents through the life cycle, and all they were told.

    Args:
        sender: the client of the one.
        receiver: of the other; whatever it is asked, it reports first that the request has arrived (01).
        ledger: a connection to the exchange's ledger.
    """

    def __init__(
        self, sender: AgencyClient, receiver: AgencyClient, ledger: asyncpg.Connection[asyncpg.Record]
    ) -> None:
        self.clients = {SENDER: sender, RECEIVER: receiver}
        self.ledger = ledger
        self.submissions: dict[Caused, Submission] = {}
        self.delivered: set[str] = set()
        self.received: set[str] = set()
        self.refusals: set[str] = set()
        self.told: dict[str, Counter[tuple[str, str]]] = {SENDER: Counter(), RECEIVER: Counter()}
        self._news = asyncio.Condition()

    async def hear(self, code: str) -> None:
        """Hear what the exchange and the other side tell an agency."""
        async for told in self.clients[code].statuses():
            match told:
                case Delivered():
                    self.delivered.add(told.document_id)
                case Refused():
                    self.refusals.add(told.submission_message_id)
                case StatusReport():
                    self.told[code][told.document_id, told.code] += 1
            await self._notify()

    async def receive(self) -> None:
        """Take in what is delivered."""
        async for delivery in self.clients[RECEIVER].deliveries():
            self.received.add(delivery.document.document_id)
            # Where requests are walked themselves, that is one of the steps.
            if delivery.asks is not None and not delivery.document.document_id.startswith(OF_REQUEST):
                await self.clients[RECEIVER].report_status(delivery, Event.ARRIVE)
            await self._notify()

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def send(self, name: str, business: Business | None = None) -> Submission:
        """Send a document."""
        document = Document(Organization(SENDER), (Organization(RECEIVER),), name, business=business or Business())
        return await self.clients[SENDER].send(document)

    async def cause(self, happening: Iterable[Caused]) -> None:
        """Let things happen to many documents at once."""

        async def one(caused: Caused) -> None:
            if caused.event in STATUS_CODES:
                about = DocumentReference(caused.told, caused.document_id)
                # Otherwise what is said again within a second would be the same message.
                reason = f"lần {caused.number}"
                client = self.clients[caused.by]
                self.submissions[caused] = await client.report_status(about, caused.event, description=reason)
            else:
                self.submissions[caused] = await self.send(caused.document_id, _business(caused))

        async with asyncio.TaskGroup() as tasks:
            for caused in happening:
                tasks.create_task(one(caused))

    def is_refused(self, caused: Caused) -> bool:
        """Tell whether whoever caused it heard that the exchange refuses it."""
        return self.submissions[caused].message_id in self.refusals

    def times_told(self, caused: Caused) -> int:
        """Return how often the other side heard this status of this case; an answer may be told of the request."""
        told = self.told[caused.told]
        if caused.event is Event.ARRIVE:
            return told[caused.document_id, caused.event]
        name = caused.case.name
        names = (name, *(f"{name}/{number}" for number in range(len(caused.case.way) + 1)))
        return sum(told[one, caused.event] for one in names)

    def is_applied(self, caused: Caused) -> bool:
        """Tell whether it happened for both sides."""
        if caused.event in STATUS_CODES:
            return self.times_told(caused) == caused.times
        name = caused.document_id
        is_there = name in self.delivered and name in self.received
        asks = caused.event is not Event.REPLACE and not name.startswith(OF_REQUEST)
        return is_there and (not asks or self.told[SENDER][name, Event.ARRIVE] > 0)

    async def hears(self, awaited: Mapping[str, Callable[[], bool]]) -> None:
        """Wait until all of this is so; what is not so in time is named."""
        missing = dict(awaited)

        def is_done() -> bool:
            for name in [name for name, is_so in missing.items() if is_so()]:
                del missing[name]
            return not missing

        try:
            async with asyncio.timeout(SECONDS), self._news:
                await self._news.wait_for(is_done)
        except TimeoutError:
            raise AssertionError(f"{len(missing)} of {len(awaited)} are missing: {sorted(missing)[:10]}") from None

    async def lead(self, happening: Sequence[Caused]) -> None:
        """Cause what is allowed, and wait until it has happened."""
        await self.cause(happening)
        await self.hears(
            {one.case.name: lambda one=one: self.is_applied(one) or self.is_refused(one) for one in happening}  # type: ignore[misc]
        )
        assert [one for one in happening if self.is_refused(one)] == [], "the way there is allowed"

    async def outcomes(self, happening: Sequence[Caused]) -> dict[str, str]:
        """Return what the ledger says of statuses, by case, as soon as it has all of them."""
        names = {self.submissions[one].message_id: one.case.name for one in happening}
        async with asyncio.timeout(SECONDS):
            while True:
                rows = await self.ledger.fetch(
                    "select message_id, outcome from status where message_id = any ($1::text[])", list(names)
                )
                if len(rows) == len(names):
                    return {names[row["message_id"]]: row["outcome"] for row in rows}
                await asyncio.sleep(LOOK_SECONDS)

    async def stands(self) -> dict[str, Stand]:
        """Return where the ledger says that each document stands."""
        rows = await self.ledger.fetch(
            "select d.document_id, v.state, v.take_back, v.request from delivery v join document d using (document) "
            "where d.business = 0"
        )
        return {
            row["document_id"]: (
                State(row["state"]),
                Pending.TAKE_BACK if row["take_back"] else Pending.UPDATE if row["request"] else Pending.NOTHING,
            )
            for row in rows
        }


def _business(caused: Caused) -> Business:
    name = caused.case.name
    match caused.event:
        case Event.WITHDRAW:
            return Business(BusinessType.WITHDRAW, reason="gửi nhầm", document_id=name)
        case Event.UPDATE:
            return Business(BusinessType.UPDATE, reason="sửa", document_id=name)
        case Event.REMOVE:
            removed = (Receiver(RECEIVER, added=False),)
            return Business(BusinessType.UPDATE, reason="bớt nơi nhận", document_id=name, receivers=removed)
        case _:
            return Business(BusinessType.REPLACE, reason="sai", replacements=(Replacement(name, (RECEIVER,)),))


async def test_every_event_in_every_state(running_exchange: RunningExchange) -> None:
    """The exchange answers as the published table says: applied and told, said before, or refused, changing nothing."""
    every = cases()
    assert {state for state, _ in ways()} == set(RECORDED_STATES) - set(UNREACHED)
    assert all(set(states_of(Role(asks))) - {State.PARKED} == set(REQUESTS) for asks in ("update", "withdraw"))
    async with running_exchange(MEMBERS) as running, AsyncExitStack() as open_, asyncio.TaskGroup() as tasks:
        sender, receiver = [
            await open_.enter_async_context(
                AgencyClient(running.exchange.agency_url(code), signer=None, report_arrival=False)
            )
            for code in (SENDER, RECEIVER)
        ]
        ledger = await asyncpg.connect(running.exchange.ledger_url)
        open_.push_async_callback(ledger.close)
        walk = Walk(sender, receiver, ledger)
        loops = [tasks.create_task(one) for one in (walk.hear(SENDER), walk.hear(RECEIVER), walk.receive())]
        await _walk(walk, every)
        for loop in loops:
            loop.cancel()


async def _walk(walk: Walk, every: Sequence[Case]) -> None:
    async with asyncio.TaskGroup() as sending:
        for case in every:
            sending.create_task(walk.send(case.name))
    await walk.hears({case.name: lambda name=case.name: name in walk.delivered & walk.received for case in every})  # type: ignore[misc]
    for number in range(max(len(case.way) for case in every)):
        await walk.lead([Caused(case, case.way[number], number) for case in every if len(case.way) > number])
    assert await walk.stands() == {case.name: case.stand for case in every}

    last = [Caused(case, case.event, len(case.way)) for case in every]
    await walk.cause(last)
    await walk.hears(
        {one.case.name: lambda one=one: (walk.is_refused if one.case.refused else walk.is_applied)(one) for one in last}  # type: ignore[misc]
    )
    reported = [one for one in last if one.event in STATUS_CODES]
    assert await walk.outcomes(reported) == {one.case.name: one.case.outcome.value for one in reported}
    # Whatever else an agency is told of what happened before, it is told before this.
    await walk.send("last")
    await walk.hears({"last": lambda: "last" in walk.delivered})
    assert {one.case.name for one in last if walk.is_refused(one)} == {case.name for case in every if case.refused}
    assert [one for one in reported if walk.times_told(one) != one.times] == []
    after = await walk.stands()
    assert [case for case in every if after[case.name] != case.after] == []
