"""The attachments' base64 apart from the rest of a message, so that a large message costs no more than its bytes.

A message is its *skeleton*, a few KB of XML, and the *contents* of its attachments, which are only spans of the bytes
received. Nothing is lost by the cut: a content is what stands between the start tag ``ContentTransferEncoded`` and the
next ``<``, and it is read as strict base64, so it can hold no markup.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import pybase64

from lienthong.edxml import names
from lienthong.edxml.strict_base64 import CHUNK, decode_base64, decoded_pieces
from lienthong.signature.reasons import BrokenSignatureError, Code

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Content", "Digested", "Skeleton", "cut", "decode_text", "digest_base64"]

MAX_TAG = 8192
MAX_MENTIONS = 2000
"""The name of the contents' element stands twice in an attachment, and there are at most 100 of those."""

_NAME = names.CONTENT_TRANSFER_ENCODED.encode()
_START = re.compile(rb"""<(?:[^\s<>/:"'=]+:)?ContentTransferEncoded(?=[\s/>])(?:[^"'<>]|"[^"<]*"|'[^'<]*')*>""")


@dataclass(slots=True, eq=False)
class Content:
    """Where in the message the base64 of one attachment stands; never changed."""

    data: bytes = field(repr=False)
    start: int
    end: int

    def text(self) -> Iterator[bytes]:
        """Yield the base64 piece by piece as an XML parser hands it on: line ends are line feeds (XML 1.0, 2.11)."""
        start = self.start
        while start < self.end:
            stop = min(start + CHUNK, self.end)
            if self.data[stop - 1 : stop] == b"\r":
                stop = min(stop + 1, self.end)
            piece = self.data[start:stop]
            start = stop
            yield piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in piece else piece


class Skeleton(NamedTuple):
    """A message without the contents of its attachments.

    Attributes:
        xml: the rest.
        contents: one for each element of that name, in order; None where it was left in the skeleton, because it is
            not just characters.
        starts: where in the skeleton each content was taken out.
    """

    xml: bytes
    contents: tuple[Content | None, ...]
    starts: tuple[int, ...]


class Digested(NamedTuple):
    """What base64 stands for."""

    sha256: bytes
    size: int


def cut(data: bytes) -> Skeleton:
    """Take the contents out of a message.

    Only markup is looked at, so the result is right for well-formed XML without comments, processing instructions and
    CDATA sections; whether there are any can be told from the skeleton, for contents have no ``<``.

    Raises:
        BrokenSignatureError: the element's name is everywhere.
    """
    pieces: list[bytes] = []
    contents: list[Content | None] = []
    starts: list[int] = []
    kept = length = position = mentions = 0
    while (found := data.find(_NAME, position)) >= 0:
        mentions += 1
        if mentions > MAX_MENTIONS:
            raise BrokenSignatureError(
                Code.FORMAT_FAILURE,
                f"Gói tin có quá nhiều {names.CONTENT_TRANSFER_ENCODED}",
                f"The message has too many {names.CONTENT_TRANSFER_ENCODED}",
            )
        opened = data.rfind(b"<", max(position, found - MAX_TAG), found)
        tag = _START.match(data, opened, opened + MAX_TAG) if opened >= 0 else None
        if tag is None:
            position = found + len(_NAME)
            continue
        start = position = tag.end()
        if data[start - 2] == ord("/"):
            contents.append(None)
            continue
        end = data.find(b"<", start)
        if end < 0 or data[end + 1 : end + 2] != b"/" or data.find(b"&", start, end) >= 0:
            contents.append(None)
            continue
        pieces.append(data[kept:start])
        length += start - kept
        starts.append(length)
        contents.append(Content(data, start, end))
        kept = end
        position = max(data.find(b">", end), end)  # what closes a content opens none
    pieces.append(data[kept:])
    return Skeleton(b"".join(pieces) if starts else data, tuple(contents), tuple(starts))


def digest_base64(content: Content | bytes) -> Digested | None:
    """Return the SHA-256 and the number of the bytes behind base64, or None when it is not strict base64.

    Strict is what `lienthong.edxml.strict_base64.decode_base64` says. A content is decoded a piece at a time and never
    held as a whole.
    """
    if isinstance(content, bytes):
        whole = decode_base64(content)
        return None if whole is None else Digested(hashlib.sha256(whole).digest(), len(whole))
    if content.end - content.start <= CHUNK:
        return digest_base64(content.data[content.start : content.end])
    digest = hashlib.sha256()
    size = 0
    try:
        for piece in decoded_pieces(memoryview(content.data)[content.start : content.end]):
            digest.update(piece)
            size += len(piece)
    except ValueError:
        return None
    return Digested(digest.digest(), size)


def decode_text(text: str) -> bytes | None:
    """Return the bytes behind a short strict base64, or None when it is not strict."""
    try:
        content = pybase64.b64decode(text)
    except (binascii.Error, ValueError):
        return None
    if pybase64.b64encode_as_string(content) == text:
        return content  # as most are: nothing but base64, and the only one of these bytes
    return decode_base64(text.encode()) if text.isascii() else None
