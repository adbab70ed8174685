"""By when the law wants what done: pure rules, from dates and the calendar of working days to moments.

===========  ==================================================  =====================================================
clock        what has to be done, and by whom                    by when
===========  ==================================================  =====================================================
`SENDING`    the sender sends what was signed                    noon of the working day after the day of signing
                                                                 (Decision 28/2018/QĐ-TTg, Art. 6.2: "in the morning")
`RECEIPT`    the receiver says that it has the document: 01,     the end of the day on which it came (Decree
             03, or 02 when it sends it back                     30/2020/NĐ-CP, Art. 21.2)
`TRANSFER`   the receiver's clerk hands it on: 04, 05 or 06      the end of the next working day (Decree 30/2020,
                                                                 Art. 4.2c)
`FINISH`     the receiver has done with it: 06                   the end of the due date in the document
===========  ==================================================  =====================================================

What is urgent is sent, presented and handed on at once, whatever the day (Art. 6.2 and 4.2c); how many minutes that is
the law does not say, a setting does. As the exchange knows of the day of signing no hour, an urgent document is late
when it comes so many minutes after that day's end.

A period that would end on a day off ends with the next working day (Civil Code 2015, Art. 148.5). A moment is in time
when it lies before the end: 11:59:59 is morning, 12:00 is not. Only the exchange's own clock counts: when it received a
document or a status, never when the other side says that it sent it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from lienthong.document.life_cycle import Pending, Role, State
from lienthong.document.zone import day_of, moment_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lienthong.document.working_days import WorkingDays

__all__ = ["HOLDERS", "Clock", "Dating", "Holder", "Level", "Rules", "Sending", "Term", "holder", "next_look"]

NOON = 12
"""The hour at which the morning is over: the Decision does not name it."""
LONG_AGO = timedelta(days=365)
"""A document dated longer ago is a copy of an old one, or misdated: whether it was sent in time cannot be said."""
LONGEST = timedelta(days=5 * 365)
"""A due date further ahead is a slip of the pen: no clock runs for it."""
HALF, MOST = 0.5, 0.8
"""The shares of the time after which the one who has to act is warned."""
ONE_DAY = timedelta(days=1)


class Clock(StrEnum):
    """What has to be done in time."""

    SENDING = "sending"
    RECEIPT = "receipt"
    TRANSFER = "transfer"
    FINISH = "finish"


class Level(StrEnum):
    """What is told of a clock: half or most (80 %) of the time is over, or all of it; or its date is still to come."""

    HALF = "half"
    MOST = "most"
    BREACH = "breach"
    AHEAD = "ahead"


class Dating(StrEnum):
    """Whether a document was sent in time, by its date and the moment the exchange received it.

    `AHEAD`: its date was still to come. `LONG_AGO`: see the constant. `UNDATED`: it has none. Of these three nothing
    can be said, and they count neither as late nor as in time.
    """

    IN_TIME = "in-time"
    LATE = "late"
    AHEAD = "ahead"
    LONG_AGO = "long-ago"
    UNDATED = "undated"


class Holder(StrEnum):
    """Who has to act next: who holds the ball."""

    SENDER = "sender"
    EXCHANGE = "exchange"
    CLERK = "clerk"
    LEADER = "leader"
    OFFICER = "officer"
    NOBODY = "nobody"


HOLDERS: Mapping[State, Holder] = {
    State.RECEIVED: Holder.EXCHANGE,
    State.HELD: Holder.EXCHANGE,
    State.VERIFIED: Holder.EXCHANGE,
    State.STOPPED: Holder.SENDER,
    # The exchange delivers it by itself as soon as the receiver collects.
    State.PARKED: Holder.CLERK,
    State.DELIVERED: Holder.CLERK,
    State.ARRIVED: Holder.CLERK,
    State.REFUSED: Holder.SENDER,
    State.ACCEPTED: Holder.LEADER,
    State.ASSIGNED: Holder.OFFICER,
    State.PROCESSING: Holder.OFFICER,
    State.FINISHED: Holder.NOBODY,
    State.WITHDRAWN: Holder.NOBODY,
    State.REPLACED: Holder.NOBODY,
    State.AGREED: Holder.NOBODY,
    State.DECLINED: Holder.NOBODY,
    State.LAPSED: Holder.NOBODY,
}
"""Who has to act in each state when the sender has asked for nothing."""


def holder(state: State, pending: Pending = Pending.NOTHING) -> Holder:
    """Return who holds the ball: a request that was not answered lies with the receiver's clerk, whatever the state."""
    return HOLDERS[state] if pending is Pending.NOTHING else Holder.CLERK


