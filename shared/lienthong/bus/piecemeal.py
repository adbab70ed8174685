"""A large message written piece by piece, for a transport copies whatever the socket does not take at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

__all__ = ["PIECE", "PiecemealWriter"]

PIECE = 256 * 1024


class PiecemealWriter(asyncio.StreamWriter):
    """Writes as the writer it is made of does, but hands large data on only as fast as it leaves.

    Args:
        writer: as the transport was opened with.
        reader: likewise.
    """

    def __init__(self, writer: asyncio.StreamWriter, reader: asyncio.StreamReader) -> None:
        transport = writer.transport
        super().__init__(transport, transport.get_protocol(), reader, asyncio.get_running_loop())
        self._first = writer  # one that is forgotten closes its transport
        self._rest: deque[memoryview] = deque()
        self._feeding: asyncio.Task[None] | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write the data after everything written before; large data is not copied, and must not change."""
        if self._feeding is None and len(data) <= PIECE:
            super().write(data)
            return
        self._rest.append(memoryview(data))
        if self._feeding is None:
            self._feeding = asyncio.create_task(self._feed(), name="write a large message")

    async def drain(self) -> None:
        """Wait until little of what was written is left; raises `ConnectionError` when the connection is lost."""
        if self._feeding is not None:
            await asyncio.wait([self._feeding])
        await super().drain()

    def close(self) -> None:
        """Close the transport; what was not handed to it is lost."""
        if self._feeding is not None:
            self._feeding.cancel()
        super().close()

    async def _feed(self) -> None:
        try:
            # Who reads the connection learns of its loss by itself, and so does who drains.
            with contextlib.suppress(ConnectionError):
                while self._rest:
                    data = self._rest.popleft()
                    for start in range(0, len(data), PIECE):
                        super().write(data[start : start + PIECE])
                        await super().drain()
        finally:
            self._rest.clear()
            self._feeding = None
