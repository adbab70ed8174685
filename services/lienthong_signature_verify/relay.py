"""Ask for another judgement of what could not be found out: when its time has come, or trust has changed.

The wish is a fact born in the database, not in a message: it stands in the ledger as `judge_again_at`, and is moved on
only when the broker has confirmed that the document was asked for.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from lienthong.document.messages import DocumentToVerify, Lane
from lienthong.errors import Unavailable
from lienthong.telemetry import metrics
from lienthong.telemetry.events import Event
from lienthong.trust.folder import stamps_of
from lienthong.worker.answers import to_signature_verify
from lienthong.worker.beside import Beside, confirmed
from lienthong.worker.ladder import reason
from lienthong_signature_verify.judgement import again_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lienthong.bus.messages import Outgoing
    from lienthong.ledger.ledger import Ledger
    from lienthong.ledger.rows import DueJudgement
    from lienthong.worker.beside import Publishes

__all__ = ["Relay"]

AT_ONCE = 50
"""Judgements asked for and not made yet: what an outage has left waiting must not push aside what comes in."""
LOOK_SECONDS = 1.0
"""Between two looks at what is due and at the trust folder."""
DRAIN_SECONDS = 0.25
"""The same while there is something due."""
HASTEN_SECONDS = 5.0
"""The least time between two rounds because of trust."""
EXAMINERS_LAG = timedelta(seconds=2)
"""The examiners' processes look at the trust folder once a second: what is judged sooner may not know the change."""

log = structlog.stdlib.get_logger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


class Relay(Beside):
    """Runs in the background until its block ends; several of them, in several workers, get on side by side.

    Args:
        ledger: where due judgements stand.
        bus: where documents are asked for.
        trust_folder: whose changes are a reason to judge again at once.
        clock: the present.
    """

    what = "judge again"

    def __init__(
        self, ledger: Ledger, bus: Publishes, trust_folder: Path, *, clock: Callable[[], datetime] = _now
    ) -> None:
        self._ledger = ledger
        self._bus = bus
        self._trust_folder = trust_folder
        self._clock = clock
        self._stamps: object = None
        self._hastened = float("-inf")

    async def turn(self) -> int:
        """Ask once for what is due, and return how many were asked for.

        Raises:
            Unavailable: the ledger or the broker is away; what was not confirmed stays due.
        """
        async with self._ledger.transaction() as unit:
            now = self._clock()
            due = await unit.due_judgements(now, AT_ONCE)
            results = await confirmed(self._bus, [_ask(one) for one in due])
            asked = [one for one, error in zip(due, results, strict=True) if error is None]
            await unit.ask_judgements(
                {one.verification: again_at(one.received_at, now, one.held_until) for one in asked}, now
            )
            metrics.HELD.set(await unit.count_held())
        errors = [error for error in results if error is not None]
        if errors:
            raise Unavailable(f"{len(errors)} not confirmed: {reason(errors[0])}")
        if asked:
            log.info(Event.JUDGEMENTS_ASKED, documents=len(asked))
        return len(asked)

    async def watch(self) -> bool:
        """Have everything that waits judged again when the trust folder changed since the last look; tell whether."""
        stamps = await asyncio.to_thread(stamps_of, self._trust_folder)
        loop_time = asyncio.get_running_loop().time()
        if stamps == self._stamps or loop_time - self._hastened < HASTEN_SECONDS:
            return False
        async with self._ledger.transaction() as unit:
            left = await unit.hasten_judgements(self._clock() + EXAMINERS_LAG)
        if left:
            # Being asked for or judged just now, maybe by what was known before: the next look is for them.
            return False
        log.info(Event.TRUST_CHANGED, folder=str(self._trust_folder))
        self._stamps, self._hastened = stamps, loop_time
        return True

    async def _round(self) -> float:
        try:
            asked = await self.turn()
        except Exception:
            # Whatever hinders the one does not hinder the other.
            await self.watch()
            raise
        await self.watch()
        return DRAIN_SECONDS if asked else LOOK_SECONDS


def _ask(due: DueJudgement) -> Outgoing:
    return to_signature_verify(
        DocumentToVerify(
            document=due.document,
            sha256=due.sha256,
            user=due.user_name,
            received_at=due.received_at,
            lane=Lane(due.lane),
            judgement=due.judgement + 1,
        )
    )
