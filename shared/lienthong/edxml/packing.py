"""The national SDK's zip wrapping, told apart from files that are zip files themselves, and taken off safely.

The SDK puts most files into a zip of one entry called ``<random UUID>.<extension of the file>``, and declares the
media type of the zip, or of the file, or neither. So only the bytes decide: one entry, named so, with the extension
the attachment's name has (or ``unk``, or any when the name has none). Names inside are compared, never used as paths.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from io import BytesIO
from typing import IO, NamedTuple

from lienthong.edxml.media import extension

__all__ = ["DamagedWrappingError", "TooLargeError", "Unwrapped", "foreign_entry", "unwrap"]

UNKNOWN = "unk"
CHUNK = 256 * 1024

_END_OF_DIRECTORY = b"PK\x05\x06"
_END_SIZE = 22
_MAX_DIRECTORY = 1024
_WRAPPED_NAME = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\.([0-9A-Za-z]{1,10})")
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 1
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    RuntimeError,  # zipfile's word for an encrypted entry, and the parent of NotImplementedError
)
"""What the standard library raises over a zip file that is none."""


class DamagedWrappingError(Exception):
    """The zip around the file is recognizably the SDK's, but broken."""


class TooLargeError(Exception):
    """The file in the zip is larger than allowed."""


class Unwrapped(NamedTuple):
    """The file without its wrapping, and the extension its entry had."""

    content: bytes
    extension: str


def unwrap(name: str, packed: bytes, budget: int) -> Unwrapped | None:
    """Return the file inside the SDK's wrapping, or None when this is no such wrapping.

    Args:
        name: the attachment's name.
        packed: the bytes out of base64.
        budget: how many bytes may come out.

    Raises:
        DamagedWrappingError: it is a wrapping, but its check sum or its compression is broken.
        TooLargeError: more than `budget` bytes would come out.
    """
    entry = _only_entry(packed)
    if entry is None or (found := _WRAPPED_NAME.fullmatch(entry.filename)) is None:
        return None
    suffix = found[1].lower()
    if suffix != UNKNOWN and extension(name) not in ("", suffix):
        return None
    if entry.file_size > budget:
        raise TooLargeError
    try:
        with zipfile.ZipFile(BytesIO(packed)) as archive, archive.open(entry) as opened:
            content = _read(opened, entry.file_size)
    except _BROKEN as error:
        raise DamagedWrappingError from error
    if len(content) != entry.file_size:
        raise DamagedWrappingError
    return Unwrapped(content, suffix)


def _read(opened: IO[bytes], size: int) -> bytes:
    """Return what an entry holds, at most one byte more than it says; held once only, unlike what it reads at once."""
    content = BytesIO()
    while chunk := opened.read(min(CHUNK, size + 1 - content.tell())):
        content.write(chunk)
    return content.getvalue()


def foreign_entry(name: str, content: bytes) -> str | None:
    """Return the entry's name when a file looks wrapped by the SDK but for another extension than its name has."""
    entry = _only_entry(content)
    if entry is None or (found := _WRAPPED_NAME.fullmatch(entry.filename)) is None:
        return None
    return None if found[1].lower() in (UNKNOWN, extension(name)) else entry.filename


def _only_entry(packed: bytes) -> zipfile.ZipInfo | None:
    """Return the entry of a zip that has exactly one, found without trusting the zip with our time or memory."""
    end = packed[-_END_SIZE:]
    if not packed.startswith(b"PK\x03\x04") or len(end) < _END_SIZE or not end.startswith(_END_OF_DIRECTORY):
        return None
    entries = int.from_bytes(end[10:12], "little")
    directory_size = int.from_bytes(end[12:16], "little")
    if entries != 1 or directory_size > _MAX_DIRECTORY:
        return None
    try:
        with zipfile.ZipFile(BytesIO(packed)) as archive:
            listed = archive.infolist()
    except _BROKEN:
        return None
    entry = listed[0] if len(listed) == 1 else None
    if entry is None or entry.compress_type not in _METHODS or entry.flag_bits & _ENCRYPTED:
        return None
    return entry
