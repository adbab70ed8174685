"""Base64 of which two different texts never stand for the same bytes, at a cost in memory of little more than these."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING

import pybase64

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CHUNK", "decode_base64", "decoded_pieces"]

CHUNK = 262_144
"""Bytes of base64 taken at a time; a multiple of four."""

_WHITE_SPACE = b" \t\r\n"
_QUANTUM = 4


def decode_base64(text: bytes | memoryview) -> bytes | None:
    """Return the bytes behind base64, or None when it is not strict.

    XML white space apart, only the standard alphabet, whole quanta with padding, and zero bits after the last byte.
    """
    if (content := _decode(text)) is not None:
        return content
    if len(text) <= CHUNK:
        return _decode(bytes(text).translate(None, _WHITE_SPACE))
    try:
        return b"".join(decoded_pieces(memoryview(text)))
    except ValueError:
        return None


def decoded_pieces(text: memoryview) -> Iterator[bytes]:
    """Yield the bytes behind base64 piece by piece; strict as `decode_base64` is.

    Raises:
        ValueError: it is not strict; what was yielded before is void.
    """
    held = b""
    padded = False
    for start in range(0, len(text), CHUNK):
        piece = text[start : start + CHUNK]
        decoded = None if held else _decode(piece)
        if decoded is None:
            bare = held + bytes(piece).translate(None, _WHITE_SPACE)
            whole_quanta = len(bare) - len(bare) % _QUANTUM
            bare, held = bare[:whole_quanta], bare[whole_quanta:]
            decoded = _decode(bare)
        if decoded is None or (padded and decoded):
            raise ValueError("not strict base64")
        padded = padded or len(decoded) % 3 != 0
        yield decoded
    if held:
        raise ValueError("not strict base64")


def _decode(bare: bytes | memoryview) -> bytes | None:
    """Return the bytes behind base64 without white space."""
    if len(bare) % _QUANTUM:
        return None
    try:
        content = pybase64.b64decode(bare, validate=True)
    except (binascii.Error, ValueError):
        return None
    tail = len(content) % 3
    return content if not tail or pybase64.b64encode(content[-tail:]) == bytes(bare[-_QUANTUM:]) else None
