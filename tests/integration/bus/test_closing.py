"""A bus that one task closes while another is using it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from lienthong.bus.connection import Bus
from lienthong.bus.messages import Outgoing
from lienthong.errors import Unavailable
from lienthong.topology.plan import Plan, Queue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

QUEUE = "left"
SECONDS = 60.0
MOMENTS = sorted({round(1.4**step) for step in range(24)})
"""After how many passes of the event loop it is closed: from the first one to about as many as every use needs."""


async def _consume(bus: Bus) -> None:
    await bus.consume([QUEUE], prefetch=5)
    await bus.take(1, timeout=None)


async def _look(bus: Bus) -> None:
    await bus.look(QUEUE)
    await bus.counts([QUEUE])
    await bus.exists(QUEUE)


async def _publish(bus: Bus) -> None:
    for outcome in await bus.publish_many([Outgoing("", QUEUE, "m", b"")]):
        if outcome is not None:
            raise outcome


@pytest.mark.parametrize("use", [_consume, _look, _publish])
async def test_what_is_under_way_ends_as_on_a_lost_connection(
    vhost: str, use: Callable[[Bus], Awaitable[None]]
) -> None:
    """Whatever the bus was being asked at that moment, its user learns that it is closed; no connection is left."""
    async with Bus(vhost, name="test") as bus:
        await bus.declare(Plan((), (Queue(QUEUE, {"x-queue-type": "quorum"}),), ()))
    ended_by_closing = 0
    for moment in MOMENTS:
        async with asyncio.timeout(SECONDS):
            async with Bus(vhost, name="test") as bus:
                using = asyncio.ensure_future(use(bus))
                for _ in range(moment):
                    await asyncio.sleep(0)
            try:
                await using
            except Unavailable:
                ended_by_closing += 1
        await _nothing_is_left(moment)
    assert ended_by_closing


async def _nothing_is_left(moment: int) -> None:
    """See that no connection goes on: each has tasks of its own, which end with it."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        _, going_on = await asyncio.wait(left, timeout=SECONDS)
        assert [task.get_coro() for task in going_on] == [], moment
