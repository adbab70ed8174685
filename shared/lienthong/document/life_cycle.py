"""What may happen to one document at one addressee: the one table of states, events and who may cause them.

Everything else that knows the life cycle comes from here or is compared with it: the workers' steps, the ledger's
CHECK constraints, the kit's types, the diagram in the README, and ``deploy/life-cycle.json`` with its test vectors.

The codes are edXML's ``StatusCode``; their meaning is Decision 28/2018/QĐ-TTg, Art. 10.2h. No source gives the state
machine itself: the order here is the one the codes' names imply and real traffic shows (03 may go straight to 05
or 06; some systems never send 01). What withdrawing does is Art. 8.2 and 9.2 of that Decision, and Decree
30/2020/NĐ-CP, Art. 18.4b and Annex VI: the receiver destroys, the issuer freezes, the metadata stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lienthong.document.life_cycle_words import EVENT_WORDS, STATE_WORDS

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "ACTORS",
    "RECORDED_STATES",
    "STATE_NAMES",
    "STATUS_CODES",
    "TABLE",
    "Actor",
    "Event",
    "Grade",
    "Office",
    "Pending",
    "Role",
    "State",
    "StatusCode",
    "Step",
    "StepOutcome",
    "Transition",
    "grade",
    "is_ahead",
    "states_of",
    "step",
]


class State(StrEnum):
    """Where a document stands on its way to, and at, one addressee."""

    RECEIVED = "received"
    HELD = "held"
    VERIFIED = "verified"
    STOPPED = "stopped"
    PARKED = "parked"
    DELIVERED = "delivered"
    ARRIVED = "arrived"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    ASSIGNED = "assigned"
    PROCESSING = "processing"
    FINISHED = "finished"
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"
    AGREED = "agreed"
    DECLINED = "declined"
    LAPSED = "lapsed"


class Event(StrEnum):
    """What may happen: a status code, a document of the sender that acts on the earlier one, a step of the exchange."""

    HOLD = "hold"
    VERIFY = "verify"
    STOP = "stop"
    PARK = "park"
    DELIVER = "deliver"
    LAPSE = "lapse"
    ARRIVE = "01"
    REFUSE = "02"
    ACCEPT = "03"
    ASSIGN = "04"
    PROCESS = "05"
    FINISH = "06"
    TAKE_BACK = "13"
    AGREE = "15"
    DECLINE = "16"
    WITHDRAW = "withdraw"
    UPDATE = "update"
    REMOVE = "remove"
    REPLACE = "replace"


class Actor(StrEnum):
    """Who may cause an event."""

    EXCHANGE = "exchange"
    SENDER = "sender"
    RECEIVER = "receiver"


class Role(StrEnum):
    """What a delivery is: a document to be worked on, or a request about one that was delivered before."""

    DOCUMENT = "document"
    UPDATE = "update"
    WITHDRAW = "withdraw"


class Pending(StrEnum):
    """What the sender has asked for at a delivery and the receiver has not answered."""

    NOTHING = "nothing"
    UPDATE = "update"
    TAKE_BACK = "take-back"


class Office(StrEnum):
    """Whose work a status speaks of; the supervision of January 2019 counted these three apart."""

    CLERK = "clerk"
    LEADER = "leader"
    OFFICER = "officer"


@dataclass(frozen=True, slots=True)
class StatusCode:
    """One ``StatusCode`` of edXML.

    Attributes:
        code: two digits, as on the wire.
        vi: its meaning in Vietnamese.
        en: its meaning in English.
        office: which office of the receiver it speaks of; None where it is about taking back.
        by_sender: True when the document's sender reports it, not its receiver.
    """

    code: str
    vi: str
    en: str
    office: Office | None
    by_sender: bool = False


_BY_SENDER = (Event.TAKE_BACK, Event.WITHDRAW, Event.UPDATE, Event.REMOVE, Event.REPLACE)
_BY_EXCHANGE = (Event.HOLD, Event.VERIFY, Event.STOP, Event.PARK, Event.DELIVER, Event.LAPSE)
ACTORS: dict[Event, Actor] = {
    event: Actor.SENDER if event in _BY_SENDER else Actor.EXCHANGE if event in _BY_EXCHANGE else Actor.RECEIVER
    for event in Event
}
"""Who may cause each event; for the sender and the receiver also those that may speak for them."""
_OFFICES = {
    Event.ARRIVE: Office.CLERK,
    Event.REFUSE: Office.CLERK,
    Event.ACCEPT: Office.CLERK,
    Event.ASSIGN: Office.LEADER,
    Event.PROCESS: Office.OFFICER,
    Event.FINISH: Office.OFFICER,
}
STATUS_CODES: dict[str, StatusCode] = {
    event.value: StatusCode(event.value, *EVENT_WORDS[event], _OFFICES.get(event), ACTORS[event] is Actor.SENDER)
    for event in Event
    if event.value.isdigit()
}
STATE_NAMES: dict[State, str] = {state: STATE_WORDS[state].vi for state in State}
"""What a state is called in Vietnamese."""


class StepOutcome(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    REPEATED = "repeated"
    ILLEGAL = "illegal"


@dataclass(frozen=True, slots=True)
class Step:
    """The answer of the table to one event.

    Attributes:
        outcome: applied, repeated (it says what is already so) or illegal.
        state: the delivery's state afterwards.
        pending: what the sender has asked for and the receiver has not answered, afterwards.
        skipped: the status codes that the natural order has in between and that were left out.
    """

    outcome: StepOutcome
    state: State
    pending: Pending
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table: what an event does to a delivery of this role, in this state, with this request open."""

    role: Role
    state: State
    pending: Pending
    event: Event
    to_state: State
    to_pending: Pending
    skipped: tuple[str, ...] = ()


