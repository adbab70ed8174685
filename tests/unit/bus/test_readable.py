"""Message properties a stranger wrote: whatever cannot be decoded is left out, everything else stays."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from lienthong.bus.readable import readable

FLAGS = Basic.Properties.flags


def text(content: bytes) -> bytes:
    """Return AMQP's short string."""
    return bytes([len(content)]) + content


def counted(content: bytes) -> bytes:
    """Return AMQP's long string, table or array of these bytes."""
    return struct.pack(">I", len(content)) + content


def nested(depth: int) -> bytes:
    """Return a field: an array in an array, so deep."""
    field = b"V"
    for _ in range(depth):
        field = b"A" + counted(field)
    return field


def content_header(**properties: bytes) -> bytes:
    """Return a content header with these properties, already encoded."""
    flags = sum(FLAGS[name] for name in properties)
    values = b"".join(properties[name] for name in Basic.Properties.__slots__ if name in properties)
    return struct.pack(">HHQH", 60, 0, 5, flags) + values


def read(payload: bytes) -> Basic.Properties:
    """Decode a content header as the client library does, after what cannot be decoded was left out."""
    header = ContentHeader()
    header.unmarshal(readable(payload))
    assert header.body_size == 5
    return header.properties


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timestamp", b"\xff" * 8),
        ("timestamp", struct.pack(">Q", 2**60)),
        ("message_id", text(b"\xff\xfe")),
        ("correlation_id", text(b"\xc3")),
    ],
)
def test_a_property_that_cannot_be_decoded_is_left_out(name: str, value: bytes) -> None:
    """The properties before and after it are read as they are."""
    properties = read(content_header(content_type=text(b"a/b"), user_id=text(b"H23"), **{name: value}))
    assert getattr(properties, name) in (None, "")
    assert (properties.content_type, properties.user_id) == ("a/b", "H23")


@pytest.mark.parametrize(
    "entry",
    [
        text(b"\xff") + b"S" + counted(b"x"),
        text(b"bad") + b"T" + b"\xff" * 8,
        text(b"bad") + nested(20_000),
    ],
)
def test_an_entry_of_the_headers_that_cannot_be_decoded_is_left_out(entry: bytes) -> None:
    """The entries around it stay, the broker's own count of deliveries among them."""
    before = text(b"content-sha256") + b"S" + counted(b"abc")
    after = text(b"x-delivery-count") + b"l" + struct.pack(">q", 3)
    properties = read(content_header(headers=counted(before + entry + after), message_id=text(b"m1")))
    assert properties.headers == {"content-sha256": "abc", "x-delivery-count": 3}
    assert properties.message_id == "m1"


def test_an_entry_of_unknown_length_ends_the_headers() -> None:
    """Where a field's type is unknown the rest of the table is left out, and the properties behind it are read."""
    table = text(b"a") + b"I" + struct.pack(">i", 1) + text(b"b") + b"?" + b"123"
    properties = read(content_header(headers=counted(table), message_id=text(b"m1")))
    assert (properties.headers, properties.message_id) == ({"a": 1}, "m1")


@given(
    table=st.lists(st.tuples(st.binary(max_size=20), st.sampled_from(b"tbBsuIilLfdDTVSxAF"), st.binary(max_size=40))),
    message_id=st.binary(max_size=255),
    timestamp=st.binary(min_size=8, max_size=8),
)
def test_whatever_a_stranger_writes_can_be_read(
    table: list[tuple[bytes, int, bytes]], message_id: bytes, timestamp: bytes
) -> None:
    """No table that is framed as AMQP frames it, however its values are made, keeps a message from being read."""
    widths = {**dict.fromkeys(b"tbB", 1), **dict.fromkeys(b"su", 2), **dict.fromkeys(b"Iif", 4), b"D"[0]: 5, b"V"[0]: 0}
    entries = b"".join(
        text(key)
        + bytes([kind])
        + (counted(value) if kind in b"SxAF" else value.ljust(8, b"\0")[: widths.get(kind, 8)])
        for key, kind, value in table
    )
    properties = read(
        content_header(headers=counted(entries), message_id=text(message_id), timestamp=timestamp, user_id=text(b"H23"))
    )
    assert properties.user_id == "H23"
