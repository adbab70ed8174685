"""One queue of an agency, read in order, across lost connections."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lienthong.bus.backoff import Backoff
from lienthong.bus.connection import Bus
from lienthong.bus.errors import ConnectionLost
from lienthong.errors import Unavailable

if TYPE_CHECKING:
    from lienthong.bus.messages import Incoming

__all__ = ["Inbox", "Taken"]

log = logging.getLogger(__name__)

PREFETCH = 50


@dataclass(frozen=True, slots=True)
class Taken:
    """A message in hand.

    Attributes:
        message: the message.
        consumption: which consumption of the queue brought it: its tag means nothing to a later one.
    """

    message: Incoming
    consumption: int


class Inbox:
    """Reads one queue, one message after the other; each is settled before the next one is asked for."""

    def __init__(self, urls: str, queue: str, *, name: str, heartbeat_seconds: int) -> None:
        self.queue = queue
        # Never entered: it only consumes, and needs no connection for publishing.
        self._bus = Bus(urls, name=name, heartbeat_seconds=heartbeat_seconds)
        self._waiting: deque[Incoming] = deque()
        self._consumption = 0
        self._consuming = False
        self._closed = False

    async def next(self) -> Taken | None:
        """Return the next message, waiting for as long as it takes, also for the broker to come back.

        Returns:
            None once the inbox was closed.

        Raises:
            MisconfiguredError: the broker refuses our user.
        """
        backoff = Backoff()
        while not self._waiting and not self._closed:
            try:
                if not self._consuming:
                    await self._bus.consume([self.queue], prefetch=PREFETCH)
                    self._consuming = True
                self._waiting.extend(await self._bus.take(PREFETCH, timeout=None))
            except ConnectionLost:
                self._forget()
            except Unavailable as error:
                self._forget()
                if not self._closed:
                    log.warning("%s cannot be read now: %s", self.queue, error)
                    await asyncio.sleep(backoff.next())
        return Taken(self._waiting.popleft(), self._consumption) if self._waiting else None

    async def acknowledge(self, taken: Taken) -> None:
        """Acknowledge a message; one whose connection was lost will come again, and is known then."""
        if taken.consumption != self._consumption or self._closed:
            return
        try:
            await self._bus.ack_through(self.queue, taken.message.tag)
        except ConnectionLost:
            self._forget()

    @property
    def is_open(self) -> bool:
        """Whether this inbox is still read."""
        return not self._closed

    async def close(self) -> None:
        """Stop reading; what was not acknowledged goes back to the queue."""
        self._closed = True
        self._waiting.clear()
        await self._bus.__aexit__(None, None, None)

    def _forget(self) -> None:
        self._waiting.clear()
        self._consuming = False
        self._consumption += 1