_WAY = (State.DELIVERED, State.ARRIVED, State.ACCEPTED, State.ASSIGNED, State.PROCESSING, State.FINISHED)
"""The natural order, which the codes 01, 03, 04, 05, 06 lead along."""
_OPEN = (State.PARKED, *_WAY)
"""States in which a document stands with its receiver, or will, so that the sender may ask for something."""
_TARGETS: dict[Event, State] = {
    Event.ARRIVE: State.ARRIVED,
    Event.REFUSE: State.REFUSED,
    Event.ACCEPT: State.ACCEPTED,
    Event.ASSIGN: State.ASSIGNED,
    Event.PROCESS: State.PROCESSING,
    Event.FINISH: State.FINISHED,
    Event.HOLD: State.HELD,
    Event.VERIFY: State.VERIFIED,
    Event.STOP: State.STOPPED,
    Event.PARK: State.PARKED,
    Event.DELIVER: State.DELIVERED,
    Event.AGREE: State.AGREED,
    Event.DECLINE: State.DECLINED,
    Event.LAPSE: State.LAPSED,
    Event.REPLACE: State.REPLACED,
}
_CODE_OF = {state: event.value for event, state in _TARGETS.items() if state in _WAY[1:]}
# What a receiver reports shows that it has the document: the router may have put what was parked into its queue, and
# died before it could record that.
_OF_DELIVERED = (Event.ARRIVE, Event.ACCEPT, Event.REFUSE, Event.REPLACE)
_REQUEST_OF_DELIVERED = (Event.ARRIVE, Event.AGREE, Event.DECLINE, Event.REFUSE, Event.LAPSE)
_STEPS: dict[State, tuple[Event, ...]] = {
    State.RECEIVED: (Event.HOLD, Event.VERIFY, Event.STOP),
    State.HELD: (Event.VERIFY, Event.STOP),
    State.VERIFIED: (Event.DELIVER, Event.PARK, Event.STOP),
    State.PARKED: (Event.DELIVER, *_OF_DELIVERED),
    State.DELIVERED: _OF_DELIVERED,
    State.ARRIVED: (Event.ACCEPT, Event.REFUSE, Event.REPLACE),
    State.ACCEPTED: (Event.ASSIGN, Event.PROCESS, Event.FINISH, Event.REPLACE),
    State.ASSIGNED: (Event.PROCESS, Event.FINISH, Event.REPLACE),
    State.PROCESSING: (Event.FINISH, Event.REPLACE),
    State.FINISHED: (Event.REPLACE,),
    # What the receiver sent back is mended by a replacement (Decree 30/2020/NĐ-CP, Art. 18.3).
    State.REFUSED: (Event.REPLACE,),
    State.STOPPED: (),
    State.WITHDRAWN: (),
    State.REPLACED: (),
}
"""What leads a document from where to where, whatever the sender has asked for; the events' targets are above."""
_ENDS_REQUESTS = (State.REFUSED, State.REPLACED)
_ASKED: dict[tuple[Pending, Event], tuple[State | None, Pending]] = {
    **{
        (pending, event): (None, Pending.TAKE_BACK)
        # Whoever wants the document back has no further wish for its update.
        for pending in (Pending.NOTHING, Pending.UPDATE)
        for event in (Event.TAKE_BACK, Event.WITHDRAW, Event.REMOVE)
    },
    (Pending.NOTHING, Event.UPDATE): (None, Pending.UPDATE),
    # A later update takes the place of one that was not answered.
    (Pending.UPDATE, Event.UPDATE): (None, Pending.UPDATE),
    (Pending.UPDATE, Event.AGREE): (None, Pending.NOTHING),
    (Pending.UPDATE, Event.DECLINE): (None, Pending.NOTHING),
    (Pending.TAKE_BACK, Event.AGREE): (State.WITHDRAWN, Pending.NOTHING),
    (Pending.TAKE_BACK, Event.DECLINE): (None, Pending.NOTHING),
}
"""What the sender may ask for in the open states, and what the answers do; without a state it stays where it is."""
_REQUEST_STEPS: dict[State, tuple[Event, ...]] = {
    State.PARKED: (Event.DELIVER, *_REQUEST_OF_DELIVERED),
    State.DELIVERED: _REQUEST_OF_DELIVERED,
    State.ARRIVED: (Event.AGREE, Event.DECLINE, Event.REFUSE, Event.LAPSE),
    State.AGREED: (),
    State.DECLINED: (),
    State.LAPSED: (),
}