@dataclass(frozen=True, slots=True)
class Sending:
    """Whether a document was sent in time; `due_at` is None when that cannot be said."""

    dating: Dating
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Term:
    """A clock that runs.

    Attributes:
        clock: which.
        started_at: since when.
        half_at: when half of the time is over.
        most_at: when 80 % of it are.
        due_at: when all of it is; from this moment on it is too late.
    """

    clock: Clock
    started_at: datetime
    half_at: datetime
    most_at: datetime
    due_at: datetime

    def level(self, now: datetime, met_at: datetime | None) -> Level | None:
        """Return the furthest that is to be told by now; None when nothing is.

        Whoever is late is not warned any more, and what was done in time not told of, however late one looks.
        """
        if (met_at or now) >= self.due_at:
            return Level.BREACH
        if met_at is not None or now < self.half_at:
            return None
        return Level.MOST if now >= self.most_at else Level.HALF

    def next_at(self, now: datetime) -> datetime | None:
        """Return when there will be something further to tell, unless it is done by then; None when nothing will."""
        return next((moment for moment in (self.half_at, self.most_at, self.due_at) if moment > now), None)


def next_look(terms: Sequence[Term], met: Mapping[Clock, datetime | None], now: datetime) -> datetime | None:
    """Return when these clocks have to be looked at again; None when never."""
    moments = [term.next_at(now) for term in terms if met[term.clock] is None]
    return min((moment for moment in moments if moment is not None), default=None)


class Rules:
    """The rules, by a calendar.

    Args:
        days: the working days.
        at_once: how long *at once* is for what is urgent.
    """

    def __init__(self, days: WorkingDays, at_once: timedelta) -> None:
        self._days, self._at_once = days, at_once

    def sending(self, signed_on: date | None, received_at: datetime, *, urgent: bool) -> Sending:
        """Return whether a document that carries this date was sent in time."""
        if signed_on is None:
            return Sending(Dating.UNDATED, None)
        received_on = day_of(received_at)
        if signed_on > received_on:
            return Sending(Dating.AHEAD, None)
        if received_on - signed_on > LONG_AGO:
            return Sending(Dating.LONG_AGO, None)
        due_at = _end(signed_on) + self._at_once if urgent else moment_of(self._days.after(signed_on), NOON)
        return Sending(Dating.LATE if received_at >= due_at else Dating.IN_TIME, due_at)

    def terms(self, delivered_at: datetime, *, role: Role, urgent: bool, due_on: date | None) -> list[Term]:
        """Return the clocks that run for a delivery from the moment it stands in the receiver's queue.

        A request to withdraw or update has but to be received; what then is the receiver's to decide. A due date that
        was over when the document came, or lies too far ahead, starts no clock.
        """
        if urgent:
            receipt_at = transfer_at = delivered_at + self._at_once
        else:
            delivered_on = day_of(delivered_at)
            receipt_at = _end(self._days.from_day(delivered_on))
            transfer_at = _end(self._days.after(delivered_on))
        ends = {Clock.RECEIPT: receipt_at}
        if role is Role.DOCUMENT:
            ends[Clock.TRANSFER] = transfer_at
            if due_on is not None and timedelta() <= due_on - day_of(delivered_at) <= LONGEST:
                ends[Clock.FINISH] = _end(self._days.from_day(due_on))
        return [
            self._term(clock, delivered_at, due_at, straight=urgent and clock is not Clock.FINISH)
            for clock, due_at in ends.items()
        ]

    def _term(self, clock: Clock, start: datetime, end: datetime, *, straight: bool) -> Term:
        half, most = (
            start + share * (end - start) if straight else self._days.moment(start, end, share)
            for share in (HALF, MOST)
        )
        return Term(clock, start, half, most, end)


def _end(day: date) -> datetime:
    """Return the moment at which a day has ended."""
    return moment_of(day + ONE_DAY)
