"""Looking into zip files without trusting them with our time or memory: bombs, lies, overlaps, layers."""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise
from typing import Final

from lienthong.signature.attachments_findings import AttachmentFlaw
from lienthong.signature.attachments_kinds import EXECUTABLES, kind_of, office_kind
from lienthong.signature.attachments_names import name_flaws

__all__ = ["PackedPdf", "ZipLimits", "ZipLook"]

_END: Final = b"PK\x05\x06"
_END_SIZE: Final = 22
_MAX_COMMENT: Final = 65_535
_LOCAL_HEADER: Final = 30
_RATIO: Final = 250
"""Deflate reaches 1,032; documents stay below 100, sheets full of the same below 250."""

_RATIO_FLOOR: Final = 2 * 1024 * 1024
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED: Final = 0x41
_CHUNK: Final = 256 * 1024
_MAX_TYPES: Final = 1024 * 1024
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    RuntimeError,
)
_SERIOUS_NAMES: Final = frozenset(
    {
        AttachmentFlaw.PATH_TRAVERSAL,
        AttachmentFlaw.DEVICE_NAME,
        AttachmentFlaw.CONTROL_CHARACTER,
        AttachmentFlaw.INVISIBLE_CHARACTER,
    }
)


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """How much may come out of zips.

    Attributes:
        unpacked_bytes: of everything in one attachment, all layers together.
        entries: of one attachment, likewise.
        directory_bytes: of one zip's list of entries.
        layers: of zips in zips.
    """

    unpacked_bytes: int = 100 * 1024 * 1024
    entries: int = 5_000
    directory_bytes: int = 4 * 1024 * 1024
    layers: int = 3


@dataclass(frozen=True, slots=True)
class PackedPdf:
    """A PDF found among the attachments: where, as names joined by slashes, and its bytes."""

    name: str
    content: bytes = field(repr=False)


class ZipLook:
    """One look into an attachment that is a zip; `flaws`, `pdfs` and the Office `kind` are what it found."""

    def __init__(self, limits: ZipLimits) -> None:
        self.limits = limits
        self.flaws: set[AttachmentFlaw] = set()
        self.pdfs: list[PackedPdf] = []
        self.kind = "zip"
        self._bytes_left = limits.unpacked_bytes
        self._entries_left = limits.entries

    def look(self, name: str, content: bytes, layer: int = 1) -> None:
        """Look at all entries of a zip, and at zips among them."""
        if layer > self.limits.layers:
            self.flaws.add(AttachmentFlaw.TOO_DEEP)
            return
        entries = self._directory(content)
        if entries is None:
            return
        with zipfile.ZipFile(BytesIO(content)) as archive:
            if layer == 1:
                self.kind = self._office(archive, entries)
            pure = layer > 1 or self.kind == "zip"
            for entry in entries:
                if not self._entry(archive, entry, f"{name}/{entry.filename}", layer, pure=pure):
                    return

    def _directory(self, content: bytes) -> list[zipfile.ZipInfo] | None:
        """Return the entries of a zip whose directory is small and says nothing impossible; None otherwise."""
        at = content.rfind(_END, max(0, len(content) - _END_SIZE - _MAX_COMMENT))
        if at < 0 or len(content) - at < _END_SIZE:
            self.flaws.add(AttachmentFlaw.DAMAGED_ZIP)
            return None
        count, size, _, comment = struct.unpack_from("<HIIH", content, at + 10)
        if count > self._entries_left or size > self.limits.directory_bytes:
            self.flaws.add(AttachmentFlaw.TOO_MANY_ENTRIES)
            return None
        try:
            with zipfile.ZipFile(BytesIO(content)) as archive:
                entries = archive.infolist()
        except _BROKEN:
            entries = []
            comment = -1
        spans = sorted((entry.header_offset, _LOCAL_HEADER + entry.compress_size) for entry in entries)
        overlaps = any(start + length > later for (start, length), (later, _) in pairwise(spans))
        twice = len({entry.filename for entry in entries}) < len(entries)
        whole = at + _END_SIZE + comment == len(content) and len(entries) == count
        if overlaps:
            self.flaws.add(AttachmentFlaw.ZIP_BOMB)
        if twice or not whole or (spans and spans[0][0] != 0):
            self.flaws.add(AttachmentFlaw.DAMAGED_ZIP)
        self._entries_left -= len(entries)
        return None if overlaps or not whole else entries

    def _office(self, archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> str:
        parts = {}
        for entry in entries:
            small = entry.file_size <= _MAX_TYPES and not entry.flag_bits & _ENCRYPTED
            if entry.filename in {"[Content_Types].xml", "mimetype"} and small and entry.compress_type in _METHODS:
                try:
                    with archive.open(entry) as opened:
                        parts[entry.filename] = opened.read(_MAX_TYPES)
                except _BROKEN:
                    self.flaws.add(AttachmentFlaw.DAMAGED_ZIP)
        names = [entry.filename for entry in entries]
        return office_kind(names, parts.get("[Content_Types].xml", b""), parts.get("mimetype", b""))

    def _entry(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: str, layer: int, *, pure: bool) -> bool:
        """Look at one entry; return whether there is any sense in going on."""
        self.flaws |= name_flaws(entry.filename, folders=True) & _SERIOUS_NAMES
        if entry.flag_bits & _ENCRYPTED:
            self.flaws.add(AttachmentFlaw.ENCRYPTED)
            return True
        if entry.compress_type not in _METHODS:
            self.flaws.add(AttachmentFlaw.CLOSED_ARCHIVE)
            return True
        if entry.file_size > max(_RATIO_FLOOR, _RATIO * entry.compress_size):
            self.flaws.add(AttachmentFlaw.ZIP_BOMB)
            return False
        if entry.file_size > self._bytes_left:
            self.flaws.add(AttachmentFlaw.TOO_LARGE)
            return False
        content = self._unpacked(archive, entry)
        if content is None:
            return False
        self._bytes_left -= len(content)
        kind = kind_of(content)
        if kind in EXECUTABLES:
            self.flaws.add(AttachmentFlaw.EXECUTABLE)
        elif pure and kind == "zip":
            self.look(path, content, layer + 1)
        elif pure and kind == "pdf":
            self.pdfs.append(PackedPdf(path, content))
        return True

    def _unpacked(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes | None:
        """Return an entry's content, never more than it declares; None when it lies or is broken."""
        content = BytesIO()  # holds it once, also while it becomes bytes
        try:
            with archive.open(entry) as opened:
                while chunk := opened.read(_CHUNK):
                    content.write(chunk)
                    if content.tell() > entry.file_size:
                        break
        except _BROKEN as error:
            lies = "CRC" in str(error)
            self.flaws.add(AttachmentFlaw.LYING_SIZE if lies else AttachmentFlaw.DAMAGED_ZIP)
            return None
        if content.tell() != entry.file_size:
            self.flaws.add(AttachmentFlaw.LYING_SIZE)
            return None
        return content.getvalue()
