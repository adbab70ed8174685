"""The little of DER (X.690) that time-stamp tokens need beyond what the libraries read and write."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "Element",
    "children",
    "explicit",
    "integer",
    "octets",
    "oid",
    "read",
    "sequence",
    "set_of",
    "tagged",
    "time",
]

BOOLEAN, INTEGER, OCTET_STRING, OBJECT_IDENTIFIER, GENERALIZED_TIME = 0x01, 0x02, 0x04, 0x06, 0x18
SEQUENCE, SET = 0x30, 0x31
LONG_FORM = 0x80
MOST_LENGTH_BYTES = 4


class Element(NamedTuple):
    """One element: its tag, what is in it, and all its bytes."""

    tag: int
    content: bytes
    whole: bytes


def read(data: bytes, start: int = 0) -> Element:
    """Return the element that begins at a position.

    Raises:
        ValueError: there is none, or its length is not in DER.
    """
    try:
        tag, first = data[start], data[start + 1]
    except IndexError:
        raise ValueError("DER ends in the middle of an element") from None
    begin = start + 2
    length = first
    if first >= LONG_FORM:
        count = first - LONG_FORM
        if not 0 < count <= MOST_LENGTH_BYTES:
            raise ValueError("a length that is not DER")
        length = int.from_bytes(data[begin : begin + count], "big")
        begin += count
    end = begin + length
    if end > len(data):
        raise ValueError("DER ends in the middle of an element")
    return Element(tag, data[begin:end], data[start:end])


def children(content: bytes) -> Iterator[Element]:
    """Yield the elements that stand one after the other.

    Raises:
        ValueError: these bytes are not a row of elements.
    """
    start = 0
    while start < len(content):
        element = read(content, start)
        yield element
        start += len(element.whole)


def tagged(tag: int, *parts: bytes) -> bytes:
    """Return an element with this tag around these parts."""
    content = b"".join(parts)
    size = len(content)
    if size < LONG_FORM:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, LONG_FORM | len(length))) + length + content


def sequence(*parts: bytes) -> bytes:
    """Return a SEQUENCE."""
    return tagged(SEQUENCE, *parts)


def set_of(parts: Iterable[bytes], tag: int = SET) -> bytes:
    """Return a SET OF, in DER's order (X.690, 11.6)."""
    return tagged(tag, *sorted(parts))


def explicit(number: int, *parts: bytes) -> bytes:
    """Return a constructed element with a context-specific tag."""
    return tagged(0xA0 | number, *parts)


def integer(number: int) -> bytes:
    """Return an INTEGER."""
    return tagged(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def octets(content: bytes) -> bytes:
    """Return an OCTET STRING."""
    return tagged(OCTET_STRING, content)


def oid(dotted: str) -> bytes:
    """Return an OBJECT IDENTIFIER."""
    first, second, *others = map(int, dotted.split("."))
    content = bytearray()
    for number in (first * 40 + second, *others):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        content += bytes(reversed(groups))
    return tagged(OBJECT_IDENTIFIER, bytes(content))


def time(when: dt.datetime) -> bytes:
    """Return a GeneralizedTime to the second, in UTC."""
    return tagged(GENERALIZED_TIME, when.astimezone(dt.UTC).strftime("%Y%m%d%H%M%SZ").encode())
