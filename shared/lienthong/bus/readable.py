"""What a stranger can write into a message's properties must not end our connection.

The client library gives a connection up when it cannot decode the properties of one message: a time stamp beyond the
year 9999, a text that is not UTF-8, a table nested deeper than Python's stack. The broker passes all of these, so one
message would end the connection again and again, with every worker of that step, until its delivery limit. Here what
cannot be decoded is left out before the library sees it; the rest of the message stays as it was.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, cast

from pamqp import decode, header
from pamqp.commands import Basic

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ReadableFrames", "readable"]

_FRAME_START = struct.Struct(">BHI")
_CONTENT_START = struct.Struct(">HHQ")
_CONTENT_HEADER = 2
_HEADERS = "headers"

_TEXT, _OCTET, _TABLE, _TIMESTAMP = "shortstr", "octet", "table", "timestamp"
_FIXED = {_OCTET: 1, _TIMESTAMP: 8}
_FIELD_BYTES = {
    **dict.fromkeys(b"tbB", 1),
    **dict.fromkeys(b"su", 2),
    **dict.fromkeys(b"Iif", 4),
    b"D"[0]: 5,
    **dict.fromkeys(b"lLdT", 8),
    **dict.fromkeys(b"V\0", 0),
}
_COUNTED_FIELDS = frozenset(b"SxAF")


class ReadableFrames:
    """A stream of AMQP frames in which every content header can be decoded; what the client library reads from.

    Args:
        reader: the stream as it comes from the broker.
    """

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._frame = memoryview(b"")

    def at_eof(self) -> bool:
        """Tell whether nothing is left."""
        return not self._frame and self._reader.at_eof()

    async def readexactly(self, count: int) -> bytes:
        """Return the next bytes of the frame at hand, or of the next one; raises `asyncio.IncompleteReadError`."""
        if not self._frame:
            self._frame = memoryview(await self._next())
        if count > len(self._frame):
            raise asyncio.IncompleteReadError(bytes(self._frame), count)
        taken, self._frame = self._frame[:count], self._frame[count:]
        return bytes(taken)

    async def read(self) -> bytes:
        """Return everything that is left."""
        rest, self._frame = bytes(self._frame), memoryview(b"")
        return rest + await self._reader.read()

    async def _next(self) -> bytes:
        start = await self._reader.readexactly(_FRAME_START.size)
        if start.startswith(b"AMQP"):
            # The broker speaks another protocol; the library knows what to say to that.
            return start
        kind, channel, length = _FRAME_START.unpack(start)
        rest = await self._reader.readexactly(length + 1)
        if kind != _CONTENT_HEADER or _decodes(rest[:-1]):
            return start + rest
        payload = readable(rest[:-1])
        return _FRAME_START.pack(kind, channel, len(payload)) + payload + rest[-1:]


def readable(payload: bytes) -> bytes:
    """Return a content header without the properties, and the entries of its headers, that cannot be decoded."""
    flags = struct.unpack_from(">H", payload, _CONTENT_START.size)[0]
    offset = _CONTENT_START.size + 2
    kept_flags, kept = 0, []
    for name in Basic.Properties.__slots__:
        flag = Basic.Properties.flags[name]
        if not flags & flag:
            continue
        kind = Basic.Properties.amqp_type(name)
        length = _length(kind, payload, offset)
        value = payload[offset : offset + length]
        offset += length
        if name == _HEADERS:
            value = _readable_table(value)
        if _is_value(kind, value):
            kept_flags |= flag
            kept.append(value)
    return payload[: _CONTENT_START.size] + struct.pack(">H", kept_flags) + b"".join(kept)


def _decodes(payload: bytes) -> bool:
    try:
        header.ContentHeader().unmarshal(payload)
    except Exception:  # noqa: BLE001 - whatever a stranger's bytes provoke, a RecursionError included
        return False
    return True


def _is_value(kind: str, value: bytes) -> bool:
    try:
        decode.by_type(value, kind)
    except Exception:  # noqa: BLE001 - likewise
        return False
    return True


def _length(kind: str, data: bytes, offset: int) -> int:
    if kind == _TEXT:
        return 1 + data[offset]
    if kind == _TABLE:
        return 4 + cast("int", struct.unpack_from(">I", data, offset)[0])
    return _FIXED[kind]


def _readable_table(table: bytes) -> bytes:
    kept = b"".join(entry for entry in _entries(table) if _is_value(_TABLE, struct.pack(">I", len(entry)) + entry))
    return struct.pack(">I", len(kept)) + kept


def _entries(table: bytes) -> Iterator[bytes]:
    """Yield the entries of a table as they stand in it, up to the first one whose length nobody could know."""
    offset = 4
    while offset < len(table):
        start = offset
        offset += 1 + table[offset]
        kind = table[offset]
        offset += 1
        if kind in _COUNTED_FIELDS:
            offset += 4 + cast("int", struct.unpack_from(">I", table, offset)[0])
        elif kind in _FIELD_BYTES:
            offset += _FIELD_BYTES[kind]
        else:
            return
        yield table[start:offset]
