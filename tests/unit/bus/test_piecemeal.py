"""Large messages on their way to the socket."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from lienthong.bus.piecemeal import PIECE, PiecemealWriter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LARGE = bytes(range(256)) * (8 * 1024 * 1024 // 256) + b"end"


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[PiecemealWriter, asyncio.StreamReader, asyncio.StreamWriter]]:
    """Provide a writer, and both ends of who it writes to."""
    accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    server = await asyncio.start_server(lambda *ends: accepted.put_nowait(ends), "127.0.0.1", 0)
    async with server:
        reader, first = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer = PiecemealWriter(first, reader)
        there, back = await accepted.get()
        try:
            yield writer, there, back
        finally:
            for end in (writer, back):
                end.close()
            await asyncio.gather(writer.wait_closed(), back.wait_closed(), return_exceptions=True)


async def test_everything_arrives_in_order() -> None:
    """Small data written behind large does not overtake it."""
    async with pair() as (writer, there, _):
        for data in (b"first", LARGE, b"between", LARGE, b"last"):
            writer.write(data)
        expected = b"first" + LARGE + b"between" + LARGE + b"last"
        assert await there.readexactly(len(expected)) == expected
        await writer.drain()
        writer.write(b"after")
        assert await there.readexactly(5) == b"after"


async def test_the_transport_never_holds_much() -> None:
    """Nothing is read at the other end: the transport holds a piece or so, not the message."""
    async with pair() as (writer, _, back):
        back.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(LARGE * 4)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 0.5)
        assert 0 < writer.transport.get_write_buffer_size() <= 2 * PIECE


async def test_a_lost_connection_is_told() -> None:
    """Who drains learns that the rest did not leave."""
    async with pair() as (writer, _, back):
        back.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(LARGE * 4)
        draining = asyncio.create_task(writer.drain())
        back.transport.abort()
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(draining, 10)
