"""Sends letters: what the ledger says is to be told by mail or webhook.

Each letter is claimed for a while, sent, and recorded as sent; several notifiers get on side by side. One target's
letters go one after the other, targets at once. A target that fails is left alone for a while (see `Breakers`), and
each of its letters is tried again, later and later. Nothing here delays the worker's queue.

A notifier that dies between sending a letter and recording it leaves a letter that is sent once more, under the same id
(``Message-ID``, ``webhook-id``), when its claim is over.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import structlog

from lienthong.bus.backoff import Backoff
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.telemetry import metrics
from lienthong.telemetry.events import Event
from lienthong.worker.beside import Beside
from lienthong.worker.ladder import reason
from lienthong_notifier.breaker import Breakers
from lienthong_notifier.mail import RefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType

    from lienthong.ledger.ledger import Ledger
    from lienthong.ledger.letters import Channel, Letter
    from lienthong.ledger.unit import Unit

__all__ = ["PostOffice"]

AT_ONCE = 20
"""Most targets that letters are on their way to."""
CLAIM = timedelta(minutes=5)
"""How long a letter is ours: longer than any server may take over it."""
SEND_SECONDS = 120.0
"""What one letter may take altogether."""
FIRST_RETRY = timedelta(minutes=1)
LAST_RETRY = timedelta(hours=1)
KEPT = timedelta(days=14)
"""A letter is tried for so long: longer than the longest holiday."""
KEPT_REFUSED = timedelta(days=1)
"""The same where the server says it is pointless: many a server says so while its operator is at work on it."""
LOOK_SECONDS = 1.0
OBSERVE_SECONDS = 15.0
"""Between two counts of what waits."""
CLOSE_SECONDS = 5.0
"""What is under way when the worker ends may take so long."""
MOST_TROUBLE = 500
REMEMBERED = timedelta(days=90)
FORGET_SECONDS = 3600.0
"""Between two looks for letters that are old."""
FORGET_AT_ONCE = 1000

log = structlog.stdlib.get_logger(__name__)


class Sender(Protocol):
    """One way to send a letter."""

    async def send(self, letter: Letter, at: datetime) -> None:
        """Send it; `Unavailable` when the way is barred, `RefusedError` when only this letter is not taken."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)


