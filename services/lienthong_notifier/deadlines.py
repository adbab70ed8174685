"""Watch the deadlines of the law: warn who has to act, and tell those concerned of what is late.

What there is to tell is a fact born in the database: it is recorded once for each delivery, clock and level (`look`),
and told from there (`tell`) as a notice with a derived id, so that a crash between any two steps tells nothing twice.
Each delivery says itself when it has to be looked at next, by an index; one that was answered in time is looked at once
when it is delivered and once or twice more, whatever the number of documents.

Nobody is warned of what is late already: after an outage only the furthest is recorded, and a warning that waited for
the broker until it was overtaken is dropped. What counts is when the exchange received an answer, not when this watch
looks: what was done in time is not told of, and what was late is, however long the notifiers were away.

Any number of notifiers may run this side by side.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING

import structlog

from lienthong.document.deadline_words import deadline_words
from lienthong.document.deadlines import Clock, Dating, Holder, Level, Rules, holder, next_look
from lienthong.document.ids import derive
from lienthong.document.life_cycle import Pending, Role, State
from lienthong.document.messages import Deadline, Lane, NoticeToSend
from lienthong.document.working_days import WorkingDays
from lienthong.edxml import BusinessType
from lienthong.errors import Unavailable
from lienthong.ledger.deadlines import DeadlineRow, ScheduleRow, SendingRow
from lienthong.telemetry import metrics
from lienthong.telemetry.events import Event
from lienthong.worker.answers import to_notifier
from lienthong.worker.beside import Beside, confirmed
from lienthong.worker.ladder import reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lienthong.document.deadlines import Term
    from lienthong.ledger.deadlines import DueDelivery, UntoldDeadline
    from lienthong.ledger.directory import Directory
    from lienthong.ledger.ledger import Ledger
    from lienthong.worker.beside import Publishes

__all__ = ["DeadlineWatch"]

AT_ONCE = 200
"""Most deliveries looked at, or deadlines told, in one transaction."""
LOOK_SECONDS = 2.0
"""Between two turns."""
DRAIN_SECONDS = 0.02
"""The same while there is something to do."""
ON_ITS_WAY = timedelta(minutes=1)
"""When a delivery that does not stand in its queue yet is looked at again."""
PARKED = timedelta(hours=1)
"""The same when its receiver does not collect: that may last for days."""

log = structlog.stdlib.get_logger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


class DeadlineWatch(Beside):
    """Runs beside the notifier's handler until its block ends.

    Args:
        ledger: where deliveries and what is demanded of them stand.
        bus: where notices are asked for.
        at_once: how long *at once* is for what is urgent.
        clock: the present.
    """

    what = "watch deadlines"

    def __init__(
        self, ledger: Ledger, bus: Publishes, at_once: timedelta, *, clock: Callable[[], datetime] = _now
    ) -> None:
        self._ledger, self._bus, self._clock = ledger, bus, clock
        self._days = WorkingDays()
        self._rules = Rules(self._days, at_once)
        for watched, level in product(Clock, Level):
            metrics.DEADLINES.labels(watched, level)

    async def look(self) -> int:
        """Look at deliveries whose clocks say so, and record what there is to tell; return how many were looked at.

        Raises:
            Unavailable: the ledger is away.
        """
        now = self._clock()
        async with self._ledger.transaction() as unit:
            self._days.decide(await unit.deadlines.calendar())
            due = await unit.deadlines.due(now, AT_ONCE)
            if not due:
                return 0
            sendings = {one.document: self._sending(one, now) for one in due if _is_to_judge(one)}
            notes: list[DeadlineRow] = []
            schedule: list[ScheduleRow] = []
            for one in due:
                terms = self._terms(one)
                notes += [*_of_sending(one, sendings.get(one.document)), *_of_terms(one, terms, now)]
                schedule.append(_schedule(one, terms, now))
            # A document that stands at several addressees was sent once.
            unique = {note.deadline: note for note in notes}
            new = await unit.deadlines.record([*sendings.values()], [*unique.values()], schedule)
        if new:
            log.info(Event.DEADLINES_NOTED, deadlines=new)
        return len(due)

    async def tell(self) -> int:
        """Tell what has been recorded and not told; return how many deadlines are done with.

        Raises:
            Unavailable: the ledger or the broker is away; what was not confirmed stays to be told.
        """
        now = self._clock()
        async with self._ledger.transaction() as unit:
            untold = await unit.deadlines.untold(AT_ONCE)
            dropped = {one.deadline for one in untold if _is_pointless(one, now)}
            notices = [
                (one.deadline, notice)
                for one in untold
                if one.deadline not in dropped
                for notice in _notices(one, unit.directory)
            ]
            results = await confirmed(self._bus, [to_notifier(notice) for _, notice in notices])
            failed = {key for (key, _), error in zip(notices, results, strict=True) if error is not None}
            told = {one.deadline for one in untold} - dropped - failed
            await unit.deadlines.mark_told(dropped, now, dropped=True)
            await unit.deadlines.mark_told(told, now)
        for one in untold:
            if one.deadline in told:
                metrics.DEADLINES.labels(one.clock, one.level).inc()
        errors = [error for error in results if error is not None]
        if errors:
            raise Unavailable(f"{len(errors)} not confirmed: {reason(errors[0])}")
        return len(untold)

    def _sending(self, one: DueDelivery, now: datetime) -> SendingRow:
        found = self._rules.sending(one.promulgated_on, one.received_at, urgent=one.lane == Lane.URGENT)
        return SendingRow(one.document, found.dating, found.due_at, now)

    def _terms(self, one: DueDelivery) -> list[Term]:
        if one.queued_at is None:
            return []
        urgent = one.lane == Lane.URGENT
        return self._rules.terms(one.queued_at, role=Role(one.role), urgent=urgent, due_on=one.due_on)

    async def _round(self) -> float:
        done = await self.look() + await self.tell()
        return DRAIN_SECONDS if done else LOOK_SECONDS


def _is_to_judge(one: DueDelivery) -> bool:
    """Tell whether its sending is to be judged: once, and not of a request, which has its earlier document's date."""
    return not one.sending_judged and one.business in (BusinessType.NEW, BusinessType.REPLACE)


