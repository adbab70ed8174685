"""What a worker does beside its handler, again and again: send what waits in the ledger, watch clocks, look around."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

import structlog

from lienthong.bus.backoff import Backoff
from lienthong.errors import Unavailable
from lienthong.telemetry.events import Event
from lienthong.worker.ladder import reason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from lienthong.bus.messages import Outgoing

__all__ = ["Beside", "Publishes", "confirmed"]

CONFIRM_SECONDS = 10.0
"""How long the broker may take to confirm what one round publishes; rows are locked meanwhile."""

log = structlog.stdlib.get_logger(__name__)


class Publishes(Protocol):
    """What is needed of the bus."""

    async def publish_many(self, messages: Sequence[Outgoing]) -> list[Exception | None]:
        """Publish messages and return each one's outcome, None for confirmed."""
        ...


class Beside(ABC):
    """Does one round after the other from the begin of a block to its end; a round that fails is done again later.

    Attributes:
        what: what it does, in a few words.
    """

    what: ClassVar[str]
    _rounds: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin."""
        self._rounds = asyncio.create_task(self._run(), name=self.what)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._rounds is not None:
            self._rounds.cancel()
            await asyncio.wait([self._rounds])

    @abstractmethod
    async def _round(self) -> float:
        """Do one round; return after how many seconds the next one begins, or raise what hinders it."""

    async def _run(self) -> None:
        backoff = Backoff()
        while True:
            try:
                pause = await self._round()
            except Unavailable as away:
                log.warning(Event.RELAY_DELAYED, what=self.what, reason=reason(away))
                pause = backoff.next()
            except Exception as error:
                # Whatever it is, what waits must not be forgotten.
                log.exception(Event.RELAY_FAILED, what=self.what, reason=reason(error))
                pause = backoff.next()
            else:
                backoff.reset()
            await asyncio.sleep(pause)


async def confirmed(bus: Publishes, messages: Sequence[Outgoing]) -> list[Exception | None]:
    """Publish messages and return each one's outcome, None for confirmed.

    Raises:
        Unavailable: the broker took too long over it.
    """
    if not messages:
        return []
    try:
        async with asyncio.timeout(CONFIRM_SECONDS):
            return await bus.publish_many(messages)
    except TimeoutError as error:
        raise Unavailable(f"the broker did not confirm within {CONFIRM_SECONDS:g} s") from error
