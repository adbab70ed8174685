"""Leave in the ledger what an agency that does not collect would get, and send it when its queue is short again.

A queue that nobody empties fills the broker's disk at everybody's cost, and bounding it there would have every other
addressee's copy sent again (one full queue nacks the whole publish). So the router looks how long the queues are that
it fills. An agency with as many messages in its queue as the limit is *parked*: its further deliveries are recorded and
wait, all others get theirs at once. When half of the limit is free they follow, oldest first and urgent ones before,
and before anything newer; then the agency is parked no more. What is withdrawn while it waits is not sent.

What is not acknowledged is not counted, so an agency that takes without end and acknowledges nothing is parked only
when the broker's consumer timeout has given its messages back.

Any number of routers may run this side by side; one at a time sends. What was sent and not recorded as sent, because a
crash came in between, is sent again under the same message id.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import structlog

from lienthong.document.life_cycle import State
from lienthong.errors import Unavailable
from lienthong.telemetry import metrics
from lienthong.telemetry.events import Event
from lienthong.topology.names import delivery_queue
from lienthong.topology.plan import agency_plan
from lienthong.worker.answers import to_notifier, to_receivers
from lienthong.worker.beside import Beside, confirmed
from lienthong.worker.ladder import reason
from lienthong.worker.notices import delivered, first_delivered, found

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from uuid import UUID

    from lienthong.bus.messages import Outgoing
    from lienthong.ledger.ledger import Ledger
    from lienthong.ledger.rows import RecordedRouting
    from lienthong.ledger.unit import Unit
    from lienthong.payload import PayloadStore
    from lienthong.topology.plan import Plan

__all__ = ["Parking"]

AT_ONCE = 50
"""Most documents sent, or told of, in one transaction."""
TURN_SECONDS = 2.0
"""After that long no further one is begun: other routers must not wait for their turn for ever."""
LOOK_SECONDS = 0.5
"""Between two turns."""
DRAIN_SECONDS = 0.02
"""The same while something is sent."""
LOOKS = 8
"""A queue is looked at when an eighth of what it has room for was sent to it: seldom while it is short."""

log = structlog.stdlib.get_logger(__name__)


class Broker(Protocol):
    """What is needed of the bus."""

    async def publish_many(self, messages: Sequence[Outgoing]) -> list[Exception | None]:
        """Publish messages and return each one's outcome, None for confirmed."""
        ...

    async def lengths(self, queues: Collection[str]) -> dict[str, int | None]:
        """Return how many messages stand ready in each queue; None where there is no such queue."""
        ...

    async def declare(self, plan: Plan) -> None:
        """Create what a plan names and is not there yet."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)


class Parking(Beside):
    """Runs beside the router's handler until its block ends.

    Args:
        ledger: where it is recorded who is parked and what waits.
        bus: where the queues are.
        store: where payloads are.
        limit: how many messages may stand in an agency's queue before it is parked.
    """

    what = "parking"

    def __init__(self, ledger: Ledger, bus: Broker, store: PayloadStore, limit: int) -> None:
        self._ledger, self._bus, self._store, self._limit = ledger, bus, store, limit
        self._due_in: dict[str, int] = {}

    def note(self, carriers: Iterable[str]) -> None:
        """Note that something is put into these agencies' queues."""
        for carrier in carriers:
            self._due_in[carrier] = self._due_in.get(carrier, 1) - 1

    async def turn(self) -> int:
        """Park whose queue is long, send what waits for those whose queue is short; return how many were sent.

        Raises:
            Unavailable: ledger, broker or payload store is away; what was not confirmed waits on.
        """
        await self._park()
        async with self._ledger.transaction() as unit:
            connected = set(unit.directory.connected())
            parked = await unit.parking.agencies()
        metrics.PARKED.set(len(parked))
        # A suspended agency gets nothing; what waits for it waits for its return.
        queues = {carrier: delivery_queue(carrier) for carrier in parked if carrier in connected}
        lengths = await self._bus.lengths(queues.values()) if queues else {}
        sent = 0
        for carrier, queue in queues.items():
            if lengths[queue] is None:
                await self._bus.declare(agency_plan(carrier))
            if (lengths[queue] or 0) <= self._limit // 2:
                sent += await self._send(carrier)
        await self._tell()
        return sent

    async def _park(self) -> None:
        due = sorted(carrier for carrier, left in self._due_in.items() if left <= 0)
        if not due:
            return
        lengths = await self._bus.lengths([delivery_queue(carrier) for carrier in due])
        for carrier in due:
            length = lengths[delivery_queue(carrier)] or 0
            self._due_in[carrier] = max(1, (self._limit - length) // LOOKS)
            if length < self._limit:
                continue
            async with self._ledger.transaction() as unit:
                new = await unit.parking.park(carrier, length, self._limit)
            if new:
                log.warning(Event.AGENCY_PARKED, agency=carrier, queued=length, limit=self._limit)

    async def _send(self, carrier: str) -> int:
        """Send the oldest of what waits for one agency, and end its parking when nothing is left."""
        room = max(1, self._limit // 2)
        sent: dict[UUID, datetime] = {}
        trouble: Exception | None = None
        async with self._ledger.transaction() as unit:
            if not await unit.parking.take_turn():
                return 0
            waiting = await unit.parking.waiting(carrier, min(AT_ONCE, room))
            # What was withdrawn meanwhile is not handed out any more.
            dropped = {key for key, one in (await unit.routings(waiting)).items() if _is_withdrawn(one, carrier)}
            until = asyncio.get_running_loop().time() + TURN_SECONDS
            for document in waiting:
                # One by one: of several on the way at once, one that has to be sent again would be overtaken.
                trouble = None if document in dropped else await self._try(unit, carrier, document)
                if trouble is not None:
                    break
                sent[document] = _now()
                if asyncio.get_running_loop().time() > until:
                    break
            await unit.parking.mark_sent(carrier, sent, dropped)
            ended = len(sent) == len(waiting) < AT_ONCE and await unit.parking.unpark(carrier)
        if sent:
            self._due_in[carrier] = 0
            log.info(Event.PARKED_SENT, agency=carrier, documents=len(sent))
        if ended:
            log.info(Event.AGENCY_UNPARKED, agency=carrier)
        if trouble is not None:
            raise trouble
        return len(sent)

    async def _try(self, unit: Unit, carrier: str, key: UUID) -> Exception | None:
        try:
            document = (await unit.documents([key]))[key]
            judged = first_delivered((await unit.verifications([key]))[key])
            message = to_receivers(document, [carrier], found(judged), await self._store.get(document.sha256))
            (error,) = await confirmed(self._bus, [message])
        except Unavailable as away:
            error = away
        return None if error is None else Unavailable(f"{key} for {carrier}: {reason(error)}")

    async def _tell(self) -> None:
        """Tell senders whose documents are in every queue at last."""
        async with self._ledger.transaction() as unit:
            if not await unit.parking.take_turn():
                return
            keys = await unit.parking.completed(AT_ONCE)
            if not keys:
                return
            documents, routings = await unit.documents(keys), await unit.routings(keys)
            notices = [to_notifier(delivered(documents[key], routings[key].deliveries, _now())) for key in keys]
            results = await confirmed(self._bus, notices)
            told = [key for key, error in zip(keys, results, strict=True) if error is None]
            await unit.parking.mark_told(told, _now())
        errors = [error for error in results if error is not None]
        if errors:
            raise Unavailable(f"{len(errors)} notices not confirmed: {reason(errors[0])}")

    async def _round(self) -> float:
        return DRAIN_SECONDS if await self.turn() else LOOK_SECONDS


def _is_withdrawn(routing: RecordedRouting, carrier: str) -> bool:
    return all(one.state == State.WITHDRAWN for one in routing.deliveries if one.carrier == carrier)
