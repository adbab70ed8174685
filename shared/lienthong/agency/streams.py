"""Iterators over an agency's two queues that settle a message when the loop comes back for the next one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lienthong.agency.inbox import Inbox, Taken

__all__ = ["Stream"]

ItemT = TypeVar("ItemT")


class Stream(Generic[ItemT]):
    """What a queue brings, each message once.

    It is an iterator, not a generator: leaving the loop early neither settles nor loses the message in hand, and the
    next loop begins with it again.

    Args:
        inbox: the queue.
        read: makes an item of a message; None when it settled the message itself and there is nothing to show.
        settle: puts a handled message to rest.
    """

    def __init__(
        self,
        inbox: Inbox,
        read: Callable[[Taken], Awaitable[ItemT | None]],
        settle: Callable[[Taken, ItemT], Awaitable[None]],
    ) -> None:
        self._inbox = inbox
        self._read = read
        self._settle = settle
        self._in_hand: tuple[Taken, ItemT] | None = None
        self._shown = False
        self._settling = asyncio.Lock()

    def __aiter__(self) -> Self:
        """Begin, with the message in hand if a former loop was left before it was settled."""
        self._shown = False
        return self

    async def __anext__(self) -> ItemT:
        if self._in_hand is not None and not self._shown:
            self._shown = True
            return self._in_hand[1]
        await self.settle()
        while (taken := await self._inbox.next()) is not None:
            item = await self._read(taken)
            if item is not None:
                self._in_hand = (taken, item)
                self._shown = True
                return item
        raise StopAsyncIteration

    async def settle(self, item: ItemT | None = None) -> None:
        """Put the message in hand to rest, or nothing when there is none.

        Args:
            item: settle only when it is this one that is in hand; one from before was settled already.
        """
        async with self._settling:
            if self._in_hand is None or (item is not None and self._in_hand[1] is not item):
                return
            taken, in_hand = self._in_hand
            await self._settle(taken, in_hand)
            self._in_hand = None

    async def close(self) -> None:
        """End the loop over it; what is not settled goes back to the queue."""
        await self._inbox.close()