class PostOffice(Beside):
    """Runs beside the notifier's handler until its block ends.

    Args:
        ledger: where letters wait.
        senders: how they go; what has no sender waits.
        clock: the present.
        kept: how long letters that are done with are remembered.
    """

    what = "send letters"

    def __init__(
        self,
        ledger: Ledger,
        senders: Mapping[Channel, Sender],
        *,
        clock: Callable[[], datetime] = _now,
        kept: timedelta = REMEMBERED,
    ) -> None:
        self._ledger, self._senders, self._clock, self._kept = ledger, senders, clock, kept
        self._breakers = Breakers()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._observed = self._forgot = float("-inf")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        if self._under_way:
            _, late = await asyncio.wait(self._under_way.values(), timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def drain(self) -> int:
        """Send everything that is due now, and return how many letters were tried.

        Raises:
            Unavailable: the ledger is away.
        """
        tried = 0
        while await self._begin():
            tried += len(self._under_way)
            await asyncio.gather(*self._under_way.values())
        return tried

    async def _round(self) -> float:
        await self._begin()
        await self._forget_in_time()
        if not self._under_way:
            return LOOK_SECONDS
        tasks = self._under_way.values()
        await asyncio.wait(tasks, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        return 0.0

    async def forget(self) -> int:
        """Delete some of the letters that are old, and return how many; those of other notifiers' hands are left.

        Raises:
            Unavailable: the ledger is away.
        """
        async with self._ledger.transaction() as unit:
            return await unit.letters.forget(self._clock() - self._kept, FORGET_AT_ONCE)

    async def _forget_in_time(self) -> None:
        time = asyncio.get_running_loop().time()
        if time - self._forgot < FORGET_SECONDS:
            return
        self._forgot = time
        if await self.forget() == FORGET_AT_ONCE:
            self._forgot = float("-inf")

    async def _begin(self) -> int:
        """Claim letters and begin to send them; return how many."""
        now = self._clock()
        besides = self._breakers.open(now) | self._under_way.keys()
        room = AT_ONCE - len(self._under_way)
        async with self._ledger.transaction() as unit:
            await unit.letters.pack(now)
            claimed = (
                await unit.letters.claim(now, now + CLAIM, self._senders.keys(), besides=besides, limit=room)
                if room > 0
                else []
            )
            await self._observe(unit)
        for letter in claimed:
            task = asyncio.create_task(self._deliver(letter), name=f"send to {letter.circuit}")
            self._under_way[letter.circuit] = task
            task.add_done_callback(lambda _, circuit=letter.circuit: self._under_way.pop(circuit, None))  # type: ignore[misc]
        return len(claimed)

    async def _observe(self, unit: Unit) -> None:
        time = asyncio.get_running_loop().time()
        if time - self._observed < OBSERVE_SECONDS:
            return
        self._observed = time
        waiting = await unit.letters.waiting()
        for channel in ("mail", "webhook"):
            metrics.LETTERS_WAITING.labels(channel).set(waiting.get(channel, 0))

    async def _deliver(self, letter: Letter) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._senders[letter.channel].send(letter, self._clock())
        except RefusedError as error:
            # Of this letter; the server is well.
            self._breakers.succeeded(letter.circuit)
            await self._postpone(letter, str(error), kept=KEPT_REFUSED if error.lasting else KEPT)
        except (Unavailable, TimeoutError) as error:
            self._breakers.failed(letter.circuit, self._clock())
            await self._postpone(letter, reason(error))
        except Exception as error:
            # A bug, with this letter or with all: it must not stop the others.
            log.exception(Event.RELAY_FAILED, reason=reason(error))
            await self._postpone(letter, reason(error))
        else:
            self._breakers.succeeded(letter.circuit)
            self._count(letter, "sent")
            log.info(Event.LETTER_SENT, **_facts(letter))
            await self._record(lambda unit: unit.letters.sent(letter.letter, self._clock()))

    async def _postpone(self, letter: Letter, trouble: str, *, kept: timedelta = KEPT) -> None:
        now = self._clock()
        if now - letter.made_at >= kept:
            await self._give_up(letter, trouble)
            return
        until = now + min(LAST_RETRY, FIRST_RETRY * 2 ** min(letter.attempts - 1, 10))
        self._count(letter, "delayed")
        log.warning(Event.LETTER_DELAYED, **_facts(letter), reason=trouble)
        await self._record(lambda unit: unit.letters.postpone(letter.letter, until, trouble[:MOST_TROUBLE]))

    async def _give_up(self, letter: Letter, trouble: str) -> None:
        self._count(letter, "given up")
        log.error(Event.LETTER_GIVEN_UP, **_facts(letter), reason=trouble)
        await self._record(lambda unit: unit.letters.give_up(letter.letter, self._clock(), trouble[:MOST_TROUBLE]))

    async def _record(self, record: Callable[[Unit], Awaitable[None]]) -> None:
        """Record what became of a letter, however long the ledger is away: else it would be sent again."""
        backoff = Backoff()
        while True:
            try:
                async with self._ledger.transaction() as unit:
                    await record(unit)
            except (Unavailable, MisconfiguredError) as away:
                log.warning(Event.RELAY_DELAYED, reason=reason(away))
                await asyncio.sleep(backoff.next())
            else:
                return

    @staticmethod
    def _count(letter: Letter, outcome: str) -> None:
        metrics.LETTERS.labels(letter.channel, outcome).inc()


def _facts(letter: Letter) -> dict[str, str | int]:
    return {
        "letter": str(letter.letter),
        "channel": letter.channel,
        "target": letter.target,
        "attempts": letter.attempts,
    }
