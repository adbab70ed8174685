"""Documents walked through the life cycle against a running exchange: what agencies cause, and what they are told."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lienthong.agency import Delivered, DocumentReference, Refused, StatusReport, Waiting
from lienthong.document.life_cycle import (
    ACTORS,
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
from lienthong.edxml import Business, BusinessType, Document, Organization, Receiver, Replacement
from lienthong.simulation.units import Member, Unit
from lienthong.simulation.units import Role as Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import asyncpg

    from lienthong.agency import AgencyClient, Submission

SENDER, RECEIVER, AWAY = "H01", "H02", "H03"
"""The last one collects nothing, so that what is for it is parked."""
MEMBERS = (
    Member(Unit(SENDER, "Tỉnh gửi", "province"), Part.SENDS_ONLY),
    Member(Unit(RECEIVER, "Tỉnh nhận", "province"), Part.FULLY),
    Member(Unit(AWAY, "Tỉnh không nhận", "province"), Part.FULLY),
)
SECONDS = 120.0
"""For each round: far more than it takes; what is missing by then is named."""
LOOK_SECONDS = 0.1
OF_REQUEST = "request."
Stand = tuple[State, Pending]
BEGIN: Stand = (State.DELIVERED, Pending.NOTHING)
PARKED: Stand = (State.PARKED, Pending.NOTHING)
EVENTS = [event for event in Event if ACTORS[event] is not Actor.EXCHANGE]
BY_DOCUMENT = [event for event in EVENTS if ACTORS[event] is Actor.SENDER and event not in STATUS_CODES]
REQUESTS: Mapping[State, tuple[Event, ...]] = {
    State.PARKED: (),
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
        receiver: who gets it.
        strict: whether the exchange keeps to the strict profile.
    """

    name: str
    way: tuple[Event, ...]
    stand: Stand
    event: Event
    role: Role
    state: State
    receiver: str = RECEIVER
    strict: bool = False

    @property
    def is_of_document(self) -> bool:
        """Whether the event is of the document, although it names an update of it; one in force is the document."""
        in_force = self.state is State.AGREED and self.event not in (Event.ARRIVE, Event.AGREE, Event.DECLINE)
        return self.role is Role.DOCUMENT or (self.role is Role.UPDATE and (in_force or self.event in BY_DOCUMENT))

    @property
    def asked(self) -> Pending:
        """What is asked for about what it happens to."""
        return self.stand[1] if self.role is Role.DOCUMENT else Pending.NOTHING

    @property
    def waits(self) -> bool:
        """Whether nothing comes of it yet: a document that names a withdrawal names none that anybody received."""
        return self.role is Role.WITHDRAW and self.event in BY_DOCUMENT

    @property
    def outcome(self) -> StepOutcome:
        """What the published table says."""
        if self.is_of_document:
            return step(self.stand[0], self.event, pending=self.stand[1], strict=self.strict).outcome
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
        done = step(self.stand[0], event, pending=self.stand[1], strict=self.strict)
        return done.state, done.pending

    @property
    def request_after(self) -> State:
        """Where the request stands afterwards: what the document's own step ends has lapsed."""
        if not self.is_of_document:
            return step(self.state, self.event, role=self.role).state
        asked, done = self.stand[1], step(self.stand[0], self.event, pending=self.stand[1])
        ends = asked is not Pending.NOTHING and done.outcome is StepOutcome.APPLIED
        ends = ends and (done.pending is not asked or self.event is Event.UPDATE)
        return step(self.state, Event.LAPSE, role=self.role).state if ends else self.state

    @property
    def refused(self) -> bool:
        """Whether the exchange refuses the event: the impossible, and asking twice by a document."""
        asked_by_document = Event.WITHDRAW in self.way or Event.REMOVE in self.way
        asks_twice = self.outcome is StepOutcome.REPEATED and self.event not in STATUS_CODES
        return not self.waits and (self.outcome is StepOutcome.ILLEGAL or (asks_twice and asked_by_document))


def ways(begin: Stand = BEGIN, *, strict: bool = False) -> dict[Stand, list[tuple[Event, ...]]]:
    """Return the shortest ways by which sender and receiver lead a document to each state, one for each last event."""
    shortest: dict[Stand, tuple[Event, ...]] = {begin: ()}
    found: dict[Stand, list[tuple[Event, ...]]] = {begin: [()]}
    waiting = deque([begin])
    while waiting:
        stand = waiting.popleft()
        rows = [row for row in TABLE if row.role is Role.DOCUMENT and (row.state, row.pending) == stand]
        for row in rows:
            after = row.to_state, row.to_pending
            if row.event not in EVENTS or after == stand or (strict and row.skipped):
                continue
            if after not in shortest:
                shortest[after] = (*shortest[stand], row.event)
                found[after] = [shortest[after]]
                waiting.append(after)
            elif row.to_pending is Pending.TAKE_BACK and len(found[after]) == 1 and row.event is Event.WITHDRAW:
                # Code 13 asks without a document of its own, a withdrawal with one.
                found[after].append((*shortest[stand], row.event))
    return found