def _met(one: DueDelivery) -> dict[Clock, datetime | None]:
    return {Clock.RECEIPT: one.receipt_at, Clock.TRANSFER: one.transfer_at, Clock.FINISH: one.finish_at}


def _of_sending(one: DueDelivery, sending: SendingRow | None) -> Iterator[DeadlineRow]:
    level = {Dating.LATE: Level.BREACH, Dating.AHEAD: Level.AHEAD}.get(Dating(sending.dating)) if sending else None
    if sending is not None and level is not None:
        yield _note(one, one.sender, Clock.SENDING, level, sending.due_at, sending.judged_at)


def _of_terms(one: DueDelivery, terms: Sequence[Term], now: datetime) -> Iterator[DeadlineRow]:
    met = _met(one)
    for term in terms:
        level = term.level(now, met[term.clock])
        if level is not None:
            yield _note(one, one.addressee, term.clock, level, term.due_at, now)


def _note(
    one: DueDelivery, agency: str, clock: Clock, level: Level, due_at: datetime | None, now: datetime
) -> DeadlineRow:
    key = derive("deadline", one.document, agency, clock, level)
    return DeadlineRow(key, one.document, agency, clock, level, due_at, now)


def _schedule(one: DueDelivery, terms: Sequence[Term], now: datetime) -> ScheduleRow:
    if one.queued_at is None:
        # What was withdrawn while it was parked is never put into the queue.
        never = one.receipt_at is not None
        next_at = None if never else now + (PARKED if one.parked else ON_ITS_WAY)
        return ScheduleRow(one.document, one.addressee, next_at)
    ends = {term.clock: term.due_at for term in terms}
    return ScheduleRow(
        one.document,
        one.addressee,
        next_look(terms, _met(one), now),
        ends.get(Clock.RECEIPT),
        ends.get(Clock.TRANSFER),
        ends.get(Clock.FINISH),
    )


def _is_pointless(one: UntoldDeadline, now: datetime) -> bool:
    """Tell whether a warning comes too late to warn: it was done since, or is late already."""
    is_warning = one.level in (Level.HALF, Level.MOST)
    return is_warning and (one.overtaken or one.met_at is not None or (one.due_at is not None and now >= one.due_at))


def _notices(one: UntoldDeadline, directory: Directory) -> Iterator[NoticeToSend]:
    """Return who is told what: warnings whoever has to act, what is late the document's sender as well."""
    clock, level = Clock(one.clock), Level(one.level)
    vi, en = deadline_words(clock, level, one.agency, one.due_at, one.met_at)
    told = Deadline(
        document=one.document,
        sender=one.sender,
        document_id=one.document_id,
        agency=one.agency,
        clock=clock,
        level=level,
        holder=_holder(one),
        due_at=one.due_at,
        met_at=one.met_at,
        vi=vi,
        en=en,
        noted_at=one.noted_at,
    )
    late = level in (Level.BREACH, Level.AHEAD)
    agencies = [one.carrier] if one.carrier is not None else []
    agencies += [one.user_name] if late or one.carrier is None else []
    for agency in dict.fromkeys(directory.told(agency) for agency in agencies):
        yield NoticeToSend(
            notice_id=derive("deadline", one.deadline, agency),
            agency=agency,
            document=one.document,
            notice=told,
            caused_at=one.noted_at,
        )


def _holder(one: UntoldDeadline) -> Holder:
    if one.state is None:
        return Holder.SENDER
    pending = Pending.TAKE_BACK if one.take_back else Pending.UPDATE if one.asked else Pending.NOTHING
    return holder(State(one.state), pending)