def _skipped(state: State, to: State) -> tuple[str, ...]:
    if state not in _OPEN or to not in _WAY:
        return ()
    return tuple(_CODE_OF[between] for between in _WAY[_place(state) + 1 : _WAY.index(to)])


def _place(state: State) -> int:
    """Return how far along the natural order an open state is; what is parked is as far as what was delivered."""
    return _WAY.index(State.DELIVERED if state is State.PARKED else state)


def _document_rows() -> list[Transition]:
    rows = []
    for state, events in _STEPS.items():
        for pending in Pending if state in _OPEN else (Pending.NOTHING,):
            for event in events:
                to = _TARGETS[event]
                after = Pending.NOTHING if to in _ENDS_REQUESTS else pending
                rows.append(Transition(Role.DOCUMENT, state, pending, event, to, after, _skipped(state, to)))
    rows += [
        Transition(Role.DOCUMENT, state, pending, event, to or state, after)
        for state in _OPEN
        for (pending, event), (to, after) in _ASKED.items()
    ]
    return rows


def _request_rows(role: Role) -> list[Transition]:
    # Registering an update (03) is agreeing to it, and sending a request back (02) is declining it.
    targets = _TARGETS | {Event.REFUSE: State.DECLINED, Event.ACCEPT: State.AGREED}
    return [
        Transition(role, state, Pending.NOTHING, event, targets[event], Pending.NOTHING)
        for state, events in _REQUEST_STEPS.items()
        for event in (*events, *((Event.ACCEPT,) if Event.AGREE in events and role is Role.UPDATE else ()))
    ]


