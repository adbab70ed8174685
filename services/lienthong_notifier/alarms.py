"""Looks for what operators have to see to and no message tells: dead letters, certificates and authorities that end.

An alarm is raised once and stays open in the ledger until what it is about is gone; who has subscribed to it is told
when it is raised. Any number of notifiers may look.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import structlog

from lienthong.document.zone import VIETNAM
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.ledger.letters import AlarmRow
from lienthong.telemetry import metrics
from lienthong.telemetry.events import Event
from lienthong.topology.names import Step, dead_queue
from lienthong.trust import TrustStore
from lienthong.trust.report import observe, states
from lienthong.worker.beside import Beside
from lienthong.worker.ladder import reason
from lienthong.worker.measuring import days_left

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from pathlib import Path

    from lienthong.ledger.ledger import Ledger
    from lienthong.ledger.letters import Alarm

__all__ = ["Alarms"]

LOOK_SECONDS = 30.0
CERTIFICATE_WARNING = timedelta(days=30)
"""So long before its last certificate ends an agency is warned."""

log = structlog.stdlib.get_logger(__name__)


class Broker(Protocol):
    """What is needed of the bus."""

    async def lengths(self, queues: Collection[str]) -> dict[str, int | None]:
        """Return how many messages stand ready in each queue; None where there is no such queue."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)


class Alarms(Beside):
    """Looks again and again until its block ends.

    Args:
        ledger: where alarms and agencies' certificates are.
        bus: where dead letters are.
        trust_folder: whose authorities are looked at; where there is none, none are.
        clock: the present.
    """

    what = "look for alarms"

    def __init__(
        self, ledger: Ledger, bus: Broker, trust_folder: Path, *, clock: Callable[[], datetime] = _now
    ) -> None:
        self._ledger, self._bus, self._trust_folder, self._clock = ledger, bus, trust_folder, clock

    async def look(self) -> None:
        """Look once for everything. What cannot be looked at now raises nothing and clears nothing."""
        looks: dict[Alarm, Callable[[], Awaitable[list[AlarmRow]]]] = {
            "dead-letters": self._dead_letters,
            "certificate": self._certificates,
            "trust": self._trust,
        }
        for alarm, look in looks.items():
            try:
                found = await look()
                await self._raise(alarm, found)
            except (Unavailable, MisconfiguredError) as away:
                log.warning(Event.RELAY_DELAYED, alarm=alarm, reason=reason(away))

    async def _raise(self, alarm: Alarm, found: list[AlarmRow]) -> None:
        async with self._ledger.transaction() as unit:
            new, gone = await unit.letters.raise_alarms(alarm, found, self._clock())
        for one in new:
            log.error(Event.ALARM_RAISED, alarm=alarm, subject=one.subject, reason=one.en)
        for subject in gone:
            log.info(Event.ALARM_CLEARED, alarm=alarm, subject=subject)

    async def _dead_letters(self) -> list[AlarmRow]:
        queues = {dead_queue(step): step for step in Step}
        lengths = await self._bus.lengths(queues)
        return [
            AlarmRow(
                step,
                f"{lengths[queue]} thông điệp bước {step} không xử lý được. Xem: lienthong deadletter list",
                f"{lengths[queue]} messages of step {step} could not be worked on. See: lienthong deadletter list",
            )
            for queue, step in queues.items()
            if lengths[queue]
        ]

    async def _certificates(self) -> list[AlarmRow]:
        async with self._ledger.transaction() as unit:
            first = await unit.letters.first_ending_certificate()
            ending = await unit.letters.ending_certificates(self._clock() + CERTIFICATE_WARNING)
        metrics.CERTIFICATE_DAYS_LEFT.labels("agencies").set(days_left(first, self._clock()))
        return [
            AlarmRow(
                code,
                f"{name} ({code}): chứng thư số hết hạn ngày {until.astimezone(VIETNAM):%d/%m/%Y}; hãy gia hạn và gửi "
                "chứng thư mới cho ban vận hành",
                f"{name} ({code}): its certificate ends on {until.astimezone(VIETNAM):%Y-%m-%d}; renew it, and give "
                "the new one to the operators",
                agency=code,
            )
            for code, name, until in ending
        ]

    async def _trust(self) -> list[AlarmRow]:
        if not await asyncio.to_thread(self._trust_folder.is_dir):
            return []
        store = await asyncio.to_thread(TrustStore.load, self._trust_folder)
        # Whoever keeps the folder fresh says this too, but that may be done elsewhere.
        observe(store, self._clock())
        found = []
        for authority in states(store, self._clock()):
            pairs = [warning.split(" / ", 1) for warning in authority.warnings]
            if pairs:
                vi, en = ("; ".join(pair[place] for pair in pairs) for place in (0, 1))
                found.append(AlarmRow(authority.name, f"{authority.name}: {vi}", f"{authority.name}: {en}"))
        return found

    async def _round(self) -> float:
        await self.look()
        return LOOK_SECONDS
