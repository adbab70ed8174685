"""By when deliveries have to be answered, what there is to tell about that, and which days offices work on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003

from lienthong.ledger.rows import as_json
from lienthong.ledger.statements import statement

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import asyncpg

__all__ = [
    "CalendarDay",
    "DeadlineRow",
    "Deadlines",
    "DueDelivery",
    "ScheduleRow",
    "SendingRow",
    "UntoldDeadline",
]


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """A day about which an operator has decided whether offices work on it, and why."""

    day: date
    working: bool
    reason: str
    decided_by: str


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery whose clocks have to be looked at; locked until the transaction ends.

    Attributes:
        sending_judged: whether it is known whether the document was sent in time.
        queued_at: since when it stands in the receiver's queue; None while it does not.
        parked: whether that is because the receiver does not collect.
        receipt_at: when the exchange heard what each clock waits for, or nothing was demanded any more; None while
            that is open. The two after it likewise.
    """

    document: UUID
    addressee: str
    role: str
    business: int
    sender: str
    lane: str
    promulgated_on: date | None
    due_on: date | None
    received_at: datetime
    sending_judged: bool
    queued_at: datetime | None
    parked: bool
    receipt_at: datetime | None
    transfer_at: datetime | None
    finish_at: datetime | None


@dataclass(frozen=True, slots=True)
class SendingRow:
    """Whether a document was sent in time; see `lienthong.document.deadlines.Sending`."""

    document: UUID
    dating: str
    due_at: datetime | None
    judged_at: datetime


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """By when a delivery has to be answered, clock by clock, and when to look at it next; None for never."""

    document: UUID
    addressee: str
    next_due_at: datetime | None
    receipt_due_at: datetime | None = None
    transfer_due_at: datetime | None = None
    finish_due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeadlineRow:
    """What there is to tell about a clock; `agency` is who has to act."""

    deadline: UUID
    document: UUID
    agency: str
    clock: str
    level: str
    due_at: datetime | None
    noted_at: datetime


@dataclass(frozen=True, slots=True)
class UntoldDeadline(DeadlineRow):
    """What has not been told yet; locked until the transaction ends.

    Attributes:
        sender: the document's sender.
        document_id: edXML's ``DocumentId``.
        user_name: whose status queue hears for the sender.
        carrier: whose hears for the receiver; None when it is about the sending.
        state: where the delivery stands now; None likewise.
        take_back: whether the sender has asked for it back and was not answered; None likewise.
        asked: whether an update was not answered.
        met_at: when it was done after all; None while it is not.
        overtaken: whether something further has been noted about this clock.
    """

    sender: str
    document_id: str
    user_name: str
    carrier: str | None
    state: str | None
    take_back: bool | None
    asked: bool
    met_at: datetime | None
    overtaken: bool


class Deadlines:
    """The part of a transaction that is about deadlines; see `lienthong.ledger.unit.Unit.deadlines`."""

    def __init__(self, connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record]) -> None:
        self._connection = connection

    async def calendar(self) -> dict[date, bool]:
        """Return the days about which an operator has decided, with whether offices work on them."""
        return {row["day"]: row["working"] for row in await self._connection.fetch(statement("calendar_days"))}

    async def due(self, now: datetime, limit: int) -> list[DueDelivery]:
        """Return deliveries whose clocks have to be looked at by now, locked; not those somebody else has locked."""
        found = await self._connection.fetch(statement("due_deliveries"), now, limit)
        return [DueDelivery(**row) for row in found]

    async def record(
        self, sendings: Sequence[SendingRow], deadlines: Sequence[DeadlineRow], schedule: Sequence[ScheduleRow]
    ) -> int:
        """Record what was found out about locked deliveries; return how much of what there is to tell is new."""
        await self._connection.execute(statement("insert_sendings"), as_json(sendings))
        new: int = await self._connection.fetchval(statement("insert_deadlines"), as_json(deadlines))
        await self._connection.execute(statement("schedule_deliveries"), as_json(schedule))
        return new

    async def untold(self, limit: int) -> list[UntoldDeadline]:
        """Return what has not been told yet, oldest first, locked; not what somebody else has locked."""
        return [UntoldDeadline(**row) for row in await self._connection.fetch(statement("untold_deadlines"), limit)]

    async def mark_told(self, keys: Collection[UUID], at: datetime, *, dropped: bool = False) -> None:
        """Record that this is told, or that nobody needs to hear it any more."""
        if keys:
            await self._connection.execute(statement("mark_deadlines_told"), sorted(keys), at, dropped)