def cases(*, strict: bool = False) -> list[Case]:
    """Return every state of a recorded document, and of a request about one, with every event of its parties."""
    here = ways(strict=strict)
    away = {stand: known for stand, known in ways(PARKED, strict=strict).items() if stand[0] is State.PARKED}
    of_documents = [
        Case(f"{state}.{asked}.{number}.{event}", way, (state, asked), event, Role.DOCUMENT, state, receiver, strict)
        for receiver, stands in ((RECEIVER, here), (AWAY, away))
        for (state, asked), known in stands.items()
        for number, way in enumerate(known)
        for event in EVENTS
    ]
    of_requests = [
        Case(
            f"{OF_REQUEST}{asks}.{state}.{event}",
            (asks, *way),
            _stand(asks, way, PARKED if state is State.PARKED else BEGIN),
            event,
            Role(asks.value),
            state,
            AWAY if state is State.PARKED else RECEIVER,
        )
        for asks in (Event.UPDATE, Event.WITHDRAW)
        for state, way in REQUESTS.items()
        for event in EVENTS
    ]
    return of_documents + of_requests


def only_strict() -> list[Case]:
    """Return the cases in which the strict profile answers otherwise than that of real traffic."""
    every = [case for case in cases(strict=True) if case.role is Role.DOCUMENT]
    return [case for case in every if case.outcome is not replace(case, strict=False).outcome]


def _stand(asks: Event, way: Sequence[Event], stand: Stand) -> Stand:
    """Return where a document stands that its sender asked something about."""
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
        return f"{self.case.name}/{self.number}" if self.event not in STATUS_CODES else self.names

    @property
    def is_last(self) -> bool:
        """Whether it is what the case is about."""
        return self.number >= len(self.case.way)

    @property
    def names(self) -> str:
        """The DocumentId of what it happens to."""
        of_request = self.case.role is not Role.DOCUMENT and (self.is_last or ACTORS[self.event] is Actor.RECEIVER)
        return f"{self.case.name}/0" if of_request else self.case.name

    @property
    def by(self) -> str:
        """Who causes it."""
        return self.case.receiver if ACTORS[self.event] is Actor.RECEIVER else SENDER

    @property
    def told(self) -> str:
        """Whom a status is for."""
        return self.case.receiver if self.by == SENDER else SENDER

    @property
    def times(self) -> int:
        """How often that one has heard this status of this case by then, when it is applied as it ought to be."""
        happened = [*self.case.way[: self.number + 1], *((self.event,) if self.is_last and self.is_applied else ())]
        return happened.count(self.event)

    @property
    def is_applied(self) -> bool:
        """Whether the table applies it; what leads to the state is."""
        return not self.is_last or self.case.outcome is StepOutcome.APPLIED


class Walk:
    """Agencies' systems that walk their documents through the life cycle, and all they were told.

    Args:
        clients: the agencies', by their codes; whatever `RECEIVER` is asked, it reports first that it arrived (01).
        ledger: a connection to the exchange's ledger.
    """

    def __init__(self, clients: Mapping[str, AgencyClient], ledger: asyncpg.Connection[asyncpg.Record]) -> None:
        self.clients = clients
        self.ledger = ledger
        self.signers: dict[str, AgencyClient] = {}
        """Who sends a document signed, by its DocumentId."""
        self.submissions: dict[Caused, Submission] = {}
        self.delivered: set[str] = set()
        self.waiting: set[str] = set()
        self.received: set[str] = set()
        self.refusals: set[str] = set()
        self.told: dict[str, Counter[tuple[str, str]]] = {code: Counter() for code in clients}
        self._news = asyncio.Condition()

    async def hear(self, code: str) -> None:
        """Hear what the exchange and the other side tell an agency."""
        async for told in self.clients[code].statuses():
            match told:
                case Delivered():
                    self.delivered.add(told.document_id)
                case Waiting():
                    self.waiting.add(told.document_id)
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

    async def send(self, name: str, to: str = RECEIVER, business: Business | None = None) -> Submission:
        """Send a document."""
        document = Document(Organization(SENDER), (Organization(to),), name, business=business or Business())
        return await self.signers.get(name, self.clients[SENDER]).send(document)

    def has(self, case: Case) -> bool:
        """Tell whether the document of a case is where it is to stand first."""
        return case.name in (self.waiting if case.receiver == AWAY else self.delivered & self.received)

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
                self.submissions[caused] = await self.send(caused.document_id, caused.case.receiver, _business(caused))

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
        if caused.case.receiver == AWAY:
            return name in self.waiting
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
            "select d.document_id, q.state, v.take_back, v.request from queued_delivery q "
            "join delivery v using (document, addressee) join document d using (document) where d.business = 0"
        )
        return {
            row["document_id"]: (
                State(row["state"]),
                Pending.TAKE_BACK if row["take_back"] else Pending.UPDATE if row["request"] else Pending.NOTHING,
            )
            for row in rows
        }

    async def requests(self) -> dict[str, State]:
        """Return where the ledger says that each withdrawal and each update stands."""
        rows = await self.ledger.fetch(
            "select d.document_id, q.state from queued_delivery q join delivery v using (document, addressee) "
            "join document d using (document) where v.role <> 'document'"
        )
        return {row["document_id"]: State(row["state"]) for row in rows}


def _business(caused: Caused) -> Business:
    name, receiver = caused.names, caused.case.receiver
    match caused.event:
        case Event.WITHDRAW:
            return Business(BusinessType.WITHDRAW, reason="gửi nhầm", document_id=name)
        case Event.UPDATE:
            return Business(BusinessType.UPDATE, reason="sửa", document_id=name)
        case Event.REMOVE:
            removed = (Receiver(receiver, added=False),)
            return Business(BusinessType.UPDATE, reason="bớt nơi nhận", document_id=name, receivers=removed)
        case _:
            return Business(BusinessType.REPLACE, reason="sai", replacements=(Replacement(name, (receiver,)),))