TABLE: tuple[Transition, ...] = (
    *_document_rows(),
    *_request_rows(Role.UPDATE),
    *_request_rows(Role.WITHDRAW),
)
"""Everything that is allowed; every other event is repeated or illegal, and changes nothing."""
_BY_EVENT = {(row.role, row.state, row.pending, row.event): row for row in TABLE}
RECORDED_STATES: tuple[State, ...] = (
    *_OPEN,
    State.REFUSED,
    State.WITHDRAWN,
    State.REPLACED,
    State.AGREED,
    State.DECLINED,
    State.LAPSED,
)
"""The states of a delivery; before there is one, a document stands where its judgement and routing show."""
_SAID = {
    (State.WITHDRAWN, Event.AGREE),
    (State.AGREED, Event.AGREE),
    (State.DECLINED, Event.DECLINE),
}
"""What says no more than the state does, beside the events that lead to a state."""
_BEFORE: dict[State, frozenset[Event]] = {
    **{
        state: frozenset(event for event, to in _TARGETS.items() if to in _WAY[1:place])
        for place, state in enumerate(_WAY)
    },
    State.REFUSED: frozenset({Event.ARRIVE}),
    State.WITHDRAWN: frozenset(event for event in _TARGETS if event.value in _OFFICES),
    State.REPLACED: frozenset(event for event in _TARGETS if event.value in _OFFICES),
    State.AGREED: frozenset({Event.ARRIVE}),
    State.DECLINED: frozenset({Event.ARRIVE}),
}
"""What may have been reported before a state was reached."""


def states_of(role: Role) -> tuple[State, ...]:
    """Return the states that a delivery of this role may be in, in order."""
    return tuple(_STEPS if role is Role.DOCUMENT else _REQUEST_STEPS)


def is_ahead(state: State, code: str, *, strict: bool = False) -> bool:
    """Tell whether a status speaks of a step that comes later than the next one: what lies between may still come.

    Without `strict` the next ones are all that real traffic goes to from there.
    """
    target = _TARGETS.get(Event(code))
    if state not in _OPEN or target not in _WAY:
        return False
    if strict:
        return bool(_skipped(state, target))
    return code not in _STEPS[state] and _WAY.index(target) > _place(state)


def step(
    state: State,
    event: str,
    *,
    pending: Pending = Pending.NOTHING,
    role: Role = Role.DOCUMENT,
    overtaken: bool = False,
    strict: bool = False,
) -> Step:
    """Return what one event does to a delivery.

    Args:
        state: where the delivery stands.
        event: an `Event`, which a status code is.
        pending: what the sender has asked for and the receiver has not answered.
        role: what the delivery is.
        overtaken: whether a status was reported before the one that led to `state`, and only came later: then a step
            that lies before it is applied as well, and the state stays.
        strict: whether steps that the natural order has in between may not be left out. Real traffic leaves them out,
            so the exchange applies such a step and grades it (`grade`).
    """
    happened = Event(event)
    row = _BY_EVENT.get((role, state, pending, happened))
    if row is not None and not (strict and row.skipped):
        return Step(StepOutcome.APPLIED, row.to_state, row.to_pending, row.skipped)
    asked_again = pending is Pending.TAKE_BACK and happened in (Event.TAKE_BACK, Event.WITHDRAW, Event.REMOVE)
    reached = happened.value.isdigit() and _TARGETS.get(happened) is state
    if asked_again or reached or (state, happened) in _SAID:
        return Step(StepOutcome.REPEATED, state, pending)
    if overtaken and happened in _BEFORE.get(state, ()):
        return Step(StepOutcome.APPLIED, state, pending)
    return Step(StepOutcome.ILLEGAL, state, pending)


@dataclass(frozen=True, slots=True)
class Grade:
    """How well a receiver told what it did with one document.

    Attributes:
        offices: whose work it told of.
        skipped: the codes of the natural order that it left out before the furthest it reported.
    """

    offices: frozenset[Office]
    skipped: tuple[str, ...]


def grade(codes: Collection[str]) -> Grade:
    """Return the grade of the status codes that came, and were applied, for one delivery."""
    furthest = max((code for code in codes if code in _CODE_OF.values()), default="")
    skipped = tuple(code for code in _CODE_OF.values() if code < furthest and code not in codes)
    offices = (STATUS_CODES[code].office for code in codes)
    return Grade(frozenset(office for office in offices if office is not None), skipped)
