"""What a stranger can write into the properties of a message, from the wire to the ladder and back."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import replace

from aiormq.abc import DeliveredMessage
from pamqp import commands, frame, header
from tests.fuzz.messages import check_submission
from tests.fuzz.promises import demand, demand_publishable

from lienthong.bus.delivered import incoming
from lienthong.bus.readable import ReadableFrames
from lienthong.errors import Unavailable
from lienthong.topology.names import Step
from lienthong.worker.ladder import Ladder

__all__ = ["check_properties"]

LADDERS = (Ladder(Step.INGEST, "exchange"), Ladder(Step.STATUS_TRACKER, "exchange"))
ERRORS = (Unavailable("away"), RuntimeError("\0"))


def check_properties(data: bytes) -> None:
    """Whatever properties the broker lets pass, the message can be read, put on the ladder and taken off it."""
    choose = _Choose(data)
    payload = _content_header(choose)
    found = frame.unmarshal(_LOOP.run_until_complete(_through_reader(payload)))[2]
    demand(isinstance(found, header.ContentHeader), "a content header stays one")
    delivery = commands.Basic.Deliver(
        "c", 1, choose.below(2) == 1, "submission", choose.text(20).decode("utf-8", "ignore")
    )
    body = b"<edXML/>"
    message = incoming("work.ingest", DeliveredMessage(delivery, found, body, None))  # type: ignore[arg-type]
    user = (None, "H23", "exchange")[choose.below(3)]  # the broker validates it
    message = replace(message, user_id=user)
    check_submission(message)
    for ladder in LADDERS:
        tried = ladder.restore(message)
        demand(user == "exchange" or tried.message == message, "only what we published is believed about its origin")
        check_submission(tried.message)
        for error in ERRORS:
            climb = ladder.climb(tried, error)
            demand_publishable(climb.output)
            back = replace(
                message, headers=climb.output.headers, user_id="exchange", message_id=climb.output.message_id
            )
            demand(ladder.restore(back).message.user_id == tried.message.user_id, "the ladder keeps who sent a message")


_LOOP = asyncio.new_event_loop()


async def _through_reader(payload: bytes) -> bytes:
    reader = asyncio.StreamReader()
    reader.feed_data(struct.pack(">BHI", 2, 1, len(payload)) + payload + b"\xce")
    frames = ReadableFrames(reader)
    start = await frames.readexactly(7)
    return start + await frames.readexactly(struct.unpack(">BHI", start)[2] + 1)


class _Choose:
    """Decisions made by an input's bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        """Return the next bytes, zeros after the end."""
        taken = self.data[self.at : self.at + count]
        self.at += count
        return taken.ljust(count, b"\0")

    def below(self, bound: int) -> int:
        """Return a number below `bound`, at most 256."""
        return self.take(1)[0] % bound

    def text(self, most: int) -> bytes:
        """Return some bytes."""
        return self.take(self.below(most + 1))


_HEADER_NAMES = (
    *(b"content-sha256", b"submitted-at", b"attempt", b"reason", b"original-queue", b"original-routing-key"),
    *(b"original-user-id", b"original-message-id", b"traceparent", b"payload-bytes", b"x-delivery-count", b"x"),
)
_FIXED = {
    b"t": 1,
    b"b": 1,
    b"B": 1,
    b"s": 2,
    b"u": 2,
    b"I": 4,
    b"i": 4,
    b"f": 4,
    b"D": 5,
    b"l": 8,
    b"L": 8,
    b"d": 8,
    b"T": 8,
}
_KINDS = (*_FIXED, b"V", b"S", b"x", b"F", b"A")


def _content_header(choose: _Choose) -> bytes:
    """Return a content header as the broker passes it: well-formed, its values anything."""
    flags, values = 0, []
    for name in commands.Basic.Properties.__slots__:
        kind = commands.Basic.Properties.amqp_type(name)
        if name in {"cluster_id", "user_id"} or (name != "headers" and choose.below(4)):
            continue
        flags |= commands.Basic.Properties.flags[name]
        if kind == "table":
            values.append(_counted(_table(choose, 0)))
        elif kind == "shortstr":
            text = choose.text(255)
            values.append(bytes([len(text)]) + text)
        else:
            values.append(choose.take(8 if kind == "timestamp" else 1))
    return struct.pack(">HHQH", 60, 0, 8, flags) + b"".join(values)


def _table(choose: _Choose, depth: int) -> bytes:
    entries = []
    for _ in range(choose.below(6)):
        position = choose.below(len(_HEADER_NAMES) + 2)
        name = _HEADER_NAMES[position] if position < len(_HEADER_NAMES) else choose.text(9)
        entries.append(bytes([len(name)]) + name + _field(choose, depth))
    return b"".join(entries)


def _field(choose: _Choose, depth: int) -> bytes:
    kind = _KINDS[choose.below(len(_KINDS))]
    if kind in _FIXED:
        return kind + choose.take(_FIXED[kind])
    if kind == b"V":
        return kind
    if kind in {b"S", b"x"} or depth > 3:
        return b"S" + _counted(choose.text(255) * (choose.below(8) + 1))
    if kind == b"F":
        return kind + _counted(_table(choose, depth + 1))
    return kind + _counted(b"".join(_field(choose, depth + 1) for _ in range(choose.below(4))))


def _counted(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data
